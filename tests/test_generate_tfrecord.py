"""generate_tfrecord: what is in a record, what is refused, and that files appear whole or not at all."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import generate_tfrecord
import split_dataset
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import label_map, labels_csv
from scripts.lib.dataset.labelled_images import ImageChecker
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_example, tf_record

LABEL_MAP = "".join(f"item {{ id: {number} name: '{name}' }}\n" for number, name in ((1, "Tops"), (2, "Skirts")))
FEATURES = {
    "image/height",
    "image/width",
    "image/filename",
    "image/source_id",
    "image/encoded",
    "image/format",
    "image/object/bbox/xmin",
    "image/object/bbox/xmax",
    "image/object/bbox/ymin",
    "image/object/bbox/ymax",
    "image/object/class/text",
    "image/object/class/label",
}


def photo(width=100, height=80, seed=0, format_name="JPEG", **options):
    """An image file's bytes."""
    values = np.random.default_rng(seed).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC).save(buffer, format_name, **options)
    return buffer.getvalue()


class Project:
    """A folder with images, a labels CSV and a label map, and the command run on them."""

    def __init__(self, folder):
        self.folder = folder
        self.images = folder / "samples"
        self.images.mkdir(parents=True)
        self.label_map = folder / "map.pbtxt"
        self.label_map.write_text(LABEL_MAP)
        self.csv = folder / "labels.csv"
        self.record = folder / "out" / "a.record"
        self.rows = []

    def add(self, name, *boxes, data=None, size=(100, 80)):
        """An image and its boxes, each (class, xmin, ymin, xmax, ymax); without boxes a negative."""
        if data is not False:
            path = self.images / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(photo(*size, seed=len(self.rows)) if data is None else data)
        for box in boxes or [("", None, None, None, None)]:
            self.rows.append(labels_csv.LabelRow(name, *size, *box))
        return self

    def run(self, *flags):
        labels_csv.write_rows(self.rows, self.csv)
        generate_tfrecord.main(self.arguments(*flags))
        return self.examples()

    def arguments(self, *flags):
        paths = (f"--csv_input={self.csv}", f"--output_path={self.record}", f"--image_dir={self.images}")
        return [*paths, f"--label_map={self.label_map}", *flags]

    def examples(self, num_shards=1):
        shards = tf_record.shard_paths(self.record, num_shards)
        return [tf_example.features(data) for shard in shards for data in tf_record.read_records(shard)]

    def refused(self, *flags):
        """The findings of a run that must fail, and leave nothing behind."""
        with pytest.raises(DataError) as caught:
            self.run(*flags)
        assert "was not written" in caught.value.consequence
        assert not self.record.parent.exists() or not list(self.record.parent.iterdir())
        return caught.value.findings


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


BOX = ("Tops", 10, 20, 50, 60)


def codes(findings):
    return [finding.code for finding in findings]


# What is in a record


def test_an_example_has_the_twelve_features_of_the_api(project):
    (example,) = project.add("a.jpg", BOX, ("Skirts", 0, 0, 100, 80)).run()
    assert set(example) == FEATURES
    assert (example["image/width"], example["image/height"]) == ([100], [80])
    assert example["image/filename"] == example["image/source_id"] == [b"a.jpg"]
    assert example["image/encoded"] == [(project.images / "a.jpg").read_bytes()]
    assert example["image/format"] == [b"jpeg"]
    assert example["image/object/class/text"] == [b"Tops", b"Skirts"]
    assert example["image/object/class/label"] == [1, 2]
    corners = [example[f"image/object/bbox/{corner}"] for corner in ("xmin", "ymin", "xmax", "ymax")]
    np.testing.assert_allclose(corners, [[0.1, 0], [0.25, 0], [0.5, 1], [0.75, 1]], rtol=1e-7)


def test_images_are_in_order_of_their_names_and_boxes_of_the_rows(project):
    project.add("b.jpg", BOX, ("Tops", 0, 0, 9, 9)).add("C.jpg", BOX).add("a.jpg", BOX)
    examples = project.run()
    assert [example["image/filename"] for example in examples] == [[b"C.jpg"], [b"a.jpg"], [b"b.jpg"]]


