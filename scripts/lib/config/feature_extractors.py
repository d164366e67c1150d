"""The feature extractors that the Object Detection API has in graph mode, and what takes the place of the others.

`builders/model_builder.py` of the API registers some for TensorFlow 1's graph mode, which the trainer here uses, and
others for TensorFlow 2 only. A test compares this table with the API's own.
"""

from __future__ import annotations

import difflib

# meta-architecture -> name -> the field of its config that not all extractors take
GRAPH_MODE: dict[str, dict[str, str]] = {
    "ssd": {
        **dict.fromkeys(("ssd_inception_v2", "ssd_inception_v3", "ssd_mobilenet_v1", "ssd_mobilenet_v2"), "num_layers"),
        **dict.fromkeys(("ssd_mobilenet_v1_ppn", "ssd_pnasnet"), "num_layers"),
        **dict.fromkeys(("ssd_mobilenet_v1_fpn", "ssd_mobilenet_v2_fpn", "ssd_mobilenet_v2_mnasfpn"), "fpn"),
        **dict.fromkeys((f"ssd_resnet{layers}_v1_fpn" for layers in (50, 101, 152)), "fpn"),
        **dict.fromkeys((f"ssd_resnet{layers}_v1_ppn" for layers in (50, 101, 152)), ""),
        **dict.fromkeys((f"ssd_mobiledet_{chip}" for chip in ("cpu", "dsp", "edgetpu", "gpu")), ""),
        **dict.fromkeys(("ssd_mobilenet_v3_large", "ssd_mobilenet_v3_small", "ssd_mobilenet_edgetpu"), ""),
        "embedded_ssd_mobilenet_v1": "",
        "ssd_spaghettinet": "spaghettinet_arch_name",
    },
    "faster_rcnn": {
        f"faster_rcnn_{name}": ""
        for name in ("nas", "pnas", "inception_resnet_v2", "inception_v2", "resnet50", "resnet101", "resnet152")
    },
}
OPTIONAL_FIELDS = ("fpn", "bifpn", "num_layers", "spaghettinet_arch_name", "replace_preprocessor_with_placeholder")
TENSORFLOW_2 = "exists in TensorFlow 2 only"
_KERAS = "_keras"  # ends each name of an SSD's or Faster R-CNN's that is registered for TensorFlow 2


def refusal(architecture: str, name: str) -> tuple[str, str] | None:
    """Return why `architecture` ("ssd", "faster_rcnn") has no such extractor, and a remedy; None where it has."""
    known = GRAPH_MODE[architecture]
    if name in known:
        return None
    if name.endswith(_KERAS):
        near = counterpart(architecture, name)
        remedy = f"write {near!r}, the nearest in graph mode, and train from scratch or from a checkpoint of it"
        return f"{name!r} {TENSORFLOW_2}", f"{remedy} (make_config.py --fine_tune_checkpoint)"
    near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)
    return f"model.{architecture} has no {name!r}", f"write {' or '.join(map(repr, near))}"


def counterpart(architecture: str, name: str) -> str:
    """Return the graph-mode extractor that is nearest to one of TensorFlow 2."""
    base = name.removesuffix(_KERAS)
    for candidate in (base, base.removesuffix("_fpn")):
        if candidate in GRAPH_MODE[architecture]:
            return candidate
    return "ssd_mobilenet_v2_fpn" if architecture == "ssd" else "faster_rcnn_resnet50"  # EfficientNet with BiFPN
