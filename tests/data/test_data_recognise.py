"""What dataset=auto takes files and folders for, what it looks for in vain, and what it refuses to choose between."""

import contextlib
import json
import random
import shlex
import subprocess
import sys

import numpy as np
import pytest
from formats import FORMATS, write_images

from mllc.data.recognise import recognise
from mllc.errors import DataError, MllcError


def found(path):
    """The format, and its settings with paths from the folder that holds them."""
    result = recognise(path)
    folder = path if path.is_dir() else path.parent
    return result.dataset, {key: str(value).replace(f"{folder}/", "") for key, value in result.settings.items()}


def write(folder, **files):
    """Files by name, `__` for `/` and `_dot_` for `.`; their folders are made."""
    for name, content in files.items():
        file = folder / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


ARFF = "@relation made\n@attribute f numeric\n@attribute a {0,1}\n@data\n0,1\n"


def test_recognising_imports_neither_torch_nor_a_reader():
    code = "import sys, mllc.data.recognise as r; print(sorted(m for m in sys.modules if 'torch' in m or 'numpy' in m))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_mulan_folders(tmp_path):
    for name in ("yeast.arff", "yeast-train.arff", "yeast-test.arff", "yeast.xml", "README.md"):
        (tmp_path / name).write_text(ARFF)
    expected = ("arff", {"train": "yeast-train.arff", "test": "yeast-test.arff", "labels": "yeast.xml"})
    assert found(tmp_path) == expected
    assert found(tmp_path / "yeast-train.arff") == expected
    assert found(tmp_path / "yeast-test.arff") == expected
    assert found(tmp_path / "yeast.arff") == ("arff", {"train": "yeast.arff", "labels": "yeast.xml"})
    for name in ("emotions-train.arff", "emotions.xml"):
        (tmp_path / name).write_text(ARFF)
    expected = ("arff", {"train": "emotions-train.arff", "labels": "emotions.xml"})
    assert found(tmp_path / "emotions-train.arff") == expected
    with pytest.raises(
        DataError, match=r"several files may be the training file of dataset=arff: emotions-train\.arff"
    ):
        recognise(tmp_path)


def test_a_single_file_of_meka(tmp_path):
    write(tmp_path, Slashdot_dot_arff=ARFF)
    assert found(tmp_path) == ("arff", {"train": "Slashdot.arff"})


@pytest.mark.parametrize(
    ("name", "content", "dataset"),
    [
        ("a.svm", "1,2 3:0.5 7:1\n 3:1\n4 1:1e-3\n", "libsvm"),
        ("a.txt", "1,2 3:0.5 7:1\n3:1\n4 1:1e-3\n", "libsvm"),
        ("a.libsvm", "wrong\n", "libsvm"),
        ("data", "0 1:1\n", "libsvm"),
        ("a.txt", "2 10 5\n1,2 3:0.5\n0 1:1\n", "extreme"),
        ("a.txt", "b.jpg 0 1 0\nc d.png  1 1 0\n", "path_labels"),
        ("a.txt", "b.jpg -1 1\n", "path_labels"),
        ("a.csv", "image,labels\na.jpg,b|c\n", "images"),
        ("a.tsv", "image\tlabels\na.jpg\tb|c\n", "images"),
        ("a.json", '{"images": [], "annotations": []}', "coco"),
        ("a.yaml", "path: x\nnames:\n  0: a\n", "yolo"),
        ("a.txt", "2\nBald Young\nb.jpg 1 -1\n", "celeba"),
    ],
)
def test_single_files(tmp_path, name, content, dataset):
    for mark in ("", "\ufeff"):
        (tmp_path / name).write_text(mark + content, encoding="utf-8")
        assert recognise(tmp_path / name).dataset == dataset


