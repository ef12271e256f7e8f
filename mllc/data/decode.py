"""The pixels of an image file, resized: the decoder is chosen by how much the image shrinks."""

import io
import threading
import warnings

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.io
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

# torchvision 0.29 announces that its decoders will leave for torchcodec; until then they are the faster ones
warnings.filterwarnings("ignore", "The image decoding and encoding capabilities of TorchVision", DeprecationWarning)
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit is MOST_PIXELS

TRANSFORM_VERSION = 3
"""To be raised with any change to what `decode` returns: it is part of a cache's name and of a data set's content."""

MOST_PIXELS = 1 << 27
"""Larger images are refused: a photograph of the largest cameras has 102 million pixels, and this many take 400 MB in
each worker that decodes one, while a file of a few kilobytes can claim thousands of times as many."""

DRAFT_FROM = 4
"""How often an image must hold its target on both sides before it is decoded at a fraction of its size."""

_bomb_lock = threading.Lock()


def decode(content: bytes, size: int) -> Tensor:
    """An image file as uint8 (3, size, size): upright by its EXIF, RGB, squeezed into the square with smoothing.

    Grey, palette, CMYK and 16-bit images are converted, transparency is ignored. A JPEG is decoded by torchvision, or,
    where it shrinks DRAFT_FROM times or more, by Pillow at a fraction of its size; other formats by Pillow. With the
    resizing, which PyTorch does, 500 x 375 to 224 takes 1 / 1.6 of the time that Pillow alone takes for it; to 64 the
    time is that of Pillow with `draft`.
    Raises ValueError, saying why, for what is not a whole, single image, or has more than MOST_PIXELS. MemoryError is
    left as it is: it says nothing about the image.
    """
    if not content:
        raise ValueError("the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:  # reads the header alone
            _check_size(*image.size)
            planes = None
            if content.startswith(b"\xff\xd8\xff") and min(image.size) < DRAFT_FROM * size:
                planes = _jpeg(content)
            if planes is None:
                planes = torch.from_numpy(_pixels(image, size)).permute(2, 0, 1)
    except UnidentifiedImageError:
        raise ValueError("not an image, or of an unknown format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        _check_size(*_claimed_size(content))
        raise ValueError("unreadable: a part of it has too many pixels") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise errors of any kind
        raise ValueError(str(error) or type(error).__name__) from None
    return F.interpolate(planes[None], (size, size), mode="bilinear", antialias=True)[0].contiguous()


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(f"unreadable: {width}x{height} pixels, more than {MOST_PIXELS}")


def _claimed_size(content: bytes) -> tuple[int, int]:
    """Width and height of an image whose header alone Pillow refuses to look at."""
    with _bomb_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.size
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _jpeg(content: bytes) -> Tensor | None:
    """uint8 (3, height, width), or None for what torchvision does not decode."""
    decode_jpeg = getattr(torchvision.io, "decode_jpeg", None)
    if decode_jpeg is None:
        return None
    try:
        return decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), "RGB", apply_exif_orientation=True)
    except RuntimeError:
        return None


def _pixels(image: Image.Image, size: int) -> np.ndarray:
    """uint8 (height, width, 3), decoded by Pillow; a JPEG perhaps at a half, a quarter or an eighth of its size."""
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # MPO: a photograph and its previews
        raise ValueError(f"an animation or a document of {getattr(image, 'n_frames', 0)} images")
    if min(image.size) >= DRAFT_FROM * size:
        image.draft(image.mode, (size, size))
    ImageOps.exif_transpose(image, in_place=True)
    return _rgb(image)


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
