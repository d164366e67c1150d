"""Which annotation file belongs to which image: LabelImg's rule, kept in each sub-folder by itself."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from scripts.lib.core.errors import ERROR, Finding


def annotation_path(annotations_dir: Path, image_name: str) -> Path:
    """The annotation of samples/shop/dress.jpg is annotations/shop/dress.xml.

    Args:
        annotations_dir: the folder of annotations.
        image_name: relative to the image folder, with `/`.
    """
    return annotations_dir / f"{posixpath.splitext(image_name)[0]}.xml"


def sharing_an_annotation(image_names: Iterable[str]) -> list[Finding]:
    """An error for each annotation that would be that of several images, such as dress.jpg and dress.png."""
    by_stem = defaultdict(list)
    for name in sorted(image_names):
        by_stem[posixpath.splitext(name)[0].casefold()].append(name)
    return [
        Finding(
            ERROR,
            "annotation-shared",
            first,
            f"{' and '.join(others)} would share its annotation file",
            "give each image a name of its own, not counting the suffix",
        )
        for first, *others in by_stem.values()
        if others
    ]
