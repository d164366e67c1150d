"""Plot of a data set: boxes per class, their sizes and aspect ratios compared with the anchors, image sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import files
from scripts.lib.images.palette import PALETTE, class_colors

_MOST_POINTS = 20_000  # that a scatter plot shows: more only hide each other


def draw(
    path: Path | str,
    boxes_by_class: dict[str, dict[str, int]],
    box_shapes: np.ndarray,
    box_classes: Sequence[str],
    image_sizes: Sequence[tuple[int, int]],
    anchors_by_layer: Sequence[np.ndarray] | None = None,
) -> None:
    """Write the plot, whole or not at all.

    Args:
        path: a PNG.
        boxes_by_class: for each side of the split ("boxes" where there is none): class name -> number of boxes.
        box_shapes: float[N, 2], width and height as `ssd_anchors.box_shapes` gives them.
        box_classes: class name of each.
        image_sizes: width and height in pixels, upright.
        anchors_by_layer: as `ssd_anchors.shapes_by_layer` gives them.
    """
    from matplotlib.figure import Figure  # without pyplot, which would look for a window system

    figure = Figure(figsize=(13, 9.5), layout="constrained")
    (classes, sizes), (ratios, images) = figure.subplots(2, 2)
    colors = class_colors(name for counts in boxes_by_class.values() for name in counts)
    _draw_classes(classes, boxes_by_class, colors)
    _draw_box_sizes(sizes, box_shapes, box_classes, colors, anchors_by_layer)
    _draw_aspect_ratios(ratios, box_shapes, anchors_by_layer)
    _draw_image_sizes(images, image_sizes)
    for axes in (classes, sizes, ratios, images):
        axes.spines[["top", "right"]].set_visible(False)
    with files.atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _draw_classes(axes, boxes_by_class: dict[str, dict[str, int]], colors: dict[str, str]) -> None:
    names = list(colors)
    left = np.zeros(len(names))
    for number, (side, counts) in enumerate(boxes_by_class.items()):
        values = np.array([counts.get(name, 0) for name in names])
        axes.barh(names, values, left=left, color=[colors[name] for name in names], alpha=1 - 0.45 * number, label=side)
        left += values
    for index, name in enumerate(names):
        parts = [str(counts.get(name, 0)) for counts in boxes_by_class.values()]
        axes.annotate(" + ".join(parts), (left[index], index), (4, 0), textcoords="offset points", va="center")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    sides = " + ".join(boxes_by_class) if len(boxes_by_class) > 1 else ""
    axes.set(title=f"Boxes per class{f' ({sides})' if sides else ''}: {left.sum():.0f} in all", xlabel="boxes")


def _draw_box_sizes(axes, shapes: np.ndarray, classes: Sequence[str], colors: dict[str, str], anchors) -> None:
    shown = np.linspace(0, len(shapes) - 1, min(len(shapes), _MOST_POINTS)).round().astype(int)
    axes.scatter(*shapes[shown].T, s=9, alpha=0.5, linewidths=0, c=[colors[classes[index]] for index in shown])
    if anchors:
        points = np.concatenate(anchors).T
        axes.scatter(*points, s=55, marker="s", facecolors="none", edgecolors="black", label="anchor")
        axes.legend(loc="upper left")
    axes.set(
        title=f"Size of {len(shapes)} boxes" + (" and of the anchors" if anchors else ""),
        xlabel="width / shorter side of the detector's input",
        ylabel="height / shorter side",
    )
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _draw_aspect_ratios(axes, shapes: np.ndarray, anchors) -> None:
    logarithms = np.log2(shapes[:, 0] / shapes[:, 1])
    axes.hist(logarithms, bins=np.arange(-4, 4.01, 0.2), color=PALETTE[1])
    ticks = [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    axes.set_xticks(ticks, ["1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16"])
    axes.set(title="Aspect ratio of the boxes, as the detector sees them", xlabel="width / height", ylabel="boxes")
    if anchors:
        found = np.concatenate(anchors)
        for index, ratio in enumerate(np.unique(np.round(found[:, 0] / found[:, 1], 3))):
            label = "anchors' aspect ratios" if index == 0 else None
            axes.axvline(np.log2(ratio), color="black", linestyle="--", linewidth=1, label=label)
        axes.legend(loc="upper right")


def _draw_image_sizes(axes, image_sizes: Sequence[tuple[int, int]]) -> None:
    counts = Counter(image_sizes)
    if counts:
        widths, heights = zip(*counts, strict=True)
        areas = [min(12 * count, 900) + 8 for count in counts.values()]
        axes.scatter(widths, heights, s=areas, alpha=0.45, color=PALETTE[4], linewidths=0)
        axes.set_xlim(0, max(widths) * 1.08)
        axes.set_ylim(0, max(heights) * 1.08)
    axes.set(title=f"Size of {len(image_sizes)} images", xlabel="width in pixels", ylabel="height in pixels")
