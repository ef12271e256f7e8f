"""export: a trained model as one file that other programs load: inputs -> scores and decisions.

network   the whole way of a batch as one module          about    what the file says of itself
write     the file, in one of `formats`                   read     a safetensors file of ours -> the module again
"""
