"""Downloads, from small archives that this machine serves: laid out, not repeated, never half, refused in words."""

import functools
import hashlib
import http.server
import tarfile
import threading
import zipfile

import pytest
import torchvision.datasets
from torchvision.datasets import voc as torchvision_voc

from mllc.data import download
from mllc.errors import ConfigError, DataError


def zipped(file, content):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return hashlib.md5(file.read_bytes()).hexdigest()


def tarred(file, content):
    for name, text in content.items():
        path = file.with_suffix("") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with tarfile.open(file, "w") as archive:
        archive.add(file.with_suffix("") / "VOCdevkit", "VOCdevkit")
    return {"md5": hashlib.md5(file.read_bytes()).hexdigest(), "filename": file.name}


def laid_out(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


COCO_FILES = ["annotations/instances_train2017.json", "annotations/instances_val2017.json"]
COCO_IMAGES = ["train2017/1.jpg", "train2017/2.jpg", "val2017/3.jpg"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address that it is served at."""
    web = tmp_path / "web"
    web.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=web)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield web, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def web(served, monkeypatch):
    """Where the archives lie; COCO and VOC 2007 are to be fetched from there."""
    web, address = served
    parts = [
        ("a.zip", dict.fromkeys(COCO_FILES, "{}"), COCO_FILES[1]),
        ("v.zip", {"val2017/3.jpg": "3"}, "val2017"),
        ("t.zip", {"train2017/1.jpg": "1", "train2017/2.jpg": "2"}, "train2017"),
    ]
    archives = tuple(
        download.Archive(f"{address}/{name}", zipped(web / name, content), proof) for name, content, proof in parts
    )
    monkeypatch.setattr(download, "COCO", {2017: archives})
    base = "VOCdevkit/VOC2007"
    for key, name, image_set in (("2007", "trainval", "trainval"), ("2007-test", "test", "test")):
        content = {f"{base}/ImageSets/Main/{image_set}.txt": "1\n", f"{base}/Annotations/{name}.xml": "<a/>"}
        about = tarred(web / f"{name}.tar", content) | {"base_dir": base, "url": f"{address}/{name}.tar"}
        monkeypatch.setitem(torchvision_voc.DATASET_YEAR_DICT, key, about)
    return web


def test_coco_is_laid_out_as_its_archives_are_and_fetched_once(web, tmp_path):
    root = tmp_path / "new" / "coco"
    download.fetch_coco(root, 2017)
    assert laid_out(root) == COCO_FILES + COCO_IMAGES
    for archive in web.iterdir():
        if archive.is_file():
            archive.unlink()
    download.fetch_coco(root, 2017)


def test_voc_2007_comes_with_its_test_split(web, tmp_path):
    root = tmp_path / "voc"
    download.fetch_voc(root, 2007)
    base = "VOCdevkit/VOC2007"
    expected = ["Annotations/test.xml", "Annotations/trainval.xml", "ImageSets/Main/test.txt"]
    assert laid_out(root) == [f"{base}/{name}" for name in [*expected, "ImageSets/Main/trainval.txt"]]
    (web / "trainval.tar").unlink()
    download.fetch_voc(root, 2007)


def test_what_is_there_is_not_fetched(web, tmp_path):
    (tmp_path / "val2017").mkdir()  # empty: not there
    (tmp_path / "train2017").mkdir()
    (tmp_path / "train2017" / "mine.jpg").write_text("mine")
    (web / "t.zip").unlink()
    download.fetch_coco(tmp_path, 2017)
    assert (tmp_path / "val2017" / "3.jpg").read_text() == "3"
    assert (tmp_path / "train2017" / "mine.jpg").read_text() == "mine"


def test_a_damaged_archive_is_refused_and_leaves_nothing_in_place(web, tmp_path):
    content = (web / "v.zip").read_bytes()
    (web / "v.zip").write_bytes(content[:-5])
    root = tmp_path / "coco"
    with pytest.raises(DataError, match=r"v\.zip was not fetched: .*corrupted.* fetch it by hand, unpack it in .*coco"):
        download.fetch_coco(root, 2017)
    assert not (root / "val2017").exists()
    (web / "v.zip").write_bytes(content)
    download.fetch_coco(root, 2017)
    assert laid_out(root) == COCO_FILES + COCO_IMAGES


def test_a_download_cut_off_while_its_files_are_moved_is_not_there(web, tmp_path, monkeypatch):
    def cut_off(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            download.fetch_coco(tmp_path, 2017)
    assert (tmp_path / COCO_FILES[1]).exists()
    (tmp_path / COCO_FILES[0]).unlink()
    (web / "a.zip").unlink()  # whole in the hidden folder: not fetched again
    download.fetch_coco(tmp_path, 2017)
    assert laid_out(tmp_path / "annotations") == [name.partition("/")[2] for name in COCO_FILES]
    assert not list(tmp_path.glob(".*"))


def test_an_archive_that_holds_something_else_is_refused(served, tmp_path, monkeypatch):
    web, address = served
    archive = download.Archive(f"{address}/x.zip", zipped(web / "x.zip", {"other/1.jpg": ""}), "val2017")
    monkeypatch.setattr(download, "COCO", {2017: [archive]})
    with pytest.raises(DataError, match="there is no val2017 in it"):
        download.fetch_coco(tmp_path / "coco", 2017)
    assert not (tmp_path / "coco" / "other").exists()


def test_no_such_address_and_no_place(web, tmp_path):
    (web / "trainval.tar").unlink()
    with pytest.raises(DataError, match=r"dataset\.download: http://127.*trainval\.tar was not fetched: .*404"):
        download.fetch_voc(tmp_path / "voc", 2007)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"a\.zip was not fetched: .*(Not a directory|File exists)"):
        download.fetch_coco(tmp_path / "file", 2017)


def test_years_without_a_download(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.year=2015: there is a download for 2014 and 2017"):
        download.fetch_coco(tmp_path, 2015)
    with pytest.raises(ConfigError, match=r"dataset\.year=2013: there is a download for 2007 to 2012"):
        download.fetch_voc(tmp_path, 2013)


def test_celeba_is_torchvision_s(tmp_path, monkeypatch):
    class Fake:
        def __init__(self, folder, download):
            (folder / "celeba" / "img_align_celeba").mkdir(parents=True)
            (folder / "celeba" / "img_align_celeba" / "000001.jpg").write_text("1")
            (folder / "celeba" / "list_attr_celeba.txt").write_text("1")
            (folder / "celeba" / "img_align_celeba.zip").write_text("the archive is not kept")

    monkeypatch.setattr(torchvision.datasets, "CelebA", Fake)
    download.fetch_celeba(tmp_path)
    assert laid_out(tmp_path) == ["celeba/img_align_celeba/000001.jpg", "celeba/list_attr_celeba.txt"]

    def fails(*_, **__):
        raise RuntimeError("To download files from GDrive, 'gdown' is required. You can ... 'pip install gdown'.")

    monkeypatch.setattr(torchvision.datasets, "CelebA", fails)
    download.fetch_celeba(tmp_path)  # is there
    with pytest.raises(DataError, match=r"CelebA\.html was not fetched: .*pip install gdown.*celeba/img_align_celeba"):
        download.fetch_celeba(tmp_path / "other")
