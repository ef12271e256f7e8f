"""Image lists as tables: CSV, TSV and Parquet; labels spelled in four ways; groups; new samples; damaged files."""

import csv
import io
import re
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from damage import require_words
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mllc.data.images import images, samples
from mllc.errors import ConfigError, DataError

NAMES = ("sun", "sea", "N/A", "nan", "None", "null")
"""A label may be called as others write what is missing."""


@pytest.fixture
def folder(tmp_path):
    """Four images of one colour each, a vocabulary."""
    (tmp_path / "root").mkdir()
    for number, name in enumerate("abcd", 1):
        stream = io.BytesIO()
        Image.fromarray(np.full((5, 7, 3), 10 * number, np.uint8)).save(stream, "PNG")
        (tmp_path / "root" / f"{name}.png").write_bytes(stream.getvalue())
    (tmp_path / "labels.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path


def read(folder, train="train.csv", **given):
    defaults = {"root": str(folder / "root"), "train": str(folder / train), "size": 4}
    return images(**(defaults | {"cache_folder": str(folder / "cache")} | given))


def write(folder, text, name="train.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def write_parquet(folder, name="train.parquet", **columns):
    pq.write_table(pa.table(columns), folder / name)


def labels(split, names):
    """The names of each sample's true labels."""
    return [[name for name, value in zip(names, row, strict=True) if value] for row in split.targets.tolist()]


def found(folder, train="train.csv", **given):
    data = read(folder, train, **given)
    return labels(data.train, data.label_names)


EXPECTED = [["sun", "sea"], [], ["N/A", "null"], ["nan", "None"]]
VOCABULARY = {"vocabulary": "labels.txt"}

SPELLINGS = {
    "joined": ("sun|sea", "", "N/A|null", " nan | None"),
    "joined by blanks": ("sun  sea", " ", "N/A null", "nan None "),
    "list": ("['sun', 'sea']", "[]", """["N/A", 'null']""", "['nan','None',]"),
    "list with empty cells": ('["sun", "sea"]', "", "['N/A', 'null']", "[ 'nan' , 'None' ]"),
    "index": ("0|1", "", "2|5", "3| 4"),
    "index as pandas writes it": ("0.0|1.0", "", "2.0|5.0", "3.0|4.0"),
    "index list": ("[0, 1]", "[]", "[2,5]", "[3, 4]"),
}


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("auto", [True, False], ids=["auto", "told"])
def test_spellings_of_one_column(folder, kind, how, auto):
    auto = auto and "pandas" not in how  # 1.0 may be a name: it has to be told
    cells = SPELLINGS[how]
    if kind == "parquet":
        write_parquet(folder, image=["a.png", "b.png", "c.png", "d.png"], n=[1, 2, 3, 4], labels=list(cells))
    else:
        mark = "," if kind == "csv" else "\t"
        quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        rows = [mark.join(row) for row in zip("1234", ("a.png", "b.png", "c.png", "d.png"), quoted, strict=True)]
        write(folder, "\r\n".join([mark.join(("n", "image", "labels")), *rows]), f"train.{kind}")
    given = {"separator": " "} if "blanks" in how else {}
    told = {} if auto else {"labels_as": how.split()[0]}
    assert found(folder, f"train.{kind}", vocabulary=str(folder / "labels.txt"), **given, **told) == [
        sorted(names, key=NAMES.index) for names in EXPECTED
    ]


def test_what_auto_chose_is_noted(folder):
    names = str(folder / "labels.txt")
    write(folder, "image,labels\na.png,\"['sun']\"\n")
    assert read(folder, vocabulary=names).notes == ("the labels are read as lists: dataset.labels_as=list",)
    write(folder, "image,labels\na.png,3\n")
    assert read(folder, vocabulary=names).notes == (
        "the labels are read as indices of the vocabulary, from 0: dataset.labels_as=index",
    )
    assert found(folder) == [["3"]]
    assert "whole numbers, taken as names; if they are indices, type dataset.labels_as=index" in read(folder).notes[0]
    assert read(folder, labels_as="joined").notes == ("no vocabulary is given: 1 label name found in the splits",)


def test_numbers_that_are_names_of_the_vocabulary(folder):
    given = {"vocabulary": str(folder / "labels.txt")}
    write(folder, "image,labels\na.png,0|2\nb.png,1\n")
    write(folder, "0\n1\n2\n", "labels.txt")
    assert found(folder, **given) == [["0", "2"], ["1"]], "names and indices say the same"
    write(folder, "2\n0\n1\n", "labels.txt")
    with pytest.raises(DataError, match=r"line 2: '0\|2' may be names of labels or indices .*labels_as=index, or =joi"):
        read(folder, **given)
    assert found(folder, labels_as="index", **given) == [["2", "1"], ["0"]]
    assert found(folder, labels_as="joined", **given) == [["2", "0"], ["1"]]
    write(folder, "2\n0\nx\n", "labels.txt")
    with pytest.raises(DataError, match=r"line 3: label '1' is not in dataset\.vocabulary"):
        read(folder, **given)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns(folder, kind):
    cells = {"image": ["a.png", "b.png", "c.png"], "sea side": [1, 0, 0], "No sun": [0, 1, 0], "sky": [1, 1, 0]}
    if kind == "parquet":
        write_parquet(folder, **{**cells, "sky": [1.0, 1.0, 0.0], "No sun": [False, True, False]})
    else:
        write(folder, "image,sea side,No sun,sky\na.png,1,0,1.0\nb.png,0,True,1.0\nc.png,0,FALSE,0.0\n")
    data = read(folder, f"train.{kind}", label_columns="rest")
    assert data.label_names == ("sea side", "No sun", "sky")
    assert labels(data.train, data.label_names) == [["sea side", "sky"], ["No sun", "sky"], []]
    assert data.notes == ()
    data = read(folder, f"train.{kind}", label_columns=["sky", "sea side"], labels_as="columns")
    assert data.label_names == ("sky", "sea side")
    write(folder, "sky\nNo sun\nsea side\n", "labels.txt")
    data = read(folder, f"train.{kind}", label_columns="rest", vocabulary=str(folder / "labels.txt"))
    assert data.label_names == ("sky", "No sun", "sea side")
    assert labels(data.train, data.label_names)[0] == ["sky", "sea side"]


def test_columns_in_another_order_and_an_index_of_pandas(folder):
    write(folder, ",image,x,y\n0,a.png,1,0\n1,b.png,0,1\n")
    write(folder, "y,x,image\n0,1,c.png\n", "test.csv")
    data = read(folder, test=str(folder / "test.csv"), label_columns="rest")
    assert data.label_names == ("x", "y")
    assert data.test is not None
    assert labels(data.test, data.label_names) == [["x"]]
    assert data.notes == ("a column without a name is left out of train.csv",)


def test_several_columns_of_indices(folder):
    write(folder, "image,first,second\na.png,0,1\nb.png,,\nc.png,5,\n")
    given = {"vocabulary": str(folder / "labels.txt"), "labels_as": "index", "label_columns": ["first", "second"]}
    assert found(folder, **given) == [["sun", "sea"], [], ["null"]]
    write_parquet(folder, image=["a.png", "b.png"], first=[0, None], second=[5.0, None])
    assert found(folder, "train.parquet", **given) == [["sun", "null"], []]


def test_numbers_in_lists_are_names_as_they_are_written(folder):
    long = "1234567890123456789012345"
    write(folder, f'image,labels\na.png,[{long}]\nb.png,"[007, 7]"\n')
    assert found(folder) == [[long], ["007", "7"]]
    write(folder, f"image,labels\na.png,{5:030d}\n")
    assert found(folder, vocabulary=str(folder / "labels.txt")) == [["null"]]


def test_lists_of_parquet(folder):
    write_parquet(folder, image=["a.png", "b.png", "c.png"], labels=[["sun", "N/A"], [], None])
    assert found(folder, "train.parquet") == [["N/A", "sun"], [], []]
    write_parquet(folder, image=["a.png", "b.png", "c.png"], labels=[[0, 5], [], None])
    assert found(folder, "train.parquet", vocabulary=str(folder / "labels.txt")) == [["sun", "null"], [], []]
    assert found(folder, "train.parquet") == [["0", "5"], [], []]
    write_parquet(folder, image=["a.png"], labels=pa.array(["sun|sea"]).dictionary_encode())
    assert found(folder, "train.parquet") == [["sea", "sun"]]
    write_parquet(folder, image=["a.png"], labels=[["sun", None]])
    with pytest.raises(DataError, match=r"train\.parquet, row 1: \['sun', None\] is not a list of names"):
        read(folder, "train.parquet")


@pytest.mark.parametrize(
    ("cells", "given"),
    [
        (("sun", "No Finding", "sea"), {}),
        (("['sun']", "['No Finding']", "['sea']"), {}),
        (("['sun']", "No Finding", "['sea']"), {}),
        (("0", "-1", "1"), {"empty_label": -1}),
        (("0", "6", "1"), {}),
    ],
)
def test_a_label_that_means_none(folder, cells, given):
    (folder / "labels.txt").write_text("\n".join([*NAMES, "No Finding"]))
    write(folder, "image,labels\n" + "".join(f'{i}.png,"{cell}"\n' for i, cell in zip("abc", cells, strict=True)))
    given = {"vocabulary": str(folder / "labels.txt"), "empty_label": "No Finding"} | given
    data = read(folder, **given)
    assert labels(data.train, data.label_names) == [["sun"], [], ["sea"]]
    assert ("No Finding" in data.label_names) == (given["empty_label"] == -1)
    assert not any("empty_label" in note for note in data.notes)


def test_a_column_that_means_none(folder):
    write(folder, "image,x,No Finding,y\na.png,1,0,0\nb.png,0,1,0\n")
    data = read(folder, label_columns="rest", empty_label="No Finding")
    assert data.label_names == ("x", "y")
    assert labels(data.train, data.label_names) == [["x"], []]
    write(folder, "image,x,No Finding,y\na.png,1,0,0\nb.png,0,1,1\n")
    with pytest.raises(DataError, match=r"line 3: 'No Finding' stands beside 'y', but dataset\.empty_label says"):
        read(folder, label_columns="rest", empty_label="No Finding")


def test_an_empty_label_that_is_never_met_is_noted(folder):
    write(folder, "image,labels\na.png,No Finding\n")
    assert any("every image has a label" in note for note in read(folder, empty_label="No finding").notes)


def test_an_image_has_one_spelling(folder):
    whole = folder / "root" / "a.png"
    write(folder, f"image,labels\n{whole},sun\n../root/b.png,sea\n./c.png,\n")
    write(folder, "image,labels\na.png,sun\n", "test.csv")
    data = read(folder, test=str(folder / "test.csv"))
    assert data.train.ids == ("a.png", "b.png", "c.png")
    assert "1 image of test is in train as well: 'a.png'" in data.notes


def test_groups(folder):
    write(folder, "image,labels,patient\na.png,sea,7\nb.png,sun,8\nc.png,,7\n")
    write(folder, "image,labels\nd.png,sea\n", "test.csv")
    data = read(folder, group="patient", test=str(folder / "test.csv"))
    assert data.train.groups == ("7", "8", "7")
    assert data.test is not None
    assert data.test.groups is None, "a split of its own needs no groups"
    write(folder, "image,patient,sea\na.png,7,1\nb.png,8,0\n")
    assert read(folder, group="patient", label_columns="rest").label_names == ("sea",)
    write_parquet(folder, image=["a.png", "b.png"], labels=["sea", ""], patient=[7, None])
    with pytest.raises(DataError, match=r"row 2: column 'patient' \(split\.group\) is empty"):
        read(folder, "train.parquet", group="patient")
    with pytest.raises(DataError, match=r"line 1: there is no column 'patent' .*did you mean split\.group=patient\?"):
        read(folder, group="patent", label_columns="rest")


def test_byte_order_mark_line_ends_and_cells_of_many_lines(folder):
    write(folder, b'\xef\xbb\xbfimage,text,labels\r\na.png,"one\r\ntwo, ""three""",sun\r\n\r\nb.png,,"sea\n side"\r\n')
    assert found(folder) == [["sun"], ["sea\n side"]]
    write(folder, 'image,text,labels\na.png,"one\ntwo",sun\nb.png,x\n')
    with pytest.raises(DataError, match="line 4: 2 values, but the header has 3 columns"):
        read(folder)
    write(folder, 'image,text,labels\na.png,x,sun\ngone.png,"one\ntwo",sun\n')
    with pytest.raises(DataError, match=r"line 3: gone\.png: there is no such file"):
        read(folder)


def test_tab_separated_cells_may_hold_commas(folder):
    write(folder, "image\tlabels\na.png\tsun,sea\n", "train.tab")
    assert found(folder, "train.tab", separator=",") == [["sea", "sun"]]
    write(folder, "image,labels\na.png,sun\n", "train.tsv")
    with pytest.raises(DataError, match="there is no column 'image' in the header 'image,labels'"):
        read(folder, "train.tsv")
    write(folder, 'image\tlabels\na.png\t"sun" sea\n', "train.tsv")
    with pytest.raises(DataError, match="line 2: not TSV"):
        read(folder, "train.tsv")


def test_latin_1_is_read_and_noted(folder):
    write(folder, "image,labels\na.png,Café\n".encode("latin-1"))
    assert found(folder) == [["Café"]]
    assert "train.csv is not UTF-8; read as Latin-1" in read(folder).notes


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("image,labels\na.png,6\n", {"labels_as": "index"}, "line 2: there is no label of index 6: .* 0 to 5"),
        ("image,labels\na.png,0\nb.png,17\n", {}, "line 3: there is no label of index 17"),
        ("image,labels\na.png," + "9" * 5000 + "\n", {"labels_as": "index"}, "there is no label of index 99999"),
        ("image,labels\na.png,-1\n", {"labels_as": "index"}, "line 2: '-1' is not the index of a label"),
        ("image,labels\na.png,1.5\n", {"labels_as": "index"}, "line 2: '1.5' is not the index of a label"),
        ("image,labels\na.png,0|sun\n", {"labels_as": "index"}, "line 2: 'sun' is not the index of a label"),
        ("image,labels\na.png,0||1\n", {"labels_as": "index"}, "line 2: '' is not the index of a label"),
        ("image,labels\na.png,0|1|0\n", {}, "line 2: an index occurs twice in .*; a row of 0 and 1"),
        ("image,labels\na.png,sun\n", {"labels_as": "list"}, "line 2: 'sun' is not a list of names .*labels_as=joined"),
        ("image,labels\na.png,['sun' 'sea']\n", {}, r"line 2: \"\['sun' 'sea'\]\" is not a list of names in quotes"),
        ("image,labels\na.png,[sun]\n", {}, r"line 2: '\[sun\]' is not a list of names in quotes"),
        ("image,labels\na.png,['sun' nan]\n", {}, "line 2: .* is not a list of names in quotes"),
        ("image,labels\na.png,\"['\\ud800']\"\n", {}, "line 2: .* is not a list of names in quotes"),
        ("image,labels\na.png,\"['sun', '']\"\n", {}, "line 2: an empty label name in"),
        ("image,labels\na.png,['sun']\nb.png,sea\n", {}, r"line 3: 'sea' is not a list, but .*line 2\); type"),
        ("image,sun\na.png,2\n", {"label_columns": "rest"}, "line 2: column 'sun' holds '2', not 0 or 1; .*=\\[A,B\\]"),
        ("image,sun\na.png,-1\n", {"label_columns": "rest"}, "line 2: column 'sun' holds '-1', not 0 or 1"),
        ("image,sun\na.png,\n", {"label_columns": ["sun"]}, "line 2: column 'sun' holds '', not 0 or 1"),
        ("image,sun\na.png,nan\n", {"label_columns": ["sun"]}, "line 2: column 'sun' holds 'nan', not 0 or 1"),
        ("image,sun\na.png,0\n", {"label_columns": ["snu"]}, "line 1: there is no column 'snu'.*did you mean .*=sun"),
        ("image,sun\na.png,0\n", {"label_columns": ["image"]}, "'image' is the column of the images as well"),
        ("image,sun\na.png,0\n", {"label_columns": ["sun", "sun"]}, "'sun' is named more than once"),
        ("image,sun,sun\na.png,0,0\n", {"label_columns": "rest"}, "line 1: the column 'sun' occurs more than once"),
        ("image\na.png\n", {"label_columns": "rest"}, "dataset.label_columns=rest, but there is no other column"),
        ("image,sky\na.png,1\n", {"label_columns": "rest"}, "1 column of labels not in dataset.vocabulary=.*: 'sky'"),
        ("image,sun\na.png,1\n", {"label_columns": "rest"}, "no column of labels for 'sea', 'N/A', 'nan'"),
        ("image,sun\na.png,1\n", {}, "no column 'labels' .*a column of 0 and 1, dataset.label_columns=rest"),
        ("image,labels\na.png,No|sun\n", {"empty_label": "No"}, "line 2: 'No' stands beside 'sun'"),
        ("image,labels\na.png,s\0un\n", {}, "line 2: bytes of zero"),
        ("image,labels\na.png,1|0\nb.png,0|0\n", {"vocabulary": None}, r"line 3: '0\|0' seems to be a 0 or 1 for each"),
        ('image,labels\na.png,"[0, 1, 0]"\n', {"vocabulary": None}, "a 0 or 1 for each.* dataset.labels_as=list"),
        ("image, labels\na.png,sun\n", {}, "no column 'labels' .* take out the blanks around ' labels' there"),
    ],
)
def test_lists_that_are_refused(folder, text, given, message):
    write(folder, text)
    with pytest.raises(DataError, match=message):
        read(folder, **({"vocabulary": str(folder / "labels.txt")} | given))


