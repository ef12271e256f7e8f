"""Lists of `path 0 1 0`: paths with blanks, both ways to say false, new samples, every refusal by file and line."""

import pytest
import torch
from damage import require_words
from formats import image
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.data.decode import decode
from mllc.data.path_labels import path_labels, samples
from mllc.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them with blanks in its path, a vocabulary and two lists."""
    for number, name in enumerate(("a.png", "b.png", "sub/c  d 1.png")):
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image(number))
    (tmp_path / "labels.txt").write_text("sun\nblue sea\nsky\n")
    (tmp_path / "train.txt").write_text("a.png 1 0 1\nsub/c  d 1.png 0 0 0\n")
    (tmp_path / "test.txt").write_text("b.png 0 1 1\n")
    return tmp_path


def read(folder, **given):
    defaults = {"root": str(folder / "root"), "train": str(folder / "train.txt"), "size": 4}
    return path_labels(**(defaults | {"cache_folder": str(folder / "cache")} | given))


def test_paths_and_values(folder):
    data = read(folder, test=str(folder / "test.txt"), vocabulary=str(folder / "labels.txt"))
    assert data.label_names == ("sun", "blue sea", "sky")
    assert data.train.ids == ("a.png", "sub/c  d 1.png")
    assert data.train.targets.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert data.test is not None
    assert data.test.targets.tolist() == [[0, 1, 1]]
    assert torch.equal(data.train.inputs[torch.tensor([1])][0], decode(image(2), 4))
    assert (data.kind, data.val, data.notes) == ("images", None, ())


def test_names_without_a_vocabulary(folder):
    data = read(folder)
    assert data.label_names == ("label0", "label1", "label2")
    assert data.notes == ("no vocabulary is given: the labels are called label0 to label2",)


def test_minus_one_is_false_and_noted(folder):
    (folder / "train.txt").write_text("a.png 1 1 1\nb.png -1 1 -1\n")
    data = read(folder, test=str(folder / "test.txt"))
    assert data.train.targets.tolist() == [[1, 1, 1], [0, 1, 0]]
    assert "train.txt: -1 is taken as false" in data.notes
    assert not any(note.startswith("test.txt") for note in data.notes)


def test_byte_order_mark_line_ends_tabs_and_empty_lines(folder):
    (folder / "train.txt").write_bytes(b"\xef\xbb\xbfa.png\t1\t0  1 \r\n\r\n  ./b.png 0 1 0")
    data = read(folder)
    assert data.train.ids == ("a.png", "b.png")
    assert data.train.targets.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_images_of_train_in_test_are_noted(folder):
    (folder / "test.txt").write_text("./a.png 1 0 1\n")
    assert "1 image of test is in train as well: 'a.png'" in read(folder, test=str(folder / "test.txt")).notes


def test_bad_images_are_skipped_and_counted(folder):
    (folder / "root" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"train\.txt, line 1: a\.png: not an image.*on_bad_image=skip"):
        read(folder)
    data = read(folder, on_bad_image="skip")
    assert data.train.ids == ("sub/c  d 1.png",)
    assert data.skipped == {"train": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "dataset.train=.*the file is empty"),
        (b"\n \n", "train.txt: it lists no images"),
        (b"a.png\n", "line 1: 'a.png' does not end in a 0 or 1"),
        (b"a.png 1 0 1\nb.png 1 0\n", "line 2: 2 values of 0 or 1 .* but line 1 of .* has 3 labels"),
        (b"a.png 1 0 1\nb.png 1 0 1 1\n", "line 2: 4 values of 0 or 1 .* but line 1 of .* has 3 labels"),
        (b"a.png 1 0 1\nb.png 1 2 1\n", "line 2: 1 value of 0 or 1 .* has 3 labels; '2' is none"),
        (b"a.png 1 0 1\nb.png 1 0 1.0\n", "line 2: 0 values of 0 or 1 .*; '1.0' is none"),
        (b"a.png 1 0 1\nb.png 1 0 nan\n", "line 2: 0 values of 0 or 1 .*; 'nan' is none"),
        (b"a.png 1 0 1\nb.png\n", r"line 2: 0 values of 0 or 1 \(or -1 or 1\) at the end, but .* has 3 labels$"),
        (b"a.png 1 0 1\n\nb.png 1 -1 1\n", "line 3: 0 and -1 are mixed: 0 is in .*line 1, -1 in .*line 3"),
        (b"a.png 1 0 -1\n", "line 1: 0 and -1 are mixed"),
        (b"a.png 1 0 1\n1 0 1\n", "line 2: 2 values of 0 or 1"),
        (b"a.png 1 0 1\n./a.png 1 0 1\n", "line 2: 'a.png' occurs already in .*train.txt, line 1"),
        (b"../train.txt 1 0 1\n", r"line 1: '\.\./train\.txt' leads out of dataset\.root"),
        (b"/etc/passwd 1 0 1\n", "line 1: '/etc/passwd' leads out of dataset.root"),
        (b"gone.png 1 0 1\n", r"line 1: gone\.png: there is no such file"),
        ("a.png 1 0 1\n".encode("utf-16"), "line 1: bytes of zero: no text; if the file is UTF-16, save it as UTF-8"),
        ("é.png 1 0 1\n".encode("latin-1"), r"line 1: é\.png: there is no such file"),
    ],
)
def test_lists_that_are_refused(folder, content, message):
    (folder / "train.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_other_refusals(folder):
    (folder / "labels.txt").write_text("sun\nsea\n")
    with pytest.raises(DataError, match=r"train\.txt, line 1: 3 values .* but dataset\.vocabulary=.* has 2 labels"):
        read(folder, vocabulary=str(folder / "labels.txt"))
    (folder / "test.txt").write_text("b.png 0 1\n")
    with pytest.raises(DataError, match=r"test\.txt, line 1: 2 values .* but line 1 of .*train\.txt has 3 labels"):
        read(folder, test=str(folder / "test.txt"))
    with pytest.raises(DataError, match=r"dataset\.root=nowhere: there is no such folder"):
        read(folder, root="nowhere")
    with pytest.raises(ConfigError, match=r"dataset\.size=0"):
        read(folder, size=0)


def predicted(path, encoding=None, **given):
    chunks = list(samples(path, given, encoding or {"size": 4}))
    return [name for chunk in chunks for name in chunk.ids], torch.cat([chunk.inputs for chunk in chunks])


@pytest.mark.parametrize("values", [True, False], ids=["with values", "without"])
def test_samples_are_those_of_the_test_split(folder, values):
    (folder / "test.txt").write_text("sub/c  d 1.png 0 1 1\nb.png 0 1 1\n")
    data = read(folder, test=str(folder / "test.txt"))
    if not values:
        (folder / "test.txt").write_text("sub/c  d 1.png\nb.png\n")
    ids, inputs = predicted(folder / "test.txt", data.encoding, root=str(folder / "root"))
    assert data.test is not None
    assert tuple(ids) == data.test.ids
    assert torch.equal(inputs, data.test.inputs[torch.arange(2)])


def test_other_samples(folder):
    assert predicted(folder / "root")[0] == ["a.png", "b.png", "sub/c  d 1.png"]
    assert predicted(folder / "root" / "b.png")[0] == ["b.png"]
    (folder / "new.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"new\.txt: it lists no images"):
        predicted(folder / "new.txt")
    (folder / "new.txt").write_text("root/a.png 1 0\n../x.png\n")
    with pytest.raises(DataError, match=r"new\.txt, line 2: '\.\./x\.png' leads out"):
        predicted(folder / "new.txt")


# The characters that are no blanks within a line, and may stand in a file's name.
NAME = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="/\\"), min_size=1, max_size=6)
PATHS = st.lists(st.lists(NAME, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5, unique=True)


@settings(max_examples=30)
@given(paths=PATHS, num_labels=st.integers(1, 5), minus=st.booleans(), data=st.data())
def test_any_lists_are_read_back(tmp_path_factory, paths, num_labels, minus, data):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "root").mkdir()
    paths = [f"x{path}.png" for path in paths]
    rows = [data.draw(st.lists(st.integers(0, 1), min_size=num_labels, max_size=num_labels)) for _ in paths]
    lines = []
    for number, (path, row) in enumerate(zip(paths, rows, strict=True)):
        (folder / "root" / path).write_bytes(image(number))
        values = [str(value or -1) if minus else str(value) for value in row]
        lines.append(" ".join([path, *values]))
    (folder / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    found = read(folder)
    assert found.train.ids == tuple(paths)
    assert found.train.targets.tolist() == rows


def test_damaged_lists_never_end_in_another_error(folder):
    file = folder / "train.txt"
    for call in (lambda: read(folder), lambda: predicted(file, root=str(folder / "root"))):
        require_words(call, file, letters=b"\r\t-")
