"""Overriding values of a config."""

from __future__ import annotations

import pytest

from scripts.lib.config import override, pipeline_config
from scripts.lib.core.errors import UsageError
from tests.small_project import RESIZER, read


def test_more_steps_stretch_a_schedule_that_ended_with_the_training(project):
    config, _ = read(project)
    override.set_num_steps(config, 30)
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (config.train_config.num_steps, schedule.total_steps, schedule.warmup_steps) == (30, 30, 15)


def test_a_schedule_of_its_own_length_stays(project):
    config, _ = read(project, ("total_steps: 100", "total_steps: 500"))
    override.set_num_steps(config, 30)
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (schedule.total_steps, schedule.warmup_steps) == (500, 60)


def test_the_steps_of_a_manual_schedule_keep_their_shares_and_rise(project):
    schedule = "manual_step_learning_rate { schedule { step: 50 } schedule { step: 51 } schedule { step: 80 } }"
    config, _ = read(project, ("cosine_decay_learning_rate { total_steps: 100 warmup_steps: 60 }", schedule))
    override.set_num_steps(config, 10)
    steps = config.train_config.optimizer.adam_optimizer.learning_rate.manual_step_learning_rate.schedule
    assert [item.step for item in steps] == [5, 6, 8]


@pytest.mark.parametrize(
    ("given", "expected"), [((320,), (320, 546)), ((320, 400), (320, 400)), ((1200,), (1200, 2048))]
)
def test_the_longer_side_of_the_input_grows_with_the_shorter(project, given, expected):
    config, _ = read(project, (RESIZER, "keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 }"))
    override.set_input_size(config, *given)
    resizer = pipeline_config.detector(config).image_resizer.keep_aspect_ratio_resizer
    assert (resizer.min_dimension, resizer.max_dimension) == expected
    with pytest.raises(UsageError, match="longer side below the shorter one"):
        override.set_input_size(config, 300, 200)


def test_a_fixed_input_is_a_square_unless_both_sides_are_given(project):
    config, _ = read(project)
    resizer = pipeline_config.detector(config).image_resizer.fixed_shape_resizer
    override.set_input_size(config, 320)
    assert (resizer.width, resizer.height) == (320, 320)
    override.set_input_size(config, 640, 480)
    assert (resizer.width, resizer.height) == (640, 480)
