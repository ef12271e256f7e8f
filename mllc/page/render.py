"""A document -> one HTML file: the template, its style and its script written into it. Needs jinja2."""

import base64
import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from mllc import __version__
from mllc.page.document import Document, Labels

HERE = Path(__file__).parent


def render(document: Document) -> str:
    """The page; every text of the document is escaped, its pictures apart.

    The page's own policy keeps a browser from fetching anything and from running any script but the page's.
    """
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return _template().render(
        document=document,
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=__version__,
    )


def embedded(labels: Labels) -> Markup:
    """The figures of labels as JSON that may stand inside a <script> element."""
    values: dict[str, Any] = {
        "names": labels.names,
        "numbers": [asdict(one) for one in labels.numbers],
        "order": labels.order,
        "rows": labels.rows,
        "figures": labels.figures,
        "page": labels.page,
    }
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"embedded": embedded}
    return environment.get_template("page.html")
