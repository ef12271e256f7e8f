"""The benchmarks of stacks and of loss kernels run end to end in a tiny configuration."""

import shlex

import pytest
from test_benchmarks import script, written  # noqa: F401


@pytest.mark.slow
def test_loss_kernels(script, tmp_path, capsys):  # noqa: F811
    kernels = script("loss_kernels")
    tiny = "--losses bce,focal,softmax_count --shape 16x30 --rounds 2 --device cpu --backend aot_eager"
    found = kernels.main(shlex.split(tiny))
    assert written(tmp_path) == found
    assert found["losses"].keys() == {"bce", "focal", "softmax_count"}
    for loss in found["losses"].values():
        assert loss.keys() == {"eager", "compiled"}
        assert all(0 < one["share"]["low"] <= one["share"]["median"] <= one["share"]["high"] for one in loss.values())
    assert "| focal | " in capsys.readouterr().out


@pytest.mark.slow
def test_heads(script, tmp_path, capsys):  # noqa: F811
    sizes = "--replicas 3 --features 8 --hidden 6 --labels 5 --batch 16 --steps 2 --rounds 2 --processes 2"
    found = script("heads").main(shlex.split(f"{sizes} --device cpu --launches off,graph"))
    assert written(tmp_path) == found
    assert found["ms"].keys() == {"stacked", "stacked, graph", "serial", "processes"}
    assert found["times_faster_than_serial"]["serial"]["median"] == 1
    assert len(found["rounds"]) == 2
    assert "| stacked | " in capsys.readouterr().out
