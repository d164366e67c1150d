"""VOC XML: what LabelImg writes, what others write, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError

DOCUMENT = """\
<annotation>
	<folder>samples</folder>
	<filename>dress.jpg</filename>
	<path>/home/me/samples/dress.jpg</path>
	<source>
		<database>Unknown</database>
	</source>
	<size>
		<width>640</width>
		<height>480</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>Dresses</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>12</xmin>
			<ymin>34</ymin>
			<xmax>560</xmax>
			<ymax>480</ymax>
		</bndbox>
	</object>
	<object>
		<name>Tops</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>1</xmin>
			<ymin>2</ymin>
			<xmax>3</xmax>
			<ymax>4</ymax>
		</bndbox>
	</object>
</annotation>
"""
OBJECTS = [
    VocObject("Dresses", 12, 34, 560, 480, truncated=True, line=14),
    VocObject("Tops", 1, 2, 3, 4, line=26),
]


def read(tmp_path, content: str | bytes) -> Annotation:
    path = tmp_path / "dress.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return voc_xml.read(path)


@pytest.mark.parametrize(("degrees", "is_turned"), [("0.0", False), ("45.0", True), ("-90", True), ("360.5", True)])
def test_a_box_that_cvat_turned_is_not_read_as_an_upright_one(degrees, is_turned, tmp_path):
    turn = f"<attributes><attribute><name>rotation</name><value>{degrees}</value></attribute></attributes>"
    content = DOCUMENT.replace("<bndbox>", f"{turn}<bndbox>", 1)
    if is_turned:
        (finding,) = findings_of(tmp_path, content)
        assert finding.message == f"is turned by {degrees} degrees, expected an upright box"
        assert finding.object == "object 1 (Dresses)" and finding.line == 19
    else:
        assert [box.xmin for box in read(tmp_path, content).objects] == [12, 1]


def findings_of(tmp_path, content: str | bytes):
    with pytest.raises(DataError) as error:
        read(tmp_path, content)
    return error.value.findings


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(DOCUMENT, id="as LabelImg writes it"),
        pytest.param(DOCUMENT.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + DOCUMENT, id="byte-order mark"),
        pytest.param(
            '<?xml version="1.0" encoding="utf-16"?>'.encode("utf-16") + DOCUMENT.encode("utf-16")[2:], id="16"
        ),
        pytest.param('<?xml version="1.0" encoding="ISO-8859-1"?>' + DOCUMENT, id="declared encoding"),
        pytest.param(DOCUMENT.replace("<xmin>12<", "<xmin>12.0<"), id="12.0"),
        pytest.param(DOCUMENT.replace("<xmin>12<", "<xmin>\n12 <"), id="space around a number"),
        pytest.param(DOCUMENT.replace("<name>Tops<", "<name> Tops\t<"), id="space around a name"),
        pytest.param(DOCUMENT.replace("Tops", "<![CDATA[Tops]]>"), id="CDATA"),
        pytest.param(DOCUMENT.replace("Tops", "T&#111;ps"), id="character reference"),
        pytest.param(DOCUMENT.replace(">Tops<", "><!-- - -->Tops<"), id="comment"),
        pytest.param("<!DOCTYPE annotation>" + DOCUMENT, id="case 19: DOCTYPE"),
        pytest.param("<!DOCTYPE annotation SYSTEM 'voc.dtd'>" + DOCUMENT, id="case 19: DOCTYPE with a DTD"),
        pytest.param("<!DOCTYPE annotation [<!ELEMENT a ANY>]>" + DOCUMENT, id="case 19: DOCTYPE with elements"),
    ],
)
def test_reads_what_was_meant(tmp_path, content):
    annotation = read(tmp_path, content)
    assert [(o.name, o.xmin, o.ymin, o.xmax, o.ymax) for o in annotation.objects] == [
        ("Dresses", 12, 34, 560, 480),
        ("Tops", 1, 2, 3, 4),
    ]
    assert (annotation.filename, annotation.width, annotation.height) == ("dress.jpg", 640, 480)
    assert annotation.source == str(tmp_path / "dress.xml")


def test_reads_by_tag_name_not_by_position(tmp_path):
    shuffled = """<annotation><object><bndbox><ymax>4</ymax><xmax>3</xmax><ymin>2</ymin><xmin>1</xmin></bndbox>
        <part><name>sleeve</name><bndbox><xmin>9</xmin></bndbox></part><name>Tops</name></object>
        <size><depth>3</depth><height>20</height><width>10</width></size><filename>a.jpg</filename></annotation>"""
    annotation = read(tmp_path, shuffled)
    assert annotation.objects == [VocObject("Tops", 1, 2, 3, 4, line=1)]
    assert (annotation.width, annotation.height) == (10, 20)


def test_image_without_objects_is_an_annotation_too(tmp_path):
    start, end = DOCUMENT.index("\t<object>"), DOCUMENT.index("</annotation>")
    assert read(tmp_path, DOCUMENT[:start] + DOCUMENT[end:]).objects == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("</name>", "</nam>", 15, "is not well-formed XML"),
        ("<xmin>12</xmin>", "<xmin>twelve</xmin>", 20, "object 1 (Dresses): <xmin> is 'twelve', expected a number"),
        ("<xmin>12</xmin>", "<xmin>nan</xmin>", 20, "<xmin> is 'nan'"),
        ("<xmin>12</xmin>", "<xmin>1e99</xmin>", 20, "<xmin> is '1e99'"),
        ("<xmin>12</xmin>", "<xmin>١٢</xmin>", 20, "<xmin> is"),
        ("<xmin>12</xmin>", "<xmin></xmin>", 20, "<xmin> holds nothing"),
        ("<xmin>12</xmin>", "<xmin><b>12</b></xmin>", 20, "<xmin> holds other tags"),
        ("<xmin>12</xmin>", "", 19, "<bndbox> has no <xmin>"),
        ("<xmin>12</xmin>", "<xmin>1</xmin><xmin>2</xmin>", 19, "<bndbox> has 2 <xmin>, expected one"),
        ("<name>Tops</name>", "<name> </name>", 27, "object 2: <name> holds nothing"),
        ("<width>640</width>", "<width>-640</width>", 9, "<width> is -640, expected 0 or more"),
        ("<width>640</width>", "<width>1</width><width>2</width>", 8, "<size> has 2 <width>, expected one"),
        ("<filename>", "<filename>a.jpg</filename><filename>", 1, "<annotation> has 2 <filename>, expected one"),
        ("<annotation>", '<annotation xmlns="http://x.org">', 1, "PASCAL VOC XML with <annotation>"),
        ("<annotation>", "<!DOCTYPE a [<!ENTITY x 'y'>]><annotation>", 1, "has a <!DOCTYPE> with entities"),
        ("<segmented>0</segmented>", "<objects><object/></objects>", 1, "not directly below <annotation>"),
        (">Tops<", ">&tops;<", 27, "is not well-formed XML: Entity 'tops' not defined"),
        (">Tops<", f">{'T' * 2000}<", 27, "2000 characters"),
        (">Tops<", ">T\0ps<", 27, "is not well-formed XML"),
    ],
)
def test_finding_names_file_line_and_what_was_found(tmp_path, old, new, line, words):
    assert old in DOCUMENT
    (finding, *_) = findings_of(tmp_path, DOCUMENT.replace(old, new, 1))
    assert finding.file.endswith("dress.xml") and finding.line == line
    assert words in str(finding)
    assert finding.remedy


def test_all_mistakes_of_a_file_are_found_at_once(tmp_path):
    content = DOCUMENT.replace("<xmin>12<", "<xmin>a<").replace("<ymax>4<", "<ymax>b<").replace("640<", "-640<")
    assert [finding.code for finding in findings_of(tmp_path, content)] == [
        "xml-not-a-number",
        "xml-not-a-number",
        "xml-not-a-number",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\0" * 100, b"no xml", b"\xff\xfe", "<annotation>\xe9".encode("latin-1")]
)
def test_what_is_no_xml_is_a_finding(tmp_path, content):
    (finding,) = findings_of(tmp_path, content)
    assert finding.code == "xml-malformed" and finding.line


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    declaration = f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    (finding,) = findings_of(tmp_path, declaration + DOCUMENT.replace("Tops", "&x;"))
    assert finding.code == "xml-doctype" and "secret" not in finding.message


def test_too_large_a_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(DataError, match="has more than 10 MB"):
        voc_xml.read(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../x.jpg", "x.jpg"),
        ("a/../../x.jpg", "x.jpg"),
        ("/etc/passwd", "passwd"),
        ("C:\\me\\x.jpg", "x.jpg"),
        ("c:x.jpg", "dress"),
        ("\\\\host\\share\\x.jpg", "x.jpg"),
        ("..", "dress"),
        ("a/..", "dress"),
        ("", "dress"),
    ],
)
def test_case_8_filename_never_leads_out_of_the_image_folder(tmp_path, name, expected):
    annotation = read(tmp_path, DOCUMENT.replace("dress.jpg</filename>", f"{name}</filename>"))
    assert (annotation.filename, annotation.refused_filename) == (expected, name)


def test_case_8_size_and_filename_may_be_missing(tmp_path):
    start, end = DOCUMENT.index("\t<size>"), DOCUMENT.index("\t<segmented>")
    without = (DOCUMENT[:start] + DOCUMENT[end:]).replace("<filename>dress.jpg</filename>", "")
    annotation = read(tmp_path, without)
    assert (annotation.filename, annotation.width, annotation.height) == ("dress", 0, 0)
    assert read(tmp_path, DOCUMENT.replace("<width>640</width>", "<width/>")).width == 0
    (finding,) = findings_of(tmp_path, "<annotation><folder>x</folder></annotation>")
    assert finding.message == "<annotation> has no <filename>, <size> or <object>"


@pytest.mark.parametrize("corners", [(0.1, 0.2, 0.55, 1.0), (0, 0, 0.5, 1), (0.001, 0.5, 1.0004, 0.75)])
def test_case_18_fractions_are_recognised(tmp_path, corners):
    box = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>".format(*corners)
    start, end = DOCUMENT.index("<xmin>1<"), DOCUMENT.rindex("</bndbox>")
    (finding,) = findings_of(tmp_path, DOCUMENT[:start] + box + DOCUMENT[end:])
    assert (finding.code, finding.object, finding.line) == ("box-normalized", "object 2 (Tops)", 31)
    assert "are fractions of the image's sides, expected pixels" in finding.message


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a\\b.jpg", "a/b.jpg"), ("./b.jpg", "b.jpg"), ("é ü.jpg", "é ü.jpg"), ("x" * 250, "x" * 250)],
)
def test_filename_is_read_with_its_folders(tmp_path, name, expected):
    assert read(tmp_path, DOCUMENT.replace("dress.jpg</filename>", f"{name}</filename>")).filename == expected


def test_writes_what_label_img_writes(tmp_path):
    path = tmp_path / "new" / "dress.xml"
    annotation = Annotation("dress.jpg", 640, 480, OBJECTS, "samples", "/home/me/samples/dress.jpg")
    voc_xml.write(path, annotation)
    assert path.read_bytes() == DOCUMENT.encode()


def test_written_names_are_escaped_and_read_back(tmp_path):
    annotation = Annotation("a&b <1>.jpg", 1, 1, [VocObject("Töps & Co", 0, 0, 1, 1)])
    voc_xml.write(tmp_path / "a.xml", annotation)
    again = voc_xml.read(tmp_path / "a.xml")
    assert (again.filename, again.objects[0].name) == (annotation.filename, "Töps & Co")


def test_character_that_xml_cannot_hold_is_refused_by_write(tmp_path):
    with pytest.raises(ValueError, match="cannot hold"):
        voc_xml.write(tmp_path / "a.xml", Annotation("a\0.jpg", 1, 1))
    assert not any(tmp_path.iterdir())


def test_files_are_found_in_order_of_names_whatever_the_platform(tmp_path):
    for name in ("b.xml", "B.xml", "a.XML", "é.xml", "10.xml", "9.xml", "c.txt", "._b.xml", "sub/a.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [Path(path).relative_to(tmp_path).as_posix() for path in voc_xml.find_files(tmp_path)]
    expected = ["10.xml", "9.xml", "B.xml", "a.XML", "b.xml", "sub/a.xml", "é.xml"]
    assert found == expected or "B.xml" not in found  # a file system that ignores case keeps one of the two


@pytest.mark.parametrize("number", [("12", 12), ("-3", -3), ("12.", 12), ("12.49", 12), ("12.5", 13), ("-0.5", 0)])
def test_pixels_are_rounded_to_the_nearest(number):
    text, expected = number
    assert voc_xml.parse_pixels(text) == expected


def test_reference_files_are_read_and_written_line_for_line(reference_dir):
    not_read = re.compile("<(folder|path|depth|pose|truncated|difficult)>")
    for path in voc_xml.find_files(reference_dir / "annotations"):
        written = voc_xml.document(voc_xml.read(path)).splitlines()
        stated = Path(path).read_text(encoding="utf-8").splitlines()
        assert len(written) == len(stated)
        for line, expected in zip(written, stated, strict=True):
            assert line == expected or not_read.match(line.strip()), path


@pytest.mark.parametrize(
    ("image", "annotation"), [("a.jpg", "a.xml"), ("shop/a.b.PNG", "shop/a.b.xml"), ("größe.webp", "größe.xml")]
)
def test_an_annotation_lies_where_its_image_does(image, annotation):
    assert voc_xml.annotation_path(Path("annotations"), image) == Path("annotations") / annotation


def test_images_of_one_folder_whose_names_differ_in_suffix_or_case_share_an_annotation():
    names = ["a.jpg", "shop/a.jpg", "A.png", "b.jpg", "c.jpg", "c.jpeg", "c.png"]
    found = [(one.file, one.message) for one in voc_xml.sharing_an_annotation(names)]
    assert found == [
        ("A.png", "a.jpg would share its annotation file"),
        ("c.jpeg", "c.jpg and c.png would share its annotation file"),
    ]