def test_the_format_comes_from_the_bytes_and_the_size_from_the_pixels(project, capsys):
    png = photo(100, 80, format_name="PNG")
    (example,) = project.add("a.jpg", ("Tops", 0, 0, 50, 40), data=png, size=(0, 0)).run()
    assert example["image/format"] == [b"png"] and example["image/encoded"] == [png]
    assert example["image/width"] == [100] and example["image/object/bbox/xmax"] == [0.5]
    assert "states a size of 0x0, the image has 100x80" in capsys.readouterr().err


def test_an_image_that_exif_turns_is_stored_upright_with_boxes_of_either_frame(project, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo(100, 80, exif=exif)
    project.add("new.jpg", ("Tops", 0, 0, 40, 100), data=turned, size=(80, 100))
    project.add("old.jpg", ("Tops", 0, 40, 100, 80), data=turned, size=(100, 80))
    for example in project.run():
        assert (example["image/width"], example["image/height"]) == ([80], [100])
        assert [example[f"image/object/bbox/{name}"][0] for name in ("xmin", "ymin", "xmax", "ymax")] == [0, 0, 0.5, 1]
    message = capsys.readouterr().err
    assert "old.jpg: its EXIF orientation is 6, and the boxes are in the frame of the stored pixels" in message
    assert "new.jpg: its EXIF orientation is 6, and the boxes are in the upright frame" in message


def test_many_notes_of_a_kind_are_counted_after_the_first(project, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(8):
        project.add(f"{number}.jpg", ("Tops", 0, 0, 40, 100), data=photo(100, 80, exif=exif), size=(80, 100))
    project.run()
    message = capsys.readouterr().err
    assert message.count("its EXIF orientation is 6") == 1 and message.startswith("note: 8 files: its EXIF")
    assert "    2.jpg\n    and 5 more\n" in message
    assert "8 notes." in message


def test_rows_without_a_box_are_images_without_objects(project, capsys):
    negative, positive = project.add("a.jpg").add("b.jpg", BOX).run()
    assert set(negative) == FEATURES and negative["image/object/class/label"] == []
    assert positive["image/object/class/label"] == [1]
    assert "2 examples (1 without objects), 1 box" in capsys.readouterr().out


def test_a_renamed_image_is_found_by_its_stem_and_that_is_said(project, capsys):
    project.add("plain", BOX, data=False).add("other.png", BOX, data=False)
    (project.images / "plain.jpg").write_bytes(photo())
    (project.images / "plain.xml").write_text("<annotation/>")
    (project.images / "other.jpeg").write_bytes(photo())
    assert [example["image/filename"] for example in project.run()] == [[b"other.jpeg"], [b"plain.jpg"]]
    message = capsys.readouterr().err
    assert "plain: there is no such image" in message and "'plain.jpg', the only one of that name, is taken" in message


@pytest.mark.parametrize("name", ["Kleid-Größe.jpg", "платье.jpg", "ドレス/赤.jpg", 'a, b "c".jpg', "x" * 246 + ".jpg"])
def test_names_of_all_kinds_are_read_and_written(tmp_path, name):
    if os.name == "nt" and '"' in name:
        pytest.skip("Windows has no such names")
    project = Project(tmp_path / "Größe ü")
    (example,) = project.add(name, BOX).run()
    assert example["image/filename"] == [name.encode()]


def test_max_image_side_shrinks_and_the_boxes_stay_where_they_are(project):
    (example,) = project.add("a.jpg", BOX).run("--max_image_side=50")
    assert (example["image/width"], example["image/height"]) == ([50], [40])
    assert Image.open(io.BytesIO(example["image/encoded"][0])).size == (50, 40)
    assert example["image/object/bbox/xmax"] == [0.5]


# What is refused


def test_all_problems_are_listed_at_once_and_no_file_is_written(project):
    project.add("good.jpg", BOX)
    project.add("class.jpg", ("Topps", 10, 20, 50, 60), ("Tops", 0, 0, 9, 9))
    project.add("missing.jpg", ("Skrits", 10, 20, 50, 60), data=False)
    project.add("outside.jpg", ("Tops", 10, 20, 150, 60), ("Tops", 50, 20, 10, 60), ("Tops", 5, 5, 5, 9))
    project.add("cut.jpg", BOX, data=photo()[:-100]).add("empty.jpg", BOX, data=b"")
    findings = project.refused()
    assert codes(findings) == [
        "unknown-class",
        "image-unreadable",
        "image-empty",
        "unknown-class",
        "image-missing",
        "box-outside-image",
        "box-inverted",
        "box-zero-area",
    ]
    assert "did you mean 'Tops'?" in findings[0].remedy
    assert {finding.file for finding in findings} == {"class.jpg", "cut.jpg", "empty.jpg", "missing.jpg", "outside.jpg"}


def test_an_earlier_record_stays_when_the_new_one_is_refused(project):
    project.add("a.jpg", BOX).run()
    before = {path.name: path.read_bytes() for path in project.record.parent.iterdir()}
    project.add("b.jpg", ("Topps", 1, 2, 30, 40))
    with pytest.raises(DataError):
        project.run()
    assert {path.name: path.read_bytes() for path in project.record.parent.iterdir()} == before


def test_an_empty_record_is_refused(project):
    (finding,) = project.refused()
    assert "no image is left to record" in str(finding)
    project.add("a.jpg", ("Topps", 1, 2, 30, 40))
    assert "no image is left" in str(project.refused("--skip_invalid")[-1])


def test_skip_invalid_leaves_images_with_errors_out_and_says_which(project, capsys):
    project.add("a.jpg", BOX).add("b.jpg", BOX, ("Topps", 1, 2, 30, 40)).add("c.jpg", BOX, data=b"")
    (example,) = project.run("--skip_invalid")
    assert example["image/filename"] == [b"a.jpg"]
    captured = capsys.readouterr()
    assert "left out 2 images with errors: b.jpg, c.jpg" in captured.out
    assert "class 'Topps' is not in the label map" in captured.err and "c.jpg: the image file is empty" in captured.err
    assert record_manifest.read(project.record)["left_out"] == ["b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "..\\secret.jpg", "a/../../secret.jpg", "{folder}/secret.jpg", "C:\\secret.jpg"]
)
def test_a_name_is_never_followed_out_of_the_image_folder(project, name):
    (project.folder / "secret.jpg").write_bytes(photo())
    name = name.replace("{folder}", str(project.folder))
    project.add(name, BOX, data=False)
    with pytest.raises(DataError, match="out of the image folder"):
        project.run()
    table = pd.DataFrame([(name, 100, 80, *BOX)], columns=labels_csv.COLUMNS)
    with pytest.raises(DataError, match="out of the image folder"):
        generate_tfrecord.create_tf_example(generate_tfrecord.data(name, table), project.images, project.label_map)


@pytest.mark.parametrize("name", ["y" * 300 + ".jpg", "folder", "NUL", "con.jpg"])
def test_a_name_that_is_no_image_file_is_missing(project, name):
    (project.images / "folder").mkdir()
    project.add(name, BOX, data=False)
    assert codes(project.refused()) == ["image-missing"]


def test_a_decompression_bomb_is_an_error(project):
    header = struct.pack(">IIBBBBB", 2**16, 2**16, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b""), (b"IEND", b""))
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    project.add("bomb.png", BOX, data=bomb)
    assert codes(project.refused()) == ["image-too-large"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_shards=3"], "the record has 1 example"),
        (["--csv_input=none.csv"], "no labels CSV none.csv"),
        (["--image_dir=none"], "no image folder none"),
        (["--label_map=none.pbtxt"], "none.pbtxt"),
    ],
)
def test_wrong_usage_is_one_sentence(project, flags, message):
    project.add("a.jpg", BOX)
    with pytest.raises(UsageError, match=message):
        project.run(*flags)
    assert not project.record.exists()


