"""Hook into the restoring of `fine_tune_checkpoint`: print how much of the model it gave, and stop if it gave nothing.

The trainer restores what matches by name and shape and warns of the rest, one line a variable; with a checkpoint of
another model it then trains from scratch in silence.
"""

from __future__ import annotations

from scripts.lib.core.errors import DataError
from scripts.lib.object_detection_api.wrapping import wrap


def install() -> None:
    """Count the model's variables that the checkpoint has; optimizer slots, which it never holds, do not count.

    The trainer then raises, when it builds its graph:
        DataError: no variable of the model matched.
    """
    import tensorflow.compat.v1 as tf
    from object_detection.utils import variables_helper

    @wrap(variables_helper, "get_variables_available_in_checkpoint")
    def restore_and_report(original, variables, checkpoint_path: str, include_global_step: bool = True):
        available = original(variables, checkpoint_path, include_global_step)
        model_variables = {variable.op.name for variable in tf.model_variables()}
        by_name = variables if isinstance(variables, dict) else {variable.op.name: variable for variable in variables}
        wanted = sorted(name for name, variable in by_name.items() if variable.op.name in model_variables)
        missing = [name for name in wanted if name not in available]
        if len(missing) == len(wanted):
            problem = (
                f"fine_tune_checkpoint {checkpoint_path} has none of the {len(wanted)} variables of this model "
                f"(looked for {wanted[0]} ...); it belongs to another model, or fine_tune_checkpoint_type is "
                'wrong: "classification" for a backbone trained on ImageNet, "detection" for a whole detector'
            )
            raise DataError([problem], "the training was not started")
        first_missing = f"; first missing: {missing[0]}" if missing else ""
        count = f"{len(wanted) - len(missing)} of {len(wanted)}"
        print(f"Restored {count} variables from {checkpoint_path}{first_missing}", flush=True)
        return available
