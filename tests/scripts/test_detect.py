"""detect.py's own parts; the whole is tested end to end."""

from __future__ import annotations

import pytest

from scripts import detect
from scripts.lib.command_line import UsageError
from scripts.lib.detector import Detection

FOUND = [Detection("Tops", 0.71, 0, 0, 9, 9), Detection("Skirts", 0.98, 0, 0, 9, 9), Detection("Tops", 0.9, 1, 1, 5, 5)]


def test_tags_are_classes_with_their_best_score_best_first():
    assert detect.tags(FOUND) == "Skirts 98%, Tops 90%"
    assert detect.tags([]) == "nothing found"


def test_photos_of_a_folder_are_found_with_their_sub_folders_in_order(tmp_path):
    for name in ("b.jpg", "a.PNG", "new/c.webp", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos = detect.find_photos(tmp_path, tmp_path)
    assert photos == [(name, tmp_path / name) for name in ("a.PNG", "b.jpg", "new/c.webp")]


def test_photos_of_a_labels_csv_each_once(tmp_path):
    rows = [
        "filename,width,height,class,xmin,ymin,xmax,ymax",
        "b.jpg,9,9,Tops,1,1,5,5",
        "a.jpg,9,9,Tops,1,1,5,5",
        "b.jpg,9,9,Tops,2,2,5,5",
    ]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    photos = detect.find_photos(tmp_path / "labels.csv", tmp_path / "samples")
    assert photos == [(name, tmp_path / "samples" / name) for name in ("b.jpg", "a.jpg")]


@pytest.mark.parametrize(("name", "says"), [("none", "no such file or folder"), ("empty", "no image in it")])
def test_nothing_to_look_at(tmp_path, name, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=says):
        detect.find_photos(tmp_path / name, tmp_path)


def test_pictures_of_equal_stem_do_not_overwrite_each_other(tmp_path):
    names = [detect.picture_path(tmp_path, name).name for name in ("a.jpg", "a.png", "a.JPEG")]
    assert names == ["a.jpg", "a.png.jpg", "a.JPEG"]


def test_the_table(tmp_path):
    detect.write_detections(
        tmp_path / "detections.csv", [("größe, neu.jpg", Detection("Tops", 0.87654, 1.26, 2, 30.04, 40))]
    )
    assert (tmp_path / "detections.csv").read_text(encoding="utf-8") == (
        'filename,class,score,xmin,ymin,xmax,ymax\n"größe, neu.jpg",Tops,0.8765,1.3,2.0,30.0,40.0\n'
    )


def test_least_scores_are_the_given_one_or_those_of_the_report_or_a_half(tmp_path):
    assert detect.score_thresholds(tmp_path, ["Tops", "Skirts"], None) == {"Tops": 0.5, "Skirts": 0.5}
    (tmp_path / "score_thresholds.json").write_text('{"Skirts": 0.31}', encoding="utf-8")
    assert detect.score_thresholds(tmp_path, ["Tops", "Skirts"], None) == {"Tops": 0.5, "Skirts": 0.31}
    assert detect.score_thresholds(tmp_path, ["Tops", "Skirts"], 0.0) == {"Tops": 0.0, "Skirts": 0.0}
