"""Checks of the boxes of one image: generate_tfrecord.py refuses and check_dataset.py reports what they find.

Boxes are corners in pixels as LabelImg writes them: xmin, ymin from 0, xmax, ymax up to the width and height.
"""

from __future__ import annotations

import difflib
import functools
from collections import defaultdict
from collections.abc import Collection, Sequence

from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding
from scripts.lib.core.wording import counted

CLIP_PIXELS = 2  # a box that reaches out of the image by no more was meant to end at its edge

Box = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax in pixels
Size = tuple[int, int]  # width, height in pixels


def check_boxes(
    file: str,
    class_names: Sequence[str],
    boxes_xyxy: Sequence[Box],
    annotated_size: Size,
    raw_size: Size,
    orientation: int,
) -> tuple[list[Box], list[Finding]]:
    """Check the boxes of one image and bring them into the frame of the upright image.

    Args:
        file: named in the findings.
        class_names, boxes_xyxy: the class of each box, and its corners in pixels of the annotation's frame.
        annotated_size: of the image as the annotation states it; 0 where it does not.
        raw_size, orientation: of the image as its file stores it; EXIF orientation 1..8, 1 is upright.

    Returns:
        The boxes in pixels of the upright image, clipped; good only where no finding is an error. And the findings.
    """
    upright_size = raw_size[::-1] if orientation >= 5 else raw_size
    if not boxes_xyxy and (0 in annotated_size or annotated_size in (raw_size, upright_size)):
        return [], []  # without boxes, neither size nor frame matters
    in_raw_frame, findings = _frame(file, annotated_size, raw_size, upright_size, orientation)
    size = raw_size if in_raw_frame else upright_size
    stated = "the annotation states a size of {}x{}, the image has {}x{}".format(*annotated_size, *size)
    if 0 in annotated_size:
        findings.append(Finding(NOTE, "size-missing", file, f"{stated}; the image's is used"))
    elif annotated_size != size:
        remedy = "if the image was resized after it was labelled, label it again"
        findings.append(Finding(WARNING, "size-mismatch", file, f"{stated}; the image's is used", remedy))
    if in_raw_frame:
        boxes_xyxy = [upright_box(box, raw_size, orientation) for box in boxes_xyxy]

    checked = []
    for number, (name, box) in enumerate(zip(class_names, boxes_xyxy, strict=True), start=1):
        box, box_findings = check_box(box, upright_size, file, f"object {number} ({name})")
        findings += box_findings
        checked.append(box)
    findings += _duplicates(file, class_names, checked)
    return checked, findings


def check_classes(file: str, class_names: Sequence[str], known_classes: Collection[str]) -> list[Finding]:
    """Return an error for each box whose class is not in the label map."""
    return [
        unknown_class(name, known_classes, file, f"object {number} ({name})")
        for number, name in enumerate(class_names, start=1)
        if name not in known_classes
    ]


def unknown_class(name: str, known_classes: Collection[str], file: str, object: str = "") -> Finding:
    """Return the error of a class that the label map lacks, with the known one that is spelled most like it."""
    nearest = _nearest(name, known_classes)
    meant = f"did you mean {nearest!r}? If not, " if nearest else ""
    message = f"class {name!r} is not in the label map ({', '.join(known_classes)})"
    remedy = f"{meant}correct the annotation, or add the class to the label map"
    return Finding(ERROR, "unknown-class", file, message, remedy, object=object)


def _nearest(name: str, known_classes: Collection[str]) -> str | None:
    """Return the known class that is spelled most like a name, or is a part of it, such as "Pants" of "Pants_Long"."""
    by_lower = {known.lower(): known for known in known_classes}
    lower = name.lower()
    close = difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.7)
    parts = [known for known in by_lower if min(len(known), len(lower)) > 2 and (known in lower or lower in known)]
    return by_lower[(close or parts)[0]] if close or parts else None


