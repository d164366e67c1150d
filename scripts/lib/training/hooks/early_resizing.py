"""Hook into the trainer's input queue: images are resized to the model's input before they are queued, not after.

The trainer (object_detection/legacy/trainer.py) decodes and augments images, queues them as float32 in their own size,
pads each batch to its largest image, takes it apart again, and resizes each image just before the model. With images
of 640x640 pixels and a model of 128x128, 25 times the memory goes through two queues and four copies for nothing.
"""

from __future__ import annotations

from google.protobuf.message import Message

from scripts.lib.object_detection_api.wrapping import wrap


def install(model: Message) -> None:
    """Resize images before they are queued, by the model's own resizer, after the augmentation as before.

    The model gets the same images: only the last digits of float32 differ, since values are scaled after resizing. A
    model whose input has no fixed size gets its images as before.

    Args:
        model: the config (DetectionModel).
    """
    config = getattr(model, model.WhichOneof("model")).image_resizer
    if not config.HasField("fixed_shape_resizer"):
        return
    from object_detection.builders import image_resizer_builder
    from object_detection.core import batcher
    from object_detection.core.standard_fields import InputDataFields as fields
    from object_detection.utils import shape_utils

    resizer = image_resizer_builder.build(config)

    @wrap(batcher.BatchQueue, "__init__")
    def queue_resized(original, self, tensor_dict, *args, **kwargs):
        if fields.groundtruth_instance_masks not in tensor_dict:  # masks have the image's size, and go with it
            images, _ = shape_utils.resize_images_and_return_shapes(tensor_dict[fields.image], resizer)
            tensor_dict = {**tensor_dict, fields.image: images}
        original(self, tensor_dict, *args, **kwargs)
