"""From lists of images to a data set: files decoded, labels as columns; the last step of every image format."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from mllc.data.assemble import assemble
from mllc.data.image_cache import cache_folder
from mllc.data.image_files import key
from mllc.data.image_list import Entry, shared_images
from mllc.data.image_rows import CACHES, hold
from mllc.data.rows import select
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Rows, Split
from mllc.wording import counted, listed


def image_dataset(
    label_names: Sequence[str],
    lists: Mapping[str, Sequence[Entry]],
    root: Path,
    *,
    size: int,
    on_bad_image: str,
    cache: str,
    cache_at: str | None,
    notes: Sequence[str] = (),
) -> Dataset:
    """The data set of the images that `lists` (train, and val and test where there are) name.

    label_names   every label, in the order of the columns; the entries name no others
    size          height and width of the images, which are squeezed into the square, in pixels
    on_bad_image  `error`, or `skip`: leave out the images that are missing or cannot be decoded, and count them
    cache         where decoded pixels are kept, `auto`, `memory`, `disk` or `none`: see `image_rows.hold`
    cache_at      the folder for decoded images; None: $MLLC_CACHE or ~/.cache/mllc

    Images are uint8 RGB. Raises DataError, naming the entry's place, for an image that cannot be read; where nothing
    is cached, one that can be read but not decoded is found no later than its batch.
    """
    _check_settings(size, on_bad_image, cache)
    column = {name: index for index, name in enumerate(label_names)}
    told, skipped, splits, digests = [*notes, *shared_images(lists)], {}, {}, {}
    held = hold(
        {split: [root / entry.image for entry in entries] for split, entries in lists.items()},
        size,
        cache,
        cache_folder(cache_at),
        lambda split, index: _named(lists[split][index]),
        check=on_bad_image == "skip",
    )
    for split, entries in lists.items():
        rows, contents, unreadable = held[split]
        if unreadable:
            index, reason = next(iter(unreadable.items()))
            bad = f"{_named(entries[index])}: {reason}"
            if len(unreadable) == len(entries):
                what = f"none of the {len(entries)} images can" if len(entries) > 1 else "its one image cannot"
                raise DataError(f"{split}: {what} be read: {bad}; do the paths start from dataset.root={root}?")
            if on_bad_image == "error":
                more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
                raise DataError(f"{bad}{more}; type dataset.on_bad_image=skip to leave out such images")
            others = [entries[row].image for row in list(unreadable)[1:]]
            also = f"; then {listed(others)}" if others else ""
            told.append(f"{counted(len(unreadable), 'image')} of {split} skipped; the first: {bad}{also}")
            skipped[split] = len(unreadable)
            kept = [row for row in range(len(entries)) if row not in unreadable]
            rows = select(rows, torch.tensor(kept, dtype=torch.int64))
            entries, contents = [entries[row] for row in kept], [contents[row] for row in kept]
        splits[split], digests[split] = _split(rows, entries, column), key(contents, size)
    encoding = {"size": size}
    return assemble(
        "images", label_names, notes=told, encoding=encoding, skipped=skipped, input_digests=digests, **splits
    )


def _check_settings(size: int, on_bad_image: str, cache: str) -> None:
    """ConfigError for what no image format can do."""
    if size < 1:
        raise ConfigError(f"dataset.size={size}: 1 pixel or more is needed")
    if on_bad_image not in ("error", "skip"):
        raise ConfigError(f"dataset.on_bad_image={on_bad_image}: error or skip is needed")
    if cache not in CACHES:
        raise ConfigError(f"dataset.cache={cache}: auto, memory, disk or none is needed")


def _named(entry: Entry) -> str:
    return f"{entry.place}: {entry.image}"


def _split(rows: Rows, entries: Sequence[Entry], column: Mapping[str, int]) -> Split:
    targets = torch.zeros(len(entries), len(column), dtype=torch.uint8)
    mask = torch.ones(len(entries), len(column), dtype=torch.bool) if any(e.unknown for e in entries) else None
    for row, entry in enumerate(entries):
        targets[row, [column[name] for name in entry.labels]] = 1
        if mask is not None:
            mask[row, [column[name] for name in entry.unknown]] = False
    groups = [entry.group for entry in entries if entry.group is not None]
    ids = tuple(entry.image for entry in entries)
    return Split(rows, targets, ids, mask, tuple(groups) if len(groups) == len(entries) else None)
