"""Intervals from resampling: over the test samples of a single run, and over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from mllc.statistics.paired import mean_and_error
from mllc.statistics.weighted import weighted_map


@dataclass(frozen=True)
class Bootstrap:
    """A figure, or the difference of two, with the 95 % interval that so many resamples give it."""

    value: float
    low: float
    high: float
    resamples: int


def bootstrap_map(
    scores: ArrayLike,
    targets: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    other: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Bootstrap:
    """mAP over resampled test samples; with the scores `other`, mAP of `scores` minus mAP of `other` on the same ones.

    All arrays are (samples, labels): float scores, 0/1 targets, and a bool mask, False where the target is unknown.
    The mAP is the mean average precision of the labels that have a positive (in the resample), ties as in
    scikit-learn's `average_precision_score`.

    The interval is value +- 1.96 standard deviations of the resampled values, and not their percentiles: a resample
    may lack all samples that score above a label's few positives, so resampled mAPs lie too high. On generated test
    sets as large and as sparse as those of bibtex, Corel-5k and the digit sheet (medians of 23, 2 and 4 positives a
    label), the 95 % interval covers what such test sets have on average in 94, 94 and 93 % for a difference of mAPs,
    and in 94, 90 and 91 % for a mAP (percentiles: 78, 7 and 15 %). It speaks of other samples for these trained
    weights, and not of other seeds.

    ValueError for arrays of different shapes, a score that is NaN, or no positive at all.
    """
    known = _known(targets, mask)
    true = np.asarray(targets).astype(bool) & known
    if not true.any():
        raise ValueError("no target is known to be true, so mAP is undefined")
    weights = np.ones((1 + _enough(resamples), len(true)), np.uint8)  # the first row is the samples as they are
    for row, drawn in zip(weights[1:], _resampled(len(true), resamples, seed), strict=True):
        row[:] = drawn  # no resample holds a sample 256 times
    found = weighted_map(_scores(scores, known), true, known, weights)
    if other is not None:
        found = found - weighted_map(_scores(other, known), true, known, weights)
    return _around(found[0], found[1:], least=0 if other is None else -1)


def bootstrap_micro_f1(
    decisions: ArrayLike,
    targets: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    other: ArrayLike | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Bootstrap:
    """Micro-F1 over resampled test samples; with the decisions `other`, the difference from theirs on the same ones.

    Arguments, interval and errors as for `bootstrap_map`, with bool decisions; 0 where nothing is predicted and
    nothing true. Simulated as there, the interval covers in 94 to 95 %.
    """
    known = _known(targets, mask)
    true = np.asarray(targets).astype(bool) & known
    counts = [true.sum(1)]
    for made in (decisions, other):
        if made is not None:
            predicted = _shaped(made, known.shape, "decisions").astype(bool) & known
            counts += [(predicted & true).sum(1), predicted.sum(1)]
    columns = np.stack(counts, 1).astype(np.float64)
    drawn = _resampled(len(true), _enough(resamples), seed)
    trues, *sums = np.stack([columns.sum(0), *(weights @ columns for weights in drawn)], 1)
    f1 = [2 * hits / np.maximum(trues + predicted, 1) for hits, predicted in zip(sums[::2], sums[1::2], strict=True)]
    found = f1[0] if other is None else f1[0] - f1[1]
    return _around(found[0], found[1:], least=0 if other is None else -1)


def bootstrap_mean(values: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> Bootstrap | None:
    """Mean of `values` (n,), one a seed, with the studentised bootstrap's 95 % interval.

    [mean - q(.975) s / sqrt(n), mean - q(.025) s / sqrt(n)], q being the quantiles, over the resamples, of
    (resampled mean - mean) / resampled standard error. None where resamples of one value repeated are so many that an
    end would be infinite: for three seeds or fewer, or values that hardly differ.

    It is for skewed values. How often it covers their true mean, as simulated with 6, 8 and 10 seeds, beside the t
    interval of `interval` and the percentiles of resampled means:

        normal                       95, 95, 95 %    t 95, 95, 95 %    percentiles 85, 89, 90 %
        exponential                  92, 94, 94 %    t 88, 89, 90 %    percentiles 81, 84, 87 %
        lognormal (sigma 1)          89, 90, 91 %    t 82, 83, 85 %    percentiles 74, 78, 80 %
        exponential - exponential    94, 93, 92 %    t 96, 96, 96 %    percentiles 85, 87, 88 %

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 12.5.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"values are a list of finite numbers, not {found!r}")
    if found.size < 2:
        return None
    mean, error = mean_and_error(found)
    drawn = found[np.random.default_rng(seed).integers(found.size, size=(_enough(resamples), found.size))]
    means, errors = mean_and_error(drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((error > 0) & (means != mean), (means - mean) / errors, 0)
    low, high = mean - np.quantile(t, [0.975, 0.025], method="inverted_cdf") * error
    return Bootstrap(float(mean), float(low), float(high), resamples) if np.isfinite([low, high]).all() else None


def _around(value: float, resampled: np.ndarray, least: float) -> Bootstrap:
    """The interval of a figure in [least, 1]; resamples in which it is undefined (NaN) are left out."""
    half = ndtri(0.975) * np.nanstd(resampled)
    return Bootstrap(float(value), float(max(least, value - half)), float(min(1, value + half)), len(resampled))


def _resampled(samples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """For each resample, how often it holds each of the samples, (samples,)."""
    draw = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(draw.integers(samples, size=samples), minlength=samples)


def _known(targets: ArrayLike, mask: ArrayLike | None) -> np.ndarray:
    shape = np.shape(targets)
    if len(shape) != 2 or not shape[0]:
        raise ValueError(f"targets of shape {shape}; (samples, labels) is expected, with at least one sample")
    return np.ones(shape, bool) if mask is None else _shaped(mask, shape, "mask").astype(bool)


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
    found = np.asarray(values)
    if found.shape != shape:
        raise ValueError(f"{name} of shape {found.shape} for targets of shape {shape}; they must have the same")
    return found


def _scores(values: ArrayLike, known: np.ndarray) -> np.ndarray:
    found = _shaped(values, known.shape, "scores")
    if found.dtype.kind != "f":
        found = found.astype(np.float64)
    if np.isnan(found[known]).any():
        raise ValueError("a score is NaN")
    return found


def _enough(resamples: int) -> int:
    if resamples < 100:
        raise ValueError(f"resamples is {resamples}; an interval needs at least 100")
    return resamples
