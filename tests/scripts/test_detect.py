"""detect.py with a made detector: inputs, what counts, formats, resumed runs, memory."""

from __future__ import annotations

import contextlib
import csv
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

import xml_to_csv
from scripts import detect
from scripts.lib.annotations import proposals
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.wording import counted
from scripts.lib.detection import ensemble, outputs
from scripts.lib.detection import pipeline as detection_pipeline
from tests.made_detector import MadeDetector

ROOT = Path(__file__).resolve().parents[2]


def save(path: Path, red: int, green: int = 100, size=(60, 40)) -> None:
    """A photo in which the made detector finds Tops (red even) or Skirts with score red / 255, and half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (red, green, 0)).save(path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of three photos and an exported model that a made detector stands in for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ensemble, "Detector", MadeDetector)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "frozen_inference_graph.pb").write_bytes(b"a model")
    save(tmp_path / "photos/a.png", 240)
    save(tmp_path / "photos/new/b.png", 151)
    save(tmp_path / "photos/c.png", 20)
    return tmp_path


def run(*arguments: object) -> int | None:
    return detect.main(["--model", "model", "--input", "photos", "--output_dir", "out", *map(str, arguments)])


def table(folder: str = "out") -> list[tuple[str, str, float]]:
    with Path(folder, "detections.csv").open(encoding="utf-8", newline="") as file:
        return [(row["filename"], row["class"], float(row["score"])) for row in csv.DictReader(file)]


def files_of(folder: str) -> dict[str, bytes]:
    """All results but the journal, whose lines stand in the order in which photos were looked at.

    A killed process may leave a hidden, unfinished file behind, which nothing reads.
    """
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".partial"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.name != detect.JOURNAL}


# What comes out.


def test_runtime_threads_and_providers_reach_the_detector(project, monkeypatch):
    given = []
    monkeypatch.setattr(ensemble, "Detector", lambda *args: given.append(args[1:]) or MadeDetector(*args))
    run("--runtime", "onnx", "--threads", 2, "--providers", "A", "B")
    assert given == [("onnx", 2, ["A", "B"])]


def test_table_pictures_and_tags(project, capsys):
    assert run("--min_score", 0.4) is None
    text = Path("out/detections.csv").read_text(encoding="utf-8")
    assert text == (
        "filename,class,score,xmin,ymin,xmax,ymax\n"
        "a.png,Tops,0.9412,10.0,2.0,30.0,12.0\n"
        "a.png,Tops,0.4706,10.5,2.0,30.5,12.0\n"
        "new/b.png,Skirts,0.5922,10.0,2.0,30.0,12.0\n"
    )
    assert sorted(files_of("out")) == ["detections.csv", "images/a.png.jpg", "images/c.png.jpg", "images/new/b.png.jpg"]
    assert capsys.readouterr().out.splitlines() == [
        "a.png: Tops 94%",
        "c.png: nothing found",
        "new/b.png: Skirts 59%",
        "3 images, 3 detections (score thresholds: 0.4): out/detections.csv",
    ]


def test_without_pictures(project):
    run("--no_images")
    assert sorted(files_of("out")) == ["detections.csv"]


def test_class_names_are_drawn_in_the_font_of_the_flag(project):
    run()
    drawn = files_of("out/images")
    run("--font", Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSansMono.ttf"))
    in_mono = files_of("out/images")
    assert drawn.keys() == in_mono.keys() and drawn != in_mono
    run()
    assert files_of("out/images") == drawn


def test_a_non_ascii_name_with_a_comma(project):
    save(project / "photos/größe, neu.png", 250)
    run("--classes", "Tops")
    assert [name for name, *_ in table()] == ["a.png", "größe, neu.png"]
    assert Path("out/images/größe, neu.png.jpg").is_file()


def test_coco_is_what_pycocotools_reads(project):
    from pycocotools.coco import COCO

    run("--min_score", 0.4, "--formats", "coco")
    truth = COCO("out/coco_images.json")
    results = truth.loadRes("out/coco_results.json")
    assert [image["file_name"] for image in truth.loadImgs(truth.getImgIds())] == ["a.png", "c.png", "new/b.png"]
    assert {category["id"]: category["name"] for category in truth.loadCats([1, 2])} == {1: "Tops", 2: "Skirts"}
    (found,) = results.loadAnns(results.getAnnIds(imgIds=[3]))
    assert (found["bbox"], found["category_id"], found["score"]) == ([10, 2, 20, 10], 2, 0.592157)
    assert len(results.anns) == 3


def test_voc_goes_through_xml_to_csv_and_is_marked_as_a_proposal(project):
    save(project / "photos/a.gif", 200)
    run("--min_score", 0.4, "--formats", "voc")
    assert sorted(name for name in files_of("out") if name.startswith("voc/")) == [
        "voc/a.gif.xml" if Path("out/voc/a.gif.xml").exists() else "voc/a.png.xml",
        "voc/a.xml",
        "voc/new/b.xml",
    ]
    rows = xml_to_csv.xml_to_csv("out/voc")
    (skirt,) = rows[rows["class"] == "Skirts"].values.tolist()
    assert skirt == ["b.png", 60, 40, "Skirts", 10, 2, 30, 12]
    content = Path("out/voc/new/b.xml").read_bytes()
    assert proposals.is_unreviewed(content)
    assert b"model, scores 0.59 to 0.59" in content


def test_voc_files_that_a_person_has_saved_stay_and_proposals_of_nothing_go(project, capsys):
    run("--min_score", 0.3, "--formats", "voc")
    saved = Path("out/voc/a.xml")
    saved.write_bytes(b"saved by a person")
    assert Path("out/voc/new/b.xml").is_file()
    run("--min_score", 0.9, "--formats", "voc")
    assert saved.read_bytes() == b"saved by a person"
    assert "out/voc: kept 1 file that a person has saved" in capsys.readouterr().out
    assert not Path("out/voc/new/b.xml").exists()


def test_json_holds_every_photo_and_the_settings(project):
    (project / "photos/page.jpg").write_text("<!doctype html>", encoding="utf-8")
    with pytest.raises(DataError):
        run("--min_score", 0.5, "--formats", "json")
    content = json.loads(Path("out/detections.json").read_text(encoding="utf-8"))
    assert content["min_scores"] == {"Tops": 0.5, "Skirts": 0.5}
    by_name = {image["filename"]: image for image in content["images"]}
    assert by_name["c.png"] == {"filename": "c.png", "width": 60, "height": 40, "detections": []}
    assert by_name["new/b.png"]["detections"] == [
        {"class": "Skirts", "score": 0.592157, "xmin": 10.0, "ymin": 2.0, "xmax": 30.0, "ymax": 12.0}
    ]
    assert "a web page" in by_name["page.jpg"]["error"]


def test_formats_without_a_photo_that_can_be_read_are_still_well_formed(project):
    (project / "empty.jpg").touch()
    with pytest.raises(DataError, match="empty"):
        detect.main(
            [
                "--model",
                "model",
                "--input",
                "empty.jpg",
                "--output_dir",
                "out",
                "--tags",
                "--contact_sheet",
                "--formats",
                "coco",
                "json",
                "voc",
            ]
        )
    assert json.loads(Path("out/coco_images.json").read_text())["images"] == []
    assert json.loads(Path("out/coco_results.json").read_text()) == []
    assert json.loads(Path("out/tags.json").read_text()) == {}
    assert table() == []


def test_tags_of_a_product_are_the_best_of_its_photos(project):
    Path("list.csv").write_text(
        "sku,path\nred,photos/a.png\nred,photos/new/b.png\nblue,photos/c.png\ngreen,photos/a.png\n", encoding="utf-8"
    )
    detect.main(["--model", "model", "--input", "list.csv", "--output_dir", "out", "--tags", "--min_score", "0.3"])
    assert Path("out/tags.csv").read_text(encoding="utf-8") == (
        "product,class,score\nred,Tops,0.9412\nred,Skirts,0.5922\ngreen,Tops,0.9412\n"
    )
    assert json.loads(Path("out/tags.json").read_text(encoding="utf-8")) == {
        "red": {"Tops": 0.941176, "Skirts": 0.592157},
        "blue": {},
        "green": {"Tops": 0.941176},
    }


def test_contact_sheets_hold_36_photos_a_page_and_old_pages_go(project):
    for number in range(40):
        save(project / f"photos/{number:02}.png", 240)
    run("--contact_sheet")
    pages = sorted(path.name for path in Path("out/contact_sheet").glob("*.jpg"))
    assert pages == ["page_0001.jpg", "page_0002.jpg"]
    with Image.open("out/contact_sheet/page_0001.jpg") as page:
        assert page.size == (6 * 248 + 8, 6 * 268 + 8)
    for number in range(40):
        Path(f"photos/{number:02}.png").unlink()
    run("--contact_sheet")
    assert [path.name for path in Path("out/contact_sheet").glob("*.jpg")] == ["page_0001.jpg"]


# What counts.


def test_thresholds_classes_and_suppression_decide_what_is_kept(project):
    run("--min_score", 0.05)
    assert len(table()) == 5  # the weaker box of c.png has a score of 0.04
    run("--min_score", 0.05, "--nms_iou", 0.5)
    assert [(name, round(score, 2)) for name, _, score in table()] == [
        ("a.png", 0.94),
        ("c.png", 0.08),
        ("new/b.png", 0.59),
    ]
    run("--min_score", 0.05, "--nms_iou", 0.99)
    assert len(table()) == 5
    run("--min_score", 0.05, "--class_min_score", "Tops=0.5")
    assert [name for name, *_ in table()] == ["a.png", "new/b.png", "new/b.png"]
    run("--min_score", 0.05, "--classes", "Skirts")
    assert {kind for _, kind, _ in table()} == {"Skirts"}


def test_batches_and_workers_change_nothing(project):
    for number in range(20):
        save(project / f"photos/{number}.png", 5 * number, 3 * number)
    results = []
    for batch_size, num_workers in ((1, 1), (3, 2), (64, 8)):
        run("--batch_size", batch_size, "--num_workers", num_workers, "--min_score", 0.1, "--contact_sheet")
        results.append(files_of("out"))
    assert results[0] == results[1] == results[2]


def test_crops_are_cut_from_the_image_without_boxes_and_a_missing_one_is_made_again(project):
    run("--crops", "--min_score", 0.3)
    crops = sorted(Path("out/crops").rglob("*.jpg"))
    assert [path.as_posix() for path in crops[:1]] == ["out/crops/Skirts/new/b.png_1.jpg"]
    with Image.open(crops[0]) as crop:
        assert crop.size == (20, 10)
        assert all(high - low <= 12 for low, high in crop.getextrema()[1:]), "the image's plain colour, and no box"
    content = files_of("out")
    crops[0].unlink()
    run("--crops", "--min_score", 0.3, "--resume")
    assert files_of("out") == content


def test_large_photos_which_wait_as_files_have_the_same_pictures(project, monkeypatch):
    run("--contact_sheet")
    expected = files_of("out")
    monkeypatch.setattr(detection_pipeline, "HELD_PIXELS", 10)
    run("--contact_sheet")
    assert files_of("out") == expected


def test_an_ensemble_of_two_and_its_flags(project):
    (project / "model_b").mkdir()
    (project / "model_b/model.onnx").write_bytes(b"another")
    run("--model", "model_b", "--min_score", 0.4)
    assert table() == [("a.png", "Tops", 0.9412), ("new/b.png", "Skirts", 0.5922)], "overlapping boxes are one"
    save(project / "photos/a.png", 240, 200)  # the box is in the middle, as on the mirror image
    run("--model", "model_b", "--flip", "--min_score", 0.4)
    assert table() == [("a.png", "Tops", 0.9412)]


@pytest.mark.parametrize(("name", "count"), [("photos/a.png", 1), ("photos/none.png", 0)])
def test_a_single_photo_is_counted(project, capsys, name, count):
    Path("list.txt").write_text(name, encoding="utf-8")
    with contextlib.suppress(DataError):
        detect.main(["--model", "model", "--input", "list.txt", "--output_dir", "out"])
    assert f"{counted(count, 'image')}, {counted(count, 'detection')}" in capsys.readouterr().out


def test_results_take_no_file_for_their_folder(project):
    with pytest.raises(UsageError, match="--output_dir photos/a.png is a file; give a folder"):
        run("--output_dir", "photos/a.png")


# What goes wrong.


def test_results_among_the_photos_are_not_looked_at(project):
    arguments = ["--contact_sheet", "--formats", "voc", "--output_dir", "photos/out"]
    run(*arguments)
    first = files_of("photos/out")
    for further in ([], ["--resume"]):
        run(*arguments, *further)
        assert files_of("photos/out") == first


@pytest.mark.parametrize("flags", [[], ["--no_images"]])
@pytest.mark.parametrize("name", outputs.FOLDERS)
def test_a_folder_that_is_none_of_ours_is_never_written_into(project, name, flags):
    save(project / "shop" / name / "a.png", 240)
    with pytest.raises(UsageError, match=f"--output_dir shop has {name}, but no detections.jsonl"):
        run("--input", f"shop/{name}", "--output_dir", "shop", *flags)
    assert [path.name for path in Path("shop").rglob("*")] == [name, "a.png"]


@pytest.mark.parametrize(
    "name", ["detections.jsonl", "detections.csv", "tags.csv", "tags.json", "detections.json", "coco_results.json"]
)
def test_case_25_a_file_that_is_none_of_ours_stays(project, name):
    run("--tags", "--formats", "json", "coco")
    run("--tags", "--formats", "json", "coco")  # what it wrote itself it replaces
    Path("shop").mkdir()
    Path("shop", name).write_text("product,image\n1,photos/a.png\n", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{name}.* exists but is not a file of this|shop has {name}, but no detect"):
        run("--input", "photos", "--output_dir", "shop", "--tags")
    assert [path.name for path in Path("shop").iterdir()] == [name]
    assert Path("shop", name).read_text(encoding="utf-8").startswith("product,image")


def test_case_25_results_do_not_replace_the_list_that_was_given(project):
    run()
    before = Path("out/detections.csv").read_bytes()
    with pytest.raises(UsageError, match="--input out/detections.csv would be replaced by the results"):
        run("--input", "out/detections.csv", "--output_dir", "out")
    assert Path("out/detections.csv").read_bytes() == before


def test_bad_photos_are_all_listed_and_the_rest_is_done(project, capsys):
    good = Path("photos/a.png").read_bytes()
    for name, content in (("cut.png", good[:60]), ("page.jpg", b"<html>"), ("none.jpg", b"")):
        (project / "photos" / name).write_bytes(content)
    Path("list.txt").write_text("photos/nowhere.jpg\n", encoding="utf-8")
    with pytest.raises(DataError) as raised:
        run("--input", "list.txt")
    assert [finding.file for finding in raised.value.findings] == [
        "photos/cut.png",
        "photos/none.jpg",
        "photos/page.jpg",
        "photos/nowhere.jpg",
    ]
    assert [name for name, *_ in table()] == ["a.png", "new/b.png"]
    assert "3 images, 2 detections" in capsys.readouterr().out


class PhotoServer(http.server.BaseHTTPRequestHandler):
    """Serves a photo, a page in its place, one that is too large, and one that never comes."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        content = io.BytesIO()
        Image.new("RGB", (60, 40), (240, 100, 0)).save(content, "PNG")
        content = {"page": b"<!DOCTYPE html><title>log in</title>", "large": b"x" * 200_000}.get(
            self.path.strip("/").split(".")[0], content.getvalue()
        )
        if "stalls" in self.path:
            time.sleep(1.2)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_photos_from_the_web(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), PhotoServer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        names = ("photo.png?size=2", "page.jpg", "large.jpg", "stalls.jpg", "photo.png")
        Path("list.csv").write_text("url\n" + "".join(f"{address}/{name}\n" for name in names), encoding="utf-8")
        with pytest.raises(DataError) as raised:
            detect.main(
                [
                    "--model",
                    "model",
                    "--input",
                    "list.csv",
                    "--output_dir",
                    "out",
                    "--url_seconds",
                    "0.5",
                    "--url_megabytes",
                    "0.1",
                ]
            )
        server.shutdown()
    assert [name for name, *_ in table()] == [f"{address}/photo.png?size=2", f"{address}/photo.png"]
    messages = [f"{finding.file} {finding.message}" for finding in raised.value.findings]
    assert f"{address}/page.jpg the file is a web page" in messages[0]
    assert messages[1:] == [
        f"{address}/large.jpg has more than 0.1 MB",
        f"{address}/stalls.jpg nothing came for 0.5 s (3 attempts)",
    ]
    assert len([name for name in files_of("out") if name.startswith("images/127.0.0.1_")]) == 2


