"""Vectors in .npz and Parquet files: every way to say the labels, standardization, refusals, new samples."""

import contextlib
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mllc.data import npz as npz_module
from mllc.data import parquet as parquet_module
from mllc.data.npz import npz
from mllc.data.parquet import parquet
from mllc.data.rows import dense
from mllc.errors import ConfigError, DataError, MllcError

FEATURES = np.array([[1, 10, 5], [3, 10, 6], [2, 10, 8.5], [6, 10, 0]], np.float32)
TRUE = [[0, 2], [], [1], [2, 1]]
MATRIX = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 1, 1]], np.uint8)
PADDED = np.array([[0, 2], [-1, -1], [1, -1], [2, 1]])
CSR = {"labels_indptr": np.array([0, 2, 2, 3, 5]), "labels_indices": np.array([0, 2, 1, 2, 1])}
NAMES = ["sea", "blue sky", "N/A"]


@pytest.fixture
def save(tmp_path):
    def save(name="train.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return str(tmp_path / name)

    return save


@pytest.fixture
def table(tmp_path):
    def table(name="train.parquet", **columns):
        pq.write_table(pa.table(columns), tmp_path / name, row_group_size=3)
        return str(tmp_path / name)

    return table


def lists(rows, kind=None):
    return pa.array([list(row) for row in rows], kind)


VECTORS = lists(FEATURES.tolist(), pa.list_(pa.float32()))


def read(module, path, settings, encoding):
    parts = list(module.samples(Path(path), settings, json.loads(json.dumps(encoding))))
    return [name for part in parts for name in part.ids], torch.cat([part.inputs for part in parts])


@pytest.mark.parametrize("labels", [{"labels": MATRIX}, {"labels": MATRIX > 0}, {"labels": PADDED}, CSR])
def test_labels_of_arrays(save, labels):
    data = npz(train=save(features=FEATURES, **labels), standardize=False)
    assert dense(data.train.targets).tolist() == MATRIX.tolist()
    assert torch.equal(data.train.inputs, torch.from_numpy(FEATURES))
    assert (data.label_names, data.input_shape, data.train.mask) == (("label0", "label1", "label2"), (3,), None)
    assert data.train.ids == ("train:0", "train:1", "train:2", "train:3")


@pytest.mark.parametrize(
    "labels",
    [
        {"labels": lists([[NAMES[i] for i in row] for row in TRUE], pa.list_(pa.string()))},
        {"labels": lists(TRUE, pa.list_(pa.int32()))},
        {"labels": lists(TRUE, pa.large_list(pa.int64()))},
        {name: MATRIX[:, i] for i, name in enumerate(NAMES)},
        {name: MATRIX[:, i] > 0 for i, name in enumerate(NAMES)},
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_labels_of_columns(table, tmp_path, labels, wide):
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    vectors = {f"features{i}": FEATURES[:, i] for i in (2, 0, 1)} if wide else {"features": VECTORS}
    column = "labels" if "labels" in labels else NAMES
    data = parquet(
        train=table(**vectors, **labels), labels=column, vocabulary=str(tmp_path / "names.txt"), standardize=False
    )
    assert dense(data.train.targets).tolist() == MATRIX.tolist()
    assert torch.equal(data.train.inputs, torch.from_numpy(FEATURES))
    assert data.label_names == tuple(NAMES)


def test_names_ids_groups_and_unknown_labels(save, table):
    unknown = MATRIX.astype(float)
    unknown[1, 2] = np.nan
    known = {"label_names": np.array(NAMES), "ids": np.array(list("abcd")), "site": np.array([7, 7, 8, 8])}
    one = npz(train=save(features=FEATURES, labels=unknown, **known), group="site")
    columns = {name: pa.array([None if x != x else int(x) for x in unknown[:, i]]) for i, name in enumerate(NAMES)}
    columns |= {"id": list("abcd"), "site": [7, 7, 8, 8]}
    other = parquet(train=table(features=VECTORS, **columns), labels=NAMES, ids="id", group="site")
    for data in (one, other):
        assert data.label_names == tuple(NAMES)
        assert data.train.ids == ("a", "b", "c", "d")
        assert data.train.groups == ("7", "7", "8", "8")
        assert data.train.mask.tolist() == (~np.isnan(unknown)).tolist()
        assert dense(data.train.targets).tolist() == MATRIX.tolist()
    assert one.fingerprint == other.fingerprint


def test_names_that_occur_are_the_vocabulary(table):
    train = table(features=VECTORS, labels=lists([["b"], [], ["é c"], ["b", "a"]], pa.list_(pa.string())))
    test = table("test.parquet", features=VECTORS, labels=lists([["d"], [], [], []], pa.list_(pa.string())))
    data = parquet(train=train, test=test)
    assert data.label_names == ("a", "b", "d", "é c")
    assert "no vocabulary is given: 4 label names found in the splits" in data.notes


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_standardized_by_the_training_file_and_new_samples(save, table, kind):
    new = np.array([[4, 10, 1], [2, 12, 3]], np.float64)
    if kind == "npz":
        train = save(features=FEATURES.astype(np.float64), labels=MATRIX)
        test = save("test.npz", features=new, labels=MATRIX[:2], ids=np.array(["x", "y"]))
        data = npz(train=train, test=test)
        ids, inputs = read(npz_module, test, {"features": "features", "ids": "ids"}, data.encoding)
        assert read(npz_module, save("bare.npz", features=new), {}, data.encoding)[0] == ["bare.npz:0", "bare.npz:1"]
    else:
        train = table(features=VECTORS, labels=lists(TRUE))
        columns = {"features": lists(new.tolist()), "labels": lists(TRUE[:2]), "id": ["x", "y"]}
        test = table("test.parquet", **columns)
        data = parquet(train=train, test=test)
        ids, inputs = read(parquet_module, test, {"features": "features", "ids": "id"}, data.encoding)
        bare = table("bare.parquet", features=lists(new.tolist()))
        assert read(parquet_module, bare, {"ids": "id"}, data.encoding)[0] == ["bare.parquet:0", "bare.parquet:1"]
    assert (ids, "3 features standardized by the training file" in data.notes) == (["x", "y"], True)
    assert torch.equal(inputs, data.test.inputs)
    deviation = FEATURES.astype(np.float64).std(axis=0)
    expected = (new - FEATURES.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    np.testing.assert_allclose(inputs, expected, rtol=1e-6)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda rows: rows > 5])
def test_new_samples_of_any_array_that_is_trained_on(save, change):
    rows = change(np.arange(9000).reshape(3000, 3) % 11)
    data = npz(train=save(features=rows, labels=np.eye(3000, 3)))
    assert torch.equal(read(npz_module, save("new.npz", features=rows), {}, data.encoding)[1], data.train.inputs)


def test_new_samples_come_in_chunks(save, table):
    rows = np.arange(9000, dtype=np.float32).reshape(3000, 3)
    encoding = {"num_features": 3, "centers": [], "deviations": []}
    for module, path in (
        (npz_module, save("many.npz", features=rows)),
        (parquet_module, table("many.parquet", features=lists(rows.tolist()))),
    ):
        assert torch.equal(read(module, path, {}, encoding)[1], torch.from_numpy(rows))
        assert max(len(part.ids) for part in module.samples(Path(path), {}, encoding)) == 1024
        with pytest.raises(DataError, match=r"features of shape \(1024, 3\); \(samples, 4\) is expected"):
            read(module, path, {}, encoding | {"num_features": 4})


SPOILED = FEATURES.copy()
SPOILED[2, 1] = np.inf


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": SPOILED}, r"train\.npz, row 3: feature 1 is inf; a finite number"),
        ({"features": FEATURES.astype(np.float64) * 1e300}, r"row 1: feature 0 is 1e\+300"),
        ({"features": FEATURES[:3]}, r"labels of shape \(4, 3\); \(3, labels\) is expected"),
        ({"features": FEATURES[0]}, r"features is of shape \(3,\); \(samples, features\) is expected"),
        ({"features": FEATURES[:, 0]}, r"features is of shape \(4,\)"),
        ({"features": np.array(1.5)}, r"features is of shape \(\)"),
        ({"features": np.array(["a"] * 4)}, "features is of dtype <U1; numbers are expected"),
        ({"features": np.array([None] * 4)}, "features holds Python objects, which are not loaded"),
        ({"labels": MATRIX * 2.5}, "row 1: label 0 is 2.5; a label is 0, 1 or NaN"),
        ({"labels": np.array([[0, 0], [-1, -1], [1, -1], [2, 1]])}, "row 1: label 0 occurs twice"),
        ({"labels": PADDED - 1}, "row 2: label -2; labels are numbered from 0"),
        ({"labels": PADDED * 10**8}, "row 1: label 200000000"),
        ({"labels": PADDED, "label_names": np.array(["a", "b"])}, "labels has label 2, but there are 2"),
        ({"labels": MATRIX, "label_names": np.array(["a", "b"])}, "labels has 3 labels, not 2"),
        (
            {"labels": MATRIX, "label_names": np.array(["a", "b", "a"])},
            "row 3 of label_names: label 'a' occurs already in row 1",
        ),
        ({"ids": np.array(["a", "b", "c", "b"])}, "row 4: the id 'b' occurs already in row 2"),
        ({"ids": np.array(["a", "b"])}, "4 rows of features, but 2 of ids"),
        ({"ids": np.array([1.5] * 4)}, "a row of strings or integers is expected"),
        (CSR | {"labels": None, "labels_indptr": np.array([0, 2, 1, 3, 5])}, "should rise from 0 to 5"),
        (CSR | {"labels": None, "labels_indptr": np.array(5)}, r"starts of shape \(\); rows are expected"),
        (CSR | {"labels": None, "labels_indices": PADDED}, r"labels of shape \(4, 2\), starts of shape \(5,\)"),
        (CSR | {"labels": None, "labels_indptr": np.array([0, 5])}, "2 numbers that should rise from 0 to 5"),
        ({"labels": None}, "there is no array 'labels' in it, but 'features'"),
    ],
)
def test_archives_that_are_refused(save, arrays, message):
    arrays = {"features": FEATURES, "labels": MATRIX} | arrays
    with pytest.raises(DataError, match=message):
        npz(train=save(**{name: array for name, array in arrays.items() if array is not None}))


