"""The same box, Dresses at 10, 20, 30, 60 of dress.jpg, in every annotation format, and how tests read it."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.lib.annotations import registry
from scripts.lib.annotations.voc_xml import Annotation, VocObject, document
from scripts.lib.core.errors import Finding
from scripts.lib.images.image_names import ImageFolder

DRESS = VocObject("Dresses", 10, 20, 30, 60)
VOC = {"dress.xml": document(Annotation("dress.jpg", 100, 200, [DRESS]))}
YOLO = {"classes.txt": "Tops\nDresses\n", "dress.txt": "1 0.200000 0.200000 0.200000 0.200000\n"}
CREATE_ML_BOX = {"label": "Dresses", "coordinates": {"x": 20, "y": 40.0, "width": 20, "height": 40}}
CREATE_ML = {"all.json": json.dumps([{"image": "dress.jpg", "verified": False, "annotations": [CREATE_ML_BOX]}])}
RECT = {"out.csv": "./dress.jpg,Dresses,20,40,40,20,-90\n"}
DEEP_FASHION = {
    "Anno/list_category_cloth.txt": "2\ncategory_name  category_type\nTee            1\nDresses        3\n",
    "Anno/list_category_img.txt": "1\nimage_name  category_label\nimg/Red_Dress/dress.jpg      2\n",
    "Anno/list_bbox.txt": "1\nimage_name  x_1  y_1  x_2  y_2\nimg/Red_Dress/dress.jpg      010 020 030 060\n",
}
COCO = {
    "_annotations.coco.json": json.dumps(
        {
            "images": [{"id": 7, "file_name": "dress.jpg", "width": 100, "height": 200}],
            "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20.0, 20, 40], "iscrowd": 0}],
            "categories": [{"id": 1, "name": "Tops"}, {"id": 2, "name": "Dresses"}],
        }
    )
}
ALL = {"voc": VOC, "yolo": YOLO, "createml": CREATE_ML, "coco": COCO, "rotated_rect": RECT, "deepfashion": DEEP_FASHION}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")


def read(name: str, folder: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    """Read all files of a format in a folder."""
    annotations, findings = [], []
    for file in registry.find_files(folder, name)[1]:
        of_file, findings_of_file = registry.read_file(name, file, folder, images)
        annotations += of_file
        findings += findings_of_file
    return annotations, findings


def boxes(annotation: Annotation) -> list[tuple]:
    return [(box.name, box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.objects]


def finding_after(change: tuple[str, str, str], name: str, folder: Path, images: ImageFolder) -> Finding:
    """Return the one finding of a format's set in which `file, old, new` of the change were replaced."""
    file, old, new = change
    files = dict(ALL[name])
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    write(folder, files)
    main_file = {"yolo": "dress.txt", "deepfashion": "Anno/list_bbox.txt"}.get(name, file)
    _, (finding,) = registry.read_file(name, str(folder / main_file), folder, images)
    assert finding.remedy
    return finding
