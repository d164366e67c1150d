"""check_dataset: every mistake is found, all at once, in the words of the scripts that refuse it."""

from __future__ import annotations

import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import zlib

import matplotlib
import pytest
from PIL import Image

import generate_tfrecord
import xml_to_csv
from scripts import check_dataset
from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import command_line
from scripts.lib.core.errors import DataError, Finding, UsageError
from scripts.lib.dataset import labels_csv
from scripts.lib.records import manifest, tf_example, tf_record

LABEL_MAP = "item { id: 1 name: 'Tops' }\nitem { id: 2 name: 'Skirts' }\n"
BOX = ("Tops", 10, 20, 50, 60)


def photo(seed, width=100, height=80, format_name="JPEG", **options):
    """An image file's bytes; another picture for each seed."""
    picture = Image.frombytes("RGB", (8, 8), random.Random(seed).randbytes(192))
    buffer = io.BytesIO()
    picture.resize((width, height), Image.Resampling.BICUBIC).save(buffer, format_name, **options)
    return buffer.getvalue()


def turned(seed, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return photo(seed, exif=exif, **options)


def png_bomb():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 2**16, 2**16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


class Project:
    """A folder with images, XML files, a labels CSV and a label map, and the commands run on them."""

    def __init__(self, folder):
        self.folder = folder
        self.images, self.annotations = folder / "samples", folder / "annotations"
        for path in (self.images, self.annotations):
            path.mkdir(parents=True)
        self.label_map, self.csv, self.json = folder / "map.pbtxt", folder / "labels.csv", folder / "report.json"
        self.record = folder / "out" / "a.record"
        self.label_map.write_text(LABEL_MAP, encoding="utf-8")
        self.rows = []

    def add(self, name, *boxes, data=None, size=(100, 80), xml=None, objects=True):
        """An image and its labels: by default a picture of its own with one good box."""
        if data is not False:
            self.image(name, photo(f"{name}{len(self.rows)}") if data is None else data)
        boxes = (boxes or (BOX,)) if objects else ()
        stem = re.sub(r"\.\w+$", "", name)
        voc = Annotation(name, *size, [VocObject(*box) for box in boxes])
        voc_xml.write(self.annotations / (xml or f"{stem}.xml"), voc)
        self.rows += labels_csv.rows_of(voc)
        return self

    def image(self, name, data):
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self

    def check(self, *flags, csv=True):
        """Runs the doctor; returns its exit status and its findings."""
        if csv and not self.csv.exists():
            labels_csv.write_rows(self.rows, self.csv)
        labels = f"--csv_input={self.csv}" if csv else f"--annotations_dir={self.annotations}"
        common = (f"--image_dir={self.images}", f"--label_map={self.label_map}", f"--json={self.json}")
        status = check_dataset.main([labels, *common, *flags])
        return status, [Finding(**entry) for entry in json.loads(self.json.read_text("utf-8"))["findings"]]

    def codes(self, *flags, csv=True):
        return [(finding.severity, finding.code) for finding in self.check(*flags, csv=csv)[1]]

    def to_csv(self, *flags):
        """Runs xml_to_csv.py; returns its errors."""
        paths = (f"--annotations_dir={self.annotations}", f"--output_csv={self.csv}", f"--image_dir={self.images}")
        return errors_of(xml_to_csv.main, [*paths, *flags])

    def to_record(self, *flags):
        """Runs generate_tfrecord.py; returns its errors."""
        paths = (f"--csv_input={self.csv}", f"--output_path={self.record}", f"--image_dir={self.images}")
        return errors_of(generate_tfrecord.main, [*paths, f"--label_map={self.label_map}", *flags])


def errors_of(main, argv):
    try:
        main(argv)
    except DataError as error:
        return errors(error.findings)
    return set()


def errors(findings):
    return {finding for finding in findings if finding.severity == "error"}


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path).add("good.jpg").add("skirt.jpg", ("Skirts", 1, 2, 60, 70))


