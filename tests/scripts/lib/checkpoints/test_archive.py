"""Archives that lead outside, hold what is not a file, are damaged, or would fill the disk."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from scripts.lib.checkpoints import archive
from scripts.lib.core.errors import DataError
from tests.model_server import ARCHIVE, CHECKPOINT, STEM, packed


def refused(path: Path, content: bytes, folder: Path | None = None) -> str:
    path.write_bytes(content)
    folder = folder or path.parent / "unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError) as caught:
        archive.unpack(path, folder)
    return str(caught.value)


def test_the_archives_only_folder_is_returned_or_else_the_folder_it_was_unpacked_to(tmp_path):
    for name, content, place in (("a.tgz", CHECKPOINT, STEM), ("b.tgz", {"x": b"1", "y/z": b"2"}, "")):
        (tmp_path / name).write_bytes(packed(content))
        folder = tmp_path / f"of {name}"
        folder.mkdir()
        assert archive.unpack(tmp_path / name, folder) == folder / place
        assert {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        } == content


def headers(kind: bytes, *sizes: int) -> bytes:
    """A .tar.gz that begins with extended headers of these sizes."""
    raw = io.BytesIO()
    for size in sizes:
        info = member("long", kind)
        info.size = size
        raw.write(info.tobuf(tarfile.GNU_FORMAT) + b"a" * size + bytes(-size % 512))
    return gzip.compress(raw.getvalue(), 1)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_case_29_names_without_end_are_not_read_into_memory(tmp_path, kind):
    content = headers(kind, 2**26)
    tracemalloc.start()
    said = refused(tmp_path / "a.tgz", content)
    assert "the archive has a header of 67,108,864 bytes; get it from another place" in said
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_case_29_names_of_names_are_refused(tmp_path):
    assert "is damaged, cut off, or not a tar archive (maximum recursion" in refused(
        tmp_path / "a.tgz", headers(tarfile.GNUTYPE_LONGNAME, *[10] * 5000)
    )


def test_case_29_what_follows_the_end_is_bounded(tmp_path):
    content = gzip.decompress(packed({"a": b"1"})) + bytes(2**25)
    assert "goes on for more than 16 MB after its end" in refused(tmp_path / "a.tgz", gzip.compress(content, 1))


def member(name: str, kind: bytes = tarfile.SYMTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("content", "odd", "expected"),
    [
        ({"../outside.txt": b"x"}, [], "'../outside.txt': leads outside"),
        ({f"{STEM}/../../outside.txt": b"x"}, [], "leads outside"),
        ({"/tmp/outside.txt": b"x"}, [], "leads outside"),
        ({"C:\\outside.txt": b"x"}, [], "means something else on some systems"),
        ({"..\\outside.txt": b"x"}, [], "means something else on some systems"),
        ({}, [member("link", target="/etc")], "'link': is a link, a device or the like"),
        ({}, [member("link", target="../..")], "is a link"),
        ({"link/outside.txt": b"x"}, [member("link", tarfile.LNKTYPE, "../../outside.txt")], "is a link"),
        ({}, [member("device", tarfile.CHRTYPE)], "is a link, a device or the like"),
        ({}, [member("pipe", tarfile.FIFOTYPE)], "is a link, a device or the like"),
        ({f"{STEM}/model.ckpt.index/x": b"x"}, [], "is in it twice, or as a file and as a folder"),
    ],
)
def test_an_archive_that_leads_outside_is_refused(tmp_path, content, odd, expected):
    content = packed(CHECKPOINT | content, *odd)
    folder = tmp_path / "deep" / "pretrained"
    assert expected in refused(tmp_path / "a.tar.gz", content, folder)
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("outside.txt"))
    assert not Path("/tmp/outside.txt").exists()


def test_all_that_is_wrong_with_an_archive_is_listed(tmp_path):
    content = packed({"../a": b"", "/b": b""}, member("c", target="d"))
    assert refused(tmp_path / "a.tar.gz", content).count("error: ") == 3


@pytest.mark.parametrize("cut", [10, 1000, len(ARCHIVE) - 4])
def test_a_cut_off_archive_is_refused(tmp_path, cut):
    assert "is damaged, cut off, or not a tar archive" in refused(tmp_path / "a.tar.gz", ARCHIVE[:cut])


def test_a_damaged_archive_is_refused(tmp_path):
    content = ARCHIVE[:600_000] + b"\0\0\0\0" + ARCHIVE[600_004:]
    assert "is damaged" in refused(tmp_path / "a.tar.gz", content)


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 2**20)
    assert "unpacks to more than" in refused(tmp_path / "a.tar.gz", ARCHIVE)
