"""Two runs on the same images: the interval of the difference, and what may be compared."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.evaluation.on_record import RecordDetections
from scripts.lib.report import comparison, figures
from scripts.lib.report.comparison import SavedReport
from scripts.lib.report.figures import ReportedModel
from tests.made_results import BOX, CONFUSED, RIGHT, image, results

SKIRT = image([(BOX, 2)], [(BOX, 2, 0.9)])


def test_a_run_that_is_better_on_most_images_is_decided():
    worse, better = results([RIGHT] * 10 + [CONFUSED] * 10), results([RIGHT] * 10 + [SKIRT] * 10)
    differences = comparison.compare(worse, better, 50)
    mean = differences[figures.MEAN]
    assert mean.decided
    assert mean.difference.value == pytest.approx(mean.b - mean.a)
    first, *classes = comparison.sentences(differences)
    assert first.startswith("B is better than A")
    assert "Skirts: 0.000 in A, 1.000 in B; the interval of the difference excludes 0." in classes


def test_the_same_run_twice_cannot_be_told_apart():
    run = results([RIGHT] * 5 + [CONFUSED])
    (only,) = comparison.sentences(comparison.compare(run, run, 20))
    assert "cannot tell which of them is better" in only


@pytest.mark.parametrize(
    ("sha256", "class_ids", "message"),
    [("2", {"Tops": 1}, "different records"), ("1", {"Hats": 1}, "different classes: Tops; Hats")],
)
def test_runs_that_cannot_be_compared_are_refused(sha256, class_ids, message):
    found = RecordDetections(None, [])
    a = SavedReport(ReportedModel({"Tops": 1}), {}, "1", found)
    with pytest.raises(DataError, match=message):
        comparison.check(a, SavedReport(ReportedModel(class_ids), {}, sha256, found), "a and b")


def test_a_folder_without_a_report_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no report"):
        comparison.read(tmp_path)
