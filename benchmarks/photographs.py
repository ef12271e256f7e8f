"""Made photographs: JPEG files of 500 x 375 pixels with the amount of detail of a real one, and a list of them."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

LABELS, TRUE_LABELS = 100, 3


def photograph(draw: np.random.Generator) -> bytes:
    """Smooth colours under grain; about 68 kB."""
    coarse = Image.fromarray(draw.integers(256, size=(12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.float32)
    grain = draw.standard_normal((375, 500, 3), dtype=np.float32) * 12
    stream = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def write_photographs(folder: Path, number: int, distinct: int = 500) -> None:
    """`number` files in FOLDER/images, of which `distinct` differ (the others are links), and FOLDER/train.csv."""
    draw = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = ["image,labels"]
    for i in range(number):
        file = folder / "images" / f"{i}.jpeg"
        if i < distinct:
            file.write_bytes(photograph(draw))
        else:
            os.link(folder / "images" / f"{i % distinct}.jpeg", file)
        names = draw.choice(LABELS, TRUE_LABELS, replace=False)
        lines.append(f"{file.name},{'|'.join(f'label{label}' for label in names)}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
