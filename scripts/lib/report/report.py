"""A report: plots, examples, findings, metrics.json, the page, and an event file for TensorBoard."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.wording import counted
from scripts.lib.evaluation import coco, event_files, metrics_file, on_record
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.images import fonts
from scripts.lib.models import exported_model, metadata
from scripts.lib.pages import render
from scripts.lib.records import manifest as record_manifest
from scripts.lib.report import examples, figures, plots, sentences
from scripts.lib.report.figures import ReportedModel, Results
from scripts.lib.report.plots import PlotImage
from scripts.lib.training import log as training_log

DETECTIONS = "detections.json"
METRICS = "metrics.json"
COMPARISON = "compare.json"
PAGE = "index.html"
CONFUSION = "confusion_matrix.csv"
HEADS = {  # they begin so
    PAGE: render.HEAD,
    METRICS: b'{\n  "about": {',
    DETECTIONS: b'{"version": 1, "model_sha256": "',
    COMPARISON: b'{\n  "a": "',
    CONFUSION: b"true class,",
}
FURTHER = ("Total_Loss.png", "mAP.png", *plots.DETECTION, *plots.ERRORS, "dark", exported_model.SCORE_THRESHOLDS)
_WRITER = "report"  # in the name of its event file


@dataclasses.dataclass(frozen=True)
class ReportInputs:
    """What a report is about: an exported model, the test record, and folders with event files, or None."""

    model: Path
    records: Sequence[str]
    train_dir: Path | None
    eval_dir: Path | None


@dataclasses.dataclass(frozen=True)
class PageOptions:
    """Where the page of a report or of a comparison is written, and with what."""

    output_dir: Path
    image_records: Sequence[str]  # records with the images of the examples; without records there are none
    title: str  # heading; empty for the default
    note: str  # remark under the heading, may be empty
    num_resamples: int  # bootstrap resamples for the intervals
    font_file: Path | None = None  # of class names, see `fonts.use`


def measure(inputs: ReportInputs, options: PageOptions) -> Results:
    """Detect on the record, or read detections.json of an earlier report on it, and compute all numbers."""
    model = read_model(inputs.model)
    found = on_record.detect(inputs.model, inputs.records, options.output_dir / DETECTIONS)
    return figures.compute(found, model, options.num_resamples)


def read_model(folder: Path) -> ReportedModel:
    """Read the label map of an exported model, and its pipeline config if there is one."""
    names = metadata.class_names(folder).values()
    class_ids = {name: number for number, name in enumerate(names, start=1)}  # as `on_record.detect` numbers them
    try:
        config = pipeline_config.read(folder / exported_model.PIPELINE_CONFIG)
    except (UsageError, DataError):
        return ReportedModel(class_ids)
    model = getattr(config.model, config.model.WhichOneof("model") or "ssd")
    resizer = model.image_resizer.fixed_shape_resizer
    size = (resizer.height, resizer.width) if resizer.height else None
    return ReportedModel(
        class_ids, _boxes_train(config, metadata.label_names(folder)), size, model.feature_extractor.type
    )


def _boxes_train(config: pipeline_config.Message, label_names: Mapping[str, str]) -> dict[str, int] | None:
    """Count the objects of each class, by the name that people read, in the training record's manifest, if any."""
    boxes = Counter()
    for path in config.train_input_reader.tf_record_input_reader.input_path:
        manifest = None if files.is_url(path) else record_manifest.read(path)
        if manifest is None:
            return None
        boxes.update({name: entry["boxes"] for name, entry in manifest["classes"].items()})
    return {shown: boxes[name] for shown, name in label_names.items() if name in boxes} or None


