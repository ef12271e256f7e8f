"""A small data set written in each format that there is a reader for: FORMATS[dataset](folder) -> Made.

Of images: 24 to train and 8 to test, each of one colour for each of its labels, so that a network can learn them;
of vectors: 60 to train and 20 to test. Label names hold a space and a hyphen where the format allows it.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("red", "light green", "blue-ish", "never")
"""The last is never true."""


@dataclass(frozen=True)
class Made:
    """overrides choose the data set; `test` is what `mllc predict` gets; `path` is what dataset=auto gets."""

    overrides: tuple[str, ...]
    test: Path
    path: Path


def true_labels(number: int) -> list[int]:
    """The labels of the sample of that number: every set of the first three, the empty one among them."""
    return [label for label in range(3) if number >> label & 1]


def image(number: int, kind: str = "PNG") -> bytes:
    """12 x 10 pixels: a channel is bright where its label is true; no two images are the same."""
    pixels = np.full((10, 12, 3), 20, np.uint8)
    pixels[..., true_labels(number)] = 230
    pixels[0, number % 12] = number
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def vectors(samples: int, seed: int, features: int = 6) -> np.ndarray:
    """Rows whose first features tell the labels of `true_labels`."""
    rows = np.random.default_rng(seed).normal(0, 0.2, (samples, features)).round(4)
    for number, row in enumerate(rows):
        row[true_labels(number)] += 1
    return rows.astype(np.float32)


def write_images(folder: Path, names: list[str], first: int = 0) -> None:
    for number, name in enumerate(names, first):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image(number, "JPEG" if file.suffix == ".jpg" else "PNG"))


def arff(folder: Path) -> Made:
    for split, samples, seed in (("train", 60, 0), ("test", 20, 1)):
        lines = ["@relation made", *(f"@attribute f{i} numeric" for i in range(6))]
        lines += [f"@attribute '{name}' {{0,1}}" for name in LABELS] + ["@data"]
        for number, row in enumerate(vectors(samples, seed)):
            true = true_labels(number)
            lines.append(",".join([*(f"{x:.4f}" for x in row), *(str(int(i in true)) for i in range(len(LABELS)))]))
        (folder / f"made-{split}.arff").write_text("\n".join(lines) + "\n")
    names = "".join(f'<label name="{name}"></label>' for name in LABELS)
    (folder / "made.xml").write_text(f'<labels xmlns="http://mulan.sourceforge.net/labels">{names}</labels>')
    train, test, xml = (folder / name for name in ("made-train.arff", "made-test.arff", "made.xml"))
    settings = (f"dataset.train={train}", f"dataset.test={test}", f"dataset.labels={xml}")
    return Made(("dataset=arff", *settings), test, folder)


def svmlight_rows(samples: int, seed: int, base: int) -> list[str]:
    """`label,label index:value ...`, features numbered from `base`."""
    return [
        f"{','.join(map(str, true_labels(number)))} "
        + " ".join(f"{i}:{value:.4f}" for i, value in enumerate(row, base) if value)
        for number, row in enumerate(vectors(samples, seed))
    ]


def libsvm(folder: Path) -> Made:
    for split, samples, seed in (("train", 60, 0), ("test", 20, 1)):
        (folder / f"{split}.svm").write_text("\n".join(svmlight_rows(samples, seed, 1)) + "\n")
    (folder / "names.txt").write_text("\n".join(LABELS) + "\n")
    train, test, names = (folder / name for name in ("train.svm", "test.svm", "names.txt"))
    settings = (f"dataset.train={train}", f"dataset.test={test}", f"dataset.vocabulary={names}")
    return Made(("dataset=libsvm", *settings), test, folder)


def extreme(folder: Path) -> Made:
    """The training split as a pair of files, the test split as one."""
    rows = [row.partition(" ") for row in svmlight_rows(60, 0, 0)]
    (folder / "trn_X_Xf.txt").write_text("\n".join(["60 6", *(row[2] for row in rows)]) + "\n")
    true = [" ".join(f"{label}:1" for label in row[0].split(",") if label) for row in rows]
    (folder / "trn_X_Y.txt").write_text("\n".join([f"60 {len(LABELS)}", *true]) + "\n")
    (folder / "test.txt").write_text("\n".join([f"20 6 {len(LABELS)}", *svmlight_rows(20, 1, 0)]) + "\n")
    train, test = folder / "trn_X_Xf.txt", folder / "test.txt"
    return Made(("dataset=extreme", f"dataset.train={train}", f"dataset.test={test}"), test, folder)


def truth(samples: int) -> np.ndarray:
    return np.array([[label in true_labels(number) for label in range(len(LABELS))] for number in range(samples)])


def npz(folder: Path) -> Made:
    for split, samples, seed in (("train", 60, 0), ("test", 20, 1)):
        arrays = {"features": vectors(samples, seed), "labels": truth(samples), "label_names": np.array(LABELS)}
        np.savez(folder / f"{split}.npz", **arrays)
    train, test = folder / "train.npz", folder / "test.npz"
    return Made(("dataset=npz", f"dataset.train={train}", f"dataset.test={test}"), test, folder)


def parquet(folder: Path) -> Made:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, samples, seed in (("train", 60, 0), ("test", 20, 1)):
        names = [[LABELS[label] for label in true_labels(number)] for number in range(samples)]
        columns = {"features": vectors(samples, seed).tolist(), "labels": names}
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    (folder / "names.txt").write_text("\n".join(LABELS) + "\n")
    train, test, names = (folder / name for name in ("train.parquet", "test.parquet", "names.txt"))
    settings = (f"dataset.train={train}", f"dataset.test={test}", f"dataset.vocabulary={names}")
    return Made(("dataset=parquet", *settings), test, folder)


def images(folder: Path) -> Made:
    for split, samples in (("train", 24), ("test", 8)):
        names = [f"{split}/{i}.png" for i in range(samples)]
        write_images(folder, names)
        rows = [f"{name},{'|'.join(LABELS[i] for i in true_labels(number))}" for number, name in enumerate(names)]
        (folder / f"{split}.csv").write_text("\n".join(["image,labels", *rows]) + "\n")
    (folder / "names.txt").write_text("\n".join(LABELS) + "\n")
    settings = (f"dataset.root={folder}", f"dataset.train={folder}/train.csv", f"dataset.test={folder}/test.csv")
    names_file = f"dataset.vocabulary={folder}/names.txt"
    return Made(("dataset=images", *settings, names_file), folder / "test.csv", folder)


def celeba(folder: Path) -> Made:
    names = [f"{number:06d}.jpg" for number in range(32)]
    write_images(folder / "celeba" / "img_align_celeba", names)
    header = " ".join(name.replace(" ", "_") for name in LABELS)
    rows = [f"{name}  {'  '.join(_signs(number))}" for number, name in enumerate(names)]
    (folder / "celeba" / "list_attr_celeba.txt").write_text("\n".join(["32", header, *rows]) + "\n")
    (folder / "celeba" / "list_eval_partition.txt").write_text(
        "".join(f"{name} {0 if number < 24 else 2}\n" for number, name in enumerate(names))
    )
    (folder / "test.txt").write_text("\n".join(["8", header, *rows[24:]]) + "\n")
    return Made(("dataset=celeba", f"dataset.root={folder}"), folder / "test.txt", folder)


def deepfashion(folder: Path) -> Made:
    names = [f"img/Dress_{number // 4}/img_{number:08d}.jpg" for number in range(32)]
    write_images(folder, names)
    rows = [f"{name}     {'  '.join(_signs(number))}" for number, name in enumerate(names)]
    head = ["image_name  attribute_labels"]
    splits = [f"{name}     {'train' if number < 24 else 'test'}" for number, name in enumerate(names)]
    for file, lines in {
        "Anno/list_attr_cloth.txt": ["4", "attribute_name  attribute_type", *(f"{name}    1" for name in LABELS)],
        "Anno/list_attr_img.txt": ["32", *head, *rows],
        "Eval/list_eval_partition.txt": ["32", "image_name  evaluation_status", *splits],
        "test.txt": ["8", *head, *rows[24:]],
    }.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text("\n".join(lines) + "\n")
    return Made(("dataset=deepfashion", f"dataset.root={folder}"), folder / "test.txt", folder)


def _signs(number: int) -> list[str]:
    """The labels of a sample as attribute lists write them."""
    return ["1" if label in true_labels(number) else "-1" for label in range(len(LABELS))]


def coco(folder: Path) -> Made:
    """The layout of 2017, with gaps between the ids."""
    (folder / "annotations").mkdir()
    for split, samples in (("train", 24), ("val", 8)):
        names = [f"{number:03}.png" for number in range(samples)]
        write_images(folder / f"{split}2017", names)
        objects = [(number, label) for number in range(samples) for label in true_labels(number)]
        content = {
            "categories": [{"id": 10 * label + 1, "name": name} for label, name in enumerate(LABELS)],
            "images": [{"id": 3 * number, "file_name": name} for number, name in enumerate(names)],
            "annotations": [
                {"id": i, "image_id": 3 * number, "category_id": 10 * label + 1}
                for i, (number, label) in enumerate(objects)
            ],
        }
        (folder / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    overrides = ("dataset=coco", f"dataset.root={folder}")
    return Made(overrides, folder / "annotations" / "instances_val2017.json", folder)


def voc(folder: Path) -> Made:
    """The layout of 2007; with classes of its own, of which the last is of one object of the test split."""
    base = folder / "VOCdevkit" / "VOC2007"
    lists = base / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (base / "Annotations").mkdir()
    for split, samples in (("trainval", 24), ("test", 8)):
        names = [f"{split} {number:03}" for number in range(samples)]
        write_images(base / "JPEGImages", [f"{name}.jpg" for name in names])
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for number, name in enumerate(names):
            classes = [LABELS[label] for label in true_labels(number)]
            classes += [LABELS[3]] * (split == "test" and number == 0)
            objects = "".join(f"<object><name>{one}</name></object>" for one in classes)
            (base / "Annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    return Made(("dataset=voc", f"dataset.root={folder}"), lists / "test.txt", folder)


def yolo(folder: Path) -> Made:
    """With a data.yaml; empty images have a label file by turns."""
    for split, samples in (("train", 24), ("test", 8)):
        write_images(folder / "images" / split, [f"{number:03}.png" for number in range(samples)])
        (folder / "labels" / split).mkdir(parents=True)
        for number in range(samples):
            lines = [f"{label} 0.5 0.5 0.2 0.25\n" for label in true_labels(number)]
            if lines or number % 2:
                (folder / "labels" / split / f"{number:03}.txt").write_text("".join(lines))
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(LABELS))
    (folder / "data.yaml").write_text(f"train: images/train\ntest: images/test\nnames:\n{names}")
    return Made(("dataset=yolo", f"dataset.root={folder}"), folder / "images" / "test", folder)


def path_labels(folder: Path) -> Made:
    (folder / "names.txt").write_text("\n".join(LABELS) + "\n")
    for split, samples in (("train", 24), ("test", 8)):
        names = [f"{split}/image {i}.png" for i in range(samples)]
        write_images(folder, names)
        true = [true_labels(number) for number in range(samples)]
        values = [" ".join(str(int(i in labels)) for i in range(len(LABELS))) for labels in true]
        lines = [f"{name} {row}" for name, row in zip(names, values, strict=True)]
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n")
    settings = (f"dataset.root={folder}", f"dataset.train={folder}/train.txt", f"dataset.test={folder}/test.txt")
    names_file = f"dataset.vocabulary={folder}/names.txt"
    return Made(("dataset=path_labels", *settings, names_file), folder / "test.txt", folder)


FORMATS: dict[str, Callable[[Path], Made]] = {
    "arff": arff,
    "celeba": celeba,
    "coco": coco,
    "deepfashion": deepfashion,
    "extreme": extreme,
    "images": images,
    "libsvm": libsvm,
    "npz": npz,
    "parquet": parquet,
    "path_labels": path_labels,
    "voc": voc,
    "yolo": yolo,
}
"""By the name of the YAML in conf/dataset."""
