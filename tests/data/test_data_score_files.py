"""Files of scores and targets: every format, and every mistake in one."""

import re

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import scipy.sparse
import torch

from mllc.data.score_files import read_scored
from mllc.errors import DataError

SCORES = np.array([[2.0, -1.0, 0.5], [0.5, 3.0, -2.0], [1.0, 1.5, 2.5]])
TARGETS = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", SCORES)
    np.save("t.npy", TARGETS)
    return tmp_path


def read(scores="s.npy", targets="t.npy", unit="logits", labels=None):
    return read_scored(scores, targets, unit=unit, labels=labels)


def text(name, *lines):
    with open(name, "w") as file:
        file.write("\n".join(lines) + "\n")
    return name


def same(found):
    assert found.scores.tolist() == SCORES.tolist()
    assert found.targets.tolist() == TARGETS.tolist()
    return found


def test_npy(folder):
    assert same(read()).notes == ()


@pytest.mark.parametrize("names", [("scores", "targets"), ("logits", "labels"), ("a", "b")])
def test_npz(folder, names):
    np.savez("both.npz", **dict(zip(names, (SCORES, TARGETS), strict=True)))
    same(read(f"both.npz:{names[0]}", f"both.npz:{names[1]}"))
    if names[0] != "a":
        same(read("both.npz", "both.npz"))
        same(read("both.npz", None))


def test_npz_with_one_array_needs_no_name(folder):
    np.savez("one.npz", SCORES)
    same(read("one.npz"))


def test_sparse_targets_of_scipy(folder):
    scipy.sparse.save_npz("sparse.npz", scipy.sparse.csr_matrix(TARGETS))
    same(read(targets="sparse.npz"))


def test_safetensors(folder):
    safetensors.numpy.save_file({"scores": SCORES, "targets": TARGETS, "more": TARGETS}, "both.safetensors")
    same(read("both.safetensors", None))
    same(read("both.safetensors:scores", "both.safetensors:targets"))


def test_half_precision_of_torch(folder):
    for kind in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        half = {"logits": torch.tensor(SCORES).to(kind), "targets": torch.tensor(TARGETS).bool()}
        safetensors.torch.save_file(half, "half.safetensors")
        found = read("half.safetensors", None)
        assert found.scores.dtype == np.float32
        assert found.scores.tolist() == half["logits"].float().tolist()


def test_the_array_that_the_unit_names_is_taken(folder):
    shares = 1 / (1 + np.exp(-SCORES))
    np.savez("three.npz", logits=SCORES, probabilities=shares, targets=TARGETS)
    assert read("three.npz", None).scores.tolist() == SCORES.tolist()
    assert read("three.npz", None, unit="probabilities").scores.tolist() == shares.tolist()


def test_a_mask_beside_the_targets(folder):
    mask = np.ones((3, 3), bool)
    mask[0, 1] = False
    np.savez("masked.npz", targets=TARGETS, mask=mask)
    assert read(targets="masked.npz:targets").mask.tolist() == mask.tolist()


def test_a_run_s_scores(folder):
    """The file that a run leaves, with unknown entries."""
    run = {
        "scores": SCORES.astype(np.float32),
        "targets": TARGETS.astype(np.uint8),
        "decisions": TARGETS.astype(np.uint8),
    }
    safetensors.numpy.save_file(run | {"mask": np.array([[0, 1, 1]] * 3, np.uint8)}, "scores.safetensors")
    assert read("scores.safetensors", None).mask[:, 0].sum() == 0


@pytest.mark.parametrize("mark", [",", ";", "\t", " ", ", ", "   "])
def test_csv_with_any_separator(folder, mark):
    text("s.csv", *(mark.join(map(str, row)) for row in SCORES))
    text("t.txt", *(mark.join(map(str, row)) for row in TARGETS))
    assert same(read("s.csv", "t.txt")).label_names == ("label0", "label1", "label2")


def test_csv_of_numpy(folder):
    np.savetxt("s.txt", SCORES)
    np.savetxt("t.csv", TARGETS, delimiter=",", fmt="%d", header="sun,sea,sky", comments="")
    assert same(read("s.txt", "t.csv")).label_names == ("sun", "sea", "sky")


