"""The models that can be downloaded, and their pins."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import pretrained
from scripts.lib.core.errors import DataError, UsageError
from tests.model_server import STEM


def test_the_projects_addresses_begin_with_https():
    schemes = [address.split(":")[0] for address in pretrained.ADDRESSES]
    assert schemes == sorted(schemes, reverse=True)
    assert pretrained.find("mobilenet_v1_1.0_224").urls[-1] == (
        "http://download.tensorflow.org/models/mobilenet_v1_2018_02_22/mobilenet_v1_1.0_224.tgz"
    )


@pytest.mark.parametrize(
    "name",
    [
        "ssd_mobilenet_v1_coco_2017_11_17",
        "ssd_mobilenet_v1_coco_2018_01_28",
        "ssd_mobilenet_v1_fpn",
        "ssd_mobilenet_v2_coco",
        "ssdlite_mobilenet_v2_coco",
        "ssd_inception_v2",
        "faster_rcnn_inception_v2",
        "faster_rcnn_resnet101",
        "faster_rcnn_nas",
        "mobilenet_v1_1.0_224",
        "faster_rcnn_nas_coco_2018_01_28",
        f"{STEM}.tar.gz",
    ],
)
def test_names_of_models_and_of_their_archives(name):
    model = pretrained.find(name)
    assert model.name == name or model.archive.startswith(name)
    assert pretrained.of_checkpoint(f"/x/{model.name}/{model.checkpoint}") == model


@pytest.mark.parametrize(
    ("name", "expected"), [("ssd_inception_v3", "are .*ssd_inception_v2"), ("x", "are .*faster_rcnn_nas")]
)
def test_an_unknown_name_is_a_usage_error(name, expected):
    with pytest.raises(UsageError, match=expected):
        pretrained.find(name)


def test_a_pin_is_read_as_it_was_written_and_names_what_has_changed(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.ckpt.index").write_bytes(b"index")
    (folder / "größe.txt").write_bytes(b"")
    pretrained.write_pin(folder, "somewhere", None, pretrained.digests(folder))
    assert pretrained.read_pin(folder) == pretrained.digests(folder)
    assert pretrained.check(folder) == []
    (folder / "größe.txt").write_bytes(b"x")
    (finding,) = pretrained.check(folder)
    assert "has 1 bytes, SHA-256 2d711642" in finding.message and "it had 0 bytes, SHA-256 e3b0c442" in finding.message
    assert pretrained.check(folder, "model.ckpt") == []


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"pin": 1}', '{\n  "pin": 1, "files": {"a": {"bytes": "1", "sha256": ""}}}']
)
def test_case_29_a_damaged_pin_is_an_error(tmp_path, content):
    assert pretrained.read_pin(tmp_path / "model") is None and pretrained.check(tmp_path / "model") == []
    pretrained.pin_path(tmp_path / "model").write_text(content, encoding="utf-8")
    for read in (pretrained.read_pin, pretrained.check):
        with pytest.raises(DataError, match=r"model\.json: .*; it said what model was on first use; put its former"):
            read(tmp_path / "model")