MISTAKES = {  # what is added to a sound project -> the kinds of errors that it makes
    "nothing": (lambda p: p, []),
    "class misspelt": (lambda p: p.add("a.jpg", ("Topps", 1, 2, 30, 40)), ["unknown-class"]),
    "image missing": (lambda p: p.add("a.jpg", data=False), ["image-missing"]),
    "image and class": (lambda p: p.add("a.jpg", ("x", 1, 2, 30, 40), data=False), ["image-missing", "unknown-class"]),
    "image empty": (lambda p: p.add("a.jpg", data=b""), ["image-empty"]),
    "image truncated": (lambda p: p.add("a.jpg", data=photo(1)[:-99]), ["image-unreadable"]),
    "image is a page": (lambda p: p.add("a.jpg", data=b"<html>404</html>"), ["image-unreadable"]),
    "image is HEIC": (lambda p: p.add("a.heic", data=b"\0\0\0\x18ftypheic" + bytes(99)), ["image-unreadable"]),
    "decompression bomb": (lambda p: p.add("a.png", data=png_bomb()), ["image-too-large"]),
    "box outside": (lambda p: p.add("a.jpg", ("Tops", 10, 20, 150, 60)), ["box-outside-image"]),
    "box inverted": (lambda p: p.add("a.jpg", ("Tops", 50, 20, 10, 60)), ["box-inverted"]),
    "box without area": (lambda p: p.add("a.jpg", ("Tops", 50, 20, 50, 60)), ["box-zero-area"]),
    "several boxes": (
        lambda p: p.add("a.jpg", ("Tops", 5, 5, 5, 9), BOX, ("Tops", 90, 5, 9, 9), ("Tops", 0, 0, 999, 9)),
        ["box-inverted", "box-outside-image", "box-zero-area"],
    ),
    "image named twice": (
        lambda p: p.image("b.jpg", photo(2)).add("b", data=False).add("b.png", data=False),
        ["image-annotated-twice"] * 2,
    ),
    "image's other name": (lambda p: p.add("b.jpg").add("b.png", data=False, xml="c.xml"), ["image-annotated-twice"]),
    # accepted, with a warning or a note at most
    "box two pixels outside": (lambda p: p.add("a.jpg", ("Tops", -2, 0, 50, 81)), []),
    "box tiny": (lambda p: p.add("a.jpg", BOX, ("Tops", 10, 20, 10 + 1, 60), size=(200, 80), data=photo(3, 200)), []),
    "box twice": (lambda p: p.add("a.jpg", BOX, BOX), []),
    "size wrong": (lambda p: p.add("a.jpg", size=(640, 480)), []),
    "size missing": (lambda p: p.add("a.jpg", size=(0, 0)), []),
    "image tiny": (lambda p: p.add("a.png", ("Tops", 0, 0, 1, 1), size=(1, 1), data=photo(4, 1, 1, "PNG")), []),
    "EXIF undecidable": (lambda p: p.add("a.jpg", data=turned(5, 3)), []),
    "EXIF raw frame": (lambda p: p.add("a.jpg", data=turned(5, 6)), []),
    "EXIF upright frame": (lambda p: p.add("a.jpg", data=turned(5, 6), size=(80, 100)), []),
    "WebP": (lambda p: p.add("a.webp", data=photo(6, format_name="WEBP")), []),
    "PNG called JPEG": (lambda p: p.add("a.jpg", data=photo(7, format_name="PNG")), []),
    "another ending": (lambda p: p.image("a.png", photo(8, format_name="PNG")).add("a.jpg", data=False), []),
    "copy of an image": (lambda p: p.add("a.jpg", data=(p.images / "good.jpg").read_bytes()), []),
    "image not annotated": (lambda p: p.image("z.jpg", photo(9)), []),
    "unannotated image broken": (lambda p: p.image("z.jpg", b""), []),
    "negative": (lambda p: p.add("a.jpg", objects=False), []),
    "name of all kinds": (lambda p: p.add("Größe, 'ü' 赤.jpg"), []),
}


# One meaning everywhere


