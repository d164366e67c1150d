"""Paths in both spellings, listings of folders, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from scripts.lib.core.errors import DataError

if TYPE_CHECKING:
    from scripts.lib.core.remote_path import RemotePath

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # which Python raises without the file's name
ON_WINDOWS = os.name == "nt"
REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
_VERBATIM = re.compile(r"^\\\\\?\\(UNC\\)?")  # Windows' prefix for long paths, behind which "/" separates nothing
_UMASK = os.umask(0o022)  # it can be read only by setting it, which threads that write must not do
os.umask(_UMASK)


def default_path(relative: str) -> Path:
    """Return a path below the repository root: the default of a flag, wherever the command is run from."""
    return REPOSITORY_ROOT / relative


def is_url(path: Path | str) -> bool:
    """Return True for the address of a file elsewhere, such as gs://bucket/train.record."""
    return "://" in str(path)


def path_of(path: Path | RemotePath | str) -> Path | RemotePath:
    r"""Return the path of a file or folder, on the disk or on a bucket; `\\?\C:\photos` becomes `C:\photos`."""
    if not is_url(path):
        if isinstance(path, str):
            path = _VERBATIM.sub(lambda prefix: r"\\" if prefix[1] else "", path)
        return Path(path)
    from scripts.lib.core.remote_path import RemotePath

    return RemotePath(str(path))


def shown_path(path: Path | RemotePath | str) -> str:
    """Return the path as messages spell it: with `/`, relative to the current folder if below it; a URL as is.

    Bytes of a name that are no UTF-8 are escaped, so that every file and stream takes it.
    """
    if is_url(path):
        return str(path)
    path = Path(path)
    with contextlib.suppress(ValueError, OSError):
        path = path.resolve().relative_to(Path.cwd())
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def shown_paths(paths: Iterable[Path | RemotePath | str]) -> str:
    """Return several paths as messages spell them, with commas between them."""
    return ", ".join(map(shown_path, paths))


def names_below(folder: Path | str, suffixes: str | tuple[str, ...] = "") -> list[str]:
    """Return the regular files below a folder that have one of the suffixes, in order of their names.

    Names are relative to the folder, with `/`; they compare character by character, case-sensitively, so that the order
    is the same on every platform. Links to files are followed, and links to folders that lie elsewhere: each folder is
    listed once. Hidden files and folders are left out (macOS leaves `._name.xml` on foreign disks). Suffixes are in
    lower case, e.g. ".xml", and match upper case, too.

    Raises:
        OSError: a folder cannot be read; nothing below it is left out silently.
    """
    root = os.path.realpath(folder)
    return sorted(_names(os.fspath(folder), suffixes, "", Path(root), {root}))


