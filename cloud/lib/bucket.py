"""Addresses and files on a bucket, by `gcloud storage`."""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cloud.lib import gcloud

PREFIX = "gs://"


class StoredFile(NamedTuple):
    """Size of a file on a bucket in bytes, and its CRC-32C in base64 (None if the bucket does not know it)."""

    size: int
    crc32c: str | None


def bucket_name(text: str) -> str:
    """An argparse type: the name of a bucket, also as gs://NAME/."""
    name = text.removeprefix(PREFIX).rstrip("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
        expected = "expected 3 to 222 lower-case letters, digits, -, _ and dots"
        raise argparse.ArgumentTypeError(f"{text!r} is not a bucket name: {expected}")
    return name


def address(text: str) -> str:
    """An argparse type: an address on a bucket, without a slash at its end."""
    if not re.fullmatch(r"gs://[^/]+/.*[^/]/*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address on a bucket: expected gs://BUCKET/NAME")
    return text.rstrip("/")


def check_location(name: str, region: str) -> list[str]:
    """Return a sentence if jobs of a region cannot use the bucket."""
    described = gcloud.run_json("storage", "buckets", "describe", f"{PREFIX}{name}")
    location = described["location"].lower()
    if location == region:
        return []
    found = f"the bucket {PREFIX}{name} is in {location}, but the job would run in {region}"
    return [f"{found} and read from far away in every step; give the bucket's --region, or a bucket in {region}"]


def listing(patterns: Iterable[str], limit: int | None = None) -> dict[str, StoredFile]:
    """Return the files that addresses with * and ? match, at most `limit`: address -> file."""
    flags = [f"--limit={limit}"] if limit else []
    patterns = sorted(set(patterns))
    entries = gcloud.run_json("storage", "objects", "list", *patterns, *flags) if patterns else []
    return {
        f"{PREFIX}{entry['bucket']}/{entry['name']}": StoredFile(int(entry["size"]), entry.get("crc32c_hash"))
        for entry in entries
    }


def crc32c(path: Path) -> str:
    """Return a local file's CRC-32C as a bucket spells it: base64 of the big-endian number."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()
