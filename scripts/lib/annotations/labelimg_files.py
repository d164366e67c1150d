"""The annotation file of each image: LabelImg's rule, applied in each sub-folder."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from scripts.lib.core.errors import ERROR, Finding


def annotation_path(annotations_dir: Path, image_name: str) -> Path:
    """Return annotations/shop/dress.xml for shop/dress.jpg; image names are relative to their folder, with `/`."""
    return annotations_dir / f"{posixpath.splitext(image_name)[0]}.xml"


def sharing_an_annotation(image_names: Iterable[str]) -> list[Finding]:
    """Return an error for each annotation file that several images would have, such as dress.jpg and dress.png."""
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
