"""What counts as a detection: the flags that detect.py and its Beam pipeline share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.core import command_line
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model

DEFAULT_SCORE = 0.5  # from which on a detection counts where no report says more


def add_to(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what counts")
    group.add_argument(
        "--min_score",
        type=command_line.score,
        metavar="SCORE",
        help=f"least score of a detection (default: for each class the best one by report.py, else {DEFAULT_SCORE})",
    )
    group.add_argument(
        "--class_min_score",
        type=class_score,
        action="append",
        metavar="CLASS=SCORE",
        help="another least score for one class, e.g. Dresses=0.4; may be repeated",
    )
    group.add_argument("--classes", nargs="+", action="extend", metavar="CLASS", help="these classes only")
    group.add_argument(
        "--nms_iou",
        type=command_line.score,
        metavar="IOU",
        help="of two boxes of a class that overlap more, the weaker one is left out, beyond what the model does itself",
    )


def class_score(text: str) -> tuple[str, float]:
    """An argparse type: a class and its least score."""
    name, equals, score = text.rpartition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form CLASS=SCORE")
    return name, command_line.score(score)


def score_thresholds(args: argparse.Namespace, models: Sequence[Path], class_names: Sequence[str]) -> dict[str, float]:
    """Class name -> least score: as given for the class, else for all, else by the report, else 0.5.

    Of an ensemble, whose scores are means of its models', the mean of their reports' thresholds counts.

    Args:
        args: of the flags above.
        models: folders of the exported models.
        class_names: all that they know.

    Raises:
        UsageError: a class that was named is unknown.
    """
    of_classes = dict(args.class_min_score or ())
    for flag, named in (("class_min_score", of_classes), ("classes", args.classes)):
        for name in named or ():
            if name not in class_names:
                raise UsageError(f"--{flag} {name}: the model knows {', '.join(class_names)}")
    if args.min_score is None:
        thresholds = default_thresholds(models, class_names)
    else:
        thresholds = dict.fromkeys(class_names, args.min_score)
    thresholds.update(of_classes)
    return {name: thresholds[name] for name in class_names if not args.classes or name in args.classes}


def default_thresholds(models: Sequence[Path], class_names: Sequence[str]) -> dict[str, float]:
    """Class name -> least score by the models' reports, else 0.5; see `score_thresholds`."""
    thresholds = dict.fromkeys(class_names, DEFAULT_SCORE)
    reports = [exported_model.score_thresholds(model) for model in models]
    for name in class_names:
        if of_class := [report[name] for report in reports if name in report]:
            thresholds[name] = sum(of_class) / len(of_class)
    return thresholds
