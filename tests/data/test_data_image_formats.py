"""What every image format does alike: settings and roots that are refused, bad images, new samples."""

from importlib import import_module

import pytest
import torch
from formats import FORMATS

from mllc.config import catalogue
from mllc.data.rows import dense
from mllc.errors import ConfigError, DataError


class Format:
    """The small sample of a format, its reader, and the settings that this needs."""

    def __init__(self, name, folder):
        self._made, self.folder = FORMATS[name](folder), folder
        self._module, self._name = import_module(f"mllc.data.{name}"), name
        self._given = dict(text.removeprefix("dataset.").split("=", 1) for text in self._made.overrides[1:])
        self._given |= {"size": 4, "cache_folder": str(folder / "cache")}

    def read(self, **changed):
        return getattr(self._module, self._name)(**self._given | changed)

    def samples(self, encoding, **changed):
        return self._module.samples(
            self._made.test, catalogue.settings("dataset", self._name) | self._given | changed, encoding
        )

    def image(self, name):
        """The file of an image, by its id."""
        (file,) = (file for file in self.folder.rglob(name.rpartition("/")[2]) if str(file).endswith(name))
        return file


@pytest.fixture(params=[n for n in sorted(FORMATS) if catalogue.settings("dataset", n)["traits"]["kind"] == "images"])
def made(request, tmp_path):
    return Format(request.param, tmp_path)


@pytest.mark.parametrize("settings", [{"size": 0}, {"on_bad_image": "ignore"}, {"cache": "ram"}])
def test_settings_that_are_refused(made, settings):
    with pytest.raises(ConfigError, match=f"dataset.{next(iter(settings))}="):
        made.read(**settings)


@pytest.mark.parametrize("root", ["nowhere", "x" * 300, "~nobody of that name/x", "a\0b"])
def test_roots_that_are_refused(made, root):
    with pytest.raises(DataError, match="there is no such folder"):
        made.read(root=root)


def test_bad_images_are_refused_by_name_or_skipped(made):
    whole = made.read()
    bad = [made.image(name) for name in (whole.train.ids[0], whole.train.ids[5], whole.test.ids[1])]
    bad[0].write_bytes(b"")
    bad[1].write_bytes(bad[1].read_bytes()[:40])
    bad[2].write_bytes(b"not an image")
    with pytest.raises(DataError, match=rf"{whole.train.ids[0]}: the file is empty.* type dataset\.on_bad_image=skip"):
        made.read()
    data = made.read(on_bad_image="skip")
    assert data.skipped == {"train": 2, "test": 1}
    assert data.train.ids == (*whole.train.ids[1:5], *whole.train.ids[6:])
    assert torch.equal(data.train.targets, torch.cat([whole.train.targets[1:5], whole.train.targets[6:]]))
    with pytest.raises(DataError, match=r"not an image, or of an unknown format; .* --on-bad-image skip"):
        list(made.samples(data.encoding))
    (found,) = made.samples(data.encoding, on_bad_image="skip")
    assert torch.equal(found.inputs, dense(data.test.inputs))


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_new_samples_are_the_test_split(made, cache):
    data = made.read(cache=cache)
    (found,) = made.samples(data.encoding)
    assert torch.equal(found.inputs, dense(data.test.inputs))
    assert [name.rpartition("/")[2] for name in found.ids] == [name.rpartition("/")[2] for name in data.test.ids]
    assert data.fingerprint == made.read().fingerprint
