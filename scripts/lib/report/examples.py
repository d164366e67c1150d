"""Example images of a report: the most confused, the missed, the worst, the best; ground truth beside detections."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import UsageError
from scripts.lib.evaluation import error_types
from scripts.lib.images import drawing, fonts
from scripts.lib.records import read
from scripts.lib.report import sentences
from scripts.lib.report.figures import Results

FOLDER = "images"
HEADINGS = {"confused": "Most confused classes", "missed": "Missed objects", "worst": "Most errors", "best": "Best"}
_WORDS = {
    error_types.RIGHT: "right",
    "classification": "of the wrong class",
    "localisation": "badly placed",
    "both": "badly placed and of the wrong class",
    "background": "where nothing is",
    "duplicate": "found twice",
    "missed": "missed",
}
_PER_KIND = 6
_LONGEST_SIDE = 480  # pixels of one image of an example
_GAP = 8
_HEADER = 24


class Example(NamedTuple):
    """An example to draw: index into the evaluated images, a key of HEADINGS (or another kind), and what it shows."""

    image_index: int
    kind: str
    caption: str


class ExampleImage(NamedTuple):
    """An example that was drawn, with its size in pixels; `name` is the image's name in the record."""

    file: str
    width: int
    height: int
    kind: str
    name: str
    caption: str


def choose(results: Results) -> list[Example]:
    """Choose the examples, each image once."""
    tallies = tally(results)
    chosen: dict[int, Example] = {}
    for of_kind in (_confused(results), _missed(results), _worst(tallies), _best(tallies)):
        new = (example for example in of_kind if example.image_index not in chosen)
        chosen |= {example.image_index: example for example in itertools.islice(new, _PER_KIND)}
    return list(chosen.values())


def tally(results: Results) -> list[Counter[str]]:
    """Return what is right and wrong on each image, counted by kind."""
    return list(map(error_types.count, results.images, results.pairings))


def num_errors(counts: Counter[str]) -> int:
    return counts.total() - counts[error_types.RIGHT]


def described(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]} {words}" for kind, words in _WORDS.items() if counts[kind])


def _worst(tallies: Sequence[Counter[str]]) -> Iterable[Example]:
    errors = [num_errors(one) for one in tallies]
    order = sorted(range(len(tallies)), key=lambda index: tallies[index][error_types.RIGHT] - 2 * errors[index])
    return (Example(index, "worst", described(tallies[index])) for index in order if errors[index])


def _best(tallies: Sequence[Counter[str]]) -> Iterable[Example]:
    faultless = [index for index, one in enumerate(tallies) if one[error_types.RIGHT] and not num_errors(one)]
    order = sorted(faultless, key=lambda index: -tallies[index][error_types.RIGHT])
    return (Example(index, "best", described(tallies[index])) for index in order)


def _confused(results: Results) -> Iterable[Example]:
    """Yield one image of each pair of confused classes, then a second one of each, and so on, best scores first."""
    names = results.labels
    scores: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)  # of each pair: image -> best score
    for index, (image, pairing) in enumerate(zip(results.images, results.pairings, strict=True)):
        for detection, found in zip(pairing.detections, pairing.objects, strict=True):  # best score first
            if found >= 0:
                pair = names[image.true_class_ids[found] - 1], names[image.class_ids[detection] - 1]
                scores[pair].setdefault(index, image.scores[detection])
    of_pairs = []
    for pair in sentences.confusions(results):
        of_pair = scores[pair.true_class, pair.detected_class]
        caption = f"{pair.true_class} taken for {pair.detected_class}"
        best_first = sorted(of_pair, key=of_pair.get, reverse=True)
        of_pairs.append([Example(index, "confused", caption) for index in best_first])
    rounds = itertools.zip_longest(*of_pairs)
    return (example for of_round in rounds for example in of_round if example)


