"""How a script's help shows its flags, and what a flag takes for a number."""

from __future__ import annotations

import argparse
import ctypes
import errno
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.core.progress import StatusLine
from scripts.lib.dataset import split_manifest


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (files.default_path("data/train.record"), "(default: data/train.record)"),
        (Path("elsewhere/a b.csv"), f"(default: {Path('elsewhere/a b.csv')})"),
        (0.5, "(default: 0.5)"),
        (None, ""),
    ],
)
def test_default_paths_are_shown_as_in_the_repository(default, shown, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    parser = command_line.make_parser("Does it.\n\nIn: a, 100% of it.")
    parser.add_argument("--flag", default=default, help="what it is")
    text = " ".join(parser.format_help().split())
    assert text.endswith("In: a, 100% of it.") and f"what it is {shown}".strip() in text
    assert str(files.REPOSITORY_ROOT) not in text
    assert parser.parse_args([]).flag == default


def test_an_address_is_no_path_on_the_disk(capsys):
    parser = command_line.make_parser("Does it.")
    parser.add_argument_group("paths").add_argument("--output_dir", type=local_path)
    assert parser.parse_args(["--output_dir", "a/b"]).output_dir == Path("a/b")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--output_dir", "gs://shop/a"])
    assert "--output_dir: gs://shop/a is an address; give a path on this machine's disk" in capsys.readouterr().err


@pytest.fixture
def parser():
    parser = command_line.make_parser("Does it.", {"--model_dir": "--train_dir is it"})
    group = parser.add_argument_group("training")
    group.add_argument(
        "--num_steps", "--num_train_steps", "-n", type=command_line.positive_int, required=True, help="steps"
    )
    group.add_argument("--train_dir", type=local_path, help="folder")
    parser.add_argument("--tags", action="store_true", help="write tags")
    parser.add_argument("--kept", help=argparse.SUPPRESS)
    return parser


@pytest.mark.parametrize(
    ("argv", "num_steps"),
    [
        (["--num_train_steps", "3"], 3),
        (["--num_train_steps=3"], 3),
        (["-n", "3"], 3),
        (["--num_steps", "3", "--num_train_steps", "4"], 4),
        (["--num_train_steps=4", "--num_steps=3"], 3),
    ],
)
def test_a_flag_has_several_names_and_shows_the_first(parser, argv, num_steps):
    assert parser.parse_args(argv).num_steps == num_steps
    shown = parser.format_help()
    assert "--num_steps N" in shown and "--train_dir DIR" in shown and "-h, --help" in shown
    assert "num_train_steps" not in shown and "-n" not in shown.split() and "--kept" not in shown


@pytest.mark.parametrize(
    ("argv", "lines"),
    [
        (["--num_step", "3"], ["unknown flag --num_step; did you mean --num_steps?"]),
        (["--num_train_step=3"], ["unknown flag --num_train_step; did you mean --num_steps?"]),
        (["--train-dir", "a"], ["unknown flag --train-dir; did you mean --train_dir?"]),
        (["-train_dir=a b"], ["unknown flag -train_dir; did you mean --train_dir?"]),
        (["--Tags"], ["unknown flag --Tags; did you mean --tags?"]),
        (["--kep"], ["unknown flag --kep; --help lists all flags"]),
        (["-n3"], ["unknown flag -n3; did you mean --num_steps?"]),
        (
            ["--model_dir=a", "--xyz", "1"],
            [
                "unknown flag --model_dir: --train_dir is it",
                "unknown flag --xyz; --help lists all flags",
            ],
        ),
        ([], ["the following arguments are required: --num_steps"]),
        (["--num_train_steps"], ["--num_steps: expected one argument"]),
        (["-n", "a"], ["--num_steps: invalid integer value: 'a'"]),
        (["-n", "-1"], ["--num_steps: -1 is not at least 1"]),
        (
            ["-n", "1", "--train_dir", "my", "photos"],
            ["neither a flag nor the value of one (put a value with spaces in quotes): photos"],
        ),
        (["-n", "1", "--tags=yes"], ["--tags: takes no value, not 'yes'"]),
    ],
)
def test_a_wrong_command_ends_with_one_line_a_mistake(parser, argv, lines, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(argv)
    assert capsys.readouterr().err.splitlines() == [f"error: {line}" for line in lines]


def test_flags_of_another_program_are_passed_on():
    parser = command_line.make_parser("Does it.", passes_on=True)
    parser.add_argument("--seed", type=int)
    args, rest = parser.parse_known_args(["--seed=1", "--sed", "2"])
    assert (args.seed, rest) == (1, ["--sed", "2"])


def test_names_are_separated_by_commas():
    assert command_line.names_of(["onnx", "tflite"])("onnx, tflite,") == ["onnx", "tflite"]
    with pytest.raises(argparse.ArgumentTypeError, match="caffe, a is not one of onnx, tflite"):
        command_line.names_of(["onnx", "tflite"])("caffe,onnx,a")


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("2.5", 2.5), ("-1", None), ("nan", None), ("inf", None)])
def test_a_number_from_0_on(text, value):
    if value is None:
        with pytest.raises(argparse.ArgumentTypeError):
            command_line.not_negative(text)
    else:
        assert command_line.not_negative(text) == value


