"""`tf.train.Example` without TensorFlow.

The messages have the fields of tensorflow/core/example/{feature,example}.proto, so that their bytes are what
`tf.train.Example` writes and reads. They live in a descriptor pool of their own: TensorFlow registers the same names in
the default pool, which would refuse a second registration in one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

if TYPE_CHECKING:
    from scripts.lib.dataset.labelled_images import CheckedImage

_FIELD = descriptor_pb2.FieldDescriptorProto
_LISTS = (
    ("BytesList", "bytes_list", _FIELD.TYPE_BYTES),
    ("FloatList", "float_list", _FIELD.TYPE_FLOAT),
    ("Int64List", "int64_list", _FIELD.TYPE_INT64),
)

SIDES = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
LABELS, NAMES = "image/object/class/label", "image/object/class/text"
_KINDS = {
    **dict.fromkeys(("image/encoded", "image/filename", "image/source_id", NAMES), bytes),
    **dict.fromkeys(SIDES, float),
    **dict.fromkeys((LABELS, "image/object/difficult"), int),
}
_WORDS = {bytes: "bytes", float: "floats", int: "int64"}


def _file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """Describe the messages of feature.proto and example.proto that an Example consists of."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, field_name, value_type) in enumerate(_LISTS, start=1):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, type=value_type, label=_FIELD.LABEL_REPEATED)
        _add_message(feature, field_name, number, name).oneof_index = 0

    features = file.message_type.add(name="Features")
    _add_message(features, "feature", 1, "Features.FeatureEntry").label = _FIELD.LABEL_REPEATED
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    _add_message(entry, "value", 2, "Feature")
    _add_message(file.message_type.add(name="Example"), "features", 1, "Features")
    return file


def _add_message(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, type_name: str
) -> descriptor_pb2.FieldDescriptorProto:
    kind = {"type": _FIELD.TYPE_MESSAGE, "type_name": f".tensorflow.{type_name}", "label": _FIELD.LABEL_OPTIONAL}
    return message.field.add(name=name, number=number, **kind)


_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(_file_descriptor().SerializeToString())
Example: type[Message] = message_factory.GetMessageClass(_pool.FindMessageTypeByName("tensorflow.Example"))


def example(
    bytes_features: Mapping[str, Iterable[bytes]],
    float_features: Mapping[str, Iterable[float]],
    int64_features: Mapping[str, Iterable[int]],
) -> Message:
    """Return an Example of the given features, each a list of values; an empty list is a feature without values."""
    message = Example()
    feature = message.features.feature
    for (_, kind, _), features in zip(_LISTS, (bytes_features, float_features, int64_features), strict=True):
        for name, values in features.items():
            value_list = getattr(feature[name], kind)
            value_list.SetInParent()  # says the kind even where there are no values
            value_list.value.extend(values)
    return message


def make_example(image: CheckedImage, class_ids: Mapping[str, int]) -> Message:
    """Return the Example of an image without errors, with the features that the Object Detection API reads.

    They are listed in object_detection/g3doc/using_your_own_dataset.md.
    """
    width, height = image.stored.size
    upright_width, upright_height = image.stored.upright_size
    name = image.name.encode()
    return example(
        bytes_features={
            "image/filename": [name],
            "image/source_id": [name],
            "image/encoded": [image.stored.encoded],
            "image/format": [image.stored.format.encode()],
            "image/object/class/text": [class_name.encode() for class_name in image.labels.class_names],
        },
        float_features={  # normalised: 0 is the left or top edge of the image, 1 the right or bottom one
            "image/object/bbox/xmin": [xmin / upright_width for xmin, _, _, _ in image.boxes_xyxy],
            "image/object/bbox/xmax": [xmax / upright_width for _, _, xmax, _ in image.boxes_xyxy],
            "image/object/bbox/ymin": [ymin / upright_height for _, ymin, _, _ in image.boxes_xyxy],
            "image/object/bbox/ymax": [ymax / upright_height for _, _, _, ymax in image.boxes_xyxy],
        },
        int64_features={
            "image/height": [height],
            "image/width": [width],
            "image/object/class/label": [class_ids[class_name] for class_name in image.labels.class_names],
        },
    )


def serialized(message: Message) -> bytes:
    """Return the message's bytes, features in order of their names: the same bytes on every run and platform."""
    return message.SerializeToString(deterministic=True)


def features(data: bytes) -> dict[str, list]:
    """Return name -> values of a serialized Example; texts as bytes, as they are stored.

    Raises:
        google.protobuf.message.DecodeError: the data is not an Example.
    """
    found = Example.FromString(data).features.feature
    return {
        name: list(getattr(feature, kind).value) if (kind := feature.WhichOneof("kind")) else []
        for name, feature in sorted(found.items())
    }


def why_unfit(features: Mapping[str, list]) -> list[str]:
    """Return why the features are not those of an image with boxes and labels: kinds of values, numbers of them."""
    wrong = [
        f"{name} holds {type(values[0]).__name__} values, expected {_WORDS[kind]}"
        for name, kind in _KINDS.items()
        if (values := features.get(name)) and not isinstance(values[0], kind)
    ]
    counts = {name: len(features.get(name, ())) for name in (*SIDES, LABELS)}
    counts |= {NAMES: len(features[NAMES])} if features.get(NAMES) else {}
    if len(set(counts.values())) > 1:
        wrong.append("has " + ", ".join(f"{count} {name.rpartition('bbox/')[2]}" for name, count in counts.items()))
    return wrong