@pytest.mark.parametrize("name", MISTAKES)
def test_what_it_calls_an_error_is_what_generate_tfrecord_refuses(project, name):
    make, expected = MISTAKES[name]
    status, findings = make(project).check()
    assert sorted(finding.code for finding in errors(findings)) == expected
    assert status == (1 if expected else 0)
    assert project.to_record() == errors(findings)
    assert project.record.exists() == (not expected)


def all_mistakes(project):
    """Every mistake, each in a folder of its own, so that none hides another."""
    for number, (make, _) in enumerate(MISTAKES.values()):
        part = Project(project.folder / f"part {number}").add("good.jpg")
        make(part)
        for path in sorted(part.images.rglob("*.*")):
            project.image(f"{number:02}/{path.relative_to(part.images).as_posix()}", path.read_bytes())
        (project.annotations / f"{number:02}").mkdir()
        for path in sorted(part.annotations.iterdir()):
            (project.annotations / f"{number:02}" / path.name).write_bytes(path.read_bytes())
        project.rows += [row._replace(filename=f"{number:02}/{row.filename}") for row in part.rows]
    return project


def test_a_folder_of_all_mistakes_is_one_list_the_same_in_both(project):
    status, findings = all_mistakes(project).check()
    expected = sorted(code for _, codes in MISTAKES.values() for code in codes)
    assert status == 1 and sorted(finding.code for finding in errors(findings)) == expected
    assert project.to_record() == errors(findings)
    assert not project.record.exists()


def test_skip_invalid_leaves_out_exactly_the_images_with_errors_and_says_which(project, capsys):
    _, findings = all_mistakes(project).check()
    wrong = {finding.file for finding in errors(findings)}
    capsys.readouterr()
    assert project.to_record("--skip_invalid") == set()
    shown = f"{', '.join(sorted(wrong)[:3])} and {len(wrong) - 3} more, see {project.record.as_posix()}.json"
    assert f"left out {len(wrong)} images with errors: {shown}" in capsys.readouterr().out
    recorded = [
        tf_example.features(data)["image/filename"][0].decode() for data in tf_record.read_records(project.record)
    ]
    named = {row.filename for row in project.rows} - wrong
    assert len(recorded) == len(named) and sorted(manifest.read(project.record)["left_out"]) == sorted(wrong)
    assert project.check(csv=True)[1] == findings, "no file of the user was changed"


def test_xml_is_judged_as_by_xml_to_csv_and_then_generate_tfrecord(project):
    all_mistakes(project)
    broken = {
        "cut.xml": "<annotation>",
        "float.xml": (project.annotations / "good.xml").read_text("utf-8").replace(">10<", ">ten<"),
        "outside.xml": (project.annotations / "good.xml").read_text("utf-8").replace("good.jpg", "../good.jpg"),
        "twice.xml": (project.annotations / "good.xml").read_text("utf-8"),
    }
    for name, text in broken.items():
        (project.annotations / name).write_text(text, encoding="utf-8")
    status, findings = project.check(csv=False)
    of_xml = project.to_csv()
    assert {finding.file.rsplit("/", 1)[1] for finding in of_xml} >= set(broken)
    assert status == 1 and of_xml < errors(findings) and not project.csv.exists()

    for finding in of_xml:
        (project.annotations / finding.file[finding.file.index("annotations/") + len("annotations/") :]).unlink(True)
    _, findings = project.check(csv=False)
    assert project.to_csv() == set()
    assert project.to_record() == errors(findings) != set()


def test_a_broken_csv_line_or_label_map_is_reported_and_the_rest_goes_on(project):
    project.add("a.jpg", ("Topps", 1, 2, 30, 40)).add("b.jpg", data=b"")
    project.check()
    lines = project.csv.read_text("utf-8").splitlines()
    project.csv.write_text(
        "\n".join([*lines, "good.jpg,100,80,Tops,one,2,30,40", "new.jpg,1"]) + "\n", encoding="utf-8"
    )
    project.label_map.write_text(LABEL_MAP.replace("id: 2", "id: 3"), encoding="utf-8")
    project.image("new.jpg", photo(11))
    _, findings = project.check()
    assert sorted(finding.code for finding in errors(findings)) == [
        "csv-fields",
        "csv-value",
        "image-empty",
        "label-map",
        "unknown-class",
    ]
    assert project.to_record() == {finding for finding in errors(findings) if finding.code == "label-map"}
    project.label_map.write_text(LABEL_MAP, encoding="utf-8")
    assert project.to_record() == {finding for finding in errors(findings) if finding.code.startswith("csv")}


