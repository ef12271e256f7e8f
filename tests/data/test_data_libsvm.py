"""LIBSVM's multi-label text: bases, counts, names, refusals; new samples in the form of the data set."""

import contextlib
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mllc.data.libsvm import libsvm, samples
from mllc.data.rows import Sparse, dense
from mllc.errors import ConfigError, DataError, MllcError

TEXT = "2,0 1:0.5 3:2\n 2:1\n1:-1 4:.25 # said\n1\n"
FEATURES = [[0.5, 0, 2, 0], [0, 1, 0, 0], [-1, 0, 0, 0.25], [0, 0, 0, 0]]
TARGETS = [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0]]


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_rows_of_every_kind(write):
    data = libsvm(train=write(TEXT))
    assert dense(data.train.inputs).tolist() == FEATURES
    assert dense(data.train.targets).tolist() == TARGETS
    assert isinstance(data.train.inputs, Sparse)
    assert isinstance(data.train.targets, Sparse)
    assert data.train.inputs.matrix.dtype == np.float32
    assert data.label_names == ("label0", "label1", "label2")
    assert data.train.ids == ("train:0", "train:1", "train:2", "train:3")
    assert (data.kind, data.input_shape, data.val, data.test) == ("features", (4,), None, None)
    assert data.notes == (
        "features are numbered from 1, for no index is 0; otherwise type dataset.index_base=0",
        "4 features, as the largest index has it",
        "3 labels, as the largest number has it",
    )


def test_the_files_agree_on_the_base(write):
    train, test = write(TEXT), write("1 0:3 5:1\n", "test.txt")
    data = libsvm(train=train, test=test)
    assert data.input_shape == (6,)
    assert dense(data.train.inputs)[0].tolist() == [0, 0.5, 0, 2, 0, 0]
    assert dense(data.test.inputs).tolist() == [[3, 0, 0, 0, 0, 1]]
    assert any("numbered from 0, for an index 0 occurs" in note for note in data.notes)
    with pytest.raises(DataError, match=r"test\.txt, line 1: index 0 is not among the features 1 to 5"):
        libsvm(train=train, test=test, index_base=1)
    assert libsvm(train=train, index_base=0).input_shape == libsvm(train=train, index_base="0").input_shape == (5,)


def test_counts_that_are_given(write):
    data = libsvm(train=write(TEXT), num_features=10, num_labels=7)
    assert (data.input_shape, len(data.label_names), data.train.targets.shape) == ((10,), 7, (4, 7))
    with pytest.raises(DataError, match=r"train\.txt, line 3: index 4 is not among the features 1 to 3"):
        libsvm(train=write(TEXT), num_features=3)
    with pytest.raises(
        DataError, match=r"train\.txt, line 1: label 2 is not among the labels 0 to 1 \(dataset\.num_labels=2\)"
    ):
        libsvm(train=write(TEXT), num_labels=2)


def test_a_vocabulary(write):
    names = write("sea\n blue sky\nN/A\n", "names.txt")
    assert libsvm(train=write(TEXT), vocabulary=names).label_names == ("sea", "blue sky", "N/A")
    with pytest.raises(DataError, match=r"line 1: label 2 is not among the labels 0 to 1 \(dataset.vocabulary="):
        libsvm(train=write(TEXT), vocabulary=write("sea\nsky\n", "two.txt"))
    with pytest.raises(DataError, match="has 3 names, but there are 5 labels"):
        libsvm(train=write(TEXT), vocabulary=names, num_labels=5)


def test_rows_of_norm_1(write):
    data = libsvm(train=write(TEXT), scale="unit")
    norms = dense(data.train.inputs).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([1.0, 1, 1, 0]))
    torch.testing.assert_close(dense(data.train.inputs)[0], torch.tensor([0.5, 0, 2, 0]) / 4.25**0.5)
    with pytest.raises(ConfigError, match=r"dataset.scale=max: none or unit"):
        libsvm(train=write(TEXT), scale="max")


