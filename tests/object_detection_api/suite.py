"""Run the Object Detection API's own test modules under the patches: `python scripts/run_tests.py --api [NAME]`.

The modules for TensorFlow 2 (*_tf2_test.py) are left out. Each of the others runs in a fresh process, two at a time. Tests
that are known to fail are in expected_failures.yaml, with the reason. Any other failure, and a test that is listed and no
longer fails, is an error: exit status 1.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from scripts.lib.core import command_line
from scripts.lib.core.errors import UsageError
from scripts.lib.core.files import REPOSITORY_ROOT

EXPECTED_FAILURES = Path(__file__).with_name("expected_failures.yaml")
PROCESSES = 2
TIME_LIMIT = 1800  # seconds a module
WHOLE_MODULE = "(the module)"  # stands for a test where a module cannot be imported, crashes, or takes too long

Expected = Mapping[tuple[str, str], str]  # (module, test) -> reason


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the tests of one module."""

    module: str  # e.g. "utils.ops_test"
    seconds: float
    tests: int
    failed: Mapping[str, str]  # test -> traceback
    skipped: Mapping[str, str]  # test -> reason

    @property
    def passed(self) -> int:
        return self.tests - len(self.failed) - len(self.skipped)


def main(argv: Sequence[str]) -> int:
    name, *others = argv or [""]
    if others:
        raise UsageError(f"--api takes the name of a module, and no arguments of pytest: {' '.join(others)}")
    modules = [module for module in graph_mode_modules() if name in module]
    if not modules:
        raise UsageError(f"no test module of the Object Detection API has {name!r} in its name, such as utils.ops_test")
    expected = read_expected(EXPECTED_FAILURES)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        for number, outcome in enumerate(pool.map(run_module, modules), 1):
            outcomes.append(outcome)
            counts = f"{outcome.passed} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped"
            print(f"[{number}/{len(modules)}] {outcome.module}: {counts}, {outcome.seconds:.0f} s", flush=True)
    print("", *summary(outcomes, expected), sep="\n")
    problems = unexpected(outcomes, expected)
    print("", *problems, sep="\n")
    return 1 if problems else 0


def graph_mode_modules() -> list[str]:
    """Return the names of the test modules that are not for TensorFlow 2 only, without "object_detection."."""
    package = Path(importlib.util.find_spec("object_detection").origin).parent
    names = (".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*_test.py"))
    return sorted(name for name in names if not name.endswith("_tf2_test"))


def read_expected(path: Path) -> Expected:
    by_reason = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        (module, test): reason
        for reason, by_module in by_reason.items()
        for module, tests in by_module.items()
        for test in tests
    }


def run_module(module: str) -> Outcome:
    """Run the tests of a module in a fresh process."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [
            sys.executable,
            "-m",
            "tests.object_detection_api.module",
            f"object_detection.{module}",
            str(results),
        ]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        environment = {**os.environ, "TEST_TMPDIR": folder}
        try:
            done = subprocess.run(command, cwd=REPOSITORY_ROOT, env=environment, timeout=TIME_LIMIT, **streams)
            found = json.loads(results.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired:
            found = crashed(f"took longer than {TIME_LIMIT} s")
        except FileNotFoundError:
            found = crashed(f"ended with status {done.returncode}:\n{done.stdout.decode('utf-8', 'replace')[-3000:]}")
    return Outcome(module, time.monotonic() - begin, **found)


def crashed(message: str) -> dict:
    return {"tests": 1, "failed": {WHOLE_MODULE: message}, "skipped": {}}


def summary(outcomes: Sequence[Outcome], expected: Expected) -> Iterable[str]:
    """Yield the closing table: how many passed, failed and were skipped, and why."""
    failures = [(outcome.module, test) for outcome in outcomes for test in outcome.failed]
    reasons = {
        "failed": [expected.get(failure, "not on the list") for failure in failures],
        "skipped": [reason for outcome in outcomes for reason in outcome.skipped.values()],
    }
    yield f"{len(outcomes):5} modules"
    yield f"{sum(outcome.tests for outcome in outcomes):5} tests"
    yield f"{sum(outcome.passed for outcome in outcomes):5} passed"
    for kind, all_of_kind in reasons.items():
        yield f"{len(all_of_kind):5} {kind}"
        for reason, count in collections.Counter(all_of_kind).most_common():
            yield f"{count:11} {reason}"


def unexpected(outcomes: Sequence[Outcome], expected: Expected) -> list[str]:
    """Return what is wrong: failures that are not on the list, and what is on the list and did not fail."""
    failed = {(outcome.module, test): text for outcome in outcomes for test, text in outcome.failed.items()}
    ran = {outcome.module for outcome in outcomes}
    return [
        *(f"error: {'.'.join(test)} failed:\n{text}" for test, text in failed.items() if test not in expected),
        *(
            f"error: {'.'.join(test)} did not fail; remove it from {EXPECTED_FAILURES.name}"
            for test in expected
            if test not in failed and test[0] in ran
        ),
    ]


if __name__ == "__main__":
    command_line.run(main, sys.argv[1:])
