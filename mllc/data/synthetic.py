"""Generated features: each label has a direction, a sample is the sum of its labels' directions and noise."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from mllc.data.assemble import assemble
from mllc.device import require_memory
from mllc.errors import ConfigError
from mllc.types import Dataset, Split

AT_ONCE = 1 << 22
"""Waiting times drawn at once: 32 MiB."""


def synthetic(
    *,
    samples: int,
    test_samples: int,
    labels: int,
    mean_true: float,
    zipf: float,
    features: int,
    noise: float,
    seed: int,
) -> Dataset:
    """Feature vectors of a difficulty that is set: how many labels, how many true, how unequal, under how much noise.

    samples, test_samples  samples to make
    labels                 named `label1`, `label2`, ... from the most frequent to the rarest
    mean_true              mean number of true labels; the number is Poisson distributed, cut at `labels`, so some
                           samples have no label: they stay, and their features are noise alone
    zipf                   a sample's labels are drawn one after another, none twice, with odds rank^-zipf; 0: all alike
    features               length of a vector. Each label has a prototype, a random direction whose entries have a mean
                           square of 1; two prototypes have a cosine of about 1/sqrt(features)
    noise                  standard deviation of the Gaussian noise on each feature
    seed                   of everything random here

    A sample is the sum of its labels' prototypes, plus noise, over sqrt(mean_true + noise^2): the features' variance is
    1 whatever the settings. float32. Raises ConfigError for settings outside their range.
    """
    for name, value, fine, allowed in (
        ("samples", samples, samples >= 1, "1 or more"),
        ("test_samples", test_samples, test_samples >= 1, "1 or more"),
        ("labels", labels, labels >= 1, "1 or more"),
        ("mean_true", mean_true, 0 < mean_true <= labels, f"above 0, at most the number of labels ({labels}),"),
        ("zipf", zipf, 0 <= zipf <= 10, "from 0 to 10"),
        ("features", features, features >= 1, "1 or more"),
        ("noise", noise, 0 <= noise <= 1000, "from 0 to 1000"),
    ):
        if not fine:
            raise ConfigError(f"dataset.{name}={value}: {allowed} is needed")
    total = samples + test_samples
    needed = total * (24 * features + 2 * labels) + 16 * labels * features
    keys = "dataset.labels, dataset.features, dataset.samples or dataset.test_samples"
    require_memory(needed, f"{total} samples of {features} features and {labels} labels", keys)

    rng = np.random.default_rng(seed)
    prototypes = rng.standard_normal((labels, features))
    prototypes /= np.sqrt(np.square(prototypes).mean(axis=1, keepdims=True))
    odds = np.arange(1, labels + 1) ** -float(zipf)

    def split(name: str, num: int) -> Split:
        targets = _draw_labels(num, odds, mean_true, rng)
        # sparse: its sums have one order, whatever the number of threads, and so one fingerprint
        inputs = csr_matrix(targets) @ prototypes + noise * rng.standard_normal((num, features))
        inputs = (inputs / np.sqrt(mean_true + noise**2)).astype(np.float32)
        ids = tuple(f"{name}:{i}" for i in range(num))
        return Split(torch.from_numpy(inputs), torch.from_numpy(targets), ids)

    return assemble(
        "features",
        [f"label{rank}" for rank in range(1, labels + 1)],
        train=split("train", samples),
        test=split("test", test_samples),
    )


def _draw_labels(num: int, odds: np.ndarray, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Targets, uint8 (num, labels), with Poisson(mean) labels a row.

    Drawing one after another without repetition is to wait for each label a time of rate `odds`, and to take the first
    ones (Efraimidis and Spirakis 2006).
    """
    targets = np.zeros((num, len(odds)), np.uint8)
    counts = np.minimum(rng.poisson(mean, num), len(odds))
    for rows in np.array_split(np.arange(num), num * len(odds) // AT_ONCE + 1):
        most = counts[rows].max(initial=1)
        waiting = rng.standard_exponential((len(rows), len(odds))) / odds
        first = np.argpartition(waiting, most - 1, axis=1)[:, :most]
        order = np.take_along_axis(waiting, first, axis=1).argsort(axis=1)
        row, place = np.nonzero(np.arange(most) < counts[rows, None])
        targets[rows[row], np.take_along_axis(first, order, axis=1)[row, place]] = 1
    return targets
