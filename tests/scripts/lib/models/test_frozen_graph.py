"""The frozen graph and its nodes."""

from __future__ import annotations

import shutil

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model, frozen_graph
from scripts.lib.models.detector import Detector
from tests import made_model


@pytest.mark.parametrize("runtime", ["auto", "tensorflow"])
def test_a_damaged_frozen_graph_is_named(exported, tmp_path, runtime):
    shutil.copy(exported / exported_model.LABEL_MAP, tmp_path)
    whole = (exported / exported_model.FROZEN_GRAPH).read_bytes()
    (tmp_path / exported_model.FROZEN_GRAPH).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="frozen_inference_graph.pb is damaged, or not a frozen graph"):
        Detector(tmp_path, runtime)


def _write(folder, tf, build):
    """Write a model whose graph has the outputs of a detector and what `build` adds to it."""
    folder = made_model.write_model(tf, folder)
    graph_def = frozen_graph.read(folder)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        build(folder)
        (folder / exported_model.FROZEN_GRAPH).write_bytes(graph.as_graph_def().SerializeToString())
    return folder


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("ReadFile", lambda tf, folder: tf.io.read_file(str(folder / "secret"))),
        ("WriteFile", lambda tf, folder: tf.io.write_file(str(folder / "made"), "x")),
        ("PyFunc", lambda tf, folder: tf.py_func(lambda: 1.0, [], tf.float32)),
        (
            ".*ReaderReadV2, .*, TFRecordReaderV2",
            lambda tf, folder: tf.TFRecordReader().read(tf.train.string_input_producer(["a"])),
        ),
        ("Unknown", None),
    ],
)
def test_case_26_an_operation_of_no_detector_is_refused_by_name(tf, tmp_path, name, build):
    folder = _write(tmp_path / "model", tf, lambda folder: build and build(tf, folder))
    if build is None:
        graph_def = frozen_graph.read(folder)
        graph_def.node.add(name="x", op="Unknown")
        (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    for runtime in ("auto", "tensorflow"):
        with pytest.raises(
            UsageError, match=rf"frozen_inference_graph.pb holds {name}.*, which no detector .* not run"
        ):
            Detector(folder, runtime)
    assert not (folder / "made").exists()


def test_case_26_a_function_of_the_graph_is_looked_into(tf, tmp_path):
    folder = made_model.write_model(tf, tmp_path / "model")
    graph_def = frozen_graph.read(folder)
    graph_def.library.function.add().signature.name = "Relu"  # which would take the operation's place
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    with pytest.raises(UsageError, match="holds Relu, which no detector consists of"):
        frozen_graph.read(folder)
    graph_def.library.function[0].signature.name = "f"
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    frozen_graph.read(folder)
    graph_def.library.function[0].node_def.add(name="x", op="ReadFile")
    graph_def.node.add(name="call", op="PartitionedCall").attr["f"].func.name = "WriteFile"
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    with pytest.raises(UsageError, match="holds ReadFile, WriteFile, which no detector consists of"):
        frozen_graph.read(folder)


def test_the_nodes_of_an_ssd_are_found_by_their_names(exported):
    graph_def = frozen_graph.read(exported)
    names = {node.name for node in graph_def.node}
    assert {frozen_graph.INPUT, *frozen_graph.DETECTIONS, *frozen_graph.PROPOSALS, frozen_graph.RESIZED} <= names
    assert frozen_graph.node(graph_def, frozen_graph.INPUT).op == "Placeholder"
    assert frozen_graph.scaled_image(graph_def) in names
