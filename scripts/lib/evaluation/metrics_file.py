"""The metrics of one evaluation: as metrics.json, and as a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import files

MEAN_AP = "PascalBoxes_Precision/mAP@0.5IOU"
CLASS_AP_PREFIX = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"


class Evaluation(NamedTuple):
    """One evaluation."""

    global_step: int  # training step of the checkpoint
    num_examples: int  # number of evaluated images
    metrics: dict[str, float]  # the Object Detection API's TensorBoard tag -> value; NaN without ground truth


def class_aps(evaluation: Evaluation) -> dict[str, float]:
    """Return class name -> AP@0.5 (PASCAL VOC, area under the interpolated curve); NaN without ground truth."""
    prefix = CLASS_AP_PREFIX
    return {name.removeprefix(prefix): value for name, value in evaluation.metrics.items() if name.startswith(prefix)}


def write(path: Path | str, evaluation: Evaluation) -> None:
    """Write metrics.json; NaN becomes null, since JSON has no NaN."""
    metrics = {name: None if math.isnan(value) else value for name, value in sorted(evaluation.metrics.items())}
    with files.atomic_write(path, "w") as file:
        json.dump({**evaluation._asdict(), "metrics": metrics}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read(path: Path | str) -> Evaluation:
    """Read metrics.json."""
    content = json.loads(files.path_of(path).read_text(encoding="utf-8"))
    metrics = {name: math.nan if value is None else value for name, value in content["metrics"].items()}
    return Evaluation(content["global_step"], content["num_examples"], metrics)


def table(evaluation: Evaluation) -> str:
    """Return AP@0.5 of each class and their mean as lines of text; classes without ground truth are named."""
    rows = {
        name: "no ground truth in the record" if math.isnan(ap) else f"{ap:.3f}"
        for name, ap in class_aps(evaluation).items()
    }
    if MEAN_AP in evaluation.metrics:
        rows["mean (mAP@0.5)"] = f"{evaluation.metrics[MEAN_AP]:.3f}"
    width = max(map(len, rows), default=0)
    head = f"Step {evaluation.global_step}, {evaluation.num_examples} images, average precision at IoU 0.5:"
    return "\n".join([head, *(f"  {name:<{width}}  {value}" for name, value in rows.items())])
