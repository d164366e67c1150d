"""The README's commands and links are those of the scripts and files that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(ROOT.glob("**/README.md"), key=str)
PAGES = [page for page in PAGES if not {".venv", "runs"} & set(page.relative_to(ROOT).parts)]


def commands(page: Path) -> list[list[str]]:
    """The words of each command that runs one of our scripts, split as a shell would."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))  # a command over several lines
    lines = re.findall(r"^    python (\S+\.py .*)$", text, re.MULTILINE)
    return [shlex.split(line) for line in lines]


# Apache Beam's own flags are no part of the help.
COMMANDS = {words[0]: words for page in PAGES for words in commands(page) if not words[0].startswith("cloud/")}


def test_every_step_of_the_pipeline_has_its_command():
    steps = {
        "xml_to_csv.py",
        "split_dataset.py",
        "generate_tfrecord.py",
        "scripts/check_dataset.py",
        "scripts/train.py",
        "scripts/eval.py",
        "scripts/export_inference_graph.py",
        "scripts/detect.py",
        "scripts/report.py",
    }
    assert steps <= {words[0] for words in commands(ROOT / "README.md")}


@pytest.mark.parametrize("script", sorted(COMMANDS))
def test_scripts_know_the_flags_that_the_pages_give_them(script):
    usage = subprocess.run(
        [sys.executable, "-X", "utf8", script, "--help"], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120
    )
    if "No module named" in usage.stderr:
        pytest.skip(f"{script} needs requirements of its own: {usage.stderr.splitlines()[-1]}")
    given = [words for page in PAGES for words in commands(page) if words[0] == script]
    flags = {word.split("=")[0] for words in given for word in words if word.startswith("--")}
    assert not [flag for flag in flags if flag not in usage.stdout]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("path", [ROOT / "README.md"], ids=["README.md"])
def test_files_that_the_page_names_are_there(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:scripts|configs|cloud|tests)/[\w/.]+\.(?:py|config))`", text):
        assert (ROOT / name).exists(), name
    for config in re.findall(r"^\| `(ssd_\w+)` \|", text, re.MULTILINE):
        assert (ROOT / "configs" / f"{config}.config").is_file(), config
