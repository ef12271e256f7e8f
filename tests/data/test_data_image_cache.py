"""How images are held: decoders and limits, a cache that goes on where it was, the same batches in each way."""

import errno
import io
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mllc.data import image_cache, image_files
from mllc.data.ahead import stream
from mllc.data.decode import MOST_PIXELS, decode
from mllc.data.image_cache import Cache
from mllc.data.images import images
from mllc.data.rows import Mapped, Selected, join, select
from mllc.data.splits import carve
from mllc.data.streamed import Streamed
from mllc.errors import DataError
from mllc.feed import Feed
from mllc.models.front import Front

WAYS = ("memory", "disk", "none")
LABELS = ("sea", "sun", "sky")


def photograph(number: int, height: int = 40, width: int = 52) -> bytes:
    draw = np.random.default_rng(number)
    coarse = Image.fromarray(draw.integers(256, size=(4, 5, 3), dtype=np.uint8))
    stream = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """40 photographs and a list of them."""
    (tmp_path / "root").mkdir()
    lines = ["image,labels"]
    for number in range(40):
        (tmp_path / "root" / f"{number}.jpeg").write_bytes(photograph(number))
        lines.append(f"{number}.jpeg,{LABELS[number % 3]}")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def read(folder, cache, **settings):
    places = {"root": str(folder / "root"), "train": str(folder / "train.csv"), "cache_folder": str(folder / "cache")}
    return images(**places, **({"size": 8, "cache": cache} | settings))


def files_of(folder):
    return [folder / "root" / f"{number}.jpeg" for number in range(40)]


def a_cache(folder, size=8):
    files = files_of(folder)
    return Cache(files, image_files.digests(files)[0], size, folder / "cache")


def expected(folder, size=8):
    return torch.stack([decode(file.read_bytes(), size) for file in files_of(folder)])


