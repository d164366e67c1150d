"""PASCAL VOC XML, one file per image, as LabelImg writes and reads it.

The layout is that of the VOC development kit (Everingham et al., "The PASCAL Visual Object Classes Challenge 2012
Development Kit", section 3.3) as LabelImg's `libs/pascal_voc_io.py` fills it in. Box corners are pixels as LabelImg
counts them: xmin and ymin from 0 (older versions: from 1), xmax and ymax up to the width and height.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core import files
from scripts.lib.core.boxes import are_fractions, round_half_up
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.images import image_names

if TYPE_CHECKING:
    from lxml.etree import XMLParser
    from lxml.etree import _Element as Element

MAX_BYTES = 10 * 2**20  # LabelImg needs 300 bytes a box; anything larger is not an annotation
MAX_TEXT = 1000  # characters in one field
MAX_ATTRIBUTES = 5000  # of a whole file, which needs none; libxml2 2.11, in lxml for Windows, takes a minute for 40,000


@dataclasses.dataclass(slots=True)
class VocObject:
    """One object of an image: its class, and the corners of its box in pixels."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    truncated: bool = False  # by the edge of the image; written, but not read
    line: int | None = None  # of the annotation file, from 1, if it was read from one


@dataclasses.dataclass(slots=True)
class Annotation:
    """The annotation of one image."""

    filename: str  # the image's name relative to the image folder, with `/`
    width: int  # in pixels, as the annotation states it, which may be wrong
    height: int
    objects: list[VocObject] = dataclasses.field(default_factory=list)  # empty for an image without objects
    folder: str = ""  # LabelImg's, like image_path; written, but not read
    image_path: str = ""
    source: str | None = None  # the file that it was read from
    database: str = "Unknown"  # LabelImg's, which writes "Unknown"; see proposals.py
    refused_filename: str | None = None  # what <filename> says ("": nothing) where `filename` had to be another name


def find_files(folder: Path | str) -> list[str]:
    """Return the XML files below a folder, in order of their names."""
    return [f"{os.fspath(folder)}/{name}" for name in files.names_below(folder, ".xml")]


def annotation_path(annotations_dir: Path, image_name: str) -> Path:
    """Return annotations/shop/dress.xml for shop/dress.jpg: LabelImg's rule, applied in each sub-folder."""
    return annotations_dir / f"{image_names.without_suffix(image_name)}.xml"


def sharing_an_annotation(names: Iterable[str]) -> list[Finding]:
    """Return an error for each annotation file that several images would have, such as dress.jpg and dress.png."""
    by_stem = defaultdict(list)
    for name in sorted(names):
        by_stem[image_names.without_suffix(name).casefold()].append(name)
    remedy = "give each image a name of its own, not counting the suffix"
    return [
        Finding(ERROR, "annotation-shared", first, f"{' and '.join(others)} would share its annotation file", remedy)
        for first, *others in by_stem.values()
        if others
    ]


def write(path: Path | str, annotation: Annotation) -> None:
    """Write one file, whole or not at all; raise ValueError as `document` does."""
    with files.atomic_write(path) as file:
        file.write(document(annotation).encode())


def document(annotation: Annotation) -> str:
    """Return the text of the file as LabelImg lays it out; raise ValueError if XML cannot hold a character."""
    objects = "".join(_OBJECT.format(**_escaped_fields(one)) for one in annotation.objects)
    return _DOCUMENT.format(**{**_escaped_fields(annotation), "objects": objects})


def _escaped_fields(record: Annotation | VocObject) -> dict[str, object]:
    values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return {name: _escape(value) if isinstance(value, str) else value for name, value in values.items()}


def _escape(text: str) -> str:
    if re.search(_NOT_IN_XML, text):
        raise ValueError(f"{text!r} has a character that XML cannot hold")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


# XML 1.0, section 2.2; not compiled until something is written: that takes a tenth of a data script's start.
_NOT_IN_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_DOCUMENT = """\
<annotation>
	<folder>{folder}</folder>
	<filename>{filename}</filename>
	<path>{image_path}</path>
	<source>
		<database>{database}</database>
	</source>
	<size>
		<width>{width}</width>
		<height>{height}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
{objects}</annotation>
"""
_OBJECT = """\
	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<truncated>{truncated:d}</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>{xmin}</xmin>
			<ymin>{ymin}</ymin>
			<xmax>{xmax}</xmax>
			<ymax>{ymax}</ymax>
		</bndbox>
	</object>
"""


