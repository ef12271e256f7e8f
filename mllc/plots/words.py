"""What figures are called on axes, with their units."""

SHORT = {
    "map": "mAP",
    "lrap": "label-ranking average precision",
    "p_at_1": "precision at 1",
    "p_at_3": "precision at 3",
    "p_at_5": "precision at 5",
    "hamming_loss": "Hamming loss",
    "labels_per_sample": "labels predicted",
    "true_labels_per_sample": "true labels",
    "ap": "average precision",
    "f1": "F1",
}
WAYS = {"_tuned": "tuned threshold", "_per_label": "one threshold a label"}
SPLITS = {"val": "validation", "test": "test"}


def spelled(metric: str) -> str:
    """A figure's name in words.

    >>> spelled("map"), spelled("val_micro_f1_tuned"), spelled("micro_f1"), spelled("subset_accuracy")
    ('mAP', 'micro-F1, tuned threshold', 'micro-F1', 'subset accuracy')
    """
    name = metric.removeprefix("val_")
    way = next((suffix for suffix in WAYS if name.endswith(suffix)), "")
    name = name.removesuffix(way)
    if name in SHORT:
        words = SHORT[name]
    else:
        average, _, rest = name.partition("_")
        averaged = average in ("micro", "macro", "sample")
        words = f"{average}-{rest.replace('f1', 'F1')}" if averaged else name
    return words.replace("_", " ") + (f", {WAYS[way]}" if way else "")


def axis(metric: str, split: str | None = None) -> str:
    """The label of an axis: name, split, unit.

    >>> axis("map", "test"), axis("val_loss", "val"), axis("labels_skipped")
    ('mAP on test (0 to 1)', 'loss on validation (per sample)', 'labels skipped (labels)')
    """
    name = metric.removeprefix("val_")
    unit = (
        "per sample" if name == "loss" or "per_sample" in name else "labels" if name.startswith("labels") else "0 to 1"
    )
    return f"{spelled(metric)}{f' on {SPLITS[split]}' if split else ''} ({unit})"
