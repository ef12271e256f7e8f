"""COCO files: categories with gaps, empty rows, crowds, layouts, every refusal by the annotation's id, any bytes."""

import json

import pytest
import torch
from damage import require_words
from formats import write_images
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.build import objective_of, share
from mllc.config.compose import compose
from mllc.data.coco import coco, samples
from mllc.data.coco_json import read_instances
from mllc.errors import ConfigError, DataError

CATEGORIES = [{"id": 90, "name": "tooth brush"}, {"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]


def annotation(number, image, category, **more):
    box = {"bbox": [1.5, 2, 3, 4], "segmentation": [[0.5, 1, 2, 3, 4, 5]], "area": 12}
    return {"id": number, "image_id": image, "category_id": category, "iscrowd": 0} | box | more


def content(images, annotations, categories=CATEGORIES):
    listed = [{"id": number, "file_name": name, "width": 12} for number, name in images.items()]
    return {"info": {}, "images": listed, "annotations": annotations, "categories": categories}


TRAIN = content(
    {7: "a.png", 3: "b.png", 12: "c.png"},
    [annotation(1, 7, 90), annotation(2, 7, 1), annotation(3, 7, 90), annotation(4, 12, 17, iscrowd=1)],
)
TEST = content({1: "d.png", 2: "e.png"}, [annotation(1, 1, 17), annotation(2, 2, 1)])


def write(file, what):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(what))


@pytest.fixture
def folder(tmp_path):
    """The official layout of 2017."""
    write_images(tmp_path, [f"train2017/{name}.png" for name in "abc"])
    write_images(tmp_path, [f"val2017/{name}.png" for name in "de"], 3)
    write(tmp_path / "annotations" / "instances_train2017.json", TRAIN)
    write(tmp_path / "annotations" / "instances_val2017.json", TEST)
    return tmp_path


def read(folder, **settings):
    return coco(**({"root": str(folder), "size": 4, "cache_folder": str(folder / "cache")} | settings))


def changed(folder, what):
    write(folder / "annotations" / "instances_train2017.json", what)
    return read(folder)


def test_the_official_layout_needs_its_root_only(folder):
    data = read(folder)
    assert data.label_names == ("person", "cat", "tooth brush")
    assert data.train.targets.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert data.train.ids == ("train2017/a.png", "train2017/b.png", "train2017/c.png")
    assert data.test is not None
    assert data.test.targets.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert data.test.ids == ("val2017/d.png", "val2017/e.png")
    assert (data.val, data.train.mask, data.input_shape) == (None, None, (3, 4, 4))
    assert data.notes == ("1 label of train with crowds alone: dataset.crowd=count, held for true",)


def test_crowds(folder):
    ignored = read(folder, crowd="ignore")
    assert ignored.train.targets.tolist()[2] == [0, 0, 0]
    assert ignored.notes == ("1 label of train with crowds alone: dataset.crowd=ignore, held for false",)
    unknown = read(folder, crowd="unknown")
    assert unknown.train.targets.tolist()[2] == [0, 0, 0]
    assert unknown.train.mask is not None
    assert unknown.train.mask.tolist() == [[True] * 3, [True] * 3, [True, False, True]]
    typed = ["dataset=coco", f"dataset.root={folder}", "dataset.size=4", "dataset.crowd=unknown"]
    typed.append(f"dataset.val={folder}/annotations/instances_val2017.json")
    conf = compose([*typed, "loss=zlpr", "backbone=patch", "backbone.patch=2"])
    with pytest.raises(ConfigError, match=r"or let labels of crowds alone count as true: dataset\.crowd=count$"):
        objective_of(conf, share(conf))
    TRAIN["annotations"].append(annotation(9, 12, 17))
    try:
        assert changed(folder, TRAIN).notes == ()  # one that is no crowd settles it
    finally:
        TRAIN["annotations"].pop()


def test_own_files_and_a_validation_split(folder):
    files = {name: str(folder / "annotations" / f"instances_{name}2017.json") for name in ("train", "val")}
    data = read(folder, train=files["train"], val=files["val"])
    assert data.test is None
    assert data.val is not None
    assert data.val.ids == ("val2017/d.png", "val2017/e.png")


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("annotations/instances_x.json", "x"),
        ("annotations/instances_x.json", "images/x"),
        ("annotations/labels.json", "."),
        ("labels.json", "images"),
        ("train/_annotations.coco.json", "train"),
    ],
)
def test_the_folder_of_the_images_is_found(tmp_path, file, images):
    write_images(tmp_path / images, ["a.png", "b.png", "c.png"])
    write(tmp_path / file, TRAIN)
    data = read(tmp_path, train=str(tmp_path / file))
    assert data.train.ids == tuple(f"{images}/{name}.png".removeprefix("./") for name in "abc")