def read(path: Path | str) -> Annotation:
    """Read one file by tag name.

    Entities, DTDs and the network are off. Coordinates may be written `12.0`; a fraction is rounded to the nearest
    pixel. `<filename>` may have folders below the image folder. Of a name that leads out of it the last part counts,
    and without a name that of the XML file does. A size that is not stated is 0.

    Raises:
        DataError: with a finding for each thing that is wrong with the file.
        OSError: the file cannot be opened.
    """
    file, shown = Path(path), os.fspath(path)
    if file.stat().st_size > MAX_BYTES:
        message = f"has more than {MAX_BYTES / 2**20:.0f} MB, which no annotation needs"
        raise DataError([_error(shown, "xml-too-large", message)])
    reader = _Reader(shown)
    annotation = reader.annotation(_parse(file.read_bytes(), shown))
    if reader.findings:
        raise DataError(reader.findings)
    return annotation


@functools.cache
def _parser() -> XMLParser:
    from lxml import etree  # here, since most scripts that import this module read no XML

    secure = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
    return etree.XMLParser(**secure, remove_comments=True, remove_pis=True)


def _parse(content: bytes, path: str) -> Element:
    from lxml import etree

    ascii_markup = content.replace(b"\0", b"")  # that of UTF-16, too
    if ascii_markup.count(b"=") > MAX_ATTRIBUTES:
        message = f"has more than {MAX_ATTRIBUTES:,} attributes (=), which no annotation needs"
        raise DataError([_error(path, "xml-too-large", message)])
    if b"<!ATTLIST" in ascii_markup:  # 20,000 of them take libxml2 minutes
        message = "has a <!DOCTYPE> with attributes (<!ATTLIST>), which no annotation needs"
        raise DataError([_error(path, "xml-doctype", message, line=1)])
    try:
        root = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        reason = " ".join((getattr(error, "msg", None) or str(error) or "the file is empty").split())
        message = f"is not well-formed XML: {_shortened(reason, 200)}"
        raise DataError([_error(path, "xml-malformed", message, line=getattr(error, "lineno", None) or 1)]) from error
    doctype = root.getroottree().docinfo.internalDTD
    if doctype is not None and any(True for _ in doctype.iterentities()):  # without entities it changes nothing
        message = "has a <!DOCTYPE> with entities, which no annotation needs"
        raise DataError([_error(path, "xml-doctype", message, line=1)])
    if root.tag != "annotation":
        message = f"begins with <{_shortened(root.tag)}>, PASCAL VOC XML with <annotation>"
        raise DataError([_error(path, "xml-not-voc", message, line=root.sourceline)])
    return root


