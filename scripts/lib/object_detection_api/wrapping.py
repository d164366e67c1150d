"""Hooks: a function of the Object Detection API is called through one of ours."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType

_ORIGINAL = "_apparel_original"


def wrap(owner: ModuleType | type, name: str) -> Callable[[Callable], Callable]:
    """Decorate a function that takes the calls of `owner.name`, with the original as its first argument.

    Wrapping again replaces the earlier wrapping, so that a process can set things up twice.
    """

    def install(function: Callable) -> Callable:
        present = getattr(owner, name)
        original = getattr(present, _ORIGINAL, present)

        @functools.wraps(original)
        def wrapper(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(wrapper, _ORIGINAL, original)
        setattr(owner, name, wrapper)
        return function

    return install
