"""What the trainer reads, brought to the model's size before it is queued instead of after.

The trainer (object_detection/legacy/trainer.py) decodes and augments photos, queues them as float32 in their own size,
pads each batch to its largest photo, takes it apart again, and resizes each photo just before the model. Of 640x640
pixels for a model of 128x128, 25 times the memory goes through two queues and four copies for nothing.
"""

from __future__ import annotations

from google.protobuf.message import Message

from scripts.lib.object_detection_api.wrapping import wrap

# A JPEG's own scales: its decoder gives a half, a quarter or an eighth of each side for less work.
_SCALES = (8, 4, 2)
# Of what is decoded, a random crop may take a part; twice the model's side leaves it enough pixels.
_MARGIN = 2


def resize_early(model: Message, scaled_decoding: bool = False) -> None:
    """Has photos resized before they are queued. Call it when `object_detection` can be imported.

    The resizer is the model's own, after the augmentation as before, so that the model gets the same images; that it
    scales the values after and not before resizing makes a difference in the last digits of float32. A model whose
    input has no fixed size gets its photos as before.

    Args:
        model: the config (DetectionModel).
        scaled_decoding: decode JPEG photos at 1/2, 1/4 or 1/8 where that leaves at least twice the model's size. Their
            pixels are then means of several, where the resizer picks and interpolates single ones.
    """
    config = getattr(model, model.WhichOneof("model")).image_resizer
    if not config.HasField("fixed_shape_resizer"):
        return
    from object_detection.builders import image_resizer_builder

    _resize_before_queue(image_resizer_builder.build(config))
    if scaled_decoding:
        size = config.fixed_shape_resizer
        _decode_scaled(_MARGIN * size.height, _MARGIN * size.width)


def _resize_before_queue(resizer) -> None:
    from object_detection.core import batcher
    from object_detection.core.standard_fields import InputDataFields as fields
    from object_detection.utils import shape_utils

    @wrap(batcher.BatchQueue, "__init__")
    def queue_resized(original, self, tensor_dict, *args, **kwargs):
        if fields.groundtruth_instance_masks not in tensor_dict:  # which have the photo's size, and are resized with it
            images, _ = shape_utils.resize_images_and_return_shapes(tensor_dict[fields.image], resizer)
            tensor_dict = {**tensor_dict, fields.image: images}
        original(self, tensor_dict, *args, **kwargs)


def _decode_scaled(least_height: int, least_width: int) -> None:
    """Has JPEG data decoded at the smallest of its own scales that leaves so many pixels."""
    import tensorflow.compat.v1 as tf
    from tf_slim.data import tfexample_decoder

    image_ops = getattr(tfexample_decoder.image_ops, "_original", tfexample_decoder.image_ops)

    class ScalingImageOps:
        """TensorFlow's image_ops, but for decode_jpeg."""

        _original = image_ops

        def __getattr__(self, name: str):
            return getattr(image_ops, name)

        def decode_jpeg(self, contents, **options):
            height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(contents))

            def enough(scale: int):
                return tf.logical_and(height >= scale * least_height, width >= scale * least_width)

            def decoder(scale: int):
                return lambda: image_ops.decode_jpeg(contents, ratio=scale, **options)

            cases = [(enough(scale), decoder(scale)) for scale in _SCALES]
            return tf.case(cases, default=decoder(1), name="decode_scaled")

    tfexample_decoder.image_ops = ScalingImageOps()
