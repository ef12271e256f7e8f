"""CelebA: its lists and layouts, every refusal by file and line."""

import shutil

import numpy as np
import pytest
import torch
from damage import require_words
from formats import image
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.data.celeba import celeba, samples
from mllc.data.recognise import recognise
from mllc.errors import ConfigError, DataError

ROWS = [
    "000001.jpg -1  1 -1",
    "000002.jpg  1  1 -1",
    "000003.jpg -1 -1 -1",
    "000004.jpg  1 -1  1",
    "000005.jpg -1 -1  1",
]
ATTRIBUTES = "\n".join(["5", "Bald Wearing_Hat Young ", *ROWS, ""])
PARTITION = "000001.jpg 0\n000002.jpg 0\n000003.jpg 0\n000004.jpg 1\n000005.jpg 2\n"


@pytest.fixture
def folder(tmp_path):
    """The files of CelebA, five images, in tmp_path itself."""
    (tmp_path / "img_align_celeba").mkdir()
    for number in range(1, 6):
        (tmp_path / "img_align_celeba" / f"{number:06d}.jpg").write_bytes(image(number, "JPEG"))
    (tmp_path / "list_attr_celeba.txt").write_text(ATTRIBUTES)
    (tmp_path / "list_eval_partition.txt").write_text(PARTITION)
    return tmp_path


def read(folder, **settings):
    return celeba(**({"root": str(folder), "size": 4, "cache_folder": str(folder / "cache")} | settings))


def test_attributes_and_splits(folder):
    data = read(folder)
    assert data.label_names == ("Bald", "Wearing_Hat", "Young")
    assert data.train.targets.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert data.train.ids == ("000001.jpg", "000002.jpg", "000003.jpg")
    assert data.val is not None
    assert data.val.targets.tolist() == [[1, 0, 1]]
    assert data.test is not None
    assert data.test.targets.tolist() == [[0, 0, 1]]
    assert (data.kind, data.input_shape, data.train.mask, data.notes) == ("images", (3, 4, 4), None, ())


def _move(folder, target, *names):
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.move(folder / name, target / name)


LISTS = ("list_attr_celeba.txt", "list_eval_partition.txt")


def _torchvision(folder):
    _move(folder, folder / "celeba", *LISTS, "img_align_celeba")


def _makers(folder):
    _move(folder, folder / "Anno", LISTS[0])
    _move(folder, folder / "Eval", LISTS[1])
    _move(folder, folder / "Img", "img_align_celeba")


def _makers_in_a_folder(folder):
    _move(folder, folder / "celeba" / "Anno", LISTS[0])
    _move(folder, folder / "celeba" / "Eval", LISTS[1])
    _move(folder, folder / "celeba" / "Img", "img_align_celeba")


def _kaggle(folder):
    (folder / "img_align_celeba").rename(folder / "inner")
    (folder / "img_align_celeba").mkdir()
    (folder / "inner").rename(folder / "img_align_celeba" / "img_align_celeba")
    header, *rows = ATTRIBUTES.splitlines()[1:]
    lines = ["image_id " + header, *rows]
    (folder / "list_attr_celeba.csv").write_text("".join(",".join(line.split()) + "\r\n" for line in lines))
    (folder / "list_eval_partition.csv").write_text("image_id,partition\n" + PARTITION.replace(" ", ","))
    for name in LISTS:
        (folder / name).unlink()


def _with_mark(folder):
    for name in LISTS:
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("change", [_torchvision, _makers, _makers_in_a_folder, _kaggle, _with_mark])
def test_every_layout_is_read_the_same(folder, change):
    expected = read(folder).fingerprint
    change(folder)
    assert read(folder).fingerprint == expected
    found = recognise(folder)
    assert (found.dataset, found.settings) == ("celeba", {"root": str(folder)})


