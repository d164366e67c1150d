"""Split the labels CSV into a training and a test set, by image.

In:  the CSV that xml_to_csv.py writes.
Out: two CSV files with the same columns, no image in both; the table class,counts_train,counts_test,total; and beside
     them split.json, which says how the split was made, and by which generate_tfrecord.py knows the two.

    python split_dataset.py --csv_input data/labels.csv --summary_csv data/summary.csv --test_fraction 0.2 --seed 1

floor((1 - test_fraction) * images) images are for training. The same seed gives the same split on every platform, with
every version of Python and its libraries, in whatever order the CSV's rows are.

--stratify splits each class's boxes in the same proportion, as nearly as the images allow.
--group_by keeps images together; the sizes are then met as nearly as the groups allow:
    --group_by duplicates        near-duplicate images in --image_dir, found by a perceptual hash
    --group_by "^(\\d+)_"         images whose names agree in the expression's first group, such as a product's number
--folds K writes K splits for cross-validation instead; each image is tested in one of them:
    data/train_labels_fold_0.csv, data/test_labels_fold_0.csv, data/summary_fold_0.csv, ... up to K - 1.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import itertools
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from scripts import _init_paths  # noqa: F401
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path, shell_text
from scripts.lib.core.errors import DataError, UsageError, errors
from scripts.lib.core.wording import counted, one_line
from scripts.lib.dataset import labels_csv, split_manifest
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.dataset.split import Unit, divide

SUMMARY_COLUMNS = ("class", "counts_train", "counts_test", "total")
SUMMARY_HEAD = ",".join(SUMMARY_COLUMNS).encode()
DUPLICATES = "duplicates"  # the value of --group_by that is not a regular expression
NOT_WRITTEN = "nothing was written"


class Split(NamedTuple):
    """A training and a test set, and the files they go to."""

    train: list[LabelRow]
    test: list[LabelRow]
    train_csv: Path
    test_csv: Path
    summary_csv: Path

    def summary(self) -> list[tuple[str, int, int, int]]:
        """Return one tuple per class, by name: its name, its boxes in the training set, in the test set, in both."""
        train, test = (Counter(row.class_name for row in rows if row.class_name) for rows in (self.train, self.test))
        return [
            (name, train[name], test[name], train[name] + test[name]) for name in sorted(train.keys() | test.keys())
        ]


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    with files.unchanged(args.csv_input) as input_sha256:
        rows = labels_csv.read_rows(args.csv_input)
    images = sorted({row.filename for row in rows})
    sizes = fold_sizes(len(images), args.folds) if args.folds else split_sizes(len(images), args.test_fraction)
    units = make_units(rows, group_images(images, args.group_by, args.image_dir))
    if not all(sizes) or not all(subsets := divide(units, sizes, args.seed, args.stratify)):
        found = f"{counted(len(images), 'image')} in {counted(len(units), 'group')} cannot fill {len(sizes)} sets"
        raise DataError(
            [f"{files.shown_path(args.csv_input)}: {found}: one would be empty; label more images"], NOT_WRITTEN
        )

    paths = args.train_csv, args.test_csv, args.summary_csv
    if args.folds:
        splits = [make_split(rows, units, fold_paths(paths, fold)) for fold, units in enumerate(subsets)]
    else:
        splits = [make_split(rows, subsets[1], paths)]
    refuse_other_files(splits, args.manifest_json)
    settings = {
        "input_csv": files.shown_path(args.csv_input),
        "input_sha256": input_sha256,
        "seed": args.seed,
        "test_fraction": None if args.folds else str(args.test_fraction),
        "folds": args.folds,
        "stratify": args.stratify,
        "group_by": args.group_by.pattern if isinstance(args.group_by, re.Pattern) else args.group_by,
        "command": shell_text("python", "split_dataset.py", *(sys.argv[1:] if argv is None else argv)),
    }
    write(splits, settings, args.manifest_json)
    for split in splits:
        print_split(split, args.stratify)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    labels, image_dir = files.default_path("data/labels.csv"), files.default_path("samples")
    train, test = files.default_path("data/train_labels.csv"), files.default_path("data/test_labels.csv")
    summary = files.default_path("data/summary.csv")
    parser.add_argument("--csv_input", "--input_csv", type=local_path, default=labels, help="labels CSV to split")
    parser.add_argument("--train_csv", type=local_path, default=train, help="training set to write")
    parser.add_argument("--test_csv", type=local_path, default=test, help="test set to write")
    parser.add_argument("--summary_csv", type=local_path, default=summary, help="boxes per class, to write")
    parser.add_argument("--manifest_json", type=local_path, help="manifest (default: split.json beside --train_csv)")
    parser.add_argument("--test_fraction", type=fraction, help="share of the images for testing (default: 0.2)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another split")
    parser.add_argument("--stratify", action="store_true", help="split each class's boxes in the same proportion")
    parser.add_argument("--group_by", type=grouping, metavar="duplicates|REGEX", help="keep images together, see below")
    parser.add_argument("--image_dir", type=local_path, default=image_dir, help="images, for --group_by duplicates")
    parser.add_argument("--folds", type=int, metavar="K", help="write K splits for cross-validation")
    args = parser.parse_args(argv)

    if args.folds is not None and args.test_fraction is not None:
        raise UsageError("--folds K tests 1/K of the images each time: leave out --test_fraction")
    if args.folds is not None and args.folds < 2:
        raise UsageError(f"--folds {args.folds}: cross-validation needs at least 2")
    args.test_fraction = args.test_fraction or Decimal("0.2")
    args.manifest_json = args.manifest_json or args.train_csv.with_name(split_manifest.NAME)
    flags = ("csv_input", "train_csv", "test_csv", "summary_csv", "manifest_json")
    for one, other in itertools.combinations(flags, 2):
        if getattr(args, one).resolve() == getattr(args, other).resolve():
            raise UsageError(f"--{one} and --{other} are the same file, {getattr(args, one)}")
    if args.group_by == DUPLICATES and not args.image_dir.is_dir():
        raise UsageError(f"--group_by duplicates compares the images: there is no folder --image_dir {args.image_dir}")
    if not args.csv_input.is_file():
        raise UsageError(f"there is no labels CSV {files.shown_path(args.csv_input)}; make it with xml_to_csv.py")
    return args


def fraction(text: str) -> Decimal:
    """An argparse type: a number between 0 and 1, exactly as written: as float, 0.9 times 10 might fall short of 9."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1, such as 0.2")
    return value


