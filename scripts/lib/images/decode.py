"""Image files, opened and decoded: uint8 [height, width, 3], red, green, blue, upright."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.images import jpeg

if TYPE_CHECKING:
    import numpy as np

MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # where Pillow begins to suspect a decompression bomb: 256 MB of RGB
LARGE_PIXELS = 2**24  # larger images are decoded one at a time, whatever the number of threads, to save memory
MAX_BYTES = 3 * MAX_PIXELS  # of a file: as large as the largest image without compression
MIN_SIDE = 16  # pixels; a smaller image shows no garment: a tracking pixel, a failed download

_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # an MPO is opened as JPEG
_OTHER_FORMATS = ("WEBP", "TIFF", "AVIF", "PPM", "JPEG2000")  # Pillow has more; its EPS would start Ghostscript
_REPLACE = "replace the file with an intact copy, or remove it and its annotation"
_one_at_a_time = threading.Lock()

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is an error here
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata, which does not concern the pixels


def read(path: Path) -> tuple[np.ndarray | None, list[Finding]]:
    """Read an image file; without an image, the findings say why."""
    data, findings = read_bytes(path, files.shown_path(path))
    return (None, findings) if data is None else decode(data, files.shown_path(path))


def local_content(path: Path | str) -> tuple[int, bytes]:
    """Return a file's size, and its bytes unless it has more than `MAX_BYTES`."""
    with io.FileIO(path) as file:
        size = os.fstat(file.fileno()).st_size
        return size, file.readall() if size <= MAX_BYTES else b""


def read_bytes(
    path: Path | str, file: str, content: Callable[[Path | str], tuple[int, bytes]] = local_content
) -> tuple[bytes | None, list[Finding]]:
    """Read the bytes of an image file, `file` in the findings; without bytes, they say why."""
    try:
        size, data = content(path)
    except FileNotFoundError:
        return None, [Finding(ERROR, "image-missing", file, "there is no such image", "check its name")]
    except (OSError, ValueError) as error:  # ValueError: the name itself
        message = f"the image cannot be read: {getattr(error, 'strerror', None) or error}"
        remedy = "check the file's permissions, and on Windows whether its path has more than 259 characters"
        return None, [Finding(ERROR, "image-unreadable", file, message, remedy)]
    if size <= MAX_BYTES:
        return data, []
    message = f"the image file has {size / 2**20:.0f} MB, the limit is {MAX_BYTES / 2**20:.0f} MB"
    return None, [Finding(ERROR, "image-too-large", file, message, "shrink it in an image editor")]


def decode(data: bytes, file: str) -> tuple[np.ndarray | None, list[Finding]]:
    """Decode the bytes of an image file, `file` in the findings; without an image, they say why."""
    try:
        return pixels(data), []
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        return None, [unreadable(data, file, error)]


def pixels(data: bytes) -> np.ndarray:
    """Return the pixels as the trainer's reader decodes them.

    TensorFlow decodes JPEG with libjpeg's fast, less exact transform, which training, and so the model, has seen;
    simplejpeg with `fastdct` gives the same pixels (see records/read.py), in half of Pillow's time.

    Raises:
        OSError, ValueError, ...: what `decode` reports as a finding.
    """
    import numpy as np
    import simplejpeg

    if plain_jpeg_size(data):
        with contextlib.suppress(ValueError):  # Pillow may accept what libjpeg-turbo refuses
            return simplejpeg.decode_jpeg(data, "RGB", fastdct=True, strict=True)
    with opened(data) as image:
        return np.asarray(upright_rgb(image))


def plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG that needs no look by Pillow: see `jpeg.plain_size`, and of usual size."""
    size = jpeg.plain_size(data)
    return size if size and min(size) >= MIN_SIDE and size[0] * size[1] <= LARGE_PIXELS else None


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Open an image that is going to be decoded; large ones one at a time.

    Raises:
        DecompressionBombError: it has more than `MAX_PIXELS`; or what else `unreadable` explains.
    """
    with open_image(data) as image:
        num_pixels = image.width * image.height
        if num_pixels > MAX_PIXELS:
            raise Image.DecompressionBombError(image.size)
        with _one_at_a_time if num_pixels > LARGE_PIXELS else contextlib.nullcontext():
            yield image


def open_image(source: bytes | Path) -> Image.Image:
    """Open an image by its content, or raise what `unreadable` explains; plugins for rare formats are loaded late.

    All images of others are opened here, since Pillow would try every format it has: for EPS it starts Ghostscript.
    """
    try:
        return Image.open(_opened_file(source), formats=_COMMON_FORMATS)
    except Image.UnidentifiedImageError:
        Image.init()
        return Image.open(_opened_file(source), formats=[name for name in _OTHER_FORMATS if name in Image.OPEN])


def _opened_file(source: bytes | Path) -> io.BytesIO | Path:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where it is missing or invalid. In a PNG only EXIF ahead of the pixels counts."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


_TRANSPOSE = {  # EXIF 2.32, section 4.6.4, tag 0x0112: turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return the first frame upright, in 8 bits of RGB, with transparent parts white as on a catalogue page."""
    transpose = _TRANSPOSE.get(orientation(image))
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    image = image.convert("RGB")
    return image if transpose is None else image.transpose(transpose)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return 16-bit gray as 8-bit gray by its high byte, as libpng does; Pillow's own conversion clips at 255."""
    import numpy as np

    values = np.asarray(image)
    if values.dtype.kind == "f" or values.max(initial=0) <= 255:
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return Image.fromarray((np.clip(values, 0, 65535).astype(np.uint16) >> 8).astype(np.uint8))


def unreadable(data: bytes, file: str, error: Exception) -> Finding:
    """Return the error of an image whose bytes cannot be opened or decoded: Pillow raised `error`."""
    if not data:
        return Finding(ERROR, "image-empty", file, "the image file is empty (0 bytes)", _REPLACE)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        found = error.args[0]  # ours: the size; Pillow's own: a sentence
        size = "of {}x{} pixels ".format(*found) if isinstance(found, tuple) else ""
        message = f"the image {size}exceeds the limit of {MAX_PIXELS / 1e6:.0f} million pixels (a decompression bomb?)"
        remedy = "shrink it in an image editor, or remove it and its annotation"
        return Finding(ERROR, "image-too-large", file, message, remedy)
    if isinstance(error, Image.UnidentifiedImageError):
        if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc"):
            message = "the file is a HEIC image, which is not supported"
            return Finding(ERROR, "image-unreadable", file, message, "save it as JPEG")
        start = data[:16].lstrip().lower()
        what = "a web page" if start.startswith((b"<!doctype", b"<html")) else "not an image that can be read"
        return Finding(ERROR, "image-unreadable", file, f"the file is {what} (it begins with {data[:8]!r})", _REPLACE)
    reason = str(error)
    if "truncated" in reason.lower() and not reason.startswith("it is truncated"):
        reason = "it is truncated"  # Pillow says it in several ways
    message = f"the image is damaged: {reason or type(error).__name__}"
    return Finding(ERROR, "image-unreadable", file, message, _REPLACE)
