"""Curves are found under today's tags and those of the API's first years; plots are drawn for both schemes."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.images import palette
from scripts.lib.report import figures, plots
from tests.made_results import BOX, CONFUSED, RIGHT, image, results

CURVE = [Scalar(0, 3.0), Scalar(100, 1.0)]


@pytest.mark.parametrize(
    ("tag", "part"),
    [
        ("Losses/TotalLoss", "total"),
        ("TotalLoss", "total"),
        ("Losses/Loss/classification_loss", "classification"),
        ("Losses/clone_0/Loss/classification_loss", "classification"),
        ("Losses/Loss/localization_loss", "localisation"),
        ("Losses/regularization_loss_1", "regularisation"),
    ],
)
def test_losses_are_found_under_old_and_new_tags(tag, part):
    assert plots.loss_curves({tag: CURVE, "LearningRate/learning_rate": CURVE}) == {part: CURVE}


@pytest.mark.parametrize(
    ("mean", "of_class"),
    [
        ("PascalBoxes_Precision/mAP@0.5IOU", "PascalBoxes_PerformanceByCategory/AP@0.5IOU/Tops"),
        ("Precision/mAP@0.5IOU", "PerformanceByCategory/AP@0.5IOU/b'Tops'"),
        ("PASCAL/Precision/mAP@0.5IOU", "PASCAL/PerformanceByCategory/AP@0.5IOU/Tops"),
    ],
)
def test_precisions_are_found_under_old_and_new_tags(mean, of_class):
    found = plots.mean_ap_curves({mean: CURVE, of_class: CURVE, "Losses/TotalLoss": CURVE}, ["Skirts", "Tops"])
    assert found == {"mean": CURVE, "Tops": CURVE}


def test_of_one_class_there_is_one_curve():
    mean, of_class = "PascalBoxes_Precision/mAP@0.5IOU", "PascalBoxes_PerformanceByCategory/AP@0.5IOU/Tops"
    assert plots.mean_ap_curves({mean: CURVE, of_class: CURVE}, ["Tops"]) == {"Tops": CURVE}
    assert plots.mean_ap_curves({mean: CURVE}, ["Tops"]) == {"mean": CURVE}


def test_each_plot_is_drawn_for_a_light_and_for_a_dark_page(tmp_path):
    saved = plots.save(tmp_path, "loss.png", plots.total_loss, {"total": CURVE}, "Loss")
    corners = {
        name: Image.open(tmp_path / name).convert("RGB").getpixel((2, 2)) for name in ("loss.png", "dark/loss.png")
    }
    assert min(corners["loss.png"]) > 200
    assert max(corners["dark/loss.png"]) < 60
    assert saved == ("loss.png", *Image.open(tmp_path / "loss.png").size, "Loss")


def test_a_point_of_a_plot_is_a_pixel_on_a_phone():
    """A window of 360 pixels leaves 294 for a plot; font sizes are in points."""
    width, _ = Image.open(io.BytesIO(plots.png(plots.total_loss, {"total": CURVE}))).size
    assert plots.PlotImage("loss.png", width, 1, "").points <= 294


def drawn(draw, data) -> Figure:
    figure = Figure()
    draw(figure, data)
    return figure


def test_f1_is_drawn_from_a_threshold_of_zero_to_one():
    """Two right detections at 0.9 and 0.6 and a wrong one at 0.3: the best threshold, 0.45, lies on the curve."""
    stray = image([], [(BOX, 1, 0.3)])
    found = results([RIGHT, image([(BOX, 1)], [(BOX, 1, 0.6)]), stray])
    line, dot = drawn(plots.f1, found).axes[0].get_lines()
    assert line.get_xdata().tolist() == pytest.approx([1, 0.9, 0.6, 0.3, 0])
    assert line.get_ydata().tolist() == pytest.approx([0, 2 / 3, 1, 0.8, 0.8])
    assert (*dot.get_xdata(), *dot.get_ydata()) == pytest.approx((0.45, 1))


def test_a_class_has_its_colour_of_the_label_map_in_every_plot():
    found = results([RIGHT, image([(BOX, 2)], [(BOX, 2, 0.9)])])
    colors = palette.class_colors(["Dresses", "Skirts"])
    for draw in (plots.f1, plots.precision_recall, functools.partial(plots.mean_ap, class_names=list(colors))):
        data = {"mean": CURVE, "Skirts": CURVE} if isinstance(draw, functools.partial) else found
        lines = {line.get_label(): line.get_color() for line in drawn(draw, data).axes[0].get_lines()}
        assert lines["Skirts"] == colors["Skirts"]


def test_one_evaluation_is_a_bar_with_value_and_interval():
    axes = drawn(plots.average_precision, results([RIGHT] * 3 + [CONFUSED])).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 0, 0.5], abs=0.3)
    assert [text.get_text() for text in axes.texts][1] == "0.000"
    assert len(axes.get_lines()) == 3
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Dresses (3)", "Skirts (1)", "mean (4)"]


def test_class_names_are_no_mathematics_and_have_a_legend_whatever_they_begin_with(recwarn):
    names = ["$a$", "_b", "a_name_that_is_much_too_long_for_a_legend"]
    curves = {name: [Scalar(1, 0.5), Scalar(2, 0.6)] for name in names}
    seen = []

    def draw(figure, data):
        plots.mean_ap(figure, data, names)
        seen.extend(figure.legends[0].get_texts())

    assert plots.png(draw, curves)
    assert [text.get_text().replace("\n", "") for text in seen] == names
    assert not any(text.get_parse_math() for text in seen)


def test_steps_are_round_numbers():
    axes = drawn(plots.total_loss, {"total": [Scalar(step, 1.0) for step in range(0, 1010, 10)]}).axes[0]
    (distance,) = set(np.diff(axes.get_xticks()))
    assert distance in (100, 200, 500)  # and not 150


def test_the_same_figures_give_the_same_bytes():
    first, again = (plots.png(plots.total_loss, {"total": CURVE}) for _ in range(2))
    assert first == again
    assert Image.open(io.BytesIO(first)).format == "PNG"


@pytest.mark.parametrize(
    "images",
    [[image([], [])], [image([], [(BOX, 1, 0.9)])], [image([(BOX, 1)], [])]],
    ids=["nothing", "only background", "only missed"],
)
def test_a_record_with_nothing_to_find_or_nothing_found_is_drawn(images):
    found = results(images, input_size=(300, 300))
    assert figures.table(found)
    for draw, _ in [*plots.DETECTION.values(), *plots.ERRORS.values()]:
        assert plots.png(draw, found).startswith(b"\x89PNG")
