"""The plots of a report: curves, bars, the confusion matrix; each for a light and for a dark page.

To add a plot of the results: write a function that draws it on a figure, and add it to DETECTION or ERRORS below. It
then appears on the page and in TensorBoard.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from PIL import Image

from scripts.lib.core import files
from scripts.lib.evaluation.average_precision import PrecisionRecall
from scripts.lib.evaluation.error_types import ERROR_TYPES
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.images import fonts, palette
from scripts.lib.report.figures import ClassResult, Results

Data = TypeVar("Data")
Draw = Callable[[Figure, Data], None]
Curves = Mapping[str, Sequence[Scalar]]

_STYLES = Path(__file__).with_name("styles")
_INCHES = (4.0, 3.3)  # of a phone's column: the page shows a point of a plot as a pixel or more
_DPI = 200
_OFFSET = {"textcoords": "offset points", "fontsize": 9}
_NAME_WIDTH = 18  # characters; longer class names are broken into lines

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

    @property
    def points(self) -> int:
        """The width in points, as which font sizes are given."""
        return round(self.width / _DPI * 72)


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
    styles = [_STYLES / "plots.mplstyle", _STYLES / f"{theme}.mplstyle", fonts.plot_settings()]
    with matplotlib.style.context(styles):
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        draw(figure, data)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


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
    """Draw the total loss over the steps, and the parts that add up to it: every step thin, the moving mean thick."""
    axes = add_axes(figure, "Training loss, thick: moving mean", "step", "loss")
    colors = {"total": axes.xaxis.label.get_color(), **dict(zip(list(_LOSS_PARTS)[1:], palette.PALETTE, strict=False))}
    for part, curve in curves.items():
        steps, losses = _points(curve)
        style = {"color": colors[part], "zorder": 3 if part == "total" else 2}
        axes.plot(steps, losses, linewidth=0.8, alpha=0.35, **style)
        axes.plot(steps, _moving_mean(losses), label=part, marker="o" if len(steps) == 1 else None, **style)
    axes.set_ylim(bottom=0)
    whole_steps(axes)
    _legend_below(figure, axes)


def mean_ap(figure: Figure, curves: Curves, class_names: Sequence[str]) -> None:
    """Draw mAP@0.5 and each class's AP over the steps of the evaluated checkpoints."""
    axes = add_axes(figure, "Average precision at IoU 0.5", "step", "AP@0.5")
    colors = {"mean": axes.xaxis.label.get_color(), **palette.class_colors(class_names)}
    for name, curve in curves.items():
        steps, values = _points(curve)
        emphasis = {"linewidth": 2.6, "zorder": 3} if name == "mean" else {}
        marker = "o" if len(steps) <= 20 else None
        axes.plot(steps, values, marker=marker, markersize=4, label=name, color=colors[name], **emphasis)
    axes.set_ylim(0, 1)
    whole_steps(axes)
    _legend_below(figure, axes)


def _points(curve: Sequence[Scalar]) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps and values that are finite."""
    points = np.array([point for point in curve if np.isfinite(point.value)]).reshape(-1, 2)
    return points[:, 0], points[:, 1]


def _moving_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of a twenty-fifth of the values around each one."""
    half = len(values) // 50
    return np.array([values[max(0, place - half) : place + half + 1].mean() for place in range(len(values))])


def whole_steps(axes: Axes) -> None:
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def average_precision(figure: Figure, results: Results) -> None:
    """Draw AP@0.5 of each class and their mean, with intervals."""
    step = f", step {results.global_step:,}" if results.global_step else ""
    axes = add_axes(figure, f"AP@0.5 with 95% interval{step}", "AP@0.5 (in brackets: test objects)", "")
    colors = palette.class_colors(one.name for one in results.classes)
    rows = [(one.name, one.average_precision, one.boxes_test, colors[one.name]) for one in results.classes]
    if len(rows) > 1:
        rows.append(("mean", results.mean_ap, results.num_objects, axes.yaxis.label.get_color()))
    for place, (_, ap, _, color) in enumerate(rows):
        if np.isfinite(ap.value):
            axes.barh(place, ap.value, height=0.55, color=color)
            halo = [withStroke(linewidth=3.2, foreground=axes.get_facecolor())]
            axes.plot([ap.low, ap.high], [place, place], color=axes.xaxis.label.get_color(), path_effects=halo)
            axes.annotate(f"{ap.value:.3f}", (max(ap.value, ap.high), place), (4, 0), va="center", **_OFFSET)
    figure.set_figheight(1.1 + 0.32 * len(rows))
    axes.set_yticks(range(len(rows)), [f"{_broken(name)} ({count})" for name, _, count, _ in rows])
    axes.set(xlim=(0, 1.25), xticks=(0, 0.25, 0.5, 0.75, 1))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def precision_recall(figure: Figure, results: Results) -> None:
    """Draw precision over recall; a dot marks the best threshold of each class."""
    axes = add_axes(figure, "Precision and recall, dot: best threshold", "recall", "precision")
    for one, curve, color in _curves(results):
        axes.plot(curve.recall, curve.precision, label=one.name, color=color)
        axes.plot(one.recall, one.precision, "o", color=color, clip_on=False)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    _legend_below(figure, axes)


