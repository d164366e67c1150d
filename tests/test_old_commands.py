"""Commands as older versions and the tutorials write them, beside those of today: both mean the same."""

from __future__ import annotations

import importlib
import re

import pytest

TRAIN = "--pipeline_config_path p.config --train_dir train"
EVAL = "--pipeline_config_path p.config --checkpoint_dir train --eval_dir eval"
EXPORT = "--pipeline_config_path p.config --trained_checkpoint_prefix train --output_directory out"
RECORD = "--csv_input README.md --label_map README.md --output_path a.record --image_dir docs"

# script, command of today, the same in older or other words
COMMANDS = [
    ("xml_to_csv.py", "--annotations_dir . --output_csv a.csv", "-i . -o a.csv"),
    ("xml_to_csv.py", "--annotations_dir . --output_csv a.csv", "--inputDir . --outputFile=a.csv"),
    ("split_dataset.py", "--csv_input README.md", "--input_csv README.md"),
    ("split_dataset.py", "--csv_input README.md", "--csv_input absent.csv --input_csv=README.md"),
    ("generate_tfrecord.py", RECORD, RECORD.replace("csv_input", "input_csv")),
    ("generate_tfrecord.py", RECORD, RECORD.replace("label_map", "label_map_path")),
    ("generate_tfrecord.py", RECORD, RECORD.replace("label_map", "labelmap").replace("image_dir", "img_path")),
    ("generate_tfrecord.py", RECORD, "--csv_input README.md -l README.md -o a.record -i docs"),
    ("generate_tfrecord.py", RECORD, RECORD.replace("label_map", "labels_path")),
    ("scripts/check_dataset.py", "--csv_input README.md --image_dir .", "--input_csv README.md --image_dir ."),
    (
        "scripts/check_dataset.py",
        "--annotations_dir . --image_dir . --label_map a",
        "--annotations_dir . --image_dir . --label_map_path a",
    ),
    ("scripts/detect.py", "--input a --no_images", "--input a --draw no"),
    ("scripts/detect.py", "--input a --no_images", "--input a --draw=false"),
    ("scripts/detect.py", "--input a", "--input a --draw yes"),
    ("scripts/detect.py", "--input a", "--input a --draw true"),
    ("scripts/detect.py", "--input a --formats coco json", "--input a --format coco json"),
    ("scripts/detect.py", "--input a --formats coco,json", "--input a --format coco --format json"),
    ("scripts/export_model.py", "--checkpoint a --output_dir b", "--trained_checkpoint_prefix a --output_directory b"),
    ("scripts/export_model.py", "--checkpoint a", "--checkpoint_dir=a"),
    ("scripts/export_model.py", "--checkpoint a", "--trained_checkpoint_dir a"),
    ("scripts/export_model.py", "--checkpoint a --formats onnx frozen", "--checkpoint a --formats onnx,frozen"),
    ("scripts/export_model.py", "--checkpoint a", "--checkpoint a --logtostderr"),
    (
        "scripts/report.py",
        "--compare docs docs --output_dir b --no_images",
        "--compare docs docs --output_dir b --no_pictures",
    ),
    ("scripts/prelabel.py", "--image_dir . --queue_size 9", "--image_dir . --queue 9"),
    ("scripts/label_images.py", "--image_dir a --class_file b --annotations_dir c", "a b --annotations_dir c"),
    ("scripts/label_images.py", "--image_dir a --class_file b --annotations_dir c", "a b c"),
    ("scripts/quickstart.py", "--num_steps 9", "--steps 9"),
    ("scripts/quickstart.py", "--num_steps 9", "--num_train_steps=9"),
    ("scripts/train.py", f"{TRAIN} --num_steps 9", f"{TRAIN} --num_train_steps 9"),
    ("scripts/train.py", f"{TRAIN} --num_steps 9", f"{TRAIN} --steps 9"),
    ("scripts/train.py", TRAIN, f"--logtostderr {TRAIN}"),
    ("scripts/train.py", TRAIN, f"-logtostderr {TRAIN} --alsologtostderr --stderrthreshold 0"),
    ("scripts/train.py", TRAIN, f"--logtostderr=true {TRAIN} --nologtostderr --stderrthreshold=INFO"),
    ("scripts/eval.py", EVAL, f"--alsologtostderr {EVAL}"),
    ("scripts/export_inference_graph.py", EXPORT, f"--logtostderr {EXPORT}"),
    ("cloud/rehearse.py", "--pipeline_config_path a --num_steps 9", "--pipeline_config_path a --num_train_steps 9"),
    (
        "cloud/submit.py",
        "upload --bucket shop --pipeline_config_path README.md",
        "upload --bucket shop --config README.md",
    ),
    (
        "cloud/submit.py",
        "train --bucket shop --pipeline_config_path README.md",
        "train --bucket shop --config=README.md",
    ),
    ("cloud/submit.py", "export --output_dir a", "export --output_directory a"),
    ("scripts/make_config.py", "--num_steps 9 --label_map a", "--num_train_steps 9 --label_map_path a"),
]

