"""Files that appear whole or not at all, and paths as messages spell them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
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


def test_case_32_names_that_are_not_utf_8_are_written_escaped(tmp_path):
    with files.atomic_write(tmp_path / "a.json", "w") as file:
        file.write('"caf\udce9 é"')
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '"caf\\udce9 é"'


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


KILLED = """
import os, sys
from pathlib import Path
from scripts.lib.core import files

rename, calls, place = Path.rename, 0, Path(sys.argv[1])

def killed(path, target):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os._exit(9)
    return rename(path, target)

Path.rename = killed
with files.scratch_beside(place) as scratch:
    made = scratch / "export"
    made.mkdir()
    (made / "model").write_text("new")
    (made / "label_map").write_text("new")
    files.replace_folder(made, place)
"""


def test_case_22_killed_at_any_step_the_old_folder_or_the_new_one_is_there(tmp_path, repository_root):
    found = []
    for step in range(1, 5):
        place = tmp_path / str(step) / "exported_model"
        place.mkdir(parents=True)
        for name in ("model", "label_map"):
            (place / name).write_text("old", encoding="utf-8")
        command = [sys.executable, "-c", KILLED, str(place), str(step)]
        status = subprocess.run(command, cwd=repository_root, check=False).returncode
        assert status == (9 if step < 4 else 0)  # three renames: away, to its place, to where it is removed
        command_line.existing_dir(str(place))  # as the next start of any script looks for it
        contents = {(place / name).read_text(encoding="utf-8") for name in ("model", "label_map")}
        assert len(contents) == 1
        found += contents
        assert not (place.parent / ".exported_model.former").exists()
    assert found == ["old", "old", "new", "new"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_case_22_a_link_to_a_folder_stays_and_its_folder_is_replaced(tmp_path):
    for name in ("disk", "made"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, encoding="utf-8")
    (tmp_path / "disk").chmod(0o750)
    (tmp_path / "place").symlink_to("disk")
    files.replace_folder(tmp_path / "made", tmp_path / "place")
    assert (tmp_path / "place").is_symlink() and (tmp_path / "disk").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "disk" / "file").read_text(encoding="utf-8") == "made"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows, which has no modes")
def test_case_25_the_file_that_a_link_names_is_replaced_and_keeps_its_mode(tmp_path):
    target, link, dangling = tmp_path / "disk" / "labels.csv", tmp_path / "labels.csv", tmp_path / "new.csv"
    target.parent.mkdir()
    target.write_text("older", encoding="utf-8")
    target.chmod(0o600)
    link.symlink_to(target)
    dangling.symlink_to("disk/new.csv")
    for path in (link, dangling):
        with files.atomic_write(path) as file:
            file.write(b"newer")
        assert path.is_symlink() and path.read_bytes() == b"newer"
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in target.parent.iterdir()) == ["labels.csv", "new.csv"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes among its files")
def test_case_25_a_pipe_and_a_device_take_what_is_written_and_stay(tmp_path):
    pipe, arrived = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: arrived.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with files.atomic_write(pipe, "w") as file:
        file.write("ü")
    reader.join(5)
    assert arrived == ["ü".encode()] and pipe.is_fifo()
    with files.atomic_write(os.devnull) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()


def test_case_25_a_file_that_may_not_be_written_stays(tmp_path, monkeypatch):
    path = tmp_path / "labels.csv"
    path.write_text("older", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda name, mode: (name, mode) != (path, os.W_OK))  # root may write any file
    with pytest.raises(PermissionError), files.atomic_write(path):
        pass
    assert path.read_text(encoding="utf-8") == "older"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes among its files")
def test_case_33_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError) as caught:
            files.read_bytes(path)
        sentence = command_line.explain_os_error(caught.value)
        assert sentence == f"{path}: Is a pipe, socket or device, which might never end; give a regular file."


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_case_33_folders_that_are_linked_to_each_other_are_listed_once(tmp_path):
    folders = [tmp_path / "root" / f"{number}" for number in range(9)]
    elsewhere = tmp_path / "elsewhere"
    for folder in (*folders, elsewhere):
        folder.mkdir(parents=True)
        (folder / "a.xml").touch()
    for folder in (*folders, elsewhere):
        for number, other in enumerate((*folders, elsewhere, tmp_path)):
            (folder / f"to {number}").symlink_to(other)
    names = files.names_below(tmp_path / "root", ".xml")
    assert names == ["0/a.xml", "0/to 9/a.xml", *(f"{number}/a.xml" for number in range(1, 9))]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_a_hidden_folder_is_followed_since_nothing_else_leads_there(tmp_path):
    (tmp_path / ".store/images").mkdir(parents=True)
    (tmp_path / ".store/images/a.jpg").touch()
    (tmp_path / "images").symlink_to(tmp_path / ".store/images")
    assert files.names_below(tmp_path) == ["images/a.jpg"]


def test_a_drive_has_no_former_folder():
    files.put_back(Path(Path.cwd().anchor))


def test_a_folder_that_a_reader_has_put_back_meanwhile_is_replaced(tmp_path, monkeypatch):
    for name in ("made", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    rename = Path.rename

    def and_a_reader_comes(path, target):
        rename(path, target)
        if Path(target).name == ".place.former" and not (tmp_path / "seen").exists():
            (tmp_path / "seen").touch()
            files.put_back(tmp_path / "place")

    monkeypatch.setattr(Path, "rename", and_a_reader_comes)
    files.replace_folder(tmp_path / "made", tmp_path / "place")
    assert files.names_below(tmp_path / "place") == ["made"]


def held(function, times: int):
    """Return the function as it is while a virus scanner has the file: it fails so many times."""
    left = iter(range(times))

    def fail_at_first(*args, **kwargs):
        if next(left, None) is not None:
            raise PermissionError(errno.EACCES, "Access is denied", str(args[0]))
        return function(*args, **kwargs)

    return fail_at_first


@pytest.fixture
def on_windows(monkeypatch) -> list[float]:
    """Let the code take this for Windows; the seconds that it waited."""
    monkeypatch.setattr(files, "ON_WINDOWS", True)
    waited = []
    monkeypatch.setattr(files.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("method", ["replace", "unlink"])
def test_on_windows_a_file_that_a_scanner_holds_for_a_moment_is_waited_for(method, tmp_path, on_windows, monkeypatch):
    path = tmp_path / "labels.csv"
    path.write_text("older", encoding="utf-8")
    monkeypatch.setattr(Path, method, held(getattr(Path, method), 2))
    if method == "replace":
        with files.atomic_write(path, "w") as file:
            file.write("newer")
        assert path.read_text(encoding="utf-8") == "newer"
    else:
        files.remove(path)
        assert not path.exists()
    assert on_windows == [0.1, 0.2]
    assert not list(tmp_path.glob(".*"))


def test_on_windows_a_folder_with_an_open_file_is_named_and_stays(tmp_path, on_windows, monkeypatch):
    place, made = tmp_path / "model", tmp_path / "made"
    for folder in (place, made):
        folder.mkdir()
        (folder / folder.name).touch()
    with monkeypatch.context() as patch, pytest.raises(PermissionError) as caught:
        patch.setattr(Path, "rename", held(Path.rename, 100))
        files.replace_folder(made, place)
    sentence = command_line.explain_os_error(caught.value)
    assert sentence.startswith(f"{place}: Access is denied; close the program that holds the file")
    assert files.names_below(place) == ["model"] and sum(on_windows) == pytest.approx(1.5)
    monkeypatch.setattr(Path, "rename", held(Path.rename, 1))
    files.replace_folder(made, place)
    assert files.names_below(place) == ["made"]


def test_elsewhere_nothing_is_tried_again(tmp_path, monkeypatch):
    if files.ON_WINDOWS:
        pytest.skip("this is Windows")
    monkeypatch.setattr(Path, "replace", held(Path.replace, 1))
    with pytest.raises(PermissionError), files.atomic_write(tmp_path / "labels.csv"):
        pass
    assert not list(tmp_path.iterdir())


def test_on_windows_a_path_that_is_too_long_is_said(tmp_path, on_windows):
    folder = tmp_path / ("x" * 200) / ("y" * 100)
    path, length = folder / "labels.csv", len(str(folder)) + len("/labels.csv")
    sentence = command_line.explain_os_error(FileNotFoundError(errno.ENOENT, "No such file or directory", str(path)))
    assert f"; the path has {length} characters: use a shorter folder, or switch on long paths (docs/" in sentence
    assert not files.too_long(tmp_path / "labels.csv")


def test_paths_are_shown_from_the_current_folder_with_slashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.shown_path(tmp_path / "data" / "a.csv") == "data/a.csv"
    assert files.shown_path(Path("data/a.csv")) == "data/a.csv"
    assert files.shown_path(tmp_path.parent / "b.csv") == (tmp_path.parent / "b.csv").as_posix()
    assert files.shown_path(Path("data/\udcff.csv")) == "data/\\udcff.csv"  # bytes that are no UTF-8
    assert files.shown_paths([tmp_path / "data" / "a.csv", "gs://shop/b.csv"]) == "data/a.csv, gs://shop/b.csv"


def test_names_below_a_folder_are_in_one_order_without_hidden_ones(tmp_path):
    for name in ("b.xml", "a.XML", "10.xml", "9.xml", "c.txt", "._b.xml", ".git/d.xml", "sub/a.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files.names_below(tmp_path, ".xml") == ["10.xml", "9.xml", "a.XML", "b.xml", "sub/a.xml"]
    assert files.names_below(tmp_path) == ["10.xml", "9.xml", "a.XML", "b.xml", "c.txt", "sub/a.xml"]
    with pytest.raises(FileNotFoundError):
        files.names_below(tmp_path / "absent")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (r"\\?\C:\photos\a.jpg", r"C:\photos\a.jpg"),
        (r"\\?\UNC\server\share\a.jpg", r"\\server\share\a.jpg"),
        (r"\\server\share", r"\\server\share"),
        ("photos/a.jpg", "photos/a.jpg"),
    ],
)
def test_windows_prefix_for_long_paths_is_taken_off(given, expected):
    assert files.path_of(given) == Path(expected)
