"""XML to CSV: order, negatives, renamed images, every mistake at once."""

from __future__ import annotations

import pytest
from PIL import Image

import xml_to_csv
from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import labels_csv


@pytest.fixture
def annotations_dir(tmp_path):
    folder = tmp_path / "Anmerkungen ü"
    annotate(folder / "b.xml", "b.jpg", ["Tops", "Skirts"])
    annotate(folder / "B.2.xml", "B.2.jpg", ["Tops"])
    annotate(folder / "none.xml", "none.jpg", [])
    return folder


def annotate(path, filename, classes):
    voc_xml.write(path, Annotation(filename, 64, 48, [VocObject(name, 1, 2, 30, 40) for name in classes]))


def convert(annotations_dir, *flags):
    output = annotations_dir.parent / "data" / "labels.csv"
    xml_to_csv.main(["--annotations_dir", str(annotations_dir), "--output_csv", str(output), *flags])
    return output.read_text(encoding="utf-8").splitlines()[1:]


def test_files_in_order_of_names_boxes_in_file_order(annotations_dir, capsys):
    assert convert(annotations_dir) == [
        "B.2.jpg,64,48,Tops,1,2,30,40",
        "b.jpg,64,48,Tops,1,2,30,40",
        "b.jpg,64,48,Skirts,1,2,30,40",
    ]
    printed = capsys.readouterr().out
    assert "3 annotated images read" in printed and "3 boxes in 2 images" in printed
    assert "images without objects, left out: 1 " in printed


def test_negatives_are_kept_on_demand(annotations_dir, capsys):
    assert convert(annotations_dir, "--include_negatives")[-1] == "none.jpg,64,48,,,,,"
    assert "images without objects, kept as one row each: 1" in capsys.readouterr().out


def test_function_gives_the_table_of_boxes(annotations_dir):
    table = xml_to_csv.xml_to_csv(str(annotations_dir))
    assert list(table.columns) == list(labels_csv.COLUMNS)
    assert table["class"].tolist() == ["Tops", "Tops", "Skirts"] and table["xmax"].tolist() == [30, 30, 30]


def test_all_malformed_files_are_reported_and_nothing_is_written(annotations_dir):
    (annotations_dir / "a.xml").write_text("<annotation>", encoding="utf-8")
    (annotations_dir / "z.xml").write_text("", encoding="utf-8")
    with pytest.raises(DataError) as error:
        convert(annotations_dir)
    assert [finding.file[-5:] for finding in error.value.findings] == ["a.xml", "z.xml"]
    assert error.value.consequence.endswith("labels.csv was not written")
    assert not (annotations_dir.parent / "data").exists()


def test_a_folder_of_broken_files_is_a_few_lines(annotations_dir, capsys):
    for number in range(400):
        (annotations_dir / f"{number:03}.xml").write_bytes(b"<annotation>" if number % 2 else b"\x1b" * number)
    with pytest.raises(SystemExit):
        command_line.run(lambda _: convert(annotations_dir))
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) < 20 and "error: 200 files: " in shown and "\x1b" not in shown
    assert shown.endswith(f"400 errors: {files.shown_path(annotations_dir.parent)}/data/labels.csv was not written.\n")
    with pytest.raises(SystemExit):
        command_line.run(lambda _: convert(annotations_dir, "--all"))
    assert len(capsys.readouterr().err.splitlines()) == 401


@pytest.mark.parametrize("classes", [None, []])
def test_nothing_to_convert_is_an_error(tmp_path, classes):
    folder = tmp_path / "empty"
    folder.mkdir()
    if classes is not None:
        annotate(folder / "a.xml", "a.jpg", classes)
    with pytest.raises(DataError, match="no annotations; looked for|no annotation has an object"):
        convert(folder)


def test_what_is_not_there_is_wrong_usage(annotations_dir, tmp_path, capsys):
    with pytest.raises(UsageError, match="--annotations_dir .*absent: no such folder"):
        convert(tmp_path / "absent")
    for flag, message in (("image_dir", "no folder absent"), ("class_map", "no file absent")):
        with pytest.raises(SystemExit, match="2"):
            convert(annotations_dir, f"--{flag}=absent")
        assert f"--{flag}: {message}" in capsys.readouterr().err


def test_a_file_of_another_kind_is_not_overwritten(annotations_dir):
    (xml, *_) = sorted(annotations_dir.rglob("*.xml"))
    before = xml.read_bytes()
    with pytest.raises(UsageError, match="exists but is not a labels CSV; choose another name"):
        xml_to_csv.main([f"--annotations_dir={annotations_dir}", f"--output_csv={xml}"])
    assert xml.read_bytes() == before


def test_renamed_image_is_found_by_the_stem_of_its_xml(annotations_dir, tmp_path, capsys):
    images = tmp_path / "samples"
    images.mkdir()
    annotate(annotations_dir / "new.name.xml", "old.jpg", ["Tops"])
    annotate(annotations_dir / "bare.xml", "bare", ["Tops"])
    for name in ("new.name.png", "bare.JPG", "b.jpg"):
        (images / name).touch()
    rows = convert(annotations_dir, "--image_dir", str(images))
    assert [row.split(",")[0] for row in rows] == ["B.2.jpg", "b.jpg", "b.jpg", "bare.JPG", "new.name.png"]
    out = capsys.readouterr().out
    assert "'old.jpg', the image is 'new.name.png'" in out
    assert "images that are not in the image folder: 1 (generate_tfrecord.py refuses them)" in out


