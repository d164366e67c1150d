"""Reading the label map and refusing one that would lose classes."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import label_map


def item(name, class_id):
    return f"item {{ id: {class_id} name: '{name}' }}\n"


def test_the_projects_own_label_map(repository_root):
    assert label_map.read(repository_root / "data" / "apparel_label_map.pbtxt") == {
        "Pants_Leggings": 1,
        "Dresses": 2,
        "Skirts": 3,
        "Tops": 4,
        "Shorts": 5,
        "Lingerie": 6,
    }


def test_order_byte_order_mark_and_names_in_any_script(tmp_path):
    path = tmp_path / "Größe.pbtxt"
    path.write_text("\ufeff" + item("Kleid ♥", 2) + item("上衣", 1), encoding="utf-8")
    assert list(label_map.read(path).items()) == [("上衣", 1), ("Kleid ♥", 2)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (item("a", 0) + item("b", 1), "the ids must be 1 to 2, each once; found a 0, b 1"),
        (item("a", 1) + item("b", 3), "found a 1, b 3"),
        (item("a", 1) + item("b", 1), "found a 1, b 1"),
        (item("a", 1) + item("a", 2), "the name 'a' occurs 2 times"),
        (item("", 1), "an item has no name"),
        ("", "map.pbtxt: is empty"),
        ("# nothing", "holds no class"),
        ("item { id: 1\nnme: 'a' }", ":2: item.nme: there is no such field; perhaps name is meant"),
        ("item { id: one }", ":1: item.id: Couldn't parse integer (one)"),
    ],
)
def test_what_is_refused(tmp_path, content, says):
    path = tmp_path / "map.pbtxt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="map.pbtxt") as error:
        label_map.read(path)
    assert says in str(error.value)


def test_not_utf8_and_missing(tmp_path):
    path = tmp_path / "map.pbtxt"
    path.write_bytes(b"item { id: 1 name: '\xff' }")
    with pytest.raises(DataError, match="is not UTF-8"):
        label_map.read(path)
    with pytest.raises(UsageError, match="there is no label map"):
        label_map.read(tmp_path / "none.pbtxt")
