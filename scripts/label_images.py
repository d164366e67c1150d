"""Open LabelImg on a folder of images, set up for this workflow and patched for Python 3.10 and later.

In:   images, and the names of the classes, one per line.
Out:  one PASCAL VOC XML file per image in annotations_dir, in sub-folders like those of the images.

Draw a box with `w`, go to the next and the previous image with `d` and `a`; that saves the annotation. The space bar
confirms boxes that prelabel.py drew. Images come by name, or in the order of the list that prelabel.py writes with
--queue_size.

LabelImg needs a desktop. Install it with `python -m pip install -r requirements-label.txt`.

  python scripts/label_images.py --image_dir samples --annotations_dir annotations
"""

from __future__ import annotations

import argparse
import importlib.metadata
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.annotations import labelimg_patches, proposals, voc_xml
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import existing_file, local_path
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.text import read_text
from scripts.lib.core.wording import counted, listed
from scripts.lib.environment import packages
from scripts.lib.images.image_names import ImageFolder

INSTALL = "python -m pip install -r requirements-label.txt"
QT_NEEDS = (
    "it needs a desktop, and on Debian and Ubuntu: apt install libgl1 libegl1 libxkbcommon-x11-0 libxcb-icccm4 "
    "libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1"
)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    check_class_file(args.class_file)
    names = find_images(args.image_dir)
    queue = read_queue(args.queue, names) if args.queue else None
    check_labelimg_can_start()
    args.annotations_dir.mkdir(parents=True, exist_ok=True)
    warn_of_unreadable_annotations(args.annotations_dir)
    shown = counted(len(names), "image") if queue is None else f"{len(queue)} of {counted(len(names), 'image')}"
    image_dir, annotations_dir = args.image_dir.resolve(), args.annotations_dir.resolve()
    print(f"{shown} in {files.shown_path(image_dir)}, annotations in {files.shown_path(annotations_dir)}", flush=True)
    return run_labelimg(image_dir, args.class_file.resolve(), annotations_dir, queue)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    images, annotations = files.default_path("samples"), files.default_path("annotations")
    classes = files.default_path("data/predefined_classes.txt")
    parser.add_argument("--image_dir", type=local_path, default=images, help="folder of the images")
    parser.add_argument("--class_file", type=local_path, default=classes, help="names of the classes, one per line")
    parser.add_argument("--annotations_dir", type=local_path, default=annotations, help="folder for the XML files")
    parser.add_argument("--queue", type=existing_file, help="show only the images of this list of prelabel.py")
    parser.add_argument("as_labelimg", type=local_path, nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    names, paths = ("image_dir", "class_file", "annotations_dir"), vars(args).pop("as_labelimg")
    vars(args).update(zip(names, paths, strict=False))
    return args


def check_class_file(class_file: Path) -> None:
    """Raise UsageError or DataError if LabelImg would offer no class."""
    if not class_file.is_file():
        raise UsageError(f"--class_file {files.shown_path(class_file)}: no such file")
    if not read_text(class_file).strip():
        raise DataError([f"{files.shown_path(class_file)} names no class; write a class name on each line"])


def find_images(image_dir: Path) -> set[str]:
    """Return the names of the images, relative to their folder; raise DataError if two would share an annotation."""
    if not image_dir.is_dir():
        raise UsageError(f"--image_dir {files.shown_path(image_dir)}: no such folder")
    names = ImageFolder(image_dir).names
    if not names:
        raise UsageError(f"--image_dir {files.shown_path(image_dir)}: no image in it")
    if shared := voc_xml.sharing_an_annotation(names):
        raise DataError(shared, "LabelImg was not started")
    return names


def read_queue(queue: Path, image_names: set[str]) -> list[str]:
    """Return the names that a queue lists; raise UsageError if there is none, or an image is gone."""
    shown = files.shown_path(queue)
    names = proposals.read_queue(queue)
    if not names:
        raise UsageError(f"--queue {shown} lists no image: none was left to label")
    if missing := [name for name in names if name not in image_names]:
        names = listed([repr(name) for name in missing], "the file")
        raise UsageError(f"--queue {shown} lists {names}, not in --image_dir; run prelabel.py again")
    return names


def check_labelimg_can_start() -> None:
    """Try Qt in another process, since it ends the process if it cannot open a window; raise UsageError then."""
    if missing := [name for name in ("labelImg", "PyQt5", "lxml") if not packages.is_installed(name)]:
        raise UsageError(packages.how_to_install(*missing))
    start = "from PyQt5.QtWidgets import QApplication; QApplication([])"
    probe = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, errors="replace")
    if probe.returncode:
        lines = probe.stderr.strip().splitlines() or [f"exit status {probe.returncode}"]
        reason = lines[-1 if probe.returncode == 1 else 0]  # of an exception the last line says it, of Qt the first
        raise UsageError(f"Qt cannot open a window: {reason}; {QT_NEEDS if sys.platform == 'linux' else INSTALL}")
    if (version := importlib.metadata.version("labelImg")) != labelimg_patches.VERSION:
        print(f"warning: LabelImg {version} is installed; the patches are for {labelimg_patches.VERSION}: {INSTALL}")


def warn_of_unreadable_annotations(annotations_dir: Path) -> None:
    """Name broken files: LabelImg opens one as an image without boxes, and overwrites it at the next box."""
    findings = []
    for path in voc_xml.find_files(annotations_dir):
        try:
            voc_xml.read(path)
        except DataError as error:
            findings += error.findings
    if findings:
        command_line.print_findings(findings, sys.stderr)
        print("LabelImg shows such an image without boxes, and overwrites its file once you draw one.", file=sys.stderr)


def run_labelimg(image_dir: Path, class_file: Path, annotations_dir: Path, queue: list[str] | None) -> int:
    """Show the window until it is closed; return its exit status. All paths are absolute."""
    label_img = labelimg_patches.import_patched()
    labelimg_patches.annotate_in_sub_folders(label_img.MainWindow, image_dir, annotations_dir)
    settings = {
        label_img.SETTING_LABEL_FILE_FORMAT: label_img.LabelFileFormat.PASCAL_VOC,
        label_img.SETTING_AUTO_SAVE: True,
        label_img.SETTING_LAST_OPEN_DIR: str(image_dir),  # which LabelImg prefers to the folder that it is given
        label_img.SETTING_SAVE_DIR: str(annotations_dir),
    }
    labelimg_patches.start_with_settings(label_img.Settings, settings)
    if queue is not None:
        labelimg_patches.show_in_order(label_img.MainWindow, [image_dir / name for name in queue])
    application, window = label_img.get_main_app(["labelImg", str(image_dir), str(class_file), str(annotations_dir)])
    return application.exec_()


if __name__ == "__main__":
    command_line.run(main)