def test_splits_by_their_names(tmp_path):
    for name in ("x_train.svm", "x_test.svm", "x_valid.svm"):
        (tmp_path / name).write_text("1 1:1\n")
    expected = {"train": "x_train.svm", "val": "x_valid.svm", "test": "x_test.svm"}
    assert found(tmp_path) == ("libsvm", expected)
    (tmp_path / "x_test.svm").rename(tmp_path / "other-tst.svm")
    assert found(tmp_path / "x_train.svm") == ("libsvm", expected | {"test": "other-tst.svm"})
    (tmp_path / "y_train.svm").write_text("1 1:1\n")
    (tmp_path / "y_test.svm").write_text("1 1:1\n")
    assert found(tmp_path / "y_test.svm")[1]["train"] == "y_train.svm"
    with pytest.raises(DataError, match=r"x_train\.svm, y_train\.svm; type the one that is meant: dataset\.path="):
        recognise(tmp_path)


def test_pairs_of_extreme_classification(tmp_path):
    for split in ("trn", "tst"):
        (tmp_path / f"{split}_X_Xf.txt").write_text("1 5\n0:1 3:2\n")
        (tmp_path / f"{split}_X_Y.txt").write_text("1 4\n2:1\n")
    (tmp_path / "Yf.txt").write_text("a name\nanother\n")
    (tmp_path / "filter_labels_train.txt").write_text("1 2\n3 4\n")
    expected = ("extreme", {"train": "trn_X_Xf.txt", "test": "tst_X_Xf.txt"})
    assert found(tmp_path) == expected
    for name in ("trn_X_Xf.txt", "trn_X_Y.txt"):
        assert found(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("image,labels\na.jpg,b|c\n", {}),
        ("image,labels\na.jpg,b;c\na.jpg,d\n", {"separator": ";"}),
        ('file,tags\na.jpg,"b,c"\n', {"image_column": "file", "label_column": "tags", "separator": ","}),
        (
            "n,Image Index,Finding Labels\n1,a.jpg,b|c\n",
            {"image_column": "Image Index", "label_column": "Finding Labels"},
        ),
        ("image,sea,sun\na.jpg,0,1\n", {"label_columns": "rest"}),
        ("path,what\na.jpg,b\n", {"image_column": "path", "label_column": "what"}),
        ("image,id,genre\na.jpg,3,\"['b, d', 'c']\"\n", {"label_column": "genre"}),
        ("image,one,two\na.jpg,x,y\n", {}),
    ],
)
def test_columns_of_lists(tmp_path, content, settings):
    (tmp_path / "list.csv").write_text(content)
    (tmp_path / "a.jpg").touch()
    assert found(tmp_path) == ("images", {"train": "list.csv", "root": str(tmp_path), **settings})


def test_where_images_and_label_names_are(tmp_path):
    (tmp_path / "lists").mkdir()
    for split in ("train", "test"):
        (tmp_path / "lists" / f"{split}.txt").write_text("x/a.jpg 0 1\n")
    (tmp_path / "lists" / "labels.txt").write_text("sea\nsun\n")
    expected = {"train": "train.txt", "test": "test.txt", "vocabulary": "labels.txt"}
    assert found(tmp_path / "lists") == ("path_labels", expected)
    assert recognise(tmp_path / "lists").reason.endswith(
        "whose images (the first: x/a.jpg) are not found near it: type dataset.root=FOLDER"
    )
    write_images(tmp_path / "images", ["x/a.jpg"])
    root = recognise(tmp_path / "lists").settings["root"]
    assert root == str(tmp_path / "lists" / "../images")


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        (("features", "labels"), {}),
        (("X", "Y"), {"features": "X", "labels": "Y"}),
        (("embeddings", "labels_indptr", "labels_indices"), {"features": "embeddings"}),
        (("x", "targets_indptr", "targets_indices"), {"features": "x", "labels": "targets"}),
        (("a", "b"), {}),
    ],
)
def test_archives(tmp_path, names, settings):
    for split in ("train", "test"):
        np.savez(tmp_path / f"{split}.npz", **{name: np.zeros(2) for name in names})
    assert found(tmp_path) == ("npz", {"train": "train.npz", "test": "test.npz", **settings})


