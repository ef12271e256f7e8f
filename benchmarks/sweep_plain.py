"""One run, or several in one process, in plain PyTorch: what a good engineer writes by hand. A peer of sweep.py.

python benchmarks/sweep_plain.py FOLDER SCENE EPOCHS OUT.json bce:0 [focal:0 ...] [--threads 1] [--ap sklearn]

Data in memory as tensors, batches by indexing, fused Adam, mAP on validation after each epoch by one sort of all labels
at once, the best epoch's weights kept, figures on test by the rule z > 0 and by one threshold tuned on validation.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import torch
from sweep_scenes import SCENES, Scene, read_scene
from torch import Tensor, nn

import mllc.losses

LEARNING_RATE = 1e-3


def network(scene: Scene, folder: Path) -> tuple[nn.Module, nn.Module]:
    """The frozen part, in eval mode, and what is trained."""
    if scene.name == "heads":
        return nn.Identity(), nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, scene.labels))
    if scene.name == "scratch":
        stages = [nn.Conv2d(3, 64, 8, 8, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 32, 1, bias=False)]
        cells = (scene.size // 8) ** 2
        head = [nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(32 * cells, scene.labels)]
        return nn.Identity(), nn.Sequential(*stages, *head).to(memory_format=torch.channels_last)
    from torchvision.models import resnet18

    frozen = resnet18()
    frozen.load_state_dict(torch.load(folder / "net.pth", weights_only=True))
    frozen.fc = nn.Identity()
    frozen = frozen.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return frozen, nn.Linear(512, scene.labels)


def floats(rows: Tensor) -> Tensor:
    """Pixels normalised, in the memory format that convolutions like; vectors as they are."""
    if rows.dtype != torch.uint8:
        return rows
    return rows.contiguous(memory_format=torch.channels_last).float().div_(127.5).sub_(1)


def mean_loss(name: str, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over samples of the loss, summed over the labels."""
    values = getattr(mllc.losses, name)(logits, targets)
    return (values.sum(1) if values.ndim == 2 else values).mean()


def average_precision(scores: Tensor, targets: Tensor) -> float:
    """Mean over the labels with positives."""
    hits = targets.gather(0, scores.argsort(0, descending=True)).double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1).view(-1, 1)
    return ((precision * hits).sum(0) / hits.sum(0)).nanmean().item()


def average_precision_of_sklearn(scores: Tensor, targets: Tensor) -> float:
    """The same, a label at a time, as scikit-learn has it."""
    from sklearn.metrics import average_precision_score

    scored = targets.any(0)
    return float(average_precision_score(targets[:, scored].numpy(), scores[:, scored].numpy(), average="macro"))


AVERAGE_PRECISION = {"torch": average_precision, "sklearn": average_precision_of_sklearn}


def f1(decisions: Tensor, targets: Tensor) -> dict[str, float]:
    hits, both = (decisions * targets).sum(0), (decisions + targets).sum(0)
    per_label = torch.where(both > 0, 2 * hits / both, 0.0)
    return {"micro_f1": (2 * hits.sum() / both.sum()).item(), "macro_f1": per_label.mean().item()}


def best_threshold(scores: Tensor, targets: Tensor) -> float:
    """The one of largest micro-F1."""
    sorted_scores, order = scores.flatten().sort(descending=True)
    hits = targets.flatten()[order].cumsum(0)
    return sorted_scores[(2 * hits / (torch.arange(1, len(hits) + 1) + hits[-1])).argmax()].item()


def run(
    scene: Scene, folder: Path, data: dict[str, tuple[Tensor, Tensor]], epochs: int, loss: str, seed: int, ap: str
) -> dict[str, float]:
    """Trains one network and scores its best epoch on test."""
    torch.manual_seed(seed)
    frozen, model = network(scene, folder)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    inputs, targets = data["train"]
    best, weights = -1.0, model.state_dict()

    def predict(split: str) -> Tensor:
        model.eval()
        with torch.no_grad():
            return torch.cat([model(frozen(floats(rows))) for rows in data[split][0].split(scene.batch_size)])

    for _ in range(epochs):
        model.train()
        for index in torch.randperm(len(inputs)).split(scene.batch_size):
            with torch.no_grad():
                features = frozen(floats(inputs[index]))
            optimizer.zero_grad()
            mean_loss(loss, model(features), targets[index]).backward()
            optimizer.step()
        found = AVERAGE_PRECISION[ap](predict("val"), data["val"][1])
        if found > best:
            best, weights = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    threshold = best_threshold(predict("val"), data["val"][1])
    scores, truth = predict("test"), data["test"][1]
    tuned = f1((scores >= threshold).float(), truth)
    return {
        "val_map": best,
        "map": AVERAGE_PRECISION[ap](scores, truth),
        **f1((scores > 0).float(), truth),
        **{f"{name}_tuned": value for name, value in tuned.items()},
    }


def arithmetic(scene: Scene, folder: Path, data: dict[str, tuple[Tensor, Tensor]], epochs: int, loss: str) -> float:
    """Seconds of forward, loss, backward and step alone, on features and targets that lie in memory in batches."""
    torch.manual_seed(0)
    frozen, model = network(scene, folder)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    with torch.no_grad():
        rows, truth = (part.split(scene.batch_size) for part in data["train"])
        batches = [(frozen(floats(some)), targets) for some, targets in zip(rows, truth, strict=True)]
    started = time.perf_counter()
    for _ in range(epochs):
        for features, targets in batches:
            optimizer.zero_grad()
            mean_loss(loss, model(features), targets).backward()
            optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("epochs", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", help="LOSS:SEED")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--ap", choices=AVERAGE_PRECISION, default="torch")
    parser.add_argument("--arithmetic", action="store_true", help="only forward, loss, backward and step")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    scene, results = SCENES[options.scene], []
    read = read_scene(scene, options.folder)
    data = {split: (torch.from_numpy(rows), torch.from_numpy(truth)) for split, (rows, truth) in read.items()}
    for number, name in enumerate(options.runs):
        loss, seed = name.split(":")
        before = time.perf_counter(), time.process_time()
        if options.arithmetic:
            found = {"wall": arithmetic(scene, options.folder, data, options.epochs, loss)}
        else:
            found = run(scene, options.folder, data, options.epochs, loss, int(seed), options.ap)
            found |= {"wall": time.perf_counter() - before[0], "processor": time.process_time() - before[1]}
        results.append({"loss": loss, "seed": int(seed), "first": not number} | found)
    options.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
