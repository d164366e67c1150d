"""The labels CSV: read as it is meant, refused with line and column, written the same everywhere."""

from __future__ import annotations

import pandas as pd
import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.labels_csv import LabelRow

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
LINE = "a.jpg,640,480,Tops,1,2,3,4\n"
ROW = LabelRow("a.jpg", 640, 480, "Tops", 1, 2, 3, 4)


def test_case_32_names_of_images_that_are_not_utf_8_are_refused(tmp_path):
    rows = [ROW._replace(filename=name) for name in ("caf\udce9.jpg", "caf\udce9.jpg", "é.jpg")]
    with pytest.raises(DataError, match=r"caf.*jpg: is not UTF-8; rename the image") as caught:
        labels_csv.write_rows(rows, tmp_path / "labels.csv")
    assert len(caught.value.findings) == 1 and not list(tmp_path.iterdir())


def read_rows(tmp_path, content: str | bytes):
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return labels_csv.read_rows(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HEADER + LINE, [ROW]),
        ("\ufeff" + HEADER + LINE, [ROW]),
        ((HEADER + LINE).replace("\n", "\r\n"), [ROW]),
        (HEADER + LINE.rstrip(), [ROW]),
        (HEADER + "\n" + LINE + "\n", [ROW]),
        (HEADER + LINE.replace("640", "640.0").replace(",1,", ", 1.0,"), [ROW]),
        ("id,class,filename,width,height,xmin,ymin,xmax,ymax\n7,Tops,a.jpg,640,480,1,2,3,4\n", [ROW]),
        (
            HEADER + 'b\\"a, é".jpg,1,1,None,0,0,1,1\n'.replace('b\\"a, é".jpg', '"b ""a, é"".jpg"'),
            [LabelRow('b "a, é".jpg', 1, 1, "None", 0, 0, 1, 1)],
        ),
        (HEADER + LINE.replace("Tops", "NA"), [ROW._replace(class_name="NA")]),
        (HEADER + "a.jpg,640,480,,,,,\n", [LabelRow("a.jpg", 640, 480, "", None, None, None, None)]),
        (HEADER + LINE + ",,,,,,,\n,,,,,,,,,\n", [ROW]),
        (HEADER, []),
    ],
)
def test_reads_what_was_meant(tmp_path, content, expected):
    assert read_rows(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "the first line is ''"),
        (HEADER.replace(",", ";") + LINE, 1, "expected 'filename,width"),
        (HEADER.replace("class", "label") + LINE, 1, "the first line is"),
        (HEADER + LINE + "a.jpg,640\n", 3, "has 2 fields, the first line has 8"),
        (HEADER + LINE.replace(",2,", ",two,"), 2, "column ymin is 'two', expected a number"),
        (HEADER + LINE.replace(",2,", ",,"), 2, "column ymin is ''"),
        (HEADER + LINE.replace("Tops", ""), 2, "column class is empty"),
        (HEADER + LINE.replace("640", "-1"), 2, "the image's size is -1x"),
        (HEADER + LINE.replace("a.jpg", "../a.jpg"), 2, "leads out of the image folder"),
        (HEADER + LINE.replace("a.jpg", ""), 2, "names no file"),
        (HEADER + LINE.replace("a.jpg", '"a'), 2, "is not a CSV file"),
        (HEADER + LINE.replace("Tops", "T" * 200_000), 2, "is not a CSV file: field larger than"),
        (HEADER + LINE.replace("a.jpg", "a\0.jpg"), 2, ""),
        ((HEADER + LINE).encode() + b"\xe9.jpg,1,1,Tops,0,0,1,1\n", 3, "is not UTF-8: byte 0xe9"),
        ((HEADER + LINE).encode("utf-16"), 1, "is not UTF-8"),
    ],
)
def test_finding_names_line_and_column(tmp_path, content, line, words):
    with pytest.raises(DataError) as error:
        read_rows(tmp_path, content)
    (finding,) = error.value.findings
    assert finding.line == line and finding.remedy
    assert words in finding.message


def test_every_bad_line_is_found(tmp_path):
    with pytest.raises(DataError) as error:
        read_rows(tmp_path, HEADER + LINE.replace("640", "x").replace("480", "y") + LINE + LINE.replace("1", "z"))
    assert [finding.line for finding in error.value.findings] == [2, 2, 4]


def test_table_has_text_and_nullable_integers(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + LINE.replace("Tops", "NA") + "b.jpg,1,2,,,,,\n", encoding="utf-8")
    table = labels_csv.frame(labels_csv.read_rows(path))
    assert list(table.columns) == list(labels_csv.COLUMNS)
    assert all(str(table[name].dtype) == "Int64" for name in ("width", "height", "xmin", "ymin", "xmax", "ymax"))
    assert table["class"].tolist() == ["NA", ""] and pd.isna(table["xmin"][1])


def test_empty_table_keeps_its_types(tmp_path):
    table = labels_csv.frame([])
    assert list(table.columns) == list(labels_csv.COLUMNS) and len(table) == 0
    assert str(table["xmin"].dtype) == "Int64"


def test_written_bytes_are_read_back(tmp_path):
    rows = [LabelRow('é, "x".jpg', 640, 480, "None", 1, 2, 3, 4), LabelRow("b.jpg", 1, 2, "", None, None, None, None)]
    path = tmp_path / "new" / "labels.csv"
    labels_csv.write_rows(rows, path)
    assert path.read_bytes() == (HEADER + '"é, ""x"".jpg",640,480,None,1,2,3,4\nb.jpg,1,2,,,,,\n').encode()
    assert labels_csv.read_rows(path) == rows


def test_case_18_fractions_are_recognised(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"{','.join(labels_csv.COLUMNS)}\na.jpg,64,48,Tops,0.1,0.2,0.5,1.0\n", encoding="utf-8")
    _, _, (finding,) = labels_csv.inspect(path)
    assert (finding.code, finding.line) == ("box-normalized", 2)
    assert finding.message == "the corners 0.1, 0.2, 0.5, 1.0 are fractions of the image's sides, expected pixels"
