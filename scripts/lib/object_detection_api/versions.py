"""The versions of the libraries with which the patches were tested."""

from __future__ import annotations

import sys
from importlib import metadata

from scripts.lib.core.errors import UsageError

# distribution -> (tested prefix of the version, what it is needed for)
TESTED = {
    "tensorflow": ("2.21.", "training, evaluation and export"),
    "tf_keras": ("2.21.", "Keras 2, which the Object Detection API is written for"),
    "tf-slim": ("1.1.", "the feature extractors"),
    "tf-models-research-object-detection": ("2.8.0", "the Object Detection API"),
}

INSTALL = (
    "install them with: python -m pip install -r requirements.txt, "
    "then: python -m pip install --no-deps -r requirements-object-detection.txt"
)


def check() -> None:
    """Warn in one line about untested versions.

    Raises:
        UsageError: distributions are missing; all are named.
    """
    missing, untested = [], []
    for name, (prefix, purpose) in TESTED.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(f"{name} ({purpose})")
        else:
            if not version.startswith(prefix):
                untested.append(f"{name} {version} (tested: {prefix.rstrip('.')})")
    if missing:
        raise UsageError(f"not installed in {sys.prefix}: {', '.join(missing)}; {INSTALL}")
    if untested:
        print(f"warning: untested versions: {', '.join(untested)}; they may cause errors.", file=sys.stderr)
