"""The input of `benchmark.py data`: annotations and photos as a labelling project has them, made in seconds.

    python -m tests.benchmarks.data_input FOLDER NUM_XML XML_PER_FOLDER NUM_PHOTOS FEW_PHOTOS

makes, in FOLDER:
    annotations/00000/ ...   folders of VOC XML files
    photos/                  JPEG files of 640x640 pixels, about 100 KB each
    photos_5000.csv ...      the labels CSV of the first 5000 photos
It is a program of its own so that its memory does not count as that of the programs which the benchmark starts.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from scripts.lib.annotations.voc_xml import Annotation, VocObject, document
from scripts.lib.dataset import labels_csv
from tests.benchmarks.plain import CLASS_IDS

SIDE = 640  # pixels
BASE_PICTURES = 36
QUALITY = 85
# Share of each scale of a photo's structure, coarse to fine, from 5 to 640 pixels a side: amplitudes fall with the
# frequency, as in photos; the last ones bring the JPEG to 100 KB.
OCTAVES = ((5, 1.0), (10, 0.4), (20, 0.3), (40, 0.2), (80, 0.2), (160, 0.15), (320, 0.1), (640, 0.06))
FINEST_COLOR = 40  # what is finer differs in brightness alone, as mostly in photos


def make(folder: Path, num_xml: int, xml_per_folder: int, *counts_of_photos: int) -> None:
    for start in range(0, num_xml, xml_per_folder):
        annotations = folder / "annotations" / f"{start:05}"
        annotations.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + xml_per_folder, num_xml)):
            text = document(annotation(number))
            (annotations / f"{number:06}.xml").write_text(text, encoding="utf-8")

    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    pictures = [base_picture(seed) for seed in range(min(BASE_PICTURES, max(counts_of_photos)))]
    for number in range(max(counts_of_photos)):
        (photos / f"{number:06}.jpg").write_bytes(numbered(pictures[number % len(pictures)], number))
    for count in counts_of_photos:
        rows = (row for number in range(count) for row in labels_csv.rows_of(annotation(number)))
        labels_csv.write_rows(rows, folder / f"photos_{count}.csv")


def annotation(number: int) -> Annotation:
    """One to three objects, 1.7 on average, as in catalogue photos."""
    filename = f"{number:06}.jpg"
    image_path = f"/home/me/photos/{filename}"
    return Annotation(filename, SIDE, SIDE, list(_objects(random.Random(number))), "photos", image_path)


def _objects(chance: random.Random) -> Iterator[VocObject]:
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        xmin, ymin = chance.randrange(1, SIDE // 2), chance.randrange(1, SIDE // 2)
        xmax, ymax = chance.randrange(xmin + 40, SIDE), chance.randrange(ymin + 40, SIDE)
        yield VocObject(chance.choice(list(CLASS_IDS)), xmin, ymin, xmax, ymax)


def base_picture(seed: int) -> bytes:
    """A JPEG of blurred structure on all scales: like a photo to a decoder, to the eye a cloud."""
    chance = random.Random(seed)
    picture = None
    for side, share in OCTAVES:
        mode = "RGB" if side <= FINEST_COLOR else "L"
        noise = Image.frombytes(mode, (side, side), chance.randbytes(len(mode) * side * side))
        layer = noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")
        picture = Image.blend(picture, layer, share) if picture else layer
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()


def numbered(jpeg: bytes, number: int) -> bytes:
    """The JPEG with a comment that makes it a file like no other (ITU-T T.81, B.2.4.5: marker COM, after SOI)."""
    comment = b"photo %08d" % number
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


if __name__ == "__main__":
    make(Path(sys.argv[1]), *map(int, sys.argv[2:]))
