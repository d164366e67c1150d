"""PASCAL VOC XML, one file an image, as LabelImg writes and reads it.

The layout is that of the VOC development kit (Everingham et al., "The PASCAL Visual Object Classes Challenge 2012
Development Kit", section 3.3) as LabelImg's `libs/pascal_voc_io.py` fills it in. Box corners are pixels as LabelImg
counts them: xmin and ymin from 0 (older versions: from 1), xmax and ymax up to the width and height.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core import files
from scripts.lib.core.boxes import round_half_up
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.images import image_names

if TYPE_CHECKING:
    from lxml.etree import XMLParser
    from lxml.etree import _Element as Element

MAX_BYTES = 10 * 2**20  # LabelImg needs 300 bytes a box; anything larger is not an annotation
MAX_TEXT = 1000  # characters in one field

_BOX_TAGS = ("xmin", "ymin", "xmax", "ymax")
_SPACE = " \t\r\n"  # of XML; str.strip() alone would take a no-break space as well


@dataclasses.dataclass(slots=True)
class VocObject:
    """One object of an image.

    Attributes:
        name: its class.
        xmin, ymin, xmax, ymax: corners of its box in pixels of the image.
        pose, truncated, difficult: as in VOC.
        line: where the object begins in the annotation file, counted from 1, if it was read from one.
    """

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    pose: str = "Unspecified"
    truncated: bool = False
    difficult: bool = False
    line: int | None = None


@dataclasses.dataclass(slots=True)
class Annotation:
    """The annotation of one image.

    Attributes:
        filename: the image's name relative to the image folder, with `/`.
        width, height: its size in pixels as the annotation states it, which may be wrong.
        objects: in the order of the file; empty for an image without objects.
        folder, image_path, depth: LabelImg's `<folder>`, `<path>` and `<depth>`; nothing here relies on them.
        database: `<database>` of `<source>`, "Unknown" where LabelImg has saved the file; see proposals.py.
        source: the file that it was read from, if any.
    """

    filename: str
    width: int
    height: int
    objects: list[VocObject] = dataclasses.field(default_factory=list)
    folder: str = ""
    image_path: str = ""
    depth: int = 3
    source: str | None = None
    database: str = "Unknown"


def read(path: Path | str) -> Annotation:
    """Read one file by tag name.

    Entities, DTDs and the network are off. Coordinates may be written `12.0`; a fraction is rounded to the nearest
    pixel. `<filename>` may have folders below the image folder, but never leads out of it.

    Raises:
        DataError: with a finding for each thing that is wrong with the file.
        OSError: the file cannot be opened.
    """
    file, shown = Path(path), os.fspath(path)
    if file.stat().st_size > MAX_BYTES:
        message = f"has more than {MAX_BYTES / 2**20:.0f} MB, which no annotation needs"
        raise DataError([_finding(shown, "xml-too-large", message)])
    reader = _Reader(shown)
    annotation = reader.annotation(_parse(file.read_bytes(), shown))
    if reader.findings:
        raise DataError(reader.findings)
    return annotation


def find_files(folder: Path | str) -> list[str]:
    """Return the XML files below a folder, in order of their names (see `files.names_below`)."""
    return [f"{os.fspath(folder)}/{name}" for name in files.names_below(folder, ".xml")]


def write(path: Path | str, annotation: Annotation) -> None:
    """Write one file, whole or not at all; raise ValueError as `document` does."""
    text = document(annotation)
    with files.atomic_write(path) as file:
        file.write(text.encode())


def document(annotation: Annotation) -> str:
    """Return the text of the file, character for character as LabelImg lays it out.

    Raises:
        ValueError: a name has a character that XML cannot hold.
    """
    return _DOCUMENT.format(
        folder=_escape(annotation.folder),
        filename=_escape(annotation.filename),
        image_path=_escape(annotation.image_path),
        width=annotation.width,
        height=annotation.height,
        depth=annotation.depth,
        database=_escape(annotation.database),
        objects="".join(map(_object_text, annotation.objects)),
    )


def _object_text(voc_object: VocObject) -> str:
    values = {field.name: getattr(voc_object, field.name) for field in dataclasses.fields(voc_object)}
    values |= {"truncated": int(voc_object.truncated), "difficult": int(voc_object.difficult)}
    return _OBJECT.format(**{**values, "name": _escape(voc_object.name), "pose": _escape(voc_object.pose)})


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
		<depth>{depth}</depth>
	</size>
	<segmented>0</segmented>
{objects}</annotation>
"""
_OBJECT = """\
	<object>
		<name>{name}</name>
		<pose>{pose}</pose>
		<truncated>{truncated}</truncated>
		<difficult>{difficult}</difficult>
		<bndbox>
			<xmin>{xmin}</xmin>
			<ymin>{ymin}</ymin>
			<xmax>{xmax}</xmax>
			<ymax>{ymax}</ymax>
		</bndbox>
	</object>
"""


def _parse(content: bytes, path: str) -> Element:
    from lxml import etree  # here, since most scripts that import this module read no XML

    try:
        root = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        reason = " ".join((getattr(error, "msg", None) or str(error) or "the file is empty").split())
        message = f"is not well-formed XML: {_shown(reason, 200)}"
        line = getattr(error, "lineno", None) or 1
        raise DataError([_finding(path, "xml-malformed", message, line=line)]) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise DataError([_finding(path, "xml-doctype", "has a <!DOCTYPE>, which no annotation needs", line=1)])
    if root.tag != "annotation":
        message = f"begins with <{_shown(root.tag)}>, PASCAL VOC XML with <annotation>"
        raise DataError([_finding(path, "xml-not-voc", message, line=root.sourceline)])
    return root


