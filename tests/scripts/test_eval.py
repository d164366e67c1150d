"""eval.py --fast: the API's own mAP, on an exported model, without the legacy evaluator."""

from __future__ import annotations

import pytest

from scripts import eval as evaluation_script
from scripts.lib.evaluation import event_files, metrics_file, on_record
from tests import made_model, output_lines


def test_the_fast_evaluation_gives_the_mean_ap_of_the_api(tf, tmp_path, capfd):
    from object_detection.utils import object_detection_evaluation

    record = made_model.write_record(tmp_path / "test.record", mislabelled=(1, 2, 5))
    model = made_model.write_model(tf, tmp_path / "model", record)
    capfd.readouterr()
    evaluation_script.main(["--fast", "--model", str(model), "--eval_dir", str(tmp_path / "eval")])
    output_lines.assert_lines(
        "".join(capfd.readouterr()),
        ".+ ms per image, .+ ms of CPU time",
        r"Step \d+, \d+ images, AP@0.5:",
        r"  1 Red +0\.\d\d\d",
        r"  2 Green +0\.\d\d\d",
        r"    mean \(mAP@0.5\)  0\.\d\d\d",
        "Making .+ once",
    )

    evaluator = object_detection_evaluation.PascalDetectionEvaluator(
        [{"id": 1, "name": "Red"}, {"id": 2, "name": "Green"}]
    )
    for image in on_record.detect(model, [record]).images:
        truth = {"groundtruth_boxes": image.true_boxes_yxyx, "groundtruth_classes": image.true_class_ids}
        found = {
            "detection_boxes": image.boxes_yxyx,
            "detection_scores": image.scores,
            "detection_classes": image.class_ids,
        }
        evaluator.add_single_ground_truth_image_info(image.name, truth)
        evaluator.add_single_detected_image_info(image.name, found)
    expected = evaluator.evaluate()
    metrics = metrics_file.read(tmp_path / "eval/metrics.json").metrics
    assert 0 < metrics[metrics_file.MEAN_AP] < 1
    assert metrics == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-9)
    assert set(event_files.read_scalars(tmp_path / "eval")) == set(metrics)


def test_fast_needs_a_model_or_a_checkpoint(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        evaluation_script.main(["--fast", "--eval_dir", str(tmp_path)])
    assert stopped.value.code == 2
    assert "give --checkpoint_dir, or --fast and --model" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--flip"], ["--model", "exported_model"]])
def test_a_model_is_not_left_out_without_a_word(tmp_path, capsys, flags):
    with pytest.raises(SystemExit) as stopped:
        evaluation_script.main(["--checkpoint_dir", "t", "--eval_dir", str(tmp_path), *flags])
    assert stopped.value.code == 2
    assert "give --fast, too" in capsys.readouterr().err


def test_num_examples_counts_the_test_images_and_not_the_training_ones(tf, tmp_path):
    record = made_model.write_record(tmp_path / "test.record", num_images=3)
    model = made_model.write_model(tf, tmp_path / "model", record)
    made_model.write_record(tmp_path / "train.record", num_images=5)
    train = (
        f'label_map_path: "{(model / "label_map.pbtxt").as_posix()}" '
        f'tf_record_input_reader {{ input_path: "{(tmp_path / "train.record").as_posix()}" }}'
    )
    with (model / "pipeline.config").open("a", encoding="utf-8") as config:
        config.write(f"eval_config {{ num_examples: 3 }}\ntrain_input_reader {{ {train} }}\n")
    for flags, count in (([], 3), (["--eval_training_data"], 5)):
        evaluation_script.main(["--fast", "--model", str(model), "--eval_dir", str(tmp_path / "eval"), *flags])
        assert metrics_file.read(tmp_path / "eval/metrics.json").num_examples == count
