"""Event files: what TensorFlow writes is read, what is written TensorFlow and TensorBoard read."""

from __future__ import annotations

from PIL import Image

from scripts.lib.evaluation import event_files
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.records import tf_record


def test_curves_that_tensorflow_wrote_are_read(tf, tmp_path):
    writer = tf.summary.FileWriter(str(tmp_path))
    for step, value in ((0, 2.5), (10, 1.25)):
        summary = tf.Summary(value=[tf.Summary.Value(tag="Losses/TotalLoss", simple_value=value)])
        writer.add_summary(summary, step)
    writer.close()
    assert event_files.read_scalars(tmp_path) == {"Losses/TotalLoss": [Scalar(0, 2.5), Scalar(10, 1.25)]}


def test_what_is_written_tensorflow_reads(tf, tmp_path):
    path = event_files.new_path(tmp_path, "report")
    Image.new("RGB", (4, 3), "red").save(tmp_path / "f1.png")
    event_files.write(path, 7, {"mAP": 0.5}, {"Curves/f1": tmp_path / "f1.png"})
    values = {
        value.tag: (event.step, value)
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert values["mAP"][0] == 7
    assert values["mAP"][1].simple_value == 0.5
    image = values["Curves/f1"][1].image
    assert image.encoded_image_string == (tmp_path / "f1.png").read_bytes()
    assert (image.width, image.height) == (4, 3)


def test_runs_that_went_on_are_joined_and_the_later_file_counts(tmp_path):
    for name, points in (("1.a", {0: 3.0, 10: 2.0}), ("2.b", {10: 1.5, 20: 1.0})):
        for step, value in points.items():
            event_files.write(tmp_path / f"events.out.tfevents.{name}{step:02d}", step, {"loss": value})
    assert event_files.read_scalars(tmp_path)["loss"] == [Scalar(0, 3.0), Scalar(10, 1.5), Scalar(20, 1.0)]


def test_a_file_cut_off_within_a_record_gives_what_it_holds(tmp_path):
    path = tmp_path / "events.out.tfevents.1.a"
    event_files.write(path, 5, {"a": 1.0, "b": 2.0})
    path.write_bytes(path.read_bytes()[:-4])
    assert event_files.read_scalars(tmp_path) == {"a": [Scalar(5, 1.0)]}


def test_only_the_files_of_one_writer_are_removed(tmp_path):
    keep, gone = event_files.new_path(tmp_path, "fast"), event_files.new_path(tmp_path, "report")
    for path in (keep, gone):
        event_files.write(path, 1, {"a": 1.0})
    event_files.remove(tmp_path, "report")
    assert event_files.paths(tmp_path) == [keep]
    assert event_files.total_bytes(tmp_path) == keep.stat().st_size


def test_case_32_data_that_are_no_events_end_a_file(tmp_path):
    path = event_files.new_path(tmp_path, "a")
    event_files.write(path, 7, {"loss": 0.5})
    with path.open("ab") as file:
        tf_record.write_record(file, b"\xff\xff no event")
    (tmp_path / "x.tfevents.folder").mkdir()
    assert event_files.read_scalars(tmp_path) == {"loss": [Scalar(7, 0.5)]}
