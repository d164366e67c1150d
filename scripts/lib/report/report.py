"""Puts a report together: plots, examples, findings, metrics.json, the page, and an event file for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.evaluation import coco, event_files, metrics_file
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.models import exported_model
from scripts.lib.pages import render
from scripts.lib.records import manifest as record_manifest
from scripts.lib.report import examples as report_examples
from scripts.lib.report import figures as report_metrics
from scripts.lib.report import plots, sentences
from scripts.lib.report.examples import Example
from scripts.lib.report.figures import Results

DETECTIONS = "detections.json"
METRICS = "metrics.json"
PAGE = "index.html"
_WRITER = "report"  # in the name of its event file
_HEADINGS = {"confused": "Most confused classes", "missed": "Missed objects", "worst": "Most errors", "best": "Best"}


class ModelDescription(NamedTuple):
    """What the config of an exported model tells.

    Attributes:
        input_size: height and width of its input in pixels, None where it has no fixed one.
        boxes_train: class name -> objects in the training record, None where its manifest is not at hand.
    """

    input_size: tuple[int, int] | None
    boxes_train: dict[str, int] | None


def describe_model(model: Path | str) -> ModelDescription:
    """Reads the pipeline config of an exported model; one that is missing or foreign tells nothing."""
    try:
        config = pipeline_config.read(Path(model) / exported_model.PIPELINE_CONFIG)
    except (UsageError, DataError):
        return ModelDescription(None, None)
    kind = config.model.WhichOneof("model")
    resizer = getattr(config.model, kind).image_resizer.fixed_shape_resizer if kind else None
    size = (resizer.height, resizer.width) if resizer is not None and resizer.height else None
    return ModelDescription(size, _boxes_train(config))


def _boxes_train(config: pipeline_config.Message) -> dict[str, int] | None:
    """Objects of each class in the training record, from the record's manifest."""
    boxes: dict[str, int] = {}
    for path in config.train_input_reader.tf_record_input_reader.input_path:
        manifest = None if files.is_url(path) else record_manifest.read(path)
        if manifest is None:
            return None
        for name, entry in manifest["classes"].items():
            boxes[name] = boxes.get(name, 0) + entry["boxes"]
    return boxes or None


def write(
    output_dir: Path,
    results: Results,
    model: ModelDescription,
    train_dir: Path | None,
    eval_dir: Path | None,
    picture_records: Sequence[Path | str],
    title: str,
    note: str,
    num_resamples: int,
) -> list[str]:
    """Writes the report.

    Args:
        output_dir: its folder.
        results: all figures.
        model: what the model's config tells.
        train_dir, eval_dir: folders with event files, or None.
        picture_records: where the photos of the examples are; empty: no examples, and earlier ones are removed.
        title: heading of the page.
        note: a remark under it, or empty.
        num_resamples: behind the intervals.

    Returns:
        The findings.
    """
    findings = sentences.sentences(results, model.input_size)
    if eval_dir:
        event_files.remove(eval_dir, _WRITER)  # before the curves are read: it may be of another record
    training = _training_plots(output_dir, results, train_dir, eval_dir)
    detection, errors = _detection_plots(output_dir, results)
    examples = _examples(output_dir / report_examples.FOLDER, results, picture_records)

    report_metrics.write_confusion_csv(output_dir / "confusion_matrix.csv", results)
    report_metrics.write_json(output_dir / METRICS, report_metrics.as_json(results, findings))
    by_kind = {
        _HEADINGS[kind]: gallery(output_dir, [one for one in examples if one.kind == kind], results)
        for kind in _HEADINGS
        if any(one.kind == kind for one in examples)
    }
    render.write(
        output_dir / PAGE,
        "report.html",
        title=title,
        note=note,
        results=results,
        findings=findings,
        num_resamples=num_resamples,
        training=training,
        detection=detection,
        errors=errors,
        examples=by_kind,
    )
    if eval_dir:
        _write_events(eval_dir, output_dir, results, [*detection, *errors], examples)
    return findings


