"""Reading what people wrote: the line, the field, and what was probably meant (cases 32 and 33)."""

from __future__ import annotations

import os

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.object_detection_api import protos, text_protos
from scripts.lib.object_detection_api.text_protos import CONFIG, LABEL_MAP


def parsed(text: str, kind: str = CONFIG):
    module, name = text_protos._KINDS[kind]
    message = getattr(protos.load(module), name)()
    return message, [str(warning) for warning in text_protos.parse(text, message, "a.config", kind)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "train_config {\n  batch_sise: 3 }",
            ":2: train_config.batch_sise: there is no such field; perhaps batch_size is",
        ),
        (
            'model { ssd { # }\nfeature_extractor < type: "}" >\nnum_class: 3 } }',
            ":3: model.ssd.num_class: there is no",
        ),
        ("train_config { optimizer: { momentum { } } }", ": train_config.optimizer.momentum: there is no such field"),
        (
            "train_config { data_augmentation_options: [ { random_rgb_to_gray { foo: 1 } } ] }",
            "foo: there is no such field",
        ),
        ("ssd { }", "ssd: there is no such field; put it in model."),
        (
            'train_input_reader { tf_record_input_reader { label_map_path: "x" } }',
            "put it in train_input_reader or eval_input_reader.",
        ),
        ('item { name: "a" id: 1 }', "is a label map, not a pipeline config; give a pipeline config."),
        ("train_config { batch_size: 4294967296 }", "train_config.batch_size: Value out of range (4294967296)"),
        ("train_config { batch_size: -1 }", "train_config.batch_size: Value out of range (-1)"),
        ("train_config { batch_size: 1.5 }", "train_config.batch_size: Couldn't parse integer (1.5)"),
        (
            "model { ssd { image_resizer { fixed_shape_resizer { resize_method: FOO } } } }",
            "fixed_shape_resizer.resize_method: there is no value FOO; write one of BILINEAR, NEAREST_NEIGHBOR, BIC",
        ),
        ("model { ssd {", 'is not a pipeline config: Expected "}"'),
        ('{"model": {}}', "is not a pipeline config: "),
        ('train_config { fine_tune_checkpoint: "\\xff" }', "can't decode byte 0xff"),
    ],
)
def test_what_does_not_parse(text, says):
    with pytest.raises(DataError) as error:
        parsed(text)
    assert says in str(error.value)
    assert len(error.value.findings) == 1


def test_a_config_is_not_a_label_map():
    with pytest.raises(DataError, match="is a pipeline config, not a label map; give a label map"):
        parsed("model { ssd { } }", LABEL_MAP)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train_config { batch_size: 3\nbatch_size: 4 }", ":2: train_config.batch_size is there twice"),
        ("train_config { num_steps: 9 }\ntrain_config { batch_size: 4 }", ":2: train_config is there twice"),
        ("train_config { batch_size: 4 } model { ssd { } faster_rcnn { } }", "model.faster_rcnn replaces ssd"),
    ],
)
def test_the_last_of_two_counts_as_in_the_api_and_that_is_said(text, says):
    config, warnings = parsed(text)
    assert config.train_config.batch_size == 4
    assert config.train_config.num_steps == (9 if "num_steps" in text else 0)
    assert config.model.WhichOneof("model") == ("faster_rcnn" if "model" in text else None)
    assert len(warnings) == 1
    assert says in warnings[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x08\0\x80\xff\0", "is not a pipeline config, but binary"),
        ("model { }".encode("utf-16"), "save it as UTF-8"),
        (b"# caf\xe9\n", "is not UTF-8 .byte 5."),
    ],
)
def test_files_that_hold_no_text(tmp_path, content, says):
    path = tmp_path / "a.config"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        text_protos.read_text(path, CONFIG)


def test_what_might_never_end_is_not_opened(tmp_path):
    with (tmp_path / "huge.config").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(DataError, match="10,000,000,000 bytes"):
        text_protos.read_text(tmp_path / "huge.config", CONFIG)
    with pytest.raises(UsageError, match="is a folder; give a file"):
        text_protos.read_text(tmp_path, CONFIG)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.config")
        for path in (tmp_path / "pipe.config", "/dev/zero"):
            with pytest.raises(UsageError, match="is a pipe or device"):
                text_protos.read_text(path, CONFIG)
    with pytest.raises(UsageError, match="there is no label map"):
        text_protos.read_text(tmp_path / "none", LABEL_MAP)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.config"
    path.write_bytes(b"\xef\xbb\xbfmodel {\r\n}\r\n")
    assert text_protos.read_text(path, CONFIG) == "model {\n}\n"
