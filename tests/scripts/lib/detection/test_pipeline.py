"""Many images through a made detector: memory, bad images, what a resumed run skips."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.lib.detection import pipeline
from scripts.lib.detection.pipeline import DrawingFolders, Pipeline
from scripts.lib.detection.sources import ImageSource
from tests.made_detector import MadeDetector


@pytest.mark.parametrize("num_photos", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_stays_flat_and_photos_are_taken_as_they_are_needed(monkeypatch, num_photos):
    """Photos of 30 kB, made as they are asked for, through the whole pipeline."""
    asked = 0

    def sources():
        nonlocal asked
        for number in range(num_photos):
            asked += 1
            yield ImageSource(f"{number}.jpg", Path(f"{number}.jpg"), f"{number}.jpg")

    monkeypatch.setattr(pipeline.decode, "read_bytes", lambda path, file: (b"", []))
    image = np.full((100, 100, 3), (200, 100, 0), np.uint8)
    monkeypatch.setattr(pipeline.decode, "decode", lambda data, file: (image, []))
    made = Pipeline(MadeDetector(), {1: 0.5, 2: 0.5}, batch_size=8, num_workers=2)
    peaks = []
    tracemalloc.start()
    for done, seen in enumerate(made.run(sources()), start=1):
        assert len(seen.detections) == 1
        assert asked - done < 60
        if done in (1_000, num_photos):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
    tracemalloc.stop()
    # 3,000 photos are 90 MB; Python's own table of strings, which pathlib uses, grows at any time, by 8 MiB and more
    assert max(peaks) < 20_000_000


def write_image(path: Path) -> ImageSource:
    Image.new("RGB", (60, 40), (240, 100, 0)).save(path)
    return ImageSource(path.name, path, f"{path.name}.jpg")


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_bad_image_is_opened_once_and_the_others_are_done(tmp_path, monkeypatch, num_workers):
    good = write_image(tmp_path / "good.png")
    bad = ImageSource("bad.png", tmp_path / "bad.png", "bad.png.jpg")
    bad.place.write_bytes(good.place.read_bytes()[:60])
    opened = []
    open_image = pipeline.decode.open_image
    monkeypatch.setattr(pipeline.decode, "open_image", lambda data: opened.append(len(data)) or open_image(data))
    images = list(Pipeline(MadeDetector(), {1: 0.5, 2: 0.5}, num_workers=num_workers).run([bad, good]))
    assert [(image.name, len(image.detections), image.width) for image in images] == [
        ("bad.png", 0, 0),
        ("good.png", 1, 60),
    ]
    assert images[0].error.code == "image-unreadable"
    assert sorted(opened) == sorted([60, good.place.stat().st_size])


def test_an_image_is_done_if_it_has_not_changed_and_was_drawn(tmp_path):
    source = write_image(tmp_path / "a.png")
    run = Pipeline(MadeDetector(), {1: 0.5}, folders=DrawingFolders(tmp_path / "images", tmp_path / "thumbnails"))
    assert not run.is_done(source, None)
    (image,) = run.run([source])
    assert run.is_done(source, image)
    assert not run.is_done(source, image._replace(output_name="other.jpg"))
    (tmp_path / "thumbnails/a.png.jpg").unlink()
    assert not run.is_done(source, image)
    assert Pipeline(MadeDetector(), {1: 0.5}).is_done(source, image)
    os.utime(source.place, (1, 1))
    assert not Pipeline(MadeDetector(), {1: 0.5}).is_done(source, image)


def test_case_17_notes_on_images_that_were_read_are_kept(tmp_path):
    source = write_image(tmp_path / "a.png")
    Image.fromarray(np.linspace(0, 4095, 400).reshape(20, 20).astype(np.uint16)).save(source.place)
    images = Pipeline(MadeDetector(), {1: 0.5, 2: 0.5})
    (image,) = images.run([source])
    assert not image.error
    assert [note.message for note in images.notes] == ["its values, 0 to 4095, were scaled to 8 bits"]
