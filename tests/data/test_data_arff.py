"""ARFF: dense and sparse files, where the labels are, features as numbers, every refusal by file and line."""

import contextlib
import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mllc.data.arff import arff, samples
from mllc.data.arff_header import split_values, unescape
from mllc.data.rows import Sparse, dense
from mllc.errors import DataError, MllcError

HEADER = """% a comment
@RELATION 'Music: -C -2 -split-number 2'

@attribute 'tempo' numeric
@attribute\tkey {minor,'two words',major} % in Europe
@attribute loud{no,yes}
@attribute sad {0,1}
@attribute 'rock\\'n\\~roll?' {0,1}
@Data
"""
DENSE = "1.5, minor, yes, 0, 1\n\n% in between\n-2e3,'two words',no,1,0\n0,major,?,0,0\n"
SPARSE = "{0 1.5, 2 yes, 4 1}\n{ 0 -2e3,1 'two words', 3 1 }\n{1 major,2 ?}\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.arff", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    return write


def xml(*names):
    labels = "".join(f'<label name="{name}"></label>' for name in names)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<labels xmlns="http://mulan.sourceforge.net/labels">{labels}</labels>'
    )


@pytest.mark.parametrize("rows", [DENSE, SPARSE, SPARSE.replace("{0 1.5, 2 yes, 4 1}", "1.5,minor,yes,0,1")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dense_and_sparse_rows_say_the_same(write, rows, end):
    data = arff(train=write((HEADER + rows).replace("\n", end)), standardize=False)
    # tempo, loud, then one column a value of key; the missing `loud` is the mean of the two known.
    expected = [[1.5, 1, 1, 0, 0], [-2000, 0, 0, 1, 0], [0, 0.5, 0, 0, 1]]
    assert data.label_names == ("sad", "rock'n~roll?")
    assert data.train.inputs[torch.arange(3)].tolist() == expected
    assert data.train.inputs[torch.arange(3)].dtype == torch.float32
    assert data.train.targets.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert data.train.targets.dtype == torch.uint8
    assert data.train.mask is None
    assert data.train.ids == ("train:0", "train:1", "train:2")
    assert (data.kind, data.input_shape, data.val, data.test) == ("features", (5,), None, None)
    assert "1 missing feature value imputed with the mean of the training file" in data.notes
    assert "the labels are the last 2 attributes, as -C says" in data.notes
    assert any("-split" in note for note in data.notes)


def test_the_first_labels(write):
    text = "@relation x\n@attribute a {0,1}\n@attribute b {0,1}\n@attribute x numeric\n@data\n1,0,5\n0,0,6\n"
    data = arff(train=write(text), num_labels=2, standardize=False)
    assert data.label_names == ("a", "b")
    assert data.train.inputs[torch.arange(2)].tolist() == [[5.0], [6.0]]


def test_xml_order_and_escapes_and_stale_count(write):
    file = write(xml("rock\\'n\\~roll?", "sad"), "labels.xml")
    train = write(HEADER.replace("-C -2", "-C 2") + DENSE)
    data = arff(train=train, labels=file)
    assert data.label_names == ("sad", "rock'n~roll?")  # the order of the ARFF file
    assert any("says -C 2" in note and "labels.xml" in note for note in data.notes)
    agreed = arff(train=write(HEADER + DENSE), labels=file)
    assert not any("-C" in note for note in agreed.notes)


def test_nested_xml_labels_count(write):
    nested = '<labels><label name="sad"><label name="rock\'n~roll?"/></label></labels>'
    assert len(arff(train=write(HEADER + DENSE), labels=write(nested, "l.xml")).label_names) == 2


def test_nominal_order_of_a_label_decides_what_a_sparse_row_leaves_out(write):
    text = "@relation x\n@attribute x numeric\n@attribute a {1,0}\n@attribute b numeric\n@data\n{}\n{1 0,2 1}\n"
    assert arff(train=write(text), num_labels=-2).train.targets.tolist() == [[1, 0], [0, 1]]


def test_unknown_labels_are_masked(write):
    data = arff(train=write(HEADER + DENSE.replace("yes, 0, 1", "yes, ?, 1")))
    assert data.train.mask is not None
    assert data.train.mask.tolist() == [[False, True], [True, True], [True, True]]
    assert data.train.targets.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert any("1 label entries are ?" in note for note in data.notes)


def test_a_quoted_question_mark_is_a_value(write):
    text = "@relation x\n@attribute k {'?',b}\n@attribute y {0,1}\n@data\n'?',0\nb,1\n?,1\n"
    data = arff(train=write(text), num_labels=-1)
    assert data.train.inputs[torch.arange(3)].tolist() == [[0.0], [1.0], [0.5]]


def test_row_identifiers_are_dropped(write):
    values = ",".join(f"p{i}" for i in range(20))
    head = f"@relation x\n@attribute id {{{values}}}\n@attribute x numeric\n@attribute y {{0,1}}\n@data\n"
    train = write(head + "".join(f"p{19 - i},{i},{i % 2}\n" for i in range(10)))
    test = write(head + "p3,9,1\n", "test.arff")
    data = arff(train=train, test=test, num_labels=-1, standardize=False)
    assert data.input_shape == (1,)
    assert "row identifiers dropped: 'id'" in data.notes
    assert data.test is not None
    assert data.test.ids == ("test:0",)
    twice = write(head + "".join(f"p{i // 2},{i},{i % 2}\n" for i in range(12)))
    assert arff(train=twice, num_labels=-1).input_shape == (21,)
    few = write(head + "p0,1,0\np1,2,1\n")
    assert arff(train=few, num_labels=-1).input_shape == (21,)


def test_standardized_and_imputed_by_the_training_file(write):
    head = "@relation x\n@attribute x numeric\n@attribute c numeric\n@attribute b {0,1}\n@attribute y {0,1}\n@data\n"
    train = write(head + "1,.1,1,0\n3,.1,0,1\n?,.1,0,0\n")
    test = write(head + "5,.1,1,1\n?,.2,?,0\n", "test.arff")
    data = arff(train=train, test=test, num_labels=-1)
    assert data.test is not None
    deviation = np.std([1, 3, 2])  # the missing one is the mean of 1 and 3
    rows = [[(5 - 2) / deviation, 0, 1], [0, 0.1, 1 / 3]]
    np.testing.assert_allclose(data.test.inputs[torch.arange(2)], rows, atol=1e-7)
    assert "2 numeric features standardized by the training file" in data.notes
    raw = arff(train=train, test=test, num_labels=-1, standardize=False)
    assert raw.train.inputs[torch.tensor([1])].tolist() == [[3.0, pytest.approx(0.1), 0.0]]


def test_sparse_files_are_not_standardized(write):
    rows = arff(train=write(HEADER + SPARSE)).train.inputs
    assert rows[torch.tensor([1])][0, 0] == -2000


def test_the_training_file_decides_for_dense_and_sparse_files_together(write):
    dense, sparse = write(HEADER + DENSE, "dense.arff"), write(HEADER + SPARSE, "sparse.arff")
    unsaid = "features are not standardized: the training file is sparse, though another is dense"
    by_dense, by_sparse = arff(train=dense, test=sparse), arff(train=sparse, test=dense)
    assert unsaid in by_sparse.notes
    assert by_sparse.test.inputs[torch.tensor([1])][0, 0] == -2000
    assert unsaid not in by_dense.notes
    assert torch.equal(by_dense.test.inputs, by_dense.train.inputs)
    assert unsaid not in arff(train=sparse, test=sparse).notes


def test_training_and_test_on_the_same_file_is_said(write):
    train, copy = write(HEADER + DENSE), write(HEADER + DENSE, "copy.arff")
    other = write(HEADER + DENSE.replace("no,1,0", "no,1,1"), "other.arff")
    for test in (train, copy):
        assert any(
            note.startswith("dataset.test holds the same as dataset.train")
            for note in arff(train=train, test=test).notes
        )
    assert not any("holds the same" in note for note in arff(train=train, test=other).notes)


def test_files_stay_sparse_until_the_feed(write):
    sparse = arff(train=write(HEADER + SPARSE))
    assert isinstance(sparse.train.inputs, Sparse)
    dense = arff(train=write(HEADER + DENSE), standardize=False)
    index = torch.tensor([2, 0, 2])
    assert torch.equal(sparse.train.inputs[index], dense.train.inputs[index])


def read_samples(path, encoding):
    parts = list(samples(Path(path), {}, json.loads(json.dumps(encoding))))
    return [name for part in parts for name in part.ids], torch.cat([part.inputs for part in parts])


IDS = "@attribute id {" + ",".join(f"p{i}" for i in range(20)) + "}\n"


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("rows", [DENSE, SPARSE])
def test_new_samples_are_those_of_the_test_split(write, rows, standardize):
    train = write(HEADER + rows)
    test = write(HEADER + "3,major,yes,1,0\n?,?,?,0,1\n% said\n\n{0 2, 1 'two words'}\n", "test.arff")
    data = arff(train=train, test=test, standardize=standardize)
    ids, inputs = read_samples(test, data.encoding)
    assert torch.equal(inputs, dense(data.test.inputs))
    assert ids == ["test.arff:0", "test.arff:1", "test.arff:2"]
    # Without labels, in another order, or with labels that are not known.
    bare = HEADER.replace("@attribute sad {0,1}\n", "").replace("@attribute 'rock\\'n\\~roll?' {0,1}\n", "")
    bare = bare.replace("@attribute 'tempo' numeric\n", "").replace("@Data", "@attribute tempo numeric\n@Data")
    new = write(bare + "major,yes,3\n?,?,?\n{0 'two words', 2 2}\n", "new.arff")
    assert torch.equal(read_samples(new, data.encoding)[1], inputs)
    unknown = write(HEADER + "3,major,yes,?,?\n?,?,?,?,?\n{0 2, 1 'two words', 3 ?}\n", "unknown.arff")
    assert torch.equal(read_samples(unknown, data.encoding)[1], inputs)


def test_new_samples_of_other_identifiers_and_groups(write):
    head = f"@relation x\n{IDS}@attribute site {{a,b}}\n@attribute x numeric\n@attribute y {{0,1}}\n@data\n"
    train = write(head + "".join(f"p{i},a,{i},{i % 2}\n" for i in range(12)))
    data = arff(train=train, num_labels=-1, group="site")
    new = write("@relation x\n@attribute x numeric\n@attribute id {z,y}\n@data\n" + "5.5,z\n" * 3000, "new.arff")
    ids, inputs = read_samples(new, data.encoding)
    assert (len(ids), ids[-1], inputs.shape) == (3000, "new.arff:2999", (3000, 1))
    assert inputs.abs().max().item() == pytest.approx(0, abs=1e-7)
    assert max(len(part.ids) for part in samples(Path(new), {}, data.encoding)) == 1024


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@attribute 'tempo' numeric\n", "", "new.arff: attribute 'tempo' is missing, which the model was trained on"),
        ("{no,yes}", "{yes,no}", "line 6: attribute 'loud' {yes,no}, but the model was trained on 'loud' {no,yes}"),
        (
            "'tempo' numeric",
            "'tempo' {a,b}",
            "line 4: attribute 'tempo' {a,b}, but the model was trained on 'tempo'",
        ),
        ("@Data", "@attribute more numeric\n@Data", "line 9: the model was not trained on these attributes: 'more'"),
        (DENSE, "", "there are no rows behind @data"),
        ("0,major,?,0,0\n", "nan,major,?,0,0\n", "line 14: 'nan' is not a finite number"),
    ],
)
def test_new_samples_that_are_refused(write, old, new, message):
    encoding = arff(train=write(HEADER + DENSE)).encoding
    assert old in HEADER + DENSE
    with pytest.raises(DataError, match=message):
        read_samples(write((HEADER + DENSE).replace(old, new), "new.arff"), encoding)