def test_csv_with_header_and_ids(folder):
    text("s.csv", 'image,"sun, high",sea,sky', "a.png,2,-1,.5", "b.png,.5,3,-2", "c.png,1,1.5,2.5")
    text("t.csv", 'image,"sun, high",sea,sky', "a.png,1,0,0", "b.png,0,1,1", "c.png,0,0,1")
    found = same(read("s.csv", "t.csv"))
    assert found.label_names == ("sun, high", "sea", "sky")
    assert found.notes[0] == "s.csv: column 'image' is taken for an id and left out"


@pytest.mark.parametrize("head", [",0,1,2", "id,7,8,9", "Unnamed: 0,sun,sea,sky"])
def test_csv_of_pandas_with_its_index(folder, head):
    text("t.csv", head, "0,1,0,0", "1,0,1,1", "2,0,0,1")
    found = same(read(targets="t.csv"))
    assert found.label_names == tuple(head.split(",")[1:])
    assert len(found.notes) == 1


def test_csv_header_that_counts(folder):
    text("t.csv", "0,1,2", "1,0,0", "0,1,1", "0,0,1")
    same(read(targets="t.csv"))


def test_ids_without_a_header(folder):
    text("t.csv", "a,1,0,0", "b,0,1,1", "c,0,0,1")
    assert same(read(targets="t.csv")).notes == ("t.csv: column number 1 is taken for an id and left out",)


def test_unknown_and_words_in_csv(folder):
    text("t.csv", "1,?,False", "-1,TRUE,1", ",nan,1")
    found = read(targets="t.csv")
    assert found.mask.tolist() == [[True, False, True], [False, True, True], [False, False, True]]
    assert found.targets.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_latin_1_and_a_byte_order_mark(folder):
    (folder / "t.csv").write_bytes("Tür,b,c\n1,0,0\n0,1,1\n0,0,1\n".encode("latin-1"))
    assert read(targets="t.csv").label_names[0] == "Tür"
    (folder / "t.csv").write_bytes("Tür,b,c\n1,0,0\n0,1,1\n0,0,1\n".encode("utf-8-sig"))
    assert read(targets="t.csv").label_names[0] == "Tür"


def test_label_names_from_a_file(folder):
    from pathlib import Path

    text("names.txt", "sun", "sea ", "sky", "")
    assert read(labels=Path("names.txt")).label_names == ("sun", "sea", "sky")
    text("names.txt", "sun", "sea")
    with pytest.raises(DataError, match="2 label names for 3 labels"):
        read(labels=Path("names.txt"))
    with pytest.raises(DataError, match=r"--labels=none.txt: there is no such file"):
        read(labels=Path("none.txt"))