def test_image_annotated_twice_is_an_error(annotations_dir):
    annotate(annotations_dir / "c.xml", "b.jpg", ["Tops"])
    with pytest.raises(DataError, match="names the image 'b.jpg', as .*b.xml does"):
        convert(annotations_dir)


def test_sub_folder_means_the_image_sub_folder_of_that_name(annotations_dir, tmp_path):
    annotate(annotations_dir / "shop" / "b.xml", "b.jpg", ["Shorts"])
    annotate(annotations_dir / "shop" / "d.xml", "d.jpg", ["Shorts"])
    images = tmp_path / "samples"
    for name in ("b.jpg", "d.jpg", "shop/b.jpg"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    rows = convert(annotations_dir, "--image_dir", str(images))
    assert [row.split(",")[0] for row in rows if "Shorts" in row] == ["shop/b.jpg", "d.jpg"]


def test_reference_annotations_give_the_published_rows(reference_dir, tmp_path):
    output = tmp_path / "labels.csv"
    xml_to_csv.main(["--annotations_dir", str(reference_dir / "annotations"), "--output_csv", str(output)])
    header, *rows = output.read_text(encoding="utf-8").splitlines()
    photos = {path.name for path in (reference_dir / "samples").iterdir()}
    published = (reference_dir / "model_one_class" / "Pants_labels.csv").read_text(encoding="utf-8").splitlines()
    assert [header] + [row for row in rows if row.split(",")[0] in photos] == published
    assert len(rows) == 748 and len({row.split(",")[0] for row in rows}) == 421


def test_other_formats_are_recognised_and_their_classes_renamed(tmp_path, capsys):
    folder, images = tmp_path / "yolo", tmp_path / "images"
    for path in (folder, images):
        path.mkdir()
    Image.new("RGB", (100, 100)).save(images / "a.png")
    (folder / "classes.txt").write_text("Tee\nBlazer\n", encoding="utf-8")
    (folder / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n1 0.5 0.5 1 1\n", encoding="utf-8")
    class_map = tmp_path / "map.csv"
    class_map.write_text("theirs,ours\nTee,Tops\nBlazer,\n", encoding="utf-8")
    assert convert(folder, f"--image_dir={images}", f"--class_map={class_map}") == ["a.png,100,100,Tops,25,25,75,75"]
    class_map.write_text("theirs,ours\nTee,Tops\n", encoding="utf-8")
    with pytest.raises(DataError, match="no line for 'Blazer'"):
        convert(folder, f"--image_dir={images}", f"--class_map={class_map}")


def test_folders_of_several_formats_become_one_csv(annotations_dir, tmp_path, monkeypatch, capsys):
    images, yolo = tmp_path / "images", tmp_path / "yolo"
    for path in (images, yolo):
        path.mkdir()
    for name in ("a.jpg", "b.jpg", "none.jpg", "y.jpg"):
        Image.new("RGB", (64, 48)).save(images / name)
    (yolo / "classes.txt").write_text("Tee\n", encoding="utf-8")
    (yolo / "y.txt").write_text("0 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    alone = convert(annotations_dir, f"--image_dir={images}")
    both = ["--annotations_dir", str(annotations_dir), str(yolo)]
    output = tmp_path / "both.csv"
    xml_to_csv.main([*both, f"--output_csv={output}", f"--image_dir={images}"])
    assert output.read_text(encoding="utf-8").splitlines()[1:] == [*alone, "y.jpg,64,48,Tee,16,12,48,36"]
    assert f"read from {files.shown_path(annotations_dir)}, {files.shown_path(yolo)}" in capsys.readouterr().out
    annotate(yolo.with_name("again") / "b.xml", "b.jpg", ["Tops"])
    both[2] = str(yolo.with_name("again"))
    with pytest.raises(DataError, match="names the image 'b.jpg', as .*b.xml does"):
        xml_to_csv.main([*both, f"--output_csv={output}", f"--image_dir={images}"])
    with pytest.raises(UsageError, match="--annotations_dir .*absent1, .*absent2: no such folder"):
        xml_to_csv.main(["--annotations_dir", str(tmp_path / "absent1"), str(yolo), str(tmp_path / "absent2")])
    for name in ("empty1", "empty2"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as caught:
        xml_to_csv.main(["--annotations_dir", str(tmp_path / "empty1"), str(yolo), str(tmp_path / "empty2")])
    assert [finding.code for finding in caught.value.findings] == ["no-annotation"] * 2
    monkeypatch.setattr("xml_to_csv.files.default_path", lambda relative: tmp_path / "absent")
    with pytest.raises(UsageError, match="--format yolo needs the images: give --image_dir"):
        xml_to_csv.main(["--annotations_dir", str(annotations_dir), str(yolo), f"--output_csv={output}"])


def test_format_without_sizes_needs_the_images(tmp_path, monkeypatch):
    monkeypatch.setattr("xml_to_csv.files.default_path", lambda relative: tmp_path / "absent")
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo" / "a.txt").touch()
    with pytest.raises(UsageError, match="--format yolo needs the images: give --image_dir"):
        convert(tmp_path / "yolo")


def test_case_9_images_beside_their_annotations_need_no_flag(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("xml_to_csv.files.default_path", lambda relative: tmp_path / "absent")
    folder = tmp_path / "export"
    annotate(folder / "train" / "a.xml", "a.jpg", ["Tops"])
    Image.new("RGB", (64, 48)).save(folder / "train" / "a.jpg")
    assert convert(folder) == ["train/a.jpg,64,48,Tops,1,2,30,40"]
    assert "images: " in capsys.readouterr().out
