"""The annotation formats, one module each; the module's name is what `--format` takes.

A new format is one new file in this folder. `registry.py` finds it; the choices of `--format`, the help texts and the
messages follow. The module holds:

    TITLE: str          the format in a few words, for help and messages
    NEEDS_IMAGES: bool  True if the files do not state the size of the images, so that the images are needed
    IS_DATA_SET: bool   True for a published data set, known by the names of its files. It is looked for first, since
                        its lists have the suffixes of other formats.

    select_files(path: Path, listed: list[str]) -> list[str]
        Return the annotation files of this format, in order.
        path: the folder of annotations, or one file; listed: all files below that folder, or that file.

    read(file: str, path: Path, images: ImageFolder | None) -> tuple[list[Annotation], list[Finding]]
        Return the annotations of one file, one per image, and what is wrong with it or was settled.
        file, path: as above; images: the folder of the images; None only if NEEDS_IMAGES is False.
        Raise DataError or OSError if the file cannot be read at all; both become findings.

`parsing.py` has what most formats need: lines, numbers, class names, and the size of an image.
"""
