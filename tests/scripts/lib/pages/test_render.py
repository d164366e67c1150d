"""Pages: values are escaped, and a page appears whole or not at all."""

from __future__ import annotations

import jinja2
import pytest

from scripts.lib.pages import render


def page(**values) -> str:
    return render.render("serve.html", **{"title": "A title", "note": "", "classes": [], **values})


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
