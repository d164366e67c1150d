"""A stand-in for a bucket that Apache Beam reaches, in a folder."""

from __future__ import annotations

from pathlib import Path

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem


class Bucket(LocalFileSystem):
    """Files that have an address, bucket://..., and no path: those of a folder."""

    root = Path()

    @classmethod
    def scheme(cls):
        return "bucket"

    @classmethod
    def path(cls, address):
        return str(cls.root / address.removeprefix("bucket://"))

    def join(self, basepath, *paths):
        return "/".join((basepath.rstrip("/"), *paths))

    def split(self, path):
        return tuple(path.rstrip("/").rsplit("/", 1))

    def _url_dirname(self, address):
        return address.rpartition("/")[0]

    def _list(self, address):
        folder = Path(self.path(address))
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file():
                yield FileMetadata(f"bucket://{path.relative_to(self.root).as_posix()}", path.stat().st_size)

    def _path_open(self, path, mode, *arguments, **options):
        Path(self.path(path)).parent.mkdir(parents=True, exist_ok=True)
        return super()._path_open(self.path(path), mode, *arguments, **options)

    def create(self, path, *arguments, **options):
        return self._path_open(path, "wb", *arguments, **options)

    def mkdirs(self, path):
        super().mkdirs(self.path(path))

    def exists(self, path):
        return super().exists(self.path(path))

    def metadata(self, path):
        return FileMetadata(path, Path(self.path(path)).stat().st_size)

    def rename(self, sources, destinations):
        super().rename(list(map(self.path, sources)), list(map(self.path, destinations)))

    def delete(self, paths):
        super().delete([self.path(path) for path in paths])