@pytest.mark.parametrize("seed", range(150))
def test_spoiled_bytes_never_end_in_a_traceback(write, tmp_path, seed):
    draw = random.Random(seed)
    content = bytearray((HEADER + draw.choice([DENSE, SPARSE])).encode())
    for _ in range(draw.randint(1, 6)):
        content[draw.randrange(len(content))] = draw.choice([draw.randrange(256), *b"0123456789{},.? \n-%@'"])
    (tmp_path / "spoiled.arff").write_bytes(bytes(content))
    with contextlib.suppress(MllcError):
        arff(train=str(tmp_path / "spoiled.arff"))
    with contextlib.suppress(MllcError):
        read_samples(tmp_path / "spoiled.arff", arff(train=write(HEADER + DENSE)).encoding)


def test_latin_1_is_said(write):
    data = arff(train=write(HEADER.replace("'tempo'", "'tempó'") + DENSE, encoding="latin-1"))
    assert "train.arff is not UTF-8; read as Latin-1" in data.notes
    assert not any("Latin" in note for note in arff(train=write("\ufeff" + HEADER + DENSE)).notes)


def test_fingerprint_follows_the_content(write):
    one = arff(train=write(HEADER + DENSE)).fingerprint
    assert arff(train=write(HEADER + SPARSE, "other.arff"), standardize=True).fingerprint != one  # not standardized
    assert arff(train=write("% said\n" + HEADER + DENSE, "third.arff")).fingerprint == one
    assert arff(train=write(HEADER + DENSE.replace("no,1,0", "no,1,1"))).fingerprint != one


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,minor,yes,0\n", r"train\.arff, line 10: 4 values, but 5 attributes are declared"),
        ("1,minor,yes,0,1,\n", "6 values"),
        ("1,minor,yes,0,1\n1,minor,yes,0,2\n", "line 11: '2' is not one of the declared values of attribute \"rock"),
        ("1,flat,yes,0,1\n", "'flat' is not one of the declared values of attribute 'key'"),
        ("nan,minor,yes,0,1\n", "'nan' is not a finite number of attribute 'tempo' numeric"),
        ("-inf,minor,yes,0,1\n", "'-inf' is not a finite number"),
        ("1e39,minor,yes,0,1\n", "not a finite number"),
        ("1_0,minor,yes,0,1\n", "not a finite number"),
        (",minor,yes,0,1\n", "'' is not a finite number"),
        ("1,'two words,yes,0,1\n", "the quote is not closed"),
        ("{0 1, 5 1}\n", "index 5 is not among the attributes 0 to 4"),
        ("{-1 1}\n", "index -1 is not among"),
        ("{3 1, 0 2, 3 1}\n", "index 3 occurs twice"),
        ("{0 1, 3 1\n", "does not end with '}'"),
        ("{0 1, 3}\n", "`index value` is expected, not '3'"),
        ("{0 1 3 1}\n", "`index value` is expected"),
        ("{tempo 1}\n", "`index value` is expected, not 'tempo 1'"),
        ("{1 'two words' 3 1}\n", "`index value` is expected"),
        ("", "no rows behind @data"),
        ("% only this\n", "no rows behind @data"),
    ],
)
def test_rows_that_are_refused(write, rows, message):
    with pytest.raises(DataError, match=message):
        arff(train=write(HEADER + rows))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@Data\n" + DENSE, "", "ends before @data"),
        ("tempo' numeric", "tempo' string", "line 4: attribute 'tempo' is of type string; only numeric and nominal"),
        ("tempo' numeric", "tempo' date 'yyyy-MM-dd'", "'tempo' is of type date"),
        ("tempo' numeric", "tempo' complex", "'tempo' is of type 'complex'"),
        ("tempo' numeric", "tempo' numeric 5", "something after its type: '5'"),
        ("'tempo' numeric", "'tempo", "`@attribute NAME TYPE` is expected"),
        ("'tempo' numeric", "loud numeric", "line 6: attribute 'loud' repeats that of line 4"),
        ("{no,yes}", "{no,no}", "repeated or empty"),
        ("{no,yes}", "{no,'yes}", "`@attribute NAME TYPE` is expected"),
        ("@RELATION", "relation", "line 2: @relation, @attribute or @data is expected"),
        ("sad {0,1}", "sad {0,1,2}", r"line 7: the label 'sad' {0,1,2} is not binary"),
        ("-C -2", "-C 6", "has 5 attributes, so 6 labels are not possible"),
        ("-C -2", "-C 0", "0 labels are not possible"),
        (": -C -2", "", "nothing says which attributes are labels; type dataset.labels=FILE.xml"),
        ("-C -2", "-C-2", "nothing says"),
    ],
)
def test_headers_that_are_refused(write, old, new, message):
    text = HEADER + DENSE
    assert old in text
    with pytest.raises(DataError, match=message):
        arff(train=write(text.replace(old, new)))