def test_order_and_blank_lines_do_not_matter(write):
    _, _, rest = TEXT.partition("\n")
    one = libsvm(train=write(TEXT))
    other = libsvm(train=write("\n0,2 3:2  1:0.5 2:0\n" + rest + "\n\n", "b.txt"))
    assert other.fingerprint == one.fingerprint
    assert "b.txt: 3 blank lines skipped" in other.notes


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 50), max_size=4),
            st.dictionaries(
                st.integers(1, 300), st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=6
            ),
        ).filter(lambda row: row[0] or row[1]),
        min_size=1,
        max_size=30,
    ).filter(lambda rows: any(row[0] for row in rows) and any(row[1] for row in rows))
)
def test_what_is_written_is_read(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("written") / "train.txt"
    lines = [",".join(map(str, labels)) + "".join(f" {i}:{v!r}" for i, v in values.items()) for labels, values in rows]
    file.write_text("\n".join(lines) + "\n")
    data = libsvm(train=str(file), num_features=300, num_labels=51)
    for (labels, values), inputs, targets in zip(
        rows, dense(data.train.inputs), dense(data.train.targets), strict=True
    ):
        assert targets.nonzero().flatten().tolist() == sorted(labels)
        assert {int(i) + 1: inputs[i].item() for i in inputs.nonzero().flatten()} == {
            i: v for i, v in values.items() if v
        }


def test_new_samples_are_those_of_the_test_split(write, tmp_path):
    test = "1 2:3\n\n 4:1.5\n0,2,9 1:1\n"
    for scale in ("none", "unit"):
        data = libsvm(train=write(TEXT), test=write(test, "test.txt"), num_labels=10, scale=scale)
        found = list(samples(tmp_path / "test.txt", {}, data.encoding))
        assert torch.equal(torch.cat([part.inputs for part in found]), dense(data.test.inputs))
        assert [name for part in found for name in part.ids] == ["test.txt:0", "test.txt:1", "test.txt:2"]
        assert found[0].inputs.dtype == torch.float32
    with pytest.raises(DataError, match=r"new\.txt, line 2: index 5 is not among the features 1 to 4"):
        list(samples(write_path(tmp_path, "1:1\n5:1\n"), {}, data.encoding))
    with pytest.raises(DataError, match="there are no samples"):
        list(samples(write_path(tmp_path, "# nothing\n\n"), {}, data.encoding))
    with pytest.raises(DataError, match="there is no such file"):
        list(samples(tmp_path / "none.txt", {}, data.encoding))


def test_many_new_samples_come_in_chunks(tmp_path):
    path = write_path(tmp_path, "".join(f"{i % 50 + 1}:{i}\n" for i in range(3000)))
    parts = list(samples(path, {}, {"num_features": 50, "index_base": 1, "scale": "none"}))
    assert max(len(part.inputs) for part in parts) <= 1024
    assert torch.cat([part.inputs for part in parts]).sum().item() == sum(range(3000))


def write_path(folder, text):
    path = folder / "new.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7395 1836 159\n1 0:1\n", "the header of the extreme-classification form; type dataset=extreme"),
        ("# only this\n\n", "there are no rows"),
        ("1\n2\n", "there are no features in the files"),
        ("1:1\n2:1\n", "there are no labels in the files"),
        ("1 1:1\n2000000000 2:1\n", "2,000,000,001 labels: at most 10,000,000 are possible"),
        ("1 1:1\n1 1:x\n", r"train\.txt, line 2: a finite number is expected behind `1:`, not 'x'"),
        ("1 1:1\n1 1:1 2", "line 2: `index:value` is expected, not '2'"),
        ("1 1:1\n".encode("utf-16"), r"train\.txt, line 1: "),
        ("", "the file is empty"),
    ],
)
def test_files_that_are_refused(write, text, message):
    with pytest.raises(DataError, match=message):
        libsvm(train=write(text))


def test_files_without_features_are_refused_whatever_the_base(write):
    for base in (0, 1, "auto"):
        with pytest.raises(DataError, match="there are no features in the files"):
            libsvm(train=write("1\n2\n"), index_base=base)


def test_settings_that_are_refused(write):
    with pytest.raises(ConfigError, match=r"dataset.index_base=2: auto, 0 or 1 is needed"):
        libsvm(train=write(TEXT), index_base=2)
    with pytest.raises(DataError, match=r"dataset.test=nowhere: there is no such file"):
        libsvm(train=write(TEXT), test="nowhere")


@pytest.mark.parametrize("seed", range(150))
def test_spoiled_bytes_never_end_in_a_traceback(write, seed):
    draw = random.Random(seed)
    content = bytearray((TEXT * 3).encode())
    for _ in range(draw.randint(1, 6)):
        content[draw.randrange(len(content))] = draw.choice([draw.randrange(256), *b"0123456789:,. \n-"])
    with contextlib.suppress(MllcError):
        libsvm(train=write(bytes(content)))


@pytest.mark.parametrize(
    ("text", "scale", "told"),
    [
        ("1 1:73 2:1\n0 1:5 2:2\n", "none", True),
        ("1 1:73 2:1\n0 1:5 2:2\n", "unit", False),
        ("1 1:0.7 2:1\n0 1:-1 2:1\n", "none", False),
        ("1 1:73 4:1\n0 1:5 2:2\n", "none", False),
    ],
)
def test_dense_features_in_units_of_their_own_are_told(write, text, scale, told):
    notes = libsvm(train=write(text), scale=scale).notes
    assert any("features are used as they are, up to 73 in size" in note for note in notes) == told
