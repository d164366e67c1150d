"""The scripts that people start with any Python refuse the wrong one in a sentence."""

from __future__ import annotations

import ast
import sys

import pytest

from scripts import _check_python

FIRST_RUN = ("_check_python.py", "_init_paths.py", "quickstart.py", "run_tests.py")


@pytest.mark.parametrize("version", [(3, 10), (3, 11, 7), (3, 13, 0, "final", 0)])
def test_supported_versions_pass(version):
    for computer in _check_python.COMPUTERS:
        assert _check_python.complaint(version, 64, computer) is None


@pytest.mark.parametrize(
    "version, bits, expected",
    [
        ((2, 7, 18), 64, "Python 2.7 at"),
        ((3, 9, 18), 64, "is too old: install a 64-bit Python 3.10 to 3.13"),
        ((3, 14, 0), 64, "is too new, TensorFlow has no release for it: install"),
        ((3, 12, 0), 32, "is a 32-bit one"),
    ],
)
def test_others_are_refused_in_one_sentence_that_says_what_to_do(version, bits, expected):
    sentence = _check_python.complaint(version, bits)
    assert expected in sentence
    assert sys.executable in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("system", "machine", "build", "libc", "expected"),
    [
        ("darwin", "x86_64", "macosx-10.13-universal2", "", "Intel Macs (2.16 was the last): use Docker"),
        ("darwin", "arm64", "macosx-11.0-arm64", "", None),
        ("win32", "ARM64", "win-arm64", "", "Windows on ARM: use Linux under WSL2"),
        ("win32", "AMD64", "win-amd64", "", None),
        ("linux", "x86_64", "linux-x86_64", "", "Linux without glibc, such as Alpine: use one with it"),
        ("linux", "x86_64", "linux-x86_64", "glibc", None),
        ("linux", "aarch64", "linux-aarch64", "glibc", None),
        ("linux", "ppc64le", "linux-ppc64le", "glibc", "linux-ppc64le: use a computer with Linux, Windows"),
    ],
)
def test_computers_without_tensorflow_are_told_what_to_use(monkeypatch, system, machine, build, libc, expected):
    """As PyPI has it, asked with `pip install --dry-run --platform` for tensorflow 2.21."""
    monkeypatch.setattr(_check_python.sys, "platform", system)
    monkeypatch.setattr(_check_python.platform, "machine", lambda: machine)
    monkeypatch.setattr(_check_python.platform, "libc_ver", lambda: (libc, ""))
    monkeypatch.setattr(_check_python.sysconfig, "get_platform", lambda: build)
    sentence = _check_python.complaint((3, 12), 64)
    assert sentence is None if expected is None else expected in sentence


@pytest.mark.parametrize("name", FIRST_RUN)
def test_what_runs_before_the_check_parses_on_python_3_6(repository_root, name):
    source = (repository_root / "scripts" / name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__ import annotations" not in source  # a SyntaxError before 3.7


@pytest.mark.parametrize("name", ["quickstart.py", "run_tests.py"])
def test_the_check_comes_before_all_other_imports_of_the_project(repository_root, name):
    tree = ast.parse((repository_root / "scripts" / name).read_text(encoding="utf-8"))
    imported = [
        getattr(node, "module", None) or node.names[0].name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    own = [module for module in imported if module.split(".")[0] not in sys.stdlib_module_names]
    assert own[:2] == ["_check_python", "_init_paths"]
