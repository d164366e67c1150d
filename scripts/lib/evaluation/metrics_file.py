"""The metrics of one evaluation: as metrics.json, and as a table."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from scripts.lib.core import files, json_text
from scripts.lib.core.wording import counted

MEAN_AP = "PascalBoxes_Precision/mAP@0.5IOU"
CLASS_AP_PREFIX = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"
_MEAN_TAG = re.compile(r"(\w+)_Precision/mAP(?:@0\.5IOU.*)?")
_CLASS_TAG = re.compile(r"(\w+)_PerformanceByCategory/m?AP(?:@0\.5IOU)?/(.*)", re.DOTALL)
_HEADLINES = {  # the evaluator's prefix -> what its mean is called; of several, the first counts
    "PascalBoxes": "mAP@0.5",
    "DetectionBoxes": "mAP@[.5:.95]",  # COCO
    "WeightedPascalBoxes": "weighted mAP@0.5",
    "OpenImagesV2": "Open Images mAP@0.5",
    "OpenImagesDetectionChallenge": "Open Images Challenge mAP@0.5",
    "PrecisionAtRecallBoxes": "mAP@0.5 between the recall bounds",
    "PascalMasks": "mask mAP@0.5",
    "DetectionMasks": "mask mAP@[.5:.95]",
    "WeightedPascalMasks": "weighted mask mAP@0.5",
    "OpenImagesInstanceSegmentationChallenge": "Open Images Challenge mask mAP@0.5",
}


_SHAPE = {"global_step": int, "num_examples": int, "metrics": {str: (float, type(None))}}


class Evaluation(NamedTuple):
    """One evaluation."""

    global_step: int  # training step of the checkpoint
    num_examples: int  # number of evaluated images
    metrics: dict[str, float]  # the Object Detection API's TensorBoard tag -> value; NaN without ground truth


class Headline(NamedTuple):
    """The number of an evaluation by which checkpoints are compared; NaN where nothing has ground truth."""

    name: str  # e.g. "mAP@0.5"
    value: float
    by_class: dict[str, float]  # empty where the API computes none

    @property
    def class_name(self) -> str:
        """Return what it is called for one class, e.g. "AP@0.5"."""
        return self.name.replace("mAP", "AP")


def headline(evaluation: Evaluation) -> Headline:
    """Return the first number of `_HEADLINES` that the config's metrics_set gives, with those of the classes."""
    means, by_class = {}, defaultdict(dict)
    for tag, value in evaluation.metrics.items():
        value = math.nan if value < 0 else value  # COCO's -1: no ground truth
        if match := _MEAN_TAG.fullmatch(tag):
            means[match[1]] = value
        elif match := _CLASS_TAG.fullmatch(tag):
            by_class[match[1]][match[2]] = value
    prefix = next((prefix for prefix in _HEADLINES if prefix in means), "PascalBoxes")
    return Headline(_HEADLINES[prefix], means.get(prefix, math.nan), by_class[prefix])


HEAD = b'{\n  "global_step": '  # what metrics.json begins with


def write(path: Path | str, evaluation: Evaluation) -> None:
    """Write metrics.json."""
    write_json(path, {**evaluation._asdict(), "metrics": dict(sorted(evaluation.metrics.items()))})


def write_json(path: Path | str, content: dict) -> None:
    """Write a file of figures; NaN becomes null, since JSON has no NaN."""
    with files.atomic_write(path, "w") as file:
        json.dump(finite_or_null(content), file, indent=2, ensure_ascii=False)
        file.write("\n")


def finite_or_null(value):
    """Return the value with None for NaN and infinity, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite_or_null(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path | str) -> Evaluation:
    """Read metrics.json; raise OSError or ValueError where there is none."""
    content = json_text.read(path, _SHAPE)
    metrics = {name: math.nan if value is None else value for name, value in content["metrics"].items()}
    return Evaluation(content["global_step"], content["num_examples"], metrics)


def table(evaluation: Evaluation, class_ids: Mapping[str, int] = MappingProxyType({})) -> str:
    """Return the headline for each class and in the mean, and what other metrics the config asks for, as text.

    With `class_ids`, the label map's name -> id, the classes are in its order, with their ids.
    """
    ids = {unicodedata.normalize("NFKD", name): class_id for name, class_id in class_ids.items()}  # the API's form
    digits = max((len(str(class_id)) + 1 for class_id in ids.values()), default=0)
    found = headline(evaluation)
    by_class = [(ids.get(unicodedata.normalize("NFKD", name), 0), name, ap) for name, ap in found.by_class.items()]
    rows = {
        str(class_id or "").ljust(digits) + name: ap for class_id, name, ap in sorted(by_class, key=lambda row: row[0])
    }
    rows[" " * digits + f"mean ({found.name})"] = found.value
    shown = {name: "no ground truth in the record" if math.isnan(ap) else f"{ap:.3f}" for name, ap in rows.items()}
    hidden = ("Losses/", "PascalBoxes_") if found.name == _HEADLINES["PascalBoxes"] else "Losses/"  # else shown above
    shown |= {tag: f"{value:.3f}" for tag, value in sorted(evaluation.metrics.items()) if not tag.startswith(hidden)}
    width = max(map(len, shown))
    head = f"Step {evaluation.global_step}, {counted(evaluation.num_examples, 'image')}, {found.class_name}:"
    return "\n".join([head, *(f"  {name:<{width}}  {value}" for name, value in shown.items())])
