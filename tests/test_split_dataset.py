"""The split: by image, of exact size, the same everywhere."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

import split_dataset
from scripts.lib import labels_csv
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.labels_csv import Row

CLASSES = ("Dresses", "Tops", "Shorts")


def make_rows(num_images: int) -> list[Row]:
    generator = random.Random(7)
    return [
        Row(f"{image:04d}.jpg", 64, 48, generator.choice(CLASSES), 1, 2, 30, 40)
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
    assert split_dataset.train_size(num_images, Decimal(test_fraction)) == num_train


def test_the_same_seed_gives_the_same_split_for_ever():
    images = [f"{number}.jpg" for number in range(10)]
    assert sorted(split_dataset.random_split(images, 5, 1)) == ["0.jpg", "3.jpg", "5.jpg", "8.jpg", "9.jpg"]


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    rows = make_rows(40)
    train, *_ = split(tmp_path, rows)
    again, *_ = split(tmp_path, rows[::-1])
    other, *_ = split(tmp_path, rows, "--seed", "2")
    assert images_of(train) == images_of(again) != images_of(other)


def test_summary_counts_boxes_by_class(tmp_path, capsys):
    names = ["Tops", "Dresses", "Tops", "Tops", "Tops"]
    rows = [Row(f"{number}.jpg", 9, 9, name, 0, 0, 9, 9) for number, name in enumerate(names)]
    rows.append(rows[0])
    train, test, summary = split(tmp_path, rows)
    assert summary[0] == "class,counts_train,counts_test,total"
    counts = {line.split(",")[0]: list(map(int, line.split(",")[1:])) for line in summary[1:]}
    assert list(counts) == ["Dresses", "Tops"] and counts["Tops"][2] == 5
    assert counts["Tops"][0] == sum(row.class_name == "Tops" for row in train)
    assert counts["Tops"][1] == sum(row.class_name == "Tops" for row in test)
    assert "counts_train" in capsys.readouterr().out


def test_images_without_objects_are_split_too(tmp_path, capsys):
    rows = [Row(f"{n}.jpg", 9, 9, "", None, None, None, None) for n in range(10)]
    train, test, summary = split(tmp_path, rows)
    assert (len(train), len(test), summary) == (8, 2, ["class,counts_train,counts_test,total"])
    assert "8 of them without objects" in capsys.readouterr().out


@pytest.mark.parametrize("num_images", [0, 1])
def test_empty_side_is_refused(tmp_path, num_images):
    with pytest.raises(DataError, match="both need at least one"):
        split(tmp_path, make_rows(num_images))
    assert not (tmp_path / "train.csv").exists()


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "nan", "inf", "a fifth"])
def test_fraction_outside_0_to_1_is_wrong_usage(tmp_path, value):
    with pytest.raises(SystemExit) as error:
        split_dataset.main(["--test_fraction", value])
    assert error.value.code == 2


def test_output_over_another_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="--input_csv and --test_csv are the same file"):
        split_dataset.main(["--input_csv", str(tmp_path / "a.csv"), "--test_csv", str(tmp_path / "a.csv")])
