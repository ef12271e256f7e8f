"""Engine: how the replicas of a cohort are stepped on each shared batch.

unit                replicas that are stepped together, and the moment of a step
sequential          one replica by itself, the oracle for every other form
stacked             replicas of one structure as one: batched products, one backward pass, vectorised steps
stacked_network     their forward pass: which layers have a stacked form, and what makes two structures one
stacked_optimizers  one vectorised step per kind of optimizer
stacked_losses      their losses in few calls, the settings as tensors
loss_trial          whether a call for several replicas gives what their own calls give
launch              a stack's step: kernel by kernel, compiled, or as one CUDA graph
rows                their weights, gradients and optimizer states, as the rows of matrices
arrange             a cohort's replicas -> units
"""
