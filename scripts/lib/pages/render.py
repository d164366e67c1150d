"""HTML from the Jinja2 templates in templates/, with nothing to fetch: the pages of report.py, and that of serve.py."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import jinja2
from PIL import Image

from scripts.lib.core import files

_TEMPLATES = Path(__file__).with_name("templates")


class Picture(NamedTuple):
    """A picture of the page; its size keeps the page from jumping while it loads."""

    file: str
    width: int
    height: int
    alt: str


class ExamplePicture(NamedTuple):
    """An example in the gallery."""

    file: str
    width: int
    height: int
    kind: str
    name: str
    caption: str


def picture(folder: Path | str, file: str, alt: str) -> Picture:
    """A picture that lies in the folder."""
    with Image.open(Path(folder) / file) as image:
        return Picture(file, *image.size, alt)


def write(path: Path | str, template: str, **values) -> None:
    """Writes a page, whole or not at all; every value is escaped."""
    with files.atomic_write(path, "w") as file:
        file.write(render(template, **values))


def render(template: str, **values) -> str:
    """A page of the values, each of which is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "signed": _signed,
        "interval": _interval,
        "signed_interval": _signed_interval,
    }
    return environment.get_template(template).render(**values)


def _figure(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3f}"


def _interval(figure, form=_figure) -> str:
    return "-" if math.isnan(figure.low) else f"{form(figure.low)} to {form(figure.high)}"


def _signed_interval(figure) -> str:
    return _interval(figure, _signed)