@pytest.mark.parametrize("content", ["filename;width;height;class;xmin;ymin;xmax;ymax\n", "\xff\xfe", ""])
def test_of_labels_that_cannot_be_read_it_says_that_alone(project, content):
    project.csv.write_text(content, encoding="latin-1")
    _, findings = project.check()
    assert [finding.severity for finding in findings] == ["error"]
    assert project.to_record() == set(findings)


@pytest.mark.parametrize("content", ["item { id: x }", "", "\xff"])
def test_without_a_readable_label_map_everything_but_the_classes_is_checked(project, content):
    project.label_map.write_text(content, encoding="latin-1")
    project.add("b.jpg", data=b"")
    _, findings = project.check()
    assert sorted(finding.code for finding in errors(findings)) == ["image-empty", "label-map"]


@pytest.mark.parametrize("csv", [True, False])
def test_a_set_without_anything_to_record_is_an_error(tmp_path, csv):
    project = Project(tmp_path)
    if csv:
        _, findings = project.check(csv=csv)
        assert project.to_record() == errors(findings) != set()
    else:
        assert ("error", "no-annotation") in project.codes(csv=False)
        project.add("a.jpg", objects=False)
        assert project.to_csv() == errors(project.check(csv=False)[1]) != set()
        assert (
            errors(project.check("--include_negatives", csv=False)[1]) == project.to_csv("--include_negatives") == set()
        )


# What it finds


def only(findings, code):
    (finding,) = [finding for finding in findings if finding.code == code]
    return finding


def test_every_finding_has_severity_file_message_and_where_it_helps_object_and_remedy(project):
    _, findings = all_mistakes(project).check()
    assert all(
        finding.severity in ("error", "warning", "note") and finding.file and finding.message for finding in findings
    )
    assert all(finding.remedy for finding in findings if finding.severity != "note")
    misspelt = next(finding for finding in findings if finding.code == "unknown-class" and "Topps" in finding.message)
    assert (misspelt.file, misspelt.object) == (
        "01/a.jpg",
        "object 1 (Topps)",
    ) and "did you mean 'Tops'?" in misspelt.remedy


def test_image_without_annotation_and_annotation_without_image(project):
    project.add("gone.jpg", data=False).image("shop/new.PNG", photo(1, format_name="PNG"))
    for csv in (True, False):
        status, findings = project.check(csv=csv)
        assert (only(findings, "image-missing").file, only(findings, "image-not-annotated").file) == (
            "gone.jpg",
            "shop/new.PNG",
        )
        assert status == 1


def test_a_broken_annotation_does_not_make_its_image_one_without_annotation(project):
    project.add("a.jpg")
    (project.annotations / "a.xml").write_text("<annotation>", encoding="utf-8")
    assert project.codes(csv=False) == [("error", "xml-malformed")]


def test_filename_that_names_another_image_than_the_one_of_its_xml(project):
    project.add("a.jpg").image("b.jpg", photo(1))
    (project.annotations / "a.xml").rename(project.annotations / "b.xml")
    (project.images / "a.jpg").rename(project.images / "c.jpg")
    finding = only(project.check(csv=False)[1], "filename-renamed")
    assert "says 'a.jpg', the image is 'b.jpg'" in finding.message
    project.image("a.jpg", photo(2))
    finding = only(project.check(csv=False)[1], "filename-mismatch")
    assert finding.severity == "warning" and "says 'a.jpg', but there is also an image 'b.jpg'" in finding.message


def test_an_annotation_whose_image_is_missing_under_either_name_is_named(project):
    project.add("gone.jpg", data=False, xml="other.xml").add("lost.jpg", data=False)
    finding = only(project.check(csv=False)[1], "filename-mismatch")
    assert (
        finding.file.endswith("annotations/other.xml") and "says 'gone.jpg'; no image has that name" in finding.message
    )


