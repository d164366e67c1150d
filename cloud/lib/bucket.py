"""Addresses and files on a bucket, by `gcloud storage`."""

from __future__ import annotations

import base64
import fnmatch
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cloud.lib import gcloud
from scripts.lib.core.errors import DataError, UsageError

PREFIX = "gs://"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class Object(NamedTuple):
    """A file on a bucket: bytes, and its CRC-32C, base64 of the big-endian number, where the bucket knows it."""

    size: int
    crc32c: str | None


def check_name(name: str) -> str:
    """A bucket's name, also given as gs://NAME/.

    Raises:
        UsageError: it is none.
    """
    name = name.removeprefix(PREFIX).rstrip("/")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--bucket {name!r} is no bucket's name: 3 to 222 lower-case letters, digits, -, _ and dots")
    return name


def location(name: str) -> tuple[str, str]:
    """Where a bucket lies, e.g. ("us-central1", "region") or ("us", "multi-region").

    Raises:
        DataError: there is no such bucket, or it may not be seen.
    """
    described = gcloud.run_json("storage", "buckets", "describe", f"{PREFIX}{name}")
    return described["location"].lower(), described.get("location_type", "region").lower()


def check_location(name: str, region: str) -> list[str]:
    """What is wrong with the bucket's place for jobs in a region, a sentence each.

    Raises:
        DataError: as `location`.
    """
    place, kind = location(name)
    if kind == "region" and place != region:
        return [
            f"the bucket {PREFIX}{name} lies in {place}, and the job would run in {region}: every step would read "
            f"across; give --region {place}, or a bucket in {region}"
        ]
    if kind != "region":
        return [
            f"the bucket {PREFIX}{name} is a {kind} one ({place}): jobs take buckets of one region; make one with "
            f"`gcloud storage buckets create {PREFIX}NAME --location={region} --uniform-bucket-level-access`"
        ]
    return []


def listing(patterns: Iterable[str], limit: int | None = None) -> dict[str, Object]:
    """The files that addresses match, which may hold * and ?; what matches nothing adds nothing.

    Args:
        patterns: the addresses.
        limit: at most so many files, where there may be millions.

    Raises:
        DataError: the bucket cannot be read.
    """
    flags = [f"--limit={limit}"] if limit else []
    patterns = sorted(set(patterns))
    entries = gcloud.run_json("storage", "objects", "list", *patterns, *flags) if patterns else []
    return {
        f"{PREFIX}{entry['bucket']}/{entry['name']}": Object(int(entry["size"]), entry.get("crc32c_hash"))
        for entry in entries
    }


def matching(addresses: Iterable[str], pattern: str) -> list[str]:
    """The addresses that a record's path or pattern stands for."""
    return sorted(fnmatch.filter(addresses, pattern))


def crc32c(path: Path) -> str:
    """A local file's CRC-32C as a bucket spells it."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()


def read(address: str) -> bytes:
    """The content of a small file.

    Raises:
        DataError: it cannot be read.
    """
    done = gcloud.attempt("storage", "cat", address, capture_output=True)
    if done.returncode:
        raise DataError([f"{address}: {gcloud.explain(done.stderr.decode(errors='replace'))}"])
    return done.stdout


def copy_command(sources: Sequence[str], target: str) -> list[str]:
    return ["storage", "cp", *sources, target]
