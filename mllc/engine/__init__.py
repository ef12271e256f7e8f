"""Engine: how the replicas of a cohort are stepped on each shared batch.

unit        replicas that are stepped together, and the moment of a step
sequential  one replica by itself, the oracle for every other form
arrange     a cohort's replicas -> units

stacked_losses  the losses of stacked replicas in few calls, their settings as tensors
launch          a stack's step: kernel by kernel, compiled, or as one CUDA graph
loss_trial      whether a call for several replicas gives what their own calls give
"""
