"""Example pictures of a report: the best, the worst, the most confused, the missed; truth beside detection."""

from __future__ import annotations

import io
import itertools
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import UsageError
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.evaluation.error_types import Pairing
from scripts.lib.images import drawing
from scripts.lib.records import read
from scripts.lib.report import sentences
from scripts.lib.report.figures import Results

FOLDER = "images"
SHEET = "index.png"
_EACH = 6  # pictures of a kind
_LONGEST_SIDE = 360  # pixels of one half of a picture
_GAP = 8
_HEADER = 18


class Example(NamedTuple):
    """One example picture.

    Attributes:
        image_index: into the evaluated images.
        kind: "confused", "missed", "worst", "best".
        caption: what there is to see.
        file: its file name in the folder of pictures; empty until it is drawn.
    """

    image_index: int
    kind: str
    caption: str
    file: str = ""


class Tally(NamedTuple):
    """What went right and wrong on one image."""

    right: int
    wrong: int  # taken for another class
    missed: int
    void: int  # detected where nothing is
    spare: int
    mean_score: float

    @property
    def errors(self) -> int:
        return self.wrong + self.missed + self.void + self.spare


def choose(results: Results) -> list[Example]:
    """The examples, each image once: the most confused pairs, missed objects, most errors, and the best."""
    tallies = [tally(image, pairing) for image, pairing in zip(results.images, results.pairings, strict=True)]
    candidates = [
        *_confused(results),
        *_missed(results),
        *_worst(tallies),
        *_best(tallies),
    ]
    seen: set[int] = set()
    of_kind: dict[str, int] = {}
    chosen = []
    for example in candidates:
        if example.image_index not in seen and of_kind.get(example.kind, 0) < _EACH:
            seen.add(example.image_index)
            of_kind[example.kind] = of_kind.get(example.kind, 0) + 1
            chosen.append(example)
    return chosen


def tally(image: EvaluatedImage, pairing: Pairing) -> Tally:
    """Counts what went right and wrong on one image."""
    on_object = pairing.objects >= 0
    classes = image.class_ids[pairing.detections][on_object]
    right = int((classes == image.true_class_ids[pairing.objects[on_object]]).sum())
    scores = image.scores[pairing.detections]
    return Tally(
        right,
        len(classes) - right,
        len(pairing.missed),
        int((~on_object).sum()),
        len(pairing.duplicates),
        float(scores.mean()) if scores.size else 0.0,
    )


def _worst(tallies: Sequence[Tally]) -> Iterable[Example]:
    order = sorted(range(len(tallies)), key=lambda index: (tallies[index].right - 2 * tallies[index].errors, index))
    return (Example(index, "worst", _summary(tallies[index])) for index in order if tallies[index].errors)


def _best(tallies: Sequence[Tally]) -> Iterable[Example]:
    order = sorted(range(len(tallies)), key=lambda index: (-tallies[index].right, -tallies[index].mean_score, index))
    return (
        Example(index, "best", _summary(tallies[index]))
        for index in order
        if tallies[index].right and not tallies[index].errors
    )


def _summary(tally: Tally) -> str:
    parts = {
        "right": tally.right,
        "of the wrong class": tally.wrong,
        "missed": tally.missed,
        "where nothing is": tally.void,
        "found twice": tally.spare,
    }
    return ", ".join(f"{count} {what}" for what, count in parts.items() if count)


def _confused(results: Results) -> Iterable[Example]:
    """Images of the confused pairs, the surest mistakes first: one of each pair, a second one of each, and so on."""
    ids = {one.name: class_id for class_id, one in enumerate(results.classes, start=1)}
    of_pairs: list[list[Example]] = []
    for pair in sentences.confusions(results):
        scores: dict[int, float] = {}
        for index, (image, pairing) in enumerate(zip(results.images, results.pairings, strict=True)):
            for detection, found in zip(pairing.detections, pairing.objects, strict=True):
                if (
                    found >= 0
                    and image.true_class_ids[found] == ids[pair.true_class]
                    and image.class_ids[detection] == ids[pair.detected_class]
                ):
                    scores[index] = max(scores.get(index, 0), float(image.scores[detection]))
        caption = f"{pair.true_class} taken for {pair.detected_class}"
        surest = sorted(scores, key=lambda index: -scores[index])
        of_pairs.append([Example(index, "confused", caption) for index in surest])
    rounds = itertools.zip_longest(*of_pairs)
    return (example for of_round in rounds for example in of_round if example)


def _missed(results: Results) -> Iterable[Example]:
    """Images with missed objects, the largest object, which one would least expect to be missed, first."""
    largest = []
    for index, (image, pairing) in enumerate(zip(results.images, results.pairings, strict=True)):
        if pairing.missed.size:
            sides = image.true_boxes_yxyx[pairing.missed]
            parts = np.prod(sides[:, 2:] - sides[:, :2], axis=1) / (image.width * image.height)
            names = ", ".join(results.classes[image.true_class_ids[missed] - 1].name for missed in pairing.missed)
            largest.append((-float(parts.max()), index, f"missed: {names}"))
    return (Example(index, "missed", caption) for _, index, caption in sorted(largest))


# ------------------------------------------------------------------------------------------------------------- drawing