def _missed(results: Results) -> Iterable[Example]:
    """Yield the images with missed objects, the largest object first."""
    largest = []
    for index, (image, pairing) in enumerate(zip(results.images, results.pairings, strict=True)):
        if pairing.missed.size:
            boxes = image.true_boxes_yxyx[pairing.missed]
            parts = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / (image.width * image.height)
            names = ", ".join(results.classes[image.true_class_ids[missed] - 1].name for missed in pairing.missed)
            largest.append((-float(parts.max()), index, f"missed: {names}"))
    return (Example(index, "missed", caption) for _, index, caption in sorted(largest))


def draw(
    folder: Path, examples: Sequence[Example], records: Sequence[Path | str], runs: Mapping[str, Results]
) -> list[ExampleImage]:
    """Draw the examples as NN.jpg in a folder that replaces an earlier one; without records with the images, none.

    `runs` are title -> results on the same images; each is drawn beside the ground truth.

    Raises:
        UsageError: the folder holds other files.
    """
    check_folder(folder)
    if not records:
        files.remove(folder)
        return []
    wanted = {example.image_index for example in examples}
    images = enumerate(itertools.chain.from_iterable(map(read.read, records)))
    photos = {index: Image.fromarray(image.pixels()) for index, image in images if index in wanted}
    (results, *_) = runs.values()
    with files.scratch_beside(folder) as scratch:
        made = scratch / FOLDER
        made.mkdir()
        drawn = []
        for number, (index, kind, caption) in enumerate(examples, start=1):
            image = side_by_side(photos[index], index, runs)
            image.save(made / f"{number:02d}.jpg", quality=90, subsampling=0)  # labels stay sharp
            drawn.append(ExampleImage(f"{number:02d}.jpg", *image.size, kind, results.images[index].name, caption))
        files.replace_folder(made, folder)
    return drawn


def check_folder(folder: Path) -> None:
    """Raise UsageError if the folder, which will be replaced, holds anything but examples of an earlier report."""
    files.put_back(folder)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    foreign = [name for name in names if not re.fullmatch(r"\d+\.(png|jpg)|index\.png", name)]
    if foreign:
        listed = ", ".join(foreign[:3])
        raise UsageError(f"{files.shown_path(folder)} holds {listed}, which no report wrote; give another --output_dir")


def side_by_side(photo: Image.Image, index: int, runs: Mapping[str, Results]) -> Image.Image:
    """Draw an image of the record: its ground truth, and for each run the detections that reach their threshold."""
    (results, *_) = runs.values()
    image, names = results.images[index], [one.name for one in results.classes]
    unscored = np.full(len(image.true_class_ids), math.nan)
    shown = {"ground truth": _boxes(image.true_boxes_yxyx, image.true_class_ids, unscored, names)}
    for title, run in runs.items():
        found, pairing = run.images[index], run.pairings[index]
        kept = np.concatenate([pairing.detections, pairing.duplicates])
        shown[title] = _boxes(found.boxes_yxyx[kept], found.class_ids[kept], found.scores[kept], names)
    return beside({title: drawing.draw_small(photo, boxes, names, _LONGEST_SIDE) for title, boxes in shown.items()})


def beside(titled: Mapping[str, Image.Image]) -> Image.Image:
    """Paste images of one size beside each other, each under its title."""
    width, height = next(iter(titled.values())).size
    whole = Image.new("RGB", (len(titled) * (width + _GAP) - _GAP, height + _HEADER), "white")
    pen = ImageDraw.Draw(whole)
    for place, (title, image) in enumerate(titled.items()):
        left = place * (width + _GAP)
        pen.text((left + 2, 2), title, fill="black", font=fonts.load(16))
        whole.paste(image, (left, _HEADER))
    return whole


def _boxes(boxes_yxyx: np.ndarray, class_ids: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[Detection]:
    rows = zip(boxes_yxyx.tolist(), class_ids.tolist(), scores.tolist(), strict=True)
    return [
        Detection(names[class_id - 1], score, xmin, ymin, xmax, ymax)
        for (ymin, xmin, ymax, xmax), class_id, score in rows
    ]
