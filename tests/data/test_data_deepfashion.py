"""DeepFashion: its lists and layouts, unknown values, every refusal by file and line."""

import shutil

import pytest
import torch
from damage import require_words
from formats import image
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.build import objective_of, share
from mllc.config.compose import compose
from mllc.data.deepfashion import deepfashion, samples
from mllc.data.recognise import recognise
from mllc.errors import ConfigError, DataError

NAMES = "3\nattribute_name  attribute_type\na-line                3\nabstract chevron print   1\nlace    2\n"
PATHS = [f"img/Blouse_{i // 2}/img_{i}.jpg" for i in range(1, 6)]
ROWS = ["-1  1 -1", " 1  1 -1", "-1 -1  0", " 1 -1  1", " 0  0  1"]
VALUES = "\n".join(
    ["5", "image_name  attribute_labels", *(f"{path}       {row}" for path, row in zip(PATHS, ROWS, strict=True)), ""]
)
SPLITS = ["train", "train", "train", "val", "test"]
PARTITION = "\n".join(
    ["5", "image_name  evaluation_status", *(f"{p}   {split}" for p, split in zip(PATHS, SPLITS, strict=True)), ""]
)


@pytest.fixture
def folder(tmp_path):
    """The files of DeepFashion, five images and three attributes."""
    for number, path in enumerate(PATHS, 1):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(image(number, "JPEG"))
    (tmp_path / "Anno").mkdir()
    (tmp_path / "Eval").mkdir()
    (tmp_path / "Anno" / "list_attr_cloth.txt").write_text(NAMES)
    (tmp_path / "Anno" / "list_attr_img.txt").write_text(VALUES)
    (tmp_path / "Eval" / "list_eval_partition.txt").write_text(PARTITION)
    return tmp_path


def read(folder, **settings):
    return deepfashion(**({"root": str(folder), "size": 4, "cache_folder": str(folder / "cache")} | settings))


def test_attributes_splits_and_unknown_values(folder):
    data = read(folder)
    assert data.label_names == ("a-line", "abstract chevron print", "lace")
    assert data.train.targets.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert data.train.ids == tuple(PATHS[:3])
    assert data.train.mask is not None
    assert data.train.mask.tolist() == [[True] * 3, [True] * 3, [True, True, False]]
    assert data.val is not None
    assert (data.val.targets.tolist(), data.val.mask) == ([[1, 0, 1]], None)
    assert data.test is not None
    assert data.test.mask is not None
    assert (data.test.targets.tolist(), data.test.mask.tolist()) == ([[0, 0, 1]], [[False, False, True]])
    assert data.notes == (
        "list_attr_img.txt: 3 values of 0, unknown (20.00%), left out; for false type dataset.unknown=false",
    )


def test_unknown_values_as_false(folder):
    data = read(folder, unknown=False)
    assert data.test is not None
    assert (data.train.mask, data.test.mask) == (None, None)
    assert data.test.targets.tolist() == [[0, 0, 1]]
    assert data.notes == ("list_attr_img.txt: 3 values of 0, unknown (20.00%), taken as false",)
    typed = compose(["dataset=deepfashion", f"dataset.root={folder}", "dataset.unknown=false"])
    assert typed["dataset"]["unknown"] is False
    for wrong in (True, "negative"):
        with pytest.raises(ConfigError, match=r"dataset\.unknown=(true|negative): mask or false is needed"):
            read(folder, unknown=wrong)


def test_losses_that_refuse_unknown_labels_say_what_to_type(folder):
    settings = ["dataset=deepfashion", f"dataset.root={folder}", "dataset.size=4", "loss=zlpr", "backbone=patch"]
    for typed in ([], ["dataset.unknown=false"]):
        conf = compose([*settings, *typed, "backbone.patch=2", "split.val=0.5"])
        shared = share(conf)
        if typed:
            assert objective_of(conf, shared).name == "zlpr"
        else:
            with pytest.raises(ConfigError, match=r"or let unknown labels count as false: dataset\.unknown=false$"):
                objective_of(conf, shared)