@functools.cache
def _parser() -> XMLParser:
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


class _Reader:
    """Reads the fields of one file and collects what is wrong with them."""

    def __init__(self, path: str):
        self.path = path
        self.object = ""  # where the reader is, for findings
        self.findings: list[Finding] = []

    def annotation(self, root: Element) -> Annotation:
        fields = self.children(root, "filename", "size")
        size = self.children(fields.get("size"), "width", "height")
        source = fields.get("source")
        objects = [element for element in root if element.tag == "object"]
        annotation = Annotation(
            filename=self.filename(fields),
            width=self.pixels(size, "width", smallest=0),
            height=self.pixels(size, "height", smallest=0),
            objects=[self.voc_object(element, number) for number, element in enumerate(objects, start=1)],
            folder=_text(fields.get("folder")),
            image_path=_text(fields.get("path")),
            depth=1 if _text(size.get("depth")) == "1" else 3,
            source=self.path,
            database=(_clean(source.findtext("database")) if source is not None else "") or "Unknown",
        )
        if len(objects) != sum(1 for _ in root.iter("{*}object")):
            self.report(root, "an <object> is not directly below <annotation>", "xml-misplaced-object")
        return annotation

    def voc_object(self, element: Element, number: int) -> VocObject:
        self.object = f"object {number}"
        fields = self.children(element, "name", "bndbox")
        name = self.text(fields, "name")
        if name:
            self.object += f" ({_shown(name)})"
        box = self.children(fields.get("bndbox"), *_BOX_TAGS)
        corners = [self.pixels(box, tag) for tag in _BOX_TAGS]
        self.object = ""
        return VocObject(
            name,
            *corners,
            pose=_text(fields.get("pose")) or "Unspecified",
            truncated=_text(fields.get("truncated")) == "1",
            difficult=_text(fields.get("difficult")) == "1",
            line=element.sourceline,
        )

    def filename(self, fields: dict[str, Element]) -> str:
        name = self.text(fields, "filename")
        try:
            return image_names.inside_folder(name) if name else ""
        except ValueError as error:
            self.report(fields["filename"], str(error), "filename-outside-folder")
            return ""

    def pixels(self, fields: dict[str, Element], tag: str, smallest: int | None = None) -> int:
        text = self.text(fields, tag)
        if not text:
            return 0
        try:
            pixels = parse_pixels(text)
        except ValueError as error:
            self.report(fields[tag], f"<{tag}> {error}", "xml-not-a-number")
            return 0
        if smallest is not None and pixels < smallest:
            self.report(fields[tag], f"<{tag}> is {pixels}, expected {smallest} or more", "xml-not-a-number")
        return pixels

    def text(self, fields: dict[str, Element], tag: str) -> str:
        """Return the text of a child; report one that is empty, too long, or has other tags in it."""
        element = fields.get(tag)
        if element is None:  # its absence has been reported
            return ""
        text = _text(element)
        if not text or len(element):
            self.report(element, f"<{tag}> holds {'other tags' if len(element) else 'nothing'}", "xml-missing-value")
        elif len(text) > MAX_TEXT:
            self.report(element, f"<{tag}> has {len(text)} characters, at most {MAX_TEXT} make sense", "xml-long-text")
        elif tag == "name" and _LINE_BREAK.search(text):
            self.report(element, f"<{tag}> {text!r} has a line break", "xml-long-text")
        else:
            return text
        return ""

    def children(self, parent: Element | None, *required: str) -> dict[str, Element]:
        """Return the first child of each tag; report, and leave out, each required tag that is not there once."""
        if parent is None:  # its absence has been reported
            return {}
        children: dict[str, Element] = {}
        tags = []
        for child in parent:
            tag = child.tag
            tags.append(tag)
            children.setdefault(tag, child)
        for tag in required:
            if (count := tags.count(tag)) != 1:
                found = f"{count} <{tag}>, expected one" if count else f"no <{tag}>"
                self.report(parent, f"<{parent.tag}> has {found}", "xml-missing-tag")
                children.pop(tag, None)
        return children

    def report(self, element: Element, message: str, code: str) -> None:
        self.findings.append(_finding(self.path, code, message, self.object, element.sourceline))


_PIXELS = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]*)?")
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def parse_pixels(text: str) -> int:
    """Return pixels from text such as "12" or "12.0"; a fraction is rounded to the nearest pixel, halves up.

    Raises:
        ValueError: it is not a number; says what was found and what was expected.
    """
    if not _PIXELS.fullmatch(text):
        raise ValueError(f"is {_shown(text)!r}, expected a number of pixels such as 12")
    return round_half_up(float(text)) if "." in text else int(text)


def _text(element: Element | None) -> str:
    return "" if element is None else _clean(element.text)


def _clean(text: str | None) -> str:
    return (text or "").strip(_SPACE)


def _shown(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[:length] + "..."


_REMEDIES = {
    "xml-malformed": "open the image in LabelImg and save it again, or correct the file in a text editor (UTF-8)",
    "xml-doctype": "delete it from the file",
    "xml-not-voc": "convert the file to PASCAL VOC, or move it out of the folder",
    "xml-too-large": "move it out of the folder",
    "filename-outside-folder": "write the bare name of the image into <filename>",
}


def _finding(path: str, code: str, message: str, object: str = "", line: int | None = None) -> Finding:
    remedy = _REMEDIES.get(code, "correct the file in LabelImg or a text editor")
    return Finding(ERROR, code, files.shown_path(path), message, remedy, object, line)
