"""The split: by image, of exact size, the same everywhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

import split_dataset
import xml_to_csv
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import labels_csv, split_manifest
from scripts.lib.dataset.labels_csv import LabelRow

CLASSES = ("Dresses", "Tops", "Shorts")


def make_rows(num_images: int) -> list[LabelRow]:
    generator = random.Random(7)
    return [
        LabelRow(f"{image:04d}.jpg", 64, 48, generator.choice(CLASSES), 1, 2, 30, 40)
        for image in range(num_images)
        for _ in range(1 + image % 3)
    ]


def split(tmp_path, rows, *flags):
    """Runs the script; returns the rows for training, the rows for testing, and the summary's lines."""
    paths = {name: tmp_path / f"{name}.csv" for name in ("input", "train", "test", "summary")}
    labels_csv.write_rows(rows, paths["input"])
    split_dataset.main([*(f"--{name}_csv={path}" for name, path in paths.items()), *flags])
    summary = paths["summary"].read_text(encoding="utf-8").splitlines()
    return labels_csv.read_rows(paths["train"]), labels_csv.read_rows(paths["test"]), summary


def images_of(rows):
    return {row.filename for row in rows}


def test_by_image_never_by_box_and_nothing_is_lost(tmp_path):
    rows = make_rows(911)
    train, test, _ = split(tmp_path, rows)
    assert not images_of(train) & images_of(test)
    assert sorted(train + test) == sorted(rows)
    assert (len(images_of(train)), len(images_of(test))) == (728, 183)
    assert train == [row for row in rows if row.filename in images_of(train)]


@pytest.mark.parametrize(
    ("num_images", "test_fraction", "num_train"),
    [
        (911, "0.2", 728),
        (5, "0.2", 4),
        (10, "0.1", 9),
        (10, "0.9", 1),
        (1000, "0.3", 700),
        (3, "0.5", 1),
        (100, "0.43", 57),
    ],
)
def test_training_set_has_exactly_the_floor(num_images, test_fraction, num_train):
    assert split_dataset.split_sizes(num_images, Decimal(test_fraction)) == [num_train, num_images - num_train]


def test_the_same_seed_gives_the_same_split_for_ever(tmp_path):
    rows = [LabelRow(f"{number}.jpg", 9, 9, "Tops", 0, 0, 9, 9) for number in range(10)]
    train, *_ = split(tmp_path, rows, "--test_fraction=0.5")
    assert sorted(images_of(train)) == ["0.jpg", "3.jpg", "5.jpg", "8.jpg", "9.jpg"]


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    rows = make_rows(40)
    train, *_ = split(tmp_path, rows)
    again, *_ = split(tmp_path, rows[::-1])
    other, *_ = split(tmp_path, rows, "--seed", "2")
    assert images_of(train) == images_of(again) != images_of(other)


def test_summary_counts_boxes_by_class(tmp_path, capsys):
    names = ["Tops", "Dresses", "Tops", "Tops", "Tops"]
    rows = [LabelRow(f"{number}.jpg", 9, 9, name, 0, 0, 9, 9) for number, name in enumerate(names)]
    rows.append(rows[0])
    train, test, summary = split(tmp_path, rows)
    assert summary[0] == "class,counts_train,counts_test,total"
    counts = {line.split(",")[0]: list(map(int, line.split(",")[1:])) for line in summary[1:]}
    assert list(counts) == ["Dresses", "Tops"] and counts["Tops"][2] == 5
    assert counts["Tops"][0] == sum(row.class_name == "Tops" for row in train)
    assert counts["Tops"][1] == sum(row.class_name == "Tops" for row in test)
    assert "counts_train" in capsys.readouterr().out


def test_images_without_objects_are_split_too(tmp_path, capsys):
    rows = [LabelRow(f"{n}.jpg", 9, 9, "", None, None, None, None) for n in range(10)]
    train, test, summary = split(tmp_path, rows)
    assert (len(train), len(test), summary) == (8, 2, ["class,counts_train,counts_test,total"])
    assert "8 of them without objects" in capsys.readouterr().out