def png_of(width, height):
    """A file of some hundred bytes that claims a size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def jpeg_of(width, height):
    """A JPEG whose header claims a size."""
    content = bytearray(photograph(0, 16, 16))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("claim", [png_of, jpeg_of])
@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (16_384, 8_193)])
def test_a_bomb_is_refused_by_its_header(claim, width, height, monkeypatch):
    monkeypatch.setattr("mllc.data.decode._pixels", None)
    monkeypatch.setattr("mllc.data.decode._jpeg", None)
    with pytest.raises(ValueError, match=f"unreadable: {width}x{height} pixels, more than {MOST_PIXELS}"):
        decode(claim(width, height), 8)
    assert Image.MAX_IMAGE_PIXELS is not None, "Pillow's own limit stays for others"


def test_a_bomb_is_named_by_its_list(folder):
    (folder / "root" / "3.jpeg").write_bytes(png_of(60_000, 60_000))
    with pytest.raises(DataError, match=r"train\.csv, line 5: 3\.jpeg: unreadable: 60000x60000 pixels"):
        read(folder, "disk")


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_image_that_shrinks_a_lot_is_decoded_at_a_fraction_of_its_size(mode, orientation, monkeypatch):
    content, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    gradient = Image.linear_gradient("L").resize((500, 375)).rotate(30).convert(mode)
    gradient.save(content, "JPEG", quality=95, exif=exif)
    small = decode(content.getvalue(), 64)
    monkeypatch.setattr("mllc.data.decode.DRAFT_FROM", 1000)
    assert (small.int() - decode(content.getvalue(), 64).int()).abs().float().mean() < 1


@pytest.mark.parametrize("size", [8, 30])
def test_a_truncated_photograph_is_refused_however_it_is_decoded(size):
    content = photograph(1)
    with pytest.raises(ValueError, match="truncated"):
        decode(content[:-40], size)


def test_the_cache_holds_what_is_decoded(folder):
    cache = a_cache(folder)
    assert cache.missing_bytes() == 40 * 192
    pixels, unreadable = cache.open()
    assert torch.equal(torch.from_numpy(np.array(pixels)), expected(folder))
    assert unreadable == {}
    assert a_cache(folder).missing_bytes() == 0
    assert cache.array.stat().st_size == pixels.offset + 40 * 192


def build_slowly(folder):
    image_cache.PART_BYTES = 192 * 4
    image_files.decode = lambda *given: time.sleep(0.02) or decode(*given)
    a_cache(folder).open()


def started(target, *given):
    process = multiprocessing.get_context("fork").Process(target=target, args=given)
    process.start()
    return process


def test_a_killed_build_goes_on_where_it_was(folder, monkeypatch):
    process = started(build_slowly, folder)
    journal = a_cache(folder).array.with_suffix(".jsonl")
    give_up = time.monotonic() + 60
    while (not journal.exists() or journal.read_text().count("[") < 2) and time.monotonic() < give_up:
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was killed while it worked"
    monkeypatch.setattr("mllc.data.image_cache.PART_BYTES", 192 * 4)
    with journal.open("a") as stream:
        stream.write('\n[9, "a torn li')
    done = sum(line.endswith("}]") for line in journal.read_text().splitlines())
    assert 2 <= done < 10
    decoded = []
    monkeypatch.setattr(image_files, "decode", lambda *given: decoded.append(1) or decode(*given))
    pixels, _ = a_cache(folder).open()
    assert len(decoded) == 40 - 4 * done
    assert torch.equal(torch.from_numpy(np.array(pixels)), expected(folder))
    a_cache(folder).open()
    assert len(decoded) == 40 - 4 * done, "now it is whole"


def test_only_what_is_damaged_is_decoded_again(folder, monkeypatch, caplog):
    monkeypatch.setattr("mllc.data.image_cache.PART_BYTES", 192 * 4)
    (folder / "root" / "39.jpeg").write_bytes(b"no image")
    first, reasons = a_cache(folder).open()
    array = a_cache(folder).array
    content = bytearray(array.read_bytes())
    content[first.offset + 192 * 5] ^= 255  # in the second part
    array.write_bytes(content)
    decoded = []
    monkeypatch.setattr(image_files, "decode", lambda *given: decoded.append(1) or decode(*given))
    again, same = a_cache(folder).open()
    assert len(decoded) == 4
    assert np.array_equal(again, first)
    assert reasons == same == {39: "not an image, or of an unknown format"}
    assert "is damaged; decoding 768 bytes again" in caplog.text


def test_two_processes_may_build_one_cache(folder):
    processes = [started(build_slowly, folder) for _ in range(2)]
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    pixels, _ = a_cache(folder).open()
    assert torch.equal(torch.from_numpy(np.array(pixels)), expected(folder))


def batches_of(data, epochs=(0, 1), **options):
    """Everything that training sees, and the validation split."""
    data = carve(data, val=0.2, test=0.2, generator=torch.Generator().manual_seed(0))
    settings = {"flip": 0.5, "crop": 1, "rand_augment": 1, "contrast": 0.2, "mixup": 0.4}
    feed = Feed("photographs", data, 0, 6, Front(nn.Sequential()), torch.device("cpu"), settings, **options)
    found = [list(feed.epoch(epoch)) for epoch in epochs] + [list(feed.split("val"))]
    return [batch for part in found for batch in part]


def test_batches_are_the_same_in_every_way(folder, monkeypatch):
    data = {way: read(folder, way) for way in WAYS}
    assert not os.path.exists(folder / "cache") or len(os.listdir(folder / "cache")) == 2
    monkeypatch.setattr("mllc.data.rows.TENSOR_LIMIT_BYTES", 0)
    data["mapped"] = read(folder, "disk")
    assert isinstance(data["mapped"].train.inputs, Mapped)
    assert len({one.fingerprint for one in data.values()}) == 1
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, *others = (batches_of(one) for one in data.values())
    assert torch.equal(torch.get_rng_state(), state), "reading ahead draws nothing from the stream of training"
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert torch.equal(one.features, two.features)
            assert torch.equal(one.targets, two.targets)
    assert read(folder, "none", size=9).fingerprint != data["none"].fingerprint


@pytest.mark.gpu
@pytest.mark.parametrize("way", WAYS)
def test_what_reaches_a_gpu_is_what_is_on_disk(folder, way, monkeypatch):
    monkeypatch.setattr("mllc.data.rows.TENSOR_LIMIT_BYTES", 0)
    data = carve(read(folder, way), val=0.2, test=0.2, generator=torch.Generator().manual_seed(0))
    near, far = (
        Feed("photographs", data, 0, 6, Front(nn.Sequential()).to(device), device, {"flip": 0.5, "crop": 1})
        for device in (torch.device("cpu"), torch.device("cuda", 0))
    )
    for epoch in range(3):
        for one, two in zip(near.epoch(epoch), far.epoch(epoch), strict=True):
            torch.testing.assert_close(two.features.cpu(), one.features)
            assert torch.equal(two.targets.cpu(), one.targets)


def test_memory_and_none_write_nothing(folder):
    for way in ("memory", "none"):
        batches_of(read(folder, way))
    assert not (folder / "cache").exists()


def test_auto_goes_by_size_and_free_disk(folder, monkeypatch):
    assert isinstance(read(folder, "auto").train.inputs, torch.Tensor)
    assert (folder / "cache").exists()
    free = 40 * 192
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    read(folder, "auto", size=8)  # nothing is missing in the cache
    assert len(os.listdir(folder / "cache")) == 2
    assert isinstance(read(folder, "auto", size=9).train.inputs, torch.Tensor)
    monkeypatch.setattr("mllc.data.image_rows.available_bytes", lambda _: free)
    assert not isinstance(read(folder, "auto", size=9).train.inputs, torch.Tensor)
    assert len(os.listdir(folder / "cache")) == 2


@pytest.mark.parametrize("way", [*WAYS, "auto"])
def test_bad_images_in_every_way(folder, way):
    (folder / "root" / "7.jpeg").write_bytes(photograph(7)[:-40])
    (folder / "root" / "9.jpeg").unlink()
    data = read(folder, way, on_bad_image="skip")
    assert data.skipped == {"train": 2}
    assert {"7.jpeg", "9.jpeg"}.isdisjoint(data.train.ids)
    assert data.fingerprint == read(folder, "memory", on_bad_image="skip").fingerprint
    (folder / "root" / "9.jpeg").write_bytes(photograph(9))
    with pytest.raises(DataError, match=r"train\.csv, line 9: 7\.jpeg: .*truncated.*; type dataset\.on_bad_image=skip"):
        batches_of(read(folder, way))
    assert multiprocessing.active_children() == []


def test_a_file_that_changes_while_it_is_streamed(folder):
    rows = read(folder, "none").train.inputs
    (folder / "root" / "5.jpeg").write_bytes(photograph(6))
    changed = r"root/5\.jpeg: the file has changed since this run began; type the command again$"
    with pytest.raises(DataError, match=changed):
        rows[torch.tensor([4, 5])]
    with pytest.raises(DataError, match=changed) as caught:
        list(stream(rows, torch.arange(40).split(4)))
    assert "\n" not in str(caught.value), "no traceback of the process that has met it"
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("second", "message"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files; it could be read when this run began"),
        (photograph(99), "the file has changed since this run began; type the command again"),
        (MemoryError(), "too little memory is free"),
    ],
    ids=["passes", "changed", "memory"],
)
def test_what_happens_between_digest_and_decoding_is_not_remembered(folder, way, second, message):
    times, read_bytes = Counter(), Path.read_bytes

    def read_twice(path):
        times[path.name] += 1
        if (path.name, times[path.name]) != ("2.jpeg", 2):
            return read_bytes(path)
        if isinstance(second, bytes):
            return second
        if isinstance(second, OSError):
            raise second
        return bytearray(read_bytes(path))

    def decode_with_too_little(content, size):
        if isinstance(content, bytearray):
            raise second
        return decode(content, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_twice)
        patch.setattr(image_files, "decode", decode_with_too_little)
        with pytest.raises(DataError, match=rf"root/2\.jpeg: {message}"):
            read(folder, way, on_bad_image="skip")
    data = read(folder, way, on_bad_image="skip")
    assert data.skipped == {}
    assert torch.equal(data.train.inputs[torch.arange(40)], expected(folder))


@pytest.mark.parametrize("size", [8, 30])
def test_short_memory_is_no_fault_of_the_image(size, monkeypatch):
    def refuse(*given):
        raise MemoryError

    monkeypatch.setattr("mllc.data.decode._jpeg", refuse)
    monkeypatch.setattr("mllc.data.decode._pixels", refuse)
    with pytest.raises(MemoryError):
        decode(photograph(1), size)


def test_a_whole_cache_in_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    def refuse(*given, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    read(folder, "disk")
    monkeypatch.setattr(os, "open", refuse)  # reading does not use it
    monkeypatch.setattr(os, "access", lambda *given: False)
    for way in ("disk", "auto"):
        assert torch.equal(read(folder, way).train.inputs, expected(folder))
    with pytest.raises(DataError, match=r"cannot be written .*Read-only file system"):
        read(folder, "disk", size=9)
    assert torch.equal(read(folder, "auto", size=9).train.inputs, expected(folder, 9))
    assert len(os.listdir(folder / "cache")) == 2


def test_only_a_full_disk_takes_a_cache_away_and_only_from_who_began_it(folder, monkeypatch):
    monkeypatch.setattr("mllc.data.image_cache.PART_BYTES", 192 * 4)
    write, journal = Cache._write, a_cache(folder).array.with_suffix(".jsonl")

    def open_failing_at(part, code):
        def failing(self, number):
            if number >= part:
                raise OSError(code, os.strerror(code))
            return write(self, number)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cache, "_write", failing)
            with pytest.raises(DataError, match="cannot be written"):
                a_cache(folder).open()

    open_failing_at(1, errno.ENOSPC)
    assert os.listdir(folder / "cache") == []
    for part, code in ((3, errno.EIO), (5, errno.ENOSPC)):
        open_failing_at(part, code)
        assert journal.read_text().count("[") == part, "what was finished stays"
    assert torch.equal(torch.from_numpy(np.array(a_cache(folder).open()[0])), expected(folder))


def test_many_files_are_few_tasks(folder, monkeypatch):
    tasks, submit = [], ThreadPoolExecutor.submit
    monkeypatch.setattr(ThreadPoolExecutor, "submit", lambda *given: tasks.append(1) or submit(*given))
    files = files_of(folder)
    contents, unreadable = image_files.digests(files * 100)
    assert len(tasks) < 100
    assert (contents, unreadable) == (image_files.digests(files)[0] * 100, {})


def test_memory_is_asked_for_as_many_images_as_there_are_threads(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)
    monkeypatch.setattr("mllc.data.image_rows.require_memory", lambda needed, *given: asked.append(needed))
    read(folder, "none")
    assert asked == [32 * 192]


def a_stream(folder, way="none"):
    rows = Selected(read(folder, way).train.inputs, torch.arange(39, -1, -1))
    return stream(rows, torch.arange(40).split(4))


def test_a_stream_reads_through_a_selection(folder):
    found = torch.cat(list(a_stream(folder)))
    assert torch.equal(found, expected(folder).flip(0))
    assert multiprocessing.active_children() == []


def test_joined_splits_share_the_processes_of_one_stream(folder):
    first, second = (read(folder, "none").train.inputs for _ in range(2))
    assert isinstance(join([first, second]), Streamed)
    joined = join([select(first, torch.arange(10)), second])
    assert isinstance(joined, Selected)
    assert isinstance(joined.rows, Streamed)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    expectation = torch.cat([expected(folder)[:10], expected(folder)])[order]
    assert torch.equal(torch.cat(list(stream(joined, order.split(7)))), expectation)
    assert torch.equal(joined[order], expectation)
    arriving = stream(joined, torch.arange(50).split(1))
    next(arriving)
    assert 1 <= len(multiprocessing.active_children()) <= os.cpu_count()
    arriving.close()
    assert multiprocessing.active_children() == []
    (folder / "root" / "7.jpeg").write_bytes(b"")
    first, second = (read(folder, "none").train.inputs for _ in range(2))
    for row in (7, 47):
        with pytest.raises(DataError, match=r"train\.csv, line 9: 7\.jpeg: the file is empty"):
            join([first, second])[torch.tensor([row])]


def test_parts_of_one_source_are_joined_to_a_selection_of_it(folder):
    rows = read(folder, "none").train.inputs
    parts = [select(select(rows, torch.arange(0, 40, 2)), torch.tensor([3, 1])), select(rows, torch.tensor([9]))]
    joined = join(parts)
    assert joined.rows is rows
    assert torch.equal(joined[torch.arange(3)], expected(folder)[[6, 2, 9]])


def test_no_process_outlives_its_stream(folder):
    arriving = a_stream(folder)
    next(arriving)
    assert multiprocessing.active_children()
    arriving.close()
    assert multiprocessing.active_children() == []
    with pytest.raises(ZeroDivisionError):
        [1 / (1 - number) for number, _ in enumerate(a_stream(folder))]
    assert multiprocessing.active_children() == []
    next(a_stream(folder))  # dropped, not closed
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes seconds")
def test_no_process_outlives_one_that_is_killed(folder):
    script = """
