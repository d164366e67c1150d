"""Exported models. What runs them is kept from reporting itself: onnxruntime and openvino do when they are imported."""

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules.setdefault("openvino_telemetry", None)  # as if it was not installed, which openvino is made for