def write(results: Results, inputs: ReportInputs, options: PageOptions) -> list[str]:
    """Write all files of the report; return the findings."""
    fonts.use(options.font_file, [one.name for one in results.classes])
    folder, eval_dir = options.output_dir, inputs.eval_dir
    findings = sentences.sentences(results)
    if eval_dir:
        event_files.remove(eval_dir, _WRITER)  # before the curves are read: it may be about another record
    training = _training_plots(folder, results, inputs)
    detection = plots.save_all(folder, plots.DETECTION, results)
    errors = plots.save_all(folder, plots.ERRORS, results)
    drawn = examples.draw(
        folder / examples.FOLDER, examples.choose(results), options.image_records, {"detections": results}
    )
    figures.write_confusion_csv(folder / CONFUSION, results)
    about = describe(results, inputs)
    metrics_file.write_json(folder / METRICS, figures.as_json(results, findings, about))
    by_kind = {kind: [example for example in drawn if example.kind == kind] for kind in examples.HEADINGS}
    render.write(
        folder / PAGE,
        "report.html",
        title=options.title or f"{about['model']} on {about['data set']}",
        about=about,
        note=options.note,
        results=results,
        findings=findings,
        num_resamples=options.num_resamples,
        training=training,
        detection=detection,
        errors=errors,
        examples={examples.HEADINGS[kind]: of_kind for kind, of_kind in by_kind.items() if of_kind},
    )
    if eval_dir:
        images = {
            f"{group}/{one.file[:-4]}": folder / one.file
            for group, of_group in (("Curves", detection), ("Errors", errors))
            for one in of_group
        }
        images |= {f"Examples/{one.file[:-4]}_{one.kind}": folder / examples.FOLDER / one.file for one in drawn}
        path = event_files.new_path(eval_dir, _WRITER)
        event_files.write(path, results.global_step or 0, _event_scalars(results), images)
    return findings


def describe(results: Results, inputs: ReportInputs) -> dict[str, str]:
    """Return what the report is about, name -> text: model, export, input size, data set, date."""
    model, step, runtime = results.model, results.global_step, results.runtime
    size = " {1}x{0}".format(*model.input_size) if model.input_size else ""
    export = (files.shown_path(inputs.model), step and f"step {step:,}", runtime and f"runtime {runtime}")
    return {
        "model": (model.architecture or inputs.model.resolve().name) + size,
        "export": ", ".join(filter(None, export)),
        "data set": files.shown_paths(inputs.records),
        "objects": f"{results.num_objects} on {counted(len(results.images), 'image')}",
        "date": datetime.date.today().isoformat(),
    }


def _training_plots(folder: Path, results: Results, inputs: ReportInputs) -> list[PlotImage]:
    """Write Total_Loss.png and mAP.png; return those that the page shows.

    mAP.png holds the curves of several evaluations, or else the report's own figures, which the page has elsewhere.
    """
    made = []
    losses = plots.loss_curves(read_losses(inputs.train_dir)) if inputs.train_dir else {}
    if losses:
        alt = "Training loss and its parts over the steps"
        made.append(plots.save(folder, "Total_Loss.png", plots.total_loss, losses, alt))
    elif inputs.train_dir:
        print(f"{files.shown_path(inputs.train_dir)} holds no log or event file with a loss: no Total_Loss.png")
    names = [one.name for one in results.classes]
    precisions = plots.mean_ap_curves(event_files.read_scalars(inputs.eval_dir), names) if inputs.eval_dir else {}
    if len({point.step for curve in precisions.values() for point in curve}) > 1:
        draw = functools.partial(plots.mean_ap, class_names=names)
        made.append(plots.save(folder, "mAP.png", draw, precisions, "AP@0.5 of each class over the steps"))
    else:
        plots.save(folder, "mAP.png", plots.average_precision, results, "AP@0.5 of each class with its interval")
    return made


def read_losses(train_dir: Path) -> dict[str, list[Scalar]]:
    """Return the curves of the loss and its parts by tag: from the training's log, or from the event files."""
    curves = defaultdict(list)
    for line in training_log.read(train_dir / training_log.FILE_NAME):
        for name, value in {"TotalLoss": line.get("loss"), **line.get("losses", {})}.items():
            curves[f"Losses/{name}"].append(Scalar(line["step"], math.nan if value is None else value))
    return curves or event_files.read_scalars(train_dir)


def _event_scalars(results: Results) -> dict[str, float]:
    """Return TensorBoard tag -> value, without NaN."""
    scalars = {tag: figure.value for tag, figure in figures.pascal_tags(results).items()}
    scalars |= {coco.METRICS[name].tag: figure.value for name, figure in results.coco.items()}
    return {tag: value for tag, value in scalars.items() if value == value}
