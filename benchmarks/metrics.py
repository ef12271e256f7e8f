"""What do exact figures cost, in time and in memory, against scikit-learn and torchmetrics?

python benchmarks/metrics.py [--rounds 3] [--samples 50000] [--labels 1000] [--large 200000] [--device cuda]

Random scores, all different in practice, with 2 true labels a sample; the sides take turns to be first.

    ap          average precision of every label. scikit-learn: average_precision_score(average=None); torchmetrics:
                multilabel_average_precision(average="none", thresholds=None), its exact form
    thresholds  the threshold of best F1 of every label, found exactly. Theirs: the precision-recall curve of each
                label, and its best point; mllc tunes the one threshold for all labels besides
    counts      decisions to figures. scikit-learn: f1_score (macro, micro, samples) and hamming_loss; torchmetrics:
                multilabel_f1_score (macro, micro) and multilabel_hamming_distance; mllc: its 17 figures

Time is the processor's with one thread (on a GPU the wall's clock; scikit-learn stays on the CPU), and for mllc the
wall's clock with all threads too. `difference` is the largest between scikit-learn's figures and ours.

Memory is that of everything a run reports of a split (evaluate.evaluate), in a process of its own: how far the peak of
its resident memory rises above what it held after its imports, over the bytes of the scores, float32. The scores, the
targets and the decisions that are given, 1.5 times the scores, are part of it. LARGE samples are measured in this way
only, with the seconds of each part, once.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine, spread, write
from torch import Tensor

from mllc.device import pick_device
from mllc.evaluate import epoch_metrics, evaluate
from mllc.metrics.ranking import average_precision
from mllc.metrics.thresholded import decision_figures
from mllc.metrics.thresholds import tune_thresholds
from mllc.types import Predictions

GOAL = {"ap": 2.0, "thresholds": 2.0, "counts": 10.0, "memory": 3.0, "difference": 1e-9}
"""scikit-learn's seconds over ours, at least; the peak over the scores and the difference, at most."""

TRUE = 2
"""True labels of a sample."""

Side = Callable[[Predictions], Any]


def made(samples: int, labels: int, device: torch.device) -> Predictions:
    """Scores between 0 and 1, those of the true labels higher by chance; a chunk at a time, for memory."""
    draw = torch.Generator().manual_seed(0)
    scores = torch.empty(samples, labels)
    targets = torch.zeros(samples, labels, dtype=torch.uint8)
    for part, true in zip(scores.split(1000), targets.split(1000), strict=True):
        true.scatter_(1, torch.rand(part.shape, generator=draw).topk(TRUE).indices, 1)
        part.normal_(generator=draw).add_(true, alpha=3).sigmoid_()
    scores, targets = scores.to(device), targets.to(device)
    return Predictions(scores, scores > 0.9, targets)


# the sides ---------------------------------------------------------------------------------------------------------


def best_points(curves: Any) -> np.ndarray:
    """The threshold of best F1 of each (precision, recall, thresholds)."""
    found = []
    for precision, recall, cuts in curves:
        f1 = 2 * precision * recall / (precision + recall).clip(1e-12)
        found.append(float(cuts[int(f1[:-1].argmax())]))
    return np.array(found)


