"""Run folders: plain data (YAML, JSON, CSV, safetensors), written atomically; result.json, written last, means done.

config.yaml              the resolved config          environment.json       versions, hardware, command line
history.csv              one row an epoch             checkpoint.safetensors weights of the best epoch
resume.safetensors       the latest epoch, until done result.json            the run's figures: present = done
scores.safetensors       test scores, targets, decisions (once scored on test)
per_label.csv            beside it: figures and positives of each label         split.csv   beside it: id,split
model.json               what applying the model needs beside its config and weights (mllc.model_file)
frozen.safetensors       the frozen layers, where there are any: with them the folder holds the whole model
"""

import csv
import errno
import hashlib
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import yaml
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mllc.digests import file_digest
from mllc.errors import StoreError
from mllc.folder import Folder
from mllc.model_file import ModelFile
from mllc.plan import row_name
from mllc.result import FORMAT, RunResult


def run_id(identity: Mapping[str, Any], fingerprints: Mapping[str, str]) -> str:
    """Hash of the resolved config (device and paths left out), of what the paths held, and of the format's version.

    >>> run_id({"seed": 0}, {"data": "ab"}) == run_id({"seed": 1}, {"data": "ab"})
    False
    """
    content = json.dumps([FORMAT, identity, fingerprints], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


RESULT, MODEL = "result.json", "model.json"


class RunFolder(Folder):
    """The folder of one run, OUT/DATASET-NAME-sSEED-ID; nothing is written before it is `locked`."""

    DONE = RESULT

    @classmethod
    def at(cls, out: str, dataset: str, name: str, seed: int, identifier: str) -> "RunFolder":
        """The folder of a run under `out`: the one that has its id, whatever its name, which is for people."""
        try:
            found = next(Path(out).glob(f"*-s{seed}-{identifier}"), None)
        except OSError:  # a folder that cannot be read is told where a file of it is wanted
            found = None
        words = "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", word) for word in (dataset, name))
        return cls(found or Path(out) / f"{words}-s{seed}-{identifier}")

    @classmethod
    def of(cls, config: dict[str, Any], identifier: str) -> "RunFolder":
        """The folder of the run of `config`; a data set that is read from files is named after its training file, or
        after its root, where the training file is what the format says.
        """
        dataset = config["dataset"]["name"]
        named = config["dataset"].get("train") or config["dataset"].get("root")
        if named and "train" in ((config["dataset"].get("traits") or {}).get("paths") or ()):
            file = Path(named).absolute()
            dataset += f"_{file.parent.name if file.stem.lower() == 'train' else file.stem}"
        return cls.at(config["out"], dataset, row_name(config), config["seed"], identifier)

    def result(self) -> RunResult | None:
        """The run's result, or None while there is none."""
        file = self.path / RESULT
        try:
            return RunResult.from_json(file.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise StoreError(f"the folder {self.path} has too long a path; type a shorter out=FOLDER") from None
            raise StoreError(
                f"{file} cannot be read ({error.strerror}): make it readable, or type out=ANOTHER_FOLDER"
            ) from None
        except ValueError as error:
            raise StoreError(
                f"{file} cannot be used: {error}. Remove the folder {self.path} to run it again, or type --force"
            ) from None

    def save_result(self, result: RunResult) -> None:
        """Writes result.json; unless it failed, the run counts as done from here on and needs no resume file."""
        self.write(RESULT, result.to_json().encode(), durable=True)
        if result.status != "failed":
            (self.path / "resume.safetensors").unlink(missing_ok=True)

    def save_setup(self, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Writes config.yaml and environment.json."""
        self.write("config.yaml", yaml.dump(dict(config), Dumper=yaml.CSafeDumper, sort_keys=False).encode())
        self.write("environment.json", (json.dumps(environment, indent=1) + "\n").encode())

    def config(self) -> dict[str, Any]:
        """The config the run was made with."""
        try:
            return yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())
            again = f"make the run again: {self.command()} --force"
            raise StoreError(f"{self.path}/config.yaml cannot be read ({said}); {again}") from None

    def save_model(self, model: ModelFile) -> None:
        """Writes model.json."""
        self.write(MODEL, model.to_json().encode())

    def model(self) -> ModelFile:
        """What `save_model` wrote; StoreError where it is damaged, or the run is of before there was such a file."""
        file = self.path / MODEL
        again = f"make the run again: {self.command()} --force"
        try:
            return ModelFile.from_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(f"{self.path} has no {MODEL}, as runs of an earlier mllc have none; {again}") from None
        except (OSError, ValueError) as error:
            raise StoreError(f"{file} cannot be used ({error}); {again}") from None

    def command(self) -> str:
        """The command line that made the run, as its environment.json has it."""
        try:
            words = json.loads((self.path / "environment.json").read_text(encoding="utf-8"))["command"]
            return shlex.join(words) if words[0] == "mllc" else "mllc train ..."
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return "mllc train ..."

    def history(self) -> list[dict[str, float]]:
        """The rows of history.csv, of each the columns that have a value; none where there is no such file."""
        try:
            with (self.path / "history.csv").open(newline="") as file:
                return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        except FileNotFoundError:
            return []

    def save_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes history.csv, one row an epoch."""
        self.save_table("history.csv", rows)

    def save_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes a CSV whose columns are the keys of all rows, in order of appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (
            self.replacing(name) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows([row.get(column) for column in columns] for row in rows)

    def save_tensors(self, name: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> None:
        """Writes NAME.safetensors; `about` travels as JSON in its header, so that both are replaced at once."""
        flat = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        with self.replacing(f"{name}.safetensors") as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode  # as the umask has it; safetensors makes a file that only its owner reads
            safetensors.torch.save_file(flat, temporary, metadata={"about": json.dumps(about or {})})
            temporary.chmod(mode)

    def keep_tensors(self, name: str, tensors: Mapping[str, Tensor], twin: Path | None) -> Path:
        """Writes NAME.safetensors unless it is there; where a `twin` has the same content, as a hard link to it."""
        file = self.path / f"{name}.safetensors"
        if file.exists():
            return file
        if twin is not None:
            try:
                os.link(twin, file)
                return file
            except OSError:  # gone, on another disk, or a file system without links
                pass
        self.save_tensors(name, tensors)
        return file

    def digest(self, name: str) -> str:
        """SHA-256 of a file in the folder; StoreError where it cannot be read."""
        try:
            return file_digest(self.path / name)
        except OSError as error:
            raise StoreError(
                f"{self.path / name} cannot be read ({error.strerror}); make the run again: {self.command()} --force"
            ) from None

    def load_tensors(
        self, name: str, say: Callable[[str], None] = lambda text: None
    ) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What `save_tensors` wrote, or None if there is no such file or it is damaged; `say` hears the latter."""
        file = self.path / f"{name}.safetensors"
        try:
            with safe_open(file, "pt") as found:
                about = json.loads(found.metadata()["about"])
                return {key: found.get_tensor(key) for key in found.keys()}, about  # noqa: SIM118
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            say(f"{file} is damaged ({error})")
            return None