def test_a_file_that_is_no_record_is_not_overwritten(project):
    project.add("a.jpg", BOX).run()
    before = (project.images / "a.jpg").read_bytes()
    with pytest.raises(UsageError, match="is not a TFRecord"):
        generate_tfrecord.main(project.arguments(f"--output_path={project.images / 'a.jpg'}"))
    assert (project.images / "a.jpg").read_bytes() == before


def test_a_file_that_is_no_manifest_is_not_overwritten(project):
    manifest = record_manifest.path_of(project.record)
    manifest.parent.mkdir()
    manifest.write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match="is not a manifest of a record"):
        project.add("a.jpg", BOX).run()
    assert manifest.read_text(encoding="utf-8") == "[]"


# Shards, workers, oversampling, manifest


def twelve(project):
    for index in range(12):
        project.add(f"{index:02}.jpg", ("Skirts" if index == 5 else "Tops", 10, 20, 50, 60))
    return project


@pytest.mark.parametrize("flags", [(), ("--num_shards=5",), ("--oversample=0.5", "--max_image_side=64")])
def test_the_bytes_do_not_depend_on_the_number_of_workers(project, flags):
    labels_csv.write_rows(twelve(project).rows, project.csv)
    outputs = []
    for workers in (1, 2, 7):
        generate_tfrecord.main(project.arguments(f"--num_workers={workers}", *flags))
        outputs.append({path.name: path.read_bytes() for path in project.record.parent.iterdir()})
    assert outputs[0] == outputs[1] == outputs[2]


