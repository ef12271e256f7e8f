"""Digests of files: SHA-256 of the content, whatever was asked before."""

import hashlib
import os

import pytest

from mllc import digests
from mllc.digests import file_digest


def test_the_digest_is_that_of_the_content_now(tmp_path):
    file = tmp_path / "weights"
    for content in (b"one", b"two", b"three", b""):
        file.write_bytes(content)
        os.utime(file, ns=(0, len(content) * 1000 + content[:1].count(b"t")))
        assert file_digest(file) == hashlib.sha256(content).hexdigest()


def test_a_file_and_its_links_are_read_once(tmp_path, monkeypatch):
    file, link = tmp_path / "frozen", tmp_path / "link"
    file.write_bytes(b"layers")
    found = file_digest(file)
    os.link(file, link)
    monkeypatch.setattr(digests.hashlib, "file_digest", None)
    assert file_digest(link) == file_digest(file) == found


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        file_digest(tmp_path)
