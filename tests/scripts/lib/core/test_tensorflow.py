"""TensorFlow's import: noise is kept out of its log, and Keras 2 is chosen in time."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from scripts.lib.core import tensorflow as quiet


def record(message: str, level: int) -> logging.LogRecord:
    return logging.LogRecord("tensorflow", level, "file.py", 1, message, None, None)


NOISE = [
    (logging.WARNING, "From a/b.py:12: f is deprecated and will be removed.\nInstructions for updating:"),
    (logging.WARNING, "`layer.apply` is deprecated and will be removed"),
    (logging.WARNING, "Variable [FeatureExtractor/Conv/weights/RMSProp_1] is not available in checkpoint"),
    (logging.WARNING, "image b'a.jpg' does not have groundtruth difficult flag specified"),
    (logging.WARNING, "TensorFlow GPU support is not available on native Windows for TensorFlow >= 2.11. Even if"),
    (logging.WARNING, "num_readers has been reduced to 1 to match input file shards."),
    (logging.WARNING, "The following classes have no ground truth examples: 1"),
    (logging.INFO, "depth of additional conv before box predictor: 0"),
    (logging.INFO, "Recording summary at step 120."),
    (logging.ERROR, "==================================\nObject was never used (type <class 'SymbolicTensor'>):"),
]


@pytest.mark.parametrize(("level", "message"), NOISE)
def test_what_libraries_say_of_themselves_is_kept_out_and_shown_if_verbose(level, message, monkeypatch):
    assert not quiet._matters(record(message, level))
    monkeypatch.setattr(quiet, "_verbose", False)  # put back in the end
    quiet.set_verbose(True)
    assert quiet._matters(record(message, level))


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (logging.WARNING, "Image with id b'a.jpg' already added."),
        (logging.WARNING, "pad_color should have 3 elements (RGB) if set!"),
        (logging.ERROR, "the deprecated thing broke"),
    ],
)
def test_what_matters_stays(level, message):
    assert quiet._matters(record(message, level))


@pytest.mark.parametrize(("verbose", "level"), [(False, "2"), (True, None)])
def test_the_log_of_the_native_code_is_reduced_unless_verbose(verbose, level, monkeypatch):
    monkeypatch.setattr(quiet, "_verbose", verbose)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    quiet.keep_out_noise()
    assert quiet.os.environ.get("TF_CPP_MIN_LOG_LEVEL") == level


@pytest.mark.parametrize("verbose", [False, True])
def test_chatter_of_native_code_is_kept_out_and_other_lines_pass(verbose, monkeypatch, capfd):
    monkeypatch.setattr(quiet, "_verbose", verbose)
    with quiet.without_chatter():
        quiet.os.write(2, b"fully_quantize: 0, inference_type: 6\nF0000 out of memory\n")
    assert capfd.readouterr().err == "fully_quantize: 0, inference_type: 6\n" * verbose + "F0000 out of memory\n"


def test_tensorflow_imported_too_early_is_said(repository_root):
    code = "import os, sys; os.environ.pop('TF_USE_LEGACY_KERAS', 0); sys.modules['tensorflow'] = sys; from scripts.lib.object_detection_api import patches; patches.apply()"
    result = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True)
    assert "TensorFlow was imported before" in result.stderr


def test_folders_of_any_name_are_made_and_found_by_python_on_the_disk(tf, tmp_path, monkeypatch):
    """The stand-in for TensorFlow's native functions knows none."""
    from tensorflow.python.lib.io import _pywrap_file_io

    asked = []
    for name in ("IsDirectory", "RecursivelyCreateDir"):
        monkeypatch.setattr(_pywrap_file_io, name, asked.append)
    quiet.find_folders_by_python.__wrapped__()
    folder = tmp_path / "Größe 服装" / "train"
    for _ in range(2):  # the second time it is there
        tf.io.gfile.makedirs(str(folder))
    (folder / "file").touch()
    assert folder.is_dir() and tf.io.gfile.isdir(str(folder)) and not tf.io.gfile.isdir(str(folder / "file"))
    tf.io.gfile.makedirs(f"{folder}/saved_model/variables")
    assert (folder / "saved_model/variables/variables_temp").is_dir()
    tf.io.gfile.isdir("gs://bucket/a")
    tf.gfile.MakeDirs("gs://bucket/b")
    assert asked == [b"gs://bucket/a", b"gs://bucket/b"]


def test_tensorflow_makes_folders_of_any_name(tf, tmp_path):
    folder = (tmp_path / "Größe 服装" / "train").as_posix()
    tf.io.gfile.makedirs(folder)
    assert tf.io.gfile.isdir(folder) and tf.gfile.IsDirectory(folder)


@pytest.mark.parametrize(
    ("machine", "given", "used"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("AMD64", "0", "0"), ("arm64", None, None)],
)
def test_onednn_is_on_where_it_was_measured_unless_told_otherwise(machine, given, used, monkeypatch):
    monkeypatch.setattr(quiet.platform, "machine", lambda: machine)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if given:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    quiet.use_onednn()
    assert quiet.os.environ.get("TF_ENABLE_ONEDNN_OPTS") == used


def test_a_graph_is_computed_by_onednn_on_x86(repository_root):
    """What a session calls its operations says so."""
    script = """if True:
        import platform
        from scripts.lib.core import tensorflow
        tf = tensorflow.import_tensorflow()
        images = tf.placeholder_with_default(tf.zeros([1, 9, 9, 3]), [None, 9, 9, 3])
        graph = tf.nn.conv2d(images, tf.Variable(tf.ones([3, 3, 3, 8])), 1, "SAME")
        metadata = tf.RunMetadata()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(graph, options=tf.RunOptions(output_partition_graphs=True), run_metadata=metadata)
        ops = {node.op for partition in metadata.partition_graphs for node in partition.node}
        print(platform.machine().lower() not in ("x86_64", "amd64") or "_MklNativeConv2D" in ops, ops)
    """
    environment = {key: value for key, value in quiet.os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=repository_root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("True"), done
