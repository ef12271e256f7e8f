"""Folders -> the finished runs and studies in them. Plain files only: nothing that is read here is executed."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mllc.errors import StoreError
from mllc.result import RunResult
from mllc.study import Study
from mllc.wording import counted, listed

RESULT, STUDY = "result.json", "study.json"

DEPTH = 3
"""How many folders below a given one run folders are looked for."""

ENDS = {"diverged": "diverged", "failed": "failed", "pruned": "was given up early by its search"}
"""How a run without a model ended."""


@dataclass(frozen=True)
class Finished:
    """What reports are made of.

    results  each run once, by path
    folders  run id -> its folder
    studies  the searches beside them, by path
    """

    results: list[RunResult]
    folders: dict[str, Path] = field(default_factory=dict)
    studies: list[Study] = field(default_factory=list)


def load(paths: Iterable[Path | str] = ("runs",), *, say: Callable[[str], None] | None = None) -> Finished:
    """The finished runs, and the studies, in or below the given folders, by path, each once.

    `say` (default: a line on stderr) hears how many runs were left out because they have not finished, and the names
    of three: they have a config.yaml and no result.json.
    StoreError for a folder that is not there or holds no finished run, and for results that cannot be read.
    """
    paths = [Path(path) for path in paths]
    where = ", ".join(map(str, paths))
    runs: dict[str, tuple[RunResult, Path]] = {}
    studies: dict[str, Study] = {}
    damaged: list[str] = []
    unfinished: set[Path] = set()
    for file in dict.fromkeys(file for path in paths for file in _files(path)):
        try:
            text = file.read_text(encoding="utf-8")
            if file.name == STUDY:
                study = Study.from_json(text)
                studies.setdefault(study.study_id, study)
            else:
                result = RunResult.from_json(text)
                runs.setdefault(result.run_id, (result, file.parent))
        except FileNotFoundError:
            unfinished.add(file.parent.resolve())
        except OSError as error:
            raise StoreError(
                f"{file} cannot be read ({error.strerror}): make it readable, or move its folder away"
            ) from None
        except ValueError as error:
            damaged.append(f"  {file}: {error}")
    if damaged:
        more = [f"  and {len(damaged) - 5} more"] if len(damaged) > 5 else []
        raise StoreError(
            f"{counted(len(damaged), 'result')} damaged, or made by another version of mllc:\n"
            + "\n".join([*damaged[:5], *more])
            + "\nMove the folder of a damaged run away and type its command again, which makes that run anew; a "
            "damaged study.json is written again by its command."
        )
    names = sorted(map(_short, unfinished))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    left = (
        f"{counted(len(names), 'unfinished run')} in {where} ({', '.join(names[:3])}{more}); "
        "the command that began a run also finishes it: its environment.json has it"
    )
    if not runs:
        raise StoreError(left if unfinished else f"no run in {where}; type: mllc train, or mllc report FOLDER")
    if unfinished:
        (say or _to_stderr)(f"left out: {left}")
    return Finished(
        [result for result, _ in runs.values()],
        {run_id: folder for run_id, (_, folder) in runs.items()},
        list(studies.values()),
    )


def load_one(path: Path) -> tuple[RunResult, Path]:
    """The one finished run in or below a folder, and its own folder; StoreError where there is none with a model."""
    found = load([path])
    if len(found.results) > 1:
        folders = [str(folder) for folder in found.folders.values()]
        raise StoreError(f"{path} holds {len(folders)} runs; type one of them: {listed(folders, limit=3, quote=str)}")
    (result,) = found.results
    folder = found.folders[result.run_id]
    if result.status != "done":
        because = f" ({result.message})" if result.message else ""
        raise StoreError(f"{folder} has no model to apply: its run {ENDS.get(result.status, 'ended')}{because}")
    return result, folder


def _files(path: Path) -> list[Path]:
    """The result.json of every run in or below a folder, there or not, and every study.json, or those beside a run."""
    if not path.is_dir():
        raise StoreError(f"{path} is not a folder; type the folder of a run, or one that holds runs: mllc report runs")
    found = []
    for folder, children, files in os.walk(path):
        is_study = STUDY in files
        if is_study or RESULT in files or "config.yaml" in files:
            found.append(Path(folder) / (STUDY if is_study else RESULT))
            if Path(folder) == path and not is_study:
                found += sorted(path.absolute().parent.glob(f"studies/*/{STUDY}"))
            children.clear()
        if len(Path(folder).relative_to(path).parts) == DEPTH:
            children.clear()
        children.sort()
    return found


def _short(folder: Path) -> str:
    """As seen from the current folder, where it is in there."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)
