"""TFRecord files: TensorFlow reads what we write, and the other way round; damage is named by its byte offset."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.records import tf_record

RECORDS = [b"first", b"", b"x" * 100_000]


def write(path, records=RECORDS):
    with path.open("wb") as file:
        for data in records:
            tf_record.write_record(file, data)
    return path


@pytest.mark.parametrize(
    ("data", "crc"), [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA)], ids=["empty", "rfc", "zeros"]
)
def test_checksum_is_masked_crc32c(data, crc):
    """The CRCs are those of RFC 3720, section B.4, and the usual check value; the mask is undone here."""
    rotated = (tf_record.masked_crc32c(data) - 0xA282EAD8) % 2**32
    assert (rotated << 15 | rotated >> 17) % 2**32 == crc


def test_records_come_back(tmp_path):
    path = write(tmp_path / "a.record")
    assert list(tf_record.read_records(path)) == RECORDS
    assert tf_record.count_records(path) == 3


def test_tensorflow_reads_and_writes_the_same_file(tf, tmp_path):
    path = write(tmp_path / "ours.record")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        item = tf.compat.v1.data.make_one_shot_iterator(tf.data.TFRecordDataset(str(path))).get_next()
        assert [session.run(item) for _ in RECORDS] == RECORDS
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(item)
    with tf.io.TFRecordWriter(str(tmp_path / "theirs.record")) as writer:
        for data in RECORDS:
            writer.write(data)
    assert (tmp_path / "theirs.record").read_bytes() == path.read_bytes()


def test_an_empty_file_holds_no_record(tmp_path):
    path = write(tmp_path / "a.record", [])
    assert tf_record.count_records(path) == 0
    assert not tf_record.is_record(path)


@pytest.mark.parametrize("cut", [1, 4, 99_000, 100_016, 100_020])
def test_a_truncated_record_is_named_with_its_offset(tmp_path, cut):
    path = write(tmp_path / "a.record")
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    start = 5 + 16 + 16 if cut < 100_016 else 5 + 16 if cut > 100_016 else None
    if start is None:  # cut exactly between two records: a shorter, yet whole file
        assert tf_record.count_records(path) == 2
        return
    for read in (tf_record.count_records, lambda path: list(tf_record.read_records(path))):
        with pytest.raises(DataError, match=f"ends at byte {len(content) - cut}, .* starts at byte {start};"):
            read(path)


def test_damaged_data_is_found_when_read(tmp_path):
    path = write(tmp_path / "a.record")
    content = bytearray(path.read_bytes())
    content[14] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="data of the record at byte 0 does not match"):
        list(tf_record.read_records(path))


def test_a_file_of_another_kind_is_no_record(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("filename,width,height,class,xmin\n")
    assert not tf_record.is_record(path)
    with pytest.raises(DataError, match="not a TFRecord file"):
        tf_record.count_records(path)


def test_shards_are_named_as_tensorflow_names_them(tmp_path):
    assert tf_record.shard_paths(tmp_path / "train.record", 1) == [tmp_path / "train.record"]
    names = [path.name for path in tf_record.shard_paths(tmp_path / "train.record", 10)]
    assert names[0] == "train.record-00000-of-00010" and names[9] == "train.record-00009-of-00010"
    assert tf_record.shard_pattern("data/train.record", 10) == "data/train.record-?????-of-00010"


@pytest.mark.parametrize("name", ["a.record", "a.record-00001-of-00002", "a.record-?????-of-00002", "a.record-*-of-*"])
def test_the_record_of_a_shard_is_known(name):
    assert tf_record.base_path(f"data/{name}").as_posix() == "data/a.record"


@pytest.mark.parametrize("pattern", ["a.record-?????-of-00002", "a.record-*", "a.record-*-of-00002"])
def test_all_shards_of_a_pattern_are_counted(tmp_path, pattern):
    for shard in tf_record.shard_paths(tmp_path / "a.record", 2):
        write(shard)
    assert tf_record.count_records(tmp_path / pattern) == 6


def test_a_missing_shard_is_an_error(tmp_path):
    first, _, third = tf_record.shard_paths(tmp_path / "a.record", 3)
    write(first), write(third)
    with pytest.raises(DataError, match="a.record-00001-of-00003: this part of the record is missing"):
        tf_record.count_records(tmp_path / "a.record-*")


def test_a_missing_record_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such record"):
        tf_record.count_records(tmp_path / "none.record")


def test_the_writer_deals_records_out_in_turn(tmp_path):
    paths = tf_record.shard_paths(tmp_path / "a.record", 2)
    with paths[0].open("wb") as first, paths[1].open("wb") as second:
        writer = tf_record.ShardWriter([first, second])
        for data in RECORDS:
            writer.write(data)
        assert writer.counts == [2, 1]
        sizes = writer.sizes
    assert list(tf_record.read_records(paths[0])) == [RECORDS[0], RECORDS[2]]
    assert sizes == [path.stat().st_size for path in paths]
