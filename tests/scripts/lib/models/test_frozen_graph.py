"""The frozen graph and its nodes."""

from __future__ import annotations

import shutil

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model, frozen_graph
from scripts.lib.models.detector import Detector


@pytest.mark.parametrize("runtime", ["auto", "tensorflow"])
def test_a_damaged_frozen_graph_is_named(exported, tmp_path, runtime):
    shutil.copy(exported / exported_model.LABEL_MAP, tmp_path)
    whole = (exported / exported_model.FROZEN_GRAPH).read_bytes()
    (tmp_path / exported_model.FROZEN_GRAPH).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="frozen_inference_graph.pb is damaged, or not a frozen graph"):
        Detector(tmp_path, runtime)


def test_the_nodes_of_an_ssd_are_found_by_their_names(exported):
    graph_def = frozen_graph.read(exported)
    names = {node.name for node in graph_def.node}
    assert {frozen_graph.INPUT, *frozen_graph.DETECTIONS, *frozen_graph.PROPOSALS, frozen_graph.RESIZED} <= names
    assert frozen_graph.node(graph_def, frozen_graph.INPUT).op == "Placeholder"
    assert frozen_graph.scaled_image(graph_def) in names
