"""Unpack tar archives from elsewhere: no member can lead outside the folder, or be anything but a file or folder.

`tarfile`'s own filter "data" is missing before Python 3.10.12 and 3.11.4, and lets links that lead inside through,
which has been circumvented (CVE-2025-4517). Of a member only its name, which is checked, and its bytes are used.
"""

from __future__ import annotations

import lzma
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.core.progress import progress

MAX_BYTES = 8 * 2**30  # unpacked; the largest model, NAS, takes a quarter of it
MAX_MEMBERS = 10_000

_MAX_HEADER = 8192  # bytes of a member's name and the like, which tarfile reads into memory
_MAX_PADDING = 2**24  # bytes after the last member

# On Windows a backslash separates folders, and a colon stands for a drive or a hidden stream of a file.
_UNFIT_CHARACTER = re.compile(r'[\x00-\x1f\\:*?"<>|]')


class _Member(tarfile.TarInfo):
    """A member whose extended headers are not larger than names are."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        member = super().frombuf(buf, encoding, errors)
        if not (member.isfile() or member.isdir() or member.size <= _MAX_HEADER):
            raise DataError([f"the archive has a header of {member.size:,} bytes; get it from another place."])
        return member


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive, compressed or not, into an empty folder; return that, or its only sub-folder if all is in one.

    Raises:
        DataError: the archive is damaged, or has members that are not simply files; each of them is listed.
    """
    findings, total = [], 0
    try:
        with tarfile.open(archive, tarinfo=_Member) as tar:
            for count, member in enumerate(progress(tar, f"unpacking {archive.name}", unit="file"), start=1):
                total += member.size
                if total > MAX_BYTES or count > MAX_MEMBERS:
                    message = f"unpacks to more than {MAX_BYTES >> 30} GB or {MAX_MEMBERS} files"
                    raise DataError([_finding(archive, message)])
                problem = _problem(member) or _store(tar, member, folder)
                if problem:
                    findings.append(_finding(archive, problem, repr(member.name)))
            if len(tar.fileobj.read(_MAX_PADDING)) == _MAX_PADDING:  # else the checksum at its end is checked
                raise DataError([_finding(archive, f"goes on for more than {_MAX_PADDING >> 20} MB after its end")])
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # a full disk, not the archive (gzip.BadGzipFile)
            raise
        reason = str(error).partition("\n")[0]
        raise DataError([_finding(archive, f"is damaged, cut off, or not a tar archive ({reason})")]) from error
    if findings:
        raise DataError(findings)
    content = list(folder.iterdir())
    return content[0] if len(content) == 1 and content[0].is_dir() else folder


def _problem(member: tarfile.TarInfo) -> str:
    """Return why a member may not be unpacked, or an empty string."""
    if not member.isfile() and not member.isdir():
        return "is a link, a device or the like; only files and folders are unpacked"
    if member.name.startswith("/") or ".." in PurePosixPath(member.name).parts:
        return "leads outside the folder that it is unpacked to"
    if _UNFIT_CHARACTER.search(member.name):
        return "has a character in its name that means something else on some systems"
    return ""


def _store(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write a member's bytes; return what is wrong with it, or an empty string."""
    path = folder / member.name
    try:
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            return ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.naming(path), path.open("xb") as file:
            shutil.copyfileobj(tar.extractfile(member), file, 2**20)
        return ""
    except (FileExistsError, NotADirectoryError):
        return "is in it twice, or as a file and as a folder"


def _finding(archive: Path, message: str, member: str = "") -> Finding:
    return Finding(ERROR, "archive", files.shown_path(archive), message, "get it from another place", object=member)