def check_box(box_xyxy: Box, size: Size, file: str, object: str = "") -> tuple[Box, list[Finding]]:
    """Check a box in pixels of the upright image; return it, clipped if it reaches out a little, and the findings."""
    finding = functools.partial(Finding, file=file, object=object)
    width, height = size
    xmin, ymin, xmax, ymax = box_xyxy
    shown = f"box ({xmin}, {ymin}, {xmax}, {ymax})"
    redraw = "draw the box again in LabelImg"

    if xmin > xmax or ymin > ymax:
        message = f"{shown} is inverted: a minimum exceeds its maximum"
        return box_xyxy, [finding(ERROR, "box-inverted", message=message, remedy=redraw)]
    outside = max(-xmin, -ymin, xmax - width, ymax - height)
    message = f"{shown} reaches {counted(outside, 'pixel')} out of the image of {width}x{height}"
    if outside > CLIP_PIXELS:
        return box_xyxy, [finding(ERROR, "box-outside-image", message=message, remedy=redraw)]

    findings = [finding(NOTE, "box-clipped", message=f"{message}; clipped")] if outside > 0 else []
    xmin, ymin, xmax, ymax = clipped = max(xmin, 0), max(ymin, 0), min(xmax, width), min(ymax, height)
    if xmin >= xmax or ymin >= ymax:
        findings.append(finding(ERROR, "box-zero-area", message=f"{shown} has no area", remedy=redraw))
    return clipped, findings


def _frame(
    file: str, annotated_size: Size, raw_size: Size, upright_size: Size, orientation: int
) -> tuple[bool, list[Finding]]:
    """Return True where the boxes of an image with EXIF orientation are in the frame of the stored pixels.

    LabelImg turns images upright since September 2020; its older annotations are in the stored (raw) frame. The size
    that the annotation states tells which, unless both frames are of one size.
    """
    if orientation == 1:
        return False, []
    turned = f"its EXIF orientation is {orientation}"
    if annotated_size == raw_size != upright_size:
        message = f"{turned}, and the boxes are in the frame of the stored pixels, as older LabelImg wrote them; turned"
        return True, [Finding(NOTE, "exif-raw-frame", file, message)]
    if annotated_size == upright_size != raw_size:
        message = f"{turned}, and the boxes are in the upright frame, as LabelImg writes them since 2020"
        return False, [Finding(NOTE, "exif-upright-frame", file, message)]
    why = "both frames are of one size" if raw_size == upright_size else "the annotation's size fits neither"
    message = f"{turned}, and nothing tells whether the boxes are in the upright frame ({why}); upright is assumed"
    remedy = "look at the boxes in a current LabelImg, which shows the image upright"
    return False, [Finding(WARNING, "exif-frame-undecidable", file, message, remedy)]


def _duplicates(file: str, class_names: Sequence[str], boxes_xyxy: Sequence[Box]) -> list[Finding]:
    """Return a warning for each box that occurs twice, with one class or with several."""
    numbers_of = defaultdict(list)
    for number, box in enumerate(boxes_xyxy, start=1):
        numbers_of[box].append(number)
    findings = []
    for box, numbers in numbers_of.items():
        if len(numbers) > 1:
            names = dict.fromkeys(class_names[number - 1] for number in numbers)
            which = f"objects {' and '.join(map(str, numbers))} ({', '.join(names)})"
            message = f"have the same box and {'class' if len(names) == 1 else 'different classes'}: {box}"
            findings.append(Finding(WARNING, "box-duplicate", file, message, "keep one of them", object=which))
    return findings


def upright_box(box_xyxy: Box, raw_size: Size, orientation: int) -> Box:
    """Return a box of the stored pixels in the frame of the upright image (EXIF 2.32, section 4.6.4, tag 0x0112).

    Its corners are edges, not pixel centres: xmax may equal the width.
    """
    width, height = raw_size
    xmin, ymin, xmax, ymax = box_xyxy
    if orientation in (2, 3, 7, 8):  # what was right becomes left, or top
        xmin, xmax = width - xmax, width - xmin
    if orientation in (3, 4, 6, 7):  # what was below becomes top, or left
        ymin, ymax = height - ymax, height - ymin
    return (ymin, xmin, ymax, xmax) if orientation >= 5 else (xmin, ymin, xmax, ymax)
