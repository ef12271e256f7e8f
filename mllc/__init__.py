"""mllc compares loss functions for multi-label classification with sparse labels."""

__version__ = "0.1.0"
