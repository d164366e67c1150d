"""Beam's own flags, and files wherever Beam's file systems reach, for the Apache Beam pipelines of cloud/."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.images import image_names

# Beam's DirectRunner is this one, or a program (Prism) that it fetches from the internet first.
LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def pipeline_options(flags: Sequence[str], paths: Iterable[str], ours: Mapping[str, str]) -> PipelineOptions:
    """Return Beam's options, and look at each path once, existing or not.

    Without --runner the pipeline runs in this process. `ours` are our `Parser.shown_flags`, for messages.

    Raises:
        UsageError: Beam does not know a flag, or none of its file systems knows such an address.
        DataError: the file system refuses.
    """
    parser = command_line.Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for group in PipelineOptions.__subclasses__():
        group._add_argparse_args(parser)
    parser.passes_on = True
    if unknown := [word.partition("=")[0] for word in parser.parse_known_args(flags)[1]]:
        raise UsageError(command_line.explain_unknown(unknown, {**parser.shown_flags(), **ours}, elsewhere={}))
    if not any(flag.partition("=")[0] == "--runner" for flag in flags):
        flags = [*flags, f"--runner={LOCAL_RUNNER}"]
    options = PipelineOptions(flags)
    FileSystems.set_options(options)
    for path in paths:
        if FileSystems.get_scheme(path) not in {system.scheme() for system in FileSystem.get_all_subclasses()}:
            raise UsageError(f'{path}: Beam knows no such place; for gs:// install "apache-beam[gcp]"')
        try:
            exists(path)
        except Exception as error:  # each file system has its own
            reason = str(error).partition("\n")[0] or type(error).__name__
            remedy = "check network, address, and the login that Beam uses: gcloud auth application-default login"
            raise DataError([f"{path} cannot be looked at ({reason}); {remedy}"]) from error
    return options


def new_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """Raise UsageError where the options do not suit the runner."""
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextlib.contextmanager
def local_copy(path: str, title: str) -> Iterator[Path]:
    """Yield a local file itself, or a temporary copy of a remote one; findings name the original."""
    if not exists(path):
        raise UsageError(f"there is no {title} {files.shown_path(path)}")
    if not files.is_url(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.rpartition("/")[2])
        copy.write_bytes(read_bytes(path))
        try:
            yield copy
        except DataError as error:
            raise DataError(dataclasses.replace(finding, file=path) for finding in error.findings) from error


@contextlib.contextmanager
def scratch_folder(output_path: str) -> Iterator[str]:
    """Yield a folder beside the output, on the same file system; delete it with all its files at the end."""
    folder = f"{output_path}.partial-{uuid.uuid4().hex[:8]}"
    try:
        yield folder
    finally:
        (found,) = FileSystems.match([f"{folder}/*"])
        if found.metadata_list:
            FileSystems.delete([f"{folder}/"])  # what is in it: a bucket has no folders
        if exists(folder):
            FileSystems.delete([folder])


def sibling(path: str, other: object) -> str:
    """Return the path beside `path` with the file name of `other`."""
    return path[: -len(Path(path).name)] + Path(str(other)).name


def exists(path: str) -> bool:
    return FileSystems.exists(path)


def read_bytes(path: str, limit: int = -1) -> bytes:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read(limit) if limit >= 0 else file.read()


def read_lines(pattern: str) -> Iterator[list]:
    """Yield the JSON of each line of the files."""
    (match,) = FileSystems.match([pattern])
    for metadata in match.metadata_list:
        yield from map(json.loads, read_bytes(metadata.path).decode().splitlines())


def create(path: str) -> IO[bytes]:
    """Open a file for writing; on a bucket it appears when it is closed."""
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def write_lines(path: str, lines: Iterable[str]) -> None:
    with create(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def write_whole(path: str, content: bytes) -> None:
    """Write or replace a file, which appears whole or not at all."""
    with create(path) if files.is_url(path) else files.atomic_write(path) as file:
        file.write(content)


def delete(paths: Iterable[str]) -> None:
    """Delete the files that exist."""
    FileSystems.delete([path for path in paths if exists(path)])


def is_visible_image(name: str) -> bool:
    """Return whether a path in a folder is an image's, and nothing in it is hidden."""
    return image_names.has_image_suffix(name) and "/." not in f"/{name}"
