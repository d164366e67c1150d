"""The pre-trained models that can be downloaded, and the pins that say what they were on first use.

A model lies in pretrained/NAME/. Beside it, pretrained/NAME.json is its pin, made on first use: size and SHA-256 of the
archive and of each file. It stays when the folder is removed, so that a later download must have the same files.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import NamedTuple

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files, json_text
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError

FOLDER = files.default_path("pretrained")
ADDRESSES = (  # in the order in which they are tried; the second is the bucket that the others show
    "https://download.tensorflow.org/models/",
    "https://storage.googleapis.com/download.tensorflow.org/models/",
    "http://download.tensorflow.org/models/",
)
PIN_HEAD = b'{\n  "pin": '  # what a pin begins with
_PIN_VERSION = 1


class PretrainedModel(NamedTuple):
    """One pre-trained model.

    Attributes:
        name: its folder's name and what the commands call it.
        path: its archive, below each of `ADDRESSES`.
        checkpoint: the prefix of its checkpoint within its folder.
        fine_tune_checkpoint_type: what a pipeline config says with it.
        trained_on: data set, and what it was trained to do.
    """

    name: str
    path: str
    checkpoint: str = "model.ckpt"
    fine_tune_checkpoint_type: str = "detection"
    trained_on: str = "COCO, 90 classes, detection"

    @property
    def archive(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def urls(self) -> list[str]:
        return [address + self.path for address in ADDRESSES]


# The detection zoo (research/object_detection/g3doc/tf1_detection_zoo.md of tensorflow/models); the last is of
# research/slim (README.md).
_ZOO = {
    "ssd_mobilenet_v1_coco_2017_11_17": "ssd_mobilenet_v1_coco_2017_11_17",
    "ssd_mobilenet_v1_coco_2018_01_28": "ssd_mobilenet_v1_coco_2018_01_28",
    "ssd_mobilenet_v1_fpn": "ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco14_sync_2018_07_03",
    "ssd_mobilenet_v2_coco": "ssd_mobilenet_v2_coco_2018_03_29",
    "ssdlite_mobilenet_v2_coco": "ssdlite_mobilenet_v2_coco_2018_05_09",
    "ssd_inception_v2": "ssd_inception_v2_coco_2018_01_28",
    "faster_rcnn_inception_v2": "faster_rcnn_inception_v2_coco_2018_01_28",
    "faster_rcnn_resnet101": "faster_rcnn_resnet101_coco_2018_01_28",
    "faster_rcnn_nas": "faster_rcnn_nas_coco_2018_01_28",
}
MODELS = (
    *(PretrainedModel(name, f"object_detection/{archive}.tar.gz") for name, archive in _ZOO.items()),
    PretrainedModel(
        "mobilenet_v1_1.0_224",
        "mobilenet_v1_2018_02_22/mobilenet_v1_1.0_224.tgz",
        "mobilenet_v1_1.0_224.ckpt",
        "classification",
        "ImageNet, 1,000 classes, classification",
    ),
)


def find(name: str) -> PretrainedModel:
    """Return the model of a name, which may be that of its archive.

    Raises:
        UsageError: there is none; names the nearest, or all.
    """
    if model := of_name(name):
        return model
    names = [model.name for model in MODELS]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.8) or names
    raise UsageError(f"there is no pre-trained model {name!r}; there are {', '.join(near)}")


def of_name(name: str) -> PretrainedModel | None:
    """Return the model of a name, which may be that of its archive, or None."""
    stem = name.removesuffix(".tar.gz").removesuffix(".tgz")
    return next((model for model in MODELS if model.name == stem or model.archive.startswith(f"{stem}.t")), None)


def of_checkpoint(prefix: Path | str) -> PretrainedModel | None:
    """Return the model that a checkpoint's path, such as pretrained/NAME/model.ckpt, belongs to, or None."""
    prefix = Path(prefix)
    fits = (model for model in MODELS if (model.name, model.checkpoint) == (prefix.parent.name, prefix.name))
    return next(fits, None)


def lacks(model: PretrainedModel, folder: Path) -> str:
    """Return what a folder lacks of the model's checkpoint, or an empty string."""
    if not checkpoint_files.exists(folder / model.checkpoint):
        found = ", ".join(files.names_below(folder, "")[:8]) or "nothing"
        return f"holds no checkpoint {model.checkpoint}; it holds {found}"
    if not any(folder.glob(f"{model.checkpoint}.data-*")):
        return f"holds {model.checkpoint}.index without its .data file"
    return ""


class Digest(NamedTuple):
    """Size and SHA-256 of a file."""

    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes, SHA-256 {self.sha256}"


def pin_path(folder: Path) -> Path:
    """Return pretrained/NAME.json for pretrained/NAME."""
    return folder.with_name(f"{folder.name}.json")


def read_pin(folder: Path) -> dict[str, Digest] | None:
    """Return the pinned files of a model's folder: name below it, with `/` -> digest; None where there is no pin.

    Raises:
        DataError: the pin is damaged, so that nobody knows what the files were.
    """
    path = pin_path(folder)
    try:
        pinned = json_text.read(path, {"files": {str: {"bytes": int, "sha256": str}}})["files"]
    except FileNotFoundError:
        return None
    except ValueError as error:
        message = f"{error}; it said what {folder.name} was on first use"
        remedy = "put its former content back, or remove it if you trust the files that are there"
        raise DataError([Finding(ERROR, "pin-damaged", files.shown_path(path), message, remedy)]) from None
    return {name: Digest(digest["bytes"], digest["sha256"]) for name, digest in pinned.items()}


def write_pin(folder: Path, source: str, archive: Digest | None, pinned: dict[str, Digest]) -> None:
    """Write where a model came from, and the digests of its archive, if it had one, and of its files."""
    content = {
        "pin": _PIN_VERSION,
        "source": source,
        "archive": archive and archive._asdict(),
        "files": {name: digest._asdict() for name, digest in pinned.items()},
    }
    with files.atomic_write(pin_path(folder), "w") as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def digest(path: Path) -> Digest:
    return Digest(path.stat().st_size, files.sha256(path))


def digests(folder: Path) -> dict[str, Digest]:
    """Return the digests of all files below a model's folder."""
    return {name: digest(folder / name) for name in files.names_below(folder, "")}


def check(folder: Path, prefix: str = "") -> list[Finding]:
    """Compare those of a model's files that begin with a prefix, e.g. "model.ckpt", with its pin, if it has one."""
    findings = []
    pinned = read_pin(folder) or {}
    for name in filter(lambda name: name.startswith(prefix), pinned):
        path, expected = folder / name, pinned[name]
        found = digest(path) if path.is_file() else None
        if found != expected:
            message = f"the file {f'has {found}' if found else 'is missing'}; when it was first used it had {expected}"
            remedy = f"remove {files.shown_path(folder)} and run python scripts/download_model.py {folder.name}"
            findings.append(Finding(ERROR, "pretrained-changed", files.shown_path(path), message, remedy))
    return findings
