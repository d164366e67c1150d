"""Evaluate a pipeline config by cross-validation: train K models, each tested on images that it has not seen.

In:   a labels CSV, such as the training CSV of a split, its images, and a pipeline config with the settings to judge.
Out:  in output_dir: the folds' CSVs, records, configs, trainings and models (fold_0/, fold_1/, ...), and
      cross_validation.json with AP@0.5 of each class in each fold, mean and standard deviation over the folds, and AP
      on all images together with a 95% interval. Also printed as a table.

Choose settings by this, and look at the test images once, at the end: a result by which settings were chosen is too
optimistic. Near-duplicate images stay in one fold (split_dataset.py --group_by). The config's records are replaced by
those of the folds; all else is as in the config. Run the same command again to resume.

  python scripts/cross_validate.py --csv_input data/train_labels.csv --pipeline_config_path runs/mine/pipeline.config
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.config import pipeline_config
from scripts.lib.core import command_line, files, json_text, pipeline_step
from scripts.lib.core.command_line import existing_dir, existing_file, local_path, positive_int
from scripts.lib.core.errors import UsageError
from scripts.lib.core.pipeline_step import PipelineStep
from scripts.lib.core.progress import stage
from scripts.lib.evaluation import average_precision, metrics_file, on_record
from scripts.lib.records import manifest
from scripts.lib.report import figures

RESULT, SETTINGS, MODEL = "cross_validation.json", "settings.json", "exported_model"
HEAD = b'{\n  "settings": '  # what both begin with
NUM_RESAMPLES = 1000


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    config = pipeline_config.read(args.pipeline_config_path)
    args.label_map = args.label_map or Path(pipeline_config.label_map_path(config))
    if not args.label_map.is_file():
        raise UsageError(f"{files.shown_path(args.pipeline_config_path)} names no label map here; give --label_map")
    for name in ("csv_input", "image_dir", "pipeline_config_path", "label_map", "output_dir"):
        setattr(args, name, getattr(args, name).absolute())  # the steps run in the repository's root
    settings = settings_of(args)
    keep_settings(args.output_dir / SETTINGS, settings)
    for made, step in steps(args):
        if not made.exists():
            with stage(step.title):
                pipeline_step.run(step, Path(sys.executable), "run the same command again to go on from here")

    from scripts.lib.report import report  # loads matplotlib

    folders = [args.output_dir / f"fold_{fold}" for fold in range(args.folds)]
    found = [on_record.detect(one / MODEL, [one / "test.record"], one / report.DETECTIONS) for one in folders]
    model = report.read_model(folders[0] / MODEL)
    by_fold = aps_by_fold(found, model.class_ids)
    together = on_record.RecordDetections(None, [image for fold in found for image in fold.images])
    pooled = figures.compute(together, model._replace(boxes_train=None), NUM_RESAMPLES)
    print(f"\n{table(by_fold)}\n\nAll folds together: {figures.table(pooled)}")
    print("Settings: " + ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None))
    content = {"settings": settings, "ap_by_fold": by_fold, "together": figures.as_json(pooled)}
    metrics_file.write_json(args.output_dir / RESULT, content)
    print(f"The figures are in {files.shown_path(args.output_dir / RESULT)}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    labels, image_dir = files.default_path("data/train_labels.csv"), files.default_path("samples")
    parser.add_argument("--csv_input", "--input_csv", type=existing_file, default=labels, help="labels CSV to divide")
    parser.add_argument("--image_dir", type=existing_dir, default=image_dir, help="folder of images")
    parser.add_argument("--pipeline_config_path", type=existing_file, required=True, help="config to evaluate")
    parser.add_argument("--label_map", type=existing_file, help="label map (default: the config's)")
    parser.add_argument("--max_image_side", type=positive_int, metavar="PIXELS", help="shrink larger images")
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="number of folds, and of trainings")
    parser.add_argument("--seed", type=int, default=1, help="seed of the folds and of the trainings")
    group_by = "images that stay in one fold: near-duplicates, or as split_dataset.py --group_by says"
    parser.add_argument("--group_by", default="duplicates", metavar="duplicates|REGEX", help=group_by)
    parser.add_argument("--stratify", action="store_true", help="give each fold its share of each class")
    output_dir = files.default_path("runs/cross_validation")
    parser.add_argument("--output_dir", type=local_path, default=output_dir, help="folder for all results")
    args = parser.parse_args(argv)
    if args.folds < 2:
        raise UsageError(f"--folds {args.folds}: cross-validation needs at least 2")
    command_line.check_output_dir("output_dir", args.output_dir, {SETTINGS: HEAD, RESULT: HEAD}, ["fold_0"])
    return args


def settings_of(args: argparse.Namespace) -> dict[str, str | int | bool | None]:
    """Return what the results depend on: the beginning of the inputs' SHA-256, and the flags."""
    inputs = ("csv_input", "pipeline_config_path", "label_map")
    digests = {name: files.sha256(getattr(args, name))[:12] for name in inputs}
    flags = ("folds", "seed", "group_by", "stratify", "max_image_side")
    return {**digests, **{name: getattr(args, name) for name in flags}}