@pytest.mark.parametrize(
    "given",
    [
        {"labels_as": "comma"},
        {"labels_as": "columns"},
        {"labels_as": "joined", "label_columns": "rest"},
        {"labels_as": "index"},
        {"label_columns": "sun"},
        {"separator": ""},
    ],
)
def test_settings_that_are_refused(folder, given):
    with pytest.raises(ConfigError, match=f"dataset.{next(iter(given))}"):
        read(folder, **given)


def test_other_refusals(folder, monkeypatch):
    write(folder, "image,labels\na.png,sun\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"line 1: there is no column 'image' .*if it is UTF-16, save it as UTF-8"):
        read(folder)
    write(folder, "image,x\na.png,1\n")
    write(folder, "image,y\nb.png,1\n", "test.csv")
    with pytest.raises(DataError, match=r"test\.csv: not the columns of .*train\.csv: only one of them has 'x', 'y'"):
        read(folder, test=str(folder / "test.csv"), label_columns="rest")
    write(folder, "PAR1 and no more", "train.parquet")
    with pytest.raises(DataError, match=r"train\.parquet: cannot be read as Parquet: "):
        read(folder, "train.parquet")
    write_parquet(folder, image=[1], labels=["sun"])
    with pytest.raises(DataError, match=r"row 1: a path is needed, not '1'"):
        read(folder, "train.parquet")
    write_parquet(folder, image=["a.png"], labels=[b"sun"])
    with pytest.raises(DataError, match=r"row 1: b'sun' is not text; dataset\.labels_as says"):
        read(folder, "train.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=re.escape("type pip install 'mllc[parquet]'")):
        read(folder, "train.parquet")


def predicted(path, encoding=None, **given):
    chunks = list(samples(path, {"image_column": "image"} | given, encoding or {"size": 4}))
    return [name for chunk in chunks for name in chunk.ids], torch.cat([chunk.inputs for chunk in chunks])


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "txt"])
def test_samples_are_those_of_the_test_split(folder, kind):
    write(folder, "image,labels\na.png,sun\n")
    if kind == "parquet":
        write_parquet(folder, "test.parquet", image=["d.png", "b.png"], labels=["sun", ""])
    else:
        text = "image,labels\nd.png,sun\nb.png,\n"
        write(folder, text.replace(",", "\t") if kind == "tsv" else text, f"test.{kind}")
    data = read(folder, test=str(folder / f"test.{kind}"))
    assert data.test is not None
    ids, inputs = predicted(folder / f"test.{kind}", data.encoding, root=str(folder / "root"))
    assert tuple(ids) == data.test.ids
    assert torch.equal(inputs, data.test.inputs[torch.arange(2)])


