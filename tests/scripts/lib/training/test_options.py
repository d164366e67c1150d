"""The options of a training are the flags of train.py."""

from __future__ import annotations

from scripts import train
from scripts.lib.object_detection_api import flags
from scripts.lib.training.options import TrainOptions


def test_every_flag_is_an_option_and_the_defaults_are_the_same():
    args = train.parse_arguments(["--pipeline_config_path=p.config", "--train_dir=t"])
    options = TrainOptions(**vars(args))
    assert options == TrainOptions(pipeline_config_path="p.config", train_dir="t")


def test_the_defaults_of_the_api_s_flags_are_its_own():
    assert flags.to_argv(flags.TRAIN, vars(TrainOptions())) == []
    options = TrainOptions(train_dir="t", num_clones=2)
    assert flags.to_argv(flags.TRAIN, vars(options)) == ["--train_dir=t", "--num_clones=2"]
