"""PASCAL VOC: layouts, lists, difficult objects, XML that is no threat, every refusal by file and line, any bytes."""

from xml.sax.saxutils import escape

import pytest
import torch
from damage import require_words
from formats import write_images
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.build import objective_of, share
from mllc.config.compose import compose
from mllc.data.voc import CLASSES, samples, voc
from mllc.data.voc_xml import read_annotation
from mllc.errors import ConfigError, DataError


def xml(*objects, filename="x.jpg"):
    """The annotation of an image with objects such as `cat`, or `dog difficult`."""
    nodes = ""
    for one in objects:
        name, _, difficult = one.partition(" difficult")
        flag = "1" if one.endswith(" difficult") else difficult.strip() or "0"
        part = "<part><name>head</name></part>"
        nodes += f"<object>\n<name>{escape(name)}</name>\n<difficult>{flag}</difficult>\n{part}</object>\n"
    return f"<annotation>\n<filename>{escape(filename)}</filename>\n{nodes}</annotation>\n"


def write_voc(folder, images, lists):
    """A VOC folder: name -> objects, list -> names."""
    for part in ("Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_images(folder / "JPEGImages", [f"{name}.jpg" for name in images])
    for name, objects in images.items():
        (folder / "Annotations" / f"{name}.xml").write_text(xml(*objects))
    for name, names in lists.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{one}\n" for one in names))


IMAGES = {"a": ["cat", "dog", "cat"], "b": [], "c": ["dog difficult", "cat difficult", "cat"], "d": ["person"]}
LISTS = {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"], "test": ["d"]}
BASE = "VOCdevkit/VOC2007"


@pytest.fixture
def folder(tmp_path):
    write_voc(tmp_path / BASE, IMAGES, LISTS)
    return tmp_path


def read(folder, **settings):
    return voc(**({"root": str(folder), "size": 4, "cache_folder": str(folder / "cache")} | settings))


def labels(split):
    return [{CLASSES[column] for column in row.nonzero().flatten().tolist()} for row in split.targets]


def test_the_official_layout_needs_its_root_only(folder):
    data = read(folder)
    assert data.label_names == CLASSES
    assert labels(data.train) == [{"cat", "dog"}, set(), {"cat", "dog"}]
    assert data.train.ids == tuple(f"{BASE}/JPEGImages/{name}.jpg" for name in "abc")
    assert data.test is not None
    assert labels(data.test) == [{"person"}]
    assert data.notes == (
        "train: the list trainval, test: the list test of VOC2007",
        "1 label of train with difficult objects alone: dataset.difficult=count, held for true",
    )


def test_difficult_objects(folder):
    assert labels(read(folder, difficult="ignore").train)[2] == {"cat"}
    unknown = read(folder, difficult="unknown")
    assert labels(unknown.train)[2] == {"cat"}
    assert unknown.train.mask is not None
    assert (~unknown.train.mask).nonzero().tolist() == [[2, CLASSES.index("dog")]]
    typed = ["dataset=voc", f"dataset.root={folder}", "dataset.size=4", "dataset.difficult=unknown"]
    typed += ["dataset.train=trainval", "dataset.val=test"]
    conf = compose([*typed, "loss=zlpr", "backbone=patch", "backbone.patch=2"])
    with pytest.raises(ConfigError, match=r"or let labels of .* count as true: dataset\.difficult=count$"):
        objective_of(conf, share(conf))


@pytest.mark.parametrize("place", ["", "VOC2007", "TrainVal/VOCdevkit/VOC2011"])
def test_other_places(tmp_path, place):
    write_voc(tmp_path / place, IMAGES, LISTS)
    assert len(read(tmp_path).train) == 3


def test_lists(folder):
    lists = folder / BASE / "ImageSets" / "Main"
    chosen = read(folder, train="train", val="val", test="test")
    assert [len(split) for split in (chosen.train, chosen.val, chosen.test)] == [2, 1, 1]
    assert read(folder, train="trainval").test is None
    (folder / "mine.txt").write_text("\na\n\nd\n")
    assert labels(read(folder, train=str(folder / "mine.txt")).train) == [{"cat", "dog"}, {"person"}]
    kept = read(folder, val="val")
    assert (len(kept.train), len(kept.val), len(kept.test)) == (2, 1, 1)
    (lists / "test.txt").unlink()  # as of 2008 and later
    without = read(folder)
    assert without.test is not None
    assert (without.train.ids[-1][-5:], without.test.ids[0][-5:]) == ("b.jpg", "c.jpg")
    assert read(folder, val="val").test is None


def test_years(folder):
    write_voc(folder / "VOCdevkit" / "VOC2012", {"x": ["cow"]}, {"train": ["x"]})
    with pytest.raises(DataError, match=r"it holds VOC2007, VOC2012; type dataset\.year=YEAR"):
        read(folder)
    assert labels(read(folder, year=2012, train="train").train) == [{"cow"}]
    with pytest.raises(DataError, match=r"there is neither VOCdevkit/VOC2010 nor Annotations"):
        read(folder, year=2010)


def test_other_classes_and_other_files(tmp_path):
    write_voc(tmp_path, {"my image": ["zebra & co", "cat"], "b": ["ünicorn"]}, {"train": ["my image", "b"]})
    write_images(tmp_path / "JPEGImages", ["b.png"], 7)
    (tmp_path / "JPEGImages" / "b.jpg").unlink()
    data = read(tmp_path, train="train")
    assert data.label_names == ("cat", "zebra & co", "ünicorn")
    assert data.train.ids == ("JPEGImages/my image.jpg", "JPEGImages/b.png")
    assert data.notes == ("other classes than VOC's twenty: the labels are those that occur in the splits, 3",)


BOMB = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><annotation><filename>&y;</filename></annotation>'


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", r"a\.xml, line 1, column 1: not well-formed XML: no element found"),
        (xml("cat").encode()[:-5], r"a\.xml, line \d+, column \d+: not well-formed XML"),
        (b"<annotation>\n<object>\n</annotation>", r"a\.xml, line 3, column 3: not well-formed XML: mismatched tag"),
        (BOMB.encode(), r"a\.xml: not XML that can be read: a DOCTYPE, which could hold entities"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "a DOCTYPE, which could hold entities"),
        (b"<annotation>&x;</annotation>", "line 1, column 13: not well-formed XML: undefined entity"),
        (b"<annotations/>", r"a\.xml: <annotations> is not a VOC annotation; <annotation> is expected"),
        (xml("  ").encode(), r"a\.xml: object 1 has no <name>"),
        (xml("cat", "dog difficult 2").encode(), r"object 2 \(dog\): <difficult> is '2'; 0 or 1 is expected"),
        (xml("pérson").encode("latin-1"), "not well-formed XML: not well-formed"),
        (b"<?xml version='1.0' encoding='nothing'?><annotation/>", "unknown encoding"),
    ],
)
def test_annotations_that_are_refused(folder, raw, message):
    (folder / BASE / "Annotations" / "a.xml").write_bytes(raw)
    with pytest.raises(DataError, match=message):
        read(folder)


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_that_xml_tells(folder, name):
    declared = f"<?xml version='1.0' encoding='{name.removesuffix('-sig')}'?>" + xml("Löwe")
    (folder / BASE / "Annotations" / "a.xml").write_bytes(declared.encode(name))
    assert "Löwe" in read(folder).label_names


