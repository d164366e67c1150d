"""HParams behaves as in TensorFlow 1.15."""

from __future__ import annotations

import pytest

from scripts.lib.object_detection_api.hparams import HParams


@pytest.fixture
def settings() -> HParams:
    return HParams(learning_rate=0.1, steps=3, layers=[64, 32], load_pretrained=True, activation="relu")


def test_values_are_attributes_and_a_dictionary(settings):
    assert (settings.learning_rate, settings.layers) == (0.1, [64, 32])
    others = {"layers": [64, 32], "load_pretrained": True, "activation": "relu"}
    assert settings.values() == {"learning_rate": 0.1, "steps": 3, **others}
    assert (settings.get("steps"), settings.get("momentum"), settings.get("momentum", 5)) == (3, None, 5)


def test_a_text_replaces_values_and_keeps_their_types(settings):
    text = "learning_rate=1e-3, steps=-4,layers=[1, 2,3],load_pretrained=false,activation=1"
    assert settings.parse(text) is settings
    others = {"layers": [1, 2, 3], "load_pretrained": False, "activation": "1"}
    assert settings.values() == {"learning_rate": 0.001, "steps": -4, **others}
    assert settings.parse("load_pretrained=1").load_pretrained is True


@pytest.mark.parametrize(
    "text", ["steps=1.5", "steps=", "no=1", "layers=3", "steps=[1]", "load_pretrained=perhaps", "steps", "steps=1;x"]
)
def test_a_text_that_does_not_fit_is_refused(settings, text):
    with pytest.raises(ValueError):
        settings.parse(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 1.0), ("steps", True), ("load_pretrained", 1), ("activation", 3), ("layers", 3), ("steps", [3])],
)
def test_a_value_of_another_type_is_refused(settings, name, value):
    with pytest.raises(ValueError):
        settings.set_hparam(name, value)


def test_an_unknown_name_is_an_error(settings):
    with pytest.raises(KeyError):
        settings.set_hparam("no", 1)
