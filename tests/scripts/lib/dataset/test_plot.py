"""The plot of a data set."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image, ImageColor

from scripts.lib.dataset import plot
from scripts.lib.dataset.doctor.data_set import DataSet, ExaminedImage, Labels
from scripts.lib.images.image_names import ImageFolder
from scripts.lib.images.palette import PALETTE


def data_set(folder, images, class_names) -> DataSet:
    class_ids = {name: number for number, name in enumerate(class_names, start=1)}
    return DataSet(Labels([], set(), True), ImageFolder(folder), folder / "map.pbtxt", class_ids, images, {})


@pytest.mark.parametrize("num_boxes", [0, 3])
@pytest.mark.parametrize("anchors", [None, np.array([[0.3, 0.3], [0.3, 0.3], [1, 1]])])
def test_it_is_a_png_with_or_without_boxes_and_anchors(tmp_path, num_boxes, anchors):
    Image.new("RGB", (60, 80), "red").save(tmp_path / "a.jpg")
    image = ExaminedImage("a.jpg", (60, 80), ("Tops",) * num_boxes, [(6, 16, 48, 80)] * num_boxes, b"", None)
    data = data_set(tmp_path, [image], ["Tops", "Skirts"])
    shapes = np.linspace(0.1, 0.9, 2 * num_boxes).reshape(-1, 2)
    plot.draw(tmp_path / "a.png", data, shapes, anchors)
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 800
        assert drawn.size[1] == (2000 if num_boxes else 1050)
        is_red = (abs(np.asarray(drawn.convert("RGB")).astype(int) - (254, 0, 0)) < 3).all(axis=2)
        assert is_red.any() == bool(num_boxes), "the example"


def one_of_each(folder, names) -> tuple[DataSet, np.ndarray]:
    """A data set with an image of one box of each class, and the shapes of the boxes."""
    image = ExaminedImage("absent.jpg", (60, 80), tuple(names), [(6, 16, 48, 80)] * len(names), b"", None)
    return data_set(folder, [image], names), np.full((len(names), 2), 0.5)


def test_a_class_has_its_colour_in_the_bars(tmp_path):
    plot.draw(tmp_path / "a.png", *one_of_each(tmp_path, ["Tops", "Skirts"]))
    colors = {tuple(color) for _, color in Image.open(tmp_path / "a.png").convert("RGB").getcolors(2**20)}
    assert {ImageColor.getrgb(color) for color in PALETTE[:2]} <= colors


def shown_names(tmp_path, monkeypatch, names):
    """Return the texts of the key, and of the bars' axis, as matplotlib draws them."""
    from matplotlib.text import Text

    texts, draw = [], Text.draw
    monkeypatch.setattr(
        Text, "draw", lambda self, *args: texts.append((self.get_text(), self.get_parse_math())) or draw(self, *args)
    )
    plot.draw(tmp_path / "a.png", *one_of_each(tmp_path, names))
    return texts


def test_class_names_are_literal_in_bars_and_key(tmp_path, monkeypatch):
    names = ["$a$", "_hidden", "Röcke", "12"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = shown_names(tmp_path, monkeypatch, names)
    for name in names:
        assert texts.count((name, False)) >= 2


def test_the_heat_map_counts_the_boxes_over_each_place():
    places = np.array([[0, 0, 0.5, 0.5], [0.25, 0, 1, 0.5], [0.999, 0.999, 1.0001, 1]])
    shares = plot.coverage(places)
    half, quarter = shares.shape[0] // 2, shares.shape[0] // 4
    assert shares[: half - 1, : quarter - 1] == pytest.approx(1 / 3)
    assert shares[: half - 1, quarter + 1 : half - 1] == pytest.approx(2 / 3)
    assert shares[half + 1 :, :half].max() == 0
    assert shares[-1, -1] == pytest.approx(1 / 3), "a tiny box fills a cell"
    assert plot.coverage(np.empty((0, 4))).max() == 0


def test_six_examples_show_all_classes_with_their_boxes(tmp_path):
    for number in range(9):
        Image.new("RGB", (100, 200), "white").save(tmp_path / f"{number}.png")
    classes = [["Tops"]] * 8 + [["Skirts"]]
    images = [
        ExaminedImage(f"{number}.png", (100, 200), tuple(names), [(20, 40, 80, 160)], b"", None)
        for number, names in enumerate(classes)
    ]
    missing = ExaminedImage("gone.png", (9, 9), ("Tops",), [(1, 1, 5, 5)], b"", None)
    empty = ExaminedImage("empty.png", (9, 9), (), (), b"", None)
    examples = plot.labelled_examples([empty, missing, *images], tmp_path, ["Tops", "Skirts"])
    assert list(examples) == ["8.png", "0.png", "1.png", "2.png", "3.png", "4.png"]
    skirts = examples["8.png"]
    assert skirts.size == (230, 460) and skirts.getpixel((46, 200)) == ImageColor.getrgb(PALETTE[1])
