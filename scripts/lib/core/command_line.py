"""Start a script, report a user's mistake, end with the right exit status; the argparse types that scripts share."""

from __future__ import annotations

import argparse
import codecs
import copy
import difflib
import errno
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from scripts.lib.core import files
from scripts.lib.core.errors import DataError, Finding, UsageError, count_by_severity, finding_lines
from scripts.lib.core.wording import one_line, printable

STREAMS = {"stdout": "standard output", "stderr": "standard error"}
EXIT_DATA = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Parser(argparse.ArgumentParser):
    """A parser whose flags may have several names, and whose messages are one line each.

    The first name of a flag is the one that help and messages show. The others keep commands of older versions and of
    other programs running: `add_argument("--num_steps", "--num_train_steps")`.

    Attributes:
        elsewhere: flag of another program -> what to do here instead, for the message.
        passes_on: leave unknown flags to another program, instead of refusing them.
    """

    elsewhere: Mapping[str, str] = {}
    passes_on = False

    def parse_known_args(self, args=None, namespace=None):
        words = list(sys.argv[1:] if args is None else args)
        flags = [word.partition("=")[0] for word in itertools.takewhile(lambda word: word != "--", words)]
        known = self._option_string_actions
        unknown = [flag for flag in flags if flag not in known and re.fullmatch(r"--?[A-Za-z][\w-]*", flag)]
        if unknown and not self.passes_on:
            self.error(explain_unknown(unknown, self.shown_flags(), self.elsewhere))
        return super().parse_known_args(words, namespace)

    def shown_flags(self) -> dict[str, str]:
        """Return each name of a flag -> the name that is shown."""
        actions = self._option_string_actions.items()
        return {name: action.option_strings[0] for name, action in actions if action.help != argparse.SUPPRESS}

    def error(self, message: str) -> NoReturn:
        """End with exit status 2 and the message, without the usage of all flags."""
        message = re.sub(r"(--\w+)(/--?\w+)+", r"\1", message.removeprefix("argument "))
        for theirs, ours in _PLAINLY.items():
            message = message.replace(theirs, ours)
        self.exit(EXIT_USAGE, f"error: {message}\n")


_PLAINLY = {
    "unrecognized arguments": "neither a flag nor the value of one (put a value with spaces in quotes)",
    "ignored explicit argument": "takes no value, not",
}


def explain_unknown(flags: Iterable[str], shown_flags: Mapping[str, str], elsewhere: Mapping[str, str]) -> str:
    """Return what to write instead of unknown flags, an error a line: see `Parser`."""
    shown = {name.lstrip("-"): first for name, first in shown_flags.items()}
    sentences = []
    for flag in flags:
        near = difflib.get_close_matches(flag.lstrip("-").replace("-", "_").lower(), shown, n=1)
        instead = f"; did you mean {shown[near[0]]}?" if near else "; --help lists all flags"
        sentences.append(f"unknown flag {flag}" + (f": {elsewhere[flag]}" if flag in elsewhere else instead))
    return "\nerror: ".join(sentences)


def make_parser(docstring: str | None, elsewhere: Mapping[str, str] | None = None, passes_on: bool = False) -> Parser:
    """Return a parser whose help is the script's docstring, with the default of every flag, and with --all."""
    summary, _, rest = (docstring or "").strip().partition("\n")
    parser = Parser(description=summary, epilog=rest.strip("\n"), formatter_class=_HelpFormatter, allow_abbrev=False)
    parser.add_argument("--all", action=_ShowAll, nargs=0, help="list every error and warning, not three of each kind")
    _ShowAll.is_on = False
    parser.elsewhere, parser.passes_on = elsewhere or {}, passes_on
    return parser


class _ShowAll(argparse.Action):
    """The flag --all: `print_findings` groups nothing from now on. It leaves no attribute in the namespace."""

    is_on = False

    def __init__(self, option_strings: Sequence[str], dest: str, **options):
        super().__init__(option_strings, argparse.SUPPRESS, default=argparse.SUPPRESS, **options)

    def __call__(self, *_) -> None:
        _ShowAll.is_on = True


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Show the first name of a flag only."""
        if action.dest != "help":
            action = copy.copy(action)
            action.option_strings = action.option_strings[:1]
        return super()._format_action_invocation(action)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        """Return what to give: DIR, N, PATH, or else the last word of the flag's name."""
        word = action.dest.rpartition("_")[2].upper()
        if word in ("DIR", "DIRECTORY"):
            return "DIR"
        if getattr(action.type, "__name__", "") in ("int", "integer"):
            return "N"
        return "PATH" if action.type in (local_path, existing_file, existing_dir, files.path_of) else word

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "", []) or action.required:
            return action.help
        return super()._get_help_string(action)

    def _expand_help(self, action: argparse.Action) -> str:
        """Default paths as they stand in the repository: shorter, and the same for everyone."""
        default = action.default[0] if isinstance(action.default, list) and action.default else action.default
        if isinstance(default, Path) and default.is_relative_to(files.REPOSITORY_ROOT):
            action = copy.copy(action)
            action.default = default.relative_to(files.REPOSITORY_ROOT).as_posix()
        return super()._expand_help(action)


