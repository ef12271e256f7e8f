"""Every format has a small sample in tests/formats.py, which its reader reads; test_predict.py trains on each."""

import pytest
from formats import FORMATS

from mllc.build import share
from mllc.config import catalogue
from mllc.config.compose import compose

MADE_HERE = {"digits", "synthetic"}
"""Data sets that no file holds."""


def test_every_reader_has_a_sample():
    assert FORMATS.keys() | MADE_HERE == set(catalogue.choices("dataset")) - {"auto"}


@pytest.fixture(params=sorted(FORMATS))
def made(request, tmp_path):
    return FORMATS[request.param](tmp_path)


def test_it_is_read(made):
    shared = share(compose([*made.overrides]))
    assert len(shared.data.label_names) == 4
