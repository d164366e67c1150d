"""Exports a trained detector for every runtime, in one command, and checks that all give the same detections.

In:   a checkpoint (a prefix such as train/model.ckpt-800, or a training's folder: its latest) and a pipeline config,
      by default the one that the training has left beside it.
Out:  in output_dir, with label_map.pbtxt, pipeline.config, and model.json (classes, colour order, size and scaling of
      the input), so that whoever uses a model needs nothing else, by --formats:
        saved_model   saved_model/, which takes the bytes of JPEG or PNG files: for TensorFlow Serving
        frozen        frozen_inference_graph.pb and model.ckpt.*, which take pixels: export_inference_graph.py's
        onnx          model.onnx, what detect.py runs by default
        openvino      openvino/model.xml and .bin
        tflite        model.tflite, and model_int8.tflite, whose 8-bit integers are calibrated on training images
      A table of size, speed, and the largest difference from the frozen graph on three pictures; of formats that round
      (int8, bfloat16) mAP@0.5 on the evaluation record, too.

The folder appears whole or not at all, and not where a format that should be exact is not: boxes within 0.5 pixels,
scores within 0.01. openvino and tflite need requirements-runtimes.txt; tflite takes SSD models alone.

  python scripts/export_model.py --checkpoint runs/multi/train --formats saved_model,frozen,onnx,openvino,tflite
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import _init_paths  # noqa: F401
import numpy as np

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import label_map
from scripts.lib.evaluation import metrics_file
from scripts.lib.images import decode
from scripts.lib.models import export, exported_model, metadata, onnx_conversion, tflite_conversion
from scripts.lib.models.detector import DetectionArrays, Detector
from scripts.lib.records import read

if TYPE_CHECKING:
    from scripts.lib.core.remote_path import RemotePath

FORMATS = ("saved_model", "frozen", "onnx", "openvino", "tflite")
LIBRARIES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "openvino": ("openvino", "onnx", "tf2onnx"),
    "tflite": ("ai_edge_litert",),
}
PICTURES = 3
MAX_BOX_DIFFERENCE = 0.5  # pixels
MAX_SCORE_DIFFERENCE = 0.01
LEAST_SCORE = 0.1  # detections below are not compared, but the best of each picture always is
TURNS = 5


class Check(NamedTuple):
    """A format to be checked.

    Attributes:
        title: in the table.
        runtime: what runs it; see `runtimes`.
        path: of the file or folder, in the export.
        is_exact: it has to give the frozen graph's detections.
    """

    title: str
    runtime: str
    path: str
    is_exact: bool = True


class Row(NamedTuple):
    """What was measured of a format."""

    check: Check
    megabytes: float
    milliseconds: float
    box_difference: float
    score_difference: float
    mean_ap: float | None


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    checkpoint = checkpoint_files.find(args.checkpoint)
    config = read_config(args.pipeline_config_path or config_beside(checkpoint), args.formats)
    exported_model.check_output_directory("output_dir", args.output_dir)
    pictures = find_pictures(args.images, config)

    print(f"Exporting {checkpoint} to {files.shown_path(args.output_dir)}", flush=True)
    with files.scratch_beside(args.output_dir) as scratch:
        made = scratch / "export"
        checks = make_formats(args, config, checkpoint, made, scratch)
        rows = list(measure(checks, made, pictures, config))
        print(table(rows), flush=True)
        raise_differences(rows)
        remove_unwanted(made, args.formats)
        files.replace_folder(made, args.output_dir)
    print(f"The exported model is in {files.shown_path(args.output_dir)}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="checkpoint, or a folder: its latest")
    parser.add_argument("--pipeline_config_path", help="pipeline config (default: the one beside the checkpoint)")
    parser.add_argument(
        "--output_dir", type=local_path, default=files.default_path("exported_model"), help="its folder"
    )
    parser.add_argument("--formats", default="saved_model,frozen,onnx", help=f"of {','.join(FORMATS)}")
    parser.add_argument(
        "--images", type=local_path, nargs="+", help="pictures to check with (default: three of the evaluation record)"
    )
    parser.add_argument(
        "--calibration_images",
        type=command_line.not_negative_int,
        default=100,
        help="training images for int8's ranges; 0: no int8",
    )
    parser.add_argument("--verbose", action="store_true", help="show what TensorFlow logs of itself")
    args = parser.parse_args(argv)
    args.formats = [name.strip() for name in args.formats.split(",")]
    unknown = [name for name in args.formats if name not in FORMATS]
    if unknown:
        parser.error(f"--formats: {', '.join(unknown)} is none of {', '.join(FORMATS)}")
    return args


def config_beside(checkpoint: str) -> Path | RemotePath:
    """The config that the training wrote.

    Raises:
        UsageError: there is none.
    """
    path = files.path_of(checkpoint).parent / exported_model.PIPELINE_CONFIG
    if not path.is_file():
        raise UsageError(f"there is no {files.shown_path(path)}; give the config by --pipeline_config_path")
    return path


def read_config(path: Path | RemotePath | str, formats: Sequence[str]) -> pipeline_config.Message:
    """The config, after a look at all that would end the export later.

    Args:
        path: of the config.
        formats: that are asked for.

    Raises:
        UsageError: a format's library is missing, or the model cannot have the format.
        DataError: the config is at fault.
    """
    config = pipeline_config.read(path)
    findings = checks.check_model(config, path)
    findings += checks.check_label_map(config, pipeline_config.label_map_path(config), path)
    checks.raise_errors(findings, "nothing was exported")
    for name in formats:
        missing = [library for library in LIBRARIES.get(name, ()) if importlib.util.find_spec(library) is None]
        if missing:
            raise UsageError(
                f"--formats {name} needs {', '.join(missing)}: python -m pip install -r requirements-runtimes.txt"
            )
    why_not = tflite_conversion.unsuitable(config) if "tflite" in formats else None
    if why_not:
        raise UsageError(f"--formats tflite: {why_not}; leave it out")
    return config


# ------------------------------------------------------------------------------------------------------------ pictures


def find_pictures(paths: Sequence[Path] | None, config: pipeline_config.Message) -> list[np.ndarray]:
    """The pictures to check with, uint8 [height, width, 3] each.

    Raises:
        UsageError: there are none.
        DataError: one cannot be read.
    """
    if paths:
        pictures, problems = zip(*map(decode.read, paths), strict=True)
        if findings := list(itertools.chain.from_iterable(problems)):
            raise DataError(findings, "nothing was exported")
        return [np.asarray(picture) for picture in pictures]
    pictures = first_images(eval_records(config), PICTURES)
    if not pictures:
        raise UsageError("the config names no evaluation record that is there; give pictures to check with by --images")
    return pictures


def eval_records(config: pipeline_config.Message) -> list[str]:
    """The evaluation record's files, where they can be read here."""
    return local_records(config.eval_input_reader[0]) if config.eval_input_reader else []


