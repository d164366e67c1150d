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
from scripts.lib.core.errors import ERROR, NOTE, Finding
from scripts.lib.images import jpeg

if TYPE_CHECKING:
    import numpy as np

MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # where Pillow begins to suspect a decompression bomb: 256 MB of RGB
LARGE_PIXELS = 2**24  # larger images are looked at by Pillow first
PIXELS_AT_ONCE = 2**26  # of all images that threads work on: 200 MB, and as much again for each copy
MAX_BYTES = 3 * MAX_PIXELS  # of a file: as large as the largest image without compression
MIN_SIDE = 16  # pixels; a smaller image shows no garment: a tracking pixel, a failed download

_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # an MPO is opened as JPEG
_OTHER_FORMATS = ("WEBP", "TIFF", "AVIF", "PPM", "JPEG2000")  # Pillow has more; its EPS would start Ghostscript
_REPLACE = "replace the file with an intact copy, or remove it and its annotation"
_turns, _own_turn, _pixels_under_way = threading.Condition(), threading.local(), [0]

Image.core.set_block_size(
    2**26
)  # pieces beyond 32 MB go back to the system; others stay with the thread that used them
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
        remedy = files.too_long(path) or "check its name"
        return None, [Finding(ERROR, "image-missing", file, "there is no such image", remedy)]
    except (OSError, ValueError) as error:  # ValueError: the name itself
        message = f"the image cannot be read: {getattr(error, 'strerror', None) or error}"
        return None, [Finding(ERROR, "image-unreadable", file, message, "check the file's permissions")]
    if size <= MAX_BYTES:
        return data, []
    message = f"the image file has {size / 2**20:.0f} MB, the limit is {MAX_BYTES / 2**20:.0f} MB"
    return None, [Finding(ERROR, "image-too-large", file, message, "shrink it in an image editor")]


def decode(data: bytes, file: str) -> tuple[np.ndarray | None, list[Finding]]:
    """Decode the bytes of an image file, `file` in the findings; without an image, they say why.

    With one, a note says whether its values were scaled to 8 bits.
    """
    try:
        decoded, scaling = _decoded(data)
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        return None, [unreadable(data, file, error)]
    return decoded, scaling_note(file, scaling)


def scaling_note(file: str, scaling: str) -> list[Finding]:
    """Return the note of what `upright_rgb` did to the values of an image."""
    return [Finding(NOTE, "image-scaled", file, scaling)] if scaling else []


def pixels(data: bytes) -> np.ndarray:
    """Return the pixels; raise OSError, ValueError, ...: what `decode` reports as a finding."""
    return _decoded(data)[0]


def _decoded(data: bytes) -> tuple[np.ndarray, str]:
    """Return the pixels as the trainer's reader decodes them, and how their values were scaled.

    TensorFlow decodes JPEG with libjpeg's fast, less exact transform, which training, and so the model, has seen;
    simplejpeg with `fastdct` gives the same pixels (see records/read.py), in half of Pillow's time.
    """
    import numpy as np
    import simplejpeg

    if plain_jpeg_size(data):
        with contextlib.suppress(ValueError):  # Pillow may accept what libjpeg-turbo refuses
            return simplejpeg.decode_jpeg(data, "RGB", fastdct=True, strict=True), ""
    with opened(data) as image:
        upright, scaling = upright_rgb(image)
        return np.asarray(upright), scaling


def plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG that needs no look by Pillow: see `jpeg.plain_size`, and of usual size."""
    size = jpeg.plain_size(data)
    return size if size and min(size) >= MIN_SIDE and size[0] * size[1] <= LARGE_PIXELS else None


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Open an image that is going to be decoded, when it is its turn.

    Raises:
        DecompressionBombError: it has more than `MAX_PIXELS`; or what else `unreadable` explains.
    """
    with open_image(data) as image:
        num_pixels = image.width * image.height
        if num_pixels > MAX_PIXELS:
            raise Image.DecompressionBombError(image.size)
        if image.format in ("JPEG", "MPO") and (scans := jpeg.too_many_scans(data)):
            raise Image.DecompressionBombError(f"the JPEG has {scans} scans")
        with in_turn(num_pixels):
            yield image