def test_what_many_annotations_lack_is_said_once(project):
    for number in range(3):
        (project.annotations / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    status, findings = project.check("--format=yolo", csv=False)
    assert status == 1 and "no classes.txt" in only(findings, "yolo-classes").message
    assert project.to_csv("--format=yolo") == errors(findings)


def test_classes_are_renamed_as_by_xml_to_csv(project):
    project.add("a.jpg", ("Tee", 1, 2, 30, 40), ("Hat", 1, 2, 30, 40))
    class_map = project.folder / "map.csv"
    class_map.write_text("theirs,ours\nTee,Tops\nHat,\nTops,Tops\nSkirts,Skirts\n", encoding="utf-8")
    assert project.check(f"--class_map={class_map}", csv=False) == (0, [])
    assert project.to_csv(f"--class_map={class_map}") == project.to_record() == set()
    class_map.write_text("theirs,ours\nTee,Tops\nTops,Tops\nSkirts,Skirts\n", encoding="utf-8")
    _, findings = project.check(f"--class_map={class_map}", csv=False)
    assert project.to_csv(f"--class_map={class_map}") == {only(findings, "class-map")}


def test_class_that_no_box_has(project):
    project.label_map.write_text(LABEL_MAP + "item { id: 3 name: 'Shorts' }\n", encoding="utf-8")
    finding = only(project.check()[1], "class-without-boxes")
    assert finding.severity == "warning" and "'Shorts'" in finding.message


def test_an_image_without_objects_is_left_out_and_said(project):
    project.add("none.jpg", objects=False, data=False)
    assert project.codes(csv=False) == [("warning", "image-missing"), ("note", "image-without-objects")]
    assert project.codes("--include_negatives", csv=False) == [("error", "image-missing")]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="this file system knows Unicode names alone")
def test_a_name_that_is_no_unicode_is_said(project):
    (project.images / os.fsdecode(b"\xff.jpg")).write_bytes(photo(1))
    finding = only(project.check()[1], "image-unnameable")
    assert finding.file == "\udcff.jpg"


def test_copies_are_found_whatever_their_size_quality_and_format(project):
    picture = Image.open(project.images / "good.jpg")
    for name, options in (("small.jpg", {"quality": 60}), ("other.png", {})):
        buffer = io.BytesIO()
        picture.resize((50, 40)).save(buffer, "JPEG" if name.endswith("jpg") else "PNG", **options)
        project.add(name, ("Tops", 1, 2, 20, 30), data=buffer.getvalue(), size=(50, 40))
    project.add("copy.jpg", data=(project.images / "good.jpg").read_bytes())
    split = [f"--{name}_csv={project.folder / name}.csv" for name in ("train", "test")]
    labels_csv.write_rows(project.rows, project.folder / "train.csv")
    labels_csv.write_rows([], project.folder / "test.csv")
    _, findings = project.check(*split)
    assert {(finding.code, finding.file) for finding in findings} == {
        ("duplicate-image", "good.jpg"),
        ("near-duplicate-image", "other.png"),
        ("near-duplicate-image", "small.jpg"),
    }
    assert "byte for byte the file 'copy.jpg'" in only(findings, "duplicate-image").message


def test_images_on_both_sides_of_a_split_are_found(project):
    project.add("copy.jpg", data=(project.images / "good.jpg").read_bytes()).add("third.jpg")
    sides = {"train": ["good.jpg", "third.jpg"], "test": ["copy.jpg", "third.jpg", "skirt.jpg"]}
    for side, names in sides.items():
        rows = [row for row in project.rows if row.filename in names]
        labels_csv.write_rows(rows, project.folder / f"{side}.csv")
    _, findings = project.check(*(f"--{side}_csv={project.folder / side}.csv" for side in sides))
    across = only(findings, "duplicate-across-split")
    assert (across.file, across.severity) == ("copy.jpg", "warning") and "'good.jpg'" in across.message
    assert only(findings, "image-on-both-sides").file == "third.jpg"
    assert "--group_by duplicates" in across.remedy


