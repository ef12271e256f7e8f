"""What a data set is like before anyone trains on it, in numbers; the words are in mllc.report.

labels       how many labels a sample has, how often each is true, how unequal they are
pairs        labels that are true together
duplicates   samples with the same inputs, or the same name, within splits and across them
image_files  sizes of image files as they are stored
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mllc.data.rows import dense
from mllc.data.statistics import label_statistics
from mllc.evaluate import evaluate_baselines
from mllc.inspection.duplicates import Copies, copies, same_ids
from mllc.inspection.image_files import ImageFiles, image_files
from mllc.inspection.labels import LabelFacts, label_facts, label_sets, positives
from mllc.inspection.pairs import Frequent, Pair, most_frequent, strongest_pairs
from mllc.result import Metrics
from mllc.types import Dataset, Split

SPLITS = ("train", "val", "test")

BASELINES_LIMIT = 1 << 25
"""Entries of the targets of validation and test together up to which the baselines are scored: some seconds."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What `inspect` finds.

    whole          the labels of all splits together; `splits` has those of train, val and test
    pairs          the labels that go together most, and `frequent` how often the most frequent ones do
    within, across samples whose inputs another sample has too, in a split, or in two: see `mllc.inspection.duplicates`
    ids            likewise, of samples of one name
    baselines      split -> all_zeros | all_ones | label_prior -> every figure of a run; empty: too large to score
    image_files    None for features, and where there are no files
    unreadable     split -> images that were left out because they cannot be read
    """

    kind: str
    input_shape: tuple[int, ...]
    label_names: tuple[str, ...]
    whole: LabelFacts
    splits: Mapping[str, LabelFacts]
    pairs: tuple[Pair, ...]
    frequent: Frequent
    within: Mapping[str, Copies]
    across: Mapping[tuple[str, str], Copies]
    ids: Mapping[tuple[str, str], Copies]
    baselines: Mapping[str, Mapping[str, Metrics]]
    image_files: ImageFiles | None
    unreadable: Mapping[str, int]
    notes: tuple[str, ...]


def inspect(dataset: Dataset, *, root: Path | None = None, shrinkage: float = 10.0) -> Inspection:
    """The facts of a data set that has all three splits.

    root       where the files are that the samples are named after, if they are
    shrinkage  of the thresholds of the label prior, as in a run's config (`thresholds.shrinkage`)
    """
    splits = {name: dataset.split(name) for name in SPLITS}
    matrices = {name: positives(split) for name, split in splits.items()}
    sets = {name: label_sets(matrix) for name, matrix in matrices.items()}
    num_labels = len(dataset.label_names)
    within, across = copies(splits, sets)
    return Inspection(
        kind=dataset.kind,
        input_shape=dataset.input_shape,
        label_names=dataset.label_names,
        whole=label_facts(list(splits.values()), list(matrices.values()), list(sets.values())),
        splits={name: label_facts([split], [matrices[name]], [sets[name]]) for name, split in splits.items()},
        pairs=strongest_pairs(list(matrices.values()), num_labels),
        frequent=most_frequent(list(matrices.values()), num_labels),
        within=within,
        across=across,
        ids=same_ids(splits),
        baselines=_baselines(splits, shrinkage),
        image_files=image_files(root, splits) if dataset.kind == "images" and root is not None else None,
        unreadable=dataset.skipped,
        notes=dataset.notes,
    )


def _baselines(splits: Mapping[str, Split], shrinkage: float) -> dict[str, dict[str, Metrics]]:
    sizes = [len(splits[name]) * splits[name].targets.shape[1] for name in ("val", "test")]
    if sum(sizes) > BASELINES_LIMIT:
        return {}
    val, test = (replace(splits[name], targets=dense(splits[name].targets)) for name in ("val", "test"))
    return evaluate_baselines(val, test, label_statistics(splits["train"]), shrinkage=shrinkage)  # type: ignore[arg-type]