def test_other_files_that_are_refused(save, table, tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no table")
    np.save(tmp_path / "x.npy", FEATURES)
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz"):
        npz(train=str(tmp_path / "x.npz"))
    with pytest.raises(DataError, match="an archive of arrays is expected"):
        npz(train=str(tmp_path / "x.npy"))
    with pytest.raises(DataError, match=r"x\.parquet: cannot be read as Parquet"):
        parquet(train=str(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match=r"dataset\.test=nowhere: there is no such file"):
        npz(train=save(features=FEATURES, labels=MATRIX), test="nowhere")
    with pytest.raises(DataError, match=r"test\.npz has 2 features, but .*train\.npz has 3"):
        npz(
            train=save(features=FEATURES, labels=MATRIX), test=save("test.npz", features=FEATURES[:, :2], labels=MATRIX)
        )
    with pytest.raises(ConfigError, match=r"dataset\.num_labels=99999999999: 1 to 10,000,000 are possible"):
        npz(train=save(features=FEATURES, labels=MATRIX), num_labels=99999999999)
    with pytest.raises(ConfigError, match=r"dataset\.labels_as=csr: auto, matrix or lists"):
        npz(train=save(features=FEATURES, labels=MATRIX), labels_as="csr")


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"features": lists(SPOILED.tolist())}, {}, r"train\.parquet, row 3: feature 1 is inf"),
        ({"features": lists([[1.0], [1.0], [1.0, 2.0], [1.0]])}, {}, "row 3: features has 2 numbers, but row 1 has 1"),
        ({"features": pa.array([[1.0], None, [1.0], [1.0]])}, {}, "row 2: features is null"),
        ({"features": pa.array([[1.0], [None], [1.0], [1.0]])}, {}, "row 2: there is a null in features"),
        ({"features": ["a"] * 4}, {}, "features is of type string; numbers, or lists of numbers"),
        ({}, {"features": "embedding"}, "there is no such column, and none called embedding0"),
        ({"f0": [1.0] * 4, "f2": [1.0] * 4}, {"features": "f"}, "is missing between|begin with"),
        ({"labels": ["a|b"] * 4}, {}, "labels is of type string; lists are expected"),
        ({"labels": pa.array([[1], None, [], []])}, {}, "row 2: labels is null; an empty list"),
        ({"labels": pa.array([[1], [None], [], []])}, {}, "row 2: there is a null in labels"),
        ({"labels": lists([[1], [2, 2], [], []])}, {}, "row 2: label 2 occurs twice"),
        (
            {"labels": lists([[1.0], [], [], []])},
            {},
            "list<.*double>; lists of names .strings. or of whole numbers",
        ),
        ({"labels": lists([[True], [], [], []])}, {}, "labels is of type list<.*bool>; lists of names"),
        ({"labels": lists([[[2, 3]], [], [], []])}, {}, "labels is of type list<.*list<.*; lists of names"),
        ({"labels": lists([[1], [], [-3], []])}, {}, "row 3: label -3; labels are numbered from 0"),
        ({"a": [0, 1, 2, 0]}, {"labels": ["a"]}, "row 3: label 0 is 2; a label is 0, 1"),
        ({"a": ["0"] * 4}, {"labels": ["a"]}, "the label 'a' is of type string"),
        ({}, {"labels": ["b"]}, "dataset.labels=b: there is no such column"),
        ({}, {"ids": "who"}, "dataset.ids=who: there is no such column"),
        ({"who": ["a", "b", "a", "c"]}, {"ids": "who"}, "row 3: the id 'a' occurs already in row 1"),
        ({"site": ["a", None, "a", "c"]}, {"group": "site"}, "row 2: site is null"),
        ({"site": [0.5, 1.0, 1.5, 2.0]}, {"group": "site"}, "site is of type double; strings or integers are expected"),
        ({"who": lists([["a"], ["b"], ["c"], ["d"]])}, {"ids": "who"}, "who is of type list<.*; strings or integers"),
    ],
)
def test_tables_that_are_refused(table, columns, settings, message):
    with pytest.raises(DataError, match=message):
        parquet(train=table(**{"features": VECTORS, "labels": lists(TRUE)} | columns), **settings)