def run(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> None:
    """Run `main(argv)` and exit with its status, 0 for None; an error becomes a message, never a traceback."""
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115  closed by the shell (<&-), or pythonw.exe's
    for name, title in STREAMS.items():
        stream = getattr(sys, name) or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        if hasattr(stream, "reconfigure"):  # characters that a Windows console lacks are escaped
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, _PrintableStream(stream, title))
    try:
        status = main(argv) or 0
        sys.stdout.flush()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        status = EXIT_USAGE
    except DataError as error:
        report(error)
        status = EXIT_DATA
    except OSError as error:
        has_no_reader = files.ON_WINDOWS and error.errno == errno.EINVAL and error.filename is None
        if not isinstance(error, BrokenPipeError) and not has_no_reader:  # `... | head`: nobody is left to be told
            print(f"error: {explain_os_error(error)}", file=sys.stderr)
        _drop_stdout()
        status = EXIT_DATA
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = EXIT_INTERRUPTED
    except ImportError:  # scripts/_init_paths.py names the command that installs what is missing
        raise
    except Exception as error:
        print(f"error: {_explain_other(error)}", file=sys.stderr)
        status = EXIT_DATA
    sys.exit(status)


_DISK_WORDS = {os.strerror(number): number for number in files.DISK_ERRORS}
if files.ON_WINDOWS:
    import ctypes

    _DISK_WORDS |= {ctypes.FormatError(number): errno.ENOSPC for number in (39, 112)}  # "handle" full, disk full
_DISK_ERROR = re.compile(
    rf"(?:Failed to \w+: (?:\\\\\?\\)?(.+?) : |(\S+); )({'|'.join(map(re.escape, _DISK_WORDS))})"  # Windows, others
)


def _explain_other(error: Exception) -> str:
    """Return a sentence on an error that no code has foreseen; where it is a defect, its traceback goes into a file.

    A file, not a flag such as --verbose: the error may have come after hours, and may not come again.
    """
    if found := _DISK_ERROR.search(str(error)):  # TensorFlow's own, with the operating system's words
        return explain_os_error(OSError(_DISK_WORDS[found[3]], found[3], found[1] or found[2]))
    reason = one_line(str(error).strip().partition("\n")[0])[:300]
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return f"there is not enough memory ({reason}); close other programs, or give smaller batches or images."
    lines = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("wb", prefix="error_", suffix=".txt", delete=False) as file:
            file.write(lines.encode("utf-8", "backslashreplace"))
        details = f"the traceback in {file.name}"
    except OSError:
        details = f"this traceback:\n{lines}"
    return f"this is a defect of the program ({type(error).__name__}: {reason}); please report it with {details}"


