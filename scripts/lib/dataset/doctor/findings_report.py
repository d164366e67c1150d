"""Findings of a data set as JSON, and as next steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import SEVERITIES, Finding, by_kind, errors

VERSION = 1
HEAD = b'{\n  "version": '  # what the JSON begins with


def write_json(path: Path | str, findings: Sequence[Finding], facts: dict) -> None:
    """Write all findings, whole or not at all; `facts` are further entries, e.g. numbers of images and boxes."""
    content = {
        "version": VERSION,
        **facts,
        "severities": {severity: sum(f.severity == severity for f in findings) for severity in SEVERITIES},
        "kinds": dict(sorted(Counter(finding.code for finding in findings).items())),
        "findings": [finding.as_json() for group in by_kind(findings) for finding in group],
    }
    # A Linux file name that is not UTF-8 becomes \udcxx, which JSON spells the same way.
    with files.atomic_write(path, "w") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def next_steps(findings: Sequence[Finding], num_images: int, image_dir: str, from_csv: bool) -> list[str]:
    """Return what to do about the findings of labels that were read from the labels CSV, or else from annotations."""
    steps = []
    if found := errors(findings):
        missing = sum(finding.code == "image-missing" for finding in found)
        if missing > num_images:
            steps.append(f"{missing} annotated images are not in {image_dir}: is it the right --image_dir?")
        scripts = "generate_tfrecord.py refuses" if from_csv else "xml_to_csv.py or generate_tfrecord.py refuses"
        steps.append(f"correct the errors, which {scripts}")
        steps.append("or leave out images with errors in image, box or class: generate_tfrecord.py --skip_invalid")
    else:
        begin = "read the warnings; then: " if findings else "next: "
        steps.append(f"{begin}python {'generate_tfrecord.py' if from_csv else 'xml_to_csv.py'}")
    return steps
