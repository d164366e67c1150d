"""What an exported model consists of, on disk."""

from __future__ import annotations

import fnmatch

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