def run(main, monkeypatch, argv=()):
    """Run a script as the command line does; return its exit status, and what reached the terminal."""
    streams = {name: io.StringIO() for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with pytest.raises(SystemExit) as caught:
        command_line.run(main, argv)
    return caught.value.code, streams["stdout"].getvalue(), streams["stderr"].getvalue()


def test_nothing_that_is_printed_steers_the_terminal(monkeypatch):
    name = "a\x1b]0;title\x07\u202egpj\r\u2028\x9b.jpg"
    shown = r"a\x1b]0;title\x07\u202egpj\r\u2028\x9b.jpg"

    def main(argv):
        print(f"{name}: Röcke 赤\tx")
        raise DataError([f"{name} is odd.", Finding(ERROR, "x", name, "is odd")], f"{name} was not written")

    status, out, err = run(main, monkeypatch)
    assert (status, out) == (1, f"{shown}: Röcke 赤\tx\n")
    assert err == f"error: {shown} is odd.\nerror: {shown}: is odd.\n2 errors: {shown} was not written.\n"


def test_progress_may_still_rewrite_its_line_and_data_pass_as_they_are(monkeypatch):
    def main(argv):
        line = StatusLine(rewritten=True)
        line.update(lambda: "image\r 1", now=True)
        line.clear()
        print("a,b\r\nc,d", end="\r\n")

    _, out, err = run(main, monkeypatch)
    assert err == "\rimage\\r 1\r        \r" and out == "a,b\r\nc,d\r\n"


def test_all_shows_every_finding_and_leaves_the_other_flags_alone(monkeypatch):
    found = [Finding(ERROR, "x", f"{number}.jpg", "is missing") for number in range(5)]

    def main(argv):
        assert vars(command_line.make_parser("Does it.").parse_args(argv)) == {}
        raise DataError(found)

    assert run(main, monkeypatch, ["--all"])[2] == "".join(f"{each}\n" for each in found) + "5 errors.\n"
    grouped = run(main, monkeypatch)[2].splitlines()
    assert grouped[0] == "error: 5 files: is missing." and grouped[4:] == [
        "    and 2 more",
        "Of each kind the first 3 are shown; --all shows every one.",
        "5 errors.",
    ]


def test_a_disk_that_is_full_for_tensorflow_is_a_sentence(monkeypatch, tmp_path):
    class ResourceExhaustedError(Exception):
        """As TensorFlow raises it."""

    def main(argv):
        words = os.strerror(errno.ENOSPC)
        raise ResourceExhaustedError(f"{{{{node save/SaveV2}}}} {tmp_path}/model.ckpt-1.data; {words} [Op:SaveV2]")

    status, _, err = run(main, monkeypatch)
    assert status == 1 and err.startswith(f"error: {tmp_path}/model.ckpt-1.data: {os.strerror(errno.ENOSPC)}; free ")
    assert f"the disk of {tmp_path}, or" in err

    def main_on_windows(argv):
        words = ctypes.FormatError(112) if files.ON_WINDOWS else os.strerror(errno.ENOSPC)
        text = f"Failed to WriteFile: \\\\?\\{tmp_path}/a b/model.ckpt-1.data : {words}\r\n; Unknown error [Op:SaveV2]"
        raise ResourceExhaustedError(text)

    status, _, err = run(main_on_windows, monkeypatch)
    assert status == 1 and err.startswith(f"error: {tmp_path}/a b/model.ckpt-1.data: ")
    assert "; free some space on the disk of " in err and err.count("\n") == 1

    def out_of_memory(argv):
        raise ResourceExhaustedError("OOM when allocating a tensor\non the GPU")

    status, _, err = run(out_of_memory, monkeypatch)
    assert status == 1 and err.startswith("error: there is not enough memory (OOM when allocating a tensor); close ")


def raise_(error: BaseException):
    raise error


def endless(argv):
    return endless(argv)


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        (lambda argv: {}["Röcke\nx"], r"KeyError: 'Röcke\nx'"),
        (lambda argv: raise_(ValueError("first\nsecond \ud800")), "ValueError: first"),
        (endless, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_case_32_what_nobody_foresaw_is_a_defect_of_the_program(main, reason, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    status, _, err = run(main, monkeypatch)
    (file,) = tmp_path.iterdir()
    assert status == 1
    assert err.startswith(f"error: this is a defect of the program ({reason}")
    assert err.endswith(f"); please report it with the traceback in {file}\n") and err.count("\n") == 1
    assert file.read_text(encoding="utf-8").startswith("Traceback (most recent call last):")


def test_case_32_a_defect_on_a_full_disk_shows_its_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    status, _, err = run(lambda argv: 1 / 0, monkeypatch)
    assert status == 1 and "ZeroDivisionError: division by zero); please report it with this traceback:\nTrace" in err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            MemoryError("Unable to allocate 9. GiB"),
            1,
            "error: there is not enough memory (Unable to allocate 9. GiB); ",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (SystemExit(3), 3, ""),
    ],
)
def test_case_32_what_is_no_defect_is_not_called_one(error, status, message, monkeypatch):
    found, _, err = run(lambda argv: raise_(error), monkeypatch)
    assert found == status and err.startswith(message) and "defect" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence(repository_root):
    code = "from scripts.lib.core import command_line; command_line.run(lambda argv: print('x' * 100))"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=repository_root, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: standard output: No space left on device; free some space on the disk, or write elsewhere, and run the "
        "command again."
    ]


