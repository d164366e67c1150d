"""The flags that decide which detections count, shared by detect.py and its Beam pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.lib.core.command_line import score
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model

DEFAULT_SCORE = 0.5  # score threshold where no report gives one


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which detections count")
    group.add_argument("--min_score", type=score, help="score threshold (default: the report's of each class, or 0.5)")
    group.add_argument(
        "--class_min_score",
        type=class_score,
        action="append",
        default=[],
        metavar="CLASS=SCORE",
        help="score threshold of one class, e.g. Dresses=0.4; may be repeated",
    )
    group.add_argument("--classes", nargs="+", action="extend", default=[], metavar="CLASS", help="only these classes")
    group.add_argument("--nms_iou", type=score, help="keep the better of two boxes of one class with a higher IoU")


def class_score(text: str) -> tuple[str, float]:
    """Parse CLASS=SCORE, for argparse."""
    name, equals, value = text.rpartition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form CLASS=SCORE")
    return name, score(value)


def score_thresholds(
    models: Sequence[Path],
    class_names: Sequence[str],
    min_score: float | None = None,
    class_min_scores: Iterable[tuple[str, float]] = (),
    classes: Sequence[str] = (),
) -> dict[str, float]:
    """Return class name -> score threshold: that of the class, else `min_score`, else the report's, else 0.5.

    Args:
        models: folders of the exported models.
        class_names: all classes of the models.
        min_score, class_min_scores, classes: values of the flags.

    Raises:
        UsageError: a class is unknown.
    """
    of_class = dict(class_min_scores)
    for flag, names in (("--class_min_score", of_class), ("--classes", classes)):
        for name in names:
            if name not in class_names:
                raise UsageError(f"{flag} {name}: the model knows {', '.join(class_names)}")
    general = default_thresholds(models, class_names) if min_score is None else dict.fromkeys(class_names, min_score)
    thresholds = {**general, **of_class}
    return {name: thresholds[name] for name in class_names if not classes or name in classes}


def default_thresholds(models: Sequence[Path], class_names: Sequence[str]) -> dict[str, float]:
    """Return class name -> mean of the thresholds in the models' reports, else 0.5."""
    thresholds = dict.fromkeys(class_names, DEFAULT_SCORE)
    reports = [exported_model.score_thresholds(model) for model in models]
    for name in class_names:
        if of_class := [report[name] for report in reports if name in report]:
            thresholds[name] = sum(of_class) / len(of_class)
    return thresholds
