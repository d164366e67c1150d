"""Downloads a pre-trained model, for a config's fine_tune_checkpoint, into pretrained/NAME/.

In:   its name; a network, or its archive, fetched by other means.
Out:  pretrained/NAME/ with its checkpoint, and beside it pretrained/NAME.json: size and SHA-256 of archive and files,
      written on first use and compared ever after, here and by train.py.

A download that was cut off goes on where it was. Nothing of an archive can lead outside its folder, and the folder
appears whole or not at all. Without a network, save the archive as pretrained/<its own name>, or give it by --from.

  python scripts/download_model.py ssd_mobilenet_v1_coco_2018_01_28
  python scripts/download_model.py mobilenet_v1_1.0_224 --from /media/stick/mobilenet_v1_1.0_224.tgz
  python scripts/download_model.py --list
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.checkpoints import archive, download, pretrained
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError

GZIP = b"\x1f\x8b"


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    if args.list:
        print(table())
        return 0
    model = pretrained.find(args.name)
    folder = args.output_dir / model.name
    command_line.check_output("output_dir", pretrained.pin_path(folder), pretrained.PIN_HEAD, "pin of a model")
    if folder.exists():
        check_present(model, folder)
    else:
        get(model, folder, args.source)
    print(how_to_use(model, folder))
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("name", nargs="?", help="one of --list; the name of its archive will do, too")
    parser.add_argument("--list", action="store_true", help="show the models that there are")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE_OR_URL",
        help="the archive at another place: a file, or an http(s) address such as a mirror's",
    )
    parser.add_argument(
        "--output_dir", type=local_path, default=pretrained.FOLDER, help="folder of the models' folders"
    )
    args = parser.parse_args(argv)
    if not args.name and not args.list:
        raise UsageError("name a model, or give --list to see which there are")
    return args


def table() -> str:
    width = max(len(model.name) for model in pretrained.MODELS)
    return "\n".join(f"{model.name:{width}}  {model.trained_on:39}  {model.archive}" for model in pretrained.MODELS)


def how_to_use(model: pretrained.Model, folder: Path) -> str:
    return (
        f'In a config: fine_tune_checkpoint: "{files.shown_path(folder / model.checkpoint)}" '
        f'fine_tune_checkpoint_type: "{model.fine_tune_checkpoint_type}"'
    )


# ---------------------------------------------------------------------------------------------- a model that is there


def check_present(model: pretrained.Model, folder: Path) -> None:
    """Compares a model's folder with its pin; a folder that came here by other means is pinned.

    Raises:
        DataError: files differ, or the checkpoint is missing.
    """
    if findings := pretrained.check(folder):
        raise DataError(findings)
    raise_if_incomplete(model, folder, files.shown_path(folder), "remove it and run this command again")
    if pretrained.read_pin(folder):
        print(f"{files.shown_path(folder)} is there already; its files are those of the first use.")
    else:
        pin(folder, pretrained.Pin("found in its place", None, pretrained.digests(folder)))
        print(
            f"{files.shown_path(folder)} was there already; pinned in {files.shown_path(pretrained.pin_path(folder))}."
        )


def raise_if_incomplete(model: pretrained.Model, folder: Path, name: str, remedy: str) -> None:
    if lack := pretrained.lacks(model, folder):
        raise DataError([f"{name} {lack}; {remedy}."])


def pin(folder: Path, content: pretrained.Pin) -> None:
    with files.atomic_write(pretrained.pin_path(folder), "w") as file:
        file.write(content.text())


# -------------------------------------------------------------------------------------------------- a model to be got


def get(model: pretrained.Model, folder: Path, source: str | None) -> None:
    """Gets the archive, from a file that is at hand or over the network, and makes the model's folder of it."""
    at_hand = folder.with_name(model.archive)
    if source is None and at_hand.is_file():
        source = str(at_hand)
    try:
        if source is None or files.is_url(source):
            download_and_install(model, folder, [source] if source else model.urls, at_hand)
        elif Path(source).is_file():
            install(model, folder, Path(source), files.shown_path(source))
        else:
            is_folder = Path(source).is_dir()
            remedy = f"is a folder: copy it to {files.shown_path(folder)} and run this again, without --from"
            raise UsageError(f"--from {files.shown_path(source)}: {remedy if is_folder else 'there is no such file'}")
    except DataError as error:
        raise DataError(error.findings, f"{files.shown_path(folder)} was not made") from error