def test_shards_together_hold_every_image_once(project):
    labels_csv.write_rows(twelve(project).rows, project.csv)
    generate_tfrecord.main(project.arguments("--num_shards=5"))
    names = sorted(path.name for path in project.record.parent.iterdir())
    assert names == [*(f"a.record-0000{index}-of-00005" for index in range(5)), "a.record.json"]
    assert sorted(example["image/filename"] for example in project.examples(5)) == [
        [f"{index:02}.jpg".encode()] for index in range(12)
    ]
    pattern = project.record.with_name(record_manifest.read(project.record)["input_path"])
    assert tf_record.count_records(pattern) == 12


def test_shards_of_an_earlier_run_do_not_mix_with_the_new_ones(project):
    labels_csv.write_rows(twelve(project).rows, project.csv)
    for num_shards in (5, 3, 1, 2):
        generate_tfrecord.main(project.arguments(f"--num_shards={num_shards}"))
        records = [path for path in project.record.parent.iterdir() if path.suffix != ".json"]
        assert sorted(records) == tf_record.shard_paths(project.record, num_shards)


def test_oversampling_repeats_images_of_rare_classes(project, capsys):
    for index in range(16):
        project.add(f"{index:02}.jpg", ("Skirts" if index == 5 else "Tops", 10, 20, 50, 60))
    examples = project.run("--oversample=0.25")  # Skirts: 1 of 16, sqrt(0.25 * 16) = 2
    names = [example["image/filename"][0] for example in examples]
    assert names[:16] == sorted(names[:16]) and names[16:] == [b"05.jpg"]
    assert "Skirts x2.00" in capsys.readouterr().out
    manifest = record_manifest.read(project.record)
    assert (manifest["examples"], manifest["images"]) == (17, 16)


def test_images_of_unknown_classes_have_no_say_in_what_is_rare(project, capsys):
    for index in range(16):
        project.add(f"{index:02}.jpg", ("Skirts" if index == 5 else "Tops", 10, 20, 50, 60))
    for index in range(48):
        project.add(f"unknown {index}.jpg", ("Hats", 10, 20, 50, 60))
    project.run("--oversample=0.25", "--skip_invalid")
    factors = [line for line in capsys.readouterr().out.splitlines() if " x" in line]
    assert factors == ["oversampling: Skirts x2.00", "oversampling: Tops x1.00"]


