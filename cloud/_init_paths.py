"""What scripts/_init_paths.py does for its folder, for the scripts of this one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts import _init_paths  # noqa: F401
