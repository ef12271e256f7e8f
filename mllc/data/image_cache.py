"""Images decoded and resized once, kept on disk as one uint8 array, and checked against its digest when read again."""

import errno
import hashlib
import io
import json
import logging
import os
import shutil
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.io
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from mllc.device import require_memory
from mllc.device import size as size_text
from mllc.errors import DataError

# torchvision 0.29 announces that its decoders will leave for torchcodec; until then they are the faster ones
warnings.filterwarnings("ignore", "The image decoding and encoding capabilities of TorchVision", DeprecationWarning)

TRANSFORM_VERSION = 1
"""To be raised with any change to what `decode` returns: older caches are then left alone."""

_CHUNK = 256
_REPORT_SECONDS = 5
_log = logging.getLogger("mllc")


def cache_folder(cache: str | None) -> Path:
    """The folder for caches: the one given, else $MLLC_CACHE, else ~/.cache/mllc."""
    return Path(cache or os.environ.get("MLLC_CACHE") or "~/.cache/mllc").expanduser()


def decode(content: bytes, size: int) -> Tensor:
    """An image file as uint8 (3, size, size): upright by its EXIF, RGB, squeezed into the square with smoothing.

    Grey, palette, CMYK and 16-bit images are converted, transparency is ignored. JPEG is decoded by torchvision (twice
    as fast as Pillow, the same pixels), other formats, and what torchvision refuses, by Pillow.
    Raises ValueError, saying why, for what is not a whole, single image.
    """
    if not content:
        raise ValueError("the file is empty")
    planes = _jpeg(content)
    if planes is None:
        planes = torch.from_numpy(_pixels(content)).permute(2, 0, 1)
    return F.interpolate(planes[None], (size, size), mode="bilinear", antialias=True)[0].contiguous()


def _jpeg(content: bytes) -> Tensor | None:
    """uint8 (3, height, width), or None for what is not a JPEG that torchvision decodes."""
    decode_jpeg = getattr(torchvision.io, "decode_jpeg", None)
    if decode_jpeg is None or not content.startswith(b"\xff\xd8\xff"):
        return None
    try:
        return decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), "RGB", apply_exif_orientation=True)
    except RuntimeError:
        return None


def _pixels(content: bytes) -> np.ndarray:
    """uint8 (height, width, 3), decoded by Pillow; ValueError for what is not a whole, single image."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # MPO: a photograph and its previews
                raise ValueError(f"an animation or a document of {getattr(image, 'n_frames', 0)} images")
            return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError("not an image, or of an unknown format") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise errors of any kind
        raise ValueError(str(error) or type(error).__name__) from None


def _rgb(image: Image.Image) -> np.ndarray:
    """uint8 (height, width, 3); Pillow itself would cut off 16-bit values at 255."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        grey = (np.asarray(image).astype(np.int32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of 32 bits (Pillow's mode {image.mode})")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def decoded(files: Sequence[Path], size: int, folder: Path) -> tuple[np.memmap, dict[int, str]]:
    """The images of `files`, uint8 (files, 3, size, size), memory-mapped; and why some could not be read, by index.

    They are decoded in parallel and written to `folder` under a name made of the files' contents, the size and
    TRANSFORM_VERSION; the next call reads that, unless it is damaged. An image that could not be read is all zeros.
    Raises DataError where the folder cannot be written.
    """
    with ThreadPoolExecutor() as pool:
        key = hashlib.blake2b(f"{TRANSFORM_VERSION} {size}".encode(), digest_size=16)
        for digest in pool.map(_digest, files):
            key.update(digest)
        array, about = folder / f"{key.hexdigest()}.npy", folder / f"{key.hexdigest()}.json"
        shape = (len(files), 3, size, size)
        found = _read(array, about, shape)
        if found is None:
            one = 3 * size * size
            what = f"decoding images of {size} x {size} pixels"
            require_memory(one * min(len(files), _CHUNK), what, "dataset.size")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if one * len(files) > shutil.disk_usage(folder).free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                _write(array, about, shape, files, pool)
            except OSError as error:
                raise DataError(
                    f"the image cache cannot be written to {folder}: {error.strerror}; type cache=FOLDER, or "
                    f"a smaller dataset.size ({size_text(one * len(files))} are needed for {size} x {size} pixels)"
                ) from None
            found = _read(array, about, shape)
    if found is None:
        raise DataError(f"the image cache {array} cannot be read back; is another program changing {folder}?")
    return found


def _digest(file: Path) -> bytes:
    """Of a file's content, or of the reason why it cannot be read, which is remembered with the pixels."""
    try:
        return hashlib.blake2b(file.read_bytes(), digest_size=16).digest()
    except (OSError, ValueError) as error:
        return hashlib.blake2b(_reason(error).encode(), digest_size=16, person=b"unreadable").digest()


def _decoded(file: Path, size: int) -> bytes | str:
    """The pixels, or why there are none."""
    try:
        return decode(file.read_bytes(), size).numpy().tobytes()
    except (OSError, ValueError) as error:
        return _reason(error)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error)


def _read(array: Path, about: Path, shape: tuple[int, ...]) -> tuple[np.memmap, dict[int, str]] | None:
    """A cache, or None where there is none or it is not what was written."""
    try:
        told: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        images = np.lib.format.open_memmap(array, mode="c")
        if images.shape == shape and images.dtype == np.uint8 and told["digest"] == _pixel_digest(images):
            return images, {int(index): reason for index, reason in told["unreadable"].items()}
        _log.warning("the image cache %s is damaged; decoding again", array)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        _log.warning("the image cache %s is damaged; decoding again", array)
    return None


def _pixel_digest(images: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(images), _CHUNK):
        digest.update(images[start : start + _CHUNK].data)
    return digest.hexdigest()


def _write(array: Path, about: Path, shape: tuple[int, ...], files: Sequence[Path], pool: ThreadPoolExecutor) -> None:
    """Writes both files under temporary names first, so that what has the final name is whole."""
    size = shape[-1]
    blank = bytes(3 * size * size)
    digest = hashlib.blake2b(digest_size=16)
    unreadable: dict[int, str] = {}
    due = time.monotonic() + _REPORT_SECONDS
    temporary = [path.with_name(f".{path.name}.{os.getpid()}") for path in (array, about)]
    try:
        # Plain writes, not a map: on a full disk a write fails with a reason, a map kills the process.
        with temporary[0].open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, len(files), _CHUNK):
                for index, image in enumerate(
                    pool.map(lambda f: _decoded(f, size), files[start : start + _CHUNK]), start
                ):
                    if isinstance(image, str):
                        unreadable[index], image = image, blank
                    stream.write(image)
                    digest.update(image)
                if time.monotonic() > due:
                    _log.info("decoded %d of %d images", start + _CHUNK, len(files))
                    due = time.monotonic() + _REPORT_SECONDS
        told = {"digest": digest.hexdigest(), "unreadable": unreadable}
        temporary[1].write_text(json.dumps(told), encoding="utf-8")
        temporary[0].replace(array)
        temporary[1].replace(about)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)
