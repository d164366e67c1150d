"""What a record holds, counted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scripts.lib.core.errors import ERROR, NOTE, DataError, Finding, UsageError
from scripts.lib.dataset.labelled_images import CheckedImage, LabelledImage
from scripts.lib.records.options import RecordOptions
from scripts.lib.records.tally import RecordTally

CLASS_IDS = {"Tops": 1, "Skirts": 2}


def options(**changes):
    paths = {name: Path(name) for name in ("csv_input", "label_map", "image_dir", "output_path")}
    content = {"skip_invalid": False, "trust_images": False, "max_image_side": None, "oversample": None}
    return RecordOptions(**{**paths, "num_shards": 1, **content, **changes})


def image(name, *class_names, finding=None):
    return CheckedImage(LabelledImage(name, (0, 0), class_names, ()), [finding] if finding else [], name.encode())


def error(name):
    return Finding(ERROR, "image-missing", name, "there is no such image")


def tally_of(*images):
    tally = RecordTally(CLASS_IDS)
    for one in images:
        tally.add(one)
    return tally


def test_copies_count_as_examples_and_their_images_once():
    tally = tally_of(image("a", "Tops", "Tops"), image("b"), image("c", finding=error("c")), image("a", "Tops", "Tops"))
    manifest = tally.manifest(options(skip_invalid=True), [(3, 99)], "hash of the CSV", "hash of the label map")
    assert (manifest["examples"], manifest["images"], manifest["negatives"], manifest["boxes"]) == (3, 2, 1, 4)
    assert manifest["classes"]["Tops"] == {"id": 1, "boxes": 4, "examples": 2}
    assert manifest["left_out"] == ["c"] and manifest["shards"] == [{"file": "output_path", "examples": 3, "bytes": 99}]
    assert manifest["inputs"]["images"]["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert manifest["inputs"]["images"]["files"] == {"a": "61", "b": "62"}
    assert manifest["inputs"]["csv_input"]["sha256"] == "hash of the CSV"


def test_errors_stop_the_record_unless_their_images_are_left_out():
    tally = tally_of(image("a", "Tops"), image("b", finding=error("b")))
    with pytest.raises(DataError, match="b: there is no such image") as caught:
        tally.refuse_bad_record(options())
    assert "output_path was not written" in caught.value.consequence
    tally.refuse_bad_record(options(skip_invalid=True))
    with pytest.raises(UsageError, match="the record has 1 example;"):
        tally.refuse_bad_record(options(skip_invalid=True, num_shards=2))
    with pytest.raises(DataError, match="no image is left to record"):
        tally_of(image("b", finding=error("b"))).refuse_bad_record(options(skip_invalid=True))


def test_of_many_notes_of_a_kind_the_first_are_shown(capsys):
    notes = [image(str(number), finding=Finding(NOTE, "image-converted", str(number), "stored")) for number in range(9)]
    tally = tally_of(*notes)
    tally.print_findings()
    shown = capsys.readouterr().err.splitlines()
    assert shown[:5] == ["note: 9 files: stored.", "    0", "    1", "    2", "    and 6 more"]
    assert "--all" in shown[5] and shown[6:] == ["9 notes."]
    *_, last = tally.report(options())
    assert last == "output_path: 9 examples (9 without objects), 0 boxes"


def test_images_that_were_left_out_are_named():
    tally = tally_of(image("a", "Tops"), image("b", finding=error("b")))
    assert list(tally.report(options())) == [
        "left out 1 image with errors: b",
        "  1 Tops        1 boxes in 1 example",
        "  2 Skirts      0 boxes in 0 examples",
        "output_path: 1 example, 1 box",
    ]