def test_columns_of_one_name_are_refused(tmp_path):
    file = tmp_path / "train.parquet"
    columns = {"features": VECTORS, "labels": lists(TRUE), "id": pa.array(["a", "b", "c", "d"])}
    for name, settings in (("features", {}), ("labels", {}), ("id", {"ids": "id"})):
        pq.write_table(pa.Table.from_arrays([*columns.values(), columns[name]], [*columns, name]), file)
        with pytest.raises(DataError, match=f"train.parquet: .*={name}: the column occurs more than once"):
            parquet(train=str(file), **settings)
    with pytest.raises(DataError, match=r"dataset\.ids=id: the column occurs more than once"):
        read(parquet_module, file, {"ids": "id"}, {"num_features": 3, "centers": [], "deviations": []})


@pytest.mark.parametrize("kind", ["large_string", "dictionary"])
def test_every_kind_of_strings_is_names(table, kind):
    names = [["sea", "sun"], [], ["sky"], []]
    values = pa.array(["sea", "sun", "sky"])
    values = values.dictionary_encode() if kind == "dictionary" else values.cast(pa.large_string())
    column = pa.ListArray.from_arrays(pa.array([0, 2, 2, 3, 3], pa.int32()), values)
    data = parquet(train=table(features=VECTORS, labels=column))
    found = [[data.label_names[place] for place in row.nonzero().flatten()] for row in dense(data.train.targets)]
    assert found == [sorted(row) for row in names]


