"""The folder of an exported model: its files, and the checks of it."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import UsageError

FROZEN_GRAPH = "frozen_inference_graph.pb"
SAVED_MODEL = "saved_model"
PIPELINE_CONFIG = "pipeline.config"
LABEL_MAP = "label_map.pbtxt"
CHECKPOINT = "model.ckpt"  # prefix
ONNX = "model.onnx"
ONNX_INT8 = "model_int8.onnx"
OPENVINO = "openvino/model.xml"
OPENVINO_INT8 = "openvino/model_int8.xml"
TFLITE = "model.tflite"
TFLITE_INT8 = "model_int8.tflite"
METADATA = "model.json"
SCORE_THRESHOLDS = "score_thresholds.json"  # added by report.py --update_thresholds

_BY_THE_API = (FROZEN_GRAPH, SAVED_MODEL, PIPELINE_CONFIG, "checkpoint", f"{CHECKPOINT}.*", "inference_graph.pbtxt")
_BY_US = (LABEL_MAP, SCORE_THRESHOLDS, ONNX, ONNX_INT8, "openvino", TFLITE, TFLITE_INT8, METADATA)


def is_part(name: str) -> bool:
    """Return whether the export writes a file or folder of this name."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _BY_THE_API + _BY_US)


def check(folder: Path) -> None:
    """Raise UsageError, with what is missing, where a folder does not hold what a runtime can run."""
    files.put_back(folder)
    if any((folder / name).is_file() for name in (ONNX, ONNX_INT8, OPENVINO, OPENVINO_INT8)):
        return  # they hold all that is needed
    if folder.is_file():
        raise UsageError(f"{files.shown_path(folder)} is a file; give its folder, {files.shown_path(folder.parent)}")
    missing = [name for name in (FROZEN_GRAPH, LABEL_MAP) if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{files.shown_path(folder)} is not an exported model: {' and '.join(missing)} missing; "
            "give the output_directory of export_inference_graph.py"
        )


def sha256(folder: Path) -> str:
    """Return the hash of what tells this model from others; `check` must have passed.

    That is its graph, or a file made from it, and its forms in 8-bit integers, which round.
    """
    there = [folder / name for name in (FROZEN_GRAPH, ONNX, OPENVINO) if (folder / name).is_file()][:1]
    return files.sha256(*there, *filter(Path.is_file, (folder / ONNX_INT8, folder / OPENVINO_INT8)))


def check_output_directory(flag: str, folder: Path) -> None:
    """Raise UsageError where the folder that a flag names holds anything but an earlier export; it may be missing."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--{flag} {files.shown_path(folder)} is a file; give a folder")
    there = folder.iterdir() if folder.is_dir() else ()
    foreign = sorted(path.name for path in there if not is_part(path.name))
    if foreign:
        raise UsageError(
            f"--{flag} {files.shown_path(folder)} holds files that are not part of an export "
            f"({', '.join(foreign[:5])}); give an empty or a new folder"
        )


def global_step(folder: Path) -> int | None:
    """Return the training step of the exported checkpoint, or None where the export does not hold the checkpoint."""
    checkpoint = folder / CHECKPOINT
    if not checkpoint.with_name(f"{CHECKPOINT}.index").is_file():
        return None
    from scripts.lib.core.tensorflow import import_tensorflow

    variables = import_tensorflow().train.load_checkpoint(str(checkpoint))
    return int(variables.get_tensor("global_step")) if variables.has_tensor("global_step") else None


def score_thresholds(folder: Path | str) -> dict[str, float]:
    """Return class name -> the score threshold that report.py --update_thresholds wrote, empty where it did not.

    Raises:
        UsageError: the file was not written by report.py.
    """
    path = Path(folder) / SCORE_THRESHOLDS
    try:
        thresholds = json_text.read(path, {str: float})
        if beyond := [score for score in thresholds.values() if not 0 <= score <= 1]:
            raise ValueError(f"has the score threshold {beyond[0]}, expected 0 to 1")
        return thresholds
    except FileNotFoundError:
        return {}
    except ValueError as error:
        remedy = "remove it, or let report.py --update_thresholds write it again"
        raise UsageError(f"{files.shown_path(path)} {error}; {remedy}") from None