def test_the_manifest_says_what_is_in_the_record(project):
    project.add("a.jpg", BOX, BOX).add("b.jpg").add("c.jpg", ("Skirts", 1, 2, 30, 40)).run()
    manifest = json.loads(record_manifest.path_of(project.record).read_text("utf-8"))
    assert (manifest["examples"], manifest["negatives"], manifest["boxes"]) == (3, 1, 3)
    assert manifest["classes"] == {
        "Tops": {"id": 1, "boxes": 2, "examples": 1},
        "Skirts": {"id": 2, "boxes": 1, "examples": 1},
    }
    assert manifest["shards"] == [{"file": "a.record", "examples": 3, "bytes": project.record.stat().st_size}]
    assert len(manifest["inputs"]["images"]["sha256"]) == 64
    assert record_manifest.check(project.record, {"Tops": 1, "Skirts": 2}) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_any_moment_no_complete_looking_set_mixes_old_and_new(project, repository_root):
    labels_csv.write_rows(twelve(project).rows, project.csv)
    generate_tfrecord.main(project.arguments("--num_shards=4"))
    old = {path.name: path.read_bytes() for path in project.record.parent.iterdir()}
    command = [sys.executable, "generate_tfrecord.py", *project.arguments("--num_shards=4", "--max_image_side=40")]
    for step in range(8):
        process = subprocess.Popen(command, cwd=repository_root, stdout=subprocess.DEVNULL)
        time.sleep(0.25 + 0.03 * step)
        process.send_signal(signal.SIGKILL)
        process.wait()
        present = {path.name: path.read_bytes() for path in project.record.parent.iterdir() if path.name[0] != "."}
        shards = [name for name in present if not name.endswith(".json")]
        if len(shards) == 4:
            changed = [present[name] != old[name] for name in shards]
            assert all(changed) or not any(changed)
        if "a.record.json" in present:
            assert len(shards) == 4 and record_manifest.check(project.record) == []


def test_a_crash_between_two_renames_leaves_an_incomplete_set(project, monkeypatch):
    labels_csv.write_rows(twelve(project).rows, project.csv)
    generate_tfrecord.main(project.arguments("--num_shards=4"))
    replace, calls = type(project.record).replace, []

    def replace_twice(path, target):
        calls.append(target)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(type(project.record), "replace", replace_twice)
    with pytest.raises(KeyboardInterrupt):
        generate_tfrecord.main(project.arguments("--num_shards=4"))
    assert len(calls) > 2
    assert not record_manifest.path_of(project.record).exists()
    with pytest.raises(DataError, match="this part of the record is missing"):
        tf_record.count_records(project.record.with_name("a.record-?????-of-00004"))


def test_case_21_a_csv_of_another_split_is_refused_with_the_command(project, capsys):
    for number in range(10):
        project.add(f"{number}.jpg", BOX)
    project.run()
    sides = [project.folder / f"{name}.csv" for name in ("train", "test")]
    for seed in (1, 2):
        arguments = [f"--csv_input={project.csv}", f"--train_csv={sides[0]}", f"--test_csv={sides[1]}"]
        split_dataset.main([*arguments, f"--summary_csv={project.folder / 'summary.csv'}", f"--seed={seed}"])
        sides[0].replace(project.folder / f"train_{seed}.csv")
    (project.folder / "train_1.csv").replace(sides[0])
    for side in sides:
        with pytest.raises(
            DataError, match=r"are in .*\.csv, too: .*; split again: python split_dataset\.py --csv_input"
        ):
            generate_tfrecord.main([*project.arguments(), f"--csv_input={side}"])
    (project.folder / "train_2.csv").replace(sides[0])
    capsys.readouterr()
    generate_tfrecord.main([*project.arguments(), f"--csv_input={sides[0]}"])
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name", ["csv", "label_map"])
def test_case_24_a_file_that_changes_while_it_is_read_is_in_no_manifest(project, monkeypatch, name):
    project.add("a.jpg", BOX).run()
    module, function = {"csv": (labels_csv, "read_rows"), "label_map": (label_map, "read_for_records")}[name]
    read = getattr(module, function)

    def saved_anew(path, *further):
        content = read(path, *further)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
        return content

    monkeypatch.setattr(module, function, saved_anew)
    with pytest.raises(DataError, match="was changed while it was read; run the command again"):
        project.run()


