"""Two reports on the same record side by side: every difference with its interval, and where the runs differ.

Both runs share the bootstrap resamples (a paired bootstrap). An image that is hard is hard for both, so that the
interval of a difference is narrower than the intervals of the two figures would suggest.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.wording import counted
from scripts.lib.evaluation import bootstrap, coco, metrics_file, on_record
from scripts.lib.evaluation.bootstrap import Figure
from scripts.lib.images import fonts
from scripts.lib.pages import render
from scripts.lib.report import examples, figures, report
from scripts.lib.report.examples import Example, ExampleImage
from scripts.lib.report.figures import ReportedModel, Results
from scripts.lib.report.report import PageOptions

_NUM_EXAMPLES = 18


class Difference(NamedTuple):
    """A figure of run A, of run B, and b - a with its 95% interval."""

    a: float
    b: float
    difference: Figure

    @property
    def decided(self) -> bool:
        """True if the interval excludes 0."""
        return self.difference.low > 0 or self.difference.high < 0


class SavedReport(NamedTuple):
    """A report that was read back."""

    model: ReportedModel
    about: dict[str, str]  # see `report.describe`
    record_sha256: str
    found: on_record.RecordDetections


def write(run_a: Path, run_b: Path, options: PageOptions) -> None:
    """Write index.html, compare.json and, with the records, images/ of what the runs detect differently.

    Raises:
        UsageError: a folder holds no report.
        DataError: the runs are on different records, or have different classes.
    """
    saved = [read(run) for run in (run_a, run_b)]
    name_a, name_b = names = [files.shown_path(run) for run in (run_a, run_b)]
    check(*saved, " and ".join(names))
    results = [figures.compute(one.found, one.model, num_resamples=1) for one in saved]
    differences = compare(*results, options.num_resamples)
    findings = sentences(differences)
    num_images = len(results[0].images)
    if options.image_records:
        fonts.use(options.font_file, [one.name for one in results[0].classes])
    drawn = _draw(*results, options)
    as_json = {
        name: {"a": one.a, "b": one.b, "difference": one.difference.value, "interval_95_percent": one.difference[1:]}
        for name, one in differences.items()
    }
    content = {"a": name_a, "b": name_b, "num_examples": num_images, "findings": findings, "differences": as_json}
    metrics_file.write_json(options.output_dir / report.COMPARISON, content)
    render.write(
        options.output_dir / report.PAGE,
        "compare.html",
        title=options.title or f"{name_a} and {name_b} compared",
        about={fact: [one.about.get(fact, "-") for one in saved] for fact in saved[0].about | saved[1].about},
        date=datetime.date.today().isoformat(),
        note=options.note,
        name_a=name_a,
        name_b=name_b,
        num_images=num_images,
        num_resamples=options.num_resamples,
        differences=differences,
        findings=findings,
        examples=drawn,
        errors=[one.errors for one in results],
    )


def read(run: Path) -> SavedReport:
    """Read the folder of a report; raise UsageError if it holds none."""
    try:
        content = json_text.read(run / report.METRICS, {"confusion_matrix": {"labels": [str]}, "about?": {str: str}})
        key, found = on_record.read(run / report.DETECTIONS)
        labels = content["confusion_matrix"]["labels"][:-1]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--compare {files.shown_path(run)} holds no report ({error}); give the output_dir of report.py"
        ) from error
    class_ids = {name: class_id for class_id, name in enumerate(labels, start=1)}
    return SavedReport(ReportedModel(class_ids), content.get("about", {}), key["record_sha256"], found)


def check(a: SavedReport, b: SavedReport, names: str) -> None:
    """Raise DataError if the figures of two runs cannot be compared."""
    if a.record_sha256 != b.record_sha256:
        raise DataError([f"{names} were made on different records; run report.py on one record for both models"])
    if a.model.class_ids != b.model.class_ids:
        classes = "; ".join(", ".join(one.model.class_ids) for one in (a, b))
        raise DataError([f"{names} have different classes: {classes}"])


def compare(run_a: Results, run_b: Results, num_resamples: int) -> dict[str, Difference]:
    """Compare all figures of two runs on the same images: mAP@0.5, AP@0.5 of each class, and COCO's metrics."""
    num_images = len(run_a.images)

    def difference(weights: np.ndarray) -> dict[str, np.ndarray]:
        a, b = (figures.measure(run.matches, weights) for run in (run_a, run_b))
        return {name: b[name] - a[name] for name in a}

    a, b = (figures.measure(run.matches, np.ones((1, num_images))) for run in (run_a, run_b))
    differences = bootstrap.with_intervals(difference, num_images, num_resamples)
    return {name: Difference(float(a[name][0]), float(b[name][0]), one) for name, one in differences.items()}


def sentences(differences: dict[str, Difference]) -> list[str]:
    """Return the findings: which run is better, and the classes that differ."""
    mean = differences[figures.MEAN]
    value, low, high = mean.difference
    interval = f"95% interval {low:+.3f} to {high:+.3f}"
    if mean.decided:
        better, worse = ("B", "A") if value > 0 else ("A", "B")
        first = f"{better} is better than {worse}: the mAP@0.5 differs by {abs(value):.3f} ({interval})."
    else:
        tell = "these images cannot tell which of them is better."
        first = f"The mAP@0.5 of B is {value:+.3f} against A ({interval}): {tell}"
    of_classes = (item for item in differences.items() if item[0] not in (figures.MEAN, *coco.METRICS))
    return [first] + [
        f"{name}: {one.a:.3f} in A, {one.b:.3f} in B; the interval of the difference excludes 0."
        for name, one in of_classes
        if one.decided
    ]


def _draw(run_a: Results, run_b: Results, options: PageOptions) -> list[ExampleImage]:
    """Draw the images whose errors differ most: ground truth, A, B."""
    errors_a, errors_b = ([examples.num_errors(counts) for counts in examples.tally(run)] for run in (run_a, run_b))
    difference = np.subtract(errors_b, errors_a)
    order = [index for index in np.argsort(-np.abs(difference), kind="stable").tolist() if difference[index]]
    chosen = [
        Example(index, "differs", f"{counted(errors_a[index], 'error')} in A, {errors_b[index]} in B")
        for index in order[:_NUM_EXAMPLES]
    ]
    runs = {"A": run_a, "B": run_b}
    return examples.draw(options.output_dir / examples.FOLDER, chosen, options.image_records, runs)
