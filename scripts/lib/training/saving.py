"""Hook into the trainer's saver: a checkpoint holds finite values only, and a failure becomes one clear message."""

from __future__ import annotations

import errno
import functools
import os
from pathlib import Path

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.training import resume

_KNOWN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO)


class CheckpointGuard:
    """Takes the place of the `save` of a saver (`tf.train.Saver`) whose graph is complete."""

    def __init__(self, saver):
        import tensorflow.compat.v1 as tf

        self.failure: DataError | None = None  # the first one: the disk cannot be written, or a variable is not finite
        self._saver, self._original_save = saver, saver.save
        self._last_prefix = ""
        floats = [variable for variable in tf.global_variables() if variable.dtype.base_dtype.is_floating]
        self._all_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in floats])
        saver.save = self.save

    def save(self, session, save_path: str, global_step=None, **options) -> str:
        """Write the checkpoint of this step, unless that has been done, and return its prefix.

        Raises:
            DataError: see `failure`.
        """
        import tensorflow.compat.v1 as tf

        step = tf.train.global_step(session, global_step)
        prefix, folder = f"{save_path}-{step}", files.shown_path(files.path_of(save_path).parent)
        if prefix == self._last_prefix:
            return prefix
        try:
            if not session.run(self._all_finite):
                problem = (
                    f"after step {step} the model's variables are not finite, though its loss was: the gradients were "
                    "not; try a tenth of the learning rate, or gradient_clipping_by_norm: 10 in train_config"
                )
                raise DataError([problem], f"they were not saved; {self._last_good(folder)}")
            write = functools.partial(self._original_save, session, save_path, global_step=step, **options)
            files.patiently(write, (tf.errors.OpError, OSError))
        except DataError as error:
            self.failure = self.failure or error
            raise
        except (tf.errors.OpError, OSError) as error:
            _remove_failed(prefix)
            problem = (
                f"the checkpoint of step {step} cannot be written to {folder}: {_reason(error)}; free "
                "some disk space, or check that the folder can be written to, and run the same command again"
            )
            failure = DataError([problem], self._last_good(folder))
            self.failure = self.failure or failure
            raise failure from error
        self._last_prefix = prefix
        return prefix

    def _last_good(self, folder: str) -> str:
        saved = [path for path in self._saver.last_checkpoints if files.is_url(path) or checkpoint_files.exists(path)]
        last = f"the last good checkpoint in {folder} is {Path(saved[-1]).name}" if saved else ""
        return last or f"{folder} holds no checkpoint"


def _reason(error: Exception) -> str:
    """Return what the operating system said, which TensorFlow wraps in a page about the graph."""
    text = getattr(error, "message", None) or str(error)
    return next((reason for reason in map(os.strerror, _KNOWN) if reason in text), text[:300])


def _remove_failed(prefix: str) -> None:
    """Remove the parts of a checkpoint that failed; on a full disk that is what matters."""
    if files.is_url(prefix):
        return
    path = Path(prefix)
    resume.remove_half_written(path.parent)
    if checkpoint_files.fault(path):
        for part in (*path.parent.glob(f"{path.name}.data-*"), *path.parent.glob(f"{path.name}.index")):
            part.unlink(missing_ok=True)
