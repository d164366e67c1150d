"""Running the API's entry points: devices, checkpoints of another model, and the flags."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.object_detection_api import entry_points


@pytest.mark.parametrize("os_name, expected", [("nt", "under WSL2 only"), ("posix", "tensorflow[and-cuda]")])
def test_a_gpu_that_tensorflow_does_not_use_gets_a_hint(tf, monkeypatch, os_name, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(entry_points.shutil, "which", lambda program: None)
    assert re.fullmatch(r"CPU, \d+ cores", entry_points.describe_devices())
    monkeypatch.setattr(entry_points.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(entry_points, "os", SimpleNamespace(name=os_name, cpu_count=lambda: 2))
    assert expected in entry_points.describe_devices()


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("weights", [4], r"the model's shape is \[4\], the checkpoint's \[3\]"),
        ("biases", [3], "Key biases not found in checkpoint;"),
    ],
)
def test_a_checkpoint_of_another_model_is_one_sentence(tf, tmp_path, name, shape, says):
    prefix = str(tmp_path / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        session.run(tf.get_variable("weights", [3]).initializer)
        tf.train.Saver().save(session, prefix)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable(name, shape)
        with pytest.raises(UsageError, match=says), entry_points._explained_misfit(tf):
            tf.train.Saver().restore(session, prefix)


def test_other_errors_of_tensorflow_pass(tf):
    with pytest.raises(tf.errors.NotFoundError), entry_points._explained_misfit(tf):
        raise tf.errors.NotFoundError(None, None, "no such file")


def test_run_calls_main_with_its_flags_and_returns(tf, repository_root, tmp_path):
    """A module of the shape of the API's entry points, run in a process of its own, since flags are global."""
    (tmp_path / "entry.py").write_text(
        "import tensorflow.compat.v1 as tf\n"
        "tf.app.flags.DEFINE_string('word', '', '')\n"
        "def main(_):\n    print('main says', tf.app.flags.FLAGS.word)\n",
        encoding="utf-8",
    )
    code = (
        f"import sys; sys.path.insert(1, {str(tmp_path)!r})\n"
        "from scripts.lib import object_detection_api as api\n"
        "api.run('entry', ['--word=größe'], before_main=lambda: print('before main'))\nprint('after')"
    )
    result = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        cwd=repository_root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Device: ")
    assert lines[1:] == ["before main", "main says größe", "after"], result.stderr


def test_the_tested_versions_are_installed_and_pass_in_silence(tf, capsys):
    entry_points.check_versions()
    assert capsys.readouterr().err == ""


def test_untested_versions_are_one_line(monkeypatch, capsys):
    found = {
        "tensorflow": "2.99.0",
        "tf_keras": "2.21.0",
        "tf-slim": "1.1.0",
        "tf-models-research-object-detection": "3.0",
    }
    monkeypatch.setattr(entry_points.metadata, "version", found.__getitem__)
    entry_points.check_versions()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "tensorflow 2.99.0 (tested: 2.21)" in lines[0]
    assert "tf-models-research-object-detection 3.0" in lines[0]
    assert "tf_keras" not in lines[0]


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    def version(name: str) -> str:
        if name.startswith("tf-"):
            raise entry_points.metadata.PackageNotFoundError(name)
        return "2.21.0"

    monkeypatch.setattr(entry_points.metadata, "version", version)
    with pytest.raises(
        UsageError, match=r"tf-slim and tf-models-research-object-detection are not installed .*requirements-object-det"
    ):
        entry_points.check_versions()
