"""Detection: runtimes against TensorFlow, in one process, on one model.

The model is ssd_mobilenet_v1_multi.config's with random weights. They change only the speed of non-maximum suppression:
the scores are about 0.01, low as most of a trained model's. The photos are those of `benchmark.py data`.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.parallel import available_cores
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.detection.pipeline import Pipeline
from scripts.lib.detection.sources import Sources
from scripts.lib.images import decode
from scripts.lib.models import export, frozen_graph, onnx_conversion, onnx_quantization
from scripts.lib.models.detector import DEFAULT_SCORE, Detector
from tests.benchmarks import data_input, measuring
from tests.benchmarks.measuring import Result, Run

CONFIG = files.default_path("configs/ssd_mobilenet_v1_multi.config")
BIAS = -4.6  # of the class scores' logits: 0.01
# runtime -> least ratio: to TensorFlow, one image a call, and to a loop, from JPEG files
TARGETS = {"onnx": (2.2, 2.0), "onnx_int8": (3.5, 3.0), "openvino": (5.0, 4.0), "openvino_int8": (4.5, 3.0)}
VNNI = {"avx512_vnni", "avx_vnni"}  # instructions without which the targets of int8 are not judged
YOLO = "yolo11n.yaml"  # the architecture with random weights, which need no download


def measure(work_dir: Path, quick: bool) -> list[Result]:
    """Measures; see `benchmark.py`.

    Args:
        work_dir: for the model and the photos, kept for the next run.
        quick: fewer photos and turns.
    """
    model = work_dir / "detect_models_300"
    photos = work_dir / "detect_photos_640"
    if not model.is_dir():
        make_model(model, work_dir / "detect_checkpoint_300", photos)
    paths = make_photos(photos, 10 if quick else 50)
    images = [np.asarray(decode.read(path)[0]) for path in paths]
    runtimes = [name for name in TARGETS if name.startswith("onnx") or importlib.util.find_spec("openvino")]
    detectors = {name: Detector(model, name) for name in ("tensorflow", *runtimes)}
    sources = list(Sources([str(path) for path in paths], work_dir))
    loop = TutorialLoop(detectors["tensorflow"])
    works: dict[str, Callable[[], object]] = {
        "tutorial's loop": lambda: loop.run(paths, pixels_by_getdata),
        "lean loop": lambda: loop.run(paths, np.array),
    }
    for name, detector in detectors.items():
        works[f"{name}, arrays"] = lambda detector=detector: [detector.detect(image, DEFAULT_SCORE) for image in images]
        works[f"{name}, files"] = lambda detector=detector: list(pipeline(detector).run(sources))
    if importlib.util.find_spec("ultralytics"):
        works["yolo"] = yolo(work_dir, len(images))
    taken = in_turns(works, turns=3 if quick else 7)
    results = []
    for name in runtimes:
        alone, from_files = TARGETS[name]
        title = name
        if name == "openvino" and detectors[name]._model.precision == "bf16":
            title = f"{name}, bfloat16"
        elif name == "openvino":
            alone = from_files = 1.0  # the targets are for bfloat16
        if name.endswith("_int8") and not VNNI & {*measuring.machine()["cpu_flags"]}:
            title, alone, from_files = f"{title} (no VNNI: not judged)", None, None
        results += [
            measuring.ratio(
                f"{title}: inference alone, one image a call",
                alone,
                taken["tensorflow, arrays"],
                taken[f"{name}, arrays"],
                "TensorFlow",
            ),
            measuring.ratio(
                f"{title}: from JPEG files",
                from_files,
                taken["tutorial's loop"],
                taken[f"{name}, files"],
                "the tutorial's loop",
            ),
            measuring.ratio(
                f"{title}: from JPEG files",
                from_files,
                taken["lean loop"],
                taken[f"{name}, files"],
                "the same loop with np.array",
            ),
        ]
    if "yolo" in taken:
        ours = measuring.ratio("onnx beside YOLO11n at 320x320", 1.0, taken["yolo"], taken["onnx, arrays"], "YOLO11n")
        results.append(ours)
    per_image = ", ".join(f"{name} {1000 * run.wall / len(images):.1f} ms" for name, run in taken.items())
    print(f"{len(images)} photos, an image: {per_image}")
    return results


def pipeline(detector: Detector) -> Pipeline:
    """As detect.py runs it by default, but for the pictures."""
    return Pipeline(detector, dict.fromkeys(detector.class_names, DEFAULT_SCORE), num_workers=available_cores())


def in_turns(works: dict[str, Callable[[], object]], turns: int) -> dict[str, Run]:
    """Each work's best time of some turns; a first turn warms up."""
    runs: dict[str, list[Run]] = {name: [] for name in works}
    for _, (name, work) in itertools.product(range(turns + 1), works.items()):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        runs[name].append(Run(time.perf_counter() - wall, time.process_time() - cpu, None))
    return {name: measuring.best(timed[1:]) for name, timed in runs.items()}


