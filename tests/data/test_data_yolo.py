"""YOLO: data.yaml and plain folders, label files missing and empty, every refusal by file and line, any bytes."""

import pytest
import torch
import yaml
from damage import require_words
from formats import write_images
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.data.yolo import samples, yolo
from mllc.data.yolo_labels import read_labels
from mllc.data.yolo_yaml import read_description
from mllc.errors import DataError

BOX = "0.5 0.5 0.2 0.25"
DATA = """path: ../elsewhere
train: images/train
val:
test: images/test # of its own
nc: 3
names: [tooth brush, no, '1']
"""


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path / "images", ["train/a.png", "train/b.JPG", "train/sub/c.png"])
    write_images(tmp_path / "images", ["test/d.png", "test/e.png"], 3)
    for name, text in {
        "train/a": f"2 {BOX}\r\n0 {BOX}\n\n2 {BOX}\n",
        "train/sub/c": "",
        "test/d": "1 0.1 0.2 0.3 0.4 0.5 0.6",
        "test/e": f"0 {BOX}\n",
    }.items():
        file = tmp_path / "labels" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    (tmp_path / "images" / "train" / "notes.md").write_text("not an image")
    (tmp_path / "images" / "train" / "._a.png").write_text("not an image")
    (tmp_path / "data.yaml").write_text(DATA)
    return tmp_path


def read(folder, **settings):
    return yolo(**({"root": str(folder), "size": 4, "cache_folder": str(folder / "cache")} | settings))


def test_a_data_yaml_says_it_all(folder):
    data = read(folder)
    assert data.label_names == ("tooth brush", "no", "1")
    assert data.train.ids == ("images/train/a.png", "images/train/b.JPG", "images/train/sub/c.png")
    assert data.train.targets.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert data.test is not None
    assert data.test.targets.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert data.val is None
    assert data.notes == ("1 image of train without a label file, so without labels",)


def test_names_by_their_numbers(folder):
    (folder / "data.yaml").write_text("train: images/train\nnames:\n  2: c\n  0: a\n  1: null\n")
    data = read(folder)
    assert data.label_names == ("a", "null", "c")
    assert data.test is None


def test_plain_folders(folder):
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("a\nb\nc\n")
    data = read(folder)
    assert (data.label_names, len(data.train), len(data.test), data.val) == (("a", "b", "c"), 3, 2, None)
    assert read(folder, test="none").test is None
    (folder / "images" / "train").rename(folder / "images" / "x")
    (folder / "labels" / "train").rename(folder / "labels" / "x")
    assert len(read(folder, train="images/x").train) == 3
    (folder / "classes.txt").rename(folder / "names.txt")
    assert len(read(folder, train=str(folder / "images" / "x"), data=str(folder / "names.txt")).train) == 3


def test_plain_images_in_one_folder(tmp_path):
    write_images(tmp_path, ["images/a.png", "images/b.png"])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(f"0 {BOX}")
    (tmp_path / "labels" / "classes.txt").write_text("one\n")
    data = read(tmp_path)
    assert (data.train.targets.tolist(), data.test) == ([[1], [0]], None)


def test_lists_and_labels_beside_their_images(folder):
    write_images(folder, ["obj/x.png", "obj/y.png"], 7)
    (folder / "obj" / "x.txt").write_text(f"1 {BOX}")
    (folder / "obj" / "list.txt").write_text(f"./x.png\n\n{folder}/obj/y.png\nimages/train/a.png\n")
    data = read(folder, train=str(folder / "obj" / "list.txt"))
    assert data.train.ids == ("obj/x.png", "obj/y.png", "images/train/a.png")
    assert data.train.targets.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    (folder / "data.yaml").write_text("train: [images/train/sub, obj/list.txt]\nval: [images/test]\nnames: [a, b, c]\n")
    several = read(folder)
    assert (len(several.train), len(several.val), several.test) == (4, 2, None)
    assert read(folder, val="none").val is None


