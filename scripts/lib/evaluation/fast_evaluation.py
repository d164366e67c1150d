"""An evaluation on the exported model, in batches: the legacy evaluator's mAP in a fraction of its time.

The legacy evaluator puts one image after another through a queue of TensorFlow's and a graph with the losses in it, and
draws pictures in between. Here the record is read without TensorFlow and the frozen graph runs on batches. Its losses,
which need the training's graph, are the one thing that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scripts.lib.evaluation import average_precision, event_files, metrics_file, on_record
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.evaluation.metrics_file import Evaluation

if TYPE_CHECKING:
    from scripts.lib.models.detector import Detector


def evaluate(model: Path | str | Detector, records: Sequence[Path | str], class_ids: Mapping[str, int]) -> Evaluation:
    """Evaluates an exported model, or an ensemble, on a record.

    Args:
        model: the exported model's folder, or a detector, or an ensemble whose class ids are those of the record.
        records: record files, or patterns of their shards.
        class_ids: class name -> id.
    """
    run = on_record.detect if isinstance(model, (str, Path)) else on_record.run
    found = run(model, records)
    return Evaluation(found.global_step or 0, len(found.images), pascal_metrics(found.images, class_ids))


def pascal_metrics(images: list[EvaluatedImage], class_ids: Mapping[str, int]) -> dict[str, float]:
    """AP@0.5 of each class and their mean, under the names that the legacy evaluator gives them."""
    aps = {
        name: float(average_precision.average_precision(average_precision.match(images, class_id))[0])
        for name, class_id in class_ids.items()
    }
    there = [ap for ap in aps.values() if not np.isnan(ap)]
    return {
        **{f"{metrics_file.CLASS_AP_PREFIX}{name}": ap for name, ap in aps.items()},
        metrics_file.MEAN_AP: float(np.mean(there)) if there else float("nan"),
    }


def write_events(eval_dir: Path | str, evaluation: Evaluation) -> None:
    """Writes the metrics for TensorBoard, under the legacy evaluator's tags."""
    event_files.write(event_files.new_path(eval_dir, "fast"), evaluation.global_step, evaluation.metrics)
