"""Start a script, report a user's mistake, end with the right exit status; the argparse types that scripts share."""

from __future__ import annotations

import argparse
import codecs
import copy
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError, count_by_severity

EXIT_DATA = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def make_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help is the script's docstring, with the default of every flag."""
    summary, _, rest = (docstring or "").strip().partition("\n")
    return argparse.ArgumentParser(
        description=summary, epilog=rest.strip("\n"), formatter_class=_HelpFormatter, allow_abbrev=False
    )


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "", []) or action.required:
            return action.help
        return super()._get_help_string(action)

    def _expand_help(self, action: argparse.Action) -> str:
        """Default paths as they stand in the repository: shorter, and the same for everyone."""
        if isinstance(action.default, Path) and action.default.is_relative_to(files.REPOSITORY_ROOT):
            action = copy.copy(action)
            action.default = action.default.relative_to(files.REPOSITORY_ROOT).as_posix()
        return super()._expand_help(action)


def run(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> None:
    """Run `main(argv)` and exit with its status, 0 for None; a user's mistake becomes a message, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # characters that a Windows console lacks are escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main(argv) or 0
        sys.stdout.flush()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        status = EXIT_USAGE
    except DataError as error:
        report(error)
        status = EXIT_DATA
    except BrokenPipeError:  # `... | head`: the reader has gone, nobody is left to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = EXIT_DATA
    except OSError as error:
        print(f"error: {explain_os_error(error)}", file=sys.stderr)
        status = EXIT_DATA
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = EXIT_INTERRUPTED
    sys.exit(status)


def report(error: DataError) -> None:
    """Print the findings of a `DataError`, one a line, then their count and what was not done."""
    for finding in error.findings:
        print(f"error: {finding}" if isinstance(finding, str) else str(finding), file=sys.stderr)
    if error.consequence:
        count = count_by_severity(error.findings)
        print(f"{count}: {error.consequence}." if count else f"{error.consequence}.", file=sys.stderr)


def explain_os_error(error: OSError) -> str:
    """Return one sentence for an operating-system error, with the remedy where it is known."""
    name = error.filename2 or error.filename  # where a finished file could not take its place: that place
    what = f"{name}: {error.strerror}" if name else str(error)
    if files.is_url(what):  # remote_path.py says the remedy: those below are for disks
        return f"{what}."
    remedy = {
        errno.ENOSPC: "free some disk space and run the command again",
        errno.EACCES: "close the program that holds the file, or change its permissions",
        errno.EPERM: "close the program that holds the file, or change its permissions",
        errno.EISDIR: "give a file, not a folder",
        errno.ENOTDIR: "give a folder, not a file",
        errno.ENOENT: "check the path",
        errno.ENAMETOOLONG: "use a shorter path",
    }.get(error.errno or 0)
    return f"{what}; {remedy}." if remedy else what


def check_output(flag: str, path: Path, begins: bytes, what: str) -> None:
    """Raise UsageError if the file that a flag (without dashes) names would replace a folder or another kind of file.

    A file of this kind, e.g. a "labels CSV", begins with the bytes `begins`; an empty file may be replaced as well.
    """
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(1000).removeprefix(codecs.BOM_UTF8)
        if not head or head.startswith(begins):
            return
    elif not path.is_dir():
        return
    raise UsageError(f"--{flag} {files.shown_path(path)} exists but is not a {what}; choose another name")


def local_path(text: str) -> Path:
    """Argparse type: a path on this machine's disk; `Path` would turn gs://shop/a into a local folder "gs:"."""
    if files.is_url(text):
        raise argparse.ArgumentTypeError(f"{text} is an address; give a path on this machine's disk")
    return Path(text)


def existing_file(text: str) -> Path:
    """Argparse type: a file on this machine's disk."""
    path = local_path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is a folder, not a file" if path.is_dir() else f"no file {text}")
    return path


def existing_dir(text: str) -> Path:
    """Argparse type: a folder on this machine's disk."""
    path = local_path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, not a folder" if path.exists() else f"no folder {text}")
    return path


def _number(convert: Callable[[str], float], is_allowed: Callable[[float], bool], wrong: str) -> Callable:
    """Make an argparse type: a number of a range; `wrong` says what another one is."""

    def parse(text: str) -> float:
        value = convert(text)
        if not is_allowed(value):
            raise argparse.ArgumentTypeError(f"{value} is {wrong}")
        return value

    parse.__name__ = "integer" if convert is int else "number"  # for argparse: "invalid integer value: 'a'"
    return parse


positive_int = _number(int, lambda value: value >= 1, "not at least 1")
not_negative_int = _number(int, lambda value: value >= 0, "below 0")
positive = _number(float, lambda value: 0 < value < float("inf"), "not above 0")
not_negative = _number(float, lambda value: 0 <= value < float("inf"), "not a number of at least 0")
score = _number(float, lambda value: 0 <= value <= 1, "not between 0 and 1")
