"""Extreme-classification text: one file with a header, pairs of files, headers that the rows contradict."""

import contextlib
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mllc.data.extreme import extreme, samples
from mllc.data.rows import Sparse, dense
from mllc.errors import DataError, MllcError

ONE = "4 5 6\n5,0 0:0.5 2:2\n 1:1\n\n3 4:1\n"
XF = "4 5\n0:0.5 2:2\n1:1\n\n4:1\n"
Y = "4 6\n0:1 5:1.0\n\n\n3:1\n"
FEATURES = [[0.5, 0, 2, 0, 0], [0, 1, 0, 0, 0], [0] * 5, [0, 0, 0, 0, 1]]
TRUE = [[0, 5], [], [], [3]]


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def true_labels(split):
    return [row.nonzero().flatten().tolist() for row in dense(split.targets)]


@pytest.mark.parametrize("tail", ["", "\n", "\n\n \n"])
def test_one_file(write, tail):
    data = extreme(train=write(ONE + tail))
    assert dense(data.train.inputs).tolist() == FEATURES
    assert true_labels(data.train) == TRUE
    assert isinstance(data.train.targets, Sparse)
    assert data.label_names == tuple(f"label{i}" for i in range(6))
    assert (data.input_shape, data.train.ids[3]) == ((5,), "train:3")
    assert data.notes == ("train.txt: 1 sample without features",)


def test_a_pair_says_the_same(write):
    one = extreme(train=write(ONE))
    write(Y, "trn_X_Y.txt")
    pair = extreme(train=write(XF, "trn_X_Xf.txt"))
    assert pair.fingerprint == one.fingerprint
    named = extreme(train=write(XF, "a.txt"), train_labels=write(Y, "b.txt"), test=write(ONE), vocabulary=None)
    assert named.fingerprint != one.fingerprint
    assert torch.equal(dense(named.train.inputs), dense(named.test.inputs))
    assert torch.equal(dense(named.train.targets), dense(named.test.targets))


def test_names_and_scale(write):
    names = write("a\nb c\nd\né\nf\ng\n", "Y.txt")
    data = extreme(train=write(ONE), vocabulary=names, scale="unit")
    assert data.label_names == ("a", "b c", "d", "é", "f", "g")
    torch.testing.assert_close(dense(data.train.inputs).norm(dim=1), torch.tensor([1.0, 1, 0, 1]))
    with pytest.raises(DataError, match="has 2 names, but there are 6 labels"):
        extreme(train=write(ONE), vocabulary=write("a\nb\n", "two.txt"))


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 8), max_size=3),
            st.dictionaries(st.integers(0, 19), st.floats(0.125, 100, width=32), max_size=4),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_written_is_read(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("written")
    features = [" ".join(f"{i}:{v!r}" for i, v in values.items()) for _, values in rows]
    labels = [",".join(map(str, true)) for true, _ in rows]
    lines = [f"{a} {b}" for a, b in zip(labels, features, strict=True)]
    (folder / "one.txt").write_text("\n".join([f"{len(rows)} 20 9", *lines]) + "\n")
    (folder / "tst_X_Xf.txt").write_text("\n".join([f"{len(rows)} 20", *features]) + "\n")
    (folder / "tst_X_Y.txt").write_text(
        "\n".join([f"{len(rows)} 9", *(" ".join(f"{label}:1" for label in true) for true, _ in rows)]) + "\n"
    )
    data = extreme(train=str(folder / "one.txt"), test=str(folder / "tst_X_Xf.txt"))
    for split in (data.train, data.test):
        assert true_labels(split) == [sorted(true) for true, _ in rows]
        expected = np.zeros((len(rows), 20), np.float32)
        for row, (_, values) in enumerate(rows):
            expected[row, list(values)] = list(values.values())
        assert np.array_equal(dense(split.inputs).numpy(), expected)


def test_new_samples_are_those_of_the_test_split(write, tmp_path):
    write(Y, "trn_X_Y.txt")
    data = extreme(train=write(XF, "trn_X_Xf.txt"), test=write(ONE + "\n", "test.txt"), scale="unit")
    for name in ("test.txt", "trn_X_Xf.txt"):
        found = list(samples(tmp_path / name, {}, data.encoding))
        assert torch.equal(torch.cat([part.inputs for part in found]), dense(data.test.inputs))
        assert [one for part in found for one in part.ids] == [f"{name}:{row}" for row in range(4)]
    for text, message in (
        (ONE.replace("4 5 6", "4 9 6"), "line 1: the header says 9 features, but the model was trained on 5"),
        (ONE.replace("4 5 6", "9 5 6"), "the header says 9 samples, but there are 4 rows"),
        (ONE.replace("4 5 6", "3 5 6"), "the header says 3 samples, but there are more rows"),
        (ONE.replace("1:1", "5:1"), "new.txt, line 3: index 5 is not among the features 0 to 4"),
    ):
        with pytest.raises(DataError, match=message):
            list(samples(tmp_path / write(text, "new.txt"), {}, data.encoding))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4 5 6", "5 5 6", "the header says 5 samples, but there are 4 rows; is the file complete"),
        ("4 5 6", "3 5 6", "the header says 3 samples, but there are 4 rows"),
        ("4 5 6", "4 4 6", r"train\.txt, line 5: index 4 is not among the features 0 to 3"),
        ("4 5 6", "4 5 5", r"line 2: label 5 is not among the labels 0 to 4 \(as the header of train\.txt says\)"),
        ("4 5 6\n", "", "line 1: the header `samples features labels`, .* not '5,0 0:0.5 2:2'; .* dataset=libsvm"),
        ("4 5 6", "4 5", r"train\.txt, line 2: `index:value` is expected, not the label 5"),
        ("4 5 6", "4", "line 1: the header"),
        ("4 5 6", "4 0 6", "line 1: the header says 0 features"),
        ("4 5 6", "4 5 20000000", "20,000,000 labels: at most"),
        ("4 5 6", "4 5 -6", "line 1: the header"),
        ("4:1", "4:one", "line 5: a finite number is expected"),
        ("4:1", "4:inf", "line 5: a finite number is expected"),
        ("5,0", "0,0", "line 2: label 0 occurs twice"),
    ],
)
def test_files_that_are_refused(write, old, new, message):
    assert old in ONE
    with pytest.raises(DataError, match=message):
        extreme(train=write(ONE.replace(old, new)))


