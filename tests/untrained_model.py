"""A real SSD of the Object Detection API, tiny and untrained: a config, a checkpoint of random weights, records."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format

from scripts.lib.config import override, pipeline_config
from scripts.lib.core import files
from tests import made_model

SIDE = 96


LABEL_MAP = f"{made_model.LABEL_MAP}item {{ id: 3 name: 'Blue' }}\n"


def write(tf, folder: Path) -> Path:
    """Writes pipeline.config, label_map.pbtxt, model.ckpt-7.* and two records; returns the config's path.

    Args:
        tf: TensorFlow in graph mode, with the API importable.
        folder: an existing one.
    """
    from object_detection.builders import model_builder

    (folder / "label_map.pbtxt").write_text(LABEL_MAP, encoding="utf-8")
    record = made_model.write_record(folder / "test.record", num_images=4)
    config = pipeline_config.read(files.default_path("configs/ssd_mobilenet_v1_sample.config"))
    override.set_input_size(config, SIDE)
    config.model.ssd.num_classes = 3
    config.model.ssd.feature_extractor.depth_multiplier = 0.25
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = (folder / "label_map.pbtxt").as_posix()
        reader.tf_record_input_reader.input_path[:] = [record.as_posix()]
    config.eval_config.ClearField("num_examples")
    path = folder / "pipeline.config"
    path.write_text(text_format.MessageToString(config), encoding="utf-8")

    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        model = model_builder.build(config.model, is_training=False)
        model.predict(tf.zeros([1, SIDE, SIDE, 3]), tf.constant([[SIDE, SIDE, 3]]))
        step = tf.train.get_or_create_global_step()
        session.run(tf.global_variables_initializer())
        for variable in tf.global_variables():  # weights that make scores differ, where fresh ones give all a half
            if "BoxPredictor" in variable.name and variable.name.endswith("weights:0"):
                session.run(variable.assign(variable * 8))
        session.run(step.assign(7))
        tf.train.Saver().save(session, str(folder / "model.ckpt"), global_step=step)
    return path