def test_case_24_a_csv_that_changes_later_leaves_the_hash_of_what_was_recorded(project, monkeypatch):
    project.add("a.jpg", BOX)
    check = ImageChecker.__call__

    def saved_anew(checker, image):
        labels_csv.write_rows([], project.csv)
        return check(checker, image)

    monkeypatch.setattr(ImageChecker, "__call__", saved_anew)
    labels_csv.write_rows(project.rows, project.csv)
    digest = files.sha256(project.csv)
    project.run()
    assert files.sha256(project.csv) != digest
    assert record_manifest.read(project.record)["inputs"]["csv_input"]["sha256"] == digest


# Importable, as users know it


def test_class_text_to_int_reads_the_label_map(project):
    assert generate_tfrecord.class_text_to_int("Pants_Leggings") == 1
    assert generate_tfrecord.class_text_to_int("Skirts", project.label_map) == 2
    with pytest.raises(DataError, match="did you mean 'Skirts'"):
        generate_tfrecord.class_text_to_int("Skirt", project.label_map)


def test_create_tf_example_returns_what_tensorflow_parses(project):
    tf = pytest.importorskip("tensorflow")
    project.add("a.jpg", BOX, ("Skirts", 1, 2, 30, 40)).add("b.jpg", BOX)
    labels_csv.write_rows(project.rows, project.csv)
    for table in (pd.read_csv(project.csv), labels_csv.frame(labels_csv.read_rows(project.csv))):
        first, second = generate_tfrecord.split(table, "filename")
        assert (first.filename, second.filename) == ("a.jpg", "b.jpg") and len(first.object) == 2
        message = generate_tfrecord.create_tf_example(first, str(project.images), project.label_map)
        parsed = tf.train.Example.FromString(message.SerializeToString())
        assert set(parsed.features.feature) == FEATURES
        assert parsed.features.feature["image/object/class/label"].int64_list.value[:] == [1, 2]


def test_create_tf_example_raises_all_that_is_wrong(project):
    project.add("a.jpg", ("Topps", 10, 20, 150, 60))
    (group,) = generate_tfrecord.split(labels_csv.frame(project.rows), "filename")
    with pytest.raises(DataError) as caught:
        generate_tfrecord.create_tf_example(group, project.images, project.label_map)
    assert codes(caught.value.findings) == ["unknown-class", "box-outside-image"]


# The command


def test_the_command_starts_without_tensorflow_and_pandas(repository_root):
    program = "import sys, generate_tfrecord; sys.exit(bool({'tensorflow', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], cwd=repository_root, check=False).returncode == 0


def test_bad_data_ends_with_status_1_and_no_traceback(project, capsys):
    labels_csv.write_rows(project.add("a.jpg", BOX, data=b"").rows, project.csv)
    with pytest.raises(SystemExit) as caught:
        command_line.run(generate_tfrecord.main, project.arguments())
    assert caught.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("error: a.jpg: the image file is empty (0 bytes)") and "was not written" in message


# The reference


@pytest.mark.parametrize(("name", "images"), [("train", 80), ("test", 20)])
def test_the_records_of_the_reference_come_out_equal(reference_dir, repository_root, tmp_path, name, images):
    record = tmp_path / f"{name}.record"
    generate_tfrecord.main(
        [
            f"--csv_input={reference_dir}/model_one_class/{name}_labels.csv",
            f"--output_path={record}",
            f"--image_dir={reference_dir}/samples",
            f"--label_map={repository_root}/data/apparel_label_map.pbtxt",
        ]
    )

    def by_name(path):
        found = (tf_example.features(data) for data in tf_record.read_records(path))
        return {example["image/filename"][0]: example for example in found}

    ours, theirs = by_name(record), by_name(reference_dir / "model_one_class" / f"{name}.record")
    assert len(ours) == images and ours.keys() == theirs.keys()
    for filename, example in ours.items():
        original = theirs[filename]
        assert set(example) == set(original) == FEATURES
        for feature in FEATURES - {"image/format"}:  # the original says "jpg", the API's guide asks for "jpeg"
            assert example[feature] == original[feature], (filename, feature)
