"""The Object Detection API, as it was published in February 2022, on today's libraries.

This package is the only code that knows that libraries have drifted. Importing it is cheap; TensorFlow is imported by
the functions here.

    from scripts.lib import object_detection_api
    object_detection_api.run("object_detection.legacy.train", ["--train_dir=...", "--pipeline_config_path=..."])
"""

from scripts.lib.object_detection_api.entry_points import prepare, run

__all__ = ["prepare", "run"]
