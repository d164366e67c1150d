"""TensorFlow on the frozen graph: images of different sizes in one batch, and graphs that it cannot run so."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from scripts.lib.models.runtimes import tensorflow
from tests import made_model


def images() -> list[np.ndarray]:
    """Red squares of different sizes, on images of different sizes."""
    made = [np.zeros((height, width, 3), np.uint8) for height, width in ((100, 120), (90, 90), (64, 64))]
    for number, image in enumerate(made):
        image[10 : 40 + 10 * number, 10 : 30 + 5 * number, 0] = 200 + number
    return made


@pytest.mark.parametrize("looks_back", [False, True])
def test_a_batch_gives_the_detections_of_one_image_at_a_time(tf, tmp_path, looks_back):
    folder = made_model.write_model(tf, tmp_path / "model", looks_back=looks_back)
    model = tensorflow.Model(folder)
    prepared = [model.prepare(image) for image in images()]
    sizes = {values[0].shape for values in prepared}
    assert len(sizes) == (3 if looks_back else 1), "resized, unless the graph needs the original"
    one_by_one = [next(model.run([values])) for values in prepared]
    for found, expected in zip(model.run(prepared), one_by_one, strict=True):
        assert found.class_ids.tolist() == expected.class_ids.tolist() == [1, 1]
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
        np.testing.assert_allclose(found.boxes_yxyx_normalized, expected.boxes_yxyx_normalized, atol=1e-6)


def test_a_graph_that_takes_no_pixels_is_named(tf, tmp_path):
    folder = made_model.write_model(tf, tmp_path / "model")
    with tf.Graph().as_default() as graph:
        tf.placeholder(tf.string, name="encoded_image_string_tensor")
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UsageError, match="takes no image_tensor; export it with --input_type image_tensor"):
        tensorflow.Model(folder)