def broken(folder):
    """Files that cannot be read, by name."""
    (folder / "empty.npy").write_bytes(b"")
    (folder / "junk.npy").write_bytes(b"junk")
    (folder / "junk.npz").write_bytes(b"PK junk")
    (folder / "junk.safetensors").write_bytes(b"junk junk junk")
    np.save("objects.npy", np.array([{"a": 1}, [2]], dtype=object), allow_pickle=True)
    np.savez("nothing.npz")
    scipy.sparse.save_npz("vast.npz", scipy.sparse.coo_matrix(([1.0], ([0], [0])), shape=(2**24, 19_073_486)))
    np.savez("several.npz", a=SCORES, b=TARGETS)
    np.savez("targets.npz", targets=TARGETS)
    cut = (folder / "s.npy").read_bytes()[:-20]
    (folder / "cut.npy").write_bytes(cut)
    torch.save(torch.tensor(SCORES), "s.pt")
    text("blank.csv", "", "")
    text("head.csv", "sun,sea,sky")
    text("ragged.csv", "1,2,3", "1,2", "1,2,3")
    text("word.csv", "1,2,3", "1,two,3", "1,2,3")
    text("lists.csv", "image,labels", "a.png,sun|sea", "b.png,sky", "c.png,sky")
    text("column.csv", "1", "2", "3")
    text("comma.csv", "0,5;1,5;2,5", "0,5;1,0;2,5", "0,5;1,0;2,5")
    (folder / "folder").mkdir()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("none.npy", "SCORES=none.npy: there is no such file in "),
        ("folder", "SCORES=folder is a folder; type a file, such as a run's folder/scores.safetensors"),
        ("empty.npy", "SCORES=empty.npy: the file is empty"),
        ("junk.npy", "SCORES=junk.npy is damaged, or no .npy of numbers"),
        ("cut.npy", "SCORES=cut.npy is damaged"),
        ("junk.npz", "SCORES=junk.npz is damaged, or no .npz of numbers"),
        ("junk.safetensors", "SCORES=junk.safetensors is damaged"),
        ("objects.npy", "Python objects, such as rows of different lengths, are not read"),
        ("s.pt", "SCORES=s.pt: .pt is not read (a pickle could run anything); save .npy"),
        ("several.npz", "SCORES=several.npz: it holds 'a', 'b'; type several.npz:NAME with one of them"),
        ("several.npz:c", "SCORES=several.npz:c: it holds 'a', 'b'"),
        (
            "nothing.npz",
            "SCORES=nothing.npz: it holds no array; save both: numpy.savez('both.npz', scores=..., targets",
        ),
        ("vast.npz", "SCORES=vast.npz: Unable to allocate 2.27 PiB"),
        ("s.npy:scores", "SCORES=s.npy:scores: this file holds one table and no names; type s.npy"),
        ("blank.csv", "SCORES=blank.csv: no row of numbers in it"),
        ("head.csv", "SCORES=head.csv: no row of numbers in it"),
        ("ragged.csv", "SCORES=ragged.csv, line 2: 2 columns, but line 1 has 3"),
        ("word.csv", "SCORES=word.csv, line 2, column 2: 'two' is no number"),
        ("lists.csv", "SCORES=lists.csv, line 2: 'sun|sea' is no number; give each label a column"),
        ("column.csv", "scores are a single column of 3 values"),
        ("comma.csv", "SCORES=comma.csv, line 2: '2,5' is no number; give each label a column of numbers"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(folder, scores, message):
    broken(folder)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read(scores)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("s.npy", "TARGETS are missing: type mllc diagnose s.npy TARGETS"),
        ("several.npz:a", "TARGETS are missing"),
        ("several.npz", "SCORES=several.npz: it holds 'a', 'b'; type several.npz:NAME"),
        ("targets.npz", "SCORES=targets.npz: it holds 'targets'"),
    ],
)
def test_one_file_must_hold_both(folder, scores, message):
    broken(folder)
    with pytest.raises(DataError, match=re.escape(message)):
        read(scores, None)


def test_files_whose_names_disagree_are_refused(folder):
    text("s.csv", "id,sun,sea", "a,1,2", "b,3,4")
    text("t.csv", "id,sea,sun", "a,1,0", "b,0,1")
    with pytest.raises(DataError, match=r"column 1 is 'sun' in SCORES and 'sea' in TARGETS: write both with the same"):
        read("s.csv", "t.csv")
    text("t.csv", "id,sun,sea", "b,1,0", "a,0,1")
    with pytest.raises(DataError, match=r"row 1 is 'a' in SCORES and 'b' in TARGETS"):
        read("s.csv", "t.csv")


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_decisions_beside_the_scores(folder, kind):
    decisions = SCORES > 1
    arrays = {"scores": SCORES, "targets": TARGETS.astype(np.uint8), "decisions": decisions.astype(np.uint8)}
    np.savez("both.npz", **arrays)
    safetensors.numpy.save_file(arrays, "both.safetensors")
    assert same(read(f"both.{kind}", None)).decisions.tolist() == decisions.tolist()
    assert read(f"both.{kind}", "t.npy").decisions.tolist() == decisions.tolist(), "the truth may lie elsewhere"
    assert read("s.npy", f"both.{kind}").decisions is None, "those of other scores say nothing"


def test_decisions_of_other_samples(folder):
    np.savez("both.npz", scores=SCORES, targets=TARGETS, decisions=TARGETS[:2])
    with pytest.raises(DataError, match=r"the decisions have the shape \(2, 3\) and targets \(3, 3\)"):
        read("both.npz", None)
