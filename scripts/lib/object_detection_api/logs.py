"""What TensorFlow and its libraries log: what matters is shown, what they say of themselves is kept out."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

from absl import logging as absl_logging

# A record is dropped where its message has one of these. Nothing here tells about the user's data, config or run.
_SELF_TALK = re.compile(
    "|".join(
        (
            r"Instructions for updating",
            r"\bdeprecated\b",
            r"is being deprecated",
            r"The name tf\.\S+ is",
            r"From .*:\d+: ",  # the head of every deprecation warning of TensorFlow
            r"does not have groundtruth difficult flag",  # the evaluator then counts all objects, as it should
            r"^(No assets to|SavedModel written to|Writing pipeline config file to)",  # the script says where
            r"^(Recording summary at step|Saving checkpoint to path|global_step/sec|Starting Session|Starting Queues|"
            r"Starting standard|Running local_init_op|Done running local_init_op|Stopping Training|Finished training|"
            r"Error reported to Coordinator)",  # which is raised, too
            r"Variable \[.*/(RMSProp(_1)?|Momentum|Adam(_1)?|ExponentialMovingAverage)\] is not available",  # slots
        )
    )
)

# Said as an error, with a stack, of a part of the graph that another error, which is reported, left unused.
_LEFT_BEHIND = "Object was never used"

# Lines that TensorFlow's C++ code prints while it is being imported, before its log level is in force.
_GREETING = re.compile(
    rb"absl::InitializeLog|oneDNN custom operations|Could not find cuda|cuInit|cpu_feature_guard"
    rb"|To enable the following|Unable to register cu|computation placer already registered|rebuild TensorFlow"
)


def keep_out_noise(verbose: bool) -> None:
    """Drops deprecation warnings from the logs of TensorFlow and absl, and lowers the C++ log to errors."""
    if verbose:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", module=r"(tensorflow|tf_keras|tf_slim|object_detection|keras)(\.|$)")
    # Both TensorFlow and absl, which passes on what TensorFlow logs, have a handler: each line would come twice.
    logging.getLogger("tensorflow").propagate = False
    for place in (logging.getLogger("tensorflow"), absl_logging.get_absl_handler()):
        if not any(isinstance(existing, _SelfTalkFilter) for existing in place.filters):
            place.addFilter(_SelfTalkFilter())


@contextlib.contextmanager
def without_greeting(verbose: bool) -> Iterator[None]:
    """Keeps what TensorFlow's C++ code says of itself from stderr; all other lines are passed on."""
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
        return _LEFT_BEHIND not in message and (record.levelno >= logging.ERROR or not _SELF_TALK.search(message))
