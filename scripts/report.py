"""Results one can look at: curves, figures with intervals, errors, examples, on one static page; or two runs compared.

In:   an exported model and the test record; the event files of training and evaluation, also of old runs.
Out:  in output_dir: index.html, metrics.json, Total_Loss.png, mAP.png and further plots (for dark pages in dark/),
      confusion_matrix.csv, examples in images/ (not with --no_pictures, for photos that must not be published), and
      detections.json, which makes a second run quick. In the model's folder: score_thresholds.json, the score of each
      class with the best F1, which detect.py takes for its default. In eval_dir: an event file for TensorBoard.

  python scripts/report.py --train_dir runs/multi/train --eval_dir runs/multi/eval --model exported_model \\
      --records data/test.record --output_dir model_six_classes

Two reports on the same record, side by side, with the interval of their difference (--records for the pictures):

  python scripts/report.py --compare runs/a/report runs/b/report --records data/test.record --output_dir runs/a_and_b
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import UsageError
from scripts.lib.dataset import label_map
from scripts.lib.models import exported_model
from scripts.lib.report import figures


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    if args.compare:
        from scripts.lib.report import comparison

        comparison.write(
            *args.compare,
            args.output_dir,
            [] if args.no_pictures else args.records or [],
            args.title,
            args.note,
            args.num_resamples,
        )
        print(f"The comparison is in {files.shown_path(args.output_dir / 'index.html')}")
        return 0

    check(args)
    from scripts.lib.evaluation import on_record
    from scripts.lib.report import examples, report

    if not args.no_pictures:
        examples.check_folder(args.output_dir / examples.FOLDER)  # before the work, not after it
    class_ids = label_map.read(args.model / exported_model.LABEL_MAP)
    found = on_record.detect(args.model, args.records, args.output_dir / report.DETECTIONS)
    model = report.describe_model(args.model)
    results = figures.compute(found.images, class_ids, found.global_step, model.boxes_train, args.num_resamples)
    print(figures.table(results))

    written = report.write(
        args.output_dir,
        results,
        model,
        args.train_dir,
        args.eval_dir,
        [] if args.no_pictures else args.records,
        args.title or args.output_dir.resolve().name,
        args.note,
        args.num_resamples,
    )
    for folder in (args.output_dir, args.model):
        figures.write_thresholds(folder / exported_model.SCORE_THRESHOLDS, results)
    for sentence in written:
        print(f"- {sentence}")
    print(
        f"The page is {files.shown_path(args.output_dir / 'index.html')}; the best score thresholds are in "
        f"{files.shown_path(args.model / exported_model.SCORE_THRESHOLDS)}"
    )
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--train_dir", type=local_path, help="folder with the event files of the training")
    parser.add_argument("--eval_dir", type=local_path, help="folder with the event files of the evaluation")
    parser.add_argument("--model", type=local_path, default=files.default_path("exported_model"), help="exported model")
    parser.add_argument("--records", nargs="+", help="test record; or several, or the pattern of its shards")
    parser.add_argument("--output_dir", type=local_path, required=True, help="folder for the report")
    parser.add_argument(
        "--compare", nargs=2, type=local_path, metavar=("RUN_A", "RUN_B"), help="output_dir of two reports"
    )
    parser.add_argument("--no_pictures", action="store_true", help="no picture with a photo in it, anywhere")
    parser.add_argument("--title", default="", help="heading of the page; else the folder's name")
    parser.add_argument("--note", default="", help="a remark under the heading, e.g. on where the data is from")
    parser.add_argument(
        "--num_resamples",
        type=command_line.positive_int,
        default=figures.NUM_RESAMPLES,
        metavar="N",
        help="bootstrap resamples for the intervals",
    )
    args = parser.parse_args(argv)
    if not args.compare and not args.records:
        args.records = [str(files.default_path("data/test.record"))]
    return args


def check(args: argparse.Namespace) -> None:
    """Refuses folders that are not there.

    Raises:
        UsageError: names the flag and the folder.
    """
    for flag in ("train_dir", "eval_dir", "model"):
        folder = getattr(args, flag)
        if folder is not None and not folder.is_dir():
            raise UsageError(f"--{flag} {files.shown_path(folder)}: there is no such folder")
    if not (args.model / exported_model.LABEL_MAP).is_file():
        raise UsageError(
            f"--model {files.shown_path(args.model)} holds no {exported_model.LABEL_MAP}; give the output_directory of "
            "export_inference_graph.py"
        )


if __name__ == "__main__":
    command_line.run(main)
