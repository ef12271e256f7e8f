"""Files of scores and targets that any framework writes (.npy, .npz, .csv, .safetensors) -> Scored. numpy alone."""

import csv
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from mllc.data.files import encoding, existing_file
from mllc.data.score_csv import Table, check_agreement, read_csv
from mllc.data.scored import Scored, Unit
from mllc.errors import DataError
from mllc.wording import listed

TEXT, ARCHIVES = (".csv", ".tsv", ".txt"), (".npz", ".safetensors")

SPARSE = {"data", "shape", "format"}
"""Arrays by which a matrix that scipy.sparse.save_npz has written is known."""


def read_scored(scores: str, targets: str | None, *, unit: Unit | None, labels: Path | None = None) -> Scored:
    """The scores and targets of two files, or of one .npz or .safetensors that holds both.

    scores, targets  FILE, or FILE:NAME for one of several arrays; targets None: they are in the file of the scores
    labels           file of label names, one a line; None: the header of a CSV, or the per_label.csv of the run whose
                     scores.safetensors this is, if there is one

    An array `mask` beside the targets says which of them are known, and an array `decisions` beside the scores which
    labels the model predicted. DataError for what cannot be read, or not be judged
    (see `Scored.of`).
    """
    both = targets is None
    _no_folder(scores, "SCORES")
    if both and Path(scores).suffix.lower() not in ARCHIVES:
        raise DataError(
            f"TARGETS are missing: type mllc diagnose {scores} TARGETS; only a .npz or .safetensors can hold both, "
            "called scores and targets"
        )
    found, decisions = _read(
        scores, "SCORES", ("scores", unit or "logits", "logits", "probabilities"), single=not both, beside="decisions"
    )
    truth, mask = _read(scores if both else targets, "TARGETS", ("targets", "labels"), single=not both, beside="mask")
    check_agreement(found, truth)
    names = _names(labels) if labels else found.titles or truth.titles or _names_of_run(scores, found.values)
    notes = (*found.notes, *truth.notes)
    known: dict[str, Any] = {"mask": mask, "decisions": decisions, "label_names": names, "notes": notes}
    return Scored.of(found.values, truth.values, unit=unit, **known)


def _read(
    argument: str, place: str, known: Sequence[str], *, single: bool, beside: str
) -> tuple[Table, np.ndarray | None]:
    """The array that an argument means, and the one called `beside`, if the file has it.

    known   names of the array; `single`: a file's only array needs none of them
    """
    path, _, name = ("", "", "") if Path(argument).expanduser().exists() else argument.rpartition(":")
    path = path or argument
    _no_folder(path, place)
    file, place = existing_file(path, place), f"{place}={argument}"
    if name and file.suffix.lower() not in ARCHIVES:
        raise DataError(f"{place}: this file holds one table and no names; type {path}")
    if file.suffix.lower() in TEXT:
        return read_csv(file, place), None
    with _opened(file, place) as (names, get):
        if not name:
            name = next((one for one in known if one in names), names[0] if single and len(names) == 1 else "")
        if not names:
            raise DataError(f"{place}: it holds no array; save both: numpy.savez('both.npz', scores=..., targets=...)")
        if name not in names:
            raise DataError(f"{place}: it holds {listed(names, limit=8)}; type {path}:NAME with one of them")
        return Table(get(name), None, None, ()), get(beside) if beside in names else None


def _no_folder(path: str, place: str) -> None:
    if Path(path).expanduser().is_dir():
        raise DataError(f"{place}={path} is a folder; type a file, such as a run's {Path(path, 'scores.safetensors')}")


@contextmanager
def _opened(file: Path, place: str) -> Iterator[tuple[Sequence[str], Callable[[str], np.ndarray]]]:
    """The names of the arrays in a file, and how to get one; nothing in it is executed."""
    kind = file.suffix.lower()
    if kind not in (".npy", *ARCHIVES):
        raise DataError(
            f"{place}: {kind or 'a file without an ending'} is not read (a pickle could run anything); save .npy, "
            ".npz, .safetensors or .csv: numpy.save('scores.npy', scores)"
        )
    try:
        if kind == ".safetensors":
            with safe_open(file, "np") as tensors:
                yield list(tensors.keys()), lambda name: _tensor(file, tensors, name)
            return
        loaded: Any = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            yield ["array"], lambda _: loaded
            return
        with loaded:
            if set(loaded.files) >= SPARSE:
                from scipy.sparse import load_npz

                yield ["array"], lambda _: load_npz(file).toarray()
            else:
                yield loaded.files, loaded.__getitem__
    except MemoryError as error:
        raise DataError(f"{place}: {error}; save fewer samples, or in half precision") from None
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, SafetensorError) as error:
        hint = "; Python objects, such as rows of different lengths, are not read" if "pickle" in str(error) else ""
        raise DataError(f"{place} is damaged, or no {kind} of numbers{hint} ({str(error).splitlines()[0]})") from None


def _tensor(file: Path, tensors: Any, name: str) -> np.ndarray:
    if not tensors.get_slice(name).get_dtype().startswith(("BF16", "F8")):
        return tensors.get_tensor(name)
    with safe_open(file, "pt") as of_torch:  # numpy has neither bfloat16 nor 8 bits
        return of_torch.get_tensor(name).float().numpy()


def _names(path: Path) -> list[str]:
    file = existing_file(path, "--labels")
    names = [line.strip() for line in file.read_text(encoding=encoding(file)).splitlines() if line.strip()]
    name, times = next(iter(Counter(names).most_common(1)), ("", 0))
    if times > 1:
        raise DataError(f"--labels {path}: {name!r} stands there {times} times; give each label a name of its own")
    return names


def _names_of_run(scores: str, values: np.ndarray) -> list[str] | None:
    """The label names that lie beside the scores of a run, in their order."""
    beside = Path(scores).expanduser().parent / "per_label.csv"
    if Path(scores).name != "scores.safetensors" or not beside.is_file():
        return None
    with beside.open(newline="", encoding="utf-8", errors="replace") as file:
        names = [row.get("label") or "" for row in csv.DictReader(file)]
    return names if values.ndim == 2 and len(names) == values.shape[1] and all(names) else None