# The report


def test_many_findings_of_a_kind_are_counted_and_the_first_shown(project, capsys):
    for number in range(30):
        project.add(f"{number:02}.jpg", data=False)
    status, findings = project.check()
    printed = capsys.readouterr().out
    assert "error: 30 files: there is no such image in" in printed and "\n    and 27 more\n" in printed
    assert printed.count("there is no such image") == 1 and "\n30 errors\n" in printed
    assert "30 annotated images are not in" in printed and "is it the right --image_dir?" in printed
    assert len(errors(findings)) == 30 and status == 1
    project.check("--all")
    assert capsys.readouterr().out.count("there is no such image") == 30


def test_a_small_object_is_said_of_the_configs_input_size(project, repository_root):
    project.add("a.jpg", ("Tops", 10, 20, 13, 24), data=photo(3))
    finding = only(project.check()[1], "box-tiny")
    assert finding.object == "object 1 (Tops)" and "3x4 px are 9x15 px at 300x300" in finding.message
    large = repository_root / "configs" / "ssd_mobilenet_v1_fpn.config"
    assert project.check(f"--pipeline_config_path={large}")[1] == []


def test_a_wrong_label_map_is_a_line_for_each_class(reference_dir, tmp_path, capsys):
    names = enumerate(("Tops", "Pants", "Skirts"), start=1)
    text = "".join(f"item {{ id: {number} name: '{name}' }}\n" for number, name in names)
    (tmp_path / "map.pbtxt").write_text(text, encoding="utf-8")
    labels = tmp_path / "labels.csv"
    paths = (f"--annotations_dir={reference_dir / 'annotations'}", f"--image_dir={reference_dir / 'samples'}")
    xml_to_csv.main([*paths, f"--output_csv={labels}"])
    capsys.readouterr()
    with pytest.raises(SystemExit):
        command_line.run(
            generate_tfrecord.main,
            [
                f"--csv_input={labels}",
                paths[1],
                f"--label_map={tmp_path / 'map.pbtxt'}",
                f"--output_path={tmp_path / 'a'}",
            ],
        )
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("    ")]
    heads = ["321 files: there is no such image", "212 objects in 143 files: class 'Pants_Leggings' is not"]
    heads += ["134 objects in 86 files: class 'Dresses'", "78 objects in 64 files: class 'Shorts'"]
    heads += ["59 objects in 35 files: class 'Lingerie'"]
    assert len(lines) == 7 and all(map(str.startswith, lines, (f"error: {head}" for head in heads)))
    assert "did you mean 'Pants'?" in lines[1]
    assert lines[6].startswith("804 errors: ") and "was not written" in lines[6]


def test_a_clean_set_says_what_comes_next(project, capsys):
    assert project.check()[0] == 0
    printed = capsys.readouterr().out
    assert "nothing found" in printed and "next: python generate_tfrecord.py" in printed
    assert "2 annotated images; 2 images in" in printed


def test_a_file_of_another_kind_is_not_overwritten(project):
    project.check()
    project.check()  # its own report it replaces
    for flag, name in (("json", "mine.json"), ("plot", "mine.png")):
        (project.folder / name).write_text("mine", encoding="utf-8")
        with pytest.raises(UsageError, match=f"{name} exists but is not a"):
            project.check(f"--{flag}={project.folder / name}")
        assert (project.folder / name).read_text(encoding="utf-8") == "mine"


def test_the_json_counts_what_it_lists(project):
    all_mistakes(project).check()
    report = json.loads(project.json.read_text("utf-8"))
    assert sum(report["severities"].values()) == sum(report["kinds"].values()) == len(report["findings"])
    assert set(report["findings"][0]) == {"severity", "code", "file", "message", "remedy", "object", "line"}


def test_the_same_report_whatever_the_number_of_workers(project):
    all_mistakes(project)
    reports = []
    for workers in (1, 5):
        project.check(f"--num_workers={workers}")
        reports.append(project.json.read_bytes())
    assert reports[0] == reports[1]


