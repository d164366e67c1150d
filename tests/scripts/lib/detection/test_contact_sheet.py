"""Contact sheets: where thumbnails lie, captions, old pages."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.detection import contact_sheet
from scripts.lib.detection.journal import ImageResult


def write(folder, count):
    with contact_sheet.page_writer(folder, folder / "thumbnails") as add:
        for number in range(count):
            add(ImageResult(f"{number}.png", "red.jpg", "", 9, 9, []))
        add(ImageResult("bad.png", "none.jpg", "", 0, 0, [], Finding(ERROR, "image-empty", "bad.png", "is empty")))


def test_pages_are_filled_row_by_row_and_old_ones_go(tmp_path):
    (tmp_path / "thumbnails").mkdir()
    Image.new("RGB", (240, 120), "red").save(tmp_path / "thumbnails/red.jpg")
    write(tmp_path, 37)
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["page_0001.jpg", "page_0002.jpg"]
    with Image.open(tmp_path / "page_0002.jpg") as page:
        assert page.size == (6 * 248 + 8, 268 + 8)
        assert np.all(np.abs(np.array(page.getpixel((9, 9))) - ImageColor.getrgb("#59636e")) < 9), "nothing found"
        centres = [page.getpixel((8 + 248 * column + 120, 8 + 120)) for column in range(6)]
    assert [blue < 60 for _, _, blue in centres] == [True] + 5 * [False]
    write(tmp_path, 36)
    assert [path.name for path in tmp_path.glob("*.jpg")] == ["page_0001.jpg"]


def test_an_image_with_detections_is_not_marked(tmp_path):
    Image.new("RGB", (240, 240), "red").save(tmp_path / "red.jpg")
    with contact_sheet.page_writer(tmp_path, tmp_path) as add:
        add(ImageResult("red.png", "red.jpg", "", 9, 9, [Detection("Tops", 0.9, 1, 1, 2, 2)]))
    with Image.open(tmp_path / "page_0001.jpg") as page:
        assert page.getpixel((12, 12))[0] > 240


def test_a_thumbnail_is_small_and_its_box_is_drawn_at_its_scale():
    image = Image.new("RGB", (480, 960), "white")
    small = contact_sheet.thumbnail(image, [Detection("Tops", 0.9, 120, 480, 360, 720)], ["Tops"])
    assert small.size == (120, 240)
    dark = Image.eval(small.convert("L"), lambda value: 255 * (value < 250)).getbbox()
    assert dark[0] in range(28, 33) and dark[3] in range(178, 183)


def test_a_long_caption_is_shortened_to_its_end():
    draw = ImageDraw.Draw(Image.new("RGB", (9, 9)))
    shortened = contact_sheet._shortened(draw, "a/very/long/folder/" * 9 + "dress.jpg")
    assert shortened.startswith("...") and shortened.endswith("dress.jpg")
    assert contact_sheet._shortened(draw, "a\nb.jpg") == "a?b.jpg"
