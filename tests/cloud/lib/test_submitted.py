"""The jobs that were submitted from this machine."""

from __future__ import annotations

import dataclasses

import pytest

from cloud.lib import submitted
from cloud.lib.submitted import VertexJob
from scripts.lib.core.errors import UsageError

JOB = VertexJob("imgSeg_5", "train", "100", "demo", "us-central1", "b", "gs://b/c", "gs://b/t", "gs://b/e", 5)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    return tmp_path


def test_the_latest_job_of_a_kind_is_found():
    later = dataclasses.replace(JOB, name="imgSeg_7", verb="eval", id="101", submitted=7)
    for job in (later, JOB):
        submitted.remember(job)
    assert submitted.find(None) == later
    assert submitted.find(None, "train") == submitted.find("100") == submitted.find("imgSeg_5") == JOB


def test_project_and_region_are_those_given_or_the_job_s():
    submitted.remember(JOB)
    found = submitted.find(None, region="europe-west4")
    assert (found.project, found.region) == ("demo", "europe-west4")


def test_a_job_from_elsewhere_is_known_by_number_project_and_region():
    found = submitted.find("123", None, "p", "r")
    assert (found.id, found.project, found.region, found.train_dir) == ("123", "p", "r", "")
    with pytest.raises(UsageError, match="no train job 123 was submitted from here"):
        submitted.find("123", "train", "p", "r")
    with pytest.raises(UsageError, match="holds none"):
        submitted.find("123")


def test_a_broken_file_is_passed_over(folder):
    (folder / "x").mkdir()
    (folder / "x" / "job.json").write_text("{")
    submitted.remember(JOB)
    assert submitted.find(None) == JOB
