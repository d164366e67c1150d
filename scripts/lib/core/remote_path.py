"""A file or folder on a bucket (gs://...), with the part of pathlib.Path's interface that the pipeline uses.

TensorFlow reads and writes it, as it does records and checkpoints there, and is imported when the first such file is
opened: runs with local paths only do not wait for it. Make one with `files.path_of`.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import posixpath
from collections.abc import Iterator
from types import SimpleNamespace
from typing import IO

from scripts.lib.core.errors import ERROR, DataError, Finding

_SCHEMES = ("gs", "file", "hdfs", "viewfs", "ram")  # that TensorFlow knows without further packages


class RemotePath(str):
    """An address. All that looks at the bucket raises OSError (FileNotFoundError, PermissionError) with the reason."""

    def __new__(cls, address: str) -> RemotePath:
        scheme, _, path = address.partition("://")
        path = posixpath.normpath(path.replace("\\", "/"))
        return super().__new__(cls, f"{scheme}://{path}")

    def __truediv__(self, other: object) -> RemotePath:
        return RemotePath(str(other) if "://" in str(other) else f"{self}/{other}")

    def as_posix(self) -> str:
        return str(self)

    @property
    def name(self) -> str:
        return posixpath.basename(self)

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self)[1]

    @property
    def parent(self) -> RemotePath:
        folder = posixpath.dirname(self)
        return RemotePath(folder) if "://" in folder else self

    def with_name(self, name: str) -> RemotePath:
        return self.parent / name

    def with_suffix(self, suffix: str) -> RemotePath:
        return RemotePath(posixpath.splitext(self)[0] + suffix)

    def exists(self) -> bool:
        with self._explained() as gfile:
            return gfile.exists(str(self))

    def is_dir(self) -> bool:
        with self._explained() as gfile:
            return gfile.isdir(str(self))

    def is_file(self) -> bool:
        return self.exists() and not self.is_dir()

    def stat(self) -> SimpleNamespace:
        with self._explained() as gfile:
            return SimpleNamespace(st_size=gfile.stat(str(self)).length)

    def iterdir(self) -> Iterator[RemotePath]:
        with self._explained() as gfile:
            names = gfile.listdir(str(self))
        yield from (self / name.rstrip("/") for name in sorted(names))

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Yield the folder's entries whose name matches a pattern without `/`."""
        if self.is_dir():
            yield from (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    def rglob(self) -> Iterator[RemotePath]:
        """Yield all files below the folder."""
        for path in self.iterdir():
            if path.is_dir():
                yield from path.rglob()
            else:
                yield path

    @contextlib.contextmanager
    def open(self, mode: str = "rb", **_) -> Iterator[IO[bytes]]:
        """Open it for reading bytes; buffering is left to TensorFlow."""
        with self._explained() as gfile, gfile.GFile(str(self), mode) as file:
            yield file

    def read_bytes(self) -> bytes:
        with self.open() as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding).replace("\r\n", "\n")

    def write_bytes(self, content: bytes) -> None:
        """Write it; on a bucket it appears whole when that is done."""
        with self.open("wb") as file:
            file.write(content)

    def unlink(self) -> None:
        with self._explained() as gfile:
            gfile.remove(str(self))

    @contextlib.contextmanager
    def _explained(self) -> Iterator:
        """`tf.io.gfile`, whose errors become those of Python's own files; Apache Beam knows more schemes."""
        scheme = self.partition("://")[0]
        if scheme not in _SCHEMES:
            message, remedy = f"TensorFlow reads gs://, not {scheme}://", "copy it to this machine's disk"
            raise DataError([Finding(ERROR, "address", str(self), message, remedy)])
        from scripts.lib.core.tensorflow import import_tensorflow

        tf = import_tensorflow()
        try:
            yield tf.io.gfile
        except tf.errors.NotFoundError:
            raise FileNotFoundError(errno.ENOENT, "no such file on the bucket", str(self)) from None
        except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as error:
            reason = f"may not be read or written ({_reason(error)}); see gcloud auth application-default login"
            raise PermissionError(errno.EACCES, reason, str(self)) from None
        except tf.errors.OpError as error:
            raise OSError(errno.EIO, _reason(error), str(self)) from None


def _reason(error: Exception) -> str:
    return (getattr(error, "message", None) or str(error)).strip().splitlines()[0]
