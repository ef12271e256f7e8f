"""What may be said of a comparison: arrays in, numbers out; needs numpy and scipy only.

    paired       differences per seed against a baseline, their intervals and tests, the four words
    sign_flips   the exact test that assumes no distribution, and what it can reach with few seeds
    corrections  Holm for a handful of comparisons, false discovery rate for hundreds of labels
    bootstrap    intervals over test samples for a single seed, and over seeds where differences are skewed
    per_label    on how many labels two groups differ
    across       several data sets: ranks, Friedman, pairwise Wilcoxon

scipy.stats, which takes a second to import, is imported where it is called.
"""

from mllc.statistics.across import Across, across, smallest_wilcoxon_p
from mllc.statistics.bootstrap import Bootstrap, bootstrap_map, bootstrap_mean, bootstrap_micro_f1
from mllc.statistics.corrections import fdr, holm
from mllc.statistics.paired import Difference, Verdict, compare, interval, judge, paired, pairwise
from mllc.statistics.per_label import LabelsApart, labels_apart
from mllc.statistics.sign_flips import sign_flip_p, smallest_p

__all__ = [
    "Across",
    "Bootstrap",
    "Difference",
    "LabelsApart",
    "Verdict",
    "across",
    "bootstrap_map",
    "bootstrap_mean",
    "bootstrap_micro_f1",
    "compare",
    "fdr",
    "holm",
    "interval",
    "judge",
    "labels_apart",
    "paired",
    "pairwise",
    "sign_flip_p",
    "smallest_p",
    "smallest_wilcoxon_p",
]
