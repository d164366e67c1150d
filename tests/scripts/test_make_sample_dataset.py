"""make_sample_dataset.py: what it writes, where, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from scripts import make_sample_dataset
from scripts.lib.annotations import voc_xml
from scripts.lib.core.errors import UsageError

NUM_IMAGES = 6


def make(output_dir: Path, num_images: int = NUM_IMAGES, seed: int = 1) -> dict[str, bytes]:
    """Runs the script; returns the bytes of each file below its folder."""
    make_sample_dataset.main(["--output_dir", str(output_dir), "--num_images", str(num_images), "--seed", str(seed)])
    return contents(output_dir)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sample_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "sample"
    make(folder)
    return folder


def test_writes_one_annotation_an_image_and_says_that_they_are_synthetic(sample_dir):
    names = [f"sample_{number:05d}" for number in range(1, NUM_IMAGES + 1)]
    expected = {f"samples/{name}.jpg" for name in names} | {f"annotations/{name}.xml" for name in names}
    assert set(contents(sample_dir)) == expected | {"README.txt"}
    assert "synthetic" in (sample_dir / "README.txt").read_text(encoding="utf-8")


def test_annotations_fit_their_images_and_the_label_map(sample_dir, repository_root):
    label_map = (repository_root / "data" / "apparel_label_map.pbtxt").read_text(encoding="utf-8")
    classes = set(re.findall(r"name: '(\w+)'", label_map))
    for path in voc_xml.find_files(sample_dir / "annotations"):
        annotation = voc_xml.read(path)
        with Image.open(sample_dir / "samples" / annotation.filename) as image:
            image.load()
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert image.size == (annotation.width, annotation.height)
            assert min(image.size) >= 300 and max(image.size) <= 640
        assert 1 <= len(annotation.objects) <= 4
        for box in annotation.objects:
            assert box.name in classes
            assert 0 <= box.xmin < box.xmax <= annotation.width
            assert 0 <= box.ymin < box.ymax <= annotation.height


def test_the_same_seed_gives_the_same_bytes_and_images_do_not_depend_on_their_number(sample_dir, tmp_path):
    fewer = make(tmp_path / "fewer", num_images=3)
    all_files = contents(sample_dir)
    del fewer["README.txt"]
    assert len(fewer) == 6
    assert all(all_files[name] == content for name, content in fewer.items())


def test_another_seed_gives_other_images(sample_dir, tmp_path):
    other = make(tmp_path / "other", num_images=2, seed=2)
    assert other["samples/sample_00001.jpg"] != (sample_dir / "samples" / "sample_00001.jpg").read_bytes()


def test_a_second_run_replaces_the_first_and_keeps_what_the_next_steps_wrote(tmp_path):
    make(tmp_path, num_images=3)
    (tmp_path / "labels.csv").write_text("filename\n", encoding="utf-8")
    second = make(tmp_path, num_images=1, seed=2)
    assert set(second) == {"README.txt", "labels.csv", "samples/sample_00001.jpg", "annotations/sample_00001.xml"}


def test_prints_the_boxes_of_each_class(sample_dir, tmp_path, capsys):
    make(tmp_path / "again")
    printed = capsys.readouterr().out
    objects = [box for path in voc_xml.find_files(sample_dir / "annotations") for box in voc_xml.read(path).objects]
    assert "synthetic" in printed
    assert re.search(rf"^total +{len(objects)}$", printed, re.MULTILINE)
    dresses = sum(box.name == "Dresses" for box in objects)
    assert re.search(rf"^Dresses +{dresses} ", printed, re.MULTILINE)


@pytest.mark.parametrize("number", ["0", "-3"])
def test_refuses_a_number_of_images_below_one(number, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        make_sample_dataset.main(["--output_dir", str(tmp_path), "--num_images", number])
    assert ended.value.code == 2
    assert f"--num_images: {number} is not at least 1" in capsys.readouterr().err
    assert contents(tmp_path) == {}


def test_refuses_an_output_dir_that_is_a_file(tmp_path):
    place = tmp_path / "file"
    place.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is a file"):
        make(place)
    assert place.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name", ["holiday.jpg", "samples/holiday.jpg", "annotations/holiday.xml", "samples/sample_00001.jpg", "README.txt"]
)
def test_refuses_a_folder_with_files_of_the_users(name, tmp_path):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"mine")
    with pytest.raises(UsageError, match=re.escape(name)):
        make(tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


def test_refuses_its_own_folder_once_a_user_has_added_photos(tmp_path):
    before = make(tmp_path, num_images=1)
    (tmp_path / "samples" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"samples/holiday\.jpg"):
        make(tmp_path, num_images=1)
    assert contents(tmp_path) == {**before, "samples/holiday.jpg": b"mine"}
