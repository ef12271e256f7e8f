"""How fast is sparse text read, and in how much memory, against scikit-learn's load_svmlight_file?

python benchmarks/data_reading.py [--rounds 7] [--samples 100000] [--features 10000] [--labels 4000] [--bibtex FOLDER]

Each read is a process of its own, which imports first and then measures: seconds (of the clock, and of the processor)
to sparse features and targets, and how far the peak of its resident memory rises above what it held before. The two
sides take turns, in an order that turns with every round: a ratio is that of one round's pair.

    bibtex     Mulan's training and test file in FOLDER written as one LIBSVM file (left out without the folder)
    synthetic  SAMPLES rows of about 100 of FEATURES features and 5 of LABELS labels, values of 6 digits
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine, spread, write

GOAL = {"seconds": 1.0, "memory": 3.0}
"""scikit-learn's seconds over ours, at least; the peak over the sparse arrays, at most."""

MEASURE = """
import json, sys, time
from pathlib import Path

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field)))

side, file = sys.argv[1:]
if side == "mllc":
    from mllc.data.libsvm import libsvm
    from mllc.data.svmlight_table import read_table, feature_matrix, targets

    def read():
        table = read_table(Path(file))
        labels, features = table.labels.columns, table.features.columns
        found = feature_matrix(table, 1, int(features.max()), "none")
        return [found, targets(table, table.labels, int(labels.max()) + 1, "").matrix]
else:
    from sklearn.datasets import load_svmlight_file

    def read():
        return [load_svmlight_file(file, multilabel=True, zero_based=False)]

Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
before = kilobytes("VmRSS")
start, busy = time.perf_counter(), time.process_time()
found = read()
seconds, processor = time.perf_counter() - start, time.process_time() - busy
peak = (kilobytes("VmHWM") - before) * 1024
size = sum(part.nbytes for one in found if side == "mllc" for part in (one.data, one.indices, one.indptr))
print(json.dumps({"seconds": seconds, "processor": processor, "peak": peak, "arrays": size}))
"""


def read(side: str, file: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", MEASURE, side, str(file)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def write_synthetic(file: Path, samples: int, features: int, labels: int) -> None:
    rng = np.random.default_rng(0)
    with file.open("w") as stream:
        for _ in range(samples):
            used = np.unique(rng.integers(0, features, rng.poisson(100) + 1)) + 1
            values = rng.random(len(used))
            true = np.unique(rng.integers(0, labels, rng.poisson(5)))
            pairs = " ".join(f"{index}:{value:.6f}" for index, value in zip(used, values, strict=True))
            stream.write(f"{','.join(map(str, true))} {pairs}\n")


def write_bibtex(file: Path, folder: Path) -> None:
    from mllc.data.arff import arff
    from mllc.data.rows import Sparse, positive_pairs

    train, test = (str(folder / f"bibtex-{split}.arff") for split in ("train", "test"))
    data = arff(train=train, test=test, labels=str(folder / "bibtex.xml"))
    with file.open("w") as stream:
        for split in (data.train, data.split("test")):
            assert isinstance(split.inputs, Sparse)
            matrix = split.inputs.matrix
            rows, labels = positive_pairs(split.targets)
            true = np.split(labels, np.searchsorted(rows, np.arange(1, len(split))))
            for row, names in enumerate(true):
                start, end = matrix.indptr[row], matrix.indptr[row + 1]
                pairs = zip(matrix.indices[start:end] + 1, matrix.data[start:end], strict=True)
                stream.write(f"{','.join(map(str, names))} {' '.join(f'{i}:{value:g}' for i, value in pairs)}\n")


def measure(file: Path, rounds: int) -> dict[str, Any]:
    sides = ("mllc", "scikit-learn")
    found = []
    for one in range(rounds):
        order = sides if one % 2 == 0 else sides[::-1]
        found.append({side: read(side, file) for side in order})
    ours = [one["mllc"] for one in found]
    return {
        "megabytes": round(file.stat().st_size / 1e6, 1),
        "arrays_mb": round(ours[0]["arrays"] / 1e6, 1),
        "seconds": {side: spread([one[side]["seconds"] for one in found]) for side in sides},
        "peak_mb": {side: spread([one[side]["peak"] / 1e6 for one in found]) for side in sides},
        "times_faster": spread([one["scikit-learn"]["seconds"] / one["mllc"]["seconds"] for one in found]),
        "times_faster_processor": spread(
            [one["scikit-learn"]["processor"] / one["mllc"]["processor"] for one in found]
        ),
        "peak_over_arrays": spread([one["peak"] / one["arrays"] for one in ours]),
        "rounds": found,
    }


def table(found: dict[str, Any]) -> str:
    lines = ["| | s | scikit-learn, s | times faster | quartiles | peak over arrays | scikit-learn's peak over ours |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, one in found["files"].items():
        seconds, peak, ratio = one["seconds"], one["peak_mb"], one["times_faster"]
        lines.append(
            f"| {name}, {one['megabytes']:.0f} MB | {seconds['mllc']['median']:.2f} | "
            f"{seconds['scikit-learn']['median']:.2f} | {ratio['median']:.1f} | {ratio['low']:.1f} to "
            f"{ratio['high']:.1f} | {one['peak_over_arrays']['median']:.1f} | "
            f"{peak['scikit-learn']['median'] / peak['mllc']['median']:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=4_000)
    parser.add_argument("--bibtex", type=Path, default=Path("../shared/data/mulan/bibtex"))
    options = parser.parse_args(arguments)
    about = machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        files = {"synthetic": Path(folder) / "synthetic.txt"}
        write_synthetic(files["synthetic"], options.samples, options.features, options.labels)
        if options.bibtex.is_dir():
            files = {"bibtex": Path(folder) / "bibtex.txt"} | files
            write_bibtex(files["bibtex"], options.bibtex)
        results = {name: measure(file, options.rounds) for name, file in files.items()}
    sizes = {name: getattr(options, name) for name in ("rounds", "samples", "features", "labels")}
    found = {"machine": about, "settings": sizes, "goal": GOAL, "files": results}
    print(table(found))
    print(f"written to {write('data_reading', found)}")
    return found


if __name__ == "__main__":
    main()