import multiprocessing, sys, time
from pathlib import Path
import torch
from mllc.data.ahead import stream
from mllc.data.images import images
root = Path(sys.argv[1])
rows = images(root=str(root / "root"), train=str(root / "train.csv"), size=8, cache="none").train.inputs
arriving = stream(rows, torch.arange(40).repeat(20).split(8))
next(arriving)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert children
        process.kill()
    for _ in range(20):
        left = [pid for pid in children if is_running(pid)]
        if not left:
            break
        time.sleep(0.1)
    assert left == []


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_shared_memory_the_run_decodes_itself(folder, monkeypatch):
    monkeypatch.setattr("mllc.data.streamed.AHEAD_BYTES", 192)
    arriving = a_stream(folder)
    first = next(arriving)
    assert multiprocessing.active_children() == []
    assert torch.equal(torch.cat([first, *arriving]), expected(folder).flip(0))


def test_a_process_that_is_killed_is_told(folder):
    rows = read(folder, "none", size=128).train.inputs
    arriving = stream(rows, torch.arange(40).repeat(20).split(8))
    next(arriving)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(DataError, match=r"a process that decodes images has ended .*Type a smaller batch_size"):
        list(arriving)


@pytest.mark.parametrize("error", [ConnectionResetError(104, "Connection reset by peer"), EOFError()])
def test_a_process_that_is_killed_while_it_hands_over_a_batch_is_told(folder, monkeypatch, error):
    def broken(_loader):
        raise error
        yield

    monkeypatch.setattr("mllc.data.streamed._begun", broken)
    said = getattr(error, "strerror", None) or "EOFError"
    with pytest.raises(DataError, match=rf"a process that decodes images has ended \(.*{said}\): was memory short"):
        next(a_stream(folder))


