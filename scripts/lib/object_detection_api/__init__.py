"""The Object Detection API, as it was published in February 2022, on today's libraries.

Only this package knows that libraries have changed since. Importing it is cheap: its functions import TensorFlow.

    from scripts.lib import object_detection_api
    object_detection_api.run("object_detection.legacy.train", ["--train_dir=...", "--pipeline_config_path=..."])
"""

from scripts.lib.object_detection_api.entry_points import prepare, run

__all__ = ["prepare", "run"]
