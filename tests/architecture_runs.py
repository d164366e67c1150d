"""Trains, evaluates, exports and applies models of several architectures in one process.

  python tests/architecture_runs.py FOLDER NAME [NAME ...]

In:   FOLDER/NAME.config, complete pipeline configs.
Out:  FOLDER/NAME/{train,eval,fast,exported_model}, and a JSON line for each step of each architecture: {"name", "step",
      "cpu_seconds", "error" (a traceback, or null)}. An architecture that failed is left out of the later steps.

One process for all spares the import of TensorFlow, which takes as long as a small model's steps. The entry points
define flags of the same names, so that one process can run one of them; here each one's are taken back before the next.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np  # noqa: E402

from scripts import eval as evaluation  # noqa: E402
from scripts import export_inference_graph, train  # noqa: E402
from scripts.lib import object_detection_api  # noqa: E402
from scripts.lib.core.tensorflow import import_tensorflow  # noqa: E402
from scripts.lib.models.detector import Detector  # noqa: E402


def steps(config: Path) -> dict[str, Callable[[], None]]:
    """The workflow's steps for one config, in order."""
    folder = config.with_suffix("")
    shared = [f"--pipeline_config_path={config}"]
    checkpoints, model = f"--checkpoint_dir={folder / 'train'}", folder / "exported_model"

    def detect() -> None:
        image = np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)
        detector = Detector(model)
        for found in detector.detect_each([image, image[::-1], image[:50]], batch_size=2):
            assert np.isfinite(found.boxes_yxyx).all()
            assert len(found.boxes_yxyx) == len(found.scores) == len(found.class_ids)
            assert set(found.class_ids) <= set(detector.class_names)
            assert (np.diff(found.scores) <= 0).all()

    return {
        "train": lambda: train.main([*shared, f"--train_dir={folder / 'train'}"]),
        "eval": lambda: evaluation.main([*shared, checkpoints, "--run_once", f"--eval_dir={folder / 'eval'}"]),
        "export": lambda: export_inference_graph.main(
            [*shared, f"--trained_checkpoint_prefix={folder / 'train'}", f"--output_directory={model}"]
        ),
        "fast": lambda: evaluation.main([*shared, "--fast", f"--model={model}", f"--eval_dir={folder / 'fast'}"]),
        "detect": detect,
    }


def main(folder: Path, names: list[str]) -> None:
    from absl.flags import FLAGS

    object_detection_api.prepare()
    flags_of_others, failed = set(FLAGS), set()
    todo = {name: steps(folder / f"{name}.config") for name in names}
    for step in next(iter(todo.values())):
        for name in names:
            if name in failed:
                continue
            start, error = time.process_time(), None
            try:
                import_tensorflow().reset_default_graph()
                todo[name][step]()
            except BaseException:
                failed.add(name)
                error = traceback.format_exc()
            seconds = round(time.process_time() - start, 1)
            print(json.dumps({"name": name, "step": step, "cpu_seconds": seconds, "error": error}), flush=True)
        for flag in set(FLAGS) - flags_of_others:
            delattr(FLAGS, flag)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
