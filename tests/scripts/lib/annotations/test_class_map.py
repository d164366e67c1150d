"""The class map: renames, leaves out, and reports what it lacks."""

from __future__ import annotations

import pytest

from scripts.lib.annotations import class_map
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError
from tests.annotation_sets import DRESS, write


def test_class_map_renames_leaves_out_and_reports_what_it_lacks(folder):
    write(folder, {"map.csv": "theirs,ours\nTee,Tops\nBlazer,\n"})
    our_classes = class_map.read(folder / "map.csv")
    objects = [VocObject("Tee", 0, 0, 1, 1), VocObject("Blazer", 0, 0, 1, 1)]
    known, unknown = Annotation("a.jpg", 9, 9, objects, source="a"), Annotation("b.jpg", 9, 9, [DRESS], source="b")
    (renamed,), (finding,) = class_map.rename([known, unknown], our_classes)
    assert renamed == Annotation("a.jpg", 9, 9, [VocObject("Tops", 0, 0, 1, 1)], source="a")
    assert "no line for 'Dresses'" in finding.message and finding.file == "b"


@pytest.mark.parametrize("text", ["", "a,b\n", "theirs,ours\na\n", "theirs,ours\na,b\na,c\n", "theirs,ours\n,b\n"])
def test_malformed_class_map_is_an_error(text, folder):
    write(folder, {"map.csv": text})
    with pytest.raises(DataError):
        class_map.read(folder / "map.csv")
