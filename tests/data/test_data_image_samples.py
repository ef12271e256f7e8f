"""New images: one file, a folder, a list of paths; in chunks, with what is skipped and what is refused."""

import logging
import os

import pytest
import torch
from damage import require_words
from formats import image
from hypothesis import given, settings
from hypothesis import strategies as st

from mllc.data.decode import decode
from mllc.data.image_list import Entry
from mllc.data.image_samples import entry_samples, image_samples, listed_root, names_images
from mllc.errors import DataError

ENCODING = {"size": 4}


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("b.png", "a.jpg", "sub/deep/c d.PNG", "sub/é.png")):
        file = tmp_path / "new" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image(number, "JPEG" if name.endswith("jpg") else "PNG"))
    return tmp_path


def read(path, given=None, encoding=None):
    """All ids, and all inputs as one tensor."""
    chunks = list(image_samples(path, given or {}, encoding or ENCODING))
    assert all(len(chunk.ids) == len(chunk.inputs) for chunk in chunks)
    return [name for chunk in chunks for name in chunk.ids], torch.cat([chunk.inputs for chunk in chunks])


def test_one_image(folder):
    ids, inputs = read(folder / "new" / "b.png")
    assert ids == ["b.png"]
    assert inputs.dtype == torch.uint8
    assert torch.equal(inputs[0], decode(image(0), 4))
    assert read(folder / "new" / "b.png", encoding={"size": 7})[1].shape == (1, 3, 7, 7)


def test_a_folder_with_its_folders_in_order(folder, caplog):
    (folder / "new" / "notes.txt").write_text("a.jpg\n")
    (folder / "new" / "._a.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "new" / ".hidden").mkdir()
    (folder / "new" / ".hidden" / "x.png").write_bytes(image(9))
    with caplog.at_level(logging.INFO, "mllc"):
        ids, inputs = read(folder / "new")
    assert ids == ["a.jpg", "b.png", "sub/deep/c d.PNG", "sub/é.png"]
    assert torch.equal(inputs, torch.stack([decode((folder / "new" / name).read_bytes(), 4) for name in ids]))
    assert "2 files left out: not images by their names" in caplog.text


def test_a_list_starts_from_the_root_else_from_its_own_folder(folder):
    (folder / "lists").mkdir()
    for file in (folder / "lists" / "new.txt", folder / "new" / "new.txt"):
        file.write_bytes("\ufeffsub/é.png\r\n\r\n ./b.png \r\nsub/deep/c d.PNG".encode())
    wanted = ["sub/é.png", "b.png", "sub/deep/c d.PNG"]
    assert read(folder / "lists" / "new.txt", {"root": str(folder / "new")})[0] == wanted
    for root in (None, "", str(folder / "gone")):
        assert read(folder / "new" / "new.txt", {"root": root})[0] == wanted
        assert listed_root(folder / "new" / "new.txt", {"root": root}) == folder / "new"


def test_a_list_may_name_images_elsewhere_by_their_whole_paths(folder):
    path = str(folder / "new" / "b.png")
    (folder / "new.txt").write_text(path)
    ids, inputs = read(folder / "new.txt", {"root": str(folder / "new" / "sub")})
    assert ids == [path]
    assert torch.equal(inputs[0], decode(image(0), 4))


def test_chunks(folder):
    (folder / "new.txt").write_text("new/b.png\nnew/sub/é.png\n" * 65)
    chunks = list(image_samples(folder / "new.txt", {}, ENCODING))
    assert [len(chunk.ids) for chunk in chunks] == [64, 64, 2]
    assert torch.equal(chunks[1].inputs[1], decode(image(3), 4))


def test_a_list_is_read_as_it_is_needed(folder):
    def endless():
        while True:
            yield Entry("b.png", (), "list.csv, line 2")

    samples = entry_samples(endless(), folder / "new", {}, ENCODING)
    assert [len(next(samples).ids) for _ in range(3)] == [64] * 3


def test_bad_images_are_refused_by_name_or_skipped(folder, caplog):
    (folder / "new" / "b.png").write_bytes(image(0)[:60])
    (folder / "new.txt").write_text("new/a.jpg\nnew/b.png\n\nnew/gone.png\nnew\n")
    with pytest.raises(DataError, match=r"new\.txt, line 2: new/b\.png: .* type --on-bad-image skip"):
        read(folder / "new.txt", {"on_bad_image": "error"})
    assert read(folder / "new.txt", {"on_bad_image": "skip"})[0] == ["new/a.jpg"]
    assert "3 images skipped; the first: " in caplog.text
    with pytest.raises(DataError, match=r"new: b\.png: "):
        read(folder / "new")
    with pytest.raises(DataError, match=r"new: b\.png: "):
        read(folder / "new" / "b.png")


def test_a_chunk_of_bad_images_only_is_left_out(folder):
    (folder / "new.txt").write_text("gone.png\n" * 64 + "new/a.jpg\n")
    chunks = list(image_samples(folder / "new.txt", {"on_bad_image": "skip"}, ENCODING))
    assert [chunk.ids for chunk in chunks] == [["new/a.jpg"]]
    (folder / "new.txt").write_text("gone.png\n")
    assert list(image_samples(folder / "new.txt", {"on_bad_image": "skip"}, ENCODING)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "INPUT .*the file is empty"),
        (b"\n \n", r"new\.txt: it lists no images"),
        (b"../x.png\n", r"line 1: '\.\./x\.png' leads out of"),
        (b"gone.png\n", r"line 1: gone\.png: there is no such file in "),
        (b"/etc/passwd\n", "line 1: /etc/passwd: not an image"),
        ("new/a.jpg\n".encode("utf-16"), "line 1: .*bytes of zero.*UTF-16"),
        ("new/a.jpg\n".encode("utf-16-le"), "line 1: .*bytes of zero.*UTF-16"),
        (b"new/\xe9.png\n", "line 1: new/é.png: there is no such file"),
    ],
)
def test_lists_that_are_refused(folder, content, message):
    (folder / "new.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(folder / "new.txt")


def test_other_refusals(folder):
    (folder / "none").mkdir()
    (folder / "none" / "a.csv").write_text("")
    with pytest.raises(DataError, match=r"none: there is no image in the folder \(files that end in one of \.bmp"):
        read(folder / "none")
    with pytest.raises(DataError, match=r"INPUT .*gone\.png: there is no such file"):
        read(folder / "gone.png")


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes")
def test_a_file_name_that_is_not_utf_8_becomes_printable(folder):
    file = os.fsencode(folder / "new") + b"/\xff.png"
    try:
        with open(file, "wb") as stream:
            stream.write(image(1))
    except OSError:
        pytest.skip("the file system wants UTF-8")
    assert read(folder / "new")[0][-1] == "�.png"


def test_what_names_images(folder):
    assert names_images(folder)
    assert names_images(folder / "a.JPG")
    assert names_images(folder / "list.txt")
    assert not names_images(folder / "list.csv")


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="/\\\x85"), max_size=8)