def test_samples_need_no_labels(folder):
    write(folder, "path\nb.png\na.png\n", "new.csv")
    assert predicted(folder / "new.csv", root=str(folder / "root"), image_column="path")[0] == ["b.png", "a.png"]
    write(folder, "b.png\na.png\n", "new.txt")
    assert predicted(folder / "new.txt", root=str(folder / "root"))[0] == ["b.png", "a.png"]
    assert predicted(folder / "root")[0] == ["a.png", "b.png", "c.png", "d.png"]
    assert predicted(folder / "root" / "c.png")[0] == ["c.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\nb.png\n", "line 1: there is no column 'image' in the header 'path'"),
        ("image\n../x.png\n", "line 2: '../x.png' leads out of"),
        ("image\ngone.png\n", r"line 2: gone\.png: there is no such file"),
        ("image\nb.png,x\n", "line 2: 2 values, but the header has 1 column"),
        ("image\n", "it lists no images"),
    ],
)
def test_samples_that_are_refused(folder, text, message):
    write(folder, text, "new.csv")
    with pytest.raises(DataError, match=message):
        predicted(folder / "new.csv", root=str(folder / "root"))


NAME = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="|\0"), min_size=1, max_size=8)
NAME = NAME.filter(lambda name: name == name.strip() and not (name[0] == "[" and name[-1] == "]"))
ROWS = st.lists(st.lists(NAME, max_size=4, unique=True), min_size=1, max_size=4)


