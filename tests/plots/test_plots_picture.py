import os
import re
import xml.etree.ElementTree as ET

import matplotlib
import pytest

from mllc.errors import StoreError
from mllc.plots import Picture, make_folder, style, write

NAMES = ("$x_1$", "löss 名前", "<&>", ' id="1.23456"')


@style.styled
def draw(names=NAMES):
    figure, [[axes]] = style.panels(1, 1, (5, 3), "A title\nwhere it comes from")
    for number, (name, look) in enumerate(style.looks(list(names)).items()):
        axes.plot([0, 1, 2], [number, 1, 2], label=name, **look.line(3))
    axes.axvspan(0, 1, hatch="//", alpha=0.2)
    axes.legend()
    return figure


def picture(name="curves"):
    return Picture(name, 'A "title" & more', "What <is> seen.", draw())


def test_the_svg_is_an_element_that_stands_alone_and_fits_into_a_page():
    text = picture().svg()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(one.startswith("curves-") for one in ids), "several pictures in one page must not collide"
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {one or other for one, other in used} <= set(ids)
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert "<style" not in text, "it would rule the whole page"
    title, description = root[0], root[1]
    assert (title.text, description.text) == ('A "title" & more', "What <is> seen.")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby", "").split() == [title.get("id"), description.get("id")]


def test_text_is_text_in_the_svg_and_a_dollar_is_a_dollar():
    found = {element.text for element in ET.fromstring(picture().svg()).iter("{http://www.w3.org/2000/svg}text")}
    assert {*NAMES, "A title", "where it comes from"} <= found


def test_the_same_picture_is_the_same_bytes():
    assert picture().svg() == picture().svg()
    assert picture().png() == picture().png()
    assert picture().png().startswith(b"\x89PNG")
    assert not re.search(r"20\d\d-\d\d-\d\d", picture().svg()), "a date"


def test_nothing_outside_is_changed_and_nothing_outside_changes_a_picture():
    before = dict(matplotlib.rcParams)
    plain = picture().svg()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"lines.linewidth": 9, "axes.facecolor": "red", "font.size": 30}):
        assert picture().svg() == plain


def test_a_picture_is_two_files(tmp_path):
    files = write([picture("a"), picture("b")], tmp_path)
    assert [file.name for file in files] == ["a.png", "a.svg", "b.png", "b.svg"]
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == picture("a").svg()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file is a file; type the name of a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be written"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(StoreError, match=r"nowhere/a.png cannot be written"):
        write([picture("a")], tmp_path / "nowhere")
    make_folder(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_of_somebody_else(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        make_folder(tmp_path)