def test_files_elsewhere(folder):
    expected = read(folder).fingerprint
    for name, new in zip((*LISTS, "img_align_celeba"), ("a.lst", "b.lst", "pictures"), strict=True):
        (folder / name).rename(folder / new)
    paths = {"attributes": folder / "a.lst", "partition": folder / "b.lst", "images": folder / "pictures"}
    assert read(folder, **{key: str(path) for key, path in paths.items()}).fingerprint == expected


def test_without_a_partition_all_images_are_train(folder):
    (folder / "list_eval_partition.txt").unlink()
    data = read(folder)
    assert (len(data.train), data.val, data.test) == (5, None, None)
    assert data.notes == ("no partition list is found: all images are train, other splits are carved from it",)


def test_a_wrong_count_of_whole_rows_is_told(folder):
    (folder / "list_attr_celeba.txt").write_text(ATTRIBUTES.replace("5\n", "202599\n", 1))
    assert read(folder).notes == (
        "list_attr_celeba.txt: its first line announces 202599 images, but 5 whole rows follow",
    )


def test_images_of_the_partition_without_attributes_are_told(folder):
    (folder / "list_attr_celeba.txt").write_text("4" + ATTRIBUTES.removesuffix(ROWS[4] + "\n")[1:])
    data = read(folder)
    assert data.test is None
    assert data.notes == ("list_eval_partition.txt: 1 image without attributes left out",)


def test_images_of_a_person_are_a_group(folder):
    (folder / "identity_CelebA.txt").write_text("".join(f"00000{i}.jpg {i // 2}\n" for i in range(1, 6)))
    assert read(folder, group="identity").train.groups == ("0", "1", "1")
    assert read(folder).train.groups is None
    with pytest.raises(ConfigError, match=r"split\.group=person: CelebA has the group identity"):
        read(folder, group="person")
    (folder / "identity_CelebA.txt").write_text("000001.jpg 1\n")
    with pytest.raises(DataError, match=r"list_attr_celeba\.txt, line 4: '000002\.jpg' is not in identity_CelebA\.txt"):
        read(folder, group="identity")
    (folder / "identity_CelebA.txt").write_text("000001.jpg 1\n000001.jpg 2\n")
    with pytest.raises(DataError, match=r"identity_CelebA\.txt, line 2: '000001\.jpg' is of 1 in an earlier line"):
        read(folder, group="identity")
    (folder / "identity_CelebA.txt").write_text("000001.jpg 1\n2\n")
    with pytest.raises(DataError, match=r"identity_CelebA\.txt, line 2: an image and the number of its person"):
        read(folder, group="identity")


CUT = "an image and 2 values, but 3 are expected, one an attribute; is it cut off"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r"list_attr_celeba\.txt: the file is empty"),
        (ATTRIBUTES.replace("5", "9" * 5000, 1), "line 1: the number of rows is expected there"),
        ("5\n", "line 2: a header is expected there; is the file cut off"),
        ("5\nBald Young\n", r"list_attr_celeba\.txt: it lists no images"),
        (
            ATTRIBUTES.removeprefix("5\n"),
            "line 1: the number of rows is expected there .* not 'Bald Wearing_Hat Young'",
        ),
        (ATTRIBUTES[:-3], f"line 7: {CUT}"),
        (ATTRIBUTES[:-2] + "-\n", r"line 7: value 3 is '-'; allowed are 1, -1"),
        (ATTRIBUTES.replace("000002.jpg  1  1", "000002.jpg  1 "), f"line 4: {CUT}"),
        (ATTRIBUTES.replace("000002.jpg  1", "000002.jpg  0"), r"line 4: value 1 is '0'; allowed are 1, -1 "),
        (ATTRIBUTES.replace("000002.jpg  1", "000002.jpg  2"), r"line 4: value 1 is '2'; allowed are 1, -1 "),
        (ATTRIBUTES.replace("000002.jpg  1", "000002.jpg nan"), r"line 4: value 1 is 'nan'; allowed are 1, -1 "),
        (ATTRIBUTES.replace("000002.jpg  1", "000002.jpg  11"), r"line 4: value 1 is '11'; allowed are 1, -1 "),
        (ATTRIBUTES.replace("000002.jpg", "000 002.jpg"), r"line 4: value 1 is '002\.jpg'; .*no space in the path"),
        (ATTRIBUTES.replace("000002.jpg", "000001.jpg"), r"line 4: '000001\.jpg' occurs already in .*, line 3"),
        (ATTRIBUTES.replace("000002.jpg", "000009.jpg"), r"line 4: '000009\.jpg' is not in .*list_eval_partition\.txt"),
        (ATTRIBUTES.replace("000002.jpg", "../../000002.jpg"), r"line 4: .* leads out of dataset\.root="),
        (ATTRIBUTES.replace("Young", "Bald"), r"list_attr_celeba\.txt, line 2: named more than once: 'Bald'"),
    ],
)
def test_attribute_lists_that_cannot_be_understood(folder, content, reason):
    (folder / "list_attr_celeba.txt").write_text(content)
    with pytest.raises(DataError, match=reason):
        read(folder)