class _Reader:
    """Reads the fields of one file and collects what is wrong with them."""

    def __init__(self, path: str):
        self.path = path
        self.object = ""  # the object that is being read
        self.findings: list[Finding] = []

    def report(self, element: Element, code: str, message: str) -> None:
        self.findings.append(_error(self.path, code, message, self.object, element.sourceline))

    def annotation(self, root: Element) -> Annotation:
        fields = self.stated_children(root, "filename", "size")
        stated = self.text(fields, "filename")
        filename, is_refused = image_names.last_part_inside_folder(stated)
        if not filename:
            filename, _ = image_names.last_part_inside_folder(Path(self.path).stem)
        if not filename:
            self.report(root, "filename-outside-folder", f"<filename> says {stated!r}, which names no image")
        size = self.stated_children(fields.get("size"), "width", "height")
        width, height = (self.pixels(size, tag, smallest=0) for tag in ("width", "height"))
        elements = root.findall("object")
        if not fields and not elements:
            self.report(root, "xml-missing-tag", "<annotation> has no <filename>, <size> or <object>")
        objects = [self.voc_object(element, f"object {number}") for number, element in enumerate(elements, start=1)]
        if len(objects) != sum(1 for _ in root.iter("{*}object")):
            self.report(root, "xml-misplaced-object", "an <object> is not directly below <annotation>")
        database = _text(root.find("source/database")) or "Unknown"
        refused = stated if is_refused else None
        return Annotation(
            filename, width, height, objects, source=self.path, database=database, refused_filename=refused
        )

    def voc_object(self, element: Element, place: str) -> VocObject:
        self.object = place
        fields = self.children(element, "name", "bndbox")
        if name := self.text(fields, "name"):
            self.object += f" ({_shortened(name)})"
        tags = ("xmin", "ymin", "xmax", "ymax")
        box = self.children(fields.get("bndbox"), *tags)
        texts = [_text(box.get(tag)) for tag in tags]
        if are_fractions(texts):
            message = f"the corners {', '.join(texts)} are fractions of the image's sides, expected pixels"
            self.report(fields["bndbox"], "box-normalized", message)
            box = {}
        corners = [self.pixels(box, tag) for tag in tags]
        for attribute in element.iterfind("attributes/attribute"):  # CVAT's; its <bndbox> is the box before the turn
            degrees = _text(attribute.find("value"))
            if _text(attribute.find("name")) == "rotation" and degrees.strip("+-0."):
                self.report(attribute, "box-rotated", f"is turned by {degrees} degrees, expected an upright box")
        self.object = ""
        return VocObject(name, *corners, line=element.sourceline)

    def pixels(self, fields: dict[str, Element], tag: str, smallest: int | None = None) -> int:
        text = self.text(fields, tag)
        try:
            pixels = parse_pixels(text) if text else 0
            if smallest is not None and pixels < smallest:
                raise ValueError(f"is {pixels}, expected {smallest} or more")
            return pixels
        except ValueError as error:
            self.report(fields[tag], "xml-not-a-number", f"<{tag}> {error}")
            return 0

    def text(self, fields: dict[str, Element], tag: str) -> str:
        """Return the text of a child; report one that is empty, too long, or has other tags in it."""
        element = fields.get(tag)
        if element is None:  # its absence has been reported
            return ""
        text = _text(element)
        if not text or len(element):
            self.report(element, "xml-missing-value", f"<{tag}> holds {'other tags' if len(element) else 'nothing'}")
        elif len(text) > MAX_TEXT:
            self.report(element, "xml-long-text", f"<{tag}> has {len(text)} characters, at most {MAX_TEXT} make sense")
        elif tag == "name" and _LINE_BREAK.search(text):
            self.report(element, "xml-long-text", f"<{tag}> {text!r} has a line break")
        else:
            return text
        return ""

    def stated_children(self, parent: Element | None, *optional: str) -> dict[str, Element]:
        """Return those children, by tag, that are there and not empty."""
        found = {} if parent is None else {tag: parent.find(tag) for tag in optional}
        stated = (tag for tag, element in found.items() if element is not None and (len(element) or _text(element)))
        return self.children(parent, *stated)

    def children(self, parent: Element | None, *required: str) -> dict[str, Element]:
        """Return the required children by tag; report each that is not there exactly once, and leave it out."""
        children = {}
        for tag in required if parent is not None else ():  # the absence of the parent has been reported
            found = parent.findall(tag)
            if len(found) == 1:
                children[tag] = found[0]
            else:
                count = f"{len(found)} <{tag}>, expected one" if found else f"no <{tag}>"
                self.report(parent, "xml-missing-tag", f"<{parent.tag}> has {count}")
        return children


_PIXELS = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]*)?")
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def parse_pixels(text: str) -> int:
    """Return pixels from text such as "12" or "12.0", rounded half up; raise ValueError if it is not a number."""
    if not _PIXELS.fullmatch(text):
        raise ValueError(f"is {_shortened(text)!r}, expected a number of pixels such as 12")
    return round_half_up(float(text)) if "." in text else int(text)


def _text(element: Element | None) -> str:
    """Return an element's text without XML's white space around it, which is less than Python's."""
    return "" if element is None else (element.text or "").strip(" \t\r\n")


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[:length] + "..."


_REMEDIES = {
    "xml-malformed": "open the image in LabelImg and save it again, or correct the file in a text editor (UTF-8)",
    "xml-doctype": "delete it from the file",
    "box-normalized": "multiply them by the image's width and height, or export the annotations again in pixels",
    "box-rotated": "draw the upright box around the object instead, and write 0 as its rotation",
    "xml-not-voc": "convert the file to PASCAL VOC, or move it out of the folder",
    "xml-too-large": "move it out of the folder",
    "filename-outside-folder": "write the bare name of the image into <filename>, or rename the XML file",
}


def _error(path: str, code: str, message: str, object: str = "", line: int | None = None) -> Finding:
    remedy = _REMEDIES.get(code, "correct the file in LabelImg or a text editor")
    return Finding(ERROR, code, files.shown_path(path), message, remedy, object, line)
