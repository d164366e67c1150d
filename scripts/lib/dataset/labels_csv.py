"""The labels CSV: the table that XML becomes, that is split, and from which records are made.

Columns `filename,width,height,class,xmin,ymin,xmax,ymax`; one row a box; the image's size and the box corners in
pixels of the upright image, corners as in VOC XML. An image without objects (a negative) is one row whose class and
corners are empty. UTF-8, lines end in "\\n".

Rows are plain tuples (`LabelRow`) where no table is needed, since pandas takes 0.3 s to import.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.lib.annotations.voc_xml import MAX_TEXT, Annotation, parse_pixels
from scripts.lib.core import files
from scripts.lib.core.boxes import are_fractions
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.core.wording import counted
from scripts.lib.images import image_names

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
HEAD = ",".join(COLUMNS).encode()  # what the file begins with


class LabelRow(NamedTuple):
    """One box, or one image without objects: then `class_name` is "" and the corners are None."""

    filename: str
    width: int
    height: int
    class_name: str
    xmin: int | None
    ymin: int | None
    xmax: int | None
    ymax: int | None


def rows_of(annotation: Annotation) -> list[LabelRow]:
    """Return the rows of one image: its boxes in their order, or the one row of a negative."""
    image = annotation.filename, annotation.width, annotation.height
    if not annotation.objects:
        return [LabelRow(*image, "", None, None, None, None)]
    return [LabelRow(*image, box.name, box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.objects]


def write_rows(rows: Iterable[LabelRow], path: Path | str) -> None:
    """Write the CSV, whole or not at all."""
    with files.atomic_write(path) as file:
        file.write(encoded(rows))


def encoded(rows: Iterable[LabelRow]) -> bytes:
    """Return the content of the CSV; raise DataError for names of images that are not UTF-8, as Linux allows them."""
    rows, text = list(rows), io.StringIO(newline="")
    names = sorted({row.filename for row in rows if row.filename != row.filename.encode(errors="ignore").decode()})
    if names:
        remedy = "rename the image and its annotation"
        raise DataError(Finding(ERROR, "filename-not-utf-8", name, "is not UTF-8", remedy) for name in names)
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def read_rows(path: Path | str) -> list[LabelRow]:
    """Read the CSV by column name; further columns are ignored.

    A byte-order mark, CRLF, `12.0` and a class named "NA" or "None" are read as they are meant.

    Raises:
        DataError: with a finding for each line that is wrong.
        OSError: the file cannot be opened.
    """
    rows, _, findings = inspect(path)
    if findings:
        raise DataError(findings)
    return rows


def inspect(path: Path | str) -> tuple[list[LabelRow], list[LabelRow], list[Finding]]:
    """Like `read_rows`, for a report that goes on.

    Returns:
        The sound rows; the others, as far as they can be read; and the errors in those.
    """
    try:
        text = read_text(path)
    except DataError as error:
        return [], [], error.findings
    reader = _LineReader(path)
    return reader.rows(text), reader.damaged, reader.findings


def frame(rows: Iterable[LabelRow]) -> pd.DataFrame:
    """Return the rows as a table: `filename` and `class` are text, the others nullable integers (Int64)."""
    import pandas as pd  # here, since most scripts do without

    types = {name: str if name in ("filename", "class") else "Int64" for name in COLUMNS}
    return pd.DataFrame(list(rows), columns=COLUMNS).astype(types)


class _LineReader:
    """Reads the lines of one file and collects the errors in them."""

    def __init__(self, path: Path | str):
        self.file = files.shown_path(path)
        self.line = 1
        self.findings: list[Finding] = []
        self.damaged: list[LabelRow] = []

    def report(self, message: str, code: str = "csv-value", remedy: str = "correct the line") -> None:
        self.findings.append(Finding(ERROR, code, self.file, message, remedy, line=self.line))

    def rows(self, text: str) -> list[LabelRow]:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = []
        try:
            header = next(lines, [])
            positions = self.positions(header)
            self.line = lines.line_num + 1
            for fields in lines if positions else ():
                if len(fields) == len(header) and any(fields):  # spreadsheets leave lines of commas behind
                    known = len(self.findings)
                    row = self.row([fields[position] for position in positions])
                    (rows if len(self.findings) == known else self.damaged).append(row)
                elif any(fields):
                    self.report(f"has {counted(len(fields), 'field')}, the first line has {len(header)}", "csv-fields")
                self.line = lines.line_num + 1  # a quoted field may hold a line break: where the next row begins
        except csv.Error as error:
            self.report(f"is not a CSV file: {error}", "csv-malformed")
        return rows

    def positions(self, header: list[str]) -> list[int]:
        """Return the position of each of COLUMNS."""
        names = [name.strip() for name in header]
        wrong = [name for name in COLUMNS if names.count(name) != 1]
        if wrong:
            found = ",".join(header)[:200]
            message = f"the first line is {found!r}, expected {','.join(COLUMNS)!r}"
            self.report(message, "csv-columns", "use the CSV that xml_to_csv.py writes, with commas")
            return []
        return [names.index(name) for name in COLUMNS]

    def row(self, fields: list[str]) -> LabelRow:
        filename, width, height, class_name, *corners = fields
        try:
            filename = image_names.inside_folder(filename)
        except ValueError as error:
            self.report(f"column filename: {error}", "filename-outside-folder", "write the bare name of the image")
        size = self.pixels("width", width), self.pixels("height", height)
        if min(size) < 0:
            self.report(f"the image's size is {width}x{height}, expected 0 or more")
        if not class_name and not any(corners):
            return LabelRow(filename, *size, "", None, None, None, None)
        if not class_name.strip():
            self.report("column class is empty, but the row has a box")
        if len(class_name) > MAX_TEXT:
            self.report(f"column class has {len(class_name)} characters, at most {MAX_TEXT} make sense")
        if are_fractions(corners):
            message = f"the corners {', '.join(corners)} are fractions of the image's sides, expected pixels"
            self.report(message, "box-normalized", "multiply them by the image's width and height")
            corners = ["0"] * 4
        return LabelRow(filename, *size, class_name, *map(self.pixels, COLUMNS[4:], corners))

    def pixels(self, column: str, text: str) -> int:
        try:
            return int(text) if len(text) < 9 and text.isascii() and text.isdecimal() else parse_pixels(text.strip())
        except ValueError as error:
            self.report(f"column {column} {error}")
            return 0
