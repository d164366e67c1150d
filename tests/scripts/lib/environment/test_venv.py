"""The environment: what keeps it from being made becomes a sentence; what is there is not made twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pip
import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.environment import venv
from scripts.lib.environment.venv import Requirements

DiskUsage = namedtuple("DiskUsage", "total used free")


def write_wheel(folder: Path, name: str, version: str = "1.0") -> None:
    """A wheel with one module, as small as one can be."""
    info = f"{name}-{version}.dist-info"
    content = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)


@pytest.fixture
def pip_settings(monkeypatch, tmp_path):
    """pip without the machine's configuration, and without a network."""
    for name in list(os.environ):
        if name.upper().startswith("PIP_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
    return monkeypatch


@pytest.fixture
def wheels(pip_settings, tmp_path) -> Path:
    """A folder of wheels that is all the index there is: `alpha` and `beta`."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("alpha", "beta"):
        write_wheel(folder, name)
    pip_settings.setenv("PIP_NO_INDEX", "1")
    pip_settings.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def create_with_the_tests_pip(folder: Path) -> None:
    """What `create` does, in a tenth of a second: pip is not copied into the environment but borrowed."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (lib,) = folder.rglob("site-packages")
    (lib / "borrowed.pth").write_text(str(Path(pip.__file__).parents[1]), encoding="utf-8")


@pytest.fixture
def empty_environment(monkeypatch, tmp_path) -> Path:
    """An environment as `create` leaves it."""
    monkeypatch.setattr(venv, "create", create_with_the_tests_pip)
    folder = tmp_path / "venv"
    create_with_the_tests_pip(folder)
    return folder


@pytest.fixture
def alpha(tmp_path) -> Requirements:
    path = tmp_path / "alpha.txt"
    path.write_text("alpha\n", encoding="utf-8")
    return Requirements(str(path))


@pytest.fixture
def beta(tmp_path) -> Requirements:
    path = tmp_path / "beta.txt"
    path.write_text("beta\n", encoding="utf-8")
    return Requirements(str(path), ("--no-deps",))


def prepare(wanted, folder) -> list[str]:
    """Run `prepare`; return the titles of the stages, i.e. what was done."""
    titles: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(venv, "stage", lambda title: titles.append(title) or contextlib.nullcontext())
        venv.prepare(wanted, folder)
    return [title.partition(" (")[0] for title in titles]


def can_import(folder: Path, module: str) -> bool:
    command = [venv.python_of(folder), "-I", "-c", f"import {module}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


class TestPrepare:
    def test_makes_and_fills_it_then_has_nothing_left_to_do(self, wheels, alpha, beta, tmp_path):
        """The one test that makes a whole environment."""
        folder = tmp_path / "new venv ü"
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").touch()  # half-made: to be replaced
        (folder / "leftover").touch()
        done = prepare([alpha, beta], folder)
        assert [title.split()[0] for title in done] == ["Making", "Installing", "Installing"]
        assert can_import(folder, "alpha") and can_import(folder, "beta")
        assert not (folder / "leftover").exists()
        shutil.rmtree(wheels)  # whatever were installed again now would fail
        assert prepare([alpha, beta], folder) == []

    def test_installs_only_what_is_new_or_changed(self, wheels, alpha, beta, empty_environment):
        prepare([alpha], empty_environment)
        assert prepare([alpha, beta], empty_environment) == [f"Installing {beta.file}"]
        Path(alpha.file).write_text("alpha>=1\n", encoding="utf-8")
        assert prepare([alpha, beta], empty_environment) == [f"Installing {alpha.file}"]

    def test_an_interrupted_installation_is_begun_anew(self, wheels, alpha, empty_environment):
        prepare([alpha], empty_environment)
        (empty_environment / "leftover").touch()
        venv._write_state(empty_environment, unfinished=alpha.file)
        assert venv.fault(empty_environment) == "an installation was interrupted"
        prepare([alpha], empty_environment)
        assert not (empty_environment / "leftover").exists()
        assert venv.fault(empty_environment) is None

    def test_a_missing_package_leaves_the_environment_usable(self, wheels, alpha, empty_environment):
        Path(alpha.file).write_text("gamma\n", encoding="utf-8")
        with pytest.raises(DataError, match="has no gamma for ") as error:
            prepare([alpha], empty_environment)
        assert "alpha.txt was not installed; pip's log is " in error.value.consequence
        assert venv.fault(empty_environment) is None
        assert venv.missing_requirements([alpha], empty_environment) == [alpha]

    def test_the_disk_is_checked_before_anything_is_made(self, wheels, alpha, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(10**9, 10**9 - 1000, 1000))
        large = Requirements(alpha.file, megabytes=3300)
        with pytest.raises(DataError, match="disk is too small"):
            prepare([large], tmp_path / "venv")
        assert not (tmp_path / "venv").exists()


class TestFault:
    def test_a_fresh_one_has_none(self, empty_environment):
        assert venv.fault(empty_environment) is None

    def test_there_is_none_yet(self, tmp_path):
        assert venv.fault(tmp_path / "venv") == "there is none yet"

    def test_half_made_without_pip(self, empty_environment):
        next(empty_environment.rglob("borrowed.pth")).unlink()
        assert venv.fault(empty_environment) == "the one there is broken"

    def test_its_python_is_gone(self, empty_environment):
        venv.python_of(empty_environment).unlink()
        assert venv.fault(empty_environment) == "the one there is broken"

    @pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
    def test_an_unreadable_state_means_that_nothing_was_installed(self, empty_environment, alpha, content):
        (empty_environment / venv.STATE).write_text(content, encoding="utf-8")
        assert venv.missing_requirements([alpha], empty_environment) == [alpha]


class TestCreate:
    def test_does_not_remove_what_is_no_environment(self, tmp_path):
        (tmp_path / "venv").mkdir()
        (tmp_path / "venv/thesis.txt").touch()
        with pytest.raises(DataError, match="is not a virtual environment: move it"):
            venv.create(tmp_path / "venv")
        assert (tmp_path / "venv/thesis.txt").exists()

    def test_what_venv_says_is_passed_on_and_nothing_half_made_stays(self, tmp_path, monkeypatch):
        said = subprocess.CompletedProcess([], 1, "Error: the disk is on fire\n")
        monkeypatch.setattr(venv, "_run", lambda command: (tmp_path / "venv").mkdir() or said)
        with pytest.raises(DataError, match="venv failed: Error: the disk is on fire"):
            venv.create(tmp_path / "venv")
        assert not (tmp_path / "venv").exists()

    def test_without_ensurepip_says_what_to_install(self, tmp_path, monkeypatch):
        find_spec = venv.importlib.util.find_spec
        monkeypatch.setattr(
            venv.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find_spec(name)
        )
        with pytest.raises(DataError, match=r"sudo apt install python3\.\d+-venv"):
            venv.create(tmp_path / "venv")

    def test_does_not_remove_the_environment_that_it_runs_in(self, tmp_path, monkeypatch):
        create_with_the_tests_pip(tmp_path / "venv")
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
        with pytest.raises(DataError, match="its own Python cannot do"):
            venv.create(tmp_path / "venv")
        assert venv.python_of(tmp_path / "venv").exists()


class TestDiskSpace:
    def test_enough_is_enough(self, tmp_path):
        venv.check_disk_space(tmp_path / "not" / "there", 1)

    def test_too_little_is_refused_with_both_figures(self, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(10**10, 7 * 10**9, 3 * 10**9))
        venv.check_disk_space(tmp_path / "a", 2 * 10**9)
        with pytest.raises(DataError, match=r"3\.0 GB are free and 4\.0 GB are needed in .*a;"):
            venv.check_disk_space(tmp_path / "a", 4 * 10**9)


class TestPackageIndex:
    def test_one_that_is_down_is_named(self, pip_settings, alpha, empty_environment):
        pip_settings.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port "discard": nobody listens
        pip_settings.setenv("PIP_RETRIES", "1")
        with pytest.raises(DataError, match=r"index cannot be used: .*http://127\.0\.0\.1:9/simple/alpha/: .*refused"):
            venv.install(alpha, empty_environment)

    def test_a_proxy_that_is_down_is_named(self, pip_settings, alpha, empty_environment):
        pip_settings.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
        pip_settings.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        pip_settings.setenv("PIP_RETRIES", "1")
        with pytest.raises(DataError, match="check the network, HTTPS_PROXY.*[Pp]roxy"):
            venv.install(alpha, empty_environment)


@pytest.mark.parametrize(
    "log, expected",
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "The disk filled up",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: 'C:\\\\x'\n"
            "HINT: This error might have occurred since this system does not have Windows Long Path support enabled.",
            "too long for Windows",
        ),
        (
            "Could not fetch URL https://index.example/simple/six/: There was a problem confirming the ssl certificate: "
            "HTTPSConnectionPool(...) - skipping",
            "https://index.example/simple/six/: There was a problem confirming the ssl certificate",
        ),
        (
            "Could not fetch URL https://index.example/simple/six/: 401 Client Error: Unauthorized for url: - skipping",
            "401 Client Error: Unauthorized",
        ),
        (
            "Could not fetch URL https://index.example/simple/six/: connection error: HTTPSConnectionPool(host='index.example', "
            "port=443): Max retries exceeded (Caused by ConnectTimeoutError('timed out. (connect timeout=10)')) - skipping",
            "https://index.example/simple/six/: connection error: ",
        ),
        (
            "Could not fetch URL https://index.example/simple/six/: connection error: Failed to establish a new connection: "
            "[Errno 11001] getaddrinfo failed')) - skipping\nSkipping link: 'x'",
            "getaddrinfo failed",
        ),
        ("Could not fetch URL https://i.example/six/: 503 Server Error: x - skipping", "503 Server Error"),
        (
            "WARNING: The repository located at i.example is not a trusted or secure host and is being ignored",
            "located at i.example is not a trusted",
        ),
        (
            "pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.",
            "run this again. pip says: pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.",
        ),
        ("ERROR: No matching distribution found for tensorflow<2.22,>=2.21.0", "has no tensorflow<2.22,>=2.21.0 for "),
        ("ERROR: first\nERROR: something new\nTraceback", "pip failed: something new"),
        ("Segmentation fault\n\n", "pip failed: Segmentation fault"),
        ("", "pip failed: it said nothing"),
    ],
)
def test_what_pip_says_becomes_one_sentence(log, expected):
    sentence = venv.explain(log)
    assert expected in sentence
    assert "\n" not in sentence
