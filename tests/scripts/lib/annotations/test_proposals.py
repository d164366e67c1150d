"""Proposals of a model: told apart from people's annotations, and ordered."""

from __future__ import annotations

import math

import pytest

from scripts.lib.annotations import proposals, voc_xml
from scripts.lib.annotations.proposals import Queued
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError

PROPOSAL = Annotation("größe & co.jpg", 300, 200, [VocObject("Tops", 1, 2, 30, 40), VocObject("Skirts", 5, 6, 70, 80)])
ORIGIN = "exported <model> & more, step 600, scores 0.50 to 0.97"


def content(annotation):
    return voc_xml.document(annotation).encode()


def test_a_proposal_is_known_by_its_seal_and_says_where_it_comes_from(tmp_path):
    sealed = proposals.sealed(PROPOSAL, ORIGIN)
    voc_xml.write(tmp_path / "a.xml", sealed)
    assert proposals.is_unreviewed((tmp_path / "a.xml").read_bytes())
    read = voc_xml.read(tmp_path / "a.xml")
    assert read.database.startswith(f"prelabel.py: {ORIGIN}, seal ")
    assert [one.name for one in read.objects] == ["Tops", "Skirts"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"<xmin>1</xmin>", b"<xmin>2</xmin>"),
        lambda content: content.replace(b"<annotation>", b'<annotation verified="yes">'),
        lambda content: content.replace(b"step 600", b"step 601"),
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content + b"<!-- looked at -->",
        lambda content: content[: len(content) // 2],
        lambda content: b"",
    ],
    ids=["box", "verified", "origin", "line ends", "comment", "cut off", "empty"],
)
def test_whatever_is_changed_makes_it_a_persons(change):
    assert not proposals.is_unreviewed(change(content(proposals.sealed(PROPOSAL, ORIGIN))))


def test_an_annotation_of_labelimg_is_a_persons():
    assert not proposals.is_unreviewed(content(PROPOSAL))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([], 0), ([0.0], 0), ([1.0], 0), ([0.5], 0.5), ([0.9, 0.6, 0.02], 0.52), ([0.5, 0.5, 0.5], 1.5)],
)
def test_uncertainty_is_the_expected_number_of_wrong_answers(scores, expected):
    assert math.isclose(proposals.uncertainty(scores), expected, abs_tol=1e-12)


def test_the_queue_is_a_csv_that_is_read_back(tmp_path):
    path = tmp_path / "new" / "queue.csv"
    proposals.write_queue(path, [Queued("größe, neu.jpg", 0.97412, 2, 0.76868), Queued("a.jpg", 0, 0, 0)])
    assert path.read_text(encoding="utf-8") == (
        'filename,uncertainty,boxes,best_score\n"größe, neu.jpg",0.9741,2,0.7687\na.jpg,0.0000,0,0.0000\n'
    )
    assert proposals.read_queue(path) == ["größe, neu.jpg", "a.jpg"]


def test_a_queue_that_excel_saved_is_read(tmp_path):
    (tmp_path / "queue.csv").write_bytes("\ufefffilename,uncertainty\r\nb.jpg,1\r\n\r\n".encode())
    assert proposals.read_queue(tmp_path / "queue.csv") == ["b.jpg"]


@pytest.mark.parametrize("text", ["", "a.jpg\nb.jpg\n", "filename;uncertainty\na.jpg;1\n"])
def test_what_is_no_queue_is_refused(tmp_path, text):
    (tmp_path / "queue.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="has no column 'filename'"):
        proposals.read_queue(tmp_path / "queue.csv")
