"""Detection as a Beam pipeline: detect.py's results, in parts, from runs that are stopped and started again.

Beam is no part of requirements-dev.txt; in an environment with requirements-beam.txt and pytest:

    python -m pytest tests/cloud/test_detect_beam.py
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("apache_beam", reason="Apache Beam is not installed (requirements-beam.txt)")

from cloud import detect_beam
from cloud.lib import beam_detection, beam_support
from scripts import detect
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.detection import ensemble
from tests import made_onnx
from tests.beam_bucket import Bucket
from tests.made_detector import MadeDetector


class CountingDetector(MadeDetector):
    """The made detector; says how often it was loaded and how many photos it has looked at."""

    loads = 0
    looked_at: list[int] = []

    def __init__(self, folder, runtime):
        super().__init__(folder, runtime)
        CountingDetector.loads += 1
        self.batches = self.looked_at


def save(path: Path, red: int, green: int = 100) -> None:
    """A photo in which the made detector finds Tops (red even) or Skirts with score red / 255, and half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), (red, green, 0)).save(path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of twelve photos, and an exported model that a made detector stands in for; also as bucket://."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(beam_detection, "Detector", CountingDetector)
    monkeypatch.setattr(ensemble, "Detector", MadeDetector)
    monkeypatch.setattr(CountingDetector, "looked_at", [])
    monkeypatch.setattr(CountingDetector, "loads", 0)
    monkeypatch.setattr(Bucket, "root", tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"a model")
    for number in range(12):
        save(tmp_path / f"photos/{'new/' * (number % 2)}{number:02}.png", 130 + 10 * number + number % 3)
    return tmp_path


def run(*flags: object, place: str = "", **paths: str) -> None:
    paths = {"input": "photos", "model": "model", "output_path": "out/run", **paths}
    detect_beam.main([*(f"--{name}={place}{path}" for name, path in paths.items()), "--num_shards=3", *map(str, flags)])


def files_of(folder: str = "out") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def rows(folder: str = "out") -> list[list[str]]:
    return sorted(
        row for path in Path(folder).glob("*.csv") for row in list(csv.reader(path.open(encoding="utf-8")))[1:]
    )


def lines(suffix: str) -> list[str]:
    return [line for path in sorted(Path("out").glob(f"*{suffix}")) for line in path.read_text("utf-8").splitlines()]


def seen() -> list[str]:
    """The lines of photos, without those of settings."""
    return [line for line in lines("-00003.jsonl") if "models" not in line]


def looked_at() -> int:
    count = sum(CountingDetector.looked_at)
    CountingDetector.looked_at.clear()
    return count


# What comes out.


def test_the_detections_are_those_of_detect_py(project, capsys):
    run("--min_score=0.2")
    assert "12 images, 0 done before, 24 detections (score thresholds: 0.2)" in capsys.readouterr().out
    detect.main(["--model", "model", "--input", "photos", "--output_dir", "plain", "--no_images", "--min_score", "0.2"])
    assert rows() == rows("plain") and len(rows()) == 24
    _, *plain = (project / "plain/detections.jsonl").read_text("utf-8").splitlines()
    assert sorted(seen()) == sorted(plain)
    manifest = json.loads(Path("out/run.json").read_text())
    assert (manifest["photos"], manifest["detections"], manifest["errors"]) == (12, 24, 0)
    assert manifest["shards"] == [f"run-{index:05}-of-00003" for index in range(3)]
    assert len(files_of()) == 1 + 3 * 3


def test_photos_that_cannot_be_read_are_listed_with_the_reason_and_the_others_done(project):
    (project / "photos/cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (project / "photos/page.jpg").write_text("<!doctype html>")
    with pytest.raises(DataError, match="a web page") as error:
        run()
    assert len(error.value.findings) == 2 and "tries them again" in error.value.consequence
    errors = [json.loads(line) for line in lines(".errors.jsonl")]
    assert {error["filename"] for error in errors} == {"cut.jpg", "page.jpg"} and all(
        error["message"] for error in errors
    )
    assert len({row[0] for row in rows()}) == 12


def test_more_shards_than_photos(project):
    run("--num_shards=20")
    assert len(files_of()) == 1 + 3 * 20 and len({row[0] for row in rows()}) == 12


def test_the_model_is_loaded_once_for_all_shards_and_looks_at_batches(project):
    run("--batch_size=2")
    assert CountingDetector.loads == 2  # before the job, and for it
    assert max(CountingDetector.looked_at) == 2 and sum(CountingDetector.looked_at) == 12


# Where the photos are.


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("photos", {"00.png", "new/01.png"}),
        ("photos/", {"00.png", "new/01.png"}),
        ("photos/new/*.png", {"01.png", "03.png"}),
        ("photos/n*/0?.png", {"new/01.png", "new/03.png"}),
        ("photos/list.txt", {"00.png", "bucket://photos/new/01.png"}),
    ],
)
def test_on_a_bucket(project, place, names):
    (project / "photos/list.txt").write_text("00.png\nbucket://photos/new/01.png\n\n00.png\n")
    (project / "photos/.hidden").mkdir()
    save(project / "photos/.hidden/x.png", 250)
    run(place="bucket://", input=place)
    found = {row[0] for row in rows()}
    assert names <= found and not any("hidden" in name for name in found)
    assert len(found) == {"photos": 12, "photos/": 12, "photos/list.txt": 2}.get(place, 5 if "0?" in place else 6)


