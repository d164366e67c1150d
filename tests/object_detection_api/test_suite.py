"""The runner of the Object Detection API's own tests counts, and tells what is expected from what is not."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import UsageError
from tests.object_detection_api import suite

OUTCOMES = [
    suite.Outcome("utils.a_test", 1.0, 4, failed={"A.test_listed": "Traceback", "A.test_new": "Traceback"}, skipped={}),
    suite.Outcome("utils.b_test", 1.0, 3, failed={}, skipped={"B.test_session": "Not a test."}),
]
EXPECTED = {
    ("utils.a_test", "A.test_listed"): "numpy",
    ("utils.b_test", "B.test_mended"): "Pillow",
    ("utils.c_test", "C.test_that_did_not_run"): "numpy",
}


def test_what_is_unexpected_is_an_error():
    assert suite.unexpected(OUTCOMES, EXPECTED) == [
        "error: utils.a_test.A.test_new failed:\nTraceback",
        "error: utils.b_test.B.test_mended did not fail; remove it from expected_failures.yaml",
    ]
    assert suite.unexpected(OUTCOMES[1:], {}) == []


def test_the_closing_table_counts_by_reason():
    assert [line.split(maxsplit=1) for line in suite.summary(OUTCOMES, EXPECTED)] == [
        ["2", "modules"],
        ["7", "tests"],
        ["4", "passed"],
        ["2", "failed"],
        ["1", "numpy"],
        ["1", "not on the list"],
        ["1", "skipped"],
        ["1", "Not a test."],
    ]


def test_modules_are_those_for_graph_mode_and_the_list_is_about_them():
    pytest.importorskip("object_detection")
    modules = suite.graph_mode_modules()
    assert "builders.model_builder_tf1_test" in modules and "utils.ops_test" in modules
    assert "builders.model_builder_tf2_test" not in modules
    assert len(modules) == 163  # of 204 in release 2.8.0.post1
    assert {module for module, _ in suite.read_expected(suite.EXPECTED_FAILURES)} <= {*modules}


@pytest.mark.slow
@pytest.mark.usefixtures("tf")
def test_each_module_runs_in_a_process_of_its_own(monkeypatch, capsys):
    """One that passes, and one that cannot be imported."""
    monkeypatch.setattr(suite, "graph_mode_modules", lambda: ["utils.static_shape_test", "utils.no_such_test", "other"])
    monkeypatch.setattr(suite, "read_expected", lambda _: {})
    assert suite.main(["utils."]) == 1
    out = capsys.readouterr().out
    assert "[1/2] utils.static_shape_test: 5 passed, 0 failed, 1 skipped" in out
    assert "[2/2] utils.no_such_test: 0 passed, 1 failed, 0 skipped" in out
    assert "error: utils.no_such_test.(the module) failed:" in out and "No module named" in out
    assert "error: utils.static_shape" not in out


@pytest.mark.parametrize("arguments", [["no_such_module"], ["utils.", "-x"]])
def test_wrong_arguments_are_refused(monkeypatch, arguments):
    monkeypatch.setattr(suite, "graph_mode_modules", lambda: ["utils.static_shape_test"])
    with pytest.raises(UsageError, match=arguments[-1]):
        suite.main(arguments)
