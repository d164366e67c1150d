"""Which versions of the drifting libraries the patches were tested with."""

from __future__ import annotations

import sys
from importlib import metadata

from scripts.lib.core.errors import UsageError

# distribution -> (tested series, what it is needed for). A series is a prefix of the version.
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
    """Warns in one line about untested versions.

    Raises:
        UsageError: names every distribution that is missing.
    """
    missing, untested = [], []
    for name, (series, purpose) in TESTED.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(f"{name} ({purpose})")
        else:
            if not version.startswith(series):
                untested.append(f"{name} {version} (tested: {series.rstrip('.')})")
    if missing:
        raise UsageError(f"not installed in {sys.prefix}: {', '.join(missing)}; {INSTALL}")
    if untested:
        print(f"warning: untested versions: {', '.join(untested)}; errors may follow from it.", file=sys.stderr)
