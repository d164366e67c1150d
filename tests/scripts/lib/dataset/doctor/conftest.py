"""A small data set."""

from __future__ import annotations

import pytest
from PIL import Image

from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.doctor import data_set
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images.image_names import ImageFolder


@pytest.fixture
def read_data_set(tmp_path):
    """Read a data set of 40x40 images: the label map has Tops and Skirts, `rows` are (name, class), "": no object."""
    (tmp_path / "samples").mkdir(exist_ok=True)
    (tmp_path / "map.pbtxt").write_text("item { id: 1 name: 'Tops' } item { id: 2 name: 'Skirts' }", encoding="utf-8")

    def read(images, rows, num_workers=1):
        for seed, name in enumerate(images):
            Image.effect_noise((40, 40), 90 + seed).convert("RGB").save(tmp_path / "samples" / name)
        corners = {True: (1, 2, 30, 40), False: (None, None, None, None)}
        rows = [LabelRow(name, 40, 40, class_name, *corners[bool(class_name)]) for name, class_name in rows]
        labels_csv.write_rows(rows, tmp_path / "labels.csv")
        folder = ImageFolder(tmp_path / "samples")
        labels, findings = data_set.read_labels_csv(tmp_path / "labels.csv", folder)
        data, more = data_set.read(labels, folder, tmp_path / "map.pbtxt", None, num_workers)
        return data, findings + more

    return read
