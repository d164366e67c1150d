"""Curves are found under today's tags and those of the API's first years; plots are drawn for both schemes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.report import figures, plots
from tests.made_results import BOX, image, results

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
