"""Splits the labels CSV into a training and a test set, by image.

In:  the CSV that xml_to_csv.py writes.
Out: two CSV files of the same columns, no image in both, and the table class,counts_train,counts_test,total.

    python split_dataset.py --input_csv data/labels.csv --train_csv data/train_labels.csv \\
        --test_csv data/test_labels.csv --summary_csv data/summary.csv --test_fraction 0.2 --seed 1

floor((1 - test_fraction) * images) images are for training. The same seed gives the same split on every platform, with
every version of Python and its libraries, in whatever order the CSV's rows are.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from scripts.lib import command_line, files, labels_csv
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.labels_csv import Row

SUMMARY_COLUMNS = ("class", "counts_train", "counts_test", "total")


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--input_csv", type=Path, default=files.default_path("data/labels.csv"))
    parser.add_argument("--train_csv", type=Path, default=files.default_path("data/train_labels.csv"))
    parser.add_argument("--test_csv", type=Path, default=files.default_path("data/test_labels.csv"))
    parser.add_argument("--summary_csv", type=Path, default=files.default_path("data/summary.csv"))
    parser.add_argument("--test_fraction", type=fraction, default=Decimal("0.2"), help="part of the images for testing")
    parser.add_argument("--seed", type=int, default=1, help="which of the possible random splits")
    args = parser.parse_args(argv)
    check_paths_differ(args)

    rows = labels_csv.read_rows(args.input_csv)
    images = sorted({row.filename for row in rows})
    num_train = train_size(len(images), args.test_fraction)
    train_images = random_split(images, num_train, args.seed)

    train = [row for row in rows if row.filename in train_images]
    test = [row for row in rows if row.filename not in train_images]
    summary = summarize(train, test)
    labels_csv.write_rows(train, args.train_csv)
    labels_csv.write_rows(test, args.test_csv)
    write_summary(summary, args.summary_csv)

    print_table(summary)
    for part, part_rows, path in (("training", train, args.train_csv), ("testing", test, args.test_csv)):
        num_images = len({row.filename for row in part_rows})
        negatives = sum(not row.class_name for row in part_rows)
        without = f", {negatives} of them without objects" if negatives else ""
        print(f"{num_images} images for {part}{without}: {files.display(path)}")


def fraction(text: str) -> Decimal:
    """A flag's value between 0 and 1, exactly as written: as a float, 1 - 0.2 times 5 might fall short of 4."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1, such as 0.2")
    return value


def check_paths_differ(args: argparse.Namespace) -> None:
    paths = {flag: getattr(args, flag).resolve() for flag in ("input_csv", "train_csv", "test_csv", "summary_csv")}
    flags = list(paths)
    for number, flag in enumerate(flags):
        for other in flags[:number]:
            if paths[flag] == paths[other]:
                raise UsageError(f"--{other} and --{flag} are the same file, {getattr(args, flag)}")


def train_size(num_images: int, test_fraction: Decimal) -> int:
    """floor((1 - test_fraction) * num_images).

    Raises:
        DataError: one of the two sets would be empty.
    """
    num_train = int((1 - test_fraction) * num_images)
    if not 0 < num_train < num_images:
        sizes = f"{num_train} for training and {num_images - num_train} for testing"
        message = f"{num_images} images with --test_fraction {test_fraction} give {sizes}; both need at least one"
        raise DataError([message], "nothing was written")
    return num_train


def random_split(images: Sequence[str], num_train: int, seed: int) -> set[str]:
    """A random choice of `num_train` of the images.

    Each image, in the given order, draws a number; the lowest are chosen. `random.Random(seed).random()` is the one
    generator whose stream the Python documentation guarantees ("Notes on Reproducibility"); numpy's and pandas'
    may change with their versions, as may `random.shuffle`.
    """
    generator = random.Random(seed)
    draws = {image: generator.random() for image in images}
    return set(sorted(images, key=draws.__getitem__)[:num_train])


def summarize(train: Iterable[Row], test: Iterable[Row]) -> list[tuple[str, int, int, int]]:
    """One tuple a class, in alphabetical order: its name, its boxes in the training set, in the test set, in both."""
    counts_train, counts_test = (Counter(row.class_name for row in rows if row.class_name) for rows in (train, test))
    names = sorted(counts_train.keys() | counts_test.keys())
    return [(name, counts_train[name], counts_test[name], counts_train[name] + counts_test[name]) for name in names]


def write_summary(summary: Iterable[tuple], path: Path) -> None:
    with files.whole_file(path, "w") as file:
        csv.writer(file, lineterminator="\n").writerows([SUMMARY_COLUMNS, *summary])


def print_table(summary: Iterable[tuple]) -> None:
    for name, *counts in (SUMMARY_COLUMNS, *summary):
        print(f"{name:<24}" + "".join(f"{count:>13}" for count in counts))


if __name__ == "__main__":
    command_line.run(main)
