"""What the fork server imports before it forks workers (see `mllc.forkserver`): all that each of them would import."""

import gc

import torch._dynamo  # noqa: F401 - which the first optimizer would import, in a second

import mllc.worker  # noqa: F401

gc.freeze()  # what is imported stays: no worker looks through it for garbage, nor does the server when it ends