def download_and_install(model: pretrained.Model, folder: Path, urls: Sequence[str], at_hand: Path) -> None:
    partial = folder.with_name(f".{model.archive}.partial")
    url = fetch(model, urls, partial, at_hand)
    try:
        install(model, folder, partial, url)
    except DataError:  # what is at fault would be so again
        download.discard(partial)
        raise
    download.discard(partial)


def fetch(model: pretrained.Model, urls: Sequence[str], partial: Path, at_hand: Path) -> str:
    """Downloads the archive from the first address that has it, and returns that.

    Raises:
        UsageError: an address that is neither http nor https.
        DataError: none has it; one sentence says what to fetch by other means and where to put it.
    """
    failures = []
    for url in urls:
        if not url.lower().startswith(("http://", "https://")):
            raise UsageError(f"--from {url}: only files, http:// and https:// are read")
        arrived = download.size(partial)
        print(f"Trying {url}" + (f", from byte {arrived:,} on" if arrived else ""), flush=True)
        try:
            download.fetch(url, partial, model.archive, begins=GZIP)
            return url
        except download.Failed as failure:
            failures.append((url, failure))
            print(f"  {failure}.", flush=True)
    if any(failure.reached for _, failure in failures):
        reasons = "; ".join(f"{url}: {failure}" for url, failure in failures)
        what = f"{model.archive} could not be downloaded ({reasons})"
    else:
        what = f"no server could be reached for {model.archive} ({failures[-1][1]})"
    kept = "; what has arrived is kept, and this command goes on from there" if download.size(partial) else ""
    remedy = f"fetch {urls[-1]} by other means, save it as {files.shown_path(at_hand)} and run this command again"
    raise DataError([f"{what}; {remedy}{kept}."])


def install(model: pretrained.Model, folder: Path, path: Path, source: str) -> None:
    """Unpacks an archive beside the model's place, checks what came out, pins it and moves it there.

    Raises:
        DataError: the archive is not the one of the first use, unsafe, damaged, or of another model.
    """
    found = pretrained.digest(path)
    print(f"{model.archive}: {found}")
    pinned = pretrained.read_pin(folder)
    if pinned and pinned.archive not in (None, found):
        difference = f"{found}; on first use it had {pinned.archive}"
        raise DataError([changed(model, folder, source, pinned, difference)])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{model.name}.partial-") as temporary:
        content_dir = Path(temporary) / "content"  # one that colleagues may read, unlike the temporary one
        content_dir.mkdir()
        unpacked = archive.unpack(path, content_dir)
        refuse_other_model(model, unpacked, source)
        raise_if_incomplete(model, unpacked, f"the archive of {source}", f"it is not that of {model.name}")
        content = pretrained.digests(unpacked)
        if pinned and pinned.files != content:
            raise DataError([changed(model, folder, source, pinned, "other files than on first use")])
        if not pinned:
            pin(folder, pretrained.Pin(source, found, content))
        files.replace_folder(unpacked, folder)
    how = "the same as on first use" if pinned else f"pinned in {files.shown_path(pretrained.pin_path(folder))}"
    print(f"{files.shown_path(folder)}: {len(content)} files, {how}.")


def changed(model: pretrained.Model, folder: Path, source: str, pinned: pretrained.Pin, difference: str) -> str:
    pin_name = files.shown_path(pretrained.pin_path(folder))
    return (
        f"{source} is not the {model.archive} of the first use, from {pinned.source}: it has {difference}; "
        f"take the former one, or, if you trust this one, remove {pin_name}."
    )


def refuse_other_model(model: pretrained.Model, unpacked: Path, source: str) -> None:
    """The checkpoints of the detection zoo all have the same name; what tells them apart is the archive's folder."""
    others = [other for other in pretrained.MODELS if other != model and other.archive.startswith(f"{unpacked.name}.")]
    if others:
        raise DataError([f"{source} is the archive of {others[0].name}, not of {model.name}."])


if __name__ == "__main__":
    command_line.run(main)
