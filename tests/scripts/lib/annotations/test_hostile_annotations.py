"""Hostile and broken annotations and CSV files: a clear error or a correct result, never a traceback or a hang."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import split_dataset
import xml_to_csv
from scripts.lib.annotations import registry, voc_xml
from scripts.lib.annotations.formats import yolo
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images import image_names
from scripts.lib.images.image_names import ImageFolder

fuzz = settings(
    max_examples=150, deadline=5000, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CLEAN = (
    "<annotation>\n\t<folder>s</folder>\n\t<filename>a.jpg</filename>\n\t<path>/s/a.jpg</path>\n\t<source>\n"
    "\t\t<database>Unknown</database>\n\t</source>\n\t<size>\n\t\t<width>64</width>\n\t\t<height>48</height>\n"
    "\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n\t<object>\n\t\t<name>Tops</name>\n"
    "\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n\t\t<difficult>0</difficult>\n\t\t<bndbox>\n"
    "\t\t\t<xmin>1</xmin>\n\t\t\t<ymin>2</ymin>\n\t\t\t<xmax>30</xmax>\n\t\t\t<ymax>40</ymax>\n\t\t</bndbox>\n"
    "\t</object>\n</annotation>\n"
)
BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


def outcome(content: bytes, path) -> Annotation | list[Finding]:
    path.write_bytes(content)
    try:
        return voc_xml.read(path)
    except DataError as error:
        assert error.findings and all(isinstance(finding, Finding) for finding in error.findings)
        assert all(str(finding) and "\n" not in str(finding) for finding in error.findings)
        return error.findings


def is_sound(annotation: Annotation) -> bool:
    values = [annotation.width, annotation.height]
    values += [value for box in annotation.objects for value in (box.xmin, box.ymin, box.xmax, box.ymax)]
    image_names.inside_folder(annotation.filename)
    return all(isinstance(value, int) and abs(value) < 10**9 for value in values) and all(
        box.name.strip() for box in annotation.objects
    )


MADE = {
    "entity bomb": f'<!DOCTYPE a [<!ENTITY l0 "lol">{BOMB}]>' + CLEAN.replace("Tops", "&l11;"),
    "entity bomb in an attribute": f'<!DOCTYPE a [<!ENTITY l0 "lol">{BOMB}]>'
    + CLEAN.replace("<size>", '<size a="&l11;">'),
    "one long entity many times": f'<!DOCTYPE a [<!ENTITY x "{"y" * 50_000}">]>' + CLEAN.replace("Tops", "&x;" * 5000),
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + CLEAN.replace("Tops", "&x;"),
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd">%x;]>' + CLEAN,
    "external DTD": '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd">' + CLEAN.replace("Tops", "&x;"),
    "deep nesting": "<annotation>" * 100_000,
    "deep nesting, closed": "<annotation>" + "<a>" * 200_000 + "</a>" * 200_000 + "</annotation>",
    "many attributes": "<annotation " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>",
    "many declared attributes": "<!DOCTYPE annotation [<!ATTLIST annotation "
    + " ".join(f"a{n} CDATA #IMPLIED" for n in range(100_000))
    + ">]><annotation/>",
    "a long name": CLEAN.replace("Tops", "T" * 5_000_000),
    "a long number": CLEAN.replace("<xmin>1<", f"<xmin>{'1' * 1_000_000}<"),
    "a long file name": CLEAN.replace("a.jpg<", f"{'.' * 1_000_000}<"),
    "XInclude": CLEAN.replace("Tops", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'),
    "NUL bytes": CLEAN.replace("Tops", "T\0ps"),
    "only NUL bytes": "\0" * 1000,
    "cut off": CLEAN[:-30],
    "twice": CLEAN * 2,
    "HTML": "<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "unknown encoding": '<?xml version="1.0" encoding="klingon"?>' + CLEAN,
    "wrong encoding": '<?xml version="1.0" encoding="utf-16"?>' + CLEAN,
}


@pytest.mark.parametrize("name", MADE)
def test_made_case_is_refused_at_once(name, tmp_path):
    start = time.monotonic()
    findings = outcome(MADE[name].encode(), tmp_path / "a.xml")
    assert isinstance(findings, list), findings
    assert "root:" not in str(findings) and len(str(findings)) < 5000
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "name", ["a" * 246 + ".jpg", "ü" * 100 + ".jpg", "a, b;c'd.jpg", "日本.jpg", "a&amp;b.jpg", "&#x1F457;.jpg"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_encoding_gives_the_same_annotation(name, encoding, line_end, tmp_path):
    declaration = '<?xml version="1.0" encoding="UTF-16"?>\n' if encoding in ("utf-16-le", "utf-16-be") else ""
    text = (declaration + CLEAN.replace("a.jpg<", f"{name}<")).replace("\n", line_end)
    annotation = outcome(text.encode(encoding), tmp_path / "a.xml")
    assert isinstance(annotation, Annotation), annotation
    assert annotation.filename == name.replace("&amp;", "&").replace("&#x1F457;", "\U0001f457")
    assert [(box.name, box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.objects] == [
        ("Tops", 1, 2, 30, 40)
    ]


@fuzz
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    result = outcome(content, tmp_path / "a.xml")
    assert isinstance(result, list) or is_sound(result)


@fuzz
@given(st.data())
def test_a_changed_annotation_is_read_or_refused(tmp_path, data):
    text = CLEAN
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        new = data.draw(
            st.one_of(
                st.text(max_size=6),
                st.sampled_from(
                    [
                        "<",
                        ">",
                        "&",
                        "<a/>",
                        "<!--",
                        "]]>",
                        "\0",
                        "\r",
                        " ",
                        "\u2028",
                        "-1",
                        ".5",
                        "</object>",
                        "<object>",
                        "../",
                    ]
                ),
            )
        )
        text = text[:start] + new + text[end:]
    content = text.encode("utf-8", "surrogatepass")
    result = outcome(content, tmp_path / "a.xml")
    assert isinstance(result, list) or is_sound(result)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=250)


def is_name(name: str) -> bool:
    try:
        return image_names.inside_folder(name) == name
    except ValueError:
        return False


@fuzz
@given(names.filter(is_name), names.filter(str.strip), st.integers(-99, 10**6))
@example('a "quoted", b.jpg', 'x, "y"', 0)
@example("=1+1.jpg", "NA", 0)
@example("\u2028.jpg", "\x85x", 0)
def test_names_survive_xml_and_csv(tmp_path, filename, class_name, pixel):
    path = tmp_path / "a.xml"
    box = VocObject(class_name, pixel, 0, 9, 9)
    try:
        voc_xml.write(path, Annotation(filename, 9, 9, [box]))
    except ValueError:
        return  # a character that XML cannot hold
    annotation = outcome(path.read_bytes(), path)
    if isinstance(annotation, list):
        assert any("line break" in finding.message for finding in annotation)
        return
    assert (annotation.filename, annotation.objects[0].name) == (filename.strip(" "), class_name.strip(" "))
    rows = labels_csv.rows_of(annotation)
    labels_csv.write_rows(rows, tmp_path / "a.csv")
    assert labels_csv.read_rows(tmp_path / "a.csv") == rows


@fuzz
@given(st.binary(max_size=200), st.booleans())
@example(b'"' * 3, True)
@example(b"a.jpg,1,1,Tops,1,2,3," + b"9" * 50, True)
@example(b"a\0.jpg,1,1,Tops,1,2,3,4", True)
@example(b"a.jpg,1,1,Tops,1,2,3,4\r\r\n", True)
def test_any_csv_is_read_or_refused(tmp_path, content, with_header):
    path = tmp_path / "a.csv"
    path.write_bytes(b"filename,width,height,class,xmin,ymin,xmax,ymax\n" * with_header + content)
    try:
        rows = labels_csv.read_rows(path)
    except DataError as error:
        assert all(finding.line for finding in error.findings)
    else:
        text = content.decode("utf-8-sig" if not with_header else "utf-8")
        assert len(rows) == len([row for row in csv.reader(io.StringIO(text, newline="")) if row]) - (not with_header)


@fuzz
@given(st.sampled_from(["yolo", "createml", "rotated_rect", "deepfashion", "style"]), st.data())
def test_any_bytes_in_any_format_are_read_or_refused(tmp_path, name, data):
    contents = {
        "yolo": {"classes.txt": b"Tops\n", "a.txt": None},
        "createml": {"a.json": None},
        "rotated_rect": {"a.csv": None},
        "deepfashion": {
            "list_category_cloth.txt": b"1\nx\nTops 1\n",
            "list_category_img.txt": b"1\nx\na.jpg 1\n",
            "list_bbox.txt": None,
        },
        "style": {"labels.json": b"{\n0: 'Tops'\n}", "train.txt": None},
    }[name]
    fuzzed = data.draw(
        st.one_of(st.binary(max_size=200), st.text("[]{}\"':,.0123456789 aNfe-\n\t/", max_size=200).map(str.encode))
    )
    for file, content in contents.items():
        (tmp_path / file).write_bytes(fuzzed if content is None else content)
    yolo._class_names.cache_clear()
    (file,) = [file for file, content in contents.items() if content is None]
    annotations, findings = registry.read_file(name, str(tmp_path / file), tmp_path, ImageFolder(tmp_path))
    assert all(map(is_sound, annotations)) and all(map(str, findings))


@settings(fuzz, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["a", "b", ""])), min_size=2, max_size=60), st.integers())
def test_any_split_keeps_every_row_once(tmp_path, boxes, seed):
    rows = [LabelRow(f"{n}.jpg", 9, 9, name, *((0, 0, 9, 9) if name else (None,) * 4)) for n, name in boxes]
    labels_csv.write_rows(rows, tmp_path / "in.csv")
    paths = [f"--{name}_csv={tmp_path / name}.csv" for name in ("train", "test", "summary")]
    try:
        split_dataset.main([f"--csv_input={tmp_path / 'in.csv'}", *paths, f"--seed={seed}", "--stratify"])
    except DataError as error:
        assert "one would be empty" in str(error)
        return
    train, test = (labels_csv.read_rows(tmp_path / f"{name}.csv") for name in ("train", "test"))
    assert sorted(map(repr, train + test)) == sorted(map(repr, rows))
    num_images = len({row.filename for row in rows})
    assert len({row.filename for row in train}) == num_images * 4 // 5


def test_a_folder_of_all_made_cases_is_one_list_of_errors(tmp_path):
    folder = tmp_path / "annotations"
    folder.mkdir()
    for number, text in enumerate(MADE.values()):
        (folder / f"{number:02d}.xml").write_bytes(text.encode())
    (folder / "z.xml").write_text(CLEAN, encoding="utf-8")
    with pytest.raises(DataError) as error:
        xml_to_csv.main([f"--annotations_dir={folder}", f"--output_csv={tmp_path / 'labels.csv'}"])
    named = {finding.file.rsplit("/", 1)[-1] for finding in error.value.findings}
    assert named == {f"{number:02d}.xml" for number in range(len(MADE))}
    assert not (tmp_path / "labels.csv").exists()
