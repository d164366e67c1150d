"""The plots of a report: curves, bars, the confusion matrix; each for a light and for a dark page.

To add a plot of the results: write a function that draws it on a figure, and add it to DETECTION or ERRORS below. It
then appears on the page and in TensorBoard.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from scripts.lib.core import files
from scripts.lib.evaluation.average_precision import PrecisionRecall
from scripts.lib.evaluation.error_types import ERROR_TYPES
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.images import fonts
from scripts.lib.report.figures import ClassResult, Results

Data = TypeVar("Data")
Draw = Callable[[Figure, Data], None]
Curves = Mapping[str, Sequence[Scalar]]

# Okabe and Ito's colours (as in drawing.py); first those that are legible on white and on black.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
_LINE_STYLES = ("-", "--", ":")
_THEMES = {
    "light": {"ground": "#ffffff", "ink": "#1f2328", "soft": "#d0d7de"},
    "dark": {"ground": "#161b22", "ink": "#e6edf3", "soft": "#3d444d"},
}
_INCHES = (7.2, 4.2)
_DPI = 110

# Tags of the legacy trainer and evaluator, also those of the API's first years.
_LOSS_PARTS = {
    "total": r"(Losses/)?TotalLoss",
    "classification": r"Losses/(clone_0/)?Loss/(BoxClassifierLoss/)?classification_loss(/mul_\d+)?(/value)?",
    "localisation": r"Losses/(clone_0/)?Loss/(BoxClassifierLoss/)?localization_loss(/mul_\d+)?(/value)?",
    "regularisation": r"Losses/(clone_0/)?regularization_loss(_\d+)?",
}
_MEAN_AP = r"(PascalBoxes_|PASCAL/)?Precision/mAP@0\.5IOU"
_CLASS_AP = r"(?:PascalBoxes_|PASCAL/)?PerformanceByCategory/AP@0\.5IOU/(?:b')?(.+?)'?"


class PlotImage(NamedTuple):
    """A plot as a file; its size in pixels keeps the page from jumping while it loads."""

    file: str
    width: int
    height: int
    alt: str


def save(folder: Path, name: str, draw: Draw[Data], data: Data, alt: str) -> PlotImage:
    """Write a plot for the light page, `folder/name`, and for the dark one, `folder/dark/name`.

    `draw` draws the data on a figure; `alt` says what the plot shows.
    """
    for theme, path in (("dark", folder / "dark" / name), ("light", folder / name)):
        encoded = png(draw, data, theme)
        with files.atomic_write(path) as file:
            file.write(encoded)
    with Image.open(io.BytesIO(encoded)) as image:
        return PlotImage(name, *image.size, alt)


def save_all(folder: Path, plots: Mapping[str, tuple[Draw[Results], str]], results: Results) -> list[PlotImage]:
    """Write the plots of DETECTION or ERRORS."""
    return [save(folder, name, draw, results, alt) for name, (draw, alt) in plots.items()]


def png(draw: Draw[Data], data: Data, theme: str = "light") -> bytes:
    """Return the plot as PNG bytes."""
    colors = _THEMES[theme]
    ground = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    ink = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    style = {
        **fonts.plot_settings(),
        **dict.fromkeys(ground, colors["ground"]),
        **dict.fromkeys(ink, colors["ink"]),
        **dict.fromkeys(("axes.edgecolor", "grid.color", "legend.edgecolor"), colors["soft"]),
        "axes.grid": True,
        "grid.alpha": 0.6,
        "axes.axisbelow": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.8,
        "legend.fontsize": 9,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        draw(figure, data)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def line_style(index: int) -> dict[str, str]:
    return {"color": COLORS[index % len(COLORS)], "linestyle": _LINE_STYLES[index // len(COLORS) % len(_LINE_STYLES)]}


def loss_curves(scalars: Curves) -> dict[str, Sequence[Scalar]]:
    """Return the curves of the total loss and its parts that the event files hold."""
    return {part: curve for part, pattern in _LOSS_PARTS.items() if (curve := _first(scalars, pattern))}


def mean_ap_curves(scalars: Curves, class_names: Sequence[str]) -> dict[str, Sequence[Scalar]]:
    """Return the curves of mAP@0.5 (as "mean") and of the AP of these classes that the event files hold."""
    classes = {match[1]: curve for tag, curve in scalars.items() if (match := re.fullmatch(_CLASS_AP, tag)) and curve}
    curves = {name: classes[name] for name in class_names if name in classes}
    mean = _first(scalars, _MEAN_AP)
    is_mean_of_one = len(class_names) == 1 and curves
    return {"mean": mean, **curves} if mean and not is_mean_of_one else curves


def _first(scalars: Curves, pattern: str) -> Sequence[Scalar]:
    return next((curve for tag, curve in scalars.items() if re.fullmatch(pattern, tag)), ())


def total_loss(figure: Figure, curves: Curves) -> None:
    """Draw the total loss over the steps, and the parts that add up to it."""
    axes = add_axes(figure, "Training loss", "step", "loss")
    for index, (part, curve) in enumerate(curves.items()):
        _curve(axes, curve, part, index, bold=part == "total")
    axes.set_ylim(bottom=0)
    whole_steps(axes)
    axes.legend()


def mean_ap(figure: Figure, curves: Curves) -> None:
    """Draw mAP@0.5 and each class's AP over the steps of the evaluated checkpoints."""
    axes = add_axes(figure, "Average precision at IoU 0.5, test images", "step", "AP@0.5")
    for index, (name, curve) in enumerate(curves.items()):
        _curve(axes, curve, name, index - 1 if "mean" in curves else index, bold=name == "mean")
    axes.set_ylim(0, 1)
    whole_steps(axes)
    _legend_beside(axes)


