"""The three comparisons that benchmarks/sweep.py times: their data, written once for all sides, and mllc's overrides.

    heads    a perceptron on feature vectors that someone has cached, in .npz archives
    frozen   linear outputs on a frozen ResNet-18, from JPEG files; the peers run it in every epoch, mllc once
    scratch  a small network on images of sheets of digits, trained from scratch

Every scene has its own training, validation and test split, the same for every seed and side.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = ("train", "val", "test")

LOSSES = (
    *("bce", "abs_kl", "apl", "asymmetric", "bce_element_weight", "bce_label_smoothing", "focal", "focal_margin"),
    *("hill", "mse", "poly_bce", "ral", "sigmoid_f1", "soft_f1", "tversky", "zlpr"),
)
"""Sixteen that need no statistics of the training split and predict z > 0, so that a plain script has them at once."""

SEEDS = 5


@dataclass(frozen=True)
class Scene:
    """A comparison.

    samples     of each split, in the order of SPLITS
    overrides   mllc's, FOLDER standing for where the data is
    """

    name: str
    labels: int
    samples: tuple[int, int, int]
    batch_size: int
    overrides: tuple[str, ...]
    size: int = 0


IMAGES = (
    *("dataset=images", "dataset.root=FOLDER", "dataset.vocabulary=FOLDER/labels.txt", "dataset.augment.flip=0"),
    *(f"dataset.{split}=FOLDER/{split}.csv" for split in SPLITS),
)

SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            *("heads", 159, (3000, 500, 1000), 128),
            ("dataset=npz", *(f"dataset.{split}=FOLDER/{split}.npz" for split in SPLITS), "backbone=mlp"),
        ),
        Scene(
            *("frozen", 50, (200, 50, 50), 64),
            (*IMAGES, "dataset.size=64", "backbone=resnet18", "backbone.freeze=all", "backbone.weights=FOLDER/net.pth"),
            size=64,
        ),
        Scene(*("scratch", 250, (1600, 200, 200), 128), (*IMAGES, "dataset.size=40", "backbone=patch"), size=40),
    )
}


def write_scene(scene: Scene, folder: Path, share: float = 1.0) -> None:
    """Writes the data of a scene, `share` of its samples, into an empty folder."""
    folder.mkdir(parents=True)
    samples = tuple(max(12, int(number * share)) for number in scene.samples)
    {"heads": _write_features, "frozen": _write_mosaics, "scratch": _write_sheets}[scene.name](scene, folder, samples)


def read_scene(scene: Scene, folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Split -> inputs (float32 vectors, or uint8 images, channels first) and targets, as a plain script reads them."""
    if not scene.size:
        archives = {split: np.load(folder / f"{split}.npz") for split in SPLITS}
        return {split: (found["features"], found["labels"].astype(np.float32)) for split, found in archives.items()}
    numbers = {name: number for number, name in enumerate((folder / "labels.txt").read_text().split())}
    result = {}
    for split in SPLITS:
        with (folder / f"{split}.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        targets = np.zeros((len(rows), len(numbers)), np.float32)
        for target, row in zip(targets, rows, strict=True):
            target[[numbers[name] for name in row["labels"].split("|") if name]] = 1
        result[split] = np.stack([_pixels(folder / row["image"], scene.size) for row in rows]), targets
    return result


def _pixels(file: Path, size: int) -> np.ndarray:
    with Image.open(file) as image:
        image.draft("RGB", (size, size))
        image = image.convert("RGB")
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image).transpose(2, 0, 1)


def _write_features(scene: Scene, folder: Path, samples: tuple[int, ...]) -> None:
    """Each label has a direction; a sample is the sum of its labels' directions, and noise."""
    draw = np.random.default_rng(0)
    directions = draw.standard_normal((scene.labels, 512))
    for split, number in zip(SPLITS, samples, strict=True):
        labels = _labels(draw, number, scene.labels)
        features = labels @ directions + 4 * draw.standard_normal((number, 512))
        np.savez(folder / f"{split}.npz", features=(features / features.std()).astype(np.float32), labels=labels)


def _write_mosaics(scene: Scene, folder: Path, samples: tuple[int, ...]) -> None:
    """Photographs of mosaics: each label has a colour, of a quarter of the tiles of an image with that label."""
    import torch
    from torchvision.models import resnet18

    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), folder / "net.pth")
    draw = np.random.default_rng(0)
    colours = draw.integers(256, size=(scene.labels, 3))
    for split, number in zip(SPLITS, samples, strict=True):
        labels, images = _labels(draw, number, scene.labels), []
        for row in labels:
            tiles = draw.integers(256, size=(12, 16, 3))
            for label in row.nonzero()[0]:
                tiles[draw.random((12, 16)) < 0.25] = colours[label]
            smooth = Image.fromarray(tiles.astype(np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
            grain = draw.standard_normal((375, 500, 3), dtype=np.float32) * 12
            images.append((np.asarray(smooth, np.float32) + grain).clip(0, 255).astype(np.uint8))
        _write_images(folder, split, images, labels, "jpeg")


def _write_sheets(scene: Scene, folder: Path, samples: tuple[int, ...]) -> None:
    """The embedded sheets of digits, with 5 x 5 cells, as image files."""
    from mllc.data.digits import digits

    train, val, test = samples
    made = digits(samples=train + val, test_samples=test, grid=5, mean_filled=2.0, noise=0.1, seed=0)
    assert made.test is not None
    parts = {
        "train": (made.train, slice(train)),
        "val": (made.train, slice(train, None)),
        "test": (made.test, slice(None)),
    }
    for split, (part, rows) in parts.items():
        pixels, targets = part.inputs[rows], part.targets[rows]
        _write_images(folder, split, [image[0].numpy() for image in pixels], targets.numpy(), "png")


def _labels(draw: np.random.Generator, samples: int, labels: int) -> np.ndarray:
    """0 and 1: about three true in a sample, the first labels more often than the last."""
    shares = 1 / (5 + np.arange(labels))
    return (draw.random((samples, labels)) < 3 * shares / shares.sum()).astype(np.uint8)


def _write_images(folder: Path, split: str, images: list[np.ndarray], labels: np.ndarray, suffix: str) -> None:
    lines = ["image,labels"]
    for number, (image, row) in enumerate(zip(images, labels, strict=True)):
        name = f"{split}{number}.{suffix}"
        Image.fromarray(image).save(folder / name)
        lines.append(f"{name},{'|'.join(f'label{label}' for label in row.nonzero()[0])}")
    (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    (folder / "labels.txt").write_text("".join(f"label{label}\n" for label in range(labels.shape[1])))