def test_a_list_on_the_disk_names_photos_anywhere(project):
    Path("list.csv").write_text("sku,path\n1,photos/00.png\n2,bucket://photos/new/01.png\n")
    run(input="list.csv")
    assert {row[0] for row in rows()} == {"photos/00.png", "bucket://photos/new/01.png"}


# Started again.


def test_the_same_command_looks_only_at_what_is_new_changed_or_could_not_be_read(project):
    (project / "photos/cut.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError):
        run()
    assert looked_at() == 12
    before = files_of()
    with pytest.raises(DataError):
        run()
    assert looked_at() == 0 and files_of() == before

    save(project / "photos/cut.png", 200)
    save(project / "photos/zz.png", 200)
    save(project / "photos/02.png", 254, green=50)
    os.utime(project / "photos/02.png", (1, 1))
    (project / "photos/04.png").unlink()
    run()
    assert looked_at() == 3
    resumed = files_of()
    run(output_path="fresh/run")
    assert resumed == files_of("fresh")
    assert "04.png" not in {row[0] for row in rows()} and not lines(".errors.jsonl")


def test_a_run_that_was_stopped_goes_on_to_the_results_of_a_single_one(project, monkeypatch):
    write = beam_support.write_whole

    def stopped(path, content):
        if "00001-of" in path and path.endswith("-00003.jsonl"):
            raise OSError("power cut")
        write(path, content)

    monkeypatch.setattr(beam_support, "write_whole", stopped)
    with pytest.raises(Exception, match="power cut"):
        run()
    assert not Path("out/run.json").exists() and not list(Path("out").glob("*partial*"))
    done = len(seen())
    assert 0 < done < 12
    monkeypatch.setattr(beam_support, "write_whole", write)
    looked_at()
    run()
    assert looked_at() == 12 - done
    resumed = files_of()
    run(output_path="fresh/run")
    assert resumed == files_of("fresh")


@pytest.mark.parametrize("change", ["--min_score=0.9", "--nms_iou=0.5", "another model"])
def test_with_other_settings_all_photos_are_looked_at_again(project, change):
    run()
    looked_at()
    if change == "another model":
        (project / "model/model.onnx").write_bytes(b"better")
    run(*[change] * change.startswith("--"))
    assert looked_at() == 12


def test_parts_of_a_run_with_another_number_of_them_go(project):
    run("--num_shards=5")
    run("--num_shards=2")
    assert len(files_of()) == 1 + 3 * 2


def test_what_is_no_result_of_ours_is_done_anew(project):
    Path("out").mkdir()
    for text in ("", "thesis", "{}\n", json.dumps({"models": []}) + "\nx\n"):
        Path("out/run-00000-of-00003.jsonl").write_text(text)
        run()
        assert looked_at() > 0


# Reading.


def test_a_read_that_fails_is_tried_again(project, monkeypatch):
    failures = {"01.png": 2}
    read = beam_support.read_bytes

    def unreliable(path, *limit):
        name = path.rpartition("/")[2]
        if failures.get(name):
            failures[name] -= 1
            raise ConnectionResetError("connection reset")
        return read(path, *limit)

    monkeypatch.setattr(beam_support, "read_bytes", unreliable)
    run("--retries=2", place="bucket://", input="photos")
    assert failures == {"01.png": 0} and len({row[0] for row in rows()}) == 12
    failures["01.png"] = 9
    with pytest.raises(DataError, match=r"01.png: connection reset \(3 attempts\)"):
        run("--retries=2", "--min_score=0.1", place="bucket://", input="photos")
    assert failures == {"01.png": 6}


# A real model, in the workers' own processes.


def test_the_command_with_two_processes_writes_what_it_writes_in_one(project, repository_root):
    """What other processes get is pickled: nothing of it may be of the script that was started, here or on Dataflow."""
    pytest.importorskip("onnx", reason="onnx is not installed (requirements.txt)")
    made_onnx.write(project / "model", Green=0.3, Blue=0.3)
    Image.new("RGB", (60, 40), (0, 200, 0)).save(project / "photos/green.png")
    command = [sys.executable, "cloud/detect_beam.py", f"--model={project}/model", f"--input={project}/photos"]
    processes = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    for folder, flags in (("one", []), ("two", processes)):
        paths = [f"--output_path={project}/{folder}/run", "--num_shards=3", "--batch_size=1"]
        subprocess.run([*command, *paths, *flags], cwd=repository_root, check=True, capture_output=True)
    assert files_of("one") == files_of("two")
    assert ["green.png", "Green", "0.7843"] in [row[:3] for row in rows("one")]


# Misuse.


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_shard=3"], r"unknown flag --num_shard; did you mean --num_shards\?"),
        (["--input=none"], "no such file or folder"),
        (["--input=bucket://none"], "no image in it"),
        (["--input=nowhere://photos"], "Beam knows no such place"),
        (["--model=none"], "--model none has no model.onnx; make it with scripts/export_model.py"),
        (["--classes", "Hats"], "the model knows Tops, Skirts"),
        (["--runner=Rnner"], "Rnner"),
    ],
)
def test_wrong_usage_is_one_sentence(project, flags, message):
    with pytest.raises(UsageError, match=message):
        run(*flags)
    assert not list(Path("out").glob("run.json"))


