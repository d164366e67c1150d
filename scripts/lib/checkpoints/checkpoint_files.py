"""Find TensorFlow checkpoints without importing TensorFlow, except on a bucket, which only TensorFlow can read.

A checkpoint is `<prefix>.index` with `<prefix>.data-?????-of-?????`; a file named `checkpoint` (a text proto,
tensorflow/python/training/checkpoint_state.proto) says which of a folder is the latest.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.tensorflow import import_tensorflow

_LATEST = re.compile(r'^model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_STEP = re.compile(r"-(\d+)$")
_FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
IS_PATTERN = "has a [, which TensorFlow takes for a pattern"
OF_TENSORFLOW_2 = "is a checkpoint of TensorFlow 2, not of graph mode; see download_model.py --list"


def exists(prefix: Path | str) -> bool:
    """Return True where a checkpoint lies at the prefix: its index, or the single file of before TensorFlow 0.12."""
    return files.path_of(f"{prefix}.index").is_file() or files.path_of(prefix).is_file()


def fault(prefix: Path | str) -> str | None:
    """Return what TensorFlow finds wrong with a checkpoint, or None: it was read to its end and all checksums match."""
    if "tensorflow" not in sys.modules:
        import_tensorflow()
    import tensorflow.compat.v1 as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:  # OpError, IndexError and more: the reader has one for each kind of damage
        return (getattr(error, "message", None) or str(error)).strip().partition("\n")[0].rstrip()  # \r: Windows'
    return None


def verify(prefix: Path | str) -> None:
    """Raise DataError where TensorFlow cannot read a checkpoint to its end."""
    if reason := fault(prefix):
        shown = files.shown_path(prefix)
        raise DataError([f"{shown} is damaged or cut off ({reason}); take an earlier checkpoint, or copy it anew."])


def holds_detector(prefix: Path | str) -> bool:
    """Return True for a checkpoint of a detector of the Object Detection API, False for one of a backbone.

    A detector's backbone is called (...)FeatureExtractor/... in the index, which TensorFlow writes uncompressed.
    """
    return b"FeatureExtractor/" in files.path_of(f"{prefix}.index").read_bytes()


def prefixes(folder: Path | str) -> list[Path]:
    """Return the checkpoints of a folder, by step."""
    found = (path.with_suffix("") for path in files.path_of(folder).glob("*.index"))
    return sorted(found, key=lambda prefix: (step_of(prefix) or 0, prefix.name))


def step_of(prefix: Path | str) -> int | None:
    """Return the step in a checkpoint's name, e.g. 800 of model.ckpt-800."""
    match = _STEP.search(str(prefix))
    return int(match[1]) if match else None


def latest(folder: Path | str) -> Path | None:
    """Return the checkpoint that TensorFlow would resume from, which the folder's `checkpoint` file names, or None."""
    folder, named = files.path_of(folder), _named(folder)
    # A folder that was moved or copied holds absolute paths of its former place, where the files may still be, too.
    candidates = (folder / Path(named).name, folder / named) if named else ()
    return next((candidate for candidate in candidates if exists(candidate)), None)


def names_its_own(folder: Path | str) -> bool:
    """Return whether the `checkpoint` file names a checkpoint in its own folder, as TensorFlow reads it."""
    named = _named(folder)
    return bool(named) and (files.path_of(folder) / named).absolute().parent == files.path_of(folder).absolute()


def _named(folder: Path | str) -> str:
    """Return what the `checkpoint` file names as the latest, with `/`; empty if there is none."""
    try:
        match = _LATEST.search((files.path_of(folder) / "checkpoint").read_text(encoding="utf-8"))
    except OSError:
        return ""
    return match[1].replace("\\\\", "/").replace("\\", "/") if match else ""


def latest_step(folder: Path | str) -> int | None:
    """Return the step of the latest checkpoint of a folder, or None."""
    prefix = latest(folder)
    return step_of(prefix) if prefix else None


def prefix_of(path: Path | str, look: bool = True) -> str:
    """Return the prefix, with `/`, of the checkpoint that one of its files, or a folder (its latest), means.

    `look=False` goes by the name only, so that TensorFlow is not imported for a bucket.
    """
    path = files.path_of(_FILE.sub("", str(path).replace("\\", "/")))
    is_folder = look and path.is_dir() and not exists(path)
    found = (latest(path) or next(reversed(prefixes(path)), None)) if is_folder else None
    return (found or path).as_posix()


def is_of_tensorflow_2(prefix: Path | str) -> bool:
    """Return True for a checkpoint of TensorFlow 2's objects, which graph mode cannot restore."""
    index = files.path_of(f"{prefix}.index")
    return index.is_file() and b"_CHECKPOINTABLE_OBJECT_GRAPH" in index.read_bytes()


def find(path: Path | str) -> str:
    """Return the prefix, with `/`, of the checkpoint that a prefix, one of its files, or a folder (its latest) means.

    Raises:
        UsageError: there is none, and names those that are there; or it is of TensorFlow 2; or TensorFlow would take
            the path for a pattern.
    """
    if not files.is_url(path):
        files.put_back(path)
    prefix = prefix_of(path)
    if "[" in prefix:
        raise UsageError(f"{files.shown_path(prefix)} {IS_PATTERN}; rename the folder")
    if is_of_tensorflow_2(prefix):
        raise UsageError(f"{files.shown_path(prefix)} {OF_TENSORFLOW_2}")
    if exists(prefix):
        return prefix
    path = files.path_of(prefix)
    folder = path if path.is_dir() else path.parent
    there = ", ".join(prefix.name for prefix in prefixes(folder)) if folder.is_dir() else ""
    raise UsageError(
        f"there is no checkpoint {files.shown_path(path)}; {files.shown_path(folder)} holds {there or 'no checkpoint'}"
    )


@contextlib.contextmanager
def as_folder(path: Path | str) -> Iterator[str]:
    """Find a checkpoint as `find` does, and yield a folder of which it is the latest, for the API's evaluator."""
    prefix = find(path)
    with tempfile.TemporaryDirectory(prefix="checkpoint_") as folder:
        place = prefix if files.is_url(prefix) else Path(prefix).absolute().as_posix()
        (Path(folder) / "checkpoint").write_text(f'model_checkpoint_path: "{place}"\n', encoding="utf-8")
        yield folder