def stream_on(folder, pids):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
    rows = read(folder, "none").train.inputs
    for number, _ in enumerate(stream(rows, torch.arange(40).repeat(20_000).split(4))):
        if number == 3:
            pids.send([child.pid for child in multiprocessing.active_children()])


def alive(pid):
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


SLOW = pytest.mark.slow  # the processes look for their parent every 5 s
SIGNALS = [signal.SIGINT, pytest.param(signal.SIGTERM, marks=SLOW), pytest.param(signal.SIGKILL, marks=SLOW)]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
@pytest.mark.parametrize("number", SIGNALS)
def test_no_process_outlives_the_run(folder, number, capfd):
    here, there = multiprocessing.Pipe()
    process = started(stream_on, folder, there)
    assert here.poll(60)
    pids = here.recv()
    assert pids
    os.kill(process.pid, number)
    process.join(timeout=60)
    give_up = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(map(alive, pids))


@pytest.mark.slow
def test_ctrl_c_ends_a_run_that_streams(folder):
    settings = [f"dataset.root={folder}/root", f"dataset.train={folder}/train.csv", "dataset.cache=none"]
    sizes = ["dataset.size=32", "batch_size=4", "epochs=1000", "device=cpu", f"out={folder}/runs"]
    command = [sys.executable, "-m", "mllc", "train", "dataset=images", *settings, *sizes]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored in background jobs
    )
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    give_up = time.monotonic() + 120
    pids: list[int] = []
    while not pids and time.monotonic() < give_up:
        with open(children) as stream:
            pids = [int(word) for word in stream.read().split()]
        time.sleep(0.005)
    assert pids
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