def grouping(text: str) -> str | re.Pattern[str]:
    """An argparse type: DUPLICATES, or a regular expression with a group."""
    if text == DUPLICATES:
        return text
    try:
        expression = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from error
    if not expression.groups:
        raise argparse.ArgumentTypeError(rf"{text!r} has no (group) to compare, such as '^(\d+)_'")
    return expression


def split_sizes(num_images: int, test_fraction: Decimal) -> list[int]:
    """Return the number of images for training and for testing."""
    num_train = int((1 - test_fraction) * num_images)
    return [num_train, num_images - num_train]


def fold_sizes(num_images: int, folds: int) -> list[int]:
    """Return the number of images of each fold, as equal as possible."""
    return [num_images // folds + (fold < num_images % folds) for fold in range(folds)]


def fold_paths(paths: Iterable[Path], fold: int) -> list[Path]:
    return [path.with_name(f"{path.stem}_fold_{fold}{path.suffix}") for path in paths]


def group_images(images: Sequence[str], group_by: str | re.Pattern | None, image_dir: Path) -> list[tuple[str, ...]]:
    """Return the images that stay together, in order of their first names; without grouping, each by itself."""
    if group_by is None:
        return [(image,) for image in images]
    keys = duplicate_keys(images, image_dir) if group_by == DUPLICATES else name_keys(images, group_by)
    groups = defaultdict(list)
    for image, key in zip(images, keys, strict=True):
        groups[key].append(image)
    largest = max(map(len, groups.values()), default=0)
    print(f"{counted(len(images), 'image')} in {counted(len(groups), 'group')}; the largest has {largest}")
    return [tuple(group) for group in groups.values()]


def name_keys(images: Sequence[str], expression: re.Pattern[str]) -> list[object]:
    """Return what the expression's first group finds in each name; names that do not match are groups of their own."""
    found = [match[1] if (match := expression.search(image)) else None for image in images]
    if None in found:
        print(f"--group_by does not match {counted(found.count(None), 'image')}; each is a group of its own")
    return [(image,) if text is None else text for image, text in zip(images, found, strict=True)]


def duplicate_keys(images: Sequence[str], image_dir: Path) -> list[object]:
    """Return the number of each image's group of near-duplicates; raise DataError for missing or unreadable images."""
    from scripts.lib.dataset import near_duplicates
    from scripts.lib.dataset.labelled_images import ImageChecker

    found = list(map(ImageChecker(image_dir, class_ids={}).find, images))
    findings = errors(finding for _, name_findings in found for finding in name_findings)
    hashes, image_findings = near_duplicates.hash_images([image_dir / name for name, _ in found if name])
    if findings := findings + image_findings:
        raise DataError(findings, NOT_WRITTEN)
    return near_duplicates.group(hashes).tolist()


def make_units(rows: Iterable[LabelRow], groups: Iterable[tuple[str, ...]]) -> list[Unit]:
    """Return the groups of images with their number of boxes of each class."""
    boxes_of = defaultdict(Counter)
    for row in rows:
        if row.class_name:
            boxes_of[row.filename][row.class_name] += 1
    return [Unit(group, sum((boxes_of[image] for image in group), Counter())) for group in groups]


def make_split(rows: Sequence[LabelRow], test_units: Iterable[Unit], paths: Iterable[Path]) -> Split:
    """Return the split whose test set is the given units; rows keep their order."""
    tested = {image for unit in test_units for image in unit.images}
    train = [row for row in rows if row.filename not in tested]
    return Split(train, [row for row in rows if row.filename in tested], *paths)


def refuse_other_files(splits: Iterable[Split], manifest_json: Path) -> None:
    """Raise UsageError where a file of another kind would be overwritten."""
    for split in splits:
        command_line.check_output("train_csv", split.train_csv, labels_csv.HEAD, "labels CSV")
        command_line.check_output("test_csv", split.test_csv, labels_csv.HEAD, "labels CSV")
        command_line.check_output("summary_csv", split.summary_csv, SUMMARY_HEAD, "summary")
    command_line.check_output("manifest_json", manifest_json, split_manifest.HEAD, "manifest of a split")


def write(splits: Sequence[Split], settings: dict, manifest_json: Path) -> None:
    """Write all files, the manifest first: CSVs that are not those of the manifest may be of two splits."""
    contents = {}
    for split in splits:
        contents[split.train_csv], contents[split.test_csv] = map(labels_csv.encoded, (split.train, split.test))
        summary = io.StringIO(newline="")
        csv.writer(summary, lineterminator="\n").writerows([SUMMARY_COLUMNS, *split.summary()])
        contents[split.summary_csv] = summary.getvalue().encode()
    described = [
        {
            "train_csv": files.shown_path(split.train_csv),
            "test_csv": files.shown_path(split.test_csv),
            "train_sha256": hashlib.sha256(contents[split.train_csv]).hexdigest(),
            "test_sha256": hashlib.sha256(contents[split.test_csv]).hexdigest(),
            "images_train": count_images(split.train),
            "images_test": count_images(split.test),
            "boxes": {name: {"train": train, "test": test} for name, train, test, _ in split.summary()},
        }
        for split in splits
    ]
    manifest = json.dumps({**settings, "splits": described}, indent=2, ensure_ascii=False) + "\n"
    contents = {manifest_json: manifest.encode(errors="backslashreplace"), **contents}
    with files.write_together(*contents) as opened:
        for file, content in zip(opened, contents.values(), strict=True):
            file.write(content)


def print_split(split: Split, stratify: bool) -> None:
    summary = split.summary()
    for name, *counts in (SUMMARY_COLUMNS, *summary):
        print(f"{one_line(name):<24}" + "".join(f"{count:>13}" for count in counts))
    remedy = "label more of them" if stratify else "--stratify spreads them"
    for column, purpose in ((1, "training"), (2, "testing")):
        if lacking := [counts[0] for counts in summary if not counts[column]]:
            print(f"warning: no box for {purpose}: {', '.join(lacking)}; {remedy}")
    parts = (("training", split.train, split.train_csv), ("testing", split.test, split.test_csv))
    for purpose, rows, path in parts:
        negatives = sum(not row.class_name for row in rows)
        without = f", {negatives} of them without objects" if negatives else ""
        print(f"{counted(count_images(rows), 'image')} for {purpose}{without}: {files.shown_path(path)}")


def count_images(rows: Iterable[LabelRow]) -> int:
    return len({row.filename for row in rows})


if __name__ == "__main__":
    command_line.run(main)
