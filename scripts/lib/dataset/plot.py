"""Plot of a data set: boxes per class, their sizes and aspect ratios compared with the anchors, where they lie in the
image, image sizes, and labelled examples.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.core.wording import counted
from scripts.lib.dataset.doctor.data_set import DataSet, ExaminedImage
from scripts.lib.images import decode, drawing, fonts
from scripts.lib.images.palette import NO_CLASS, class_colors

_MOST_POINTS = 20_000  # that a scatter plot shows: more only hide each other
_CELLS = 60  # of the heat map, across and down
_NUM_EXAMPLES, _EXAMPLE_SIDE = 6, 460  # pixels of the longer side


def draw(path: Path | str, data: DataSet, shapes: np.ndarray, anchors: np.ndarray | None = None) -> None:
    """Write the plot, a PNG, whole or not at all.

    `shapes` are those of all boxes, float[N, 2], `anchors` those of a config, float[A, 2], as in object_sizes.py.
    """
    import matplotlib
    from matplotlib.figure import Figure  # without pyplot, which would look for a window system

    colors = class_colors(data.class_ids)
    examples = labelled_examples(data.images, data.folder.folder, list(data.class_ids))
    boxes_xyxy, image_sizes = data.box_table()
    with matplotlib.rc_context(fonts.plot_settings()):
        heights = [5, 5.5, 9.5] if examples else [5, 5.5]
        figure = Figure(figsize=(15, sum(heights)), layout="constrained")
        upper, lower, *below = figure.subfigures(len(heights), 1, height_ratios=heights)
        classes, ratios, image_plot = upper.subplots(1, 3)
        _draw_classes(classes, data.boxes_by_class(), colors)
        _draw_aspect_ratios(ratios, shapes, anchors)
        _draw_image_sizes(image_plot, {image.name: image.size for image in data.images if image.size})
        sizes, places = lower.subplots(1, 2)
        box_colors = [colors[name] for image in data.images for name in image.class_names]
        _draw_box_sizes(sizes, shapes, box_colors, colors, anchors)
        _draw_places(places, boxes_xyxy / np.tile(image_sizes, 2))
        for axes in (classes, ratios, image_plot, sizes):
            axes.spines[["top", "right"]].set_visible(False)
        for part in below:
            _draw_examples(part, examples)
        with files.atomic_write(path) as file:
            figure.savefig(file, format="png", dpi=100)


def labelled_examples(
    images: Sequence[ExaminedImage], folder: Path, class_names: Sequence[str]
) -> dict[str, Image.Image]:
    """Return image name -> image with its boxes drawn, of up to six images that together show most classes."""
    remaining, shown, drawn = [image for image in images if image.class_names], Counter(), {}
    while remaining and len(drawn) < _NUM_EXAMPLES:
        image = max(remaining, key=lambda one: statistics.mean(1 / (1 + shown[name]) for name in one.class_names))
        remaining.remove(image)
        shown.update(image.class_names)
        pixels, _ = decode.read(folder / image.name)
        if pixels is not None:
            boxes = zip(image.class_names, image.boxes_xyxy, strict=True)
            truth = [Detection(name, math.nan, *box_xyxy) for name, box_xyxy in boxes]
            drawn[image.name] = drawing.draw_small(Image.fromarray(pixels), truth, class_names, _EXAMPLE_SIDE)
    return drawn


def _draw_classes(axes, boxes_by_class: dict[str, int], colors: dict[str, str]) -> None:
    names, counts = list(boxes_by_class), list(boxes_by_class.values())
    axes.bar_label(axes.barh(range(len(names)), counts, color=[colors[name] for name in names]), padding=4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set(title=f"Boxes per class: {sum(counts)} in all", xlabel="boxes")


def _draw_box_sizes(axes, shapes: np.ndarray, box_colors: Sequence[str], colors: dict[str, str], anchors) -> None:
    from matplotlib.lines import Line2D

    shown = np.linspace(0, len(shapes) - 1, min(len(shapes), _MOST_POINTS)).round().astype(int)
    axes.scatter(*shapes[shown].T, s=9, alpha=0.5, linewidths=0, c=[box_colors[index] for index in shown])
    names, handles = list(colors), [Line2D([], [], linestyle="", marker="o", color=color) for color in colors.values()]
    if anchors is not None:
        handles.append(axes.scatter(*anchors.T, s=55, marker="s", facecolors="none", edgecolors="black"))
        names.append("anchor")
    columns = -(-len(names) // 22)
    axes.legend(handles, names, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, ncols=columns)
    axes.set(
        title=f"Size of {counted(len(shapes), 'box')}" + ("" if anchors is None else " and of the anchors"),
        xlabel="width / shorter side of the detector's input",
        ylabel="height / shorter side",
    )
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _draw_places(axes, places: np.ndarray) -> None:
    heat = axes.imshow(100 * coverage(places), cmap="cividis", vmin=0, extent=(0, 100, 100, 0))
    axes.figure.colorbar(heat, ax=axes, label="% of the boxes")
    axes.set(title="Where boxes lie in the image", xlabel="% of its width", ylabel="% of its height")


def coverage(places: np.ndarray) -> np.ndarray:
    """Return float[cells, cells]: the share of the boxes that lie over each place of the image."""
    low, high = np.floor(places[:, :2] * _CELLS), np.ceil(places[:, 2:] * _CELLS)
    (left, top), (right, bottom) = low.astype(int).clip(0, _CELLS).T, high.astype(int).clip(0, _CELLS).T
    steps = np.zeros((_CELLS + 1, _CELLS + 1))  # its running sum over both axes is the number of boxes over a cell
    for rows, columns, step in ((top, left, 1), (bottom, right, 1), (top, right, -1), (bottom, left, -1)):
        np.add.at(steps, (rows, columns), step)
    return steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] / max(len(places), 1)


def _draw_examples(figure, examples: Mapping[str, Image.Image]) -> None:
    cells = figure.subplots(2, 3).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, (name, image) in zip(cells, examples.items(), strict=False):
        axes.imshow(image)
        axes.set_title(name if len(name) <= 50 else f"...{name[-47:]}", fontsize=10)


def _draw_aspect_ratios(axes, shapes: np.ndarray, anchors) -> None:
    logarithms = np.log2(shapes[:, 0] / shapes[:, 1])
    axes.hist(logarithms, bins=np.arange(-4, 4.01, 0.2), color=NO_CLASS)
    ticks = [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    axes.set_xticks(ticks, ["1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16"])
    axes.set(title="Aspect ratio of the boxes, as the detector sees them", xlabel="width / height", ylabel="boxes")
    if anchors is not None:
        for index, ratio in enumerate(np.unique(np.round(anchors[:, 0] / anchors[:, 1], 3))):
            label = "anchors' aspect ratios" if index == 0 else None
            axes.axvline(np.log2(ratio), color="black", linestyle="--", linewidth=1, label=label)
        axes.margins(y=0.15)
        axes.legend(loc="upper right")


def _draw_image_sizes(axes, image_sizes: Mapping[str, tuple[int, int]]) -> None:
    counts = Counter(image_sizes.values())
    if counts:
        widths, heights = zip(*counts, strict=True)
        areas = [min(12 * count, 900) + 8 for count in counts.values()]
        axes.scatter(widths, heights, s=areas, alpha=0.45, color=NO_CLASS, linewidths=0)
        axes.set_xlim(0, max(widths) * 1.08)
        axes.set_ylim(0, max(heights) * 1.08)
    axes.set(title=f"Size of {counted(len(image_sizes), 'image')}", xlabel="width in pixels", ylabel="height in pixels")
