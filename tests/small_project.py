"""A folder with all that a small pipeline config names, and the config."""

from __future__ import annotations

from pathlib import Path

from scripts.lib.config import checks, pipeline_config
from scripts.lib.records import tf_example, tf_record
from tests.encoded_images import PASSING


def write_record(path: Path, count: int) -> None:
    """Write images with one box of class 1 each, without a manifest, as another tool would."""
    sides = {"xmin": [0.25], "ymin": [0.25], "xmax": [0.75], "ymax": [0.75]}
    message = tf_example.example(
        {"image/encoded": [PASSING["jpeg"]]},
        {f"image/object/bbox/{side}": corner for side, corner in sides.items()},
        {"image/object/class/label": [1]},
    )
    with path.open("wb") as file:
        for _ in range(count):
            tf_record.write_record(file, tf_example.serialized(message))


def make(folder: Path) -> None:
    """Write records of 8 and 2 images, a label map of 2 classes and a checkpoint, which the config below names."""
    (folder / "data").mkdir()
    write_record(folder / "data" / "train.record", 8)
    write_record(folder / "data" / "test.record", 2)
    (folder / "data" / "map.pbtxt").write_text("item { id: 1 name: 'a' } item { id: 2 name: 'b' }", encoding="utf-8")
    (folder / "model.ckpt.index").write_bytes(b"")


RESIZER = "fixed_shape_resizer { height: 300 width: 300 }"
MODEL = f"""model {{ ssd {{
  num_classes: 2
  image_resizer {{ {RESIZER} }}
  feature_extractor {{ type: "ssd_mobilenet_v1" }}
  box_coder {{ faster_rcnn_box_coder {{ }} }}
  matcher {{ argmax_matcher {{ }} }}
  similarity_calculator {{ iou_similarity {{ }} }}
  anchor_generator {{ ssd_anchor_generator {{ }} }}
  box_predictor {{ convolutional_box_predictor {{ }} }}
  loss {{ classification_loss {{ weighted_sigmoid {{ }} }} localization_loss {{ weighted_smooth_l1 {{ }} }} }}
}} }}
"""
CONFIG = f"""
{MODEL}
train_config {{
  optimizer {{ adam_optimizer {{ learning_rate {{ cosine_decay_learning_rate {{ total_steps: 100 warmup_steps: 60 }} }} }} }}
  fine_tune_checkpoint: "model.ckpt"
  num_steps: 100
}}
train_input_reader {{ label_map_path: "data/map.pbtxt" tf_record_input_reader {{ input_path: "data/train.record" }} }}
eval_config {{ num_examples: 2 }}
eval_input_reader {{ label_map_path: "data/map.pbtxt" tf_record_input_reader {{ input_path: "data/test.record" }} }}
"""


def read(project: Path, *changes: tuple[str, str]):
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = project / "pipeline.config"
    path.write_text(text, encoding="utf-8")
    return pipeline_config.read(path), path


def all_findings(config, path) -> str:
    findings = checks.check_training(config, path) + checks.check_evaluation(config, path)
    return "\n".join(map(str, findings))
