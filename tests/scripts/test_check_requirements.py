"""check_requirements.py: what pip leaves out because it judges markers by its own machine, and what it reports."""

from __future__ import annotations

import pytest

from scripts import check_requirements
from scripts.check_requirements import PLATFORMS, Outcome

WINDOWS = {**PLATFORMS["windows"].markers, "python_version": "3.10", "python_full_version": "3.10.0"}


@pytest.mark.parametrize(
    "requires, expected",
    [
        ('colorama>=0.4; platform_system == "Windows"', ["colorama>=0.4"]),
        ('uvloop; sys_platform != "win32"', []),
        ('tomli>=1; python_version < "3.11"', ["tomli>=1"]),
        ('notebook; extra == "notebook"', []),
        ("numpy>=2", []),
        ("numpy>=3", ["numpy>=3"]),
    ],
)
def test_dependencies_of_the_target_are_found(requires, expected):
    packages = [{"name": "tqdm", "version": "4", "requires_dist": [requires]}, {"name": "NumPy", "version": "2.2.6"}]
    assert check_requirements.unmet(packages, {"tqdm": "4", "numpy": "2.2.6"}, WINDOWS) == expected


def test_they_are_resolved_in_a_second_round(monkeypatch):
    rounds = []

    def report(wanted, *options, computer=""):
        rounds.append(list(wanted))
        found = [{"name": "tqdm", "version": "4", "requires_dist": ['colorama; sys_platform == "win32"']}]
        return found + [{"name": "colorama", "version": "1"}] * ("colorama" in wanted)

    monkeypatch.setattr(check_requirements, "report", report)
    outcome = check_requirements.check("windows", "3.12", "requirements.txt")
    assert outcome.versions == {"tqdm": "4", "colorama": "1"}
    assert rounds[1] == [*rounds[0], "colorama"]


def test_a_failure_ends_with_status_1_and_names_the_case(monkeypatch, capsys):
    def report(wanted, *options, computer=""):
        return "no PyQt5 here" if "--platform=win_amd64" in options and "PyQt5" in str(wanted) else []

    monkeypatch.setattr(check_requirements, "report", report)
    assert check_requirements.main(["--platforms", "windows", "--pythons", "3.12"]) == 1
    output = capsys.readouterr().out
    assert [line.split()[2] for line in output.splitlines() if "FAILED: no PyQt5 here" in line] == [
        "requirements-label.txt"
    ]
    assert f"1 of {len(check_requirements.FILES) + 1} failed" in output


def test_a_gap_that_is_known_is_told_and_no_failure(monkeypatch, capsys):
    monkeypatch.setattr(check_requirements, "report", lambda *_, **__: [])
    assert check_requirements.main(["--platforms", "linux-aarch64", "--pythons", "3.13"]) == 0
    assert "requirements-label.txt             not there: PyQt5 has no wheel" in capsys.readouterr().out


def test_every_requirement_has_bounds_and_says_what_for(repository_root):
    for file in check_requirements.FILES:
        for line in (repository_root / file).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                requirement, _, purpose = line.partition("#")
                assert purpose.strip(), line
                assert "==" in requirement or (">=" in requirement and "<" in requirement), line


def test_source_only_packages_are_kept_out_of_the_wheel_check():
    assert all(
        check_requirements.lines(file, True) for file in ("requirements-label.txt", "requirements-object-detection.txt")
    )
    wheels = [line for file in check_requirements.FILES for line in check_requirements.lines(file, False)]
    assert not [line for line in wheels if "labelImg" in line or "research" in line]


def test_an_outcome_reads_as_one_line():
    assert str(Outcome({"numpy": "2.2.6", "x": "1"})) == "2 found (numpy 2.2.6)"
    assert str(Outcome({}, "gone")) == "FAILED: gone"