def local_records(reader: pipeline_config.Message) -> list[str]:
    return [path for path in reader.tf_record_input_reader.input_path if pipeline_config.record_exists(path)]


def first_images(records: Sequence[str], count: int) -> list[np.ndarray]:
    """The pixels of the first images of a record."""
    images = itertools.chain.from_iterable(map(read.read, records))
    return [image.pixels() for image in itertools.islice(images, count)]


# ------------------------------------------------------------------------------------------------------------- formats


def make_formats(
    args: argparse.Namespace, config: pipeline_config.Message, checkpoint: str, made: Path, scratch: Path
) -> list[Check]:
    """Writes all formats that are asked for into `made`; returns how each is to be checked, the frozen graph first.

    Raises:
        UsageError: a format cannot be made of this model.
    """
    export.export(config, checkpoint, made, verbose=args.verbose)
    write_description(config, made)
    checks = [Check("frozen graph, TensorFlow", "tensorflow", exported_model.FROZEN_GRAPH)]
    if "saved_model" in args.formats:
        by_bytes = scratch / "saved_model"
        export.export(config, checkpoint, by_bytes, "encoded_image_string_tensor", args.verbose)
        shutil.rmtree(made / exported_model.SAVED_MODEL)
        shutil.move(by_bytes / exported_model.SAVED_MODEL, made / exported_model.SAVED_MODEL)
        checks.append(Check("SavedModel, TensorFlow", "saved_model", exported_model.SAVED_MODEL))
    if "onnx" in args.formats or "openvino" in args.formats:
        try:
            (made / exported_model.ONNX).write_bytes(onnx_conversion.convert(made))
        except onnx_conversion.ConversionError as error:
            raise UsageError(f"--formats: onnx and openvino cannot be made ({error}); leave them out") from None
    if "onnx" in args.formats:
        checks.append(Check("ONNX, ONNX Runtime", "onnx", exported_model.ONNX))
    if "openvino" in args.formats:
        checks += write_openvino(made)
    if "tflite" in args.formats:
        calibration = calibration_images(config, args.calibration_images)
        titles = {
            exported_model.TFLITE: ("TensorFlow Lite, one thread", "litert", True),
            exported_model.TFLITE_INT8: ("TensorFlow Lite int8, one thread", "litert_int8", False),
        }
        for name in tflite_conversion.write(config, made, calibration):
            title, runtime, is_exact = titles[name]
            checks.append(Check(title, runtime, name, is_exact))
    return checks


