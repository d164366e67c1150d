"""Run the tests in .venv; make it, or add the test tools to it, if they are missing.

In:   the repository; all arguments are passed on to pytest (--slow adds the tests that take minutes).
Out:  what pytest prints, and its exit status.

  python scripts/run_tests.py
  python scripts/run_tests.py tests/test_split_dataset.py -k seed
  python scripts/run_tests.py -n 0                                 one after another, for a debugger
  python scripts/run_tests.py --api                                the Object Detection API's own tests instead
"""

import subprocess
from collections.abc import Sequence

import _check_python  # noqa: F401  (ends here where Python is too old)
import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.environment import venv

# All cores; the tests of a file in one process, since they share what its fixtures made. A worker that dies is not
# replaced: with replacements pytest-xdist 3.8 waits for ever (its issues 784 and 1378), without them the run fails.
PYTEST = ("-m", "pytest", "-n", "auto", "--dist", "loadfile", "--max-worker-restart=0")


def main(argv: Sequence[str] | None = None) -> int | None:
    parser = command_line.make_parser(__doc__, passes_on=True)
    api = "run the Object Detection API's own tests instead (an hour); NAME: of the modules with it in their name only"
    parser.add_argument("--api", nargs="?", const="", metavar="NAME", help=api)
    args, others = parser.parse_known_args(argv)
    python = venv.prepare(venv.TESTS)
    suite = PYTEST if args.api is None else ("-m", "tests.object_detection_api.suite", args.api)
    command = [str(python), *suite, *others]
    print("+ " + " ".join(command), flush=True)
    return subprocess.run(command, cwd=files.REPOSITORY_ROOT, check=False).returncode


if __name__ == "__main__":
    command_line.run(main)
