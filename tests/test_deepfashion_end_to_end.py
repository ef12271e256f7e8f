"""The classic case in DeepFashion's own layout: 1000 attributes, over 99 % zeros, the last layers of VGG-19."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ATTRIBUTES = 1000
SPLITS = {"train": 80, "val": 24, "test": 24}


def write(root: Path) -> list[list[int]]:
    """The folders of DeepFashion below `root`, and the true attributes of each image; names hold a space."""
    draw = np.random.default_rng(0)
    names = [f"attribute {number}" for number in range(ATTRIBUTES)]
    images, splits, true = [], [], []
    for split, samples in SPLITS.items():
        for number in range(samples):
            image = f"img/{split}_Dress/img_{number:08d}.jpg"
            chosen = sorted({int(draw.integers(8)), *draw.integers(ATTRIBUTES, size=3).tolist()})
            pixels = draw.integers(0, 60, (40, 30, 3))
            pixels[5 * chosen[0] : 5 * chosen[0] + 5] += 180 if chosen[0] < 8 else 0
            stream = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(stream, "JPEG")
            (root / image).parent.mkdir(parents=True, exist_ok=True)
            (root / image).write_bytes(stream.getvalue())
            values = np.full(ATTRIBUTES, "-1", object)
            values[chosen] = "1"
            images.append(f"{image}     {'  '.join(values)}")
            splits.append(f"{image}     {split}")
            true.append(chosen)
    total = str(len(images))
    for file, lines in {
        "Anno/list_attr_cloth.txt": [str(ATTRIBUTES), "attribute_name  attribute_type", *(f"{n}     1" for n in names)],
        "Anno/list_attr_img.txt": [total, "image_name  attribute_labels", *images],
        "Eval/list_eval_partition.txt": [total, "image_name  evaluation_status", *splits],
    }.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text("\n".join(lines) + "\n")
    return true


def mllc(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "mllc", *words], cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_classic_case(tmp_path):
    true = write(tmp_path / "deepfashion")
    data = ("dataset=deepfashion", "dataset.root=deepfashion")

    told = json.loads(mllc(tmp_path, "inspect", *data, "--format", "json"))
    assert (told["num_samples"], told["num_labels"]) == (len(true), ATTRIBUTES)
    assert told["density"] == pytest.approx(sum(map(len, true)) / len(true) / ATTRIBUTES)
    assert told["density"] < 0.01

    network = ("dataset.size=32", "backbone=vgg19", "backbone.freeze=1", "dataset.augment.flip=0", "optimizer=adam")
    table = mllc(tmp_path, "sweep", *data, *network, "epochs=2", "batch_size=16", "loss=bce,asymmetric,softmax_ce")
    assert "all_zeros" in table or "all zeros" in table
    rows = json.loads(mllc(tmp_path, "report", "runs", "--format", "json"))
    assert {"bce", "asymmetric", "softmax_ce", "all_zeros"} <= {row["loss"] for row in rows}

    run = next(folder for folder in (tmp_path / "runs").iterdir() if "softmax_ce" in folder.name)
    text = mllc(tmp_path, "predict", str(run), "deepfashion/img/test_Dress", "--top-k", "3")
    found = list(csv.DictReader(io.StringIO(text)))
    assert len(found) == SPLITS["test"]