def test_roboflow_s_paths_are_meant_from_the_root(folder):
    (folder / "images").rename(folder / "x")
    (folder / "x" / "train").rename(folder / "train")
    (folder / "train" / "images").mkdir()
    (folder / "train" / "a.png").rename(folder / "train" / "images" / "a.png")
    (folder / "train" / "labels").mkdir()
    (folder / "train" / "labels" / "a.txt").write_text(f"1 {BOX}")
    (folder / "data.yaml").write_text("train: ../train/images\nnames: [a, b, c]\n")
    data = read(folder)
    assert (data.train.ids, data.train.targets.tolist()) == (("train/images/a.png",), [[0, 1, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"0 {BOX}\n3 {BOX}\n", r"labels/train/a\.txt, line 2: class 3, but the classes are numbered 0 to 2"),
        (f"{'9' * 5000} {BOX}\n", r"a\.txt, line 1: class 9+, but the classes are numbered 0 to 2"),
        (f"-1 {BOX}\n", r"line 1: the class is '-1'; a whole number is expected"),
        (f"1.5 {BOX}\n", r"line 1: the class is '1\.5'; a whole number is expected"),
        (f"no {BOX}\n", r"line 1: the class is 'no'; a whole number is expected"),
        (f"\n0 {BOX}\n0 0.1 0.2\n", r"line 3: 3 values; a class and four or more numbers are expected"),
        ("0 0.1 0.2 0.3 x\n", r"line 1: 'x' is not a number"),
        ("0 0.1 0.2 0.3 nan\n", r"line 1: 'nan' is not a number"),
        ("0,0.1,0.2,0.3,0.4\n", r"line 1: the class is '0,0\.1,0\.2,0\.3,0\.4'"),
        ("0 0.1 0.2 0.3 0.4\rx 0.1 0.2 0.3 0.4", r"line 2: the class is 'x'"),
        (f"0 {BOX}".encode("utf-16"), r"a\.txt: not a label file: byte 0 is not UTF-8; save it as UTF-8"),
    ],
)
def test_label_files_that_are_refused(folder, text, message):
    (folder / "labels" / "train" / "a.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        read(folder)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A thousand million letters, if they are written out."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("names: [a", r"data\.yaml, line 1: not YAML: expected ',' or ']'"),
        ("a\n", r"there is no `names`; a YOLO data\.yaml with the names of the classes is expected"),
        ("names: []\n", r"`names` is empty or text; a list of names is expected"),
        ("names: a\n", r"`names` is empty or text; a list of names is expected"),
        ("names: [a, [b]]\n", r"the name of class 1 is a list; text is expected"),
        ("names: [a, ' ']\n", r"the name of class 1 is ' '; text is expected"),
        ("names: [a, b, a]\n", r"the classes 0 and 2 are both called 'a'"),
        ("names: {0: a, 2: b}\n", r"`names` are to be numbered 0, 1, 2, \.\.\. without gaps, each once"),
        ("names: {x: a}\n", r"`names` are to be numbered 0, 1, 2"),
        ("names: {0: a, 00: b}\n", r"`names` are to be numbered 0, 1, 2"),
        ("nc: 2\nnames: [a, b, c]\n", r"nc is '2', but `names` has 3 names"),
        (BOMB + "names: [*i]\n", r"the name of class 0 is a list; text is expected"),
        (BOMB + "train: [*i]\nnames: [a]\n", r"`train` is a list; a folder"),
        ("train: {a: b}\nnames: [a, b, c]\n", r"`train` is a mapping; a folder, a list \(\.txt\) or several are"),
        ("val: images/test\nnames: [a, b, c]\n", r"nothing says where the images to train on are; type dataset\.train"),
        (
            "train: nowhere\nnames: [a, b, c]\n",
            r"dataset\.train=nowhere: there is no such folder or list in",
        ),
        (f"train: {'x' * 300}\nnames: [a, b, c]\n", r"dataset\.train=x+: there is no such folder or list in"),
        ("train: labels\nnames: [a, b, c]\n", r"dataset\.train=labels: there is no image in .*labels"),
        ("train: /etc\nnames: [a, b, c]\n", r"dataset\.train=/etc: leads out of dataset\.root"),
        ("train: ../../..\nnames: [a, b, c]\n", r"dataset\.train=\.\./\.\./\.\.: leads out of dataset\.root"),
        ("[" * 2000, "not YAML"),
        ("a: \x00", "not YAML: unacceptable character"),
        (
            "train: images/train\nnames: [a]\n",
            r"a\.txt, line 1: class 2, but the classes are numbered 0 to 0",
        ),
        ("train: [images/train, images/train/sub]\nnames: [a, b, c]\n", r"'images/train/sub/c\.png' occurs already in"),
    ],
)
def test_descriptions_that_are_refused(folder, text, message):
    (folder / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_a_description_of_another_encoding(folder):
    (folder / "data.yaml").write_bytes(DATA.replace("tooth", "tööth").encode("latin-1"))
    data = read(folder)
    assert data.label_names[0] == "tööth brush"
    assert "data.yaml is not UTF-8; read as Latin-1" in data.notes
    (folder / "data.yaml").write_bytes(DATA.encode("utf-16"))
    with pytest.raises(DataError, match=r"data\.yaml: not YAML"):
        read(folder)
    (folder / "classes.txt").write_bytes("a\nb\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"classes\.txt, line 1: bytes of zero: no text; if the file is UTF-16"):
        read(folder, data=str(folder / "classes.txt"))
    (folder / "classes.txt").write_text("\n")
    with pytest.raises(DataError, match=r"classes\.txt: it names no class; the name of a class a line is expected"):
        read(folder, data=str(folder / "classes.txt"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", r"list\.txt: it lists no images"),
        ("images/train/a.png\n./images/train/a.png\n", r"list\.txt, line 2: .*a\.png' occurs already in .*line 1"),
        ("../x.png\n", r"list\.txt, line 1: '\.\./x\.png' leads out of dataset\.root"),
        ("/etc/passwd\n", r"list\.txt, line 1: .*etc/passwd' leads out of dataset\.root"),
        ("images/train/a.png\ngone.png\n", r"list\.txt, line 2: gone\.png: there is no such file"),
        ("a\0b.png\n", r"list\.txt, line 1: bytes of zero: no text"),
        (f"images/train/a.png\n{'x' * 300}.png\n", r"x\.txt: cannot be read: File name too long"),
    ],
)
def test_lists_that_are_refused(folder, text, message):
    (folder / "list.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder, train=str(folder / "list.txt"))


def test_other_refusals(folder):
    for file in (folder / "labels" / "test").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"no image of test has a label file; that of images/test/d\.png is expected"):
        read(folder)
    assert read(folder, test="none").test is None
    with pytest.raises(DataError, match=r"dataset\.data=nowhere\.yaml: there is no such file"):
        read(folder, data="nowhere.yaml")
    (folder / "data.yaml").unlink()
    with pytest.raises(DataError, match=r"there is neither data\.yaml nor classes\.txt in it; type dataset\.data=FILE"):
        read(folder)


def test_a_file_name_that_is_not_utf_8_is_refused(folder):
    content = (folder / "images" / "train" / "a.png").read_bytes()
    with open(bytes(folder / "images" / "train") + b"/\xff.png", "wb") as stream:
        stream.write(content)
    with pytest.raises(DataError, match=r"the name of .* is not UTF-8; rename it"):
        read(folder)


def test_samples_are_the_test_split_without_its_labels(folder):
    data = read(folder)
    own = {"root": str(folder), "on_bad_image": "error"}
    (folder / "labels" / "test" / "d.txt").write_text("nonsense")
    (folder / "list.txt").write_text("images/test/d.png\nimages/test/e.png\n")
    assert data.test is not None
    expected = data.test.inputs[torch.arange(2)]
    for path in ("data.yaml", "list.txt", "images/test"):
        (found,) = samples(folder / path, own, data.encoding)
        assert torch.equal(found.inputs, expected)
        assert tuple(found.ids) == (("d.png", "e.png") if path == "images/test" else data.test.ids)
    (folder.parent / "elsewhere.txt").write_text(f"{folder}/images/test/e.png\n")
    (one,) = samples(folder.parent / "elsewhere.txt", own, data.encoding)
    assert torch.equal(one.inputs, expected[1:])
    (folder / "data.yaml").write_text("train: images/train\nnames: [a]\n")
    with pytest.raises(DataError, match="it names no images to test on; give an image, a folder or a list"):
        samples(folder / "data.yaml", own, data.encoding)


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda name: name.strip()
)
numbers = st.floats(0, 1, width=32)


@settings(max_examples=60)
@given(st.data())
def test_any_description_and_labels_are_read_back(tmp_path, data):
    classes = data.draw(st.lists(names, unique=True, min_size=1, max_size=5))
    spelled = classes if data.draw(st.booleans()) else dict(enumerate(classes))
    unicode = data.draw(st.booleans())
    (tmp_path / "data.yaml").write_text(
        yaml.safe_dump({"names": spelled, "nc": len(classes), "train": "a b", "test": None}, allow_unicode=unicode),
        encoding="utf-8",
    )
    description = read_description(tmp_path, None)
    assert (description.names, description.splits) == (classes, {"train": ["a b"]})
    objects = st.tuples(st.integers(0, len(classes) - 1), st.lists(numbers, min_size=4, max_size=9))
    drawn = data.draw(st.lists(objects, max_size=6))
    lines = [" ".join(map(str, (number, *values))) for number, values in drawn]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    assert read_labels(tmp_path / "a.txt", classes) == list(dict.fromkeys(classes[number] for number, _ in drawn))


def test_any_bytes_give_a_data_set_or_one_message(folder):
    label_file = folder / "labels" / "train" / "a.txt"
    require_words(lambda: read(folder), folder / "data.yaml", label_file, letters=b"[]{}:,&*!|'\"")