# Interrupted, resumed.

DRIVER = """
import sys
from scripts import detect
from scripts.lib.detection import ensemble
from tests.made_detector import MadeDetector
ensemble.Detector = lambda *args: MadeDetector(*args, seconds=0.05)
sys.exit(detect.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_killed_run_that_is_resumed_equals_one_that_was_not(project, how):
    for number in range(60):
        save(project / f"photos/{number:02}.png", 100 + 2 * number, 3 * number)
    (project / "photos/bad.png").write_bytes(b"bad")
    command = [
        "--model",
        "model",
        "--input",
        "photos",
        "--min_score",
        "0.3",
        "--tags",
        "--contact_sheet",
        "--formats",
        "coco",
        "json",
        "voc",
        "--batch_size",
        "4",
    ]
    journal = project / "stopped" / detect.JOURNAL
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "scripts")])}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *command, "--output_dir", "stopped"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (journal.is_file() and journal.read_bytes().count(b"\n") > 12):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait()
    done = journal.read_bytes().count(b"\n") - 1
    assert 12 <= done < 63
    assert not (project / "stopped/detections.csv").exists(), "results appear whole"
    with journal.open("ab") as file:
        file.write(b'{"name": "half a li')

    looked_at = count_detections(ensemble)
    for output, more in (("stopped", ["--resume"]), ("whole", [])):
        with pytest.raises(DataError, match="bad.png"):
            detect.main([*command, "--output_dir", output, *more])
        if more:
            assert len(looked_at) <= 64 - done
    assert files_of("stopped") == files_of("whole")
    assert len([name for name in files_of("whole") if name.startswith("voc/")]) == 62


def count_detections(module) -> list[int]:
    """Makes the made detector note each photo that it looks at."""
    looked_at: list[int] = []

    class Counting(MadeDetector):
        def prepare(self, image_rgb):
            looked_at.append(1)
            return super().prepare(image_rgb)

    module.Detector = Counting  # the fixture's monkeypatch puts the real one back
    return looked_at


def test_resuming_a_finished_run_looks_at_new_and_changed_and_failed_photos_only(project):
    (project / "photos/d.png").write_bytes(b"")
    with pytest.raises(DataError):
        run("--tags")
    looked_at = count_detections(ensemble)
    save(project / "photos/d.png", 250)
    save(project / "photos/0.png", 130)
    save(project / "photos/a.png", 220, size=(61, 40))
    Path("out/images/c.png.jpg").unlink()
    run("--tags", "--resume")
    assert len(looked_at) == 4
    resumed = files_of("out")
    run("--tags")
    assert files_of("out") == resumed
    assert [name for name, *_ in table()] == ["0.png", "a.png", "d.png", "new/b.png"]


def test_photos_that_are_gone_are_in_no_result_of_a_resumed_run(project):
    run()
    Path("photos/a.png").unlink()
    run("--resume")
    assert [name for name, *_ in table()] == ["new/b.png"]


def test_a_run_with_other_settings_cannot_be_resumed(project):
    run("--min_score", 0.4)
    with pytest.raises(
        UsageError, match="out/detections.jsonl is from a run with other min_scores; give the same settings again"
    ):
        run("--min_score", 0.6, "--resume")
    (project / "model/frozen_inference_graph.pb").write_bytes(b"another model")
    with pytest.raises(UsageError, match="other models"):
        run("--min_score", 0.4, "--resume")
    assert len(table()) == 3, "the results are as they were"


@pytest.mark.parametrize("content", [b"", b'{"models": ', b'{"models": [{"name": "half a li'])
def test_a_journal_whose_first_line_is_cut_is_begun_anew(project, content):
    Path("out").mkdir()
    Path("out", detect.JOURNAL).write_bytes(content)
    run("--resume")
    assert len(table()) == 2


@pytest.mark.parametrize("content", [b"half a li", b"\0\0\0\n", b"[]\n", b"{}\n"])
def test_a_journal_that_is_none_stays(project, content):
    Path("out").mkdir()
    Path("out", detect.JOURNAL).write_bytes(content)
    with pytest.raises(UsageError, match="exists but is not a file of this script"):
        run("--resume")
    assert Path("out", detect.JOURNAL).read_bytes() == content


# Many photos.


def test_the_summary_says_that_the_score_thresholds_are_the_reports(project, capsys):
    Path("model/score_thresholds.json").write_text('{"Tops": 0.9}', encoding="utf-8")
    run("--draw", "no")
    assert "(score thresholds of report.py: Tops 0.9, Skirts 0.5)" in capsys.readouterr().out