def test_labels_are_not_guessed_from_words(write):
    text = "@relation x\n@attribute x numeric\n@attribute y {NO,YES}\n@data\n1,YES\n"
    with pytest.raises(DataError, match=r"the label 'y' {NO,YES} is not binary"):
        arff(train=write(text), num_labels=-1)


def test_a_numeric_label_must_be_0_or_1(write):
    text = "@relation x\n@attribute x numeric\n@attribute y numeric\n@data\n1,1\n2,0\n3,0.5\n"
    with pytest.raises(DataError, match=r"train\.arff, line 7: label 'y' is 0\.5; a label is 0, 1"):
        arff(train=write(text), num_labels=-1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (xml("sad", "happy"), "not among the attributes of .*train.arff: 'happy'"),
        (xml("sadd"), "'sadd'; did it mean 'sad'"),
        (xml("sad", "sad"), "more than once: 'sad'"),
        (xml("sad")[:-12], "not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY x "sad">]><labels><label name="&x;"/></labels>', "a DOCTYPE, which could hold"),
        (xml(), "a list of <label"),
        ("<labels><label/></labels>", "a list of <label"),
        (xml("sad", "tempo", "key", "loud", "rock'n~roll?"), "no feature is left"),
        (xml("key"), "the label 'key' {minor,two words,major} is not binary"),
        ("", "the file is empty"),
    ],
)
def test_xml_that_is_refused(write, content, message):
    with pytest.raises(DataError, match=message):
        arff(train=write(HEADER + DENSE), labels=write(content, "labels.xml"))


