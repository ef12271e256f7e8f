"""Scores: how sure a model is of each label, (batch, labels), for rankings and for thresholds tuned afterwards.

Scores compare labels of different samples, so they must mean the same in each row: raw logits do where the loss fixes
their zero, softmax losses leave every row's shift free. And they rank, so they must not saturate: in float32 a
probability is 1.0 from logit 17 on, and different samples would tie. Hence log-odds and logarithms.
"""

import torch
from torch import Tensor

from mllc.losses.counts import log_count
from mllc.types import Outputs


def logits(outputs: Outputs) -> Tensor:
    """The logits as they are."""
    return outputs["logits"]


def softmax(outputs: Outputs) -> Tensor:
    """Log-odds of the softmax probability, log q - log(1 - q) = z - logsumexp of the other labels."""
    log_q = outputs["logits"].log_softmax(-1)
    plain = log_q - torch.log1p(-log_q.exp().clamp(max=0.75))
    # 1 - q cancels only where q is near 1, which is one label of a row at most: for it, sum the others
    top = log_q.argmax(-1, keepdim=True)
    others = log_q.scatter(-1, top, torch.finfo(log_q.dtype).min).logsumexp(-1, keepdim=True)
    return torch.where(log_q.exp() > 0.75, log_q - others, plain)


def product(outputs: Outputs, *, penalty: str = "poisson") -> Tensor:
    """Log of the expected count Z softmax(z) of a label, Z the count unit's expected number of labels."""
    return log_count(outputs["count"], penalty=penalty).unsqueeze(-1) + outputs["logits"].log_softmax(-1)


SCORES = {score.__name__: score for score in (logits, softmax, product)}