def scikit_learn() -> dict[str, Side]:
    from sklearn import metrics as sk

    def arrays(given: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(part.cpu().numpy() for part in (given.targets, given.scores, given.decisions))  # type: ignore[return-value]

    def ap(given: Predictions) -> np.ndarray:
        targets, scores, _ = arrays(given)
        return sk.average_precision_score(targets, scores, average=None)  # type: ignore[return-value]

    def thresholds(given: Predictions) -> np.ndarray:
        targets, scores, _ = arrays(given)
        return best_points(sk.precision_recall_curve(targets[:, c], scores[:, c]) for c in range(targets.shape[1]))

    def counts(given: Predictions) -> np.ndarray:
        targets, _, decisions = arrays(given)
        ways = ("macro", "micro", "samples")
        f1s = [sk.f1_score(targets, decisions, average=way, zero_division=0) for way in ways]  # type: ignore[arg-type]
        return np.array([*f1s, sk.hamming_loss(targets, decisions)])

    return {"ap": ap, "thresholds": thresholds, "counts": counts}


def torchmetrics() -> dict[str, Side]:
    from torchmetrics.functional import classification as tm

    def options(given: Predictions) -> dict[str, Any]:
        return {"num_labels": given.targets.shape[1], "validate_args": False}

    def ap(given: Predictions) -> Tensor:
        targets = given.targets.long()
        return tm.multilabel_average_precision(given.scores, targets, average="none", thresholds=None, **options(given))

    def thresholds(given: Predictions) -> np.ndarray:
        targets = given.targets.long()
        curves = tm.multilabel_precision_recall_curve(given.scores, targets, thresholds=None, **options(given))
        return best_points(zip(*curves, strict=True))

    def counts(given: Predictions) -> list[Tensor]:
        both = given.decisions.long(), given.targets
        f1s = [tm.multilabel_f1_score(*both, average=way, **options(given)) for way in ("macro", "micro")]  # type: ignore[arg-type]
        return [*f1s, tm.multilabel_hamming_distance(*both, average="micro", **options(given))]

    return {"ap": ap, "thresholds": thresholds, "counts": counts}


def own() -> dict[str, Side]:
    def counts(given: Predictions) -> np.ndarray:
        found = decision_figures(given.decisions, given.targets)
        return np.array([found[name] for name in ("macro_f1_all", "micro_f1", "sample_f1", "hamming_loss")], float)

    return {
        "ap": lambda given: average_precision(given.scores, given.targets),
        "thresholds": lambda given: tune_thresholds(given.scores, given.targets),
        "counts": counts,
    }


def difference(what: str, ours: Any, theirs: Any, given: Predictions) -> float:
    """The largest between the two sides' figures; of thresholds, between the F1s that they reach."""
    if what == "thresholds":
        cuts = torch.from_numpy(theirs).to(given.scores)  # theirs predict scores of at least the threshold
        f1s = [reached(decided, given.targets) for decided in (given.scores > ours.per_label_raw, given.scores >= cuts)]
        return float((f1s[0] - f1s[1]).abs().max())
    if what == "ap":
        kept = ~ours.isnan().cpu().numpy()  # scikit-learn says 0 for a label without positives
        ours, theirs = ours.cpu().numpy()[kept], theirs[kept]
    return float(np.abs(ours - theirs).max())


def reached(decided: Tensor, targets: Tensor) -> Tensor:
    true = targets.bool()
    return 2 * (decided & true).sum(0).double() / (decided.sum(0) + true.sum(0)).clamp(min=1)


# measuring ---------------------------------------------------------------------------------------------------------


def seconds(side: Side, given: Predictions, clock: Callable[[], float]) -> tuple[float, Any]:
    def now() -> float:
        if given.scores.is_cuda:
            torch.cuda.synchronize()
        return clock()

    start = now()
    found = side(given)
    return now() - start, found


def compare(given: Predictions, rounds: int, threads: int) -> dict[str, Any]:
    sides = {"mllc": own(), "scikit-learn": scikit_learn(), "torchmetrics": torchmetrics()}
    clock = time.perf_counter if given.scores.is_cuda else time.process_time
    small = Predictions(*(part[:50].clone() for part in (given.scores, given.decisions, given.targets)))
    found: dict[str, Any] = {}
    for what in sides["mllc"]:
        times, apart = [], 0.0
        for side in sides.values():  # the first call imports
            side[what](small)
        for number in range(rounds):
            order = list(sides) if number % 2 == 0 else list(reversed(sides))
            one, results = {}, {}
            for name in order:
                one[name], results[name] = seconds(sides[name][what], given, clock)
            apart = max(apart, difference(what, results["mllc"], results["scikit-learn"], given))
            torch.set_num_threads(threads)
            one["all threads"], _ = seconds(sides["mllc"][what], given, time.perf_counter)
            torch.set_num_threads(1)
            times.append(one)
            print(what, {name: round(value, 3) for name, value in one.items()}, flush=True)
        found[what] = {
            "seconds": {name: spread([one[name] for one in times]) for name in times[0]},
            "times": {name: spread([one[name] / one["mllc"] for one in times]) for name in [*sides][1:]},
            "difference": apart,
            "rounds": times,
        }
    return found


def alone(samples: int, labels: int, device: torch.device) -> dict[str, Any]:
    """In this process, which did nothing else: the seconds of each part, and the peak of memory over the scores."""

    def kilobytes(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(field)))

    torch.set_num_threads(1)
    small = made(50, 20, device)
    evaluate(small, tune_thresholds(small.scores, small.targets))  # with all that is loaded at the first call
    before = kilobytes("VmRSS")
    given = made(samples, labels, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    thresholds = tune_thresholds(given.scores, given.targets)
    parts: dict[str, Side] = {
        **own(),
        "epoch": epoch_metrics,
        "evaluate": lambda given: evaluate(given, thresholds),
    }
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    spent = {name: round(seconds(part, given, clock)[0], 3) for name, part in parts.items()}
    peak = (kilobytes("VmHWM") - before) * 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    return {
        "shape": [samples, labels],
        "seconds": spent,
        "scores_mb": round(given.scores.nbytes / 1e6, 1),
        "peak_over_scores": round(peak / given.scores.nbytes, 3),
    }


def in_a_process(samples: int, labels: int, device: torch.device) -> dict[str, Any]:
    command = [sys.executable, __file__, "--alone", "--samples", samples, "--labels", labels, "--device", device]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# tables ------------------------------------------------------------------------------------------------------------


def tables(found: dict[str, Any]) -> str:
    lines = [
        "| | s | all threads | scikit-learn, s | times | quartiles | goal | torchmetrics, s | times |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for what, one in found["figures"].items():
        spent = {name: f"{value['median']:.2f}" for name, value in one["seconds"].items()}
        theirs, other = one["times"]["scikit-learn"], one["times"]["torchmetrics"]
        lines.append(
            f"| {what} | {spent['mllc']} | {spent['all threads']} | {spent['scikit-learn']} | {theirs['median']:.0f} | "
            f"{theirs['low']:.0f} to {theirs['high']:.0f} | {found['goal'][what]:.0f} | {spent['torchmetrics']} | "
            f"{other['median']:.0f} |"
        )
    names = [*found["alone"][0]["seconds"]]
    lines += ["", f"| samples x labels | {', s | '.join(names)}, s | peak over scores | goal |"]
    lines += ["|---|" + "--:|" * (len(names) + 2)]
    for one in found["alone"]:
        spent = " | ".join(f"{one['seconds'][name]:.2f}" for name in names)
        peak = f"{one['peak_over_scores']:.2f} | {found['goal']['memory']:.0f}"
        lines.append(f"| {' x '.join(map(str, one['shape']))} | {spent} | {peak} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--large", type=int, default=200_000, help="samples of the second size, ours alone")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--alone", action="store_true", help="what the script asks of the process it starts for memory")
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    if options.alone:
        found = alone(options.samples, options.labels, device)
        print(json.dumps(found))
        return found
    about, threads = machine(device), torch.get_num_threads()
    shapes = [(options.samples, options.labels), (options.large, options.labels)]
    memory = [in_a_process(*shape, device) for shape in shapes]
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels without positives
        figures = compare(made(*shapes[0], device), options.rounds, threads)
    torch.set_num_threads(threads)
    names = ("rounds", "samples", "labels", "large")
    found = {
        "machine": about,
        "settings": {name: getattr(options, name) for name in names} | {"true": TRUE, "device": str(device)},
        "goal": GOAL,
        "figures": figures,
        "alone": memory,
    }
    print(tables(found))
    print(f"written to {write('metrics', found)}")
    return found


if __name__ == "__main__":
    main()
