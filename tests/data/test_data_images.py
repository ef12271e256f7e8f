"""Image lists: labels, decoding, the cache, every refusal by file and line."""

import io
import json
import os
import re
import shlex
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mllc.config.compose import compose
from mllc.data.decode import decode
from mllc.data.images import images
from mllc.data.statistics import constant_labels, label_statistics
from mllc.errors import ConfigError, DataError

GRADIENT = np.stack(np.broadcast_arrays(np.arange(0, 240, 5)[:, None], np.arange(0, 256, 4)[None], 100), -1).astype(
    "uint8"
)


def encoded(array=GRADIENT, kind="PNG", mode=None, **settings) -> bytes:
    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(stream, kind, **settings)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Six images of one colour each (a.png is 10, b.png is 20, ...), a vocabulary and two lists."""
    (tmp_path / "root" / "sub").mkdir(parents=True)
    for number, name in enumerate(("a", "b", "c", "d", "sub/e", "sub/f"), 1):
        (tmp_path / "root" / f"{name}.png").write_bytes(encoded(np.full((5, 7, 3), 10 * number, np.uint8)))
    (tmp_path / "train.csv").write_text("image,labels\na.png,sea|sun\nb.png,\nc.png,N/A\nsub/e.png, sun \n")
    (tmp_path / "test.csv").write_text("image,labels\nd.png,sea\nsub/f.png,sky|sea\n")
    (tmp_path / "labels.txt").write_text("sun\nsea\nsky\nN/A\nnever\n")
    return tmp_path


def read(folder, **settings):
    defaults = {
        "root": str(folder / "root"),
        "train": str(folder / "train.csv"),
        "test": str(folder / "test.csv"),
        "vocabulary": str(folder / "labels.txt"),
        "size": 4,
        "cache_folder": str(folder / "cache"),
    }
    return images(**(defaults | settings))


def values(split):
    """The one colour of each image."""
    rows = split.inputs[torch.arange(len(split))]
    assert rows.dtype == torch.uint8
    assert rows.shape[1:] == (3, 4, 4)
    assert (rows == rows[:, :1, :1, :1]).all()
    return rows[:, 0, 0, 0].tolist()


def test_images_and_labels(folder):
    data = read(folder)
    assert data.label_names == ("sun", "sea", "sky", "N/A", "never")
    assert data.train.targets.tolist() == [[1, 1, 0, 0, 0], [0] * 5, [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]
    assert values(data.train) == [10, 20, 30, 50]
    assert data.train.ids == ("a.png", "b.png", "c.png", "sub/e.png")
    assert data.test is not None
    assert data.test.targets.tolist() == [[0, 1, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert values(data.test) == [40, 60]
    assert (data.kind, data.input_shape, data.val) == ("images", (3, 4, 4), None)
    assert data.notes == ()


def test_without_a_vocabulary_all_names_count(folder):
    data = read(folder, vocabulary=None)
    assert data.label_names == ("N/A", "sea", "sky", "sun")
    assert any("no vocabulary is given: 4 label names found" in note for note in data.notes)


def test_other_columns_and_separator(folder):
    (folder / "train.csv").write_text('n,tags,file\n1,"sea,sun",a.png\n2,,b.png\n')
    data = read(folder, image_column="file", label_column="tags", separator=",", test=None)
    assert data.train.targets.tolist() == [[1, 1, 0, 0, 0], [0] * 5]
    assert data.test is None


def test_images_shared_between_splits_are_noted(folder):
    (folder / "test.csv").write_text("image,labels\n./a.png,sea\nd.png,sea\n")
    assert "1 image of test is in train as well: 'a.png'" in read(folder).notes


def test_large_sets_stay_on_disk(folder, monkeypatch):
    in_memory = read(folder)
    monkeypatch.setattr("mllc.data.rows.TENSOR_LIMIT_BYTES", 0)
    mapped = read(folder)
    assert not isinstance(mapped.train.inputs, torch.Tensor)
    index = torch.tensor([3, 0, 3])
    assert torch.equal(mapped.train.inputs[index], in_memory.train.inputs[index])
    assert mapped.fingerprint == in_memory.fingerprint


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (encoded(), 0),
        (encoded(kind="JPEG", quality=100, subsampling=0), 3),
        (encoded(kind="WEBP", lossless=True), 0),
        (encoded(mode="RGBA"), 0),
        (encoded(kind="JPEG", mode="CMYK", quality=100, subsampling=0), 4),
    ],
    ids=["png", "jpeg", "webp", "alpha", "cmyk"],
)
def test_formats_are_converted_to_rgb(content, tolerance):
    image = decode(content, 64)
    # 48 x 64 becomes 64 x 64: rows are stretched, columns stay.
    columns = torch.arange(0, 256, 4).expand(64, 64)
    assert image.shape == (3, 64, 64)
    assert (image[1].int() - columns).abs().max() <= tolerance
    assert image[0, 0].float().mean() < 2 + tolerance
    assert image[0, -1].float().mean() > 233 - tolerance


def test_grey_and_16_bit_and_palette():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = torch.from_numpy(grey).expand(3, 16, 16)
    assert torch.equal(decode(encoded(grey), 16), expected)
    assert torch.equal(decode(encoded(grey.astype(np.uint16) * 257), 16), expected)
    assert torch.equal(decode(encoded(grey, mode="P"), 16), expected)


def test_transparent_palette_and_photograph_with_preview():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    transparent = encoded(grey, mode="P", transparency=bytes(range(256)))
    assert torch.equal(decode(transparent, 16), torch.from_numpy(grey).expand(3, 16, 16))
    preview = [Image.new("RGB", (8, 8))]
    photograph = encoded(GRADIENT, kind="MPO", save_all=True, append_images=preview)
    assert torch.equal(decode(photograph, 8), decode(encoded(kind="JPEG"), 8))


def test_exif_turns_the_image_upright():
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    turned = decode(encoded(kind="JPEG", quality=100, subsampling=0, exif=exif), 48)
    upright = decode(encoded(np.rot90(GRADIENT, -1).copy(), kind="JPEG", quality=100, subsampling=0), 48)
    assert (turned.int() - upright.int()).abs().float().mean() < 1


def test_resizing_smooths():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert ((decode(encoded(stripes), 8).int() - 100).abs() <= 13).all()  # 0 and 200 without smoothing


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not an image, but a text of some length", "not an image"),
        (encoded(np.ones((4, 4), np.float32), kind="TIFF"), "pixels of 32 bits"),
        (encoded(kind="JPEG")[:-200], "truncated"),
        (encoded()[: len(encoded()) // 2], "truncated"),
        (encoded()[:40], "not an image"),
        (
            encoded(kind="GIF", save_all=True, append_images=[Image.new("RGB", (64, 48))]),
            "an animation or a document of 2 images",
        ),
    ],
    ids=["empty", "text", "float", "jpeg", "png", "png head", "gif"],
)
def test_images_that_cannot_be_decoded(folder, content, reason):
    with pytest.raises(ValueError, match=reason):
        decode(content, 8)
    (folder / "root" / "c.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"train\.csv, line 4: c\.png: .*{reason}.*type dataset\.on_bad_image=skip"):
        read(folder)


def test_bad_images_are_skipped_and_counted(folder):
    (folder / "root" / "b.png").unlink()
    (folder / "root" / "c.png").write_bytes(encoded()[:100])
    for _ in range(2):  # decoded, then from the cache
        data = read(folder, on_bad_image="skip")
        assert data.train.ids == ("a.png", "sub/e.png")
        assert values(data.train) == [10, 50]
        assert data.train.targets.tolist() == [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
        assert any(note.startswith("2 images of train skipped; the first: ") for note in data.notes)
        with pytest.raises(DataError, match=r"line 3: b\.png: there is no such file \(and 1 more\)"):
            read(folder)
    (folder / "root" / "b.png").write_bytes(encoded(np.full((5, 7, 3), 99, np.uint8)))
    assert values(read(folder, on_bad_image="skip").train) == [10, 99, 50]


def test_the_cache_keeps_the_reason_of_each_kind_of_unreadable_file(folder):
    missing = folder / "root" / "b.png"
    missing.unlink()
    with pytest.raises(DataError, match=r"b\.png: there is no such file"):
        read(folder)
    missing.mkdir()
    with pytest.raises(DataError, match=r"b\.png: Is a directory"):
        read(folder)


@pytest.mark.parametrize("mark", [";", ",", "/", " "])
def test_another_separator_is_hinted_at(folder, mark):
    (folder / "train.csv").write_text(f'image,labels\na.png,"sea{mark}sun"\nb.png,"sky{mark}sun"\nc.png,sun\n')
    hint = re.escape(f"""type 'dataset.separator="{mark}"'""")
    with pytest.raises(DataError, match=rf"line 2: label 'sea{mark}sun' is not in .*separated by '\|' here; {hint}"):
        read(folder)
    note = f"no cell holds the separator '|', but 2 hold {mark!r}: if that separates labels, "
    told = [told for told in read(folder, vocabulary=None, test=None).notes if re.match(re.escape(note) + hint, told)]
    assert len(told) == (mark in ",;"), "a blank or a slash may well be part of a name"
    assert not any("separator" in told for told in read(folder, vocabulary=None, separator=mark).notes)
    (override,) = [word for word in shlex.split(hint.replace("\\", "")) if word.startswith("dataset.")]
    given = ["dataset=images", "dataset.root=x", "dataset.train=x", override]
    assert compose(given)["dataset"]["separator"] == mark


def test_no_image_is_left(folder):
    (folder / "train.csv").write_text("image,labels\nx.png,sea\n")
    for on_bad_image in ("skip", "error"):
        with pytest.raises(
            DataError, match=r"train: its one image cannot be read: .*csv, line 2: .*dataset\.root=.*root\?"
        ):
            read(folder, on_bad_image=on_bad_image)


def test_the_cache_saves_decoding_and_follows_the_content(folder, monkeypatch):
    first = read(folder)
    names = set(os.listdir(folder / "cache"))
    assert len(names) == 4  # pixels and their description, for two splits
    (folder / "root" / "a.png").rename(folder / "root" / "moved.png")
    train = folder / "train.csv"
    train.write_text(train.read_text().replace("a.png", "moved.png"))
    with monkeypatch.context() as patch:
        patch.setattr("mllc.data.image_files.decode", None)  # not needed any more
        assert read(folder).fingerprint == first.fingerprint
    (folder / "root" / "b.png").write_bytes(encoded(np.full((5, 7, 3), 99, np.uint8)))
    changed = read(folder)
    assert values(changed.train) == [10, 99, 30, 50]
    assert changed.fingerprint != first.fingerprint
    assert read(folder, size=5).input_shape == (3, 5, 5)
    assert len(os.listdir(folder / "cache")) == 10  # train again, then both at another size


@pytest.mark.parametrize("damage", ["cut", "flipped", "not numpy", "no description", "other description"])
def test_a_damaged_cache_is_made_again(folder, damage):
    first = read(folder)
    for array in (folder / "cache").glob("*.npy"):
        about, content = array.with_suffix(".jsonl"), bytearray(array.read_bytes())
        if damage == "cut":
            array.write_bytes(content[:-10])
        elif damage == "flipped":
            content[-5] ^= 1
            array.write_bytes(content)
        elif damage == "not numpy":
            array.write_bytes(b"x")
        elif damage == "no description":
            about.unlink()
        else:
            about.write_text(json.dumps([1]))
    assert read(folder).fingerprint == first.fingerprint
    assert not list((folder / "cache").glob(".*"))


def test_the_cache_folder(folder, monkeypatch):
    monkeypatch.setenv("MLLC_CACHE", str(folder / "elsewhere"))
    read(folder, cache_folder=None)
    assert len(os.listdir(folder / "elsewhere")) == 4
    (folder / "file").write_text("")
    with pytest.raises(DataError, match=r"the image cache cannot be written to .*file: .*; type cache=FOLDER"):
        read(folder, cache_folder=str(folder / "file"))


def test_a_full_disk_leaves_nothing_behind(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mllc.data.image_cache.Cache._write", full)
    with pytest.raises(
        DataError, match=r"No space left on device; type cache=FOLDER, .*\(192 bytes are needed for 4 x 4"
    ):
        read(folder, cache="disk")
    assert os.listdir(folder / "cache") == []


def test_images_too_large_for_memory_or_disk_are_refused_before_they_are_decoded(folder, monkeypatch):
    monkeypatch.setattr("mllc.data.image_files.decode", None)
    with pytest.raises(ConfigError, match=r"images of 1000000 x 1000000 pixels: 12 TB of memory needed.*dataset\.size"):
        read(folder, size=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(DataError, match=r"No space left on device; .*a smaller dataset\.size \(192 bytes are needed"):
        read(folder, cache="disk")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,labels\na.png,sea|snu\n",
            r"train\.csv, line 2: label 'snu' is not in dataset.vocabulary=.*did it mean 'sun'",
        ),
        ("image,labels\na.png,sea||sun\n", "line 2: an empty label name in 'sea||sun'".replace("|", r"\|")),
        ("image,labels\na.png,sea\nb.png\n", "line 3: 1 value, but the header has 2 columns"),
        ("image,labels\na.png,sea\n,sun\n", "line 3: no image is named"),
        ("image,labels\na.png,sea\nb.png,\n./a.png,\n", r"line 4: 'a.png' occurs already in .*train\.csv, line 2"),
        ("image,labels\na.png,sea\n../root/a.png,\n", r"line 3: 'a.png' occurs already in .*train\.csv, line 2"),
        ("image,labels\n../train.csv,sea\n", "line 2: '../train.csv' leads out of dataset.root"),
        ("image,labels\n/etc/passwd,sea\n", "line 2: '/etc/passwd' leads out of dataset.root"),
        ("image,labels\nzz.png,sea\n", "line 2: zz.png: there is no such file"),
        ("image,labels\nsub,sea\n", "line 2: sub: Is a directory"),
        ('image,labels\n"a.png,sea\n', "line 2: not CSV: a quoted cell that does not end"),
        ('image,labels\na.png,\n"b.png,sea\nc.png,\nd.png,\n', "line 3: not CSV: a quoted cell .*from line 3 to 5"),
        ('image,labels\na.png,\n"b.png,sea\nc.png,"sea"\n', "line 3: not CSV: .*from line 3 to 4: a quote is left"),
        ('image,"labels\na.png,sea\n', "line 1: not CSV: a quoted cell that does not end"),
        ("image;labels\na.png;sea\n", "line 1: there is no column 'image' in the header 'image;labels'; .*semicolons"),
        ("image\tlabels\na.png\tsea\n", "line 1: there is no column 'image' .*by tabs: name the file .tsv"),
        ("a.png,sea\nb.png,sun\n", "line 1: there is no column 'image' .*a row: put a header .*, such as image,labels"),
        ("Image,labels\na.png,sea\n", "did you mean dataset.image_column=Image"),
        ("image,tags\na.png,sea\n", "there is no column 'labels' .*type dataset.label_column=NAME"),
        ("image,labels,image\na.png,sea,b.png\n", "occurs more than once in the header"),
        ("image,labels\n", "it lists no images"),
        ("", "the file is empty"),
    ],
)
def test_lists_that_are_refused(folder, text, message):
    (folder / "train.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_other_refusals(folder):
    with pytest.raises(
        DataError, match=r"label_column=image is the column of the images as well; .*other columns: labels"
    ):
        read(folder, label_column="image")
    with pytest.raises(DataError, match=r"dataset.test=nowhere.csv: there is no such file"):
        read(folder, test="nowhere.csv")
    with pytest.raises(DataError, match="line 1: there is no column 'image' in the header"):
        read(folder, train=str(folder / "root" / "a.png"))
    (folder / "labels.txt").write_text("sun\n\nsea\nsun\n")
    with pytest.raises(DataError, match=r"labels.txt, line 4: label 'sun' occurs already in line 1"):
        read(folder)
    with pytest.raises(ConfigError, match=r"dataset\.separator is empty"):
        read(folder, separator="")


@pytest.mark.slow
def test_real_images(real_data, tmp_path):
    corel = real_data / "corel5k"
    data = images(
        root=str(corel),
        train=str(corel / "train.csv"),
        test=str(corel / "test.csv"),
        vocabulary=str(corel / "labels.txt"),
        size=32,
        cache_folder=str(tmp_path),
    )
    assert data.test is not None
    assert (len(data.train), len(data.test), len(data.label_names)) == (4500, 499, 374)
    assert data.train.targets.double().sum(1).mean().item() == pytest.approx(3.5, abs=0.05)
    assert constant_labels(data.label_names, label_statistics(data.train)) == [
        "3 of 374 labels are never true in training: 'grouper', 'moss', 'aerial'"
    ]
    means = data.train.inputs[torch.arange(4500)].float().mean((0, 2, 3))
    assert ((means > 80) & (means < 130)).all()  # photographs, not zeros
