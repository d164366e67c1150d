"""report.py from the command line: its files, its page in a browser, two runs compared."""

from __future__ import annotations

import csv
import datetime
import html.parser
import json
import re
import shutil

import pytest
from PIL import Image

from scripts import report
from scripts.lib.core.errors import UsageError
from scripts.lib.evaluation import event_files, metrics_file
from tests import headless_browser, made_model


@pytest.fixture(scope="module")
def place(tf, tmp_path_factory):
    """A record, two models, event files, and the reports on both models, which change nothing in the models."""
    folder = tmp_path_factory.mktemp("report")
    record = made_model.write_record(folder / "test.record")
    for name, shrink in (("good", 0.0), ("bad", 0.25)):
        made_model.write_model(tf, folder / name, record, shrink)
    before = contents(folder / "good"), contents(folder / "bad")
    for step, loss in ((0, 3.0), (100, 1.0)):
        event_files.write(folder / f"train/events.out.tfevents.{step}.a", step, {"Losses/TotalLoss": loss})
    event_files.write(folder / "eval/events.out.tfevents.1.a", 100, {metrics_file.MEAN_AP: 0.5})
    for name in ("good", "bad"):
        run(folder, name)
    assert (contents(folder / "good"), contents(folder / "bad")) == before
    return folder