def test_a_list_without_minus_one_needs_a_word(folder):
    (folder / "Anno" / "list_attr_img.txt").write_text(VALUES.replace("-1", " 0"))
    with pytest.raises(DataError, match=r"list_attr_img\.txt: no value is -1, .* type dataset\.unknown=false"):
        read(folder)
    assert read(folder, unknown=False).train.targets.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_attribute_types(folder):
    data = read(folder, attribute_types=[3, 2])
    assert data.label_names == ("a-line", "lace")
    assert data.train.targets.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert data.train.mask is not None
    assert data.train.mask.tolist() == [[True, True], [True, True], [True, False]]
    with pytest.raises(ConfigError, match=r"no attribute has type 5; .* has types 1 \(texture\), 2 \(fabric\), 3"):
        read(folder, attribute_types=[1, 5])
    with pytest.raises(ConfigError, match=r"dataset\.attribute_types=\[\]: at least one type is needed; null keeps"):
        read(folder, attribute_types=[])


def _coarse(folder):
    (folder / "Anno").rename(folder / "Anno_coarse")


def _fine(folder):
    (folder / "Anno").rename(folder / "Anno_fine")


def _flat(folder):
    for file in [*folder.glob("Anno/*"), *folder.glob("Eval/*")]:
        file.rename(folder / file.name)


def _images_in_img(folder):
    (folder / "Img").mkdir()
    (folder / "img").rename(folder / "Img" / "img")


def _with_mark(folder):
    for file in [*folder.glob("Anno/*"), *folder.glob("Eval/*")]:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("change", [_coarse, _fine, _flat, _images_in_img, _with_mark])
def test_every_layout_is_read_the_same(folder, change):
    expected = read(folder).fingerprint
    change(folder)
    assert read(folder).fingerprint == expected
    found = recognise(folder)
    assert (found.dataset, found.settings) == ("deepfashion", {"root": str(folder)})


def test_files_elsewhere_and_several_sets_of_attributes(folder):
    expected = read(folder).fingerprint
    shutil.copytree(folder / "Anno", folder / "Anno_fine")
    (note, _) = read(folder).notes
    assert note == f"attributes are those of Anno; for others type dataset.annotations={folder / 'Anno_fine'}"
    (folder / "Eval").rename(folder / "other")
    elsewhere = {"annotations": folder / "Anno_fine", "partition": folder / "other" / "list_eval_partition.txt"}
    assert read(folder, **{key: str(path) for key, path in elsewhere.items()}).fingerprint == expected
    data = read(folder)
    assert (len(data.train), data.test) == (5, None)
    assert "no partition list is found: all images are train, other splits are carved from it" in data.notes


def test_garments_are_groups(folder):
    assert read(folder, group="folder").train.groups == ("img/Blouse_0", "img/Blouse_1", "img/Blouse_1")
    with pytest.raises(ConfigError, match=r"split\.group=item: DeepFashion has the group folder"):
        read(folder, group="item")


def test_wrong_counts_of_whole_rows_are_told(folder):
    (folder / "Anno" / "list_attr_cloth.txt").write_text(NAMES.replace("3\n", "1000\n", 1))
    (folder / "Anno" / "list_attr_img.txt").write_text(VALUES.replace("5\n", "289222\n", 1))
    (folder / "Eval" / "list_eval_partition.txt").write_text(PARTITION.replace("5\n", "7\n", 1) + "img/a.jpg train\n")
    told = read(folder).notes
    assert told[:4] == (
        "list_eval_partition.txt: its first line announces 7 images, but 6 whole rows follow",
        "list_attr_cloth.txt: its first line announces 1000 attributes, but 3 whole rows follow",
        "list_attr_img.txt: its first line announces 289222 images, but 5 whole rows follow",
        "list_eval_partition.txt: 1 image without attributes left out",
    )