CLOSED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from scripts.lib.core import command_line

def main(argv):
    print("unread", file=sys.stdout)
    with open(sys.argv[2], "w") as file:
        file.write(sys.stdin.read() + "result")

command_line.run(main)
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell of Windows cannot close them")
def test_case_32_closed_streams_are_no_defect(tmp_path, repository_root):
    command = [sys.executable, "-c", CLOSED, str(repository_root), str(tmp_path / "a.txt")]
    for streams in ((0, 1, 2), (1,)):
        closed = lambda streams=streams: [os.close(stream) for stream in streams]  # noqa: E731
        assert subprocess.run(command, preexec_fn=closed, stdin=subprocess.DEVNULL, check=False).returncode == 0
        assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "result"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["python", Path("data/a.csv"), "^(\\d+)_"], 'python data/a.csv "^(\\d+)_"'),
        (["--title", "Six classes", "a&b", "R&D 'x'"], """--title "Six classes" "a&b" "R&D 'x'\""""),
        (["C:\\photos\\a.jpg", "--names=a,b"], "C:\\photos\\a.jpg --names=a,b"),
    ],
)
def test_on_windows_a_command_is_the_same_for_cmd_and_powershell(words, text, monkeypatch):
    monkeypatch.setattr(files, "ON_WINDOWS", True)
    assert command_line.shell_text(*words) == text


def test_on_windows_a_reader_that_has_gone_is_told_nothing(monkeypatch):
    """There a pipe without a reader is an invalid argument."""
    monkeypatch.setattr(files, "ON_WINDOWS", True)
    monkeypatch.setattr(command_line, "_drop_stdout", lambda: None)

    def main(argv):
        raise OSError(errno.EINVAL, "Invalid argument")

    assert run(main, monkeypatch) == (1, "", "")


def test_line_ends_of_windows_do_not_hide_whose_file_it_is(tmp_path):
    path = tmp_path / "split.json"
    path.write_bytes(b'\xef\xbb\xbf{\r\n  "input_csv": "labels.csv"\r\n}\r\n')
    command_line.check_output("manifest_json", path, split_manifest.HEAD, "manifest of a split")


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii"])
def test_characters_that_the_console_lacks_are_escaped(encoding, repository_root):
    code = (
        "import sys; from scripts.lib.core import command_line\n"
        "from scripts.lib.core.progress import StatusLine\n"
        "def main(argv):\n"
        "    print('Größe 服装', file=sys.stderr); StatusLine().update(lambda: '赤', now=True); print('Röcke ☃')\n"
        "command_line.run(main)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=repository_root, env=environment, capture_output=True, check=True)
    assert done.stdout.split() == [word.encode(encoding, "backslashreplace") for word in ("Röcke", "☃")]
    assert done.stderr.split() == [word.encode(encoding, "backslashreplace") for word in ("Größe", "服装", "赤")]