def f1(figure: Figure, results: Results) -> None:
    """Draw F1 over the score threshold; a dot marks the best one of each class."""
    axes = add_axes(figure, "F1 over score threshold, dot: best", "score threshold", "F1")
    for one, curve, color in _curves(results):
        # A threshold above the best score leaves nothing, one below the last score everything.
        thresholds, values = [1, *curve.scores, 0], [0, *curve.f1, curve.f1[-1]]
        axes.plot(thresholds, values, label=one.name, drawstyle="steps-post", color=color)
        axes.plot(one.threshold, one.f1, "o", color=color, clip_on=False)
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    _legend_below(figure, axes)


def _curves(results: Results) -> Iterator[tuple[ClassResult, PrecisionRecall, str]]:
    """Yield the classes that have objects and detections, each with its curve and colour."""
    colors = palette.class_colors(one.name for one in results.classes)
    for one in results.classes:
        if one.boxes_test and one.matches.scores.size:
            yield one, one.curve, colors[one.name]


def calibration(figure: Figure, results: Results) -> None:
    """Draw how often detections of a score are right; the area of a dot is their number."""
    one = results.calibration
    axes = add_axes(figure, f"Calibration, mean gap {one.expected_error:.1%}", "score", "fraction that is right")
    axes.plot([0, 1], [0, 1], linestyle="--", color=axes.xaxis.label.get_color(), linewidth=1)
    axes.plot(one.mean_score, one.fraction_true, color=palette.PALETTE[0])
    area = 200 * one.count / max(one.count.max(initial=1), 1)
    axes.scatter(one.mean_score, one.fraction_true, s=area + 10, color=palette.PALETTE[0], alpha=0.6, clip_on=False)
    for x, y, count in zip(one.mean_score, one.fraction_true, one.count, strict=True):
        axes.annotate(f"{count}", (x, y), (6, -14), clip_on=False, **_OFFSET)
    axes.set(xlim=(-0.03, 1.06), ylim=(-0.06, 1.06))


def confusion_matrix(figure: Figure, results: Results) -> None:
    """Draw the confusion matrix: counts, coloured by their share of the true class."""
    figure.set_size_inches(*(max(least, 1.6 + 0.5 * len(results.labels)) for least in _INCHES))  # cells hold their text
    title = "Confusion at IoU 0.5 and the best thresholds:\ncount, and share of the true class (the row)"
    axes = add_axes(figure, title, "detected as", "true class")
    matrix = results.confusion
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ends = [matplotlib.rcParams["axes.facecolor"], palette.PALETTE[0]]
    cells = axes.imshow(parts, cmap=LinearSegmentedColormap.from_list("parts", ends), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = palette.text_color(to_hex(cells.cmap(parts[row, column])))
            text = f"{count}\n{parts[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=color)
    names = list(map(_broken, results.labels[:-1]))
    axes.set_xticks(range(len(matrix)), [*names, "missed"], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(matrix)), [*names, "nothing there"])
    axes.grid(visible=False)


def errors(figure: Figure, results: Results) -> None:
    """Draw the mAP@0.5 that each kind of error costs."""
    axes = add_axes(figure, "mAP@0.5 that each kind of error costs", "mAP@0.5", "")
    costs = [results.errors.costs[kind] for kind in ERROR_TYPES]
    bars = axes.barh(ERROR_TYPES, costs, color=palette.PALETTE[0])
    axes.bar_label(bars, [f"{cost:.3f}" for cost in costs], padding=4)
    axes.set_xlim(0, max(0.05, max(costs) * 1.25))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def add_axes(figure: Figure, title: str, x_label: str, y_label: str) -> Axes:
    figure.suptitle(title, x=0.01, ha="left")
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label)
    return axes


def _broken(name: str) -> str:
    return textwrap.fill(name, _NAME_WIDTH)


def _legend_below(figure: Figure, axes: Axes) -> None:
    """Add a legend of one or two columns, for which the figure grows."""
    lines = [line for line in axes.get_lines() if not line.get_label().startswith("_child")]
    names = [_broken(line.get_label()) for line in lines]
    if lines:
        figure.set_figheight(_INCHES[1] + 0.19 * sum(name.count("\n") + 1 for name in names) / 2)
        figure.legend(lines, names, loc="outside lower center", ncols=2, handlelength=1.5)


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