@pytest.mark.parametrize(("num_images", "words"), [(0, "input.csv: 0 images"), (1, "one would be empty")])
def test_empty_side_is_refused(tmp_path, num_images, words):
    with pytest.raises(DataError, match=words):
        split(tmp_path, make_rows(num_images))
    assert not (tmp_path / "train.csv").exists()


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "nan", "inf", "a fifth"])
def test_fraction_outside_0_to_1_is_wrong_usage(tmp_path, value):
    with pytest.raises(SystemExit) as error:
        split_dataset.main(["--test_fraction", value])
    assert error.value.code == 2


@pytest.mark.parametrize("name", ["train", "test", "summary", "split"])
def test_a_file_of_another_kind_is_not_overwritten(tmp_path, name):
    split(tmp_path, make_rows(10), "--seed=2")  # what it wrote itself it replaces
    split(tmp_path, make_rows(10))
    place = tmp_path / (f"{name}.json" if name == "split" else f"{name}.csv")
    place.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=f"{place.name} exists but is not a .*; choose another name"):
        split(tmp_path, make_rows(10))
    assert place.read_text(encoding="utf-8") == "mine"


def test_a_class_that_a_side_lacks_is_said(tmp_path, capsys):
    rows = [LabelRow(f"{number}.jpg", 64, 48, "Tops", 1, 2, 30, 40) for number in range(10)]
    rows[3] = rows[3]._replace(class_name="Shorts")
    train, _, _ = split(tmp_path, rows)
    lacking = "testing" if rows[3] in train else "training"
    assert f"warning: no box for {lacking}: Shorts; --stratify" in capsys.readouterr().out
    split(tmp_path, make_rows(100))
    assert "warning" not in capsys.readouterr().out


def test_output_over_another_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="--csv_input and --test_csv are the same file"):
        split_dataset.main(["--csv_input", str(tmp_path / "a.csv"), "--test_csv", str(tmp_path / "a.csv")])


REFERENCE_BOXES = {"Dresses": 454, "Lingerie": 120, "Pants_Leggings": 301, "Shorts": 151, "Skirts": 109, "Tops": 451}


