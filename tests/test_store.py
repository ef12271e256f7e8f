"""Run folders: atomic, locked, plain, and clear about what is wrong with the disk or the content."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mllc.errors import StoreError
from mllc.result import FORMAT, RunResult
from mllc.store import RunFolder, run_id


def a_result(**changes):
    values = {
        "run_id": "abc",
        "name": "bce",
        "dataset": "digits",
        "backbone": "patch",
        "loss": "bce",
        "optimizer": "adam",
        "seed": 0,
        "settings": {"optimizer.lr": 0.001},
        "shared": {"epochs": 2},
        "status": "done",
        "monitor": "val_map",
    }
    return RunResult(**values | changes)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        yield folder


def test_a_result_comes_back_equal(folder):
    result = a_result(val={"map": 0.5, "macro_f1": None}, collapse={"verdict": None}, threshold=-1.25)
    assert folder.result() is None
    folder.save_result(result)
    assert folder.result() == result


def test_a_figure_that_is_not_finite_becomes_null(folder):
    folder.save_result(a_result(monitor_value=float("nan")))
    assert json.loads((folder.path / "result.json").read_text())["monitor_value"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be used"),
        ("{", "cannot be used"),
        ("[]", "format 'list'"),
        ('{"format": 999}', f"reads format {FORMAT}"),
        (json.dumps({"format": FORMAT, "colour": 1}), "unknown fields"),
        (json.dumps({"format": FORMAT}), "missing"),
    ],
)
def test_a_damaged_or_foreign_result_is_named(folder, text, message):
    (folder.path / "result.json").write_text(text)
    with pytest.raises(StoreError, match=message) as caught:
        folder.result()
    assert str(folder.path) in str(caught.value)
    assert "--force" in str(caught.value)


def test_tensors_and_what_is_said_about_them_come_back_together(folder):
    tensors = {"a": torch.rand(3, 4), "b/c": torch.tensor(7), "t": torch.rand(4, 3).t()}
    folder.save_tensors("resume", tensors, {"epoch": 3, "history": [{"x": 0.1}]})
    found, about = folder.load_tensors("resume")
    assert about == {"epoch": 3, "history": [{"x": 0.1}]}
    assert all(torch.equal(found[key], tensors[key]) for key in tensors)


def test_damaged_tensors_count_as_absent(folder):
    folder.save_tensors("resume", {"a": torch.rand(100)})
    file = folder.path / "resume.safetensors"
    for content in (file.read_bytes()[:150], b"", b"\x00" * 20):
        file.write_bytes(content)
        assert folder.load_tensors("resume") is None
        said = []
        folder.load_tensors("resume", said.append)
        assert len(said) == 1
        assert said[0].startswith(f"{file} is damaged (")
    assert folder.load_tensors("never", pytest.fail) is None


def test_every_file_has_the_mode_that_the_umask_leaves(folder):
    former = os.umask(0o027)
    try:
        folder.save_tensors("checkpoint", {"a": torch.rand(2)})
        folder.save_result(a_result())
    finally:
        os.umask(former)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in folder.path.iterdir() if file.name != ".lock"}
    assert modes == {"checkpoint.safetensors": "0o640", "result.json": "0o640"}


def test_a_table_has_the_columns_of_all_rows(folder):
    folder.save_table("history.csv", [{"epoch": 1}, {"epoch": 2, "val_map": 0.5}])
    assert (folder.path / "history.csv").read_text().splitlines() == ["epoch,val_map", "1,", "2,0.5"]


def test_a_write_that_breaks_off_leaves_the_former_file(folder):
    folder.save_table("history.csv", [{"epoch": 1}])

    class Broken:
        def __str__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.save_table("history.csv", [{"epoch": Broken()}])
    assert (folder.path / "history.csv").read_text().splitlines() == ["epoch", "1"]
    assert [p.name for p in folder.path.iterdir() if "partial" in p.name] == []


def test_a_full_disk_is_said_and_nothing_counts_as_done(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match=r"is full .* out=ANOTHER_FOLDER"):
        folder.save_result(a_result())
    monkeypatch.undo()
    assert folder.result() is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"cannot write to .* out=ANOTHER_FOLDER"),
        RunFolder(tmp_path / "file/x").locked(),
    ):
        pass


def test_the_second_process_stops_and_says_who_has_the_folder(folder):
    script = (
        "import sys; from pathlib import Path; from mllc.store import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): pass"
    )
    second = subprocess.run(
        [sys.executable, "-c", script, str(folder.path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "is in use by process" in second.stderr


def test_a_lock_ends_with_its_process(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from mllc.store import RunFolder\n"
        "lock = RunFolder(Path(sys.argv[1])).locked(); lock.__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "run")], timeout=60, check=False)
    with RunFolder(tmp_path / "run").locked():
        pass


def test_clear_removes_the_run_and_keeps_the_lock(folder, tmp_path_factory):
    folder.save_result(a_result())
    folder.save_tensors("resume", {"a": torch.rand(2)})
    (folder.path / "curves/train").mkdir(parents=True)  # what a tracker may leave
    (folder.path / "curves/train/events").touch()
    (folder.path / "elsewhere").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    folder.clear()
    assert [p.name for p in folder.path.iterdir()] == [".lock"]


def test_done_needs_no_resume_file_but_a_failed_run_keeps_it(folder):
    folder.save_tensors("resume", {"a": torch.rand(2)})
    folder.save_result(a_result(status="failed"))
    assert folder.load_tensors("resume") is not None
    folder.save_result(a_result())
    assert folder.load_tensors("resume") is None


def test_the_id_depends_on_settings_and_on_what_the_paths_held():
    base = run_id({"loss.gamma": 2.0}, {"data": "1", "weights": ""})
    assert base == run_id({"loss.gamma": 2.0}, {"weights": "", "data": "1"})
    assert base != run_id({"loss.gamma": 3.0}, {"data": "1", "weights": ""})
    assert base != run_id({"loss.gamma": 2.0}, {"data": "2", "weights": ""})


def test_a_row_name_becomes_a_safe_folder_name():
    path = RunFolder.at("runs", "digits", "bce, un/tuned", 3, "abc").path
    assert path == Path("runs/digits-bce_un_tuned-s3-abc")


@pytest.mark.parametrize(
    ("train", "name"),
    [("data/bibtex-train.arff", "arff_bibtex_train-bce-s0-abc"), ("photos/train.csv", "arff_photos-bce-s0-abc")],
)
def test_a_folder_is_named_after_the_training_file_and_found_by_its_id(tmp_path, train, name):
    dataset = {"name": "arff", "train": train, "traits": {"paths": ["train", "test"]}}
    config = {"out": str(tmp_path), "dataset": dataset, "loss": {"name": "bce"}, "name": None, "seed": 0}
    assert RunFolder.of(config, "abc").path == tmp_path / name
    former = tmp_path / "arff_under_a_former_name-bce-s0-abc"
    former.mkdir()
    assert RunFolder.of(config, "abc").path == former
    assert RunFolder.of(config, "abd").path == tmp_path / name.replace("abc", "abd")


def test_too_long_a_path(tmp_path):
    with pytest.raises(StoreError, match=r"has too long a path; type a shorter out=FOLDER"):
        RunFolder.at(str(tmp_path / ("x" * 300)), "digits", "bce", 0, "a1").result()