@settings(max_examples=30)
@given(names=st.lists(NAMES.map(lambda name: f"x{name.strip()}.png"), min_size=1, max_size=5, unique=True))
def test_any_names_are_read_back(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    for number, name in enumerate(names):
        (folder / name).write_bytes(image(number))
    (folder / "list.txt").write_text("\n".join(names), encoding="utf-8")
    ids, inputs = read(folder / "list.txt")
    assert ids == names
    assert torch.equal(inputs, torch.stack([decode(image(number), 4) for number in range(len(names))]))
    assert read(folder)[0] == sorted(names)


@pytest.mark.parametrize("bad", ["error", "skip"])
def test_damaged_lists_and_images_never_end_in_another_error(folder, bad):
    (folder / "new.txt").write_text("new/a.jpg\nnew/sub/deep/c d.PNG\nnew/b.png\n")

    def read_all():
        for chunk in image_samples(folder / "new.txt", {"on_bad_image": bad}, ENCODING):
            assert chunk.inputs.shape[1:] == (3, 4, 4)

    require_words(read_all, folder / "new.txt", folder / "new" / "b.png", letters=b"/.\r")


def test_paths_in_a_list_start_where_the_first_image_is(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    near, far, images = folder / "new.txt", folder / "elsewhere" / "new.txt", ["new/b.png", "new/a.jpg"]
    for file in (near, far):
        file.write_text("\n".join(images))
    root = {"root": str(folder / "elsewhere")}
    assert read(near, root)[0] == images, "from the list's own folder"
    monkeypatch.chdir(folder)
    assert read(far, root)[0] == images, "from here"
    far.write_text("gone.png\n")
    with pytest.raises(DataError, match=r"elsewhere/new\.txt, line 1: gone\.png: there is no such file in .*elsewhere"):
        read(far, root)


def test_a_name_too_long_is_no_image(folder):
    (folder / "new.txt").write_text("a" * 300 + ".png\n")
    with pytest.raises(DataError, match=r"new\.txt, line 1: a{300}\.png: "):
        read(folder / "new.txt", {"root": str(folder)})
