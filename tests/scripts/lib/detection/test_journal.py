"""The journal: what it keeps in memory, and what an interruption leaves."""

from __future__ import annotations

import tracemalloc

import pytest

from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import ERROR, Finding, UsageError
from scripts.lib.detection.journal import ImageResult, Journal
from scripts.lib.detection.sources import Sources


def bytes_kept(folder) -> int:
    """Return what a run of 3,000 images keeps in memory."""
    folder.mkdir()
    (folder / "list.txt").write_text("".join(f"photos/{number:06}.jpg\n" for number in range(3_000)))
    tracemalloc.start()
    with Journal(folder / "journal", {}, resume=False) as journal:
        sources = Sources([str(folder / "list.txt")], folder)
        for source in sources:
            journal.append(
                ImageResult(source.name, source.output_name, "", 60, 40, [Detection("Tops", 0.9, 1, 2, 3, 4)] * 9)
            )
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(sources.names) == len(list(map(journal.get, sources.names))) == 3_000
    return kept


def test_what_is_kept_of_a_photo_until_the_end_is_a_fraction_of_a_kilobyte(tmp_path):
    """Its name, for the order of the results, and where the journal has it; of two runs, so that nothing else counts."""
    assert min(bytes_kept(tmp_path / "first"), bytes_kept(tmp_path / "second")) / 3_000 < 500


IMAGES = [
    ImageResult("größe.png", "größe.png.jpg", "3-9", 60, 40, [Detection("Tops", 0.5, 1.25, 2, 3, 4)]),
    ImageResult("b.png", "b.png.jpg", "", 0, 0, [], Finding(ERROR, "image-empty", "b.png", "is empty", "remove it")),
]


def test_a_result_is_read_as_it_was_written(tmp_path):
    with Journal(tmp_path / "journal", {"model": "a"}, resume=False) as journal:
        for image in IMAGES:
            journal.append(image)
        assert [journal.get(name) for name in ("b.png", "größe.png", "c.png")] == [IMAGES[1], IMAGES[0], None]
    with Journal(tmp_path / "journal", {"model": "a"}, resume=True) as journal:
        assert len(journal) == 2
        journal.append(IMAGES[0]._replace(version="4-9"))
        assert journal.get("größe.png").version == "4-9"


def test_half_a_line_is_cut_off_and_the_lines_before_it_stay(tmp_path):
    with Journal(tmp_path / "journal", {}, resume=False) as journal:
        for image in IMAGES:
            journal.append(image)
    whole = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(whole[:-10])
    with Journal(tmp_path / "journal", {}, resume=True) as journal:
        assert journal.get("b.png") is None
        journal.append(IMAGES[1])
    assert (tmp_path / "journal").read_bytes() == whole


def test_other_settings_are_refused_and_nothing_is_changed(tmp_path):
    with Journal(tmp_path / "journal", {"flip": False, "model": "a"}, resume=False) as journal:
        journal.append(IMAGES[0])
    before = (tmp_path / "journal").read_bytes()
    with pytest.raises(UsageError, match="from a run with other flip; give the same settings again"):
        Journal(tmp_path / "journal", {"flip": True, "model": "a"}, resume=True)
    assert (tmp_path / "journal").read_bytes() == before
