"""What every test gets: one torch thread, no deadline, a cache of its own, no gpu tests without a GPU; the command."""

import sys

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# examples may share a folder, and may be slow where others use the machine
settings.register_profile("mllc", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("mllc")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MLLC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def run_cli(monkeypatch, capsys):
    """Runs `mllc ARGUMENTS` in this process: exit code, stdout, stderr."""
    from mllc import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mllc", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return (left.value.code or 0, *capsys.readouterr())

    return run


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