def test_an_annotation_of_no_sensible_size_is_refused(folder, monkeypatch):
    monkeypatch.setattr("mllc.data.voc_xml.LARGEST_BYTES", 10)
    with pytest.raises(DataError, match=r"a\.xml: over 0 MB, which no annotation of one image has"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", r"trainval\.txt: it lists no images"),
        ("a\nb\na\n", r"trainval\.txt, line 3: '.*a\.jpg' occurs already in .*line 1"),
        ("a\nzz\n", r"trainval\.txt, line 2: there is no annotation .*zz\.xml"),
        ("a  1\nb -1\n", r"line 1: there is no annotation .*; it looks like a list of one class: type another"),
        ("../../../../x\n", r"line 1: .* leads out of"),
        ("x" * 300 + "\n", r"line 1: there is no annotation"),
        ("\0\n", r"trainval\.txt, line 1: bytes of zero: no text"),
    ],
)
def test_lists_that_are_refused(folder, text, message):
    (folder / BASE / "ImageSets" / "Main" / "trainval.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_other_refusals(folder, monkeypatch):
    with pytest.raises(ConfigError, match=r"dataset\.difficult=no: count, unknown or ignore is needed"):
        read(folder, difficult="no")
    with pytest.raises(
        DataError, match=r"Main: there is no list 'tset' in it; type one of 'test', 'train', 'trainval'"
    ):
        read(folder, train="train", test="tset")
    with pytest.raises(DataError, match=r"dataset\.train=nowhere\.txt: there is no such file"):
        read(folder, train="nowhere.txt")
    with pytest.raises(DataError, match=r"neither VOCdevkit/VOC2007 nor Annotations.*dataset\.download=true"):
        read(folder / BASE / "Annotations")
    (folder / BASE / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"trainval\.txt, line 1: .*JPEGImages/a\.jpg: there is no such file"):
        read(folder)
    (folder / BASE / "Annotations" / "a.xml").unlink()
    (folder / BASE / "Annotations" / "a.xml").mkdir()
    with pytest.raises(DataError, match=r"line 1: there is no annotation .*a\.xml"):
        read(folder)
    asked = []
    monkeypatch.setattr("mllc.data.voc.fetch_voc", lambda root, year: asked.append((root, year)))
    read(folder, download=True, train="val")
    assert asked == [(folder, 2007)]


def test_samples_are_the_test_split_without_its_labels(folder):
    data = read(folder)
    own = {"root": str(folder), "year": None, "on_bad_image": "error"}
    (folder / BASE / "Annotations" / "d.xml").unlink()
    (found,) = samples(folder / BASE / "ImageSets" / "Main" / "test.txt", own, data.encoding)
    assert data.test is not None
    assert tuple(found.ids) == data.test.ids
    assert torch.equal(found.inputs, data.test.inputs[torch.arange(1)])
    (one,) = samples(folder / BASE / "JPEGImages" / "d.jpg", own, data.encoding)
    assert torch.equal(one.inputs, found.inputs)
    (folder / "paths.txt").write_text(f"{BASE}/JPEGImages/d.jpg\n")
    (listed,) = samples(folder / "paths.txt", own, data.encoding)
    assert tuple(listed.ids) == data.test.ids
    (folder / "paths.txt").write_text("\n")
    with pytest.raises(DataError, match=r"paths\.txt: it lists no images"):
        list(samples(folder / "paths.txt", own, data.encoding))
    (every,) = samples(folder / BASE / "JPEGImages", own, data.encoding)
    assert every.ids == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    with pytest.raises(DataError, match=r"INPUT x\.csv: an image, a folder of images or a list \(\.txt\) is needed"):
        samples((folder / "x.csv").relative_to(folder), own, data.encoding)


visible = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"))
names = st.text(visible, min_size=1, max_size=8).map(str.strip).filter(lambda name: name and " difficult" not in name)


@settings(max_examples=80)
@given(st.lists(st.tuples(names, st.booleans()), max_size=6), names)
def test_any_annotation_is_read_back(tmp_path, objects, filename):
    file = tmp_path / "a.xml"
    text = xml(*(name + " difficult" * doubt for name, doubt in objects), filename=filename)
    file.write_text(text, encoding="utf-8")
    assert read_annotation(file) == (filename, objects)


def test_any_bytes_give_a_data_set_or_one_message(folder):
    files = [folder / BASE / "Annotations" / "a.xml", folder / BASE / "ImageSets" / "Main" / "trainval.txt"]
    require_words(lambda: read(folder), *files, letters=b"&;!<>")
