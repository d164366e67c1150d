"""PASCAL VOC XML, one file an image, as LabelImg writes and reads it.

The layout is that of the VOC development kit (Everingham et al., "The PASCAL Visual Object Classes Challenge 2012
Development Kit", section 3.3) as LabelImg's `libs/pascal_voc_io.py` fills it in. Box corners are pixels as LabelImg
counts them: xmin and ymin from 0 (older versions: from 1), xmax and ymax up to the width and height.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core import files
from scripts.lib.core.boxes import round_half_up
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.images import image_names

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

MAX_BYTES = 10 * 2**20  # LabelImg needs 300 bytes a box; anything larger is no annotation
_USUAL_BYTES = 2**15  # read at once: a file is rarely larger
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
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
    """What is known of one image.

    Attributes:
        filename: the image's name relative to the image folder, with `/`.
        width, height: its size in pixels as the annotation states it, which may be wrong.
        objects: in the order of the file; empty for an image without objects.
        folder, image_path, depth: LabelImg's `<folder>`, `<path>` and `<depth>`; nothing here relies on them.
        database: `<database>` of `<source>`, "Unknown" where LabelImg has saved the file; see prelabels.py.
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
    """Reads one file by tag name.

    Entities, DTDs and the network are off. Coordinates may be written `12.0`; a fraction is rounded to the nearest
    pixel. `<filename>` may have folders below the image folder, but never leads out of it.

    Raises:
        DataError: with a finding for each thing that is wrong with the file.
        OSError: the file cannot be opened.
    """
    path = os.fspath(path)
    descriptor = os.open(path, _READ)  # without Python's file object, which takes as long as the reading
    try:
        content = os.read(descriptor, _USUAL_BYTES)
        while len(content) >= _USUAL_BYTES and (more := os.read(descriptor, MAX_BYTES)):
            content += more
            if len(content) > MAX_BYTES:
                message = f"has more than {MAX_BYTES / 2**20:.0f} MB, which no annotation needs"
                raise DataError([_finding(path, "xml-too-large", message)])
    finally:
        os.close(descriptor)
    return _read_label_img_layout(content, path) or _read_any_layout(content, path)


def find_files(folder: Path | str, suffixes: str | tuple[str, ...] = ".xml") -> list[str]:
    """The files below a folder that have one of the suffixes, in order of their names (see `files.names_below`)."""
    return [f"{os.fspath(folder)}/{name}" for name in files.names_below(folder, suffixes)]


def write(path: Path | str, annotation: Annotation) -> None:
    """Writes one file, whole or not at all; raises ValueError as `document` does."""
    text = document(annotation)
    with files.atomic_write(path) as file:
        file.write(text.encode())


