"""Contact sheets: many photos with their detections at a glance, as thumbnails on pages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.images import drawing

COLUMNS, ROWS = 6, 6  # thumbnails on a page
SIDE = 240  # pixels of a thumbnail's longer side
_MARGIN, _CAPTION = 8, 20
_PAGE_NAME = "page_{:04d}.jpg"


def thumbnail(image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str]) -> Image.Image:
    """A small copy of a photo with its boxes, drawn after it was shrunk so that they stay crisp."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    across, down = small.width / image.width, small.height / image.height
    scaled = [
        Detection(name, score, xmin * across, ymin * down, xmax * across, ymax * down)
        for name, score, xmin, ymin, xmax, ymax in detections
    ]
    return drawing.draw_detections(small, scaled, class_names)


def write_pages(folder: Path, thumbnails: Iterable[tuple[str, Path]]) -> int:
    """Writes page_0001.jpg and so on; pages of an earlier, longer run go.

    Args:
        folder: for the pages.
        thumbnails: caption and file of each, in order.

    Returns:
        How many pages there are.
    """
    pages = 0
    for pages, of_page in enumerate(_in_groups(thumbnails, COLUMNS * ROWS), start=1):
        with files.atomic_write(folder / _PAGE_NAME.format(pages), durable=False) as file:
            _page(of_page).save(file, "JPEG", quality=88)
    for path in folder.glob("page_*.jpg"):
        number = re.fullmatch(r"page_(\d{4,})\.jpg", path.name)
        if number and int(number[1]) > pages:
            path.unlink()
    return pages


def _in_groups(items: Iterable[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    items = iter(items)
    while group := list(itertools.islice(items, size)):
        yield group


def _page(thumbnails: Sequence[tuple[str, Path]]) -> Image.Image:
    rows = -(-len(thumbnails) // COLUMNS)
    cell_width, cell_height = SIDE + _MARGIN, SIDE + _CAPTION + _MARGIN
    page = Image.new("RGB", (COLUMNS * cell_width + _MARGIN, rows * cell_height + _MARGIN), "white")
    draw = ImageDraw.Draw(page)
    for place, (caption, path) in enumerate(thumbnails):
        row, column = divmod(place, COLUMNS)
        left, top = _MARGIN + column * cell_width, _MARGIN + row * cell_height
        with Image.open(path) as picture:
            page.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        text = _fitting(draw, caption, SIDE)
        draw.text((left + SIDE / 2, top + SIDE + _CAPTION / 2), text, "black", drawing.default_font(13), anchor="mm")
    return page


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """The text, shortened to its end, which tells photos apart, where it is too wide."""
    text = "".join(character if character.isprintable() else "?" for character in text)
    font = drawing.default_font(13)
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(f"...{text}", font) > width:
        text = text[max(1, len(text) // 20) :]
    return f"...{text}"
