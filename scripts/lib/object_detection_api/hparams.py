"""The named settings of the former `tensorflow.contrib.training`."""

from __future__ import annotations

import numbers
import re
from types import SimpleNamespace

from scripts.lib.core import json_text

_ASSIGNMENT = re.compile(r"([A-Za-z]\w*)\s*=\s*(?:\[([^\]]*)\]|([^,\[]*))(?:,\s*|$)")


class HParams(SimpleNamespace):
    """Settings that are attributes and keep their types: as much of TensorFlow 1.15's as the API uses."""

    def set_hparam(self, name: str, value: object) -> None:
        """Replace a value, also by its text; raise ValueError for another type, KeyError for an unknown name."""
        setattr(self, name, _like(vars(self)[name], value))

    def get(self, name: str, default: object = None) -> object:
        return vars(self).get(name, default)

    def values(self) -> dict[str, object]:
        return dict(vars(self))

    def parse(self, text: str) -> HParams:
        """Replace values by those of a text such as "learning_rate=0.1,layers=[64,32],load_pretrained=false"."""
        while text:
            found = _ASSIGNMENT.match(text)
            if not found or found[1] not in vars(self):
                raise ValueError(f"expected the name of a setting and its value, not {text!r}")
            self.set_hparam(found[1], found[3] if found[2] is None else re.split("[ ,]+", found[2]))
            text = text[found.end() :]
        return self


def _like(present: object, value: object) -> object:
    """Return a value that replaces another, as its type."""
    if isinstance(present, (list, tuple)) and isinstance(value, list):
        return [_like(present[0], each) for each in value]
    kind = type(present)
    if kind is bool and isinstance(value, str):
        value = bool(json_text.parse(value))
    accepted = {int: (str, numbers.Integral), float: (str, numbers.Number)}
    if not isinstance(value, accepted.get(kind, kind)) or isinstance(value, bool) != (kind is bool):
        raise ValueError(f"{value!r} cannot replace {present!r}")
    return kind(value)