def _curve(axes: Axes, curve: Sequence[Scalar], label: str, index: int, bold: bool) -> None:
    points = [point for point in curve if np.isfinite(point.value)]
    style = {"color": axes.xaxis.label.get_color(), "linewidth": 2.6, "zorder": 3} if bold else line_style(index)
    marker = "o" if len(points) <= 20 else None
    axes.plot([p.step for p in points], [p.value for p in points], marker=marker, markersize=4, label=label, **style)


def whole_steps(axes: Axes) -> None:
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def average_precision(figure: Figure, results: Results) -> None:
    """Draw AP@0.5 of each class and their mean, with intervals."""
    axes = add_axes(figure, "AP@0.5 with 95% interval", "AP@0.5", "")
    rows = [(one.name, one.average_precision, one.boxes_test) for one in results.classes]
    rows.append(("mean", results.mean_ap, results.num_objects))
    for place, (_, figure_, _) in enumerate(rows):
        if np.isfinite(figure_.value):
            color = axes.xaxis.label.get_color() if place == len(rows) - 1 else COLORS[place % len(COLORS)]
            axes.plot([figure_.low, figure_.high], [place, place], color=color, linewidth=3, alpha=0.5)
            axes.plot(figure_.value, place, "o", color=color, markersize=9)
    axes.set_yticks(range(len(rows)), [f"{name}  ({count})" for name, _, count in rows])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def precision_recall(figure: Figure, results: Results) -> None:
    """Draw precision over recall; a dot marks the best threshold of each class."""
    axes = add_axes(figure, "Precision and recall (dot: best threshold)", "recall", "precision")
    for one, curve, style in _curves(results):
        axes.plot(curve.recall, curve.precision, label=one.name, **style)
        axes.plot(one.recall, one.precision, "o", color=style["color"], markersize=8)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    _legend_beside(axes)


