"""`benchmark.py data`: the data scripts against plain programs, their start-up, and their memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import files
from scripts.lib.core.parallel import available_cores
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Result, Run, best

PLAIN = ("-m", "tests.benchmarks.plain")
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
SCRIPTS = (
    "xml_to_csv.py",
    "split_dataset.py",
    "generate_tfrecord.py",
    "scripts/check_dataset.py",
    "scripts/make_sample_dataset.py",
)


class Size(NamedTuple):
    """How much is measured.

    Attributes:
        xml: annotation files converted for the speed.
        many_xml: ... for the memory.
        photos: recorded for the speed and the memory.
        few_photos: recorded to compare the memory with.
        decoded: photos that Pillow decodes for its rate.
        turns: how often each side runs.
    """

    xml: int
    many_xml: int
    photos: int
    few_photos: int
    decoded: int
    turns: int


FULL = Size(xml=20_000, many_xml=100_000, photos=5_000, few_photos=1_000, decoded=1_000, turns=3)
QUICK = Size(xml=5_000, many_xml=20_000, photos=1_000, few_photos=300, decoded=300, turns=2)


def measure(work_dir: Path, quick: bool) -> list[Result]:
    size = QUICK if quick else FULL
    source = made_input(work_dir, size)
    out = work_dir / "output"
    out.mkdir(exist_ok=True)
    try:
        return [
            *xml_speed(source, out, size),
            *records(source, out, size),
            *table_memory(source, out, size),
            *start_up(size),
        ]
    finally:
        shutil.rmtree(out)


def made_input(work_dir: Path, size: Size) -> Path:
    """The folder of `data_input.make`, made by an earlier run or now; whole or not at all."""
    folder = work_dir / f"data-{size.many_xml}-{size.photos}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        counts = size.many_xml, size.xml, size.photos, size.few_photos
        measuring.run(["-m", "tests.benchmarks.data_input", partial, *map(str, counts)])
        partial.rename(folder)
    return folder


def xml_speed(source: Path, out: Path, size: Size) -> Iterator[Result]:
    xml_dir, plain_csv = source / "annotations" / "00000", out / "plain.csv"
    ours, plain = measuring.in_turns(
        [xml_to_csv(xml_dir, out / "labels.csv"), [*PLAIN, "xml_to_csv", xml_dir, plain_csv]], size.turns
    )
    if (out / "labels.csv").read_text() != plain_csv.read_text():
        raise RuntimeError("xml_to_csv.py and the plain program differ in their results")
    # Half: every field is checked, and the plain program checks nothing.
    what = f"xml_to_csv, {size.xml:,} files: as fast as ElementTree and pandas"
    yield measuring.ratio(what, 0.5, best(plain), best(ours), "plain")


def xml_to_csv(xml_dir: Path, output_csv: Path) -> list[str]:
    return ["xml_to_csv.py", f"--annotations_dir={xml_dir}", f"--output_csv={output_csv}"]


def records(source: Path, out: Path, size: Size) -> Iterator[Result]:
    photos = source / "photos"
    verify = generate_tfrecord(source, out, size.photos)
    ours, pillow = measuring.in_turns([verify, [*PLAIN, "decode", photos, str(size.decoded)]], size.turns)
    verified = best(ours)
    yield verification(verified, pillow, size)

    loop = [*PLAIN, "tfrecord", source / f"photos_{size.photos}.csv", photos, out / "plain.record"]
    ours, plain = measuring.in_turns([[*verify, "--trust_images"], loop], size.turns)
    what = f"generate_tfrecord --trust_images, {size.photos:,} photos: as fast as a loop over tf.io"
    yield measuring.ratio(what, 4, best(plain), best(ours), "loop")

    few = measuring.run(generate_tfrecord(source, out, size.few_photos))
    for number, measured in ((size.few_photos, few), (size.photos, verified)):
        yield measuring.memory(f"generate_tfrecord, {number:,} photos: memory", 600, measured)


def generate_tfrecord(source: Path, out: Path, num_photos: int) -> list[str]:
    return [
        "generate_tfrecord.py",
        f"--csv_input={source / f'photos_{num_photos}.csv'}",
        f"--label_map={LABEL_MAP}",
        f"--image_dir={source / 'photos'}",
        f"--output_path={out / 'photos.record'}",
    ]


def verification(ours: Run, pillow: Sequence[Run], size: Size) -> Result:
    """The rate of the whole process, each photo decoded, against that of Pillow on one core, its import left out."""
    seconds = [[float(text) for text in run.output.split()] for run in pillow]
    wall, cpu = (min(times) / size.decoded for times in zip(*seconds, strict=True))  # of one photo
    cores = available_cores()
    return Result(
        f"generate_tfrecord, {size.photos:,} photos, all decoded: as fast as Pillow on one of {cores} cores",
        target=0.8 * cores,
        measured=size.photos / ours.wall * wall,
        by_cpu=None if ours.cpu is None else size.photos / ours.cpu * cpu * cores,
        unit="x",
        at_least=True,
        detail=f"{ours}: {size.photos / ours.wall:.0f} photos/s; Pillow {1 / wall:.0f} photos/s (CPU {1 / cpu:.0f})",
    )


def table_memory(source: Path, out: Path, size: Size) -> Iterator[Result]:
    labels = out / "labels.csv"
    split = ["split_dataset.py", f"--csv_input={labels}"]
    split += [f"--{name}={out / name}.csv" for name in ("train_csv", "test_csv", "summary_csv")]
    for name, command in (("xml_to_csv", xml_to_csv(source / "annotations", labels)), ("split_dataset", split)):
        run = measuring.run(command, watch_children=True)
        yield measuring.memory(f"{name}, {size.many_xml:,} annotations: memory", 400, run)


def start_up(size: Size) -> Iterator[Result]:
    scripts = [script for script in SCRIPTS if files.default_path(script).exists()]
    turns = measuring.in_turns([[script, "--help"] for script in scripts], size.turns)
    for script, run in zip(scripts, map(best, turns), strict=True):
        yield Result(f"{script} --help", 0.6, run.wall, "s", run.cpu)