def write_description(config: pipeline_config.Message, made: Path) -> None:
    """Writes model.json; see `exported_model.read_description`."""
    classes = label_map.read(made / exported_model.LABEL_MAP)
    model_input: dict = {"color_order": metadata.COLOR_ORDER}
    if not tflite_conversion.unsuitable(config):
        resizer = config.model.ssd.image_resizer.fixed_shape_resizer
        model_input |= {"height": resizer.height, "width": resizer.width, "resizing": metadata.RESIZING}
        model_input |= tflite_conversion.scaling(made)
    description = {
        "class_names": {class_id: name for name, class_id in classes.items()},
        "global_step": exported_model.global_step(made),
        "input": model_input,
    }
    text = json.dumps(description, ensure_ascii=False, indent=2)
    (made / exported_model.DESCRIPTION).write_text(f"{text}\n", encoding="utf-8")


def write_openvino(made: Path) -> list[Check]:
    """Writes OpenVINO's form of the ONNX file, weights in float32.

    Raises:
        UsageError: OpenVINO cannot run the model.
    """
    import openvino

    from scripts.lib.models.runtimes.openvino import Float32Model

    try:
        Float32Model(made)  # of the ONNX file
    except onnx_conversion.ConversionError as error:
        raise UsageError(f"--formats: openvino cannot be made ({error}); leave it out") from None
    core = openvino.Core()
    path = made / exported_model.OPENVINO
    path.parent.mkdir()
    openvino.save_model(core.read_model(made / exported_model.ONNX), path, compress_to_fp16=False)
    checks = [Check("OpenVINO", "openvino_float32", "openvino")]
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        checks.append(Check("OpenVINO, bfloat16", "openvino", "openvino", is_exact=False))
    return checks


def calibration_images(config: pipeline_config.Message, count: int) -> list[np.ndarray]:
    """Training images whose values give int8 its ranges; none, with a line that says so, where there is no record."""
    records = local_records(config.train_input_reader)
    if count and not records:
        print("No int8: the config's training record, whose images it is calibrated on, is not there")
    return first_images(records, count) if count else []


def remove_unwanted(made: Path, formats: Sequence[str]) -> None:
    """Removes what was only needed on the way."""
    if "saved_model" not in formats:
        shutil.rmtree(made / exported_model.SAVED_MODEL)
    if "onnx" not in formats:
        (made / exported_model.ONNX).unlink(missing_ok=True)
    if "frozen" not in formats:
        for name in (exported_model.FROZEN_GRAPH, "checkpoint", f"{exported_model.CHECKPOINT}.*"):
            for path in made.glob(name):
                path.unlink()