def contents(folder) -> dict[str, bytes]:
    """The files of a model, without the copy that its first use makes for ONNX Runtime."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "model.onnx"}


def run(folder, name: str, *more: str) -> None:
    report.main(
        [
            "--train_dir",
            str(folder / "train"),
            "--eval_dir",
            str(folder / "eval"),
            "--model",
            str(folder / name),
            "--records",
            str(folder / "test.record"),
            "--output_dir",
            str(folder / f"{name}_report"),
            "--num_resamples",
            "50",
            "--note",
            "Squares & <made> data",
            *more,
        ]
    )


def test_all_files_are_there(place):
    there = {path.relative_to(place / "good_report").as_posix() for path in (place / "good_report").rglob("*.*")}
    assert there >= {
        "index.html",
        "metrics.json",
        "detections.json",
        "score_thresholds.json",
        "confusion_matrix.csv",
        "Total_Loss.png",
        "mAP.png",
        "precision_recall.png",
        "f1.png",
        "calibration.png",
        "confusion_matrix.png",
        "errors.png",
        "average_precision.png",
        "dark/Total_Loss.png",
        "images/01.jpg",
    }
    assert not [name for name in there if "partial" in name]


def test_the_metrics_are_those_of_eval_py_and_more(place):
    evaluation = metrics_file.read(place / "good_report/metrics.json")
    assert evaluation.num_examples == 12
    assert set(metrics_file.headline(evaluation).by_class) == {"Red", "Green"}
    content = json.loads((place / "good_report/metrics.json").read_text(encoding="utf-8"))
    low, high = content["intervals_95_percent"][metrics_file.MEAN_AP]
    assert low <= evaluation.metrics[metrics_file.MEAN_AP] <= high
    assert content["coco"]["AP50"]["value"] > 0.5
    assert content["confusion_matrix"]["rows_true_columns_detected"] == [[6, 1, 0], [0, 5, 0], [0, 0, 0]]


def test_the_mislabelled_square_is_named_in_table_and_findings(place):
    with (place / "good_report/confusion_matrix.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["true class", "Red", "Green", "background"]
    content = json.loads((place / "good_report/metrics.json").read_text(encoding="utf-8"))
    assert any("12 images decide little" in sentence for sentence in content["findings"])


def test_tensorboard_gets_curves_errors_and_examples(place):
    assert event_files.read_scalars(place / "eval")["DetectionBoxes_Precision/mAP@.50IOU"]
    (path,) = (place / "eval").glob("*.report")
    tags = {
        tag
        for group in (b"Curves/f1", b"Errors/confusion_matrix", b"Examples/01_")
        for tag in [group]
        if tag in path.read_bytes()
    }
    assert len(tags) == 3


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", ["good_report", "comparison"])
def test_the_page_is_whole_in_a_browser(place, width, dark, page):
    if page == "comparison" and not (place / page).exists():
        compare(place)
    seen = headless_browser.look(place / page, width=width, dark=dark)
    assert seen.complaints == []
    assert seen.broken == []
    assert seen.overflow == 0
    assert len(seen.pictures) > 5
    assert ("dark/" in seen.pictures[0]) == (dark and page == "good_report")
    assert seen.ground == ("rgb(13, 17, 23)" if dark else "rgb(246, 248, 250)")


class Pictures(html.parser.HTMLParser):
    """The images of a page as (link around it, src, alt), its captions, and its heading."""

    def __init__(self, page):
        super().__init__()
        self.images, self.captions, self.heading = [], [], ""
        self._link, self._tag = None, ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        if tag == "a":
            self._link = dict(attrs)["href"]
        if tag == "img":
            self.images.append((self._link, dict(attrs)["src"], dict(attrs)["alt"]))

    def handle_endtag(self, tag):
        self._tag = ""
        self._link = None if tag == "a" else self._link

    def handle_data(self, data):
        if self._tag == "figcaption":
            self.captions.append(data)
        if self._tag == "h1":
            self.heading = data


@pytest.mark.parametrize("page", ["good_report", "comparison"])
def test_each_image_opens_in_full_size_and_is_described_once(place, page):
    if page == "comparison" and not (place / page).exists():
        compare(place)
    seen = Pictures(place / page / "index.html")
    assert seen.images
    for link, src, _ in seen.images:
        assert link == src
        assert (place / page / src).is_file()
    alts = [alt for *_, alt in seen.images]
    assert all(alts)
    assert len({*alts, *seen.captions}) == len(alts) + len(seen.captions)


def test_the_page_is_titled_with_model_data_and_date(place):
    seen = Pictures(place / "good_report/index.html")
    assert re.fullmatch(r"good 64x64 on .*test\.record", seen.heading)
    text = (place / "good_report/index.html").read_text(encoding="utf-8")
    assert f"Date: {datetime.date.today().isoformat()}" in text
    about = json.loads((place / "good_report/metrics.json").read_text(encoding="utf-8"))["about"]
    assert about["objects"] == "12 on 12 images"
    assert "runtime onnx" in about["export"]


def test_a_report_replaces_the_events_of_the_one_before(place, tmp_path):
    shutil.copytree(place / "eval", tmp_path / "eval")
    (before,) = (tmp_path / "eval").glob("*.report")
    before.rename(before.with_name("events.out.tfevents.1.report"))
    arguments = ["--model", str(place / "good"), "--records", str(place / "test.record"), "--output_dir", str(tmp_path)]
    report.main([*arguments, "--eval_dir", str(tmp_path / "eval"), "--num_resamples", "5", "--no_images"])
    (after,) = (tmp_path / "eval").glob("*.report")
    assert after.name != "events.out.tfevents.1.report"


def test_the_page_fetches_nothing_and_escapes_what_it_is_given(place):
    text = (place / "good_report/index.html").read_text(encoding="utf-8")
    assert "http" not in text
    assert "Squares &amp; &lt;made&gt; data" in text
    assert 'loading="lazy"' in text


def compare(place) -> None:
    report.main(
        [
            "--compare",
            str(place / "bad_report"),
            str(place / "good_report"),
            "--records",
            str(place / "test.record"),
            "--output_dir",
            str(place / "comparison"),
            "--num_resamples",
            "50",
        ]
    )


def test_a_comparison_takes_no_flag_of_a_report(tmp_path):
    runs = ["--compare", str(tmp_path), str(tmp_path), "--output_dir", str(tmp_path / "new")]
    with pytest.raises(UsageError, match="leave out --train_dir and --update_thresholds"):
        report.main([*runs, "--train_dir", str(tmp_path), "--update_thresholds"])


def test_two_runs_are_compared_with_the_interval_of_their_difference(place):
    compare(place)
    content = json.loads((place / "comparison/compare.json").read_text(encoding="utf-8"))
    mean = content["differences"]["mean (mAP@0.5)"]
    assert mean["difference"] == pytest.approx(mean["b"] - mean["a"])
    low, high = mean["interval_95_percent"]
    assert 0 < low <= mean["difference"] <= high
    assert content["findings"][0].startswith("B is better than A")
    with Image.open(place / "comparison/images/01.jpg") as picture:
        assert picture.width > picture.height * 2  # truth, A and B beside each other


def test_a_run_against_itself_cannot_be_told_apart(place, tmp_path):
    report.main(
        ["--compare", *[str(place / "good_report")] * 2, "--output_dir", str(tmp_path), "--num_resamples", "20"]
    )
    content = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert "cannot tell which of them is better" in content["findings"][0]
    assert not (tmp_path / "images").exists()


def test_without_images_nothing_holds_a_photo_and_only_update_thresholds_changes_the_model(place, tmp_path, capsys):
    shutil.copytree(place, tmp_path / "run")
    run(tmp_path / "run", "good", "--no_images", "--update_thresholds")
    after = contents(tmp_path / "run/good")
    thresholds = json.loads(after.pop("score_thresholds.json"))
    assert after == contents(place / "good")
    assert set(thresholds) == {"Red", "Green"}
    assert all(0.2 < threshold < 0.95 for threshold in thresholds.values())
    assert "good/score_thresholds.json; detect.py and serve.py now use them" in capsys.readouterr().out
    assert not (tmp_path / "run/good_report/images").exists()
    (path,) = (tmp_path / "run/eval").glob("*.report")
    assert b"Examples/" not in path.read_bytes()
    assert "images/" not in (tmp_path / "run/good_report/index.html").read_text(encoding="utf-8")


def test_a_foreign_file_among_the_pictures_is_left_alone(place, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/holiday.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match=r"holiday\.jpg"):
        report.main(
            ["--model", str(place / "good"), "--records", str(place / "test.record"), "--output_dir", str(tmp_path)]
        )
    assert (tmp_path / "images/holiday.jpg").exists()


@pytest.mark.parametrize("name", ["index.html", "metrics.json", "detections.json", "compare.json", "mAP.png"])
@pytest.mark.parametrize("compares", [False, True])
def test_case_25_a_folder_that_is_none_of_ours_is_not_written_into(place, tmp_path, name, compares):
    (tmp_path / name).write_text('{"mine": 1}', encoding="utf-8")
    inputs = ["--model", str(place / "good"), "--records", str(place / "test.record")]
    if compares:
        inputs = ["--compare", *[str(place / "good_report")] * 2]
    with pytest.raises(UsageError, match=rf"{name} exists but is not a file of|has {name}, but no index.html"):
        report.main([*inputs, "--output_dir", str(tmp_path)])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: '{"mine": 1}'}


@pytest.mark.parametrize("flag", ["--train_dir", "--eval_dir", "--model"])
def test_a_folder_that_is_missing_is_named_with_its_flag(tmp_path, capsys, flag):
    with pytest.raises(SystemExit) as ended:
        report.main([flag, "nowhere", "--output_dir", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert f"{flag}: no folder nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_folders_without_a_model_or_a_report_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"--model .* holds no label_map\.pbtxt"):
        report.main(["--model", str(tmp_path), "--output_dir", str(tmp_path / "out")])
    with pytest.raises(UsageError, match="--compare .* holds no report"):
        report.main(["--compare", str(tmp_path), str(tmp_path), "--output_dir", str(tmp_path / "out")])


def test_reports_on_different_records_are_not_compared(place, tmp_path, capsys):
    made_model.write_record(tmp_path / "other.record", num_images=4)
    report.main(
        [
            "--model",
            str(place / "good"),
            "--records",
            str(tmp_path / "other.record"),
            "--output_dir",
            str(tmp_path / "other"),
            "--num_resamples",
            "10",
            "--no_images",
        ]
    )
    with pytest.raises(Exception, match="different records"):
        report.main(["--compare", str(place / "good_report"), str(tmp_path / "other"), "--output_dir", str(tmp_path)])
