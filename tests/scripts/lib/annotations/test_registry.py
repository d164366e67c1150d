"""Annotation formats are found by their files, and recognised by what lies in a folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.annotations import formats, registry
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core.errors import DataError, UsageError
from tests.annotation_sets import ALL, YOLO, boxes, read, write

NEW_FORMAT = """\
from scripts.lib.annotations.parsing import with_suffix
from scripts.lib.annotations.voc_xml import Annotation
TITLE, NEEDS_IMAGES, IS_DATA_SET = "Mine, made up", False, False
def select_files(path, listed):
    return with_suffix(listed, ".mine")
def read(file, path, images):
    return [Annotation("a.jpg", 1, 1, source=file)], []
"""


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_same_box_in_every_format(name, line_end, folder, images):
    write(folder, {file: text.replace("\n", line_end) for file, text in ALL[name].items()})
    assert registry.find_files(folder)[0] == name
    (annotation,), findings = read(name, folder, images)
    assert findings == []
    assert boxes(annotation) == [("Dresses", 10, 20, 30, 60)]
    assert (annotation.filename, annotation.width, annotation.height) == ("dress.jpg", 100, 200)


def test_every_module_keeps_the_contract():
    assert {path.stem for path in Path(formats.__file__).parent.glob("[!_]*.py")} == set(registry.FORMATS)
    for module in registry.FORMATS.values():
        assert isinstance(module.TITLE, str) and "\n" not in module.TITLE
        assert {type(module.NEEDS_IMAGES), type(module.IS_DATA_SET)} == {bool}
        assert callable(module.select_files) and callable(module.read)


def test_a_new_file_is_a_new_format(tmp_path, repository_root):
    (tmp_path / "mine.py").write_text(NEW_FORMAT, encoding="utf-8")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.mine").touch()
    code = f"""
import sys
from scripts.lib.annotations import formats
formats.__path__.append({str(tmp_path)!r})
import xml_to_csv
xml_to_csv.main([{f"--annotations_dir={tmp_path / 'set'}"!r}, "--include_negatives", {f"--output_csv={tmp_path / 'a.csv'}"!r}])
xml_to_csv.main(["--help"])
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True)
    assert "Mine, made up" in run.stdout, run.stderr
    assert re.search(r"annotation format: coco,[\w,\s]+\bmine\b", run.stdout), run.stdout
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[1:] == ["a.jpg,1,1,,,,,"]


def test_two_formats_in_one_folder_have_to_be_told_apart(folder):
    write(folder, {**YOLO, "a.xml": "", "b.xml": ""})
    with pytest.raises(UsageError, match=r"as voc \(.*a.xml\) and as yolo \(.*dress.txt\); choose one with"):
        registry.find_files(folder)


def test_folder_of_anything_else_is_refused(folder):
    write(folder, {"notes.md": "", "coco.json": "{}", "table.csv": "a,b\n"})
    with pytest.raises(DataError, match="no annotations; looked for .*voc: .*yolo: YOLO .txt with"):
        registry.find_files(folder)
    with pytest.raises(DataError, match="no annotations; looked for voc: PASCAL VOC .xml, one per image"):
        registry.find_files(folder, "voc")


def test_a_file_that_cannot_be_opened_is_a_finding(folder):
    annotations, (finding,) = registry.read_file("voc", str(folder / "absent.xml"), folder, None)
    assert annotations == [] and finding.code == "file-unreadable"


def test_an_image_annotated_twice_is_an_error_of_the_second_file():
    annotations = [Annotation(name, 1, 1, source=source) for name, source in ("a1", "b2", "a3", "a4")]
    findings = registry.check_images_are_distinct(annotations)
    assert [(one.file, "names the image 'a', as 1 does" in one.message) for one in findings] == [
        ("3", True),
        ("4", True),
    ]