def test_a_photo_is_tried_at_least_once(project, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--retries=-1")
    assert "--retries: -1 is below 0" in capsys.readouterr().err


def test_a_file_of_something_else_is_not_overwritten(project):
    Path("out").mkdir()
    Path("out/run.json").write_text('{"chapter": 1}')
    with pytest.raises(UsageError, match="is not a manifest of detect_beam.py"):
        run()
    assert files_of() == {"run.json": b'{"chapter": 1}'}


# Google Cloud Storage, as gcp-storage-emulator plays it.


def test_photos_model_and_results_on_google_cloud_storage(project, shop):
    for path in [*project.rglob("*.png"), project / "model/model.onnx"]:
        shop.blob(path.relative_to(project).as_posix()).upload_from_filename(str(path))
    shop.blob("photos/page.jpg").upload_from_string(b"<!doctype html>")
    for looks_at in (12, 0):
        with pytest.raises(DataError, match="gs://shop/photos/page.jpg: the file is a web page"):
            run("--project=demo", place="gs://shop/")
        assert looked_at() == looks_at
    run()
    for name, content in files_of().items():
        if name.endswith(".csv"):
            assert shop.blob(f"out/{name}").download_as_bytes() == content
    assert sorted(blob.name for blob in shop.client.list_blobs("shop", prefix="out/")) == [
        f"out/{name}" for name in sorted(files_of())
    ]