def f1(figure: Figure, results: Results) -> None:
    """Draw F1 over the score threshold; a dot marks the best one of each class."""
    axes = add_axes(figure, "F1 over score threshold (dot: best)", "score threshold", "F1")
    for one, curve, style in _curves(results):
        axes.plot(curve.scores, curve.f1, label=one.name, drawstyle="steps-post", **style)
        axes.plot(one.threshold, one.f1, "o", color=style["color"], markersize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    _legend_beside(axes)


def _curves(results: Results) -> Iterator[tuple[ClassResult, PrecisionRecall, dict[str, str]]]:
    """Yield the classes that have objects and detections, each with its curve, colour and line style."""
    for index, one in enumerate(results.classes):
        if one.boxes_test and one.matches.scores.size:
            yield one, one.curve, line_style(index)


def calibration(figure: Figure, results: Results) -> None:
    """Draw how often detections of a score are right; the area of a dot is their number."""
    one = results.calibration
    axes = add_axes(figure, f"Calibration (mean gap {one.expected_error:.1%})", "score", "fraction that is right")
    axes.plot([0, 1], [0, 1], linestyle="--", color=axes.xaxis.label.get_color(), linewidth=1, label="ideal")
    area = 500 * one.count / max(one.count.max(initial=1), 1)
    axes.plot(one.mean_score, one.fraction_true, color=COLORS[0])
    axes.scatter(one.mean_score, one.fraction_true, s=area + 12, color=COLORS[0], alpha=0.6)
    for x, y, count in zip(one.mean_score, one.fraction_true, one.count, strict=True):
        axes.annotate(f"{count}", (x, y), xytext=(8, -14), textcoords="offset points", fontsize=9)
    axes.set(xlim=(0, 1), ylim=(0, 1.05))


def confusion_matrix(figure: Figure, results: Results) -> None:
    """Draw the confusion matrix: counts, coloured by their share of the true class."""
    side = 2.4 + 0.72 * len(results.labels)  # every cell holds its text
    figure.set_size_inches(max(side, 5.0) + 0.6, max(side, 4.6))
    axes = add_axes(figure, "Confusion at IoU 0.5,\neach class at its best threshold", "detected as", "true class")
    matrix = results.confusion
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    colors = matplotlib.colors.LinearSegmentedColormap.from_list(
        "parts", [matplotlib.rcParams["axes.facecolor"], COLORS[0]]
    )
    axes.imshow(parts, cmap=colors, vmin=0, vmax=1)
    ink = matplotlib.rcParams["text.color"]
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if parts[row, column] > 0.5 else ink
            text = f"{count}\n{parts[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=color)
    columns = [*results.labels[:-1], "missed"]
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(matrix)), [*results.labels[:-1], "nothing there"])
    axes.grid(visible=False)


def errors(figure: Figure, results: Results) -> None:
    """Draw the mAP@0.5 that each kind of error costs."""
    axes = add_axes(figure, "mAP@0.5 that each kind of error costs", "mAP@0.5", "")
    costs = [results.errors.costs[kind] for kind in ERROR_TYPES]
    bars = axes.barh(ERROR_TYPES, costs, color=COLORS[1])
    axes.bar_label(bars, [f"{cost:.3f}" for cost in costs], padding=4, fontsize=10)
    axes.set_xlim(0, max(0.05, max(costs) * 1.18))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def add_axes(figure: Figure, title: str, x_label: str, y_label: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set(xlabel=x_label, ylabel=y_label)
    return axes


def _legend_beside(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


# File name -> (function that draws it, what it shows), in the order of the page.
DETECTION = {
    "average_precision.png": (average_precision, "AP@0.5 of each class with its interval"),
    "precision_recall.png": (precision_recall, "Precision over recall of each class"),
    "f1.png": (f1, "F1 over the score threshold of each class"),
    "calibration.png": (calibration, "How often detections of a score are right"),
}
ERRORS = {
    "confusion_matrix.png": (confusion_matrix, "Confusion matrix of the classes"),
    "errors.png": (errors, "mAP@0.5 that each kind of error costs"),
}