@pytest.mark.parametrize(
    ("columns", "dataset", "settings"),
    [
        ({"features": [[0.5, 1.0]], "labels": [["a"]]}, "parquet", {}),
        (
            {"id": ["x"], "embedding": [[0.5, 1.0]], "tags": [["a"]]},
            "parquet",
            {"features": "embedding", "labels": "tags"},
        ),
        ({"f0": [0.5], "f1": [1.0], "a": [0], "b": [1]}, "parquet", {"features": "f", "labels": "['a', 'b']"}),
        ({"v_0": [0.5], "v_1": [1.0], "label": [[1]]}, "parquet", {"features": "v", "labels": "label"}),
        ({"image": ["a.jpg"], "labels": [["a"]]}, "images", {}),
    ],
)
def test_parquet(tmp_path, columns, dataset, settings):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), tmp_path / "train.parquet")
    (tmp_path / "a.jpg").touch()
    root = {"root": str(tmp_path)} if dataset == "images" else {}
    assert found(tmp_path) == (dataset, {"train": "train.parquet", **root, **settings})


@pytest.mark.filterwarnings("error")
def test_parquet_files_are_closed_and_damaged_ones_left_to_the_reader(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file, opened = tmp_path / "train.parquet", []
    parquet.write_table(pyarrow.table({"features": [[0.5, 1.0]], "labels": [["a"]]}), file)
    original = parquet.ParquetFile
    monkeypatch.setattr(parquet, "ParquetFile", lambda path: opened.append(original(path)) or opened[-1])
    assert found(file)[0] == "parquet"
    assert opened
    assert all(one.closed for one in opened)
    file.write_bytes(b"PAR1 damaged")
    with pytest.raises(DataError, match="no format was recognised"):
        recognise(file)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match="Parquet files are read by pyarrow; type pip install"):
        recognise(file)


def test_an_attribute_list_of_another_name(tmp_path):
    (tmp_path / "attributes.txt").write_text("1\nBald Young\nb.jpg 1 -1\n")
    write_images(tmp_path / "img", ["b.jpg"])
    for path in (tmp_path, tmp_path / "attributes.txt"):
        assert found(path) == ("celeba", {"root": str(tmp_path), "attributes": "attributes.txt", "images": "img"})