def test_labels_outside_the_vocabulary(table, tmp_path):
    (tmp_path / "two.txt").write_text("a\nb\n")
    two = str(tmp_path / "two.txt")
    with pytest.raises(DataError, match=r"row 1: label 2 is not among those of dataset.vocabulary, 0 to 1"):
        parquet(train=table(features=VECTORS, labels=lists(TRUE)), vocabulary=two)
    named = lists([["a"], [], ["b", "c"], []], pa.list_(pa.string()))
    with pytest.raises(DataError, match=r"row 3: label 'c' is not in dataset.vocabulary"):
        parquet(train=table(features=VECTORS, labels=named), vocabulary=two)
    with pytest.raises(DataError, match="2 names, but there is 1 column"):
        parquet(train=table(features=VECTORS, a=[0, 1, 0, 1]), labels=["a"], vocabulary=two)


def test_pyarrow_missing_is_said(table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = Path(__file__)
    with pytest.raises(DataError, match=r"read by pyarrow; type pip install 'mllc\[parquet\]'"):
        parquet(train=str(path))


@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 6), st.integers(0, 9))
def test_what_is_written_is_read(tmp_path_factory, samples, features, labels, seed):
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(samples, features)).astype(np.float32)
    truth = draw.random((samples, labels)) < 0.4
    folder = tmp_path_factory.mktemp("written")
    np.savez_compressed(folder / "a.npz", features=rows, labels=truth)
    columns = {"v": lists(rows.tolist(), pa.list_(pa.float32(), features))}
    pq.write_table(pa.table(columns | {f"é {i}": truth[:, i] for i in range(labels)}), folder / "a.parquet")
    names = [f"é {i}" for i in range(labels)]
    one = npz(train=str(folder / "a.npz"), standardize=False)
    other = parquet(train=str(folder / "a.parquet"), features="v", labels=names, standardize=False)
    for data in (one, other):
        assert np.array_equal(data.train.inputs.numpy(), rows)
        assert np.array_equal(dense(data.train.targets).numpy(), truth)