class TutorialLoop:
    """What tutorials show: Pillow opens a photo, `session.run` takes it alone."""

    def __init__(self, detector: Detector):
        self._session = detector._model._session

    def run(self, paths: Sequence[Path], pixels_of: Callable[[Image.Image], np.ndarray]) -> None:
        outputs = [f"{name}:0" for name in frozen_graph.DETECTIONS]
        for path in paths:
            with Image.open(path) as image:
                pixels = pixels_of(image)
            self._session.run(outputs, {"image_tensor:0": pixels[np.newaxis]})


def pixels_by_getdata(image: Image.Image) -> np.ndarray:
    """As object_detection_tutorial.ipynb of the Object Detection API makes an array, and its copies do to this day."""
    width, height = image.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # until Pillow 14
        return np.array(image.getdata()).reshape((height, width, 3)).astype(np.uint8)


def yolo(work_dir: Path, count: int) -> Callable[[], None]:
    """YOLO11n through ONNX Runtime, without its suppression; from `ultralytics`, which is no requirement of ours."""
    from ultralytics import YOLO as Yolo

    here = Path.cwd()
    os.chdir(work_dir)  # where ultralytics downloads to
    try:
        session = onnx_conversion.session(Path(Yolo(YOLO).export(format="onnx", imgsz=320)).read_bytes())
    finally:
        os.chdir(here)
    image = np.random.default_rng(1).random((1, 3, 320, 320), np.float32)
    return lambda: [session.run(None, {session.get_inputs()[0].name: image}) for _ in range(count)] and None


def make_model(folder: Path, scratch: Path, photos: Path) -> None:
    """Exports the config's model with random weights, calibrated in 8-bit integers on some of the photos."""
    object_detection_api.prepare()
    tf = import_tensorflow()
    from object_detection.builders import model_builder

    config = pipeline_config.read(CONFIG)
    config.model.ssd.box_predictor.convolutional_box_predictor.class_prediction_bias_init = BIAS
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    shape = [1, resizer.height, resizer.width, 3]
    scratch.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        model_builder.build(config.model, is_training=False).predict(tf.zeros(shape), tf.constant([shape[1:]]))
        step = tf.train.get_or_create_global_step()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(scratch / "model.ckpt"), global_step=step)
    export.export(config, checkpoint_files.find(scratch), folder)
    onnx_conversion.find_or_make(folder)
    onnx_quantization.write(folder, [np.asarray(decode.read(path)[0]) for path in make_photos(photos, 10)])


def make_photos(folder: Path, count: int) -> list[Path]:
    """Writes JPEG files of 640x640 pixels, about 100 KB each."""
    paths = [folder / f"{number:03}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.is_file():
            with files.atomic_write(path, durable=False) as file:
                file.write(data_input.base_picture(number))
    return paths
