"""Write a report on a model: curves, numbers with intervals, errors and examples on one page; or compare two reports.

In:   an exported model and the test record; the event files of training and evaluation, also of old runs.
Out:  in output_dir: index.html, metrics.json, Total_Loss.png, mAP.png and further plots (for dark pages in dark/),
      confusion_matrix.csv, examples in images/ (without --no_images), and detections.json, which makes a second run
      quick; score_thresholds.json, the score threshold of each class with the best F1. In eval_dir: an event file for
      TensorBoard. With --update_thresholds, and only then, score_thresholds.json is also written to the model's folder,
      where detect.py and serve.py find it: it becomes their default.

  python scripts/report.py --train_dir runs/multi/train --eval_dir runs/multi/eval --records data/test.record

Two reports on the same record side by side, with the interval of each difference (--records for the examples):

  python scripts/report.py --compare runs/a/report runs/b/report --records data/test.record --output_dir runs/a_and_b
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import existing_dir, local_path
from scripts.lib.core.errors import UsageError
from scripts.lib.images import fonts
from scripts.lib.models import exported_model


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    from scripts.lib.report import comparison, examples, figures, report

    image_records = [] if args.no_images else args.records
    options = report.PageOptions(args.output_dir, image_records, args.title, args.note, args.num_resamples, args.font)
    page = files.shown_path(args.output_dir / report.PAGE)
    command_line.check_output_dir("output_dir", args.output_dir, report.HEADS, report.FURTHER)
    if args.compare:
        comparison.write(*args.compare, options)
        print(f"The comparison is in {page}")
        return 0

    if image_records:
        examples.check_folder(args.output_dir / examples.FOLDER)  # before the work, not after it
    inputs = report.ReportInputs(args.model, args.records, args.train_dir, args.eval_dir)
    results = report.measure(inputs, options)
    print(figures.table(results))
    findings = report.write(results, inputs, options)
    for folder in (args.output_dir, args.model) if args.update_thresholds else (args.output_dir,):
        figures.write_thresholds(folder / exported_model.SCORE_THRESHOLDS, results)
    print("\n".join(f"- {sentence}" for sentence in findings))
    use = "detect.py and serve.py now use them" if args.update_thresholds else "--update_thresholds puts them to use"
    print(f"The best score thresholds are in {files.shown_path(folder / exported_model.SCORE_THRESHOLDS)}; {use}.")
    print(f"The report is in {page}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--train_dir", type=existing_dir, help="folder with the event files of the training")
    parser.add_argument("--eval_dir", type=existing_dir, help="folder with the event files of the evaluation")
    default = files.default_path("exported_model")
    parser.add_argument("--model", type=existing_dir, default=default, help="folder of the exported model")
    parser.add_argument("--records", nargs="+", help="test record; or several, or the pattern of its shards")
    parser.add_argument("--output_dir", type=local_path, required=True, help="folder for the report")
    metavar = ("RUN_A", "RUN_B")
    parser.add_argument("--compare", nargs=2, type=existing_dir, metavar=metavar, help="output_dir of two reports")
    parser.add_argument(
        "--no_images", "--no_pictures", action="store_true", help="write nothing that shows an image of the record"
    )
    parser.add_argument("--title", default="", help="heading of the page, instead of the folder's name")
    parser.add_argument("--note", default="", help="remark under the heading, e.g. where the data is from")
    fonts.add_flag(parser)
    resamples = {"type": command_line.positive_int, "default": 1000, "metavar": "N"}
    parser.add_argument("--num_resamples", **resamples, help="bootstrap resamples for the intervals")
    help_text = "make the best score thresholds the default of detect.py and serve.py: write them into --model"
    parser.add_argument("--update_thresholds", action="store_true", help=help_text)
    args = parser.parse_args(argv)
    if args.compare:
        not_compared = ("train_dir", "eval_dir", "update_thresholds")
        if given := [f"--{name}" for name in not_compared if getattr(args, name)]:
            raise UsageError(f"--compare reads two reports that are there: leave out {' and '.join(given)}")
        args.records = args.records or []
        return args
    args.records = args.records or [str(files.default_path("data/test.record"))]
    if not (args.model / exported_model.LABEL_MAP).is_file():
        raise UsageError(
            f"--model {files.shown_path(args.model)} holds no {exported_model.LABEL_MAP}; give the output_directory of "
            "export_inference_graph.py"
        )
    return args


if __name__ == "__main__":
    command_line.run(main)