NAMES_AT, VALUES_AT, PARTITION_AT = "Anno/list_attr_cloth.txt", "Anno/list_attr_img.txt", "Eval/list_eval_partition.txt"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (NAMES_AT, "", "the file is empty"),
        (NAMES_AT, "3\nattribute_name attribute_type\n", "it names no attributes"),
        (NAMES_AT, NAMES.replace("print   1", "print"), "line 4: a name and the number of its type are expected"),
        (NAMES_AT, NAMES.replace("a-line     ", ""), "line 3: a name and the number of its type are expected|cut off"),
        (NAMES_AT, NAMES.replace("lace", "a-line"), "line 5: the attribute 'a-line' occurs already"),
        (NAMES_AT, NAMES.replace("lace    2\n", ""), "line 3: an image and 3 values, but 2 are expected"),
        (NAMES_AT, NAMES.replace("lace    2", "lace    \u00b2"), "line 5: a name and the number of its type"),
        (VALUES_AT, "", "the file is empty"),
        (VALUES_AT, VALUES.removeprefix("5\n"), "line 1: the number of rows is expected there"),
        (VALUES_AT, "5\nimage_name attribute_labels\n", "it lists no images"),
        (VALUES_AT, VALUES[:-3], "line 7: an image and 2 values, but 3 are expected, one an attribute; is it cut off"),
        (VALUES_AT, VALUES.replace(" 1 -1  1", " 1 -1  2"), "line 6: value 3 is '2'; allowed are 1, -1, 0"),
        (VALUES_AT, VALUES.replace(" 1 -1  1", " 1 -1  nan"), "line 6: value 3 is 'nan'; allowed are 1, -1, 0"),
        (VALUES_AT, VALUES.replace("img_2", "img_9"), r"line 4: 'img/Blouse_1/img_9\.jpg' is not in .*partition\.txt"),
        (VALUES_AT, VALUES.replace(PATHS[1], PATHS[0]), "line 4: .* occurs already in .*, line 3"),
        (VALUES_AT, VALUES.replace(PATHS[1], "../../a.jpg"), r"line 4: .* leads out of dataset\.root="),
        (PARTITION_AT, PARTITION.replace("val", "query"), "line 6: an image and one of train, val, test are expected"),
        (PARTITION_AT, PARTITION.replace("train", "val"), "none of its images is in the training split"),
    ],
)
def test_lists_that_cannot_be_understood(folder, file, content, reason):
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=reason):
        read(folder)


@pytest.mark.parametrize("file", [NAMES_AT, VALUES_AT, PARTITION_AT])
def test_utf_16_is_refused(folder, file):
    (folder / file).write_text((folder / file).read_text(), encoding="utf-16")
    with pytest.raises(DataError, match=rf"{file}, line 1: the number of rows is expected there"):
        read(folder)


def test_files_that_are_not_there(folder):
    with pytest.raises(DataError, match=r"there is no list_attr_cloth\.txt with a list_attr_img\.txt in .*cache; type"):
        read(folder, annotations=str(folder / "cache"))
    (folder / PATHS[2]).unlink()
    with pytest.raises(DataError, match=r"list_attr_img\.txt, line 5: img/Blouse_1/img_3\.jpg: there is no such file"):
        read(folder)


def test_new_images_have_the_form_of_the_test_split(folder):
    data = read(folder)
    assert data.test is not None
    some = folder / "some.txt"
    for content in (f"1\nimage_name attribute_labels\n{PATHS[4]} 1\n", f"{PATHS[4]}\n"):
        some.write_text(content)
        ((ids, inputs),) = samples(some, {"root": str(folder)}, data.encoding)
        assert tuple(ids) == data.test.ids
        assert torch.equal(inputs, data.test.inputs[torch.tensor([0])])
        (there,) = samples(some, {"root": "gone"}, data.encoding)
        assert tuple(there.ids) == data.test.ids


WORDS = st.text("aé-'\"(,)Ω ", min_size=1, max_size=8).map(lambda text: " ".join(text.split())).filter(bool)


@settings(max_examples=25)
@given(st.data())
def test_what_is_written_is_read(tmp_path, data):
    names = data.draw(st.lists(WORDS, min_size=1, max_size=5, unique=True))
    values = data.draw(st.lists(st.tuples(*[st.sampled_from([-1, 0, 1])] * len(names)), min_size=1, max_size=4))
    values.append((-1,) * len(names))
    root = tmp_path / "any"
    shutil.rmtree(root, ignore_errors=True)
    (root / "img").mkdir(parents=True)
    (root / "list_attr_cloth.txt").write_text(
        "\n".join([str(len(names)), "names types", *(f"{name}   1" for name in names)]), encoding="utf-8"
    )
    lines = [f"img/{i}.png " + "  ".join(map(str, row)) for i, row in enumerate(values)]
    for i in range(len(values)):
        (root / "img" / f"{i}.png").write_bytes(image(i))
    (root / "list_attr_img.txt").write_text("\n".join([str(len(lines)), "a b", *lines]), encoding="utf-8")
    found = read(root)
    assert found.label_names == tuple(names)
    assert found.train.targets.tolist() == [[int(value > 0) for value in row] for row in values]
    known = [[value != 0 for value in row] for row in values]
    assert (found.train.mask is None) == all(map(all, known))
    assert found.train.mask is None or found.train.mask.tolist() == known


def test_damaged_files_are_refused_in_words(folder):
    files = [folder / name for name in (NAMES_AT, VALUES_AT, PARTITION_AT)]
    require_words(lambda: read(folder), *files, letters=bytes(range(256)))