def keep_settings(path: Path, settings: dict) -> None:
    """Write the settings of a new run; raise UsageError where the folder holds one with others."""
    if not path.is_file():
        metrics_file.write_json(path, {"settings": settings})
    try:
        former = json_text.read(path, {"settings": dict})["settings"]
    except ValueError as error:
        raise UsageError(f"{files.shown_path(path)} {error}; give another --output_dir") from None
    if changed := [name for name, value in settings.items() if former.get(name) != value]:
        folder = files.shown_path(path.parent)
        raise UsageError(f"{folder} holds results with another {' and '.join(changed)}; give another --output_dir")


def steps(args: argparse.Namespace) -> Iterator[tuple[Path, PipelineStep]]:
    """Yield the commands in order, each with what it makes last, by which a later run knows that it is done."""
    out = args.output_dir
    split = ["--csv_input", args.csv_input, "--folds", str(args.folds), "--seed", str(args.seed)]
    split += ["--group_by", args.group_by, "--image_dir", args.image_dir, *["--stratify"] * args.stratify]
    split += ["--train_csv", out / "train.csv", "--test_csv", out / "test.csv", "--summary_csv", out / "summary.csv"]
    yield out / f"summary_fold_{args.folds - 1}.csv", PipelineStep("Dividing the images", "split_dataset.py", split)
    shrunk = ["--max_image_side", str(args.max_image_side)] if args.max_image_side else []
    for fold in range(args.folds):
        folder, title = out / f"fold_{fold}", f"Fold {fold + 1} of {args.folds}"
        records = {side: folder / f"{side}.record" for side in ("train", "test")}
        for side, record in records.items():
            arguments = ["--csv_input", out / f"{side}_fold_{fold}.csv", "--output_path", record, *shrunk]
            arguments += ["--image_dir", args.image_dir, "--label_map", args.label_map]
            step = PipelineStep(f"{title}: writing {side}.record", "generate_tfrecord.py", arguments)
            yield manifest.path_of(record), step
        config, train_dir, model = folder / "pipeline.config", folder / "train", folder / MODEL
        arguments = ["--base_config", args.pipeline_config_path, "--output_config", config]
        arguments += ["--train_record", records["train"], "--test_record", records["test"]]
        yield config, PipelineStep(f"{title}: making the config", "scripts/make_config.py", arguments)
        arguments = ["--pipeline_config_path", config, "--train_dir", train_dir, "--seed", str(args.seed)]
        yield model, PipelineStep(f"{title}: training", "scripts/train.py", arguments)
        arguments = ["--pipeline_config_path", config, "--trained_checkpoint_prefix", train_dir]
        arguments += ["--output_directory", model]
        yield model, PipelineStep(f"{title}: exporting", "scripts/export_inference_graph.py", arguments)


def aps_by_fold(found: Sequence[on_record.RecordDetections], class_ids: Mapping[str, int]) -> dict[str, dict]:
    """Return AP@0.5 of each class by its name, and their mean: in each fold, mean and standard deviation over them."""
    by_fold = {name: [] for name in (*class_ids, figures.MEAN)}
    for fold in found:
        matches = {name: average_precision.match(fold.images, class_id) for name, class_id in class_ids.items()}
        aps, mean_ap = average_precision.average_precisions(matches)
        for name, ap in {**aps, figures.MEAN: mean_ap}.items():
            by_fold[name].append(float(ap[0]))
    return {name: summary(aps) for name, aps in by_fold.items()}


def summary(aps: Sequence[float]) -> dict[str, float | Sequence[float]]:
    measured = [ap for ap in aps if not math.isnan(ap)]  # a fold may have no object of a class
    mean = statistics.fmean(measured) if measured else math.nan
    return {"folds": aps, "mean": mean, "deviation": statistics.stdev(measured) if len(measured) > 1 else math.nan}


def table(by_fold: Mapping[str, dict]) -> str:
    width = max(map(len, by_fold))
    columns = [*(f"fold {fold}" for fold in range(len(by_fold[figures.MEAN]["folds"]))), "mean", "deviation"]
    lines = [f"{'AP@0.5':<{width}}" + "".join(f"  {column:>9}" for column in columns)]
    for name, one in by_fold.items():
        values = ("-" if math.isnan(ap) else f"{ap:.3f}" for ap in (*one["folds"], one["mean"], one["deviation"]))
        lines.append(f"{name:<{width}}" + "".join(f"  {value:>9}" for value in values))
    return "\n".join(lines)


if __name__ == "__main__":
    command_line.run(main)