def draw(
    folder: Path | str,
    examples: Sequence[Example],
    records: Sequence[Path | str],
    draw_one: Callable[[Image.Image, int], Image.Image],
) -> list[Example]:
    """Draws the examples as NN.png and a sheet of them, in a folder that replaces an earlier one.

    Args:
        folder: for the pictures.
        examples: what to draw.
        records: that the images were read from.
        draw_one: takes the photo and its index, gives the picture.

    Returns:
        The examples with their file names.

    Raises:
        UsageError: the folder holds files of someone else.
    """
    folder = Path(folder)
    check_folder(folder)
    photos = _photos(records, {example.image_index for example in examples})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.partial-") as temporary:
        made = Path(temporary) / FOLDER
        made.mkdir()
        drawn, pictures = [], []
        for number, example in enumerate(examples, start=1):
            picture = draw_one(photos[example.image_index], example.image_index)
            name = f"{number:02d}.png"
            (made / name).write_bytes(png(picture))
            drawn.append(example._replace(file=name))
            pictures.append(picture)
        if pictures:
            (made / SHEET).write_bytes(png(_sheet(pictures)))
        files.replace_folder(made, folder)
    return drawn


def check_folder(folder: Path) -> None:
    """Refuses a folder with anything but pictures of an earlier report: it is going to be replaced."""
    foreign = [path.name for path in folder.iterdir() if not _is_ours(path.name)] if folder.is_dir() else []
    if foreign:
        raise UsageError(
            f"{files.shown_path(folder)} holds {', '.join(sorted(foreign)[:3])}, which no report wrote; "
            "give another --output_dir"
        )


def remove(folder: Path | str) -> None:
    """Removes the pictures of an earlier report."""
    if Path(folder).is_dir():
        check_folder(Path(folder))
        shutil.rmtree(folder)


def _is_ours(name: str) -> bool:
    return name == SHEET or (name.endswith(".png") and name[:-4].isdigit())


def _photos(records: Sequence[Path | str], wanted: set[int]) -> dict[int, Image.Image]:
    """The photos at these places of the records."""
    images = itertools.chain.from_iterable(map(read.read, records))
    return {index: Image.fromarray(image.pixels()) for index, image in enumerate(images) if index in wanted}


def side_by_side(
    photo: Image.Image, index: int, *runs: Results, titles: Sequence[str] = ("detections",)
) -> Image.Image:
    """The photo with the boxes that a person drew, and once for each run with the detections that count.

    Args:
        photo: as it is in the record.
        index: of the image.
        *runs: results on the same images; of each the detections that reach their threshold are shown.
        titles: of the runs.
    """
    image = runs[0].images[index]
    scale = _LONGEST_SIDE / max(photo.size)
    photo = photo.resize([max(1, round(side * scale)) for side in photo.size], Image.Resampling.LANCZOS)
    names = [one.name for one in runs[0].classes]
    unscored = np.full(len(image.true_class_ids), math.nan)
    truth = _boxes(image.true_boxes_yxyx * scale, image.true_class_ids, unscored, names)
    pictures = {"ground truth": drawing.draw_detections(photo, truth, names)}
    for title, run in zip(titles, runs, strict=True):
        found, pairing = run.images[index], run.pairings[index]
        kept = np.concatenate([pairing.detections, pairing.duplicates])
        boxes = _boxes(found.boxes_yxyx[kept] * scale, found.class_ids[kept], found.scores[kept], names)
        pictures[title] = drawing.draw_detections(photo, boxes, names)
    return beside(pictures)


def beside(pictures: Mapping[str, Image.Image]) -> Image.Image:
    """Pictures of one size beside each other, each under its title."""
    width, height = next(iter(pictures.values())).size
    whole = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height + _HEADER), "white")
    pen = ImageDraw.Draw(whole)
    for place, (title, picture) in enumerate(pictures.items()):
        left = place * (width + _GAP)
        pen.text((left + 2, 2), title, fill="black", font=ImageFont.load_default(12))
        whole.paste(picture, (left, _HEADER))
    return whole


def _boxes(boxes_yxyx: np.ndarray, class_ids: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[Detection]:
    rows = zip(boxes_yxyx.tolist(), class_ids.tolist(), scores.tolist(), strict=True)
    return [
        Detection(names[class_id - 1], score, xmin, ymin, xmax, ymax)
        for (ymin, xmin, ymax, xmax), class_id, score in rows
    ]


def _sheet(pictures: Sequence[Image.Image], columns: int = 3) -> Image.Image:
    """All pictures on one, each with its number."""
    cell_width, cell_height = 360, 220
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * cell_width, rows * (cell_height + _HEADER)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        left, top = number % columns * cell_width, number // columns * (cell_height + _HEADER)
        pen.text((left + 4, top + 2), f"{number + 1:02d}", fill="black", font=ImageFont.load_default(12))
        small = picture.copy()
        small.thumbnail((cell_width - _GAP, cell_height))
        sheet.paste(small, (left + (cell_width - small.width) // 2, top + _HEADER))
    return sheet


def png(picture: Image.Image) -> bytes:
    """PNG bytes with 256 colours: a quarter of the size, and boxes and labels stay sharp."""
    buffer = io.BytesIO()
    picture.quantize(256, method=Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
