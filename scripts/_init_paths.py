"""Put the repository root on `sys.path` in place of the script's own folder.

Every script imports this first. A module then has one name everywhere (`scripts.lib.annotations.voc_xml`), every script
runs from any folder without PYTHONPATH, and no script's file name can shadow a library. Ctrl+C while a script is still
importing ends it in a word, as later (`command_line.run`), and a package that is missing in a sentence.
"""

import sys
from pathlib import Path

_show = sys.excepthook


def _show_in_a_sentence(kind, error, traceback):
    sentence = "interrupted" if kind is KeyboardInterrupt else _explain(error)
    print(sentence, file=sys.stderr) if sentence else _show(kind, error, traceback)


def _explain(error):
    from scripts import _check_python

    if sys.version_info < _check_python.OLDEST:  # which cannot import what explains the rest
        return "error: " + _check_python.complaint()
    from scripts.lib.environment import packages

    sentence = packages.explain(error)
    return sentence and "error: " + sentence


sys.excepthook = _show_in_a_sentence
_SCRIPTS = Path(__file__).resolve().parent
sys.path[:] = [
    str(_SCRIPTS.parent),
    *(entry for entry in sys.path if entry and Path(entry).resolve() not in (_SCRIPTS, _SCRIPTS.parent)),
    str(_SCRIPTS),  # last: a worker process that is started anew (Windows, macOS) imports this module again
]
