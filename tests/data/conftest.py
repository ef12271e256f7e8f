"""Real data for the readers, where it is at hand."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: $MLLC_TEST_DATA, else shared/data beside the repository."""
    folder = os.environ.get("MLLC_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
    if not Path(folder).is_dir():
        pytest.skip(f"no real data in {folder}; set MLLC_TEST_DATA")
    return Path(folder)
