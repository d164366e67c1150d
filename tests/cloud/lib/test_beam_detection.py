"""The Beam pipeline's parts: names of images on a bucket, the files of a shard, the model on a bucket."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("apache_beam", reason="Apache Beam is not installed (requirements-beam.txt)")

from cloud.lib import beam_detection, beam_support
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import ERROR, Finding, UsageError
from scripts.lib.core.http import DownloadError, DownloadLimits
from scripts.lib.detection.journal import ImageResult
from tests.beam_bucket import Bucket


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("gs://shop/photos/new/a.jpg", "new/a.jpg"),
        ("gs://shop/photos/.cache/a.jpg", None),
        ("gs://shop/photos/a.txt", None),
    ],
)
def test_names_of_images_on_a_bucket(path, name):
    metadata = SimpleNamespace(path=path, size_in_bytes=7, last_updated_in_seconds=9.5)
    listed = list(beam_detection.from_match(metadata, "gs://shop/photos/"))
    assert listed == ([beam_detection.ListedImage(name, path, "7-9.5")] if name else [])


def test_lines_of_a_list_on_a_bucket():
    lines = ["a.jpg ", "", "https://x.example/b.jpg"]
    listed = [image for line in lines for image in beam_detection.from_line(line, "gs://shop")]
    assert [(image.name, image.place) for image in listed] == [
        ("a.jpg", "gs://shop/a.jpg"),
        ("https://x.example/b.jpg", "https://x.example/b.jpg"),
    ]


def test_the_files_of_a_shard():
    good = ImageResult("a.png", "a.png.jpg", "1", 60, 40, [Detection("Tops", 0.5, 1, 2, 3, 4)])
    bad = ImageResult("b.png", "b.png.jpg", "2", 0, 0, [], Finding(ERROR, "image-empty", "b.png", "is empty"))
    table, errors, lines = beam_detection.contents({"nms_iou": None}, [good, bad], [bad])
    assert table.decode().splitlines()[1:] == ["a.png,Tops,0.5000,1.0,2.0,3.0,4.0"]
    assert (json.loads(errors)["filename"], json.loads(errors)["message"]) == ("b.png", "is empty")
    settings, *results = lines.splitlines()
    assert json.loads(settings) == {"nms_iou": None}
    assert [ImageResult.from_line(line) for line in results] == [good, bad]


def test_a_model_on_a_bucket_is_copied_for_as_long_as_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(Bucket, "root", tmp_path)
    (tmp_path / "model").mkdir()
    with (
        pytest.raises(UsageError, match="--model bucket://model has no model.onnx"),
        beam_detection.local_model("bucket://model"),
    ):
        pass
    (tmp_path / "model/model.onnx").write_bytes(b"a model")
    with beam_detection.local_model("bucket://model") as folder:
        assert [path.name for path in folder.iterdir()] == ["model.onnx"]
        assert (folder / "model.onnx").read_bytes() == b"a model"
    assert not folder.exists()


@pytest.mark.parametrize(("error", "tries"), [(FileNotFoundError(), 1), (PermissionError("no"), 3), (OSError("x"), 3)])
def test_a_missing_file_is_not_tried_again(monkeypatch, error, tries):
    calls = []

    def failing(*_):
        calls.append(1)
        raise error

    monkeypatch.setattr(beam_support, "read_bytes", failing)
    with pytest.raises(DownloadError):
        beam_detection.fetch("bucket://a.jpg", DownloadLimits(retries=2, pause=0))
    assert len(calls) == tries


def test_a_photo_is_read_at_once(shop, monkeypatch):
    monkeypatch.setattr(beam_detection, "_local", SimpleNamespace(client=shop.client))
    shop.blob("photos/größe 1.png").upload_from_string(b"0123456789")
    shop.blob("empty.png").upload_from_string(b"")
    limits = DownloadLimits(max_bytes=10, retries=0)
    assert beam_detection.fetch("gs://shop/photos/größe 1.png", limits) == b"0123456789"
    assert beam_detection.fetch("gs://shop/empty.png", limits) == b""
    with pytest.raises(DownloadError, match="there is no such image"):
        beam_detection.fetch("gs://shop/none.png", limits)
    with pytest.raises(DownloadError, match="has more than"):
        beam_detection.fetch("gs://shop/photos/größe 1.png", DownloadLimits(max_bytes=9, retries=0))
