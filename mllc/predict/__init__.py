"""predict: a trained model and a file of new samples -> their labels, as lines of text.

inputs   the samples of a file, by the reader of the run's data set; batches of one size
labels   answers -> the labels to name, best first           text   as CSV or JSON lines
"""
