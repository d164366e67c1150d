"""Whether a TensorFlow checkpoint is whole, found without TensorFlow.

A checkpoint of format V2 (tensorflow/core/util/tensor_bundle/tensor_bundle.h) is a table `<prefix>.index` and data
files. The table is LevelDB's (tensorflow/core/lib/io/table_format.txt): blocks of sorted entries, each followed by its
compression type and checksum, a block that indexes the others, and a footer of 48 bytes that says where that one is.
Its first entry, of the empty key, is a BundleHeaderProto; each other one is a tensor's name and its BundleEntryProto:
type, shape, data file, offset, size and checksum (tensorflow/core/protobuf/tensor_bundle.proto).

TensorFlow writes the data first and the index last, yet not at one stroke: a process that is killed at that moment
leaves an index that ends too early.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from scripts.lib.records import tf_record

_FOOTER_BYTES = 48
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_BLOCK_TRAILER_BYTES = 5  # compression type, masked CRC-32C of the block and that type
_CHUNK_BYTES = 1 << 24
_DT_STRING = 7  # DataType of tensorflow/core/framework/types.proto: its checksum covers more than the bytes stored


class StoredTensor(NamedTuple):
    """Where a tensor lies.

    Attributes:
        dtype: number in tensorflow/core/framework/types.proto.
        shard: index of the data file.
        offset, size: bytes in it.
        masked_crc: of these bytes.
    """

    dtype: int
    shard: int
    offset: int
    size: int
    masked_crc: int


class DamagedError(Exception):
    """The checkpoint cannot be read; the text says what is wrong."""


def fault(prefix: Path | str) -> str | None:
    """What is wrong with a checkpoint, e.g. "its index ends too early", or None: every tensor is as it was written.

    Args:
        prefix: without .index; its data files are beside the index.
    """
    try:
        _check_data(Path(prefix), *read_index(prefix))
    except DamagedError as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return None


def read_index(prefix: Path | str) -> tuple[int, dict[str, StoredTensor]]:
    """The number of data files and the tensors that a checkpoint's index names.

    Raises:
        DamagedError: it ends too early or does not match its checksums.
        OSError: there is none.
    """
    index = Path(f"{prefix}.index").read_bytes()
    if len(index) < _FOOTER_BYTES or index[-len(_MAGIC) :] != _MAGIC:
        raise DamagedError("its index ends too early")
    try:
        _, position = _block_handle(index, len(index) - _FOOTER_BYTES)  # of the meta-index block, which is empty
        blocks, _ = _block_handle(index, position)
        handles = [_block_handle(value)[0] for _, value in _entries(_block(index, *blocks))]
        entries = [entry for handle in handles for entry in _entries(_block(index, *handle))]
        header = _fields(entries[0][1])
        tensors = {name.decode(): _stored_tensor(_fields(value)) for name, value in entries[1:]}
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise DamagedError("its index is damaged") from error
    return header.get(1, 1), tensors


def _check_data(prefix: Path, num_shards: int, tensors: dict[str, StoredTensor]) -> None:
    shards = [prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{num_shards:05d}") for shard in range(num_shards)]
    for number, shard in enumerate(shards):
        if not shard.is_file():
            raise DamagedError(f"{shard.name} is missing")
        stored = {name: tensor for name, tensor in tensors.items() if tensor.shard == number}
        size, needed = shard.stat().st_size, max((tensor.offset + tensor.size for tensor in stored.values()), default=0)
        if size < needed:
            raise DamagedError(f"{shard.name} has {size} bytes instead of {needed}")
        with shard.open("rb") as file:
            for name, tensor in sorted(stored.items(), key=lambda item: item[1].offset):
                file.seek(tensor.offset)
                if tensor.dtype != _DT_STRING and _masked_crc(file, tensor.size) != tensor.masked_crc:
                    raise DamagedError(f"{name} in {shard.name} does not match its checksum")


def _masked_crc(file, size: int) -> int:
    crc = google_crc32c.Checksum()
    while size:
        chunk = file.read(min(size, _CHUNK_BYTES))
        crc.update(chunk)
        size -= len(chunk)
    return tf_record.mask(int.from_bytes(crc.digest(), "big"))


# -------------------------------------------------------------------------------------------------------- the table


def _block(table: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    (stored,) = struct.unpack_from("<I", table, end + 1)
    if tf_record.masked_crc32c(table[offset : end + 1]) != stored or table[end] != 0:  # a bundle is not compressed
        raise DamagedError("its index does not match its checksum")
    return table[offset:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of a block's entries; a key holds only what differs from the one before it."""
    (num_restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    position, end, key = 0, len(block) - 4 * (num_restarts + 1), b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _block_handle(data: bytes, position: int = 0) -> tuple[tuple[int, int], int]:
    """((offset, size) of a block, position after the handle)."""
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in base 128, lowest digits first, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Number -> value of a proto message's fields (protobuf.dev/programming-guides/encoding), the last one of each."""
    fields: dict[int, int | bytes] = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            fields[number], position = _varint(message, position)
        elif wire_type == 2:
            length, position = _varint(message, position)
            fields[number] = message[position : position + length]
            position += length
        else:
            (fields[number],) = struct.unpack_from("<I" if wire_type == 5 else "<Q", message, position)
            position += 4 if wire_type == 5 else 8
    return fields


def _stored_tensor(fields: dict) -> StoredTensor:
    return StoredTensor(fields.get(1, 0), fields.get(3, 0), fields.get(4, 0), fields.get(5, 0), fields.get(6, 0))
