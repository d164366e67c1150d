"""Splits the labels CSV into a training and a test set, by image.

In:  the CSV that xml_to_csv.py writes.
Out: two CSV files of the same columns, no image in both; the table class,counts_train,counts_test,total; and beside
     them split.json, which says how the split was made.

    python split_dataset.py --input_csv data/labels.csv --train_csv data/train_labels.csv \\
        --test_csv data/test_labels.csv --summary_csv data/summary.csv --test_fraction 0.2 --seed 1

floor((1 - test_fraction) * images) images are for training. The same seed gives the same split on every platform, with
every version of Python and its libraries, in whatever order the CSV's rows are.

--stratify splits each class's boxes in the same proportion, as nearly as the images allow.
--group_by keeps images together, the sizes then being met as nearly as the groups allow:
    --group_by duplicates        near-duplicate photos in --image_dir, found by a perceptual hash
    --group_by "^(\\d+)_"         images whose names agree in the expression's first group, such as a product's number
--folds K writes K splits for cross-validation instead, each image being tested in one of them:
    data/train_labels_fold_0.csv, data/test_labels_fold_0.csv, data/summary_fold_0.csv, ... up to K - 1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError, errors
from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.labels_csv import Row
from scripts.lib.dataset.split import Unit, divide

SUMMARY_COLUMNS = ("class", "counts_train", "counts_test", "total")
MANIFEST_HEAD = b'{\n  "input_csv": '


class Split(NamedTuple):
    """A training and a test set, and the files they go to."""

    train: list[Row]
    test: list[Row]
    train_csv: Path
    test_csv: Path
    summary_csv: Path


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    rows = labels_csv.read_rows(args.input_csv)
    if not rows:
        raise DataError([f"{files.shown_path(args.input_csv)} holds no row, nothing to split"], "nothing was written")
    images = sorted({row.filename for row in rows})
    sizes = fold_sizes(len(images), args.folds) if args.folds else split_sizes(len(images), args.test_fraction)
    units = make_units(rows, group_images(images, args))
    subsets = divide(units, sizes, args.seed, args.stratify)
    if not all(subsets):
        raise DataError([f"{len(units)} groups cannot fill {len(sizes)} sets: one is empty"], "nothing was written")

    splits = make_splits(rows, subsets, args)
    check_outputs(splits, args)
    for split in splits:
        labels_csv.write_rows(split.train, split.train_csv)
        labels_csv.write_rows(split.test, split.test_csv)
        write_summary(summarize(split.train, split.test), split.summary_csv)
        print_split(split, args)
    if args.folds:
        remove_further_folds(args)
    write_manifest(splits, args)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    for flag, name, purpose in (
        ("input", "labels", "labels CSV to split"),
        ("train", "train_labels", "training set to write"),
        ("test", "test_labels", "test set to write"),
        ("summary", "summary", "boxes of each class to write"),
    ):
        parser.add_argument(
            f"--{flag}_csv", type=local_path, default=files.default_path(f"data/{name}.csv"), help=purpose
        )
    parser.add_argument("--manifest_json", type=local_path, help="default: split.json beside --train_csv")
    parser.add_argument("--test_fraction", type=fraction, help="part of the images for testing (default: 0.2)")
    parser.add_argument("--seed", type=int, default=1, help="which of the possible splits")
    parser.add_argument("--stratify", action="store_true", help="split each class's boxes in the same proportion")
    parser.add_argument("--group_by", metavar="duplicates|REGEX", help="keep near-duplicates, or a product, together")
    parser.add_argument("--image_dir", type=local_path, default=files.default_path("samples"), help="for duplicates")
    parser.add_argument("--folds", type=int, metavar="K", help="write K splits for cross-validation")
    args = parser.parse_args(argv)

    if args.folds is not None and args.test_fraction is not None:
        raise UsageError("--folds K tests 1/K of the images each time: leave out --test_fraction")
    if args.folds is not None and args.folds < 2:
        raise UsageError(f"--folds {args.folds}: cross-validation needs at least 2")
    args.test_fraction = args.test_fraction or Decimal("0.2")
    args.manifest_json = args.manifest_json or args.train_csv.with_name("split.json")
    flags = ("input_csv", "train_csv", "test_csv", "summary_csv", "manifest_json")
    for one, other in itertools.combinations(flags, 2):
        if getattr(args, one).resolve() == getattr(args, other).resolve():
            raise UsageError(f"--{one} and --{other} are the same file, {getattr(args, one)}")
    if args.group_by == "duplicates" and not args.image_dir.is_dir():
        raise UsageError(f"--group_by duplicates compares the images: there is no folder --image_dir {args.image_dir}")
    if args.group_by not in (None, "duplicates"):
        args.group_by = expression_with_group(args.group_by)
    if not args.input_csv.is_file():
        raise UsageError(f"there is no labels CSV {files.shown_path(args.input_csv)}; make it with xml_to_csv.py")
    return args


def fraction(text: str) -> Decimal:
    """A flag's value between 0 and 1, exactly as written: with floats, 0.9 times 10 images might fall short of 9."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1, such as 0.2")
    return value


