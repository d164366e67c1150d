"""TFRecord files without TensorFlow.

A TFRecord file is a sequence of records, each of them (https://www.tensorflow.org/tutorials/load_data/tfrecord,
section "TFRecords format details"; tensorflow/core/lib/io/record_writer.h):

    uint64 length, little-endian
    uint32 masked CRC-32C of the length
    byte   data[length]
    uint32 masked CRC-32C of the data
"""

from __future__ import annotations

import glob
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.core.files import is_url, path_of, shown_path

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
HEADER_BYTES = _LENGTH.size + _CRC.size  # ahead of the data of a record
OVERHEAD_BYTES = HEADER_BYTES + _CRC.size  # of a record, besides its data

_SHARD = re.compile(r"(?P<base>.+)-(?P<index>\d{5}|\*|\?{5})-of-(?P<count>\d{5}|\*|\?{5})")

_REMEDY = "make the record again with generate_tfrecord.py"


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli), rotated and offset: the CRC of data with CRCs stays strong (hash/crc32c.h)."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write_record(file: BinaryIO, data: bytes) -> None:
    """Append one record to an open file."""
    length = _LENGTH.pack(len(data))
    file.write(length + _CRC.pack(masked_crc32c(length)))
    file.write(data)  # by itself: images are too large to be copied
    file.write(_CRC.pack(masked_crc32c(data)))


def is_record(path: Path | str) -> bool:
    """Return True where a file begins with a record; an empty one does not."""
    with Path(path).open("rb") as file:
        return begins_record(file)


def begins_record(file: BinaryIO) -> bool:
    """Return True where an open file goes on with a record."""
    return _is_header(file.read(HEADER_BYTES))


def _is_header(header: bytes) -> bool:
    return len(header) == HEADER_BYTES and _CRC.pack(masked_crc32c(header[: _LENGTH.size])) == header[_LENGTH.size :]


def read_records(path: Path | str) -> Iterator[bytes]:
    """Yield the data of each record, checked against its CRC.

    Raises:
        DataError: the file is truncated, damaged, or not a TFRecord file; names the byte offset.
    """
    path = path_of(path)
    with path.open("rb") as file:
        for offset, length in _frames(file, path):
            data = file.read(length)
            (crc,) = _CRC.unpack(file.read(_CRC.size))
            if crc != masked_crc32c(data):
                raise _damaged(path, f"the data of the record at byte {offset} does not match its checksum")
            yield data


def count_records(path: Path | str) -> int:
    """Count the records of a file, or of a pattern such as "data/train.record-?????-of-00010", without their data.

    Raises:
        DataError: a file is truncated, damaged, or not a TFRecord file; names the byte offset.
        UsageError: there is no such file.
    """
    count = 0
    for shard in matching_files(path):
        with shard.open("rb", buffering=0) as file:  # unbuffered: 12 bytes a record are read, not 8 KB
            for _, length in _frames(file, shard):
                file.seek(length + _CRC.size, os.SEEK_CUR)
                count += 1
    return count


def _frames(file: BinaryIO, path: Path) -> Iterator[tuple[int, int]]:
    """Yield (offset of the record, length of its data) with the file at the data; expect it after the data's CRC."""
    size = path.stat().st_size
    while (offset := file.tell()) < size:
        header = file.read(HEADER_BYTES)
        is_whole = len(header) == HEADER_BYTES
        if is_whole and not _is_header(header):
            what = "not a TFRecord file" if offset == 0 else "damaged"
            raise _damaged(path, f"it is {what}: the length at byte {offset} does not match its checksum")
        length = _LENGTH.unpack_from(header)[0] if is_whole else 0
        if offset + length + OVERHEAD_BYTES > size:
            raise _damaged(path, f"it ends at byte {size}, within the record that starts at byte {offset}")
        yield offset, length


def _damaged(path: Path | str, message: str) -> DataError:
    return DataError([Finding(ERROR, "record-damaged", shown_path(path), message, _REMEDY)])


class ShardWriter:
    """Distributes examples over the open files of a record, one after another."""

    def __init__(self, shards: Sequence[BinaryIO]):
        self._shards = shards
        self.counts = [0] * len(shards)  # examples in each file so far

    def write(self, data: bytes) -> None:
        index = sum(self.counts) % len(self._shards)
        write_record(self._shards[index], data)
        self.counts[index] += 1

    @property
    def sizes(self) -> list[int]:
        """Bytes in each file so far."""
        return [shard.tell() for shard in self._shards]


def shard_paths(path: Path | str, num_shards: int) -> list[Path]:
    """Return the files of a record: itself, or "train.record-00000-of-00010" and so on, as TensorFlow names shards."""
    path = path_of(path)
    if num_shards == 1:
        return [path]
    return [path.with_name(f"{path.name}-{index:05d}-of-{num_shards:05d}") for index in range(num_shards)]


def shard_pattern(path: Path | str, num_shards: int) -> str:
    """Return the `input_path` of a pipeline config that reads all shards, with `/` on every platform."""
    path = path.as_posix() if isinstance(path, Path) else path
    return path if num_shards == 1 else f"{path}-?????-of-{num_shards:05d}"


def base_path(path: Path | str) -> Path:
    """Return the record that a file or pattern belongs to: "train.record" of "train.record-?????-of-00010"."""
    path = path_of(path)
    shard = _SHARD.fullmatch(path.name)
    return path.with_name(shard["base"]) if shard else path


def matching_files(path: Path | str) -> list[Path]:
    """Return the files that a path or pattern names, in order of their names.

    Raises:
        UsageError: there is none.
        DataError: a set of shards is incomplete.
    """
    path = str(path).replace("\\", "/") if os.name == "nt" else str(path)
    if is_url(path):
        files = list(path_of(path).parent.glob(path_of(path).name))
    else:
        named = [path] if Path(path).is_file() else sorted(glob.glob(path))  # noqa: PTH207  any folder
        files = list(filter(Path.is_file, map(Path, named)))
    if not files:
        raise UsageError(f"{shown_path(path)}: there is no such record; make it with generate_tfrecord.py")
    if missing := sorted(set(_siblings(files)) - set(files)):
        message = "this part of the record is missing"
        raise DataError(Finding(ERROR, "shard-missing", shown_path(shard), message, _REMEDY) for shard in missing)
    return files


def _siblings(files: Iterable[Path]) -> Iterator[Path]:
    """Yield all shards of the sets that the files belong to."""
    for file in files:
        shard = _SHARD.fullmatch(file.name)
        if shard and shard["count"].isdigit():
            yield from shard_paths(file.with_name(shard["base"]), int(shard["count"]))
