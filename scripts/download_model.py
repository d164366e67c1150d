"""Download a pre-trained model, for a config's fine_tune_checkpoint, into pretrained/NAME/.

In:   the model's name, and a network connection or its archive.
Out:  pretrained/NAME/ with its checkpoint, and beside it pretrained/NAME.json: size and SHA-256 of archive and files,
      written on first use; from then on the files are compared with it, here and by train.py.

An interrupted download resumes. Without a network, save the archive as pretrained/<its own name>, or give it by --from.

  python scripts/download_model.py ssd_mobilenet_v1_coco_2018_01_28
  python scripts/download_model.py mobilenet_v1_1.0_224 --from /media/stick/mobilenet_v1_1.0_224.tgz
  python scripts/download_model.py --list
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.checkpoints import fetch, pretrained
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import UsageError


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    if args.list:
        print(table())
        return 0
    model = pretrained.find(args.name)
    folder = args.output_dir / model.name
    command_line.check_output("output_dir", pretrained.pin_path(folder), pretrained.PIN_HEAD, "pin of a model")
    files.put_back(folder)
    print(fetch.check_present(model, folder) if folder.exists() else fetch.get(model, folder, args.source))
    checkpoint, kind = files.shown_path(folder / model.checkpoint), model.fine_tune_checkpoint_type
    print(f'In a config: fine_tune_checkpoint: "{checkpoint}" fine_tune_checkpoint_type: "{kind}"')
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("name", nargs="?", help="model: one of --list, or the name of its archive")
    parser.add_argument("--list", action="store_true", help="list the models")
    origin = "its archive: a file, or the http(s) address of a mirror"
    parser.add_argument("--from", dest="source", metavar="FILE_OR_URL", help=origin)
    parser.add_argument("--output_dir", type=local_path, default=pretrained.FOLDER, help="folder for the models")
    args = parser.parse_args(argv)
    if not args.name and not args.list:
        raise UsageError("name a model, or give --list to see which there are")
    return args


def table() -> str:
    width = max(len(model.name) for model in pretrained.MODELS)
    return "\n".join(f"{model.name:{width}}  {model.trained_on:39}  {model.archive}" for model in pretrained.MODELS)


if __name__ == "__main__":
    command_line.run(main)