def test_conflicts_about_the_labels_are_refused(write):
    train, test = write(HEADER + DENSE), write(HEADER.replace("-C -2", "-C -1") + DENSE, "test.arff")
    with pytest.raises(
        DataError, match=r"in conflict: .*train.arff says -2, dataset.num_labels says 2.*dataset.labels=FILE"
    ):
        arff(train=train, num_labels=2)
    with pytest.raises(DataError, match=r"in conflict: .*train.arff says -2, .*test.arff says -1"):
        arff(train=train, test=test)
    with pytest.raises(DataError, match="give one of the two"):
        arff(train=train, labels=write(xml("sad"), "l.xml"), num_labels=-2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'tempo'", "'speed'", r"test.arff, line 4: attribute 'speed' numeric, but .*train.arff, line 4 has 'tempo'"),
        ("{no,yes}", "{yes,no}", "attribute 'loud' {yes,no}, but"),
        ("@attribute sad {0,1}\n", "", r"test.arff has 4 attributes, but .*train.arff has 5: 'sad' missing"),
        ("@Data", "@attribute more numeric\n@Data", "has 6 attributes, but .*train.arff has 5"),
    ],
)
def test_the_files_must_agree(write, old, new, message):
    test = write(HEADER.replace(old, new) + "{0 1}\n", "test.arff")
    with pytest.raises(DataError, match=message):
        arff(train=write(HEADER + DENSE), test=test)


