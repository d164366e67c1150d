"""Beam's flags, and files wherever Beam's file systems reach."""

from __future__ import annotations

import pytest

pytest.importorskip("apache_beam", reason="Apache Beam is not installed (requirements-beam.txt)")

from cloud.lib import beam_support
from scripts.lib.core.errors import DataError, UsageError
from tests.beam_bucket import Bucket


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A folder that is also bucket://."""
    monkeypatch.setattr(Bucket, "root", tmp_path)
    return tmp_path


def test_a_bucket_that_cannot_be_looked_at_is_one_sentence(bucket, monkeypatch):
    def refused(path):
        raise RuntimeError(f"403 GET {path}\nmore")

    monkeypatch.setattr(beam_support, "exists", refused)
    with pytest.raises(DataError) as failure:
        beam_support.pipeline_options([], ["bucket://photos"], {})
    assert failure.value.findings == [
        "bucket://photos cannot be looked at (403 GET bucket://photos); check network, address, and the login that "
        "Beam uses: gcloud auth application-default login"
    ]


@pytest.mark.parametrize("place", ["", "bucket://"])
def test_a_scratch_folder_goes_with_all_that_is_in_it(bucket, monkeypatch, place):
    monkeypatch.chdir(bucket)
    with pytest.raises(OSError, match="power cut"), beam_support.scratch_folder(f"{place}out/run") as folder:
        beam_support.write_lines(f"{folder}/lines-0", ["[1, 2]", "[3]"])
        assert list(beam_support.read_lines(f"{folder}/lines-*")) == [[1, 2], [3]]
        raise OSError("power cut")
    assert [path for path in bucket.rglob("*") if path.is_file()] == []


def test_flags_that_beam_does_not_know_are_refused():
    options = beam_support.pipeline_options(["--direct_num_workers=2"], [], {})
    assert options.get_all_options()["runner"] == beam_support.LOCAL_RUNNER
    with pytest.raises(UsageError, match=r"unknown flag --num_shard; did you mean --num_shards\?"):
        beam_support.pipeline_options(["--num_shard=3"], [], {"--num_shards": "--num_shards"})


def test_a_finding_about_a_local_copy_names_the_original(bucket):
    from scripts.lib.core.errors import ERROR, Finding

    (bucket / "labels.csv").write_text("a", encoding="utf-8")
    with pytest.raises(DataError) as error, beam_support.local_copy("bucket://labels.csv", "labels CSV") as copy:
        assert copy.read_text(encoding="utf-8") == "a"
        raise DataError([Finding(ERROR, "csv-columns", str(copy), "is empty")])
    assert [finding.file for finding in error.value.findings] == ["bucket://labels.csv"]
