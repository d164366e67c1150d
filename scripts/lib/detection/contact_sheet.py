"""Contact sheets: pages of thumbnails with their detections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.detection.journal import ImageResult
from scripts.lib.images import drawing, fonts, palette

COLUMNS, ROWS = 6, 6  # thumbnails on a page
SIDE = 240  # pixels of a thumbnail's longer side
_MARGIN, _CAPTION = 8, 20  # pixels
_FONT_SIZE = 13


def thumbnail(image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str]) -> Image.Image:
    """Return a small copy of an image with its boxes, drawn after it was shrunk so that they stay crisp."""
    return drawing.draw_small(image, detections, class_names, min(SIDE, max(image.size)))


@contextlib.contextmanager
def page_writer(folder: Path, thumbnails: Path) -> Iterator[Callable[[ImageResult], None]]:
    """Write page_0001.jpg and so on from a folder of thumbnails; remove the pages of an earlier, longer run."""
    pages = 0
    waiting: list[_Thumbnail] = []

    def write_page() -> None:
        nonlocal pages
        pages += 1
        with files.atomic_write(folder / f"page_{pages:04d}.jpg", durable=False) as file:
            _page(waiting).save(file, "JPEG", quality=88, subsampling=0)
        waiting.clear()

    def write(image: ImageResult) -> None:
        if not image.error:
            waiting.append(_Thumbnail(image.name, thumbnails / image.output_name, not image.detections))
        if len(waiting) == COLUMNS * ROWS:
            write_page()

    yield write
    if waiting:
        write_page()
    while (path := folder / f"page_{pages + 1:04d}.jpg").is_file():
        files.remove(path)
        pages += 1


class _Thumbnail(NamedTuple):
    caption: str
    path: Path
    is_empty: bool  # nothing was found


def _page(thumbnails: Sequence[_Thumbnail]) -> Image.Image:
    """Return a page of thumbnails with captions."""
    rows = -(-len(thumbnails) // COLUMNS)
    cell_width, cell_height = SIDE + _MARGIN, SIDE + _CAPTION + _MARGIN
    page = Image.new("RGB", (COLUMNS * cell_width + _MARGIN, rows * cell_height + _MARGIN), "white")
    draw, font = ImageDraw.Draw(page), fonts.load(_FONT_SIZE)
    for index, (caption, path, is_empty) in enumerate(thumbnails):
        row, column = divmod(index, COLUMNS)
        left, top = _MARGIN + column * cell_width, _MARGIN + row * cell_height
        with Image.open(path) as image:
            page.paste(image, (left + (SIDE - image.width) // 2, top + (SIDE - image.height) // 2))
        if is_empty:
            drawing.draw_label(draw, (left, top), "nothing found", palette.NO_CLASS, font)
        middle = (left + SIDE / 2, top + SIDE + _CAPTION / 2)
        draw.text(middle, _shortened(draw, caption), "black", font, anchor="mm")
    return page


def _shortened(draw: ImageDraw.ImageDraw, text: str) -> str:
    """Shorten a caption that is too wide to its end, which tells images apart."""
    text = shortened = "".join(character if character.isprintable() else "?" for character in text)
    while draw.textlength(shortened, fonts.load(_FONT_SIZE)) > SIDE:
        text = text[max(1, len(text) // 20) :]
        shortened = f"...{text}"
    return shortened
