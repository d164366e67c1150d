"""`tf.train.Example` without TensorFlow.

The messages have the fields of tensorflow/core/example/{feature,example}.proto, so that their bytes are what
`tf.train.Example` writes and reads. They live in a descriptor pool of their own: TensorFlow registers the same names in
the default pool, which would refuse a second registration in one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_FIELD = descriptor_pb2.FieldDescriptorProto


def _file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """Describe the messages of feature.proto and example.proto that an Example consists of."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    for name, value_type in (
        ("BytesList", _FIELD.TYPE_BYTES),
        ("FloatList", _FIELD.TYPE_FLOAT),
        ("Int64List", _FIELD.TYPE_INT64),
    ):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, type=value_type, label=_FIELD.LABEL_REPEATED)

    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), start=1
    ):
        _add_message(feature, name, number, f".tensorflow.{kind}").oneof_index = 0

    features = file.message_type.add(name="Features")
    _add_message(features, "feature", 1, ".tensorflow.Features.FeatureEntry").label = _FIELD.LABEL_REPEATED
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    _add_message(entry, "value", 2, ".tensorflow.Feature")

    _add_message(file.message_type.add(name="Example"), "features", 1, ".tensorflow.Features")
    return file


def _add_message(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, type_name: str
) -> descriptor_pb2.FieldDescriptorProto:
    return message.field.add(
        name=name, number=number, type=_FIELD.TYPE_MESSAGE, type_name=type_name, label=_FIELD.LABEL_OPTIONAL
    )


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
    for kind, features in (
        ("bytes_list", bytes_features),
        ("float_list", float_features),
        ("int64_list", int64_features),
    ):
        for name, values in features.items():
            value_list = getattr(feature[name], kind)
            value_list.SetInParent()  # says the kind even where there are no values
            value_list.value.extend(values)
    return message


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