def rows_like_the_reference(seed: int, num_images: int = 911) -> list[LabelRow]:
    """As many images, and boxes of each class, as the published set has; which box is in which image is random."""
    generator = random.Random(seed)
    names = [name for name, count in REFERENCE_BOXES.items() for _ in range(count)]
    generator.shuffle(names)
    images = [*range(num_images), *(generator.randrange(num_images) for _ in names[num_images:])]
    return [LabelRow(f"{image}.jpg", 640, 640, name, 0, 0, 9, 9) for image, name in zip(images, names, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_stratified_every_class_is_within_1_point_of_80_to_20(tmp_path, seed):
    train, test, summary = split(tmp_path, rows_like_the_reference(seed), "--stratify", f"--seed={seed}")
    assert (len(images_of(train)), len(images_of(test))) == (728, 183)
    for line in summary[1:]:
        name, counts_train, _, total = line.split(",")
        assert int(total) == REFERENCE_BOXES[name]
        assert abs(100 * int(counts_train) / int(total) - 80) < 1, name


@pytest.mark.parametrize("flags", [[], [r"--group_by=^(\d+)_"]])
def test_stratified_split_of_the_reference(reference_dir, tmp_path, flags):
    source = tmp_path / "labels.csv"
    xml_to_csv.main([f"--annotations_dir={reference_dir / 'annotations'}", f"--output_csv={source}"])
    _, _, summary = split(tmp_path, labels_csv.read_rows(source), "--stratify", *flags)
    for line in summary[1:]:
        _, counts_train, _, total = line.split(",")
        assert abs(100 * int(counts_train) / int(total) - 80) < 1


def test_images_of_one_product_stay_on_one_side(tmp_path, capsys):
    rows = [
        row for row in make_rows(90) for row in [row._replace(filename=f"{int(row.filename[:4]) // 3}_{row.filename}")]
    ]
    for flags in ([], ["--stratify"]):
        train, test, _ = split(tmp_path, rows, r"--group_by=^(\d+)_", *flags)
        assert not {row.filename.split("_")[0] for row in train} & {row.filename.split("_")[0] for row in test}
        assert (len(images_of(train)), len(images_of(test))) == (72, 18)
    assert "90 images in 30 groups; the largest has 3" in capsys.readouterr().out


def test_images_that_match_no_group_are_said_and_stay_alone(tmp_path, capsys):
    train, test, _ = split(tmp_path, make_rows(10), "--group_by=^(a)")
    assert (len(images_of(train)), len(images_of(test))) == (8, 2)
    assert "--group_by does not match 10 images" in capsys.readouterr().out


def test_near_duplicates_stay_on_one_side(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    generator = random.Random(3)
    for number in range(10):
        photo = Image.frombytes("L", (8, 8), generator.randbytes(64)).resize((320, 320), Image.Resampling.BICUBIC)
        photo.save(folder / f"{number}_a.png")
        photo.resize((200, 200)).save(folder / f"{number}_b.jpg", quality=70)
    rows = [LabelRow(path.name, 9, 9, "Tops", 0, 0, 9, 9) for path in sorted(folder.iterdir())]
    train, test, _ = split(tmp_path, rows, "--group_by=duplicates", f"--image_dir={folder}")
    assert len(train) == 16 and len(test) == 4
    assert not {row.filename[0] for row in train} & {row.filename[0] for row in test}


def test_images_that_cannot_be_compared_are_all_named_in_the_words_of_generate_tfrecord(tmp_path):
    contents = {"page.jpg": b"<html>404</html>", "empty.jpg": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    rows = [LabelRow(name, 9, 9, "Tops", 0, 0, 9, 9) for name in (*contents, "absent.jpg")]
    with pytest.raises(DataError) as caught:
        split(tmp_path, rows, "--group_by=duplicates", f"--image_dir={tmp_path}")
    found = {finding.file.rsplit("/")[-1]: finding.message for finding in caught.value.findings}
    assert set(found) == {"absent.jpg", "page.jpg", "empty.jpg"}
    assert "there is no such image in" in found["absent.jpg"] and "the file is a web page" in found["page.jpg"]


@pytest.mark.parametrize("flags", [[], ["--stratify"]])
def test_every_image_is_tested_in_one_fold(tmp_path, flags):
    rows = make_rows(23)
    labels_csv.write_rows(rows, tmp_path / "input.csv")
    paths = {name: tmp_path / "out" / f"{name}.csv" for name in ("train", "test", "summary")}
    arguments = [f"--{name}_csv={path}" for name, path in paths.items()]
    split_dataset.main([f"--csv_input={tmp_path / 'input.csv'}", *arguments, "--folds=4", *flags])
    tested = []
    for fold in range(4):
        train, test = (labels_csv.read_rows(tmp_path / "out" / f"{name}_fold_{fold}.csv") for name in ("train", "test"))
        assert sorted(train + test) == sorted(rows) and not images_of(train) & images_of(test)
        assert (tmp_path / "out" / f"summary_fold_{fold}.csv").is_file()
        tested.append(images_of(test))
    assert [len(images) for images in tested] == [6, 6, 6, 5]
    assert set.union(*tested) == images_of(rows)


def test_case_21_killed_at_any_step_two_splits_are_told_apart(tmp_path, monkeypatch):
    """The names appear one after another: the manifest, then the CSVs. Each time, the kill comes one step later."""
    rows, replace = make_rows(60), Path.replace
    for step, severities in ((2, []), (3, ["warning"]), (4, ["error"]), (5, [])):
        folder = tmp_path / str(step)
        folder.mkdir()
        split(folder, rows, "--seed=2")
        names = []

        def killed(path, target, step=step, names=names):
            names.append(target.name)
            if len(names) == step:
                raise KeyboardInterrupt
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            split(folder, rows, "--seed=3")
        monkeypatch.undo()
        assert names == ["input.csv", "split.json", "train.csv", "test.csv", "summary.csv"][:step]
        found = check_sides(folder)
        assert [[one.severity for one in side] for side in found] == [severities] * 2
        if step == 4:  # the new training CSV beside the old test CSV
            assert "of its 48 images are in" in found[0][0].message and "not of one split" in found[0][0].message
            assert found[0][0].remedy.startswith("split again: python split_dataset.py --input_csv=")
        split(folder, rows, "--seed=3")
        assert check_sides(folder) == [[], []]


def check_sides(folder):
    paths = [folder / "train.csv", folder / "test.csv"]
    return [split_manifest.check(path, files.sha256(path)) for path in paths]


def test_case_21_two_runs_at_once_are_told_apart(tmp_path, monkeypatch):
    rows = make_rows(60)
    write_together = files.write_together

    def overtaken(*paths):
        monkeypatch.undo()
        split(tmp_path, rows, "--seed=3")  # a whole run between the reading and the writing of another one
        return write_together(*paths)

    monkeypatch.setattr(files, "write_together", overtaken)
    train, test, _ = split(tmp_path, rows, "--seed=2")
    assert not images_of(train) & images_of(test) and check_sides(tmp_path) == [[], []]
    (tmp_path / "other").mkdir()
    split(tmp_path / "other", rows, "--seed=3")
    for name in ("split.json", "test.csv"):  # the runs' renames, interleaved
        (tmp_path / "other" / name).replace(tmp_path / name)
    assert [side[0].code for side in check_sides(tmp_path)] == ["split-mixed"] * 2


def test_case_21_a_full_disk_at_the_second_file_changes_nothing(tmp_path, monkeypatch):
    split(tmp_path, make_rows(60), "--seed=2")
    names = ("train.csv", "test.csv", "summary.csv", "split.json")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:  # the input, the manifest, the training CSV
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as caught:
        split(tmp_path, make_rows(60), "--seed=3")
    assert command_line.explain_os_error(caught.value).startswith(f"{tmp_path / 'train.csv'}: No space left on device")
    assert {name: (tmp_path / name).read_bytes() for name in names} == before


def test_case_24_the_manifest_has_the_hash_of_the_csv_that_was_read(tmp_path, monkeypatch):
    read_rows = labels_csv.read_rows

    def saved_anew(path):
        rows = read_rows(path)
        labels_csv.write_rows(make_rows(9), path)
        return rows

    monkeypatch.setattr(labels_csv, "read_rows", saved_anew)
    with pytest.raises(DataError, match="input.csv was changed while it was read; run the command again"):
        split(tmp_path, make_rows(10))
    assert not (tmp_path / "split.json").exists()


def test_manifest_says_how_the_split_was_made(tmp_path):
    split(tmp_path, make_rows(10), "--seed=7", "--stratify", r"--group_by=(\d+)")
    manifest = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    assert manifest["input_sha256"] == hashlib.sha256((tmp_path / "input.csv").read_bytes()).hexdigest()
    assert (manifest["seed"], manifest["stratify"], manifest["group_by"]) == (7, True, r"(\d+)")
    (only,) = manifest["splits"]
    assert (only["images_train"], only["images_test"]) == (8, 2)
    assert sum(counts["train"] + counts["test"] for counts in only["boxes"].values()) == len(make_rows(10))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--folds=1"], "needs at least 2"),
        (["--folds=3", "--test_fraction=0.2"], "leave out --test_fraction"),
        (["--group_by=(("], "is not a regular expression"),
        (["--group_by=abc"], "has no"),
        (["--group_by=duplicates", "--image_dir=absent"], "there is no folder --image_dir absent"),
        (["--csv_input=absent.csv"], "no labels CSV absent.csv; make it with xml_to_csv.py"),
    ],
)
def test_flags_that_make_no_sense_are_wrong_usage(flags, words, capsys):
    with pytest.raises((UsageError, SystemExit)) as caught:
        split_dataset.main(flags)
    assert words in f"{caught.value}{capsys.readouterr().err}"


def test_one_group_of_all_images_cannot_be_split(tmp_path):
    with pytest.raises(DataError, match="1 group cannot fill 2 sets"):
        split(tmp_path, make_rows(10), "--group_by=(.)jpg")
    with pytest.raises(DataError, match="10 images in 10 groups cannot fill 11 sets"):
        split(tmp_path, make_rows(10), "--folds=11")
