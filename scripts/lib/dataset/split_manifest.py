"""The manifest of a split, split.json: how it was made, and the hashes of its CSVs.

It appears before the CSVs. Where split_dataset.py was killed meanwhile, or ran twice at once, they are not those of the
manifest, and `check` finds out whether they mix two splits.
"""

from __future__ import annotations

import os
from pathlib import Path

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import ERROR, WARNING, Finding
from scripts.lib.dataset import labels_csv

NAME = "split.json"  # beside the training CSV
HEAD = b'{\n  "input_csv": '  # what the file begins with
_SHAPE = {"splits": [{"train_csv": str, "test_csv": str}]}


def check(csv_path: Path, digest: str) -> list[Finding]:
    """Compare a CSV, of which `digest` is the SHA-256, with the manifest beside it, if that names it.

    Returns:
        An error where it shares images with the other CSV of its split; else a warning where one of the two is not as
        it was written.
    """
    try:
        manifest = json_text.read(csv_path.with_name(NAME), _SHAPE)
    except (OSError, ValueError):
        return []
    for split in manifest["splits"]:
        for side, other in (("train", "test"), ("test", "train")):
            if Path(split[f"{side}_csv"]).name == csv_path.name:
                other_csv = _beside(csv_path, split[f"{side}_csv"], split[f"{other}_csv"])
                stated = split.get(f"{side}_sha256"), split.get(f"{other}_sha256")  # earlier versions state none
                if not other_csv.is_file() or stated == (digest, files.sha256(other_csv)):
                    return []
                again = f"split again: {manifest.get('command', 'python split_dataset.py')}"
                finding = _compare(csv_path, other_csv, again)
                return [finding] if finding.severity == ERROR or any(stated) else []
    return []


def _beside(csv_path: Path, stated: str, other: str) -> Path:
    """Return where the other CSV of a split is, by the paths that its manifest states."""
    try:
        return csv_path.parent / os.path.relpath(other, Path(stated).parent)
    except ValueError:  # on another drive
        return Path(other)


def _compare(csv_path: Path, other_csv: Path, again: str) -> Finding:
    file, other = files.shown_path(csv_path), files.shown_path(other_csv)
    images, others = ({row.filename for row in labels_csv.inspect(path)[0]} for path in (csv_path, other_csv))
    if shared := len(images & others):
        message = f"{shared} of its {len(images)} images are in {other}, too: the two are not of one split"
        return Finding(ERROR, "split-mixed", file, message, again)
    message = f"it or {other} is not as {NAME} says; they have no image in common"
    return Finding(WARNING, "split-changed", file, message, f"if you did not change it, {again}")
