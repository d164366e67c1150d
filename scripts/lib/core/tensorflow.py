"""Import TensorFlow in graph mode, with Keras 2, and keep what it logs about itself out of the output."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from types import ModuleType

# Messages of TensorFlow and its libraries about themselves; none is about the user's data, config or run.
_SELF_TALK = re.compile(
    r"Instructions for updating"
    r"|\bdeprecated\b|is being deprecated"
    r"|The name tf\.\S+ is"
    r"|From .*:\d+: "  # the start of every deprecation warning of TensorFlow
    r"|does not have groundtruth difficult flag"  # the evaluator then counts all objects, as it should
    r"|^(No assets to|SavedModel written to|Writing pipeline config file to)"  # the script says where
    r"|^(Recording summary at step|Saving checkpoint to path|global_step/sec|Starting Session|Starting Queues"
    r"|Starting standard|Running local_init_op|Done running local_init_op|Stopping Training|Finished training"
    r"|Error reported to Coordinator)"  # which is raised, too
    r"|Variable \[.*/(RMSProp(_1)?|Momentum|Adam(_1)?|ExponentialMovingAverage)\] is not available"  # slots
)

# Lines that TensorFlow's C++ code prints at import, before its log level is in force.
_GREETING = re.compile(
    rb"absl::InitializeLog|oneDNN custom operations|Could not find cuda|cuInit|cpu_feature_guard"
    rb"|To enable the following|Unable to register cu|computation placer already registered|rebuild TensorFlow"
)


def import_tensorflow(verbose: bool = False) -> ModuleType:
    """Return `tensorflow.compat.v1`, in graph mode and quiet unless `verbose`."""
    keep_out_noise(verbose)
    use_legacy_keras()
    with without_greeting(verbose):
        import tensorflow.compat.v1 as tf

        tf.config.list_physical_devices()  # prints its complaints about missing GPUs now
    use_graph_mode()
    return tf


def use_legacy_keras() -> None:
    """Make `tf.keras` and `tf.compat.v1.layers` Keras 2 (tf_keras), for which the API and tf-slim are written.

    They are Keras 3 since TensorFlow 2.16; the variable is read when TensorFlow is imported.
    """
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise RuntimeError("TensorFlow was imported before the Object Detection API's patches; import it after them")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


def use_graph_mode() -> None:
    """Leave eager mode: the legacy trainer, evaluator and exporter build TensorFlow 1 graphs.

    The API's `tf_version.is_tf1()` is then true, so that `model_builder` registers the tf-slim feature extractors.
    """
    import tensorflow.compat.v1 as tf

    if tf.executing_eagerly():
        tf.disable_v2_behavior()


def keep_out_noise(verbose: bool) -> None:
    """Drop deprecation warnings from the logs of TensorFlow and absl, and reduce the C++ log to errors."""
    if verbose:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for category in (DeprecationWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category)
    warnings.filterwarnings("ignore", module=r"(tensorflow|tf_keras|tf_slim|object_detection|keras)(\.|$)")
    from absl import logging as absl_logging

    # TensorFlow and absl, to which it passes its records, each have a handler: every line would come twice.
    logging.getLogger("tensorflow").propagate = False
    for place in (logging.getLogger("tensorflow"), absl_logging.get_absl_handler()):
        if not any(isinstance(existing, _SelfTalkFilter) for existing in place.filters):
            place.addFilter(_SelfTalkFilter())


@contextlib.contextmanager
def without_greeting(verbose: bool) -> Iterator[None]:
    """Keep the messages of TensorFlow's C++ code about itself from stderr; other lines pass."""
    if verbose:
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not _GREETING.search(line):
                    os.write(2, line)


class _SelfTalkFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.levelno >= logging.ERROR:
            return "Object was never used" not in message  # because of another error, which is reported
        return not _SELF_TALK.search(message)