def test_files_that_are_not_there(write, tmp_path):
    with pytest.raises(DataError, match=r"dataset.train=nowhere.arff: there is no such file in "):
        arff(train="nowhere.arff")
    with pytest.raises(DataError, match=r"dataset.test=.*: a folder"):
        arff(train=write(HEADER + DENSE), test=str(tmp_path))
    with pytest.raises(DataError, match=r"dataset.val=.*: the file is empty"):
        arff(train=write(HEADER + DENSE), val=write("", "val.arff"))
    with pytest.raises(DataError, match="line 1: @relation, @attribute or @data is expected"):
        arff(train=write("a,b\n1,2\n", "x.csv"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), min_size=1))
def test_quoted_values_come_back(values):
    quoted = ["'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values]
    assert split_values(", ".join(quoted)) == ["'?'" if value == "?" else value for value in values]


def test_unescape():
    assert unescape(r"a\nb\'c\\nd\%") == "a\nb'c\\nd%"


@pytest.mark.parametrize(
    ("name", "file", "samples", "features", "cardinality", "zeros"),
    [
        ("bibtex", "bibtex-{}.arff", (4880, 2515), 1836, 2.402, 0.9849),
        ("corel5k", "Corel5k-{}-sparse.arff", (4500, 500), 499, 3.522, 0.9906),
        ("yeast", "yeast-{}.arff", (1500, 917), 103, 4.237, 0.6974),
        ("emotions", "emotions-{}.arff", (391, 202), 72, 1.869, 0.6886),
    ],
)
def test_published_figures_of_real_files(real_data, name, file, samples, features, cardinality, zeros):
    folder = real_data / "mulan" / name
    labels = next(folder.glob("*.xml"))
    train, test = (str(folder / file.format(split)) for split in ("train", "test"))
    data = arff(train=train, test=test, labels=str(labels))
    assert data.test is not None
    assert (len(data.train), len(data.test)) == samples
    assert data.input_shape == (features,)
    targets = torch.cat([data.train.targets, data.test.targets]).double()
    assert targets.sum(1).mean().item() == pytest.approx(cardinality, abs=1e-3)
    assert 1 - targets.mean().item() == pytest.approx(zeros, abs=5e-5)


def test_a_real_dense_file_value_by_value(real_data):
    """The plain numeric file yeast against the csv module."""
    folder = real_data / "mulan" / "yeast"
    data = arff(train=str(folder / "yeast-train.arff"), labels=str(folder / "yeast.xml"), standardize=False)
    lines = (folder / "yeast-train.arff").read_text().splitlines()
    rows = np.array(list(csv.reader(lines[lines.index("@data") + 1 :])), dtype=np.float64)
    assert np.array_equal(data.train.inputs[torch.arange(1500)], rows[:, :103].astype(np.float32))
    assert np.array_equal(data.train.targets, rows[:, 103:])
    assert data.label_names == tuple(f"Class{i}" for i in range(1, 15))  # the XML has another order


@pytest.mark.parametrize(
    "content", [HEADER.encode("utf-16"), HEADER.encode("utf-16-le"), b"\x1f\x8b\x08\x00junk", b"PK\x03\x04junk"]
)
def test_what_is_no_text_is_not_shown(tmp_path, content):
    (tmp_path / "a.arff").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.arff: not plain text \(is it UTF-16, or compressed\?\)$"):
        arff(train=str(tmp_path / "a.arff"))


def test_a_test_file_without_labels_is_told_what_is_missing(write):
    unlabeled = "".join(line for line in HEADER.splitlines(keepends=True) if "{0,1}" not in line)
    with pytest.raises(DataError, match=r"has 3 attributes, but .* has 5: 'sad', .* missing; .*mllc predict"):
        arff(train=write(HEADER + DENSE), test=write(unlabeled + "1.5,minor,yes\n", "test.arff"))


def test_labels_at_the_end_that_are_looked_for_at_the_start(write):
    text = (HEADER + DENSE).replace("-C -2", "")
    with pytest.raises(DataError, match=r"the last 2 attributes are all \{0,1\}: .* dataset\.num_labels=-2"):
        arff(train=write(text), num_labels=2)
    with pytest.raises(DataError, match=r"line 10: label 'tempo' is 1\.5; .* dataset\.num_labels=-1$"):
        arff(train=write(text), num_labels=1)
