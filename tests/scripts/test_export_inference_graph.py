"""export_inference_graph.py: the API's export with its flags, whole, and mistakes that are named before it."""

from __future__ import annotations

import pytest

from scripts import export_inference_graph
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model


def arguments(source, folder, *further: str) -> list[str]:
    return [
        f"--pipeline_config_path={source / 'pipeline.config'}",
        f"--trained_checkpoint_prefix={source}",
        f"--output_directory={folder}",
        *further,
    ]


def test_the_export_replaces_an_earlier_one_and_follows_the_flags_of_the_api(tf, source, tmp_path):
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / exported_model.ONNX).touch()  # of an earlier export
    further = ["--input_type", "encoded_image_string_tensor", "-write_inference_graph"]
    export_inference_graph.main(arguments(source, folder, *further))
    there = {path.name for path in folder.iterdir()}
    parts = {"frozen_inference_graph.pb", "saved_model", "pipeline.config", "label_map.pbtxt", "inference_graph.pbtxt"}
    assert parts <= there and exported_model.ONNX not in there
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    with tf.Session(graph=tf.Graph()) as session:
        loaded = tf.saved_model.load(session, ["serve"], str(folder / exported_model.SAVED_MODEL))
        signature = loaded.signature_def["serving_default"]
    assert signature.inputs["inputs"].dtype == tf.string.as_datatype_enum


@pytest.mark.parametrize("missing", export_inference_graph.REQUIRED)
def test_a_missing_flag_is_named(source, tmp_path, missing, capsys):
    given = [word for word in arguments(source, tmp_path / "out") if not word.startswith(f"--{missing}=")]
    with pytest.raises(SystemExit) as stopped:
        export_inference_graph.main(given)
    assert stopped.value.code == 2
    assert f"--{missing}" in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_of_other_files_is_not_replaced(source, tmp_path):
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(UsageError, match=r"--output_directory .*thesis\.docx"):
        export_inference_graph.main(arguments(source, tmp_path))
    assert (tmp_path / "thesis.docx").exists()