# --------------------------------------------------------------------------------------------------------------- check


def measure(
    checks: Sequence[Check], made: Path, pictures: Sequence[np.ndarray], config: pipeline_config.Message
) -> Iterator[Row]:
    """Runs every format on the pictures; the first is what the others are compared with."""
    reference: list[DetectionArrays] = []
    rounds = not all(check.is_exact for check in checks)
    for check in checks:
        detector = Detector(made, check.runtime)
        found = list(detector.detect_each(pictures, batch_size=1))
        reference = reference or found
        differences = list(itertools.starmap(largest_difference, zip(reference, found, strict=True)))
        mean_ap = None
        if rounds and eval_records(config) and (check is checks[0] or not check.is_exact):
            mean_ap = mean_average_precision(detector, config)
        yield Row(
            check,
            size(made / check.path) / 1e6,
            1000 * statistics.median(seconds(detector, picture) for picture in pictures for _ in range(TURNS)),
            max(boxes for boxes, _ in differences),
            max(scores for _, scores in differences),
            mean_ap,
        )


def seconds(detector: Detector, picture: np.ndarray) -> float:
    start = time.perf_counter()
    list(detector.detect_each([picture], batch_size=1))
    return time.perf_counter() - start


def mean_average_precision(detector: Detector, config: pipeline_config.Message) -> float:
    from scripts.lib.evaluation import on_record

    class_ids = {name: class_id for class_id, name in detector.class_names.items()}
    evaluation = on_record.evaluate(detector, eval_records(config), class_ids)
    return evaluation.metrics[metrics_file.MEAN_AP]


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def largest_difference(one: DetectionArrays, other: DetectionArrays) -> tuple[float, float]:
    """Between detections of an image and their nearest counterparts of the same class: box (pixels), and score.

    Looked for from both sides, since a detection may also be one too many.
    """
    boxes, scores = zip(_one_way_difference(one, other), _one_way_difference(other, one), strict=True)
    return max(boxes), max(scores)


def _one_way_difference(wanted: DetectionArrays, found: DetectionArrays) -> tuple[float, float]:
    boxes, scores = 0.0, 0.0
    for number, (box, score, class_id) in enumerate(zip(*wanted, strict=True)):
        if number and score < LEAST_SCORE:
            break
        same_class = found.class_ids == class_id
        if not same_class.any():
            return float("inf"), float("inf")
        distances = np.abs(found.boxes_yxyx[same_class] - box).max(axis=1)
        nearest = distances.argmin()
        boxes = max(boxes, float(distances[nearest]))
        scores = max(scores, float(abs(found.scores[same_class][nearest] - score)))
    return boxes, scores


def table(rows: Sequence[Row]) -> str:
    cells = [("format", "MB", "ms an image", "largest difference: box (pixels)", "score", "mAP@0.5")]
    for row in rows:
        mean_ap = "" if row.mean_ap is None else f"{row.mean_ap:.3f}"
        differences = ("", "") if row is rows[0] else (f"{row.box_difference:.3f}", f"{row.score_difference:.4f}")
        cells.append((row.check.title, f"{row.megabytes:.1f}", f"{row.milliseconds:.1f}", *differences, mean_ap))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "\n".join(lines)


def raise_differences(rows: Sequence[Row]) -> None:
    """Raises DataError where a format that should be exact is not."""
    wrong = [
        f"{row.check.title}: boxes differ by up to {row.box_difference:.2f} pixels (at most {MAX_BOX_DIFFERENCE}), "
        f"scores by up to {row.score_difference:.3f} (at most {MAX_SCORE_DIFFERENCE}); leave the format out"
        for row in rows
        if row.check.is_exact
        and (row.box_difference > MAX_BOX_DIFFERENCE or row.score_difference > MAX_SCORE_DIFFERENCE)
    ]
    if wrong:
        raise DataError(wrong, "nothing was exported")


if __name__ == "__main__":
    command_line.run(main)
