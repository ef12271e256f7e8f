"""Picture: a figure with the words that belong to it; as SVG, as PNG, and into a folder."""

import io
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from xml.sax.saxutils import escape

from matplotlib.figure import Figure
from matplotlib.style import context

from mllc.errors import StoreError
from mllc.plots.style import SETTINGS

DPI = 150

FONTS = ", ".join(SETTINGS["font.sans-serif"])


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    name     of its files, without an ending; letters, digits, - and _
    title    a few words; the figure shows them too
    caption  one sentence that says what is seen: the text for who cannot see it
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def svg(self) -> str:
        """The picture as an <svg> element: a file of its own, or part of a page.

        Its ids begin with `name`, so that several pictures fit into one page. The same picture gives the same text.
        """
        text = self._rendered("svg", dict.fromkeys(("Date", "Creator", "Format", "Type"))).decode()
        text = text[text.index("<svg") :].rstrip() + "\n"
        text = re.sub(r" <defs>\s*<style.*?</style>\s*</defs>\n", "", text, flags=re.S)  # it would rule the whole page
        text = re.sub(r"<[^>]*>", lambda tag: self._tidied(tag[0]), text)
        words = (
            f'role="img" aria-labelledby="{self.name}-title {self.name}-caption" font-family="{FONTS}" '
            'stroke-linejoin="round" stroke-linecap="butt"'
        )
        about = (
            f'<title id="{self.name}-title">{escape(self.title)}</title>\n'
            f' <desc id="{self.name}-caption">{escape(self.caption)}</desc>'
        )
        start, _, rest = text.partition(">")
        return f"{start} {words}>\n {about}{rest}"

    def _tidied(self, tag: str) -> str:
        """A tag with ids of its own, hundredths of a point, and without what says nothing."""
        tag = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{self.name}-", tag)
        tag = re.sub(r'(?<= [dxy]=")[^"]*', lambda numbers: re.sub(r"(\.\d\d)\d+", r"\1", numbers[0]), tag)
        return re.sub(r"font-family: [^;\"]*;? ?| transform=\"rotate\(-?0 [^\"]*\"", "", tag)

    def png(self) -> bytes:
        """The picture in DPI dots an inch; the same picture gives the same bytes."""
        return self._rendered("png", {"Software": None})

    def pdf(self) -> bytes:
        """The picture as a page; the same picture gives the same bytes."""
        return self._rendered("pdf", dict.fromkeys(("Creator", "Producer", "CreationDate")))

    def _rendered(self, format: str, metadata: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        with context(["default", SETTINGS, {"svg.hashsalt": self.name}]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # names in any script
            if self.figure.get_layout_engine() is not None:
                self.figure.draw_without_rendering()
                self.figure.set_layout_engine("none")  # once: it takes time, and depends on the resolution a little
            self.figure.savefig(buffer, format=format, dpi=DPI, metadata=metadata)
        return buffer.getvalue()


def parted(made: Mapping[str, Picture | str]) -> tuple[dict[str, Picture], dict[str, str]]:
    """The pictures by name, and for each of the others why there is nothing to draw."""
    return (
        {name: one for name, one in made.items() if isinstance(one, Picture)},
        {name: one for name, one in made.items() if isinstance(one, str)},
    )


def write(pictures: Iterable[Picture], folder: Path) -> list[Path]:
    """Writes each picture into `folder` as NAME.png and NAME.svg; returns the files. StoreError where that fails."""
    files = []
    for picture in pictures:
        for ending, content in (("png", picture.png()), ("svg", picture.svg().encode())):
            file = folder / f"{picture.name}.{ending}"
            try:
                file.write_bytes(content)
            except OSError as error:
                file.unlink(missing_ok=True)
                raise StoreError(f"{file} cannot be written: {error.strerror}; type --plots ANOTHER_FOLDER") from None
            files.append(file)
    return files


def save(picture: Picture, file: Path) -> None:
    """Writes a picture into one .png, .svg or .pdf; StoreError where that fails."""
    made = {".png": picture.png, ".pdf": picture.pdf, ".svg": lambda: picture.svg().encode()}
    try:
        file.write_bytes(made[file.suffix.lower()]())
    except OSError as error:
        raise StoreError(f"--plot {file} cannot be written: {error.strerror}; type --plot ANOTHER_FILE") from None


def make_folder(folder: Path, option: str = "--plots") -> None:
    """Makes the folder for pictures that `option` named; StoreError if it cannot be, or cannot be written into."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except FileExistsError:
        raise StoreError(f"{option} {folder} is a file; type the name of a folder for the pictures") from None
    except OSError as error:
        raise StoreError(
            f"{option} {folder} cannot be written ({error.strerror}); type {option} ANOTHER_FOLDER"
        ) from None
