"""A folder of hostile files through the data scripts: a clear error or a correct result, no traceback, hang or silence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import time
import zlib

import pytest
from PIL import Image

import generate_tfrecord
import split_dataset
import xml_to_csv
from scripts import check_dataset
from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import command_line
from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.records import manifest, tf_example, tf_record

SECONDS = 20  # that any run may take; each takes about one


def photo(width=64, height=48, format_name="JPEG", color="teal", **options):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, format_name, **options)
    return buffer.getvalue()


def png_of(width, height, pixels=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def annotation(name="good.jpg", **box):
    corners = {"xmin": 1, "ymin": 2, "xmax": 30, "ymax": 40, **box}
    return voc_xml.document(Annotation(name, 64, 48, [VocObject("Tops", **corners)]))


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BAD_XML = {
    "entity bomb": f'<!DOCTYPE a [<!ENTITY l0 "lol">{BOMB}]>' + annotation().replace("Tops", "&l11;"),
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + annotation().replace("Tops", "&x;"),
    "deep nesting": "<annotation>" * 100_000,
    "NUL bytes": annotation().replace("Tops", "T\0ps"),
    "parent folder": annotation("../good.jpg"),
    "page": "<!DOCTYPE html><html><body>404</body></html>",
    "empty": "",
    "cut": annotation()[:-40],
    "terminal codes": annotation("\x9b2J.jpg"),
}
GOOD_XML = {  # file name -> bytes of the annotation, image name
    "absolute path": (annotation("/etc/passwd").encode(), "absolute path.jpg"),
    "Windows path": (annotation("C:\\me\\windows.jpg").encode(), "windows.jpg"),
    "utf-8 with BOM": (annotation("bom.jpg").encode("utf-8-sig"), "bom.jpg"),
    "utf-16": (annotation("sixteen.jpg").encode("utf-16"), "sixteen.jpg"),
    "CRLF": (annotation("crlf.jpg").replace("\n", "\r\n").encode(), "crlf.jpg"),
    "日本": (annotation("ドレス, 'é'.jpg").encode(), "ドレス, 'é'.jpg"),
    "long name": (annotation("n" * 246 + ".jpg").encode(), "n" * 246 + ".jpg"),
    "a" * 250: (annotation("long xml.jpg").encode(), "long xml.jpg"),
}
BAD_IMAGES = {
    "empty.jpg": b"",
    "one byte.jpg": b"\xff",
    "zeros.png": bytes(5000),
    "cut.jpg": photo()[:-20],
    "page.jpg": b"<!DOCTYPE html><html>404</html>",
    "bomb.png": png_of(2**16, 2**16),
    "huge header.png": png_of(2**31 - 1, 2**31 - 1),
    "no pixels.png": png_of(0, 0),
    "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
    "vector.png": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
}
GOOD_IMAGES = {
    "one pixel.png": (photo(1, 1, "PNG"), (0, 0, 1, 1)),
    "webp called.jpg": (photo(format_name="WEBP"), (1, 2, 30, 40)),
    "with junk.jpg": (photo() + b"<?php junk ?>" * 99, (1, 2, 30, 40)),
    "long comment.jpg": (photo(comment=b"x" * 60_000), (1, 2, 30, 40)),
    "odd exif.jpg": (photo(exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), (1, 2, 30, 40)),
}


class Project:
    def __init__(self, folder):
        self.annotations, self.images = folder / "Anmerkungen é", folder / "Bilder 日本"
        self.label_map, self.csv = folder / "map.pbtxt", folder / "labels.csv"
        self.record, self.report = folder / "a.record", folder / "report.json"
        for path in (self.annotations, self.images):
            path.mkdir()
        self.label_map.write_text("item { id: 1 name: 'Tops' }", encoding="utf-8")
        self.image("good.jpg", photo())
        self.xml("good", annotation().encode())

    def image(self, name, data):
        (self.images / name).write_bytes(data)

    def xml(self, name, content):
        (self.annotations / f"{name}.xml").write_bytes(content)

    def run(self, main, *flags):
        """Runs a script as the command line does; returns exit status and all that it printed."""
        flags = [flag if isinstance(flag, str) else f"--{flag[0]}={flag[1]}" for flag in flags]
        shown, start = io.StringIO(), time.monotonic()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            try:
                command_line.run(main, flags)
            except SystemExit as caught:
                status = caught.code
        assert time.monotonic() - start < SECONDS
        assert "Traceback" not in shown.getvalue() and "root:" not in shown.getvalue()
        return status, shown.getvalue()

    def check(self, *labels):
        status, text = self.run(
            check_dataset.main,
            *labels,
            ("image_dir", self.images),
            ("label_map", self.label_map),
            ("json", self.report),
            "--all",
        )
        return status, text, json.loads(self.report.read_text("utf-8"))["findings"]

    def check_xml(self):
        return self.check(("annotations_dir", self.annotations))

    def check_csv(self):
        return self.check(("csv_input", self.csv))

    def to_csv(self):
        paths = ("annotations_dir", self.annotations), ("output_csv", self.csv), ("image_dir", self.images)
        return self.run(xml_to_csv.main, *paths, "--all")

    def to_record(self, *flags):
        paths = ("csv_input", self.csv), ("output_path", self.record), ("image_dir", self.images)
        return self.run(generate_tfrecord.main, *paths, ("label_map", self.label_map), "--all", *flags)

    def recorded(self):
        return [tf_example.features(data)["image/filename"][0].decode() for data in tf_record.read_records(self.record)]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def error_lines(text):
    return {line.strip() for line in text.splitlines() if line.strip().startswith("error: ")}


def test_every_hostile_annotation_is_an_error_that_names_it(project):
    for name, text in BAD_XML.items():
        project.xml(name, text.encode("latin-1" if name == "terminal codes" else "utf-8"))
    with (project.annotations / "large.xml").open("wb") as file:
        file.write(annotation().encode())
        file.truncate(100 * 2**20)
    status, text = project.to_csv()
    checked, report, findings = project.check_xml()
    assert (status, checked) == (1, 1) and not project.csv.exists()
    named = {finding["file"].rsplit("/", 1)[-1] for finding in findings if finding["severity"] == "error"}
    assert named == {"large.xml", *(f"{name}.xml" for name in BAD_XML)}
    assert error_lines(text) == error_lines(report) and "\x9b" not in text + report


def test_every_odd_but_sound_annotation_becomes_a_record(project):
    for number, (name, (content, image)) in enumerate(GOOD_XML.items()):
        project.xml(name, content)
        project.image(image, photo(color=(40 * number, 99, 255 - 40 * number)))
    assert project.check_xml()[0] == project.to_csv()[0] == project.check_csv()[0] == project.to_record()[0] == 0
    assert sorted(project.recorded()) == sorted(["good.jpg", *(image for _, image in GOOD_XML.values())])


def labelled(project, images):
    rows = [LabelRow(name, 0, 0, "Tops", *box) for name, box in images.items()]
    labels_csv.write_rows([LabelRow("good.jpg", 64, 48, "Tops", 1, 2, 30, 40), *rows], project.csv)


def test_every_hostile_image_is_an_error_that_names_it_and_may_be_left_out(project):
    for name, data in BAD_IMAGES.items():
        project.image(name, data)
    (project.images / "folder.jpg").mkdir()
    bad = [*BAD_IMAGES, "folder.jpg", "con.jpg", "y" * 300 + ".jpg"]
    if os.name != "nt":
        os.mkfifo(project.images / "pipe.jpg")
        (project.images / "zero.jpg").symlink_to("/dev/zero")
        bad += ["pipe.jpg", "zero.jpg"]
    labelled(project, dict.fromkeys(bad, (1, 2, 30, 40)))
    status, text = project.to_record()
    checked, report, findings = project.check_csv()
    assert (status, checked) == (1, 1) and not project.record.exists()
    assert error_lines(text) == error_lines(report)
    assert {finding["file"] for finding in findings if finding["severity"] == "error"} == set(bad)

    status, _ = project.to_record("--skip_invalid")
    assert status == 0 and project.recorded() == ["good.jpg"]
    assert manifest.read(project.record)["left_out"] == sorted(bad)


def test_every_odd_but_sound_image_is_recorded(project):
    for name, (data, _) in GOOD_IMAGES.items():
        project.image(name, data)
    labelled(project, {name: box for name, (_, box) in GOOD_IMAGES.items()})
    assert project.check_csv()[0] == 0 and project.to_record()[0] == 0
    assert project.recorded() == sorted(["good.jpg", *GOOD_IMAGES])


@pytest.mark.parametrize("folder", ["annotations", "images"])
def test_a_file_that_no_annotation_means_is_never_read(project, folder, tmp_path):
    """The secret beside the image folder, by every way out of it."""
    (tmp_path / "secret.jpg").write_bytes(photo(color="red"))
    names = ["../secret.jpg", "..\\secret.jpg", str(tmp_path / "secret.jpg"), "x/../../secret.jpg", "./../secret.jpg"]
    if folder == "annotations":
        for number, name in enumerate(names):
            project.xml(f"{number}", annotation(name).encode())
        assert project.to_csv()[0] == project.check_xml()[0] == 1
    else:
        labelled(project, dict.fromkeys(names, (1, 2, 30, 40)))
        assert project.to_record()[0] == project.check_csv()[0] == 1
        assert len([f for f in project.check_csv()[2] if f["code"] == "filename-outside-folder"]) == len(names)
    assert not project.record.exists()


HEAD = ",".join(labels_csv.COLUMNS)
CSV_FILES = {  # content -> exit status of both scripts
    "quotes and commas": (f'{HEAD}\n"a, ""b"".jpg",64,48,"Tops",1,2,30,40\n', 0),
    "BOM and CRLF": (f"\ufeff{HEAD}\r\ngood.jpg,64,48,Tops,1,2,30,40\r\n", 0),
    "further column": (f"note,{HEAD}\nx,good.jpg,64.0,48,Tops,1,2,30,40\n", 0),
    "semicolons": (f"{HEAD}\ngood.jpg,64,48,Tops,1,2,30,40\n".replace(",", ";"), 1),
    "open quote": (f'{HEAD}\n"good.jpg,64,48,Tops,1,2,30,40\n', 1),
    "NUL": (f"{HEAD}\ngood\0.jpg,64,48,Tops,1,2,30,40\n", 1),
    "numbers": (f"{HEAD}\ngood.jpg,64,48,Tops,1e9,inf,nan,{'9' * 400}\n", 1),
    "formula": (f"{HEAD}\n=cmd|' /C calc'!A0,64,48,Tops,1,2,30,40\n", 1),
    "header alone": (f"{HEAD}\n", 1),
    "empty": ("", 1),
    "long field": (f"{HEAD}\n{'x' * 200_000},64,48,Tops,1,2,30,40\n", 1),
    "class of a page": (f"{HEAD}\ngood.jpg,64,48,{'T' * 100_000},1,2,30,40\n", 1),
}


@pytest.mark.parametrize("name", CSV_FILES)
def test_every_csv_is_read_or_refused_alike(project, name):
    text, expected = CSV_FILES[name]
    if os.name == "nt" and "quotes" in name:
        pytest.skip("Windows has no such names")
    if "quotes" in name:
        project.image('a, "b".jpg', photo())
    project.csv.write_bytes(text.encode())
    status, shown = project.to_record()
    checked, report, _ = project.check_csv()
    assert (status, checked) == (expected, expected)
    assert error_lines(shown) == error_lines(report) and bool(error_lines(shown)) == bool(expected)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="this file system knows Unicode names alone")
def test_names_that_are_no_unicode_or_hold_line_ends_are_shown_on_one_line(project):
    for name in (b"\xff\xfe.jpg", b"two\nlines.jpg", b"\x1b[31mred.jpg"):
        (project.images / os.fsdecode(name)).write_bytes(photo())
    (project.annotations / os.fsdecode(b"\xff.xml")).write_bytes(b"<annotation>")
    status, text, findings = project.check_xml()
    assert status == 1 and project.to_csv()[0] == 1
    assert "two\\nlines.jpg" in text and "\\x1b[31mred.jpg" in text and "\x1b" not in text
    assert sum(finding["code"] == "image-unnameable" for finding in findings) == 1
    assert sum(finding["code"] == "image-not-annotated" for finding in findings) == 2


def test_no_file_of_the_user_is_ever_changed(project):
    for name, text in BAD_XML.items():
        project.xml(name, text.encode())
    for name, data in {**BAD_IMAGES, **{name: data for name, (data, _) in GOOD_IMAGES.items()}}.items():
        project.image(name, data)
    labelled(project, dict.fromkeys([*BAD_IMAGES, *GOOD_IMAGES], (1, 2, 30, 40)))
    inputs = [project.label_map, project.csv, *project.annotations.iterdir(), *project.images.iterdir()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in inputs}
    (
        project.check_xml(),
        project.check_csv(),
        project.to_csv(),
        project.to_record("--skip_invalid", "--max_image_side=20"),
    )
    assert project.record.exists()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert set(project.images.iterdir()) | set(project.annotations.iterdir()) == set(inputs[2:])


def test_every_step_reads_and_writes_utf_8_whatever_the_locale(project, repository_root, tmp_path):
    """On Windows `open` takes the code page where no encoding is said: Python itself tells where that would happen."""
    (project.label_map).write_text("item { id: 1 name: 'Kleid/Überwurf' }", encoding="utf-8")
    for number in range(5):
        name = f"платье {number}.jpg"
        project.image(name, photo(color=(50 * number, 9, 9)))
        project.xml(f"é{number}", annotation(name).replace("Tops", "Kleid/Überwurf").encode())
    (project.annotations / "good.xml").unlink()
    (project.images / "good.jpg").unlink()
    split = {name: tmp_path / f"ü {name}.csv" for name in ("train", "test", "summary")}
    image_dir, label_map = f"--image_dir={project.images}", f"--label_map={project.label_map}"
    labels = f"--annotations_dir={project.annotations}"
    for command in (
        ["scripts/check_dataset.py", labels, image_dir, label_map, f"--json={project.report}"],
        ["xml_to_csv.py", labels, image_dir, f"--output_csv={project.csv}"],
        ["split_dataset.py", f"--csv_input={project.csv}", *(f"--{name}_csv={path}" for name, path in split.items())],
        [
            "generate_tfrecord.py",
            f"--csv_input={split['train']}",
            image_dir,
            label_map,
            f"--output_path={project.record}",
        ],
    ):
        done = subprocess.run(
            [sys.executable, "-X", "warn_default_encoding", *command],
            cwd=repository_root,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr.decode()
        warned = [line for line in done.stderr.decode().splitlines() if "EncodingWarning" in line]
        assert not [line for line in warned if str(repository_root) in line and "site-packages" not in line]
    assert len(project.recorded()) == 4 and all(name.startswith("платье ") for name in project.recorded())


def test_images_without_objects_stay_through_csv_split_and_record(project, tmp_path):
    for number in range(6):
        project.image(f"{number}.jpg", photo(color=(40 * number, 99, 9)))
        project.xml(str(number), voc_xml.document(Annotation(f"{number}.jpg", 64, 48)).encode())
    assert project.check_xml()[0] == 0
    xml_to_csv.main([f"--annotations_dir={project.annotations}", f"--output_csv={project.csv}", "--include_negatives"])
    split = {name: tmp_path / f"{name}.csv" for name in ("train", "test", "summary")}
    split_dataset.main([f"--csv_input={project.csv}", *(f"--{name}_csv={path}" for name, path in split.items())])
    recorded = []
    for side in ("train", "test"):
        project.csv = split[side]
        assert project.check_csv()[0] == project.to_record()[0] == 0
        recorded += project.recorded()
    assert sorted(recorded) == [*(f"{number}.jpg" for number in range(6)), "good.jpg"]
