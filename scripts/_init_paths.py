"""Put the repository root on `sys.path` in place of the script's own folder.

Every script in a sub-folder starts with `import _init_paths`. A module then has one name everywhere
(`scripts.lib.annotations.voc_xml`), every script runs from any folder without PYTHONPATH, and no script's file name can
shadow a library. Ctrl+C while a script is still importing ends it in a word, as later (`command_line.run`).
"""

import sys
from pathlib import Path

_show = sys.excepthook


def _show_interruption(kind, error, traceback):
    print("interrupted", file=sys.stderr) if kind is KeyboardInterrupt else _show(kind, error, traceback)


sys.excepthook = _show_interruption
_SCRIPTS = Path(__file__).resolve().parent
sys.path[:] = [
    str(_SCRIPTS.parent),
    *(entry for entry in sys.path if entry and Path(entry).resolve() not in (_SCRIPTS, _SCRIPTS.parent)),
    str(_SCRIPTS),  # last: a worker process that is started anew (Windows, macOS) imports this module again
]
