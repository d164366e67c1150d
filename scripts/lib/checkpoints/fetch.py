"""Get a pre-trained model: download its archive, compare it with the pin of its first use, and put it in its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.lib.checkpoints import archive, pretrained
from scripts.lib.checkpoints.pretrained import PretrainedModel
from scripts.lib.core import files, http
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.files import shown_path
from scripts.lib.core.wording import counted

_GZIP = b"\x1f\x8b"
_MAX_BYTES = 2 * 2**30  # of an archive; the largest, NAS, has half of it


def check_present(model: PretrainedModel, folder: Path) -> str:
    """Compare a model's folder with its pin, or pin a folder that came here by other means; return a sentence on it.

    Raises:
        DataError: files differ, or the checkpoint is missing.
    """
    if findings := pretrained.check(folder):
        raise DataError(findings)
    if lack := pretrained.lacks(model, folder):
        raise DataError([f"{shown_path(folder)} {lack}; remove it and run this command again."])
    if pretrained.read_pin(folder):
        return f"{shown_path(folder)} is there already; its files are those of the first use."
    pretrained.write_pin(folder, "found in its place", None, pretrained.digests(folder))
    return f"{shown_path(folder)} was there already; pinned in {shown_path(pretrained.pin_path(folder))}."


def get(model: PretrainedModel, folder: Path, source: str | None) -> str:
    """Make a model's folder, whole or not at all, of its archive; return a sentence on it.

    Args:
        model, folder: the model and its place.
        source: the archive's path or address; None: the archive beside the folder, or else the model's addresses.

    Raises:
        UsageError: there is no such file, or its address is not http or https.
        DataError: the archive cannot be downloaded, or is not the one it should be.
    """
    beside = folder.with_name(model.archive)
    if source is None and beside.is_file():
        source = str(beside)
    try:
        if source is None or files.is_url(source):
            return _download_and_install(model, folder, [source] if source else model.urls)
        if Path(source).is_file():
            return _install(model, folder, Path(source), shown_path(source))
    except DataError as error:
        raise DataError(error.findings, f"{shown_path(folder)} was not made") from error
    remedy = f"give the archive, or copy a folder with the checkpoint to {shown_path(folder)} yourself"
    raise UsageError(f"--from {shown_path(source)}: there is no such file; {remedy}")


def _download_and_install(model: PretrainedModel, folder: Path, urls: Sequence[str]) -> str:
    partial = folder.with_name(f".{model.archive}.partial")
    url = _download(model, urls, partial)
    try:
        sentence = _install(model, folder, partial, url)
    except DataError:  # the same bytes would be refused again
        files.remove(partial)
        raise
    files.remove(partial)
    return sentence


def _download(model: PretrainedModel, urls: Sequence[str], partial: Path) -> str:
    """Download the archive from the first address that has it, and return the address."""
    failures = []
    for url in urls:
        if not http.is_web_address(url):
            raise UsageError(f"--from {url}: only files, http:// and https:// are read")
        arrived = http.size(partial)
        print(f"Trying {url}" + (f", from byte {arrived:,} on" if arrived else ""), flush=True)
        try:
            http.download(url, partial, model.archive, begins=_GZIP, max_bytes=_MAX_BYTES)
            return url
        except http.DownloadError as error:
            failures.append(f"{url}: {error}")
            print(f"  {error}.", flush=True)
    beside = shown_path(partial.with_name(model.archive))
    remedy = f"fetch {urls[-1]} by other means, save it as {beside} and run this command again"
    kept = "; what has arrived is kept, and this command goes on from there" if http.size(partial) else ""
    raise DataError([f"{model.archive} could not be downloaded ({'; '.join(failures)}); {remedy}{kept}."])


def _install(model: PretrainedModel, folder: Path, path: Path, source: str) -> str:
    """Unpack an archive beside the model's place, check what came out, pin it and move it to its place.

    Raises:
        DataError: the archive is not the one of the first use, unsafe, damaged, or of another model.
    """
    archive_digest = pretrained.digest(path)
    print(f"{model.archive}: {archive_digest}")
    pin = pretrained.read_pin(folder)
    with files.scratch_beside(folder) as scratch:
        content_dir = scratch / "content"  # one that colleagues may read, unlike the temporary one
        content_dir.mkdir()
        unpacked = archive.unpack(path, content_dir)
        # The checkpoints of the detection zoo all have the same name; the archive's folder tells them apart.
        for other in pretrained.MODELS:
            if other != model and other.archive.startswith(f"{unpacked.name}."):
                raise DataError([f"{source} is the archive of {other.name}, not of {model.name}."])
        if lack := pretrained.lacks(model, unpacked):
            raise DataError([f"the archive of {source} {lack}; it is not that of {model.name}."])
        found = pretrained.digests(unpacked)
        if pin and pin != found:
            message = f"{source} is not the {model.archive} of the first use: it holds other files"
            trust = f"if you trust this one, remove {shown_path(pretrained.pin_path(folder))}"
            raise DataError([f"{message}; take the former one, or, {trust}."])
        if not pin:
            pretrained.write_pin(folder, source, archive_digest, found)
        files.replace_folder(unpacked, folder)
    how = "the same as on first use" if pin else f"pinned in {shown_path(pretrained.pin_path(folder))}"
    return f"{shown_path(folder)}: {counted(len(found), 'file')}, {how}."