def test_other_encodings(folder):
    list_file = folder / "list_attr_celeba.txt"
    list_file.write_text(ATTRIBUTES, encoding="utf-16")
    with pytest.raises(DataError, match=r"list_attr_celeba\.txt, line 1: the number of rows is expected there"):
        read(folder)
    (folder / "img_align_celeba" / "000001.jpg").rename(folder / "img_align_celeba" / "für.jpg")
    for coding in ("utf-8", "latin-1"):
        list_file.write_text(ATTRIBUTES.replace("000001", "für"), encoding=coding)
        (folder / "list_eval_partition.txt").write_text(PARTITION.replace("000001", "für"), encoding=coding)
        assert read(folder).train.ids[0] == "für.jpg"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            PARTITION.replace("2.jpg 0", "2.jpg 3"),
            "line 2: an image and one of 0, 1, 2 are expected, not '000002.jpg 3'",
        ),
        (PARTITION.replace("2.jpg 0", "2.jpg"), "line 2: an image and one of 0, 1, 2 are expected"),
        (PARTITION.replace("2.jpg 0", "2.jpg 0 1"), "line 2: an image and one of 0, 1, 2 are expected"),
        (PARTITION.replace("2.jpg", "1.jpg"), r"line 2: '000001\.jpg' occurs already in an earlier line"),
        (PARTITION.replace("jpg 0", "jpg 2"), r"no image of .*list_attr_celeba\.txt is in the training split \(0\)"),
        ("\n\n", r"list_eval_partition\.txt: it lists no images"),
    ],
)
def test_partitions_that_cannot_be_understood(folder, content, reason):
    (folder / "list_eval_partition.txt").write_text(content)
    with pytest.raises(DataError, match=reason):
        read(folder)


def test_files_that_are_not_there(folder, tmp_path):
    with pytest.raises(DataError, match=r"dataset\.partition=no\.txt: there is no such file"):
        read(folder, partition="no.txt")
    with pytest.raises(DataError, match=r"dataset\.attributes=x+: there is no such file"):
        read(folder, attributes="x" * 300)
    with pytest.raises(DataError, match=r"dataset\.images=.*no: there is no such folder"):
        read(folder, images=str(folder / "no"))
    (folder / "img_align_celeba" / "000003.jpg").unlink()
    with pytest.raises(DataError, match=r"list_attr_celeba\.txt, line 5: 000003\.jpg: there is no such file"):
        read(folder)
    shutil.rmtree(folder / "img_align_celeba")
    (folder / "img_align_celeba.zip").touch()
    with pytest.raises(
        DataError, match=r"there is no folder img_align_celeba in it; unpack img_align_celeba\.zip there"
    ):
        read(folder)
    with pytest.raises(DataError, match=r"none of list_attr_celeba\.txt, .* is in it, nor in its folder celeba; type"):
        read(tmp_path / "cache")


