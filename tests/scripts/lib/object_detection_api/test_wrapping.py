"""Calls of a wrapped function go through ours, once."""

from __future__ import annotations

from types import SimpleNamespace

from scripts.lib.object_detection_api.wrapping import wrap


def test_the_original_is_the_first_argument_and_wrapping_again_replaces_ours():
    api = SimpleNamespace(double=lambda value: 2 * value)

    @wrap(api, "double")
    def fail(original, value):
        raise AssertionError("the later wrapping counts")

    @wrap(api, "double")
    def plus_one(original, value):
        return original(value) + 1

    assert api.double(5) == 11
    assert plus_one(abs, -3) == 4, "the decorated function stays callable"
