"""What surrounds a converted model: resizing before it, suppression after it."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings
from scripts.lib.models.runtimes.converted import ConvertedModel

BOX = [0.25, 0.25, 0.75, 0.75]


class Proposing(ConvertedModel):
    """Proposes one box twice in each image: as class 1, whose score is the image's mean, and weaker as class 2."""

    def _infer(self, batch):
        assert batch.dtype == np.float32 and batch.shape[1:] == (8, 16, 3)
        score = batch.mean(axis=(1, 2, 3)) / 255
        background = np.ones_like(score)
        scores = np.stack([background, score, score / 2], axis=-1)[:, np.newaxis].repeat(2, axis=1)
        return np.array([[BOX, BOX]] * len(batch), np.float32), scores.astype(np.float32)


def test_images_are_resized_and_proposals_are_suppressed_class_by_class_without_the_background():
    model = Proposing(ModelMetadata("", {1: "Tops", 2: "Skirts"}, 7, 8, 16, Settings(0.01, 0.5, 10, 10)))
    assert (model.class_names, model.global_step) == ({1: "Tops", 2: "Skirts"}, 7)
    prepared = [model.prepare(np.full((30, 20, 3), value, np.uint8)) for value in (255, 102)]
    bright, dark = model.run(prepared)
    assert bright.class_ids.tolist() == dark.class_ids.tolist() == [1, 2]
    assert bright.scores.tolist() == [1.0, 0.5]
    assert dark.scores == pytest.approx([0.4, 0.2])
    assert bright.boxes_yxyx_normalized.tolist() == [BOX, BOX]
    assert [len(found.scores) for found in model.run(prepared, min_score=0.45)] == [2, 0]


class Whole(ConvertedModel):
    """Gives the API's padded outputs, one detection with its image's height as class."""

    def _infer(self, batch):
        assert len(batch) == 1 and batch.dtype == np.uint8
        return [np.array([[BOX, [0] * 4]]), np.array([[0.9, 0]]), np.array([[batch.shape[1], 1]]), np.array([1.0])]


def test_a_model_that_suppresses_itself_gets_images_of_any_size_one_by_one_and_its_padding_goes():
    model = Whole(ModelMetadata("", {5: "Tops", 9: "Skirts"}))
    prepared = [model.prepare(np.zeros((height, 4, 3), np.uint8)) for height in (5, 9)]
    assert [found.class_ids.tolist() for found in model.run(prepared)] == [[5], [9]]