# script, command, what the message says
ELSEWHERE = [
    ("scripts/train.py", f"{TRAIN} --model_dir a", "unknown flag --model_dir: --train_dir is the folder"),
    ("scripts/train.py", f"{TRAIN} --sample_1_of_n_eval_examples=1", "each image of the test record is evaluated once"),
    ("scripts/train.py", f"{TRAIN} --num_eval_steps 1", "each image of the test record is evaluated once"),
    ("scripts/train.py", f"{TRAIN} --checkpoint_every_n 1", "--save_every_steps N saves a checkpoint every N steps"),
    ("scripts/train.py", f"{TRAIN} --num_workers 2", "--num_clones N trains on N GPUs"),
    ("scripts/train.py", f"{TRAIN} --num_step 2", "unknown flag --num_step; did you mean --num_steps?"),
    ("scripts/eval.py", f"{EVAL} --model_dir a", "unknown flag --model_dir: --checkpoint_dir is the folder"),
    ("scripts/export_inference_graph.py", "--trained_checkpoint_dir a", "--trained_checkpoint_prefix takes"),
    ("generate_tfrecord.py", "-x a -l README.md", "unknown flag -x: xml_to_csv.py reads the XML files"),
    ("cloud/submit.py", "upload --bukket a", "error: unknown flag --bukket; did you mean --bucket?"),
    ("cloud/submit.py", "export -- --steps 3", "export passes nothing on to a program"),
    ("cloud/submit.py", "", "error: give what to do: upload, train, "),
    ("scripts/detect.py", "--input a --formats coco,xml", "error: --formats: xml is not one of coco, json, voc"),
    ("scripts/detect.py", "--input a --draw maybe", "error: --draw: 'maybe' is neither true nor false"),
]


def parse(script, command):
    module = importlib.import_module(script.replace("/", ".").removesuffix(".py"))
    return module.parse_arguments(command.split())


@pytest.mark.parametrize(("script", "now", "old"), COMMANDS)
def test_both_commands_mean_the_same(script, now, old, monkeypatch, repository_root):
    monkeypatch.chdir(repository_root)
    assert parse(script, now) == parse(script, old)


@pytest.mark.parametrize(("script", "command", "message"), ELSEWHERE)
def test_what_to_write_instead_is_one_line(script, command, message, monkeypatch, repository_root, capsys):
    monkeypatch.chdir(repository_root)
    with pytest.raises(SystemExit, match="2"):
        parse(script, command)
    shown = capsys.readouterr().err
    assert message in shown and shown.startswith("error: ") and shown.count("\n") == 1


@pytest.mark.parametrize("script", sorted({script for script, _, _ in COMMANDS}))
def test_help_shows_no_old_flag(script, capsys):
    verbs = {now.split()[0] for name, now, _ in COMMANDS if name == "cloud/submit.py"} if "submit" in script else {""}
    shown = ""
    for verb in verbs:
        with pytest.raises(SystemExit, match="0"):
            parse(script, f"{verb} --help")
        shown += capsys.readouterr().out.partition("\nIn:")[0]
    words = {word.partition("=")[0] for name, now, old in COMMANDS if name == script for word in old.split()}
    known = {word for name, now, _ in COMMANDS if name == script for word in now.split()}
    old_flags = {word for word in words - known if word.startswith("-")}
    assert [flag for flag in old_flags if re.search(rf"(?<!\S){flag}(?![\w-])", shown)] == []