@pytest.mark.parametrize("seed", range(75))
def test_spoiled_bytes_never_end_in_a_traceback(save, table, tmp_path, seed):
    draw = random.Random(seed)
    encoding = {"num_features": 3, "centers": [], "deviations": []}
    for module, reader, path in (
        (npz_module, npz, save(features=FEATURES, labels=MATRIX, ids=np.array(list("abcd")))),
        (parquet_module, parquet, table(features=VECTORS, labels=lists(TRUE))),
    ):
        content = bytearray(Path(path).read_bytes())
        for _ in range(draw.randint(1, 8)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        spoiled = tmp_path / f"spoiled{Path(path).suffix}"
        spoiled.write_bytes(bytes(content[: draw.choice([len(content), len(content) // 2])]))
        with contextlib.suppress(MllcError):
            reader(train=str(spoiled))
        with contextlib.suppress(MllcError):
            read(module, spoiled, {"ids": "ids"}, encoding)


def test_one_wrong_value_in_a_matrix_is_named_where_it_is_read_as_lists(save):
    wrong = np.array(MATRIX, int)
    wrong[3, 2] = 3
    path = save(features=FEATURES, labels=wrong)
    with pytest.raises(DataError, match=r"read as lists because of 3 in row 4 of .*npz: .* dataset.labels_as=matrix"):
        npz(train=path)
    with pytest.raises(DataError, match=r"train\.npz, row 4: label 2 is 3"):
        npz(train=path, labels_as="matrix")
    with pytest.raises(DataError, match=r"occurs twice$"):
        npz(train=path, labels_as="lists")


@pytest.mark.parametrize("content", [b"hello", b"PAR1 and more", b"\x80\x04pickled"])
def test_no_archive_is_not_to_be_unpickled(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: not an \.npz archive \(it begins with b'") as caught:
        npz(train=str(tmp_path / "a.npz"))
    assert "pickle=" not in str(caught.value)


def test_labels_without_a_name_and_files_without_samples(save, table):
    names = np.array(["sea", "", "sky"])
    with pytest.raises(DataError, match=r"train\.npz, row 2 of label_names: a label without a name"):
        npz(train=save(features=FEATURES, labels=MATRIX, label_names=names))
    rows = lists([["a"], [], ["b", ""], []], pa.list_(pa.string()))
    with pytest.raises(DataError, match=r"train\.parquet, row 3: a label without a name, ''"):
        parquet(train=table(features=VECTORS, labels=rows))
    with pytest.raises(DataError, match=r"train\.npz: there are no samples in it"):
        npz(train=save(features=FEATURES[:0], labels=MATRIX[:0]))


def test_numbered_columns_with_a_gap_name_the_missing_one(table):
    columns = {f"emb_{i}": FEATURES[:, 0] for i in (0, 1, 3)}
    with pytest.raises(DataError, match=r"column 'emb_2' is missing between 'emb_1' and 'emb_3'"):
        parquet(train=table(**columns, labels=lists(TRUE, pa.list_(pa.int32()))), features="emb")


def test_a_test_file_that_is_the_training_file_is_told(save, table):
    for read, path in (
        (npz, save(features=FEATURES, labels=MATRIX)),
        (parquet, table(features=VECTORS, labels=lists(TRUE, pa.list_(pa.int32())))),
    ):
        assert "dataset.test holds the same as dataset.train: its figures are of samples trained on" in (
            read(train=path, test=path).notes
        )
        assert not any("holds the same" in note for note in read(train=path).notes)