def test_pairs_that_are_refused(write, tmp_path):
    train = write(XF, "trn_X_Xf.txt")
    with pytest.raises(DataError, match=r"holds no labels.*: type dataset.train_labels=FILE \(there is no trn_X_Y.txt"):
        extreme(train=train)
    with pytest.raises(DataError, match=r"a.txt holds no labels, as its header says: type dataset.train_labels=FILE$"):
        extreme(train=write(XF, "a.txt"))
    for text, message in (
        (Y.replace("4 6", "5 6"), "line 1: `4 LABELS` is expected, not '5 6': .*trn_X_Xf.txt has 4 samples"),
        (ONE, "line 1: `4 LABELS` is expected, not '4 5 6'"),
        (Y.replace("4 6", "4 5"), r"line 2: label 5 is not among the labels 0 to 4"),
        (Y.replace("5:1.0", "5:0.5"), "line 2: label 5 has the value 0.5; a label that is true is written `label:1`"),
        (Y.replace("3:1", "3"), "line 5: `index:value` is expected, not the label 3"),
        (Y.replace("3:1\n", ""), "the header says 4 samples, but there are 3 rows"),
    ):
        with pytest.raises(DataError, match=message):
            extreme(train=train, train_labels=write(text, "y.txt"))
    with pytest.raises(DataError, match=r"dataset.train_labels=.*holds its labels itself"):
        extreme(train=write(ONE), train_labels=write(Y, "y.txt"))
    with pytest.raises(DataError, match=r"dataset.test_labels=y.txt: type dataset.test=FILE"):
        extreme(train=write(ONE), test_labels="y.txt")
    with pytest.raises(DataError, match=r"test.txt has 5 features and 7 labels, but .*train.txt has 5 and 6"):
        extreme(train=write(ONE), test=write(ONE.replace("4 5 6", "4 5 7"), "test.txt"))
    with pytest.raises(DataError, match="there is no such file"):
        extreme(train=train, train_labels="nowhere.txt")


@pytest.mark.parametrize("seed", range(150))
def test_spoiled_bytes_never_end_in_a_traceback(write, tmp_path, seed):
    draw = random.Random(seed)
    texts = {"train.txt": ONE, "trn_X_Xf.txt": XF, "trn_X_Y.txt": Y}
    for name, text in texts.items():
        content = bytearray(text.encode())
        for _ in range(draw.randint(0, 3)):
            content[draw.randrange(len(content))] = draw.choice([draw.randrange(256), *b"0123456789:,. \n-"])
        write(bytes(content), name)
    for name in ("train.txt", "trn_X_Xf.txt"):
        with contextlib.suppress(MllcError):
            extreme(train=str(tmp_path / name))