@settings(max_examples=40)
@given(rows=ROWS, kind=st.sampled_from(["csv", "tsv", "parquet"]), how=st.sampled_from(["joined", "list", "columns"]))
def test_any_labels_are_read_back(folder, rows, kind, how):
    paths = [f"{name}.png" for name, _ in zip("abcd", rows, strict=False)]
    names = sorted({name for row in rows for name in row} | {"x"})
    rows = [[*row, "x"] if number == 0 and "x" not in row else row for number, row in enumerate(rows)]
    given = {"labels_as": how}
    if how == "columns":
        names = [name for name in names if name != "image"] or ["x"]
        rows = [[name for name in row if name in names] for row in rows]
        table = {name: [str(int(name in row)) for row in rows] for name in names}
        given["label_columns"] = names
    else:
        table = {"labels": [repr(row) if how == "list" else "|".join(row) for row in rows]}
    columns = {"image": paths, **table}
    if kind == "parquet":
        write_parquet(folder, **columns)
    else:
        with (folder / f"train.{kind}").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, delimiter="," if kind == "csv" else "\t", quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    data = read(folder, f"train.{kind}", **given)
    assert data.label_names == tuple(names)
    assert [set(row) for row in labels(data.train, data.label_names)] == [set(row) for row in rows]


@pytest.mark.parametrize("kind", ["joined", "list", "columns", "index", "parquet"])
def test_damaged_lists_never_end_in_another_error(folder, kind):
    given = {}
    if kind == "columns":
        text = b"image,sun,sea\na.png,1,0\nb.png,0,0\nc.png,1,1\n"
        given = {"label_columns": "rest"}
    elif kind == "list":
        text = b"image,labels\na.png,\"['sun', 'sea']\"\nb.png,\"['sea']\"\nc.png,[]\n"
    elif kind == "index":
        text, given = b"image,labels\na.png,0|1\nb.png,\nc.png,5\n", {"vocabulary": str(folder / "labels.txt")}
    else:
        text = b"image,labels\na.png,sun|sea\nb.png,\nc.png,sun\n"
    name = "train.parquet" if kind == "parquet" else "train.csv"
    if kind == "parquet":
        write_parquet(folder, image=["a.png", "b.png"], labels=[["sun"], ["sea", "sun"]])
    else:
        write(folder, text, name)
    require_words(lambda: read(folder, name, **given), folder / name, letters=b",\"|[]\n\r'\\u")
