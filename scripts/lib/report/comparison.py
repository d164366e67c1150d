"""Two reports on the same record side by side: the difference of every figure with its interval, and where they differ.

The resamples are the same for both runs (a paired bootstrap): what makes an image hard makes it hard for both, so that
the interval of the difference is narrower than those of the two figures would suggest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.evaluation import coco, error_types, on_record
from scripts.lib.pages import render
from scripts.lib.report import examples as report_examples
from scripts.lib.report import figures as report_metrics
from scripts.lib.report import report
from scripts.lib.report.examples import Example
from scripts.lib.report.figures import Figure, Results

_NUM_PICTURES = 18


class Difference(NamedTuple):
    """One figure of both runs.

    Attributes:
        a, b: of run A and of run B.
        difference: b - a, with its 95% interval.
    """

    a: float
    b: float
    difference: Figure

    @property
    def decided(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.difference.low > 0 or self.difference.high < 0


class Run(NamedTuple):
    """A report as it was read back."""

    class_ids: dict[str, int]
    record_sha256: str
    found: on_record.RecordDetections


def write(
    run_a: Path,
    run_b: Path,
    output_dir: Path,
    picture_records: Sequence[Path | str],
    title: str,
    note: str,
    num_resamples: int,
) -> None:
    """Writes index.html, compare.json and, where the records are given, images/ of what the runs see differently.

    Raises:
        UsageError: a folder holds no report.
        DataError: the runs were made on different records, or with different classes.
    """
    runs = [read(run) for run in (run_a, run_b)]
    check(runs, (run_a, run_b))
    results = [report_metrics.compute(run.found.images, run.class_ids, num_resamples=1) for run in runs]
    differences = compare(results, num_resamples)
    examples = _draw(output_dir / report_examples.FOLDER, results, picture_records)
    names = [files.shown_path(run) for run in (run_a, run_b)]
    findings = sentences(differences)
    report_metrics.write_json(
        output_dir / "compare.json",
        report_metrics.without_nan(
            {
                "a": names[0],
                "b": names[1],
                "num_examples": len(results[0].images),
                "findings": findings,
                "differences": {
                    name: {
                        "a": one.a,
                        "b": one.b,
                        "difference": one.difference.value,
                        "interval_95_percent": [one.difference.low, one.difference.high],
                    }
                    for name, one in differences.items()
                },
            }
        ),
    )
    render.write(
        output_dir / report.PAGE,
        "compare.html",
        title=title or f"{names[0]} and {names[1]}",
        note=note,
        name_a=names[0],
        name_b=names[1],
        num_images=len(results[0].images),
        num_resamples=num_resamples,
        differences=differences,
        findings=findings,
        examples=report.gallery(output_dir, examples, results[0]),
        errors={kind: [one.errors.costs[kind] for one in results] for kind in error_types.ERROR_TYPES},
    )


def read(run: Path) -> Run:
    """Reads back the folder of a report.

    Raises:
        UsageError: it is none.
    """
    try:
        content = json.loads((run / report.METRICS).read_text(encoding="utf-8"))
        key, found = on_record.read(run / report.DETECTIONS)
        labels = content["confusion_matrix"]["labels"][:-1]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--compare {files.shown_path(run)} holds no report ({error}); give the output_dir of report.py"
        ) from error
    return Run({name: class_id for class_id, name in enumerate(labels, start=1)}, key["record_sha256"], found)


def check(runs: Sequence[Run], places: Sequence[Path]) -> None:
    """Refuses runs whose figures cannot be compared."""
    a, b = runs
    names = " and ".join(map(files.shown_path, places))
    if a.record_sha256 != b.record_sha256:
        raise DataError([f"{names} were made on different records; run report.py on one record for both models"])
    if a.class_ids != b.class_ids:
        raise DataError([f"{names} have different classes: {', '.join(a.class_ids)}; {', '.join(b.class_ids)}"])


def compare(results: Sequence[Results], num_resamples: int) -> dict[str, Difference]:
    """All figures of two runs on the same images: AP@0.5 of each class, their mean, and COCO's."""
    num_images = len(results[0].images)

    def difference(weights: np.ndarray) -> dict[str, np.ndarray]:
        a, b = (report_metrics.measure(run.matches, weights) for run in results)
        return {name: b[name] - a[name] for name in a}

    a, b = (report_metrics.measure(run.matches, np.ones((1, num_images))) for run in results)
    differences = report_metrics.with_intervals(difference, num_images, num_resamples)
    return {name: Difference(float(a[name][0]), float(b[name][0]), one) for name, one in differences.items()}


def sentences(differences: dict[str, Difference]) -> list[str]:
    """What the differences say."""
    mean = differences[report_metrics.MEAN]
    low, high = mean.difference.low, mean.difference.high
    interval = f"95% interval {low:+.3f} to {high:+.3f}"
    if mean.decided:
        better, worse = ("B", "A") if mean.difference.value > 0 else ("A", "B")
        first = (
            f"{better} is better than {worse}: the mAP@0.5 differs by {abs(mean.difference.value):.3f} ({interval})."
        )
    else:
        first = (
            f"The mAP@0.5 of B is {mean.difference.value:+.3f} against A ({interval}): "
            "these images cannot tell which of them is better."
        )
    decided = [
        f"{name}: {one.a:.3f} in A, {one.b:.3f} in B; the interval of the difference leaves 0 out."
        for name, one in differences.items()
        if one.decided and name != report_metrics.MEAN and name not in coco.METRICS
    ]
    return [first, *decided]


def _draw(folder: Path, results: Sequence[Results], records: Sequence[Path | str]) -> list[Example]:
    """The images that the runs see most differently: truth, A, B."""
    if not records:
        report_examples.remove(folder)
        return []
    errors = [
        [report_examples.tally(*pair).errors for pair in zip(one.images, one.pairings, strict=True)] for one in results
    ]
    difference = np.subtract(errors[1], errors[0])
    order = [index for index in np.argsort(-np.abs(difference), kind="stable").tolist() if difference[index]]
    examples = [
        Example(index, "differs", f"{errors[0][index]} errors in A, {errors[1][index]} in B")
        for index in order[:_NUM_PICTURES]
    ]
    return report_examples.draw(
        folder,
        examples,
        records,
        lambda photo, index: report_examples.side_by_side(photo, index, *results, titles=("A", "B")),
    )