def document(annotation: Annotation) -> str:
    """The file's text, character for character as LabelImg lays it out.

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
    flags = {"truncated": int(voc_object.truncated), "difficult": int(voc_object.difficult)}
    return _OBJECT.format(**{**values, **flags, "name": _escape(voc_object.name), "pose": _escape(voc_object.pose)})


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


# Reading any layout: lxml, by tag name.


def _read_any_layout(content: bytes, path: str) -> Annotation:
    root = _parse(content, path)
    reader = _FieldReader(path)
    size = reader.child(root, "size")
    objects = [reader.voc_object(element, number) for number, element in enumerate(root.findall("object"), start=1)]
    annotation = Annotation(
        filename=reader.filename(root),
        width=reader.pixels(size, "width", smallest=0),
        height=reader.pixels(size, "height", smallest=0),
        objects=objects,
        folder=_clean(root.findtext("folder")),
        image_path=_clean(root.findtext("path")),
        depth=1 if _clean(root.findtext("size/depth")) == "1" else 3,
        source=path,
        database=_clean(root.findtext("source/database")) or "Unknown",
    )
    if len(objects) != sum(1 for _ in root.iter("{*}object")):
        reader.report(root, "an <object> is not directly below <annotation>", "xml-misplaced-object")
    if reader.findings:
        raise DataError(reader.findings)
    return annotation


def _parse(content: bytes, path: str) -> Element:
    from lxml import etree  # here, since files as LabelImg writes them do without

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        message = getattr(error, "msg", None) or str(error) or "the file is empty"
        line = getattr(error, "lineno", None) or 1
        raise DataError(
            [_finding(path, "xml-malformed", f"is no well-formed XML: {_one_line(message)}", line=line)]
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise DataError([_finding(path, "xml-doctype", "has a <!DOCTYPE>, which no annotation needs", line=1)])
    if root.tag != "annotation":
        message = f"begins with <{_shown(root.tag)}>, PASCAL VOC XML with <annotation>"
        raise DataError([_finding(path, "xml-not-voc", message, line=root.sourceline)])
    return root


class _FieldReader:
    """Reads the fields of one file and collects what is wrong with them."""

    def __init__(self, path: str):
        self.path = path
        self.object = ""
        self.findings: list[Finding] = []

    def report(self, element: Element, message: str, code: str) -> None:
        self.findings.append(_finding(self.path, code, message, self.object, element.sourceline))

    def voc_object(self, element: Element, number: int) -> VocObject:
        self.object = f"object {number}"
        name = self.text(element, "name")
        self.object = f"object {number} ({_shown(name)})" if name else self.object
        bndbox = self.child(element, "bndbox")
        box = {tag: self.pixels(bndbox, tag) for tag in _BOX_TAGS}
        self.object = ""
        return VocObject(
            name=name,
            pose=_clean(element.findtext("pose")) or "Unspecified",
            truncated=_clean(element.findtext("truncated")) == "1",
            difficult=_clean(element.findtext("difficult")) == "1",
            line=element.sourceline,
            **box,
        )

    def filename(self, root: Element) -> str:
        name = self.text(root, "filename")
        try:
            return image_names.inside_folder(name) if name else ""
        except ValueError as error:
            self.report(root.find("filename"), str(error), "filename-outside-folder")
            return ""

    def pixels(self, parent: Element | None, tag: str, smallest: int | None = None) -> int:
        text = self.text(parent, tag)
        if not text:
            return 0
        try:
            pixels = parse_pixels(text)
        except ValueError as error:
            self.report(parent.find(tag), f"<{tag}> {error}", "xml-not-a-number")
            return 0
        if smallest is not None and pixels < smallest:
            self.report(parent.find(tag), f"<{tag}> is {pixels}, expected {smallest} or more", "xml-not-a-number")
        return pixels

    def text(self, parent: Element | None, tag: str) -> str:
        """The text of the one child of that tag; a missing, empty or repeated child is reported."""
        element = self.child(parent, tag)
        if element is None:
            return ""
        text = _clean(element.text)
        if not text or len(element):
            self.report(element, f"<{tag}> holds {'other tags' if len(element) else 'nothing'}", "xml-missing-value")
        elif len(text) > MAX_TEXT:
            self.report(element, f"<{tag}> has {len(text)} characters, at most {MAX_TEXT} make sense", "xml-long-text")
        elif tag == "name" and _LINE_BREAK.search(text):
            self.report(element, f"<{tag}> {text!r} has a line break", "xml-long-text")
        else:
            return text
        return ""

    def child(self, parent: Element | None, tag: str) -> Element | None:
        if parent is None:  # its own absence has been reported
            return None
        children = parent.findall(tag)
        if len(children) != 1:
            count = f"{len(children)} <{tag}>, expected one" if children else f"no <{tag}>"
            self.report(parent, f"<{parent.tag}> has {count}", "xml-missing-tag")
            return None
        return children[0]


_PIXELS = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]*)?")
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def parse_pixels(text: str) -> int:
    """Pixels from text such as "12" or "12.0"; a fraction is rounded to the nearest pixel, halves up.

    Raises:
        ValueError: it is no number; says what was found and what was expected.
    """
    if not _PIXELS.fullmatch(text):
        raise ValueError(f"is {_shown(text)!r}, expected a number of pixels such as 12")
    return round_half_up(float(text)) if "." in text else int(text)


def _clean(text: str | None) -> str:
    return (text or "").strip(_SPACE)


def _shown(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[:length] + "..."


def _one_line(text: str) -> str:
    return _shown(" ".join(text.split()), 200)


_REMEDIES = {
    "xml-malformed": "open the image in LabelImg, save it anew, or mend the file in a text editor (UTF-8)",
    "xml-doctype": "delete it from the file",
    "xml-not-voc": "convert the file to PASCAL VOC, or move it out of the folder",
    "xml-too-large": "move it out of the folder",
    "filename-outside-folder": "write the bare name of the image into <filename>",
}


def _finding(path: str, code: str, message: str, object: str = "", line: int | None = None) -> Finding:
    remedy = _REMEDIES.get(code, "mend the file in LabelImg or a text editor")
    return Finding(ERROR, code, files.shown_path(path), message, remedy, object, line)


# Reading the very layout that LabelImg writes: one regular expression for the head and one for each object, three
# times as fast as lxml. They match only well-formed XML that has no entities, comments or the like; whatever they do
# not match in full goes to lxml, which alone judges what is wrong. Tests hold the two to the same results.


def _tag(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>[ \t\r\n]*"


_TEXT = "([^<>&\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff\ufffe\uffff]{0,1000})"
_NUMBER = "([0-9]{1,9})"
_HEAD = re.compile(
    '<annotation(?: verified="(?:yes|no)")?>[ \t\r\n]*'
    + _tag("folder", _TEXT)
    + _tag("filename", _TEXT)
    + _tag("path", _TEXT)
    + "<source>[ \t\r\n]*"
    + _tag("database", _TEXT)
    + "</source>[ \t\r\n]*"
    + "<size>[ \t\r\n]*"
    + _tag("width", _NUMBER)
    + _tag("height", _NUMBER)
    + _tag("depth", "([13])")
    + "</size>[ \t\r\n]*"
    + _tag("segmented", "[01]")
)
_OBJECT_LAYOUT = re.compile(
    "<object>[ \t\r\n]*"
    + _tag("name", _TEXT)
    + _tag("pose", _TEXT)
    + _tag("truncated", "([01])")
    + _tag("difficult", "([01])")
    + "<bndbox>[ \t\r\n]*"
    + "".join(_tag(tag, _NUMBER) for tag in _BOX_TAGS)
    + "</bndbox>[ \t\r\n]*"
    + "</object>[ \t\r\n]*"
)
_TAIL = re.compile("</annotation>[ \t\r\n]*")


def _read_label_img_layout(content: bytes, path: str) -> Annotation | None:
    """The annotation, or None where the file has another layout."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    if not head:
        return None
    folder, filename, image_path, database, width, height, depth = head.groups()
    objects = []
    position, line = head.end(), 1 + text.count("\n", 0, head.end())
    while match := _OBJECT_LAYOUT.match(text, position):
        name, pose, truncated, difficult, xmin, ymin, xmax, ymax = match.groups()
        name = name.strip(_SPACE)
        if not name:
            return None
        box = int(xmin), int(ymin), int(xmax), int(ymax)
        objects.append(
            VocObject(name, *box, pose.strip(_SPACE) or "Unspecified", truncated == "1", difficult == "1", line)
        )
        line += text.count("\n", position, match.end())
        position = match.end()
    try:
        filename = image_names.inside_folder(filename.strip(_SPACE))
    except ValueError:
        return None
    if not _TAIL.fullmatch(text, position):
        return None
    folder, image_path = folder.strip(_SPACE), image_path.strip(_SPACE)
    database = database.strip(_SPACE) or "Unknown"
    return Annotation(filename, int(width), int(height), objects, folder, image_path, int(depth), path, database)