def test_the_folder_of_the_images_is_given(folder):
    write_images(folder, [f"other/{name}.png" for name in "abc"], 5)
    assert read(folder, train_images="other").train.ids[0] == "other/a.png"
    with pytest.raises(DataError, match=r"dataset\.train_images=nowhere: there is no such folder in dataset\.root"):
        read(folder, train_images="nowhere")
    with pytest.raises(DataError, match=r"dataset\.train_images=x+: there is no such folder in dataset\.root"):
        read(folder, train_images="x" * 300)
    with pytest.raises(DataError, match=r"leads out of dataset\.root"):
        read(folder, train_images="..")


def test_names_may_hold_the_folder(folder):
    named = content({1: "train2017/a.png"}, [annotation(1, 1, 1)])
    assert changed(folder, named).train.ids == ("train2017/a.png",)


def test_lvis_names_its_images_by_url(folder):
    urls = {1: "train2017/a.png", 2: "val2017/d.png"}
    images = [{"id": i, "coco_url": f"http://images.cocodataset.org/{url}"} for i, url in urls.items()]
    write(folder / "lvis_v1_train.json", content({}, [annotation(1, 2, 17)]) | {"images": images})
    data = read(folder, train=str(folder / "lvis_v1_train.json"))
    assert data.train.ids == tuple(urls.values())
    assert data.train.targets.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert data.notes[0].startswith("lvis_v1_train.json: 2 images without file_name, found by coco_url, as in LVIS")


def edited(**changes):
    """TRAIN with `annotations__0__image_id=99` and the like changed."""
    copy = json.loads(json.dumps(TRAIN))
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        at = copy
        for part in way:
            at = at[part]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    return copy


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            edited(annotations__1__image_id=99),
            r"annotations\[1\] \(id 2\): image_id 99 is not the id of any of `images`",
        ),
        (
            edited(annotations__1__category_id=2),
            r"annotations\[1\] \(id 2\): category_id 2 is not the id of any of `cat",
        ),
        (edited(annotations__2__id=1), r"annotations\[2\] \(id 1\): the id occurs already"),
        (edited(annotations__2__iscrowd=2), r"\(id 3\): iscrowd is 2; 0 or 1 is expected"),
        (edited(annotations__2__iscrowd="no"), r"\(id 3\): iscrowd is \"no\"; 0 or 1 is expected"),
        (edited(annotations__0__image_id="7"), r"\(id 1\): image_id '7' is not the id"),
        (edited(annotations__0__category_id=1.5), r"\(id 1\): category_id is 1\.5; a whole number is expected"),
        (edited(annotations__0__category_id=True), r"\(id 1\): category_id is true; a whole number is expected"),
        (edited(annotations__0__category_id=...), r"\(id 1\): it has no category_id"),
        (edited(annotations__0=[]), r"annotations\[0\]: it is \[\]; an object is expected"),
        (edited(annotations=...), r"there is no `annotations`; it lists images only, without labels; COCO's instances"),
        (edited(categories=...), r"there is no `categories`; COCO's instances_\*\.json files are expected"),
        (edited(images="x"), r"`images` is \"x\"; a list is expected"),
        (edited(images=[], annotations=[]), r"instances_train2017\.json: it lists no images"),
        (edited(images__1__id=7), r"images\[1\] \(id 7\): the id occurs already"),
        (edited(images__1__file_name="a.png"), r"image id 3: 'train2017/a\.png' occurs already in .*image id 7"),
        (edited(images__1__file_name=...), r"images\[1\] \(id 3\): file_name is null; text is expected"),
        (edited(images__1__file_name=" "), r"file_name is \" \"; text is expected"),
        (edited(images__1__file_name="\ud800.png"), r"file_name is .*which is not text"),
        (edited(images__1__file_name="../../x.png"), r"image id 3: .* leads out of dataset\.root"),
        (edited(images__1__file_name="/etc/passwd"), r"image id 3: '/etc/passwd' leads out of dataset\.root"),
        (edited(images__1__file_name="gone.png"), r"image id 3: train2017/gone\.png: there is no such file"),
        (edited(categories__0__id=1), r"categories\[1\] \(id 1\): the id occurs already"),
        (edited(categories__0__id="x"), r"categories\[0\] \(id x\): id is \"x\"; a whole number is expected"),
        (
            edited(categories__0__name="cat"),
            r"categories\[2\] \(id 17\): the name 'cat' occurs already in categories\[0\]",
        ),
        (edited(categories__0__name=5), r"categories\[0\] \(id 90\): name is 5; text is expected"),
        (edited(categories=[], annotations=[]), r"val2017\.json: the category of id 1 is 'person', but missing in"),
        (edited(categories__2__name="dog"), r"val2017\.json: the category of id 17 is 'cat', but 'dog' in .*same cat"),
        ([TRAIN], r"a JSON object with images, annotations and categories is expected"),
    ],
)
def test_files_that_are_refused(folder, what, message):
    with pytest.raises(DataError, match=message):
        changed(folder, what)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b'{\n"images": [}', r"train2017\.json, line 2, column 12: not JSON"),
        (json.dumps(TRAIN).encode()[:-30], r"line 1, column \d+: not JSON"),
        (json.dumps(TRAIN).encode("utf-16"), r"not JSON in UTF-8: .* at byte 0"),
        (json.dumps(TRAIN).replace("person", "pérson").encode("latin-1"), "not JSON in UTF-8: .*save it as UTF-8"),
        (b"[" * 100_000, "not JSON that can be read: maximum recursion"),
        (b'{"images": ' + b"9" * 5000 + b"}", "not JSON that can be read: .*integer"),
        (json.dumps(TRAIN).encode("utf-8-sig"), None),
    ],
    ids=["empty", "broken", "cut", "utf-16", "latin-1", "deep", "large", "bom"],
)
def test_bytes_that_are_refused(folder, raw, message):
    (folder / "annotations" / "instances_train2017.json").write_bytes(raw)
    if message is None:
        assert len(read(folder).train) == 3
    else:
        with pytest.raises(DataError, match=message):
            read(folder)