def test_new_images_have_the_form_of_the_test_split(folder):
    data = read(folder)
    assert data.test is not None
    node = {"root": str(folder), "on_bad_image": "error"}
    some = folder / "some.txt"
    for content in ("1\nBald\n000005.jpg 1\n", "1\nBald\n000005.jpg\n", "000005.jpg\n"):
        some.write_text(content)
        ((ids, inputs),) = samples(some, node, data.encoding)
        assert ids == ["000005.jpg"]
        assert torch.equal(inputs, data.test.inputs[torch.tensor([0])])
    some.with_suffix(".csv").write_text("image_id,Bald\n000005.jpg,1\n")
    ((ids, inputs),) = samples(some.with_suffix(".csv"), node, data.encoding)
    assert torch.equal(inputs, data.test.inputs[torch.tensor([0])])
    ((ids, inputs),) = samples(folder / "img_align_celeba", node, data.encoding)
    assert len(ids) == 5
    for content, reason in (("1\nBald\n", "it lists no images"), ("1\nBald\n../5.jpg", "line 3: .* leads out")):
        some.write_text(content)
        with pytest.raises(DataError, match=rf"some\.txt.*{reason}"):
            list(samples(some, node, data.encoding))
    some.write_text("1\nBald\n000005.jpg 1\n")
    (there,) = samples(some, {"root": str(folder / "gone"), "images": str(folder / "img_align_celeba")}, data.encoding)
    assert there.ids == ["000005.jpg"]


def test_downloads_where_nothing_is(folder, tmp_path, monkeypatch):
    def fetch(root):
        (root / "celeba").mkdir(parents=True)
        for name in (*LISTS, "img_align_celeba"):
            (folder / name).rename(root / "celeba" / name)

    monkeypatch.setattr("mllc.data.celeba.fetch_celeba", fetch)
    assert len(celeba(root=str(tmp_path / "new"), download=True, cache_folder=str(tmp_path / "cache")).train) == 3


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda word: not word.isspace() and "/" not in word and word not in (".", "..") and len(word.split()) == 1
)


@settings(max_examples=25)
@given(st.data())
def test_what_is_written_is_read(tmp_path, data):
    names = data.draw(st.lists(WORDS, min_size=1, max_size=5, unique=True))
    paths = data.draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    targets = [[data.draw(st.integers(0, 1)) for _ in names] for _ in paths]
    root = tmp_path / "any"
    shutil.rmtree(root, ignore_errors=True)
    (root / "img_align_celeba").mkdir(parents=True)
    lines = [str(len(paths)), " ".join(names)]
    for path, row in zip(paths, targets, strict=True):
        (root / "img_align_celeba" / path).write_bytes(image(1))
        lines.append("  ".join([path, *("1" if value else "-1" for value in row)]))
    (root / "list_attr_celeba.txt").write_text("\n".join(lines), encoding="utf-8")
    found = read(root)
    assert found.label_names == tuple(names)
    assert found.train.ids == tuple(paths)
    assert found.train.targets.tolist() == targets


def test_damaged_files_are_refused_in_words(folder):
    require_words(lambda: read(folder), *(folder / name for name in LISTS), letters=bytes(range(256)))


def test_large_rows_hold_no_object_a_value(folder):
    from mllc.data.attribute_lists import Flagged

    names = [str(i) for i in range(1000)]
    flags = np.zeros(1000, bool)
    flags[[3, 999]] = True
    flagged = Flagged(names, flags)
    assert (list(flagged), len(flagged), flagged[1], flagged[-2:]) == (["3", "999"], 2, "999", ["3", "999"])
    assert torch.tensor([name in flagged for name in names]).sum() == 2
    assert not Flagged(names, np.zeros(1000, bool))