def _names(folder: str, suffixes: str | tuple[str, ...], prefix: str, root: Path, listed: set[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)  # which of two links is followed must not vary
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if entry.name.lower().endswith(suffixes) and entry.is_file():
                yield prefix + entry.name
            continue
        place = os.path.realpath(entry.path)
        is_listed_there = entry.is_symlink() and (_is_visible_below(Path(place), root) or root.is_relative_to(place))
        if place not in listed and not is_listed_there:
            listed.add(place)
            yield from _names(entry.path, suffixes, f"{prefix}{entry.name}/", root, listed)


def _is_visible_below(place: Path, root: Path) -> bool:
    """Return whether a folder lies below another one, and in no hidden folder of it."""
    return place.is_relative_to(root) and not any(part.startswith(".") for part in place.relative_to(root).parts)


def read_bytes(path: Path | RemotePath | str) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: it cannot be read, or is a pipe, socket or device, which might never end.
    """
    require_regular(path)
    return path_of(path).read_bytes()


def require_regular(path: Path | RemotePath | str) -> None:
    """Raise OSError for a pipe, socket or device, where reading might never end, and for what is not there."""
    if not is_url(path) and stat.S_IFMT(Path(path).stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise OSError(errno.EINVAL, "Is a pipe, socket or device, which might never end", str(path))


def sha256(*paths: Path | str) -> str:
    """Return the SHA-256 of the files' bytes, one file after another, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        require_regular(path)
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def unchanged(*paths: Path | str) -> Iterator[str]:
    """Yield the files' `sha256` while they are read: what states it states what was read.

    Raises:
        DataError: they were changed meanwhile.
    """
    digest = ""
    with contextlib.suppress(OSError):  # whoever reads them says it better
        digest = sha256(*paths)
    yield digest
    if sha256(*paths) != digest:
        names = " or ".join(map(shown_path, paths))
        raise DataError([f"{names} was changed while it was read; run the command again."], "nothing was written")


@contextlib.contextmanager
def naming(path: Path | RemotePath | str) -> Iterator[None]:
    """Let an error of the disk in this block, such as that it is full, name the file that is written."""
    try:
        yield
    except OSError as error:
        is_unnamed = error.filename is None or str(error.filename).endswith(".partial")
        if error.errno in DISK_ERRORS and is_unnamed:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def atomic_write(path: Path | str, mode: str = "wb", durable: bool = True, **open_options) -> Iterator[IO]:
    """Open a file for writing that appears under its name only when the block has ended without an error.

    It is written beside its place, flushed to the disk, and renamed. A process that is killed leaves at most a
    `.<name>.<random>.partial`, which nothing reads; an exception removes that too and leaves an older file of
    the name as it was. The file that a link names is replaced, not the link; permissions stay as they were; a pipe or
    device is written to as it is.

    Args:
        path: the final name; its folder is made where it is missing. On a bucket, it is written when the block ends.
        mode: "wb", or "w" (UTF-8, line ends as written).
        durable: wait until the disk has it; False for one of many files that are quickly made again.
        **open_options: passed to `open`.
    """
    if is_url(path):
        with io.BytesIO() if "b" in mode else io.StringIO(newline="") as file:
            yield file
            content = file.getvalue()
        path_of(path).write_bytes(content if "b" in mode else content.encode())
        return
    if "b" not in mode:
        text = {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}  # names need not be UTF-8 on Linux
        open_options = {**text, **open_options}
    permissions = _permissions(Path(path))
    if permissions is None:
        with naming(path), Path(path).open(mode, **open_options) as file:
            yield file
        return
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.", suffix=".partial")
    temporary = Path(name)
    try:
        with naming(path), os.fdopen(descriptor, mode, **open_options) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.chmod(permissions)  # mkstemp's 0600 would keep colleagues from reading it
        patiently(lambda: temporary.replace(path))
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def write_together(*paths: Path | str, mode: str = "wb") -> Iterator[list[IO]]:
    """Like `atomic_write`, for files that belong together: once all are on the disk, they appear in order."""
    with contextlib.ExitStack() as stack:  # leaves in the opposite order
        opened = [stack.enter_context(atomic_write(path, mode)) for path in reversed(paths)][::-1]
        yield opened
        for path, file in zip(paths, opened, strict=True):
            with naming(path):
                file.flush()
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    os.fsync(file.fileno())


def too_long(path: Path | str) -> str:
    """Return what to do about a path that Windows finds only with long paths switched on; else an empty string."""
    if not ON_WINDOWS or len(path := os.path.abspath(path)) < 260:  # noqa: PTH100 (without links)
        return ""
    return f"the path has {len(path)} characters: use a shorter folder, or switch on long paths (docs/windows.md)"


def patiently(action: Callable[[], object], retried: type | tuple[type, ...] = PermissionError) -> None:
    """Rename a file, or the like; on Windows, try again for a second and a half when that fails.

    Virus scanners, the search index and OneDrive open new files for a moment, in which these can be neither renamed nor
    removed.
    """
    for seconds in (0.1, 0.2, 0.4, 0.8) if ON_WINDOWS else ():
        try:
            action()
            return
        except retried:
            time.sleep(seconds)
    action()


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; it may be missing."""
    patiently(lambda: shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True), OSError)


def followed(path: Path | str) -> Path:
    """Return the place that a path means, itself or where its links lead."""
    return Path(os.path.realpath(path))


def _permissions(path: Path) -> int | None:
    """Return the mode bits of the file to be written, those of the file that it replaces; None for a pipe or device.

    Raises:
        PermissionError: there is a file that may not be written.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return 0o666 & ~_UMASK
    if stat.S_ISREG(mode) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None


@contextlib.contextmanager
def scratch_beside(place: Path | RemotePath) -> Iterator[Path]:
    """Make a temporary folder beside a place, for `replace_folder` to move from; for a bucket, on the disk."""
    folder = None if is_url(place) else followed(place).parent
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with naming(place):
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix=f".{place.name}.partial-"))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)  # a file that another program holds stays there, hidden


def replace_folder(made: Path, place: Path | RemotePath) -> None:
    """Move a finished folder of `scratch_beside` to its place; an older one is removed when the new one is there.

    A process that is killed between the two leaves the older one hidden beside its place: see `put_back`.
    On a bucket, the files are copied, then those of the earlier folder that the new one has not are removed.
    """
    if is_url(place):
        names = [path.relative_to(made).as_posix() for path in sorted(made.rglob("*")) if path.is_file()]
        for name in names:
            (place / name).write_bytes((made / name).read_bytes())
        for path in place.rglob():
            if str(path).removeprefix(f"{place}/") not in names:
                path.unlink()
        return
    put_back(place)
    place = followed(place)
    former = _former(place)
    if place.exists():
        shutil.copymode(place, made)
        try:
            patiently(lambda: place.rename(former))
        except PermissionError as error:  # on Windows, where a program has one of its files open
            raise PermissionError(error.errno, error.strerror, str(place)) from None
    try:
        if place.exists():  # a reader has put the older one back meanwhile
            place.rename(former)
        patiently(lambda: made.rename(place))
    except BaseException:
        put_back(place)
        raise
    put_back(place)


def put_back(place: Path | str) -> None:
    """Finish what `replace_folder` began, also in a run that was killed: the older folder comes back, or goes.

    All that read or replace such a folder begin with it.
    """
    place = followed(place)
    if not place.name or not (former := _former(place)).is_dir():  # without a name: a drive
        return
    if not place.exists():
        patiently(lambda: former.rename(place))
        return
    with scratch_beside(place) as scratch:
        patiently(lambda: former.rename(scratch / place.name))  # at one stroke, so that half of it never comes back


def _former(place: Path) -> Path:
    """Return where the folder of a place, without links, lies while another one replaces it."""
    return place.with_name(f".{place.name}.former")
