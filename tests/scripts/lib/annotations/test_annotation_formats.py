"""Other tools' annotations, on files made by hand."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from scripts.lib.annotations import annotation_formats
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, Finding, UsageError
from scripts.lib.images.image_names import ImageFolder

DRESS = VocObject("Dresses", 10, 20, 30, 60)


@pytest.fixture
def images(tmp_path):
    """dress.jpg of 100x200 pixels, shown upright as such though stored lying; shop/top.png of 64x48."""
    folder = tmp_path / "samples"
    (folder / "shop").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(folder / "dress.jpg", exif=exif)
    Image.new("RGB", (64, 48)).save(folder / "shop" / "top.png")
    return ImageFolder(folder)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "annotations"
    path.mkdir()
    return path


def read(name, folder, images) -> list[Annotation | Finding]:
    _, found = annotation_formats.find_files(folder, name)
    return [item for file in found for item in annotation_formats.read_file(name, file, folder, images)]


def boxes(annotation: Annotation):
    return [(box.name, box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.objects]


def write(folder, files: dict[str, str]):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")


YOLO = {"classes.txt": "Tops\nDresses\n", "dress.txt": "1 0.200000 0.200000 0.200000 0.200000\n"}
CREATE_ML_BOX = {"label": "Dresses", "coordinates": {"x": 20, "y": 40.0, "width": 20, "height": 40}}
CREATE_ML = {"all.json": json.dumps([{"image": "dress.jpg", "verified": False, "annotations": [CREATE_ML_BOX]}])}
RECT = {"out.csv": "./dress.jpg,Dresses,20,40,40,20,-90\n"}
STYLE = {"labels.json": "{\n0: 'Tops',\n12: 'Dresses',\n}\n", "train.txt": "12/one\n", "test.txt": "0/two\n"}
DEEP_FASHION = {
    "Anno/list_category_cloth.txt": "2\ncategory_name  category_type\nTee            1\nDresses        3\n",
    "Anno/list_category_img.txt": "1\nimage_name  category_label\nimg/Red_Dress/dress.jpg      2\n",
    "Anno/list_bbox.txt": "1\nimage_name  x_1  y_1  x_2  y_2\nimg/Red_Dress/dress.jpg      010 020 030 060\n",
}
ALL = {"yolo": YOLO, "createml": CREATE_ML, "rotated_rect": RECT, "deepfashion": DEEP_FASHION}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_same_box_in_every_format(name, line_end, folder, images):
    write(folder, {file: text.replace("\n", line_end) for file, text in ALL[name].items()})
    assert annotation_formats.find_files(folder)[0] == name
    (annotation,) = read(name, folder, images)
    assert boxes(annotation) == [("Dresses", 10, 20, 30, 60)]
    assert (annotation.filename, annotation.width, annotation.height) == ("dress.jpg", 100, 200)


def test_style_images_are_the_box(folder, tmp_path):
    write(folder, STYLE)
    for name in ("12/one.jpg", "0/two.jpg"):
        (folder / "images" / name).parent.mkdir(parents=True)
        Image.new("RGB", (32, 48)).save(folder / "images" / name)
    assert annotation_formats.find_files(folder)[0] == "style"
    annotations = read("style", folder, ImageFolder(folder / "images"))
    assert [(a.filename, boxes(a)) for a in annotations] == [
        ("0/two.jpg", [("Tops", 0, 0, 32, 48)]),
        ("12/one.jpg", [("Dresses", 0, 0, 32, 48)]),
    ]


def test_yolo_keeps_every_pixel_of_label_img(folder, images):
    """LabelImg writes six decimals: 0.000001 of 100 pixels is far less than half a pixel."""
    corners = [(x, y, x + 1 + y % 7, y + 3) for x, y in ((0, 0), (33, 7), (92, 196), (50, 99))]
    lines = [
        f"0 {(a + c) / 200:.6f} {(b + d) / 400:.6f} {(c - a) / 100:.6f} {(d - b) / 200:.6f}" for a, b, c, d in corners
    ]
    write(folder, {"classes.txt": "Tops\n", "dress.txt": "\n".join(lines)})
    (annotation,) = read("yolo", folder, images)
    assert [box[1:] for box in boxes(annotation)] == corners
    assert [box.line for box in annotation.objects] == [1, 2, 3, 4]


def test_yolo_in_sub_folders_and_without_boxes(folder, images):
    write(folder, {**YOLO, "shop/top.txt": ""})
    assert [(a.filename, len(a.objects)) for a in read("yolo", folder, images)] == [
        ("dress.jpg", 1),
        ("shop/top.png", 0),
    ]


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, (10, 30, 30, 50)), (45, (6, 26, 34, 54)), (-14.6958, (8, 28, 32, 52)), (180, (10, 30, 30, 50))],
)
def test_rotated_rect_becomes_the_enclosing_upright_box(degrees, expected, folder, images):
    write(folder, {"out.csv": f"path,class,center_x,center_y,w,h,o\ndress.jpg,Tops,20,40,20,20,{degrees}\n"})
    (annotation,) = read("rotated_rect", folder, images)
    assert boxes(annotation) == [("Tops", *expected)]


def test_rotated_rect_is_clipped_to_the_image_and_images_are_gathered(folder, images):
    write(folder, {"out.csv": "dress.jpg,a,0,0,50,50,0\nshop/top.png,b,5,5,2,2,0\nsamples/dress.jpg,c,99,199,4,4,0\n"})
    first, second = read("rotated_rect", folder, images)
    assert boxes(first) == [("a", 0, 0, 25, 25), ("c", 97, 197, 100, 200)]
    assert boxes(second) == [("b", 4, 4, 6, 6)]


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "line", "words"),
    [
        ("yolo", "dress.txt", "1 0.2", "2 0.2", 1, "'2' is no class of classes.txt, which has 0 to 1"),
        ("yolo", "dress.txt", "1 0.2", "-1 0.2", 1, "'-1' is no class"),
        ("yolo", "dress.txt", "1 0.2", "1 20", 1, "'2000000' is no fraction"),
        ("yolo", "dress.txt", "1 0.2", "1 nan 0.2", 1, "has 6 values, expected 5"),
        ("yolo", "dress.txt", "1 0.200000", "1 nan", 1, "'nan' is no number"),
        ("yolo", "classes.txt", "Dresses", " \nSkirts", 1, "is no class name"),
        ("createml", "all.json", "[{", "{[", 1, "is no JSON"),
        ("createml", "all.json", '"label": "Dresses"', '"label": 3', None, "'label' is '3', expected a text"),
        ("createml", "all.json", '"x": 20', '"x": "20"', None, "'x' is '20', expected a number"),
        ("createml", "all.json", '"x": 20', '"x": NaN', None, "'x' is 'nan'"),
        ("createml", "all.json", '"x": 20', '"x": 1e400', None, "'x' is 'inf'"),
        ("createml", "all.json", '"coordinates"', '"box"', None, "'coordinates' is 'None', expected an object"),
        ("createml", "all.json", '"dress.jpg"', '"../dress.jpg"', None, "leads out of the image folder"),
        ("createml", "all.json", '"dress.jpg"', '"absent.jpg"', None, "'absent.jpg' is not in"),
        ("rotated_rect", "out.csv", ",-90", "", 1, "has 6 fields, expected path,class"),
        ("rotated_rect", "out.csv", ",20,40", ",x,40", 1, "'x' is no number"),
        ("rotated_rect", "out.csv", ",Dresses", ",", 1, "'' is no class name"),
        ("rotated_rect", "out.csv", "./dress", "/dress", 1, "leads out of the image folder"),
        ("rotated_rect", "out.csv", "./dress", '"./dress', 1, "is no CSV"),
        ("deepfashion", "Anno/list_bbox.txt", "010 ", "", 3, "expected image x_1 y_1 x_2 y_2"),
        ("deepfashion", "Anno/list_bbox.txt", "010", "ten", 3, "is 'ten', expected a number"),
        ("deepfashion", "Anno/list_bbox.txt", "1\n", "2\n", 1, "has 1 lines below the two of its head"),
        ("deepfashion", "Anno/list_category_img.txt", "     2", "     3", 3, "'3' is no class of list_category_cloth"),
        ("deepfashion", "Anno/list_category_img.txt", "Red", "Blue", 3, "one of list_category_img.txt"),
    ],
)
def test_finding_names_what_was_found_and_expected(name, file, old, new, line, words, folder, images):
    files = dict(ALL[name])
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    write(folder, files)
    main_file = {"yolo": "dress.txt", "deepfashion": "Anno/list_bbox.txt"}.get(name, file)
    items = annotation_formats.read_file(name, str(folder / main_file), folder, images)
    (finding,) = [item for item in items if isinstance(item, Finding)]
    assert words in finding.message and finding.line == line and finding.remedy


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0"])
def test_unreadable_image_is_a_finding(content, folder, images):
    (images.folder / "dress.jpg").write_bytes(content)
    write(folder, YOLO)
    (finding,) = read("yolo", folder, images)
    assert finding.code == "image-unreadable"


def test_missing_classes_txt_is_a_finding(folder, images):
    write(folder, {"dress.txt": YOLO["dress.txt"]})
    (finding,) = read("yolo", folder, images)
    assert "classes.txt" in finding.message


def test_deeply_nested_json_is_a_finding(folder, images):
    write(folder, {"all.json": "[" * 200_000})
    (finding,) = read("createml", folder, images)
    assert finding.code == "json-malformed"


def test_two_formats_in_one_folder_have_to_be_told_apart(folder):
    write(folder, {**YOLO, "a.xml": "", "b.xml": ""})
    with pytest.raises(UsageError, match=r"as voc \(.*a.xml and 1 more\) and as yolo \(.*dress.txt\); choose one by"):
        annotation_formats.find_files(folder)


def test_folder_of_anything_else_is_refused(folder):
    write(folder, {"notes.md": "", "coco.json": "{}", "table.csv": "a,b\n"})
    with pytest.raises(DataError, match="no annotation of a known format"):
        annotation_formats.find_files(folder)


def test_class_map_renames_leaves_out_and_reports_what_it_lacks(folder):
    write(folder, {"map.csv": "theirs,ours\nTee,Tops\nBlazer,\n"})
    class_map = annotation_formats.read_class_map(folder / "map.csv")
    annotation = Annotation("a.jpg", 9, 9, [VocObject("Tee", 0, 0, 1, 1), VocObject("Blazer", 0, 0, 1, 1)], source="a")
    assert annotation_formats.rename_classes(annotation, class_map) == []
    assert [box.name for box in annotation.objects] == ["Tops"]
    (finding,) = annotation_formats.rename_classes(Annotation("a.jpg", 9, 9, [DRESS], source="a"), class_map)
    assert "no line for 'Dresses'" in finding.message


@pytest.mark.parametrize("text", ["", "a,b\n", "theirs,ours\na\n", "theirs,ours\na,b\na,c\n", "theirs,ours\n,b\n"])
def test_malformed_class_map_is_an_error(text, folder):
    write(folder, {"map.csv": text})
    with pytest.raises(DataError):
        annotation_formats.read_class_map(folder / "map.csv")
