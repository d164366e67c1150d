"""HTML pages from the Jinja2 templates in templates/; they load nothing from elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import jinja2

from scripts.lib.core import files

_TEMPLATES = Path(__file__).with_name("templates")
HEAD = (_TEMPLATES / "base.html").read_text(encoding="utf-8").partition("{{")[0].encode()  # what a page begins with


def write(path: Path | str, template: str, **values) -> None:
    """Write a page; every value is escaped."""
    with files.atomic_write(path, "w") as file:
        file.write(render(template, **values))


def render(template: str, **values) -> str:
    """Return a page; every value is escaped."""
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