def test_files_of_a_layout_stand_for_their_folder(tmp_path):
    for name, file in {
        "celeba": "celeba/list_attr_celeba.txt",
        "deepfashion": "Anno/list_attr_img.txt",
        "coco": "annotations/instances_train2017.json",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        FORMATS[name](folder)
        by_file = recognise(folder / file)
        assert (by_file.dataset, by_file.settings) == (name, {"root": str(folder)})


COCO = json.dumps({"images": [], "annotations": [], "categories": []})


def test_coco_files_of_ones_own(tmp_path):
    for name in ("train/_annotations.coco.json", "valid/_annotations.coco.json", "test/_annotations.coco.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(COCO)
    files = {
        split: f"{at}/_annotations.coco.json" for split, at in (("train", "train"), ("val", "valid"), ("test", "test"))
    }
    assert found(tmp_path) == ("coco", {"root": str(tmp_path), **files})
    other = tmp_path / "other"
    write(other, annotations__birds_dot_json=COCO, annotations__captions_train_dot_json=COCO)
    assert found(other / "annotations" / "birds.json")[0] == "coco"
    assert recognise(other / "annotations" / "birds.json").settings["root"] == str(other)
    write(tmp_path / "2014", annotations__instances_train2014_dot_json=COCO)
    assert recognise(tmp_path / "2014").settings == {"root": str(tmp_path / "2014"), "year": 2014}


def test_voc_and_yolo(tmp_path):
    for folder in ("voc/VOCdevkit/VOC2012/Annotations", "voc/VOCdevkit/VOC2012/ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    assert found(tmp_path / "voc") == ("voc", {"root": str(tmp_path / "voc")})
    for folder in ("yolo/images/train", "yolo/labels/train"):
        (tmp_path / folder).mkdir(parents=True)
    assert found(tmp_path / "yolo") == ("yolo", {"root": str(tmp_path / "yolo")})
    (tmp_path / "yolo" / "data.yaml").write_text("names: [a]\n")
    assert found(tmp_path / "yolo" / "data.yaml") == ("yolo", {"root": str(tmp_path / "yolo")})
    (tmp_path / "yolo" / "data.yaml").rename(tmp_path / "yolo" / "mine.yaml")
    assert found(tmp_path / "yolo" / "mine.yaml") == ("yolo", {"root": str(tmp_path / "yolo"), "data": "mine.yaml"})
    write(tmp_path / "yolo", annotations__instances_train2017_dot_json=COCO)
    with pytest.raises(
        DataError, match=r"may be more than one data set; type the one that is meant:\n  dataset=coco "
    ) as e:
        recognise(tmp_path / "yolo")
    assert f"\n  dataset=yolo dataset.root={tmp_path}/yolo" in str(e.value)


def test_what_is_not_recognised(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.path=x+: there is no such file or folder in /"):
        recognise("x" * 300)
    with pytest.raises(DataError, match=r"dataset\.path=no/where: there is no such file or folder in /"):
        recognise("no/where")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no format was recognised: the folder is empty; looked for arff .*, libsvm"):
        recognise(tmp_path / "empty")
    write(tmp_path, a__x_dot_arff=ARFF, b__notes_dot_txt="hello\n", c__a_dot_csv="x,y\n1,2\n", d__a_dot_json="[1]")
    with pytest.raises(DataError, match=r"in a folder of a, b, c, d, empty; .*\nIn it are: dataset\.path=.*/a$"):
        recognise(tmp_path)
    with pytest.raises(DataError, match=r"in a folder of notes\.txt; .*\nFor images in it that a table lists, type"):
        recognise(tmp_path / "b")
    with pytest.raises(DataError, match=r"\nFor a list of images, type dataset=images .* dataset\.train=.*/c/a"):
        recognise(tmp_path / "c" / "a.csv")
    with pytest.raises(DataError, match=r"\nFor COCO's instances, type dataset=coco dataset\.root=FOLDER "):
        recognise(tmp_path / "d" / "a.json")
    (tmp_path / "utf16.txt").write_text("a.jpg 0 1\n", encoding="utf-16")
    with pytest.raises(DataError, match="bytes of zero: if it is text in UTF-16, save it as UTF-8"):
        recognise(tmp_path / "utf16.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match=r"no format was recognised: the file is empty"):
        recognise(tmp_path / "empty.txt")


def test_the_command_can_be_typed(tmp_path):
    folder = tmp_path / 'it\'s, a "folder"'
    folder.mkdir()
    made = FORMATS["arff"](folder)
    words = shlex.split(recognise(folder).command)
    from mllc.config.compose import compose

    assert compose(words)["dataset"]["train"] == str(folder / "made-train.arff")
    assert made.path == folder


def test_damaged_files_are_refused_in_words(tmp_path):
    for seed in range(150):
        rng = random.Random(seed)
        name, content = rng.choice(
            [
                ("a.csv", b"image,labels\na.jpg,b|c\n"),
                ("a.txt", b"2\nBald Young\nb.jpg 1 -1\n"),
                ("a.json", COCO.encode()),
                ("a.svm", b"1,2 3:0.5\n"),
                ("a.yaml", b"names: [a]\n"),
                ("a.parquet", b"PAR1aPAR1"),
            ]
        )
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(changed))
            changed[place : place + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        (tmp_path / name).write_bytes(changed)
        with contextlib.suppress(MllcError):
            recognise(tmp_path / name)
        with contextlib.suppress(MllcError):
            recognise(tmp_path)
