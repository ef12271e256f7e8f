"""Made models, each with one thing wrong, for the tests of diagnose and its words."""

import numpy as np

from mllc.data.scored import Scored

SAMPLES, LABELS = 400, 30


def truth(seed=0):
    """Targets of 30 labels, 2 to 20 % of 400 samples each; label 3 has no positive."""
    draw = np.random.default_rng(seed)
    targets = (draw.random((SAMPLES, LABELS)) < np.linspace(0.02, 0.2, LABELS)).astype(np.uint8)
    targets[:, 3] = 0
    return targets


def logits(kind, targets, seed=1):
    """Scores of a model that is `kind`."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=targets.shape)
    frequent = np.where(np.arange(LABELS) > LABELS - 4, 1.0, -2.0)
    good = noise + 3 * targets
    return {
        "healthy": noise + 6 * targets - 3,
        "timid": good - 3.5,
        "silent but ranks": good - 8,
        "flood but ranks": good + 6,
        "silent": noise - 9,
        "silent and constant": 0.01 * noise - 4,
        "flood": noise + 9,
        "constant": 0.01 * noise + frequent,
        "constant but ranks": 0.01 * good + frequent,
        "chance": noise - 1.5,
        "inverted": -good,
        "moved columns": np.roll(good - 2, 1, axis=1),
        "free level": noise + 4 * targets - 2 + 8 * draw.normal(size=(SAMPLES, 1)),
        "decisions": (good > 1.5).astype(float),
    }[kind]


def made(kind, seed=0, targets=None, **more):
    targets = truth(seed) if targets is None else targets
    return Scored.of(logits(kind, targets, seed + 1), targets, unit="logits", **more)
