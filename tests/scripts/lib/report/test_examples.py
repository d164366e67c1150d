"""Examples: which images are chosen, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from scripts.lib.core.errors import UsageError
from scripts.lib.report import examples
from scripts.lib.report.examples import Example
from tests import made_model
from tests.made_results import BOX, CONFUSED, MISSED_SMALL, RIGHT, image, results


def test_examples_show_each_image_once_and_every_kind():
    chosen = examples.choose(results([RIGHT] * 3 + [CONFUSED] * 9 + [MISSED_SMALL] * 9))
    assert {example.kind for example in chosen} == set(examples.HEADINGS)
    assert len({example.image_index for example in chosen}) == len(chosen)
    assert {example.caption for example in chosen if example.kind == "confused"} == {"Skirts taken for Dresses"}
    assert all(example.image_index < 3 for example in chosen if example.kind == "best")


def test_the_best_score_of_a_mistake_comes_first():
    """Of two detections on one image, too, the second of which is the mistake."""
    mistakes = [image([(BOX, 2)], [((200, 200, 220, 220), 1, 0.9), (BOX, 1, score)]) for score in (0.3, 0.8, 0.5)]
    chosen = examples.choose(results(mistakes))
    assert [example.image_index for example in chosen] == [1, 2, 0]


def test_what_is_right_and_wrong_is_counted():
    one = image([(BOX, 1)], [(BOX, 2, 0.9), (BOX, 1, 0.8), ((200, 200, 260, 260), 1, 0.85)])
    found = results([one, RIGHT])
    counts, of_right = examples.tally(found)
    assert examples.described(counts) == "1 of the wrong class, 1 where nothing is, 1 found twice"
    assert (examples.num_errors(counts), examples.num_errors(of_right)) == (3, 0)


def test_examples_are_drawn_with_the_truth_and_replace_earlier_ones(tmp_path):
    record = made_model.write_record(tmp_path / "test.record", num_images=3)
    found = results([RIGHT] * 3)
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "07.png").touch()
    drawn = examples.draw(folder, [Example(2, "best", "1 right")], [record], {"A": found, "B": found})
    assert sorted(path.name for path in folder.iterdir()) == ["01.jpg"]
    (one,) = drawn
    assert (one.file, one.kind, one.name, one.caption) == ("01.jpg", "best", "a.jpg", "1 right")
    with Image.open(folder / one.file) as picture:
        assert picture.size == (one.width, one.height)
    assert examples.draw(folder, [], [], {"A": found}) == []
    assert not folder.exists()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UsageError, match=r"holds holiday\.jpg, which no report wrote"):
        examples.draw(tmp_path, [], [], {})
    assert (tmp_path / "holiday.jpg").exists()


def test_images_stand_beside_each_other_under_their_titles():
    red, blue = (Image.new("RGB", (30, 20), color) for color in ("red", "blue"))
    pixels = np.asarray(examples.beside({"truth": red, "run": blue}))
    assert tuple(pixels[-1, 0]) == (255, 0, 0)
    assert tuple(pixels[-1, -1]) == (0, 0, 255)