def _drop_stdout() -> None:
    """Let what is still to be written to stdout go nowhere, where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _PrintableStream:
    """A text stream on which names, server answers and the like cannot steer the terminal; see `wording.printable`."""

    def __init__(self, stream: IO[str], title: str):
        self._stream, self._title = stream, title

    def write(self, text: str) -> int:
        rewrites_line = text.startswith("\r")  # as progress does; within a text it is a name's
        with files.naming(self._title):
            self._stream.write("\r" + printable(text[1:]) if rewrites_line else printable(text))
        return len(text)

    def flush(self) -> None:
        with files.naming(self._title):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def print_findings(findings: Iterable[Finding | str], file: IO[str] | None = None) -> None:
    """Print findings, many of one kind as one line unless --all is given; `file` None: on stdout."""
    for line in finding_lines(findings, _ShowAll.is_on):
        print(line, file=file)


def shell_text(*words: object) -> str:
    """Return a command as a user types it, on Windows in cmd and in PowerShell; paths with `/`."""
    texts = [word.as_posix() if hasattr(word, "as_posix") else str(word) for word in words]
    return " ".join(map(_quoted_for_windows, texts)) if files.ON_WINDOWS else shlex.join(texts)


def _quoted_for_windows(text: str) -> str:
    quoted = subprocess.list2cmdline([text])
    return f'"{text}"' if quoted == text and re.search(r"[#&'();<>@^`{|}]", text) else quoted


def report(error: DataError) -> None:
    """Print the findings of a `DataError`, then their count and what was not done."""
    print_findings(error.findings, sys.stderr)
    count = count_by_severity(error.findings)
    if error.consequence:
        print(f"{count}: {error.consequence}." if count else f"{error.consequence}.", file=sys.stderr)
    elif len(error.findings) > 1:
        print(f"{count}.", file=sys.stderr)


def explain_os_error(error: OSError) -> str:
    """Return one sentence for an operating-system error, with the remedy where it is known."""
    name = error.filename2 or error.filename  # where a finished file could not take its place: that place
    what = f"{name}: {error.strerror}" if name else str(error)
    if files.is_url(what):  # remote_path.py says the remedy: those below are for disks
        return f"{what}."
    of_folder = f" of {Path(os.fsdecode(name)).absolute().parent}" if name and name not in STREAMS.values() else ""
    remedy = {
        errno.ENOSPC: f"free some space on the disk{of_folder}, or write elsewhere, and run the command again",
        errno.EDQUOT: f"your quota on the disk{of_folder} is used up: delete something there, or write elsewhere",
        errno.EFBIG: f"the disk{of_folder} or a limit of the shell (ulimit -f) allows no larger file: write elsewhere",
        errno.EROFS: f"the disk{of_folder} is read-only: write elsewhere",
        errno.EACCES: "close the program that holds the file, or change its permissions",
        errno.EPERM: "close the program that holds the file, or change its permissions",
        errno.EINVAL: "give a regular file",
        errno.EISDIR: "give a file, not a folder",
        errno.ENOTDIR: "give a folder, not a file",
        errno.ENOENT: "check the path",
        errno.ENAMETOOLONG: "use a shorter path",
    }.get(error.errno or 0)
    remedy = name and files.too_long(os.fsdecode(name)) or remedy
    return f"{what}; {remedy}." if remedy else what


def check_output(flag: str, path: Path, begins: bytes, what: str) -> None:
    """Raise UsageError if the file that a flag (without dashes) names would replace a folder or another kind of file.

    A file of this kind, e.g. a "labels CSV", begins with the bytes `begins`, or with some of them where its writer was
    interrupted; an empty file may be replaced as well.
    """
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(1000).removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
        if head.startswith(begins) or begins.startswith(head):
            return
    elif not path.is_dir():
        return
    raise UsageError(f"--{flag} {files.shown_path(path)} exists but is not a {what}; choose another name")


def check_output_dir(flag: str, folder: Path, begins: Mapping[str, bytes], further: Iterable[str] = ()) -> None:
    """Raise UsageError if results in a folder would replace files that the script did not write.

    Args:
        flag: that names the folder, without dashes.
        folder: may be missing.
        begins: name of a result -> what it begins with; such a file shows that a folder is the script's.
        further: names of results that look like anybody's; they are the script's in a folder of its own.
    """
    for name, start in begins.items():
        check_output(flag, folder / name, start, "file of this script")
    there = [name for name in further if (path := folder / name).is_file() or (path.is_dir() and any(path.iterdir()))]
    if there and not any((folder / name).is_file() for name in begins):
        raise UsageError(
            f"--{flag} {files.shown_path(folder)} has {' and '.join(there)}, but no {next(iter(begins))} of an earlier "
            "run; give another folder, so that no file of yours is replaced"
        )


def local_path(text: str) -> Path:
    """Argparse type: a path on this machine's disk; `Path` would turn gs://shop/a into a local folder "gs:"."""
    if files.is_url(text):
        raise argparse.ArgumentTypeError(f"{text} is an address; give a path on this machine's disk")
    return files.path_of(text)


def existing_file(text: str) -> Path:
    """Argparse type: a file on this machine's disk."""
    path = local_path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is a folder, not a file" if path.is_dir() else f"no file {text}")
    return path


def existing_dir(text: str) -> Path:
    """Argparse type: a folder on this machine's disk."""
    path = local_path(text)
    files.put_back(path)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, not a folder" if path.exists() else f"no folder {text}")
    return path


def _number(convert: Callable[[str], float], is_allowed: Callable[[float], bool], wrong: str) -> Callable:
    """Make an argparse type: a number of a range; `wrong` says what another one is."""

    def parse(text: str) -> float:
        value = convert(text)
        if abs(value) >= 2**31:  # a proto field's limit, or none that makes sense
            raise argparse.ArgumentTypeError(f"{value} is too large")
        if not is_allowed(value):
            raise argparse.ArgumentTypeError(f"{value} is {wrong}")
        return value

    parse.__name__ = "integer" if convert is int else "number"  # for argparse: "invalid integer value: 'a'"
    return parse


def boolean(text: str) -> bool:
    """Argparse type: true or false, as absl reads it; also yes or no."""
    if text.lower() in ("true", "t", "1", "yes", "y"):
        return True
    if text.lower() in ("false", "f", "0", "no", "n"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Make an argparse type: one or more of the known names, separated by commas."""

    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not one of {', '.join(known)}")
        return names

    return parse


positive_int = _number(int, lambda value: value >= 1, "not at least 1")
not_negative_int = _number(int, lambda value: value >= 0, "below 0")
positive = _number(float, lambda value: 0 < value < float("inf"), "not above 0")
not_negative = _number(float, lambda value: 0 <= value < float("inf"), "not a number of at least 0")
share = _number(float, lambda value: 0 < value <= 1, "not above 0 and at most 1")
score = _number(float, lambda value: 0 <= value <= 1, "not between 0 and 1")
