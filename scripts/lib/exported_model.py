"""What an exported model consists of, on disk."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

FROZEN_GRAPH = "frozen_inference_graph.pb"
SAVED_MODEL = "saved_model"
PIPELINE_CONFIG = "pipeline.config"
LABEL_MAP = "label_map.pbtxt"
CHECKPOINT = "model.ckpt"  # prefix
SCORE_THRESHOLDS = "score_thresholds.json"  # added by report.py

_PARTS = (
    FROZEN_GRAPH,
    SAVED_MODEL,
    PIPELINE_CONFIG,
    LABEL_MAP,
    SCORE_THRESHOLDS,
    "checkpoint",
    f"{CHECKPOINT}.*",
    "inference_graph.pbtxt",
)


def is_part(name: str) -> bool:
    """Whether a file or folder of this name is one that the export writes."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _PARTS)


def score_thresholds(folder: Path | str) -> dict[str, float]:
    """Class name -> the score with the best F1 on the test set, as report.py found it; empty without a report."""
    try:
        return json.loads((Path(folder) / SCORE_THRESHOLDS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
