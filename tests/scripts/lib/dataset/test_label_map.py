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
        (item("a", 0) + item("b", 1), "'a' has the id 0; ids begin with 1, and 0 is the background's"),
        (item("a", -3) + item("b", 1), "'a' has the id -3; ids begin with 1"),
        (item("a", 1) + item("b", 1), "the id 1 is given 2 times: 'a', 'b'"),
        (item("background", 0), "holds no class"),
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


def written(folder, text):
    path = folder / "map.pbtxt"
    path.write_text(text, encoding="utf-8")
    return path


def test_case_4_gaps_are_read_and_refused_only_for_new_records(tmp_path):
    path = written(tmp_path, item("person", 1) + item("car", 3) + item("stop sign", 13))
    class_ids = {"person": 1, "car": 3, "stop sign": 13}
    assert label_map.read(path) == class_ids
    assert label_map.read_for_records(path, keep_ids=True) == (class_ids, [])
    with pytest.raises(DataError) as error:
        label_map.read_for_records(path, keep_ids=False)
    (finding,) = error.value.findings
    assert finding.message == "has 3 classes with ids up to 13; without a class: 2, 4, 5, 6, 7, ..."
    assert "--keep_label_ids" in finding.remedy


@pytest.mark.parametrize("name", ["background", "Background"])
def test_case_4_the_background_is_left_out_with_advice(name, tmp_path):
    path = written(tmp_path, item(name, 0) + item("Tops", 1))
    class_ids, (finding,) = label_map.read_for_records(path, keep_ids=False)
    assert class_ids == label_map.read(path) == {"Tops": 1}
    assert (finding.severity, finding.remedy) == ("warning", "delete the item") and repr(name) in finding.message


def test_case_4_people_read_display_names(tmp_path):
    coco = "item { name: '/m/01g317' id: 1 display_name: 'person' }\nitem { name: '/m/0k4j' id: 3 display_name: 'car' }"
    path = written(tmp_path, coco)
    assert label_map.read(path) == {"person": 1, "car": 3} and label_map.display_names(path) == {1: "person", 3: "car"}
    path = written(tmp_path, "item { name: 'Tops' id: 1 display_name: 'Tops & Shirts' }\n" + item("Hats", 2))
    assert label_map.read(path) == {"Tops": 1, "Hats": 2}
    assert label_map.display_names(path) == {1: "Tops & Shirts", 2: "Hats"}
    assert label_map.names_by_display(path) == {"Tops & Shirts": "Tops", "Hats": "Hats"}
    path = written(
        tmp_path, "item { name: 'a' id: 1 display_name: 'Top' } item { name: 'b' id: 2 display_name: 'Top' }"
    )
    assert label_map.display_names(path) == {1: "a", 2: "b"}
