"""The export by the API's exporter, and configs that are refused before it."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.models import export, exported_model


def test_the_export_holds_the_label_map_and_the_checkpoint(source, exported):
    name = exported_model.LABEL_MAP
    assert (exported / name).read_bytes() == (source / name).read_bytes()
    assert exported_model.global_step(exported) == 7


def test_a_config_that_does_not_match_its_label_map_is_refused(source, tmp_path):
    text = (source / exported_model.PIPELINE_CONFIG).read_text(encoding="utf-8")
    (tmp_path / "p.config").write_text(text.replace("num_classes: 3", "num_classes: 2"), encoding="utf-8")
    with pytest.raises(DataError, match="num_classes") as refused:
        export.read_config(tmp_path / "p.config")
    assert refused.value.consequence == "nothing was exported"


def test_case_32_a_damaged_checkpoint_is_refused_before_the_export(tf, tmp_path):
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f"model.ckpt-7{suffix}").write_bytes(b"cut off")
    with pytest.raises(DataError, match=r"model.ckpt-7 is damaged or cut off \(.*\); take an earlier"):
        export.export(None, str(tmp_path / "model.ckpt-7"), tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
