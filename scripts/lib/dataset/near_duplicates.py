"""Exact and near duplicates among images: the same one in another size, quality or format.

Each image becomes a 64-bit perceptual hash (ImageHash's `phash`: the signs of the lowest 8x8 frequencies of the
brightness, after Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Two images are
near duplicates where at most MAX_DISTANCE bits differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import files, parallel
from scripts.lib.core.errors import Finding
from scripts.lib.core.progress import progress
from scripts.lib.dataset.split import TEST, TRAINING
from scripts.lib.images import decode

# Bits of 64. Measured on 100 product photos: half the size at JPEG quality 60 changes at most 2, a crop of 2.5% mostly
# 2 to 8; the nearest two different images are 14 apart, half of all pairs 32.
MAX_DISTANCE = 6
_BLOCK = 2**22  # distances computed at a time: 32 MB


def perceptual_hash(path: Path) -> tuple[int | None, list[Finding]]:
    """Return the 64-bit hash of the upright image; without a hash, the findings say why."""
    import imagehash
    from PIL import ImageOps

    file = files.shown_path(path)
    data, findings = decode.read_bytes(path, file)
    if data is None:
        return None, findings
    try:
        with decode.opened(data) as image:
            image.draft("L", (128, 128))  # a JPEG is decoded at an eighth of its size, which the hash does not see
            is_common = image.mode in ("L", "RGB")
            upright = ImageOps.exif_transpose(image) if is_common else decode.upright_rgb(image)[0]
            return int(str(imagehash.phash(upright)), 16), []
    except Exception as error:  # Pillow's plugins raise whatever a broken file leads them to
        return None, [decode.unreadable(data, file, error)]


def hash_images(paths: Sequence[Path]) -> tuple[np.ndarray, list[Finding]]:
    """Return the hashes of the images that can be read, uint64[N], and a finding for each of the others."""
    hashing = parallel.ordered_map(perceptual_hash, paths, parallel.available_cores())
    results = list(progress(hashing, "comparing images", len(paths)))
    hashes = [value for value, _ in results if value is not None]
    return np.array(hashes, np.uint64), [finding for _, findings in results for finding in findings]


def near_pairs(hashes: np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Return all pairs whose hashes (uint64[N]) differ in few bits: int64[P, 2], indices i < j in rising order.

    Every pair is compared, a block at a time: some ten seconds for fifty thousand images.
    """
    pairs = [np.empty((0, 2), np.int64)]
    step = max(1, _BLOCK // max(1, len(hashes)))
    for start in progress(range(0, len(hashes), step), "comparing images", unit="block"):
        block = hashes[start : start + step, None]  # [B, 1]
        distances = np.bitwise_count(block ^ hashes[None, start:])  # [B, N - start]
        rows, columns = np.nonzero(distances <= max_distance)
        later = columns > rows
        pairs.append(np.stack([rows[later], columns[later]], axis=1) + start)
    return np.concatenate(pairs)


def group(hashes: np.ndarray, max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Return a group number for each image, int[N]: near duplicates, and theirs in turn, share one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    distinct, of_image = np.unique(hashes, return_inverse=True)  # many equal hashes would make quadratically many pairs
    first, second = near_pairs(distinct, max_distance).T
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(distinct), len(distinct)))
    return connected_components(links, directed=False)[1][of_image]


def find_duplicates(
    contents: Sequence[bytes], hashes: np.ndarray, sides: Sequence[str]
) -> list[tuple[int, int, int | None]]:
    """Return each image that repeats another one, once, with the most similar that it repeats.

    An image of the test set is compared with the training set first; if it repeats nothing there, with the images
    before it. `contents` are hashes of the files' bytes, `hashes` the perceptual ones, uint64[N], `sides` TRAINING,
    TEST, or "" for each image.

    Returns:
        Indices of image and other image, and the bits of their hashes that differ; None where the files are equal.
    """
    near: dict[int, list[tuple[int, int]]] = defaultdict(list)  # hash -> (distance, hash) of its neighbours
    distinct = np.unique(hashes)
    for pair in near_pairs(distinct):
        one, other = distinct[pair].tolist()
        distance = (one ^ other).bit_count()
        near[one].append((distance, other))
        near[other].append((distance, one))

    seen: dict[str, dict[bytes | int, int]] = {TRAINING: {}, TEST: {}, "": {}}  # content or hash -> the first image
    duplicates = []
    values = hashes.tolist()
    for index in sorted(range(len(sides)), key=lambda index: sides[index] != TRAINING):
        value, side = values[index], sides[index]
        alike = [(None, contents[index]), (0, value), *sorted(near[value])]
        for others in ([TRAINING], [TEST, ""]) if side == TEST else ([TRAINING, TEST, ""],):
            found = [(seen[other][key], distance) for distance, key in alike for other in others if key in seen[other]]
            if found:
                duplicates.append((index, *found[0]))
                break
        for key in (contents[index], value):
            seen[side].setdefault(key, index)
    return sorted(duplicates, key=lambda duplicate: duplicate[0])