def _training_plots(
    folder: Path, results: Results, train_dir: Path | None, eval_dir: Path | None
) -> list[render.Picture]:
    """Total_Loss.png and mAP.png, from the event files; without any of an evaluation the report's own mAP."""
    made = []
    losses = plots.loss_curves(event_files.read_scalars(train_dir)) if train_dir else {}
    if losses:
        name = plots.save(folder, "Total_Loss.png", plots.total_loss(losses))
        made.append(render.picture(folder, name, "Training loss and its parts over the steps"))
    elif train_dir:
        print(f"{train_dir} holds no event file with a loss: no Total_Loss.png")
    names = [one.name for one in results.classes]
    precisions = plots.mean_ap_curves(event_files.read_scalars(eval_dir), names) if eval_dir else {}
    if not precisions and results.global_step:
        figures = {"mean": results.mean_ap, **{one.name: one.average_precision for one in results.classes}}
        precisions = {name: [Scalar(results.global_step, figure.value)] for name, figure in figures.items()}
    if precisions:
        name = plots.save(folder, "mAP.png", plots.mean_ap(precisions))
        made.append(render.picture(folder, name, "Average precision at IoU 0.5 over the steps, by class"))
    return made


def _detection_plots(folder: Path, results: Results) -> tuple[list[render.Picture], list[render.Picture]]:
    """The plots of the figures, and those of the errors."""

    def made(name: str, draw: plots.Draw, alt: str, **size) -> render.Picture:
        return render.picture(folder, plots.save(folder, name, draw, **size), alt)

    figures = [
        made("average_precision.png", plots.average_precision(results), "AP@0.5 of each class with its interval"),
        made("precision_recall.png", plots.precision_recall(results), "Precision over recall of each class"),
        made("f1.png", plots.f1(results), "F1 over the score threshold of each class"),
        made("calibration.png", plots.calibration(results), "How often detections of a score are right"),
    ]
    errors = [
        made(
            "confusion_matrix.png",
            plots.confusion_matrix(results),
            "Confusion matrix of the classes",
            inches=plots.confusion_inches(results),
        ),
        made("errors.png", plots.errors(results), "mAP@0.5 that each kind of error costs"),
    ]
    return figures, errors


def _examples(folder: Path, results: Results, records: Sequence[Path | str]) -> list[Example]:
    if not records:
        report_examples.remove(folder)
        return []
    return report_examples.draw(
        folder,
        report_examples.choose(results),
        records,
        lambda photo, index: report_examples.side_by_side(photo, index, results),
    )


def gallery(output_dir: Path, examples: Sequence[Example], results: Results) -> list[render.ExamplePicture]:
    """The examples as the page shows them."""
    shown = []
    for example in examples:
        picture = render.picture(output_dir / report_examples.FOLDER, example.file, "")
        name = results.images[example.image_index].name
        shown.append(
            render.ExamplePicture(example.file, picture.width, picture.height, example.kind, name, example.caption)
        )
    return shown


def _write_events(
    eval_dir: Path,
    output_dir: Path,
    results: Results,
    shown: Sequence[render.Picture],
    examples: Sequence[Example],
) -> None:
    """The figures and pictures for TensorBoard, under tags that group: Curves, Errors, Examples."""
    prefix = metrics_file.CLASS_AP_PREFIX
    scalars = {prefix + one.name: one.average_precision.value for one in results.classes}
    scalars[metrics_file.MEAN_AP] = results.mean_ap.value
    scalars |= {coco.METRICS[name].tag: figure.value for name, figure in results.coco.items()}
    pictures = {}
    for one in shown:
        group = "Errors" if one.file.startswith(("errors", "confusion")) else "Curves"
        pictures[f"{group}/{one.file[:-4]}"] = ((output_dir / one.file).read_bytes(), one.width, one.height)
    for one in gallery(output_dir, examples, results):
        encoded = (output_dir / report_examples.FOLDER / one.file).read_bytes()
        pictures[f"Examples/{one.file[:-4]}_{one.kind}"] = (encoded, one.width, one.height)
    figures = {tag: value for tag, value in scalars.items() if value == value}  # NaN is no point of a curve
    event_files.write(event_files.new_path(eval_dir, _WRITER), results.global_step or 0, figures, pictures)
