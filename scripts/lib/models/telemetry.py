"""Import runtimes without their telemetry: both send what they see of the machine unless they are told not to."""

from __future__ import annotations

import os
import sys
from types import ModuleType


def import_onnxruntime() -> ModuleType:
    """Return onnxruntime; from 1.32 on it would keep a database in the user's cache, and look up a host."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows, in all versions
    return onnxruntime


def import_openvino() -> ModuleType:
    """Return openvino; its import would report itself to Google Analytics by the package openvino_telemetry."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # as if it was not installed, which openvino is made for
    import openvino

    return openvino