@contextlib.contextmanager
def in_turn(num_pixels: int) -> Iterator[None]:
    """Wait until the images in work have room for one more in `PIXELS_AT_ONCE`; a larger one is in work alone."""
    if getattr(_own_turn, "has_begun", False) or not num_pixels:
        yield
        return
    num_pixels = min(num_pixels, PIXELS_AT_ONCE)
    with _turns:
        _turns.wait_for(lambda: _pixels_under_way[0] + num_pixels <= PIXELS_AT_ONCE)
        _pixels_under_way[0] += num_pixels
    _own_turn.has_begun = True
    try:
        yield
    finally:
        _own_turn.has_begun = False
        with _turns:
            _pixels_under_way[0] -= num_pixels
            _turns.notify_all()


def num_pixels(data: bytes) -> int:
    """Return the number of pixels of a usual JPEG; 0 for other images, which `opened` lets wait by themselves."""
    width, height = jpeg.plain_size(data) or (0, 0)
    return width * height


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


class DepthError(ValueError):
    """The values of an image cannot be brought to 8 bits."""


def upright_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Return the first frame upright, in 8 bits of RGB, with transparent parts white as on a catalogue page.

    Also returns how values of more than 8 bits were scaled, a sentence without its full stop; empty if they fill their
    range.

    Raises:
        DepthError: they cannot be scaled.
    """
    transpose = _TRANSPOSE.get(orientation(image))
    scaling, is_deep = "", _is_deep_colour(image)
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        image, scaling = _eight_bits(image)
    if is_deep and max(high for _, high in image.convert("RGB").getextrema()) < 64:  # Pillow has kept the high bytes
        raise DepthError("has 16 bits a channel, but uses at most 14 of them: it would be nearly black")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    image = image.convert("RGB")
    return image if transpose is None else image.transpose(transpose), scaling


def _is_deep_colour(image: Image.Image) -> bool:
    """Return True for 16 bits a channel in colour, which Pillow cuts to 8; the image must not be loaded yet."""
    tile = getattr(image, "tile", None)  # of an image that was not opened from a file: none
    raw_mode = tile[0].args if tile else ""
    raw_mode = raw_mode[0] if isinstance(raw_mode, tuple) and raw_mode else raw_mode
    return image.mode in ("RGB", "RGBA", "LA") and ";16" in str(raw_mode)


def _eight_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Return gray of more than 8 bits, or of floating-point numbers, as 8-bit gray, and how it was scaled.

    16 bits give their high byte, as libpng does; fewer bits, such as a camera's 12, are shifted to fill the range.
    (Pillow's own conversion clips at 255.)
    """
    import numpy as np

    values = np.asarray(image)
    low, high = values.min().item(), values.max().item()
    if not np.isfinite(values).all():
        raise DepthError("has values that are not finite numbers")
    scaling = f"its values, {low:g} to {high:g}, were scaled to 8 bits"
    if low < 0 or (values.dtype.kind == "f" and high > 255):
        values = (values - float(low)) * (255 / (float(high) - low or 1))
    elif values.dtype.kind == "f":
        values, scaling = (values * 255, scaling) if high <= 1 else (values, "")
    else:
        bits = max(high.bit_length(), 8)
        values, scaling = values >> (bits - 8), scaling if bits not in (8, 16) else ""
    return Image.fromarray(np.round(values).astype(np.uint8)), scaling


def unreadable(data: bytes, file: str, error: Exception) -> Finding:
    """Return the error of an image whose bytes cannot be opened or decoded: Pillow raised `error`."""
    if not data:
        return Finding(ERROR, "image-empty", file, "the image file is empty (0 bytes)", _REPLACE)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        found = error.args[0]  # ours: the size; Pillow's own: a sentence
        size = "of {}x{} pixels ".format(*found) if isinstance(found, tuple) else ""
        message = f"the image {size}exceeds the limit of {MAX_PIXELS / 1e6:.0f} million pixels (a decompression bomb?)"
        if scans := jpeg.too_many_scans(data):
            message = f"the JPEG has {scans} scans, and would take minutes to decode (a decompression bomb?)"
        remedy = "shrink it in an image editor, or remove it and its annotation"
        return Finding(ERROR, "image-too-large", file, message, remedy)
    frame, _ = jpeg.read_header(data) if data.startswith(b"\xff\xd8") else (None, 0)
    if frame and frame.precision != 8:
        error = DepthError(f"is a JPEG with {frame.precision} bits a channel")
    if isinstance(error, DepthError):
        return Finding(ERROR, "image-depth", file, f"the image {error}", "save it with 8 bits a channel, scaled")
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