def test_wrong_settings(folder, monkeypatch):
    with pytest.raises(ConfigError, match=r"dataset\.crowd=no: count, unknown or ignore is needed"):
        read(folder, crowd="no")
    with pytest.raises(
        DataError, match=r"no annotations/instances_train2014\.json in it; type .*dataset\.download=true"
    ):
        read(folder, year=2014)
    with pytest.raises(DataError, match=r"dataset\.train=x\.json: there is no such file"):
        read(folder, train="x.json")
    with pytest.raises(ConfigError, match=r"dataset\.year=2015: there is a download for 2014 and 2017"):
        read(folder, year=2015, download=True)
    asked = []
    monkeypatch.setattr("mllc.data.coco.fetch_coco", lambda root, year: asked.append((root, year)))
    read(folder, download=True)
    assert asked == [(folder, 2017)]


def test_samples_are_the_test_split_without_its_labels(folder):
    data = read(folder)
    file = folder / "annotations" / "instances_val2017.json"
    write(file, {"images": TEST["images"]})
    found = list(samples(file, {"root": str(folder), "on_bad_image": "error"}, data.encoding))
    assert data.test is not None
    assert tuple(name for part in found for name in part.ids) == data.test.ids
    assert torch.equal(torch.cat([part.inputs for part in found]), data.test.inputs[torch.arange(2)])
    (one,) = samples(folder / "val2017" / "e.png", {"root": str(folder)}, data.encoding)
    assert torch.equal(one.inputs[0], found[0].inputs[1])
    with pytest.raises(DataError, match=r"INPUT nowhere\.json: there is no such file"):
        list(samples(folder.joinpath("nowhere.json").relative_to(folder), {"root": str(folder)}, data.encoding))


def test_samples_know_the_folder_of_the_split_s_images(folder):
    data = read(folder)
    write_images(folder, ["other/d.png", "other/e.png"], 9)
    file = folder / "annotations" / "instances_val2017.json"
    own = {"root": str(folder), "test": str(file), "test_images": "other"}
    (found,) = samples(file, own, data.encoding)
    assert found.ids == ["other/d.png", "other/e.png"]


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).map(str.strip).filter(bool)


@settings(max_examples=60)
@given(st.data())
def test_any_file_is_read_back(tmp_path, data):
    identifiers = st.integers(0, 10**12)
    categories = data.draw(st.dictionaries(identifiers, names, min_size=1, max_size=5))
    categories = {number: f"{name} {number}" for number, name in categories.items()}
    images = {
        number: f"{number}.png" for number in data.draw(st.lists(identifiers, unique=True, min_size=1, max_size=6))
    }
    objects = st.tuples(st.sampled_from([*images]), st.sampled_from([*categories]), st.booleans())
    drawn = data.draw(st.lists(objects, max_size=12))
    annotations = [annotation(number, *pair, iscrowd=int(crowd)) for number, (*pair, crowd) in enumerate(drawn)]
    file = tmp_path / "x.json"
    listed = [{"id": number, "name": name} for number, name in categories.items()]
    file.write_text(json.dumps(content(images, annotations, listed), ensure_ascii=data.draw(st.booleans())))
    found = read_instances(file)
    assert list(found.categories.items()) == sorted(categories.items())
    assert found.images == images
    for image in images:
        assert found.named(image) == [(categories[c], crowd) for i, c, crowd in drawn if i == image]


def test_any_bytes_give_a_data_set_or_one_message(folder):
    require_words(lambda: read(folder), folder / "annotations" / "instances_train2017.json", letters=b"\\aE.-")
