"""A script that misses a package ends with one sentence, whichever script and package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import _check_python, _init_paths

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "scripts", ROOT / "cloud")
    for path in folder.glob("[a-z]*.py")
)
# sitecustomize.py, which Python imports first: in a process started with it, the package cannot be found.
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if f"{name}.".startswith("PACKAGE."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
"""


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(cwd)}
    return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", env=environment, timeout=300)


@pytest.mark.parametrize("script", SCRIPTS)
def test_in_a_python_without_any_package_a_script_says_what_to_install(script, tmp_path):
    done = run("-S", ROOT / script, "--help", cwd=tmp_path)  # -S leaves site-packages out
    if done.returncode == 0:
        assert done.stdout.startswith("usage: ") and not done.stderr
    else:
        assert done.returncode == 1
        assert re.fullmatch(
            r"error: [\w-]+ is not installed in .*: .*python -m pip install .*-r requirements\S*\n", done.stderr
        )


@pytest.mark.parametrize(
    ("package", "name", "script", "arguments"),
    [
        ("lxml", "lxml", "xml_to_csv.py", "--annotations_dir photos --output_csv labels.csv"),
        ("PIL", "Pillow", "scripts/make_sample_dataset.py", "--output_dir sample"),
        (
            "matplotlib",
            "matplotlib",
            "scripts/check_dataset.py",
            "--annotations_dir photos --image_dir photos --plot plot.png",
        ),
        ("google.protobuf", "protobuf", "scripts/train.py", "--train_dir train"),
        ("tensorboard", "tensorboard", "scripts/start_tensorboard.py", "--help"),
    ],
)
def test_a_package_that_is_missed_late_is_one_sentence_too(package, name, script, arguments, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>9</width><height>9</height></size><object><name>Tops</name>"
        "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>",
        encoding="utf-8",
    )
    (tmp_path / "sitecustomize.py").write_text(BLOCK.replace("PACKAGE", package), encoding="utf-8")
    done = run(ROOT / script, *arguments.split(), cwd=tmp_path)
    assert done.returncode == 1
    assert f"error: {name} is not installed in " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_module_of_this_project_that_is_missing_is_a_traceback(tmp_path):
    done = run(
        "-c",
        f"import sys; sys.path[0] = {str(ROOT)!r}; from scripts import _init_paths; import scripts.gone",
        cwd=tmp_path,
    )
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'scripts.gone'\n")


def test_whatever_fails_in_a_python_that_is_too_old_the_version_is_said(monkeypatch):
    monkeypatch.setattr(_check_python, "OLDEST", (9, 1))
    assert "is too old: install a 64-bit Python 9.1 to" in _init_paths._explain(SyntaxError("invalid syntax"))
