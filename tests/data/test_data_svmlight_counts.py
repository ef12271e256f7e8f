"""Counts that only the numbers of a text say: one slip must not make millions of labels or features."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mllc.data.extreme import extreme
from mllc.data.extreme import samples as extreme_samples
from mllc.data.libsvm import libsvm
from mllc.data.rows import target_rows
from mllc.data.splits import iterative_stratification
from mllc.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.txt"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_a_label_far_beyond_the_rows_is_doubted_unless_it_is_said(write):
    train = write("1 1:1\n" * 3 + "9000000 1:1\n")
    with pytest.raises(
        DataError,
        match=r"train\.txt, line 4: label 9000000 makes 9,000,001 labels .* dataset\.num_labels=",
    ):
        libsvm(train=train)
    few = libsvm(train=write("99999 1:1\n"))
    assert len(few.label_names) == 100_000
    with pytest.raises(DataError, match=r"line 1: label 100000 makes 100,001 labels"):
        libsvm(train=write("100000 1:1\n"))
    assert len(libsvm(train=write("100000 1:1\n"), num_labels=100_001).label_names) == 100_001
    many = "1 1:1\n" * 1001 + "100000 1:1\n"
    assert len(libsvm(train=write(many)).label_names) == 100_001
    test = write("200000 1:1\n", "test.txt")
    with pytest.raises(DataError, match=r"test\.txt, line 1: label 200000 makes"):
        libsvm(train=write(many), test=test)


def test_an_index_far_beyond_the_values_is_doubted_unless_it_is_said(write):
    train = write("1 1:1\n1 2000000000:1\n")
    with pytest.raises(
        DataError, match=r"train\.txt, line 2: index 2000000000 makes 2,000,000,000 features, .* dataset\.num_features="
    ):
        libsvm(train=train)
    assert libsvm(train=train, num_features=2_000_000_000).input_shape == (2_000_000_000,)
    assert libsvm(train=write("1 10000000:1\n")).input_shape == (10_000_000,)


def test_a_header_says_which_count_is_too_large(write):
    for header, message in (
        ("1 999999999999 6", "says 999999999999 features; at most 2,147,483,646"),
        ("1 72 3000000000", "says 3000000000 labels; at most 2,147,483,646"),
        ("1 72 20000000", "20,000,000 labels: at most 10,000,000"),
    ):
        with pytest.raises(DataError, match=rf"train\.txt, line 1: .*the header.*{message}"):
            extreme(train=write(f"{header}\n1 1:1\n"))


def test_labels_that_do_not_occur_cost_a_split_nothing():
    generator = torch.Generator().manual_seed(0)
    targets = target_rows(np.arange(401), np.arange(400, dtype=np.int32) * 10_000 % 4_000_000, 4_000_000)
    start = time.perf_counter()
    parts = iterative_stratification(targets, [0.8, 0.2], generator)
    assert time.perf_counter() - start < 2
    assert sorted(torch.cat(parts).tolist()) == list(range(400))


def test_a_test_file_that_is_the_training_file_is_told(write):
    told = "dataset.test holds the same as dataset.train: its figures are of samples trained on"
    one, other = write("1 1:1\n"), write("1 2 2\n1 1:1\n", "xc.txt")
    assert told in libsvm(train=one, test=one).notes
    assert told in extreme(train=other, test=other).notes
    assert told not in libsvm(train=one).notes


def test_predict_says_what_the_run_reads(write, tmp_path):
    with pytest.raises(DataError, match=r"not '1 1:1'; the run reads dataset=extreme$"):
        list(extreme_samples(Path(write("1 1:1\n")), {}, {"num_features": 2, "scale": "none"}))
    with pytest.raises(DataError, match=r"^INPUT .*: a folder; a file is needed$"):
        list(extreme_samples(tmp_path, {}, {"num_features": 2, "scale": "none"}))
