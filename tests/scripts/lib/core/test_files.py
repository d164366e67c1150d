"""Files that appear whole or not at all, and paths as messages spell them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.core import command_line, files


def test_a_file_appears_when_the_block_has_ended(tmp_path):
    path = tmp_path / "new folder" / "größe.csv"
    with files.atomic_write(path, "w") as file:
        file.write("ü\n")
        assert not path.exists()
    assert path.read_bytes() == "ü\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["größe.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "labels.csv"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(error), files.atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text(encoding="utf-8") == "older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.csv"]


def test_a_killed_process_leaves_no_file_of_the_name(tmp_path, repository_root):
    code = (
        "import os, sys; from scripts.lib.core import files\n"
        "with files.atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "labels.csv"
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=repository_root, check=False)
    assert not path.exists()


def test_a_file_that_cannot_take_its_place_is_named_by_that_place(tmp_path):
    path = tmp_path / "labels.csv"
    path.mkdir()
    with pytest.raises(OSError) as caught, files.atomic_write(path):
        pass
    assert command_line.explain_os_error(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("number", files.DISK_ERRORS)
def test_an_error_of_the_disk_names_the_file_and_what_to_do(tmp_path, number):
    path = tmp_path / "labels.csv"
    with pytest.raises(OSError) as caught, files.atomic_write(path):
        raise OSError(number, os.strerror(number))
    sentence = command_line.explain_os_error(caught.value)
    assert sentence.startswith(f"{path}: {os.strerror(number)}; ") and f"the disk of {tmp_path}" in sentence
    assert not list(tmp_path.iterdir())


def test_the_file_that_an_error_names_already_stays(tmp_path):
    with pytest.raises(OSError) as caught, files.naming("a"), files.naming("b"):
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == "b"
    with pytest.raises(OSError) as caught, files.naming("a"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    assert caught.value.filename is None


WRITERS = """
import resource, sys
from pathlib import Path
from scripts.lib.core import command_line, files
from scripts.lib.detection.journal import Journal, ImageResult
from scripts.lib.training import log
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
text, folder = "x" * 2000, Path(sys.argv[1])

def atomic(path):
    with files.atomic_write(path, "w") as file:
        file.write(text)

def scratch(path):
    with files.scratch_beside(path) as made:
        (made / "model").write_text(text)

def journal(path):
    Journal(path, {"model": text}, resume=False)

for write in (atomic, scratch, journal, lambda path: log.append(path, {"loss": text})):
    try:
        write(folder / "file")
    except OSError as error:
        print(command_line.explain_os_error(error))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
def test_every_writer_names_its_file_where_the_system_refuses_more(tmp_path, repository_root):
    command = [sys.executable, "-c", WRITERS, str(tmp_path)]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and all(line.startswith(f"{tmp_path / 'file'}: File too large; ") for line in lines)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_colleagues_may_read_it(tmp_path):
    with files.atomic_write(tmp_path / "a") as file:
        file.write(b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name in ("made", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, encoding="utf-8")
    files.replace_folder(tmp_path / "made", tmp_path / "place")
    assert (tmp_path / "place" / "file").read_text(encoding="utf-8") == "made"
    assert [entry.name for entry in tmp_path.iterdir()] == ["place"]


def test_paths_are_shown_from_the_current_folder_with_slashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.shown_path(tmp_path / "data" / "a.csv") == "data/a.csv"
    assert files.shown_path(Path("data/a.csv")) == "data/a.csv"
    assert files.shown_path(tmp_path.parent / "b.csv") == (tmp_path.parent / "b.csv").as_posix()


def test_names_below_a_folder_are_in_one_order_without_hidden_ones(tmp_path):
    for name in ("b.xml", "a.XML", "10.xml", "9.xml", "c.txt", "._b.xml", ".git/d.xml", "sub/a.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files.names_below(tmp_path, ".xml") == ["10.xml", "9.xml", "a.XML", "b.xml", "sub/a.xml"]
    assert files.names_below(tmp_path) == ["10.xml", "9.xml", "a.XML", "b.xml", "c.txt", "sub/a.xml"]
    with pytest.raises(FileNotFoundError):
        files.names_below(tmp_path / "absent")
