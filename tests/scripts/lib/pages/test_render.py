"""Pages: values are escaped, and a page appears whole or not at all."""

from __future__ import annotations

import re

import jinja2
import pytest

from scripts.lib.images import palette
from scripts.lib.pages import render


def page(**values) -> str:
    return render.render("serve.html", **{"title": "A title", "note": "", "classes": [], **values})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_a_contrast_of_at_least_4_5_on_every_ground(scheme):
    light, dark = re.findall(r":root \{(.*?)\}", page(), re.DOTALL)
    colors = dict(re.findall(r"--(\w+): (#\w{6});", light if scheme == "light" else dark))
    for text in ("ink", "soft", "accent"):
        for ground in ("ground", "card"):
            assert palette.contrast(colors[text], colors[ground]) >= 4.5, (text, ground)


def test_every_value_is_escaped():
    html = page(title="<script>", classes=[{"name": "</script><b>", "color": "#fff", "score_threshold": 0.5}])
    assert "&lt;script&gt;" in html
    assert "</script><b>" not in html


def test_a_value_that_is_missing_is_an_error_and_leaves_the_older_page(tmp_path):
    path = tmp_path / "index.html"
    path.write_text("older")
    with pytest.raises(jinja2.UndefinedError):
        render.write(path, "serve.html", title="A title")
    assert path.read_text() == "older"
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]
    render.write(path, "serve.html", title="A title", note="", classes=[])
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