@pytest.mark.parametrize("split", [True, False])
def test_the_plot_is_a_picture_of_any_set(project, repository_root, split, capsys):
    project.check()
    flags = [f"--plot={project.folder / 'plot.png'}"]
    flags += [f"--pipeline_config_path={repository_root / 'configs' / 'ssd_mobilenet_v1_multi.config'}"]
    flags += [f"--{side}_csv={project.csv}" for side in ("train", "test") if split]
    project.check(*flags)
    with Image.open(project.folder / "plot.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 800
    assert re.search("[012] of 2 boxes fit an anchor", capsys.readouterr().out)
    drawn = (project.folder / "plot.png").read_bytes()
    project.check(*flags, f"--font={matplotlib.get_data_path()}/fonts/ttf/DejaVuSansMono.ttf")
    assert (project.folder / "plot.png").read_bytes() != drawn
    empty = Project(project.folder / "empty")
    empty.check(f"--plot={empty.folder / 'plot.png'}")
    assert (empty.folder / "plot.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_dir=none"], "no such folder"),
        (["--label_map=none.pbtxt"], "no label map"),
        (["--annotations_dir=none"], "not allowed with argument --csv_input"),
        (["--train_csv=report.json"], "two sides of one split"),
        (["--train_csv=none.csv", "--test_csv=none.csv"], "--train_csv: no file none.csv"),
        (["--class_map=report.json"], "classes of annotations"),
        (["--num_shown=3"], "unknown flag --num_shown: write --all to list every finding"),
        (["--num_workers=0"], "--num_workers: 0 is not at least 1"),
        (["--plot=samples/a.png"], "among the images"),
        (["--pipeline_config_path=none.config"], "no pipeline config"),
    ],
)
def test_wrong_usage_is_one_sentence(project, monkeypatch, flags, message, capsys):
    project.check()
    monkeypatch.chdir(project.folder)
    with pytest.raises((UsageError, SystemExit)) as caught:
        project.check(*flags)
    assert message in f"{caught.value}{capsys.readouterr().err}"


def test_flags_that_a_record_has_no_use_for_are_refused():
    flags = ["--record=a.record", "--plot=a.png", "--include_negatives"]
    with pytest.raises(UsageError, match="--record is checked on its own: leave out --include_negatives and --plot"):
        check_dataset.main(flags)


def test_the_command_starts_without_tensorflow_pandas_and_matplotlib(repository_root):
    program = (
        "import sys; sys.path.insert(0, 'scripts'); import check_dataset; "
        "sys.exit(', '.join({'tensorflow', 'pandas', 'matplotlib', 'numpy', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repository_root, capture_output=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, b"")


def test_errors_end_with_status_1_and_help_says_so(project, repository_root, capsys):
    project.add("a.jpg", data=b"").check()
    argv = [f"--csv_input={project.csv}", f"--image_dir={project.images}", f"--label_map={project.label_map}"]
    with pytest.raises(SystemExit) as caught:
        command_line.run(check_dataset.main, argv)
    assert caught.value.code == 1
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        command_line.run(check_dataset.main, ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0 and "0 no errors (there may be warnings and notes), 1 errors, 2 wrong usage" in shown
    assert repository_root.as_posix() not in shown and "(default: data/apparel_label_map.pbtxt)" in shown


# The reference


def test_the_report_on_the_reference(reference_dir, tmp_path, capsys):
    report = tmp_path / "report.json"
    status = check_dataset.main(
        [
            f"--annotations_dir={reference_dir / 'annotations'}",
            f"--image_dir={reference_dir / 'samples'}",
            f"--label_map={reference_dir / 'apparel_label_map.pbtxt'}",
            f"--json={report}",
        ]
    )
    found = json.loads(report.read_text("utf-8"))
    assert status == 1 and found["severities"] == {"error": 321, "warning": 6, "note": 5}
    assert found["kinds"] == {"image-missing": 326, "image-without-objects": 5, "near-duplicate-image": 1}
    assert found["boxes"]["Pants_Leggings"] == 157 and found["images_readable"] == 100
    assert len(capsys.readouterr().out.splitlines()) < 50
