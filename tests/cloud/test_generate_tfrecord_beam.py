"""generate_tfrecord as a Beam pipeline: the same records and findings as generate_tfrecord.py, wherever the files are.

Beam is no part of requirements-dev.txt; in an environment with requirements-beam.txt and pytest:

    python -m pytest tests/cloud/test_generate_tfrecord_beam.py
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam", reason="Apache Beam is not installed (requirements-beam.txt)")
pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the label map)")

import generate_tfrecord
from cloud import generate_tfrecord_beam
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import labels_csv
from scripts.lib.records import tf_record
from tests.beam_bucket import Bucket

LABEL_MAP = "item { id: 1 name: 'Tops' }\nitem { id: 2 name: 'Skirts' }\n"
BOX = ("Tops", 10, 20, 50, 60)


class Project:
    """Images, labels and a label map in a folder, and both commands run on them."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "samples").mkdir()
        (folder / "map.pbtxt").write_text(LABEL_MAP)
        self.rows = []

    def add(self, name, *boxes, data=None):
        if data is not False:
            content = photo(len(self.rows)) if data is None else data
            (self.folder / "samples" / name).write_bytes(content)
        self.rows += [labels_csv.LabelRow(name, 100, 80, *box) for box in boxes or [("", None, None, None, None)]]
        return self

    def arguments(self, record, place, *flags):
        paths = {"csv_input": "labels.csv", "image_dir": "samples", "label_map": "map.pbtxt", "output_path": record}
        return [*(f"--{name}={place}/{path}" for name, path in paths.items()), *flags]

    def both(self, *flags, place=None, num_shards=3):
        """Runs both; returns their Examples as sets, and their manifests without the versions of libraries."""
        labels_csv.write_rows(self.rows, self.folder / "labels.csv")
        flags = [*flags, f"--num_shards={num_shards}"]
        generate_tfrecord.main(self.arguments("plain/a.record", self.folder, *flags))
        generate_tfrecord_beam.main(self.arguments("beam/a.record", place or self.folder, *flags))
        return [self.result(self.folder / name / "a.record", num_shards) for name in ("plain", "beam")]

    def result(self, record, num_shards):
        shards = tf_record.shard_paths(record, num_shards)
        manifest = json.loads(record.with_name("a.record.json").read_text())
        assert {path.name for path in record.parent.iterdir()} == {"a.record.json", *(path.name for path in shards)}
        examples = [data for shard in shards for data in tf_record.read_records(shard)]
        return sorted(examples), {**manifest, "versions": None}

    def beam(self, *flags):
        labels_csv.write_rows(self.rows, self.folder / "labels.csv")
        generate_tfrecord_beam.main(self.arguments("beam/a.record", self.folder, "--num_shards=2", *flags))


def photo(seed):
    values = np.random.default_rng(seed).integers(0, 255, (80, 100, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def twelve(project):
    for index in range(12):
        project.add(f"{index:02}.jpg", BOX if index else ("Skirts", 0, 0, 100, 80), ("Tops", 0, 0, 9, 9))
    return project.add("none.jpg")


@pytest.mark.parametrize(
    "flags", [(), ("--trust_images",), ("--max_image_side=50",), ("--oversample=0.5",)], ids=" ".join
)
def test_the_records_and_the_manifest_are_those_of_generate_tfrecord(twelve, flags):
    (plain, plain_manifest), (by_beam, beam_manifest) = twelve.both(*flags)
    assert len(plain) >= 13 and by_beam == plain
    assert beam_manifest == plain_manifest


def test_one_shard_has_the_name_of_the_record(twelve):
    (plain, _), (by_beam, _) = twelve.both(num_shards=1)
    assert by_beam == plain


def test_files_may_be_where_only_beam_reaches_them(twelve, monkeypatch):
    monkeypatch.setattr(Bucket, "root", twelve.folder)
    twelve.add("renamed", BOX, data=False)
    (twelve.folder / "samples" / "renamed.jpg").write_bytes(photo(99))
    (plain, plain_manifest), (by_beam, beam_manifest) = twelve.both(place="bucket:/")
    assert by_beam == plain
    for name in ("csv_input", "label_map"):
        assert beam_manifest["inputs"][name].pop("path").startswith("bucket://")
        del plain_manifest["inputs"][name]["path"]
    assert beam_manifest == plain_manifest


def test_findings_name_the_file_where_it_is(project, monkeypatch):
    monkeypatch.setattr(Bucket, "root", project.folder)
    (project.folder / "labels.csv").write_text("filename,width\n")
    with pytest.raises(DataError, match="bucket://labels.csv"):
        generate_tfrecord_beam.main(project.arguments("beam/a.record", "bucket:/"))


def test_all_problems_are_listed_and_an_earlier_record_stays(twelve):
    twelve.beam()
    before = {path.name: path.read_bytes() for path in (twelve.folder / "beam").iterdir()}
    twelve.add("class.jpg", ("Topps", 1, 2, 30, 40)).add("cut.jpg", BOX, data=photo(5)[:-900])
    twelve.add("missing.jpg", BOX, data=False).add("empty.jpg", BOX, data=b"")
    with pytest.raises(DataError, match="Topps") as by_beam:
        twelve.beam()
    assert {path.name: path.read_bytes() for path in (twelve.folder / "beam").iterdir()} == before
    with pytest.raises(DataError) as plain:
        generate_tfrecord.main(twelve.arguments("plain/a.record", twelve.folder))
    assert by_beam.value.findings == plain.value.findings and len(plain.value.findings) == 4


def test_skip_invalid_leaves_images_with_errors_out(twelve):
    twelve.add("class.jpg", ("Topps", 1, 2, 30, 40)).add("empty.jpg", BOX, data=b"")
    (plain, plain_manifest), (by_beam, beam_manifest) = twelve.both("--skip_invalid")
    assert by_beam == plain
    assert beam_manifest["left_out"] == plain_manifest["left_out"] == ["class.jpg", "empty.jpg"]


def test_shards_of_an_earlier_run_do_not_mix_with_the_new_ones(twelve):
    twelve.beam("--num_shards=5")
    twelve.beam("--num_shards=2")
    assert len(list((twelve.folder / "beam").iterdir())) == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_shard=3"], r"unknown flag --num_shard; did you mean --num_shards\?"),
        (["--num_shards=40"], "the record has 13 examples"),
        (["--csv_input=none.csv"], "no labels CSV none.csv"),
        (["--image_dir=none"], "no image folder none"),
        (["--image_dir=nowhere://bucket/samples"], "Beam knows no such place"),
        (["--runner=Rnner"], "Rnner"),
    ],
)
def test_wrong_usage_is_one_sentence(twelve, flags, message):
    with pytest.raises(UsageError, match=message):
        twelve.beam(*flags)
    assert not list(twelve.folder.glob("beam/*"))


def test_a_file_that_is_no_record_is_not_overwritten(twelve):
    (twelve.folder / "beam").mkdir()
    thesis = twelve.folder / "beam" / "a.record-00000-of-00002"
    thesis.write_text("my thesis, chapter one")
    with pytest.raises(UsageError, match="is not a TFRecord"):
        twelve.beam()
    assert thesis.read_text() == "my thesis, chapter one"
    thesis = thesis.replace(thesis.with_name("a.record.json"))
    with pytest.raises(UsageError, match="is not a manifest of a record"):
        twelve.beam()
    assert thesis.read_text() == "my thesis, chapter one"