def expression_with_group(text: str) -> re.Pattern[str]:
    try:
        expression = re.compile(text)
    except re.error as error:
        raise UsageError(f"--group_by {text!r} is no regular expression: {error}") from error
    if not expression.groups:
        raise UsageError(rf"--group_by {text!r} has no (group) to compare, such as '^(\d+)_'")
    return expression


def split_sizes(num_images: int, test_fraction: Decimal) -> list[int]:
    """Images for training, floor((1 - test_fraction) * num_images), and for testing, the others.

    Raises:
        DataError: one of the two sets would be empty.
    """
    num_train = int((1 - test_fraction) * num_images)
    num_test = num_images - num_train
    if not num_train or not num_test:
        sizes = f"{num_train} for training and {num_test} for testing"
        message = f"{num_images} images with --test_fraction {test_fraction} give {sizes}; both need at least one"
        raise DataError([message], "nothing was written")
    return [num_train, num_test]


def fold_sizes(num_images: int, folds: int) -> list[int]:
    """Images of each fold: as equal as can be; raises DataError where there are too few."""
    if num_images < folds:
        raise DataError([f"{num_images} images cannot make {folds} folds"], "nothing was written")
    return [num_images // folds + (fold < num_images % folds) for fold in range(folds)]


def group_images(images: Sequence[str], args: argparse.Namespace) -> list[tuple[str, ...]]:
    """The images that stay together, in order of their first names; each alone where nothing groups them."""
    if args.group_by is None:
        return [(image,) for image in images]
    keys = duplicate_keys(images, args.image_dir) if args.group_by == "duplicates" else name_keys(images, args.group_by)
    groups = defaultdict(list)
    for image, key in zip(images, keys, strict=True):
        groups[key].append(image)
    largest = max(groups.values(), key=len, default=[])
    print(f"{len(images)} images in {len(groups)} groups; the largest has {len(largest)}")
    return [tuple(group) for group in groups.values()]


def name_keys(images: Sequence[str], expression: re.Pattern[str]) -> list[object]:
    """What the first group of the expression finds in each name; names that do not match are groups of their own."""
    matches = [expression.search(image) for image in images]
    if unmatched := [image for image, match in zip(images, matches, strict=True) if not match or match[1] is None]:
        shown = ", ".join(unmatched[:3]) + (", ..." if len(unmatched) > 3 else "")
        print(f"{len(unmatched)} images do not match --group_by, each is a group of its own: {shown}")
    alone = set(unmatched)
    return [(image,) if image in alone else match[1] for image, match in zip(images, matches, strict=True)]


def duplicate_keys(images: Sequence[str], image_dir: Path) -> list[object]:
    """The number of each image's group of near-duplicates; raises DataError where an image is missing or unreadable."""
    from scripts.lib.dataset import near_duplicates
    from scripts.lib.records import make_example

    find = make_example.ExampleMaker(image_dir, class_ids={}).find
    names, name_findings = zip(*map(find, images), strict=True)
    findings = errors(itertools.chain.from_iterable(name_findings))
    try:
        hashes = near_duplicates.hash_images([image_dir / name for name in names if name])
    except DataError as error:
        findings += error.findings
    if findings:
        raise DataError(findings, "nothing was written")
    return near_duplicates.group(hashes).tolist()


def make_units(rows: Iterable[Row], groups: Iterable[tuple[str, ...]]) -> list[Unit]:
    boxes_of = defaultdict(Counter)
    for row in rows:
        if row.class_name:
            boxes_of[row.filename][row.class_name] += 1
    return [Unit(group, sum((boxes_of[image] for image in group), Counter())) for group in groups]


def make_splits(rows: Sequence[Row], subsets: Sequence[Sequence[Unit]], args: argparse.Namespace) -> list[Split]:
    """The one split into training and test set, or one for each fold; rows keep their order."""
    subset_of = {image: number for number, units in enumerate(subsets) for unit in units for image in unit.images}
    splits = []
    for fold in range(args.folds or 1):
        tested = fold if args.folds else 1
        train = [row for row in rows if subset_of[row.filename] != tested]
        test = [row for row in rows if subset_of[row.filename] == tested]
        paths = (args.train_csv, args.test_csv, args.summary_csv)
        if args.folds:
            paths = [path.with_name(f"{path.stem}_fold_{fold}{path.suffix}") for path in paths]
        splits.append(Split(train, test, *paths))
    return splits


def remove_further_folds(args: argparse.Namespace) -> None:
    """Removes what an earlier run with more folds wrote, and says so: it would be taken for a part of this one."""
    for path, head in (
        (args.train_csv, labels_csv.HEAD),
        (args.test_csv, labels_csv.HEAD),
        (args.summary_csv, ",".join(SUMMARY_COLUMNS).encode()),
    ):
        for fold in itertools.count(args.folds):
            former = path.with_name(f"{path.stem}_fold_{fold}{path.suffix}")
            if not former.is_file() or not former.read_bytes().startswith(head):
                break
            former.unlink()
            print(f"removed, of an earlier run with more folds: {files.shown_path(former)}")


def summarize(train: Iterable[Row], test: Iterable[Row]) -> list[tuple[str, int, int, int]]:
    """One tuple a class, in alphabetical order: its name, its boxes in the training set, in the test set, in both."""
    counts_train, counts_test = (Counter(row.class_name for row in rows if row.class_name) for rows in (train, test))
    names = sorted(counts_train.keys() | counts_test.keys())
    return [(name, counts_train[name], counts_test[name], counts_train[name] + counts_test[name]) for name in names]


def write_summary(summary: Iterable[tuple], path: Path) -> None:
    with files.atomic_write(path, "w") as file:
        csv.writer(file, lineterminator="\n").writerows([SUMMARY_COLUMNS, *summary])


def check_outputs(splits: Iterable[Split], args: argparse.Namespace) -> None:
    """Raises UsageError where a file that is none of ours would be overwritten."""
    for split in splits:
        command_line.check_output("train_csv", split.train_csv, labels_csv.HEAD, "labels CSV")
        command_line.check_output("test_csv", split.test_csv, labels_csv.HEAD, "labels CSV")
        command_line.check_output("summary_csv", split.summary_csv, ",".join(SUMMARY_COLUMNS).encode(), "summary")
    command_line.check_output("manifest_json", args.manifest_json, MANIFEST_HEAD, "manifest of a split")


def print_split(split: Split, args: argparse.Namespace) -> None:
    summary = summarize(split.train, split.test)
    for name, *counts in (SUMMARY_COLUMNS, *summary):
        print(f"{name:<24}" + "".join(f"{count:>13}" for count in counts))
    remedy = "label more of them" if args.stratify else "--stratify spreads them"
    for column, purpose in ((1, "training"), (2, "testing")):
        if lacking := [counts[0] for counts in summary if not counts[column]]:
            print(f"warning: no box for {purpose}: {', '.join(lacking)}; {remedy}")
    for purpose, rows, path in (("training", split.train, split.train_csv), ("testing", split.test, split.test_csv)):
        negatives = sum(not row.class_name for row in rows)
        without = f", {negatives} of them without objects" if negatives else ""
        print(f"{count_images(rows)} images for {purpose}{without}: {files.shown_path(path)}")


def count_images(rows: Iterable[Row]) -> int:
    return len({row.filename for row in rows})


def write_manifest(splits: Sequence[Split], args: argparse.Namespace) -> None:
    """Writes what a reader needs to make the same split again, and to see that it is the same."""
    manifest = {
        "input_csv": files.shown_path(args.input_csv),
        "input_sha256": files.sha256(args.input_csv),
        "seed": args.seed,
        "test_fraction": None if args.folds else str(args.test_fraction),
        "folds": args.folds,
        "stratify": args.stratify,
        "group_by": args.group_by.pattern if isinstance(args.group_by, re.Pattern) else args.group_by,
        "splits": [
            {
                "train_csv": files.shown_path(split.train_csv),
                "test_csv": files.shown_path(split.test_csv),
                "images_train": count_images(split.train),
                "images_test": count_images(split.test),
                "boxes": {name: {"train": train, "test": test} for name, train, test, _ in summarize(*split[:2])},
            }
            for split in splits
        ],
    }
    with files.atomic_write(args.manifest_json, "w") as file:
        file.write(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    command_line.run(main)
