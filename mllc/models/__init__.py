"""Backbones (input to features), the frozen and the trained part of one, and the head (features to label outputs)."""
