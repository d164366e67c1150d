"""Image files as bytes: what they really are, whether they are whole, and what of them goes into a record.

The trainer decodes a record's image with tf_slim's `tfexample_decoder.Image(channels=3)`: `tf.io.decode_jpeg` for JPEG,
`tf.io.decode_image` for everything else, and no look at EXIF. Measured with TensorFlow 2.21:

- JPEG with 8 bits in RGB, YCbCr or gray, baseline or progressive, and the first picture of an MPO: the same pixels as
  in Pillow (up to the rounding of the DCT, 1/255 on average). CMYK: depends on Adobe's inversion marker.
- PNG with 8 bits in RGB or gray: the same pixels. A transparent one shows what its author made invisible.
- GIF and WebP: four dimensions where the trainer needs three. TIFF and others: refused. BMP: some kinds only.
- A truncated JPEG, or a PNG without its end, which Pillow accepts: training stops. So it does, now and then, at a JPEG
  that libjpeg merely warns of.

Hence: JPEG and PNG of the kinds of the first two lines pass byte for byte when they are upright and whole; whatever
else Pillow can read is stored as an upright RGB JPEG.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, NamedTuple

from PIL import ExifTags, Image

from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding

if TYPE_CHECKING:
    import numpy as np

MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # where Pillow begins to suspect a decompression bomb: 256 MB of RGB
LARGE_PIXELS = 2**24  # images with more are decoded one at a time, whatever the number of threads: for the memory
MAX_BYTES = 3 * MAX_PIXELS  # of a file: as large as the largest image without compression
MIN_SIDE = 16  # pixels; a smaller picture shows no garment: a tracking pixel, a failed download
JPEG_QUALITY = 95

_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # an MPO is opened as JPEG
_OTHER_FORMATS = ("WEBP", "TIFF", "AVIF", "PPM", "JPEG2000")  # Pillow has more; its EPS would start Ghostscript
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_REPLACE = "replace the file with an intact copy, or remove it and its annotation"

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is an error here
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata, which does not concern the pixels

Size = tuple[int, int]  # width, height in pixels


@dataclasses.dataclass(frozen=True)
class RecordImage:
    """An image as it goes into a record.

    Attributes:
        encoded: the file's own bytes, or an RGB JPEG of its pixels.
        format: "jpeg" or "png": what `encoded` is.
        size: width and height of the upright image as it is stored in `encoded`.
        upright_size: width and height of the upright image before `max_side` shrank it; boxes are in its pixels.
        raw_size: width and height as stored in the file, before EXIF orientation.
        orientation: EXIF orientation of the file, 1..8; 1 is upright.
    """

    encoded: bytes
    format: str
    size: Size
    upright_size: Size
    raw_size: Size
    orientation: int


def prepare(
    data: bytes, file: str, *, verify: bool = True, max_side: int | None = None
) -> tuple[RecordImage | None, list[Finding]]:
    """Reads an image file's bytes, checks them, and makes what a record stores of them.

    Args:
        data: the file's content.
        file: the file's name, for the findings.
        verify: decode all of the image, so that damage is found now and not in mid-training; otherwise of an image
            that passes byte for byte the headers alone are read.
        max_side: the longer side is shrunk to this many pixels where it is longer.

    Returns:
        The image, or None where a finding is an error; and the findings.
    """
    if not data:
        return None, [_error("image-empty", file, "the image file is empty (0 bytes)", _REPLACE)]
    size = _plain_jpeg_size(data)
    if size and (max_side is None or max(size) <= max_side) and not (verify and _jpeg_damage(data, size)):
        return RecordImage(data, "jpeg", size, size, size, 1), []
    try:
        with open_image(data) as image, _one_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
            return _prepare_opened(image, data, file, verify, max_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, [_too_large(file, "")]
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        return None, [unreadable(data, file, error)]


def _plain_jpeg_size(data: bytes) -> Size | None:
    """Width and height of a JPEG with which nothing is to be done but to verify it; None: Pillow has to look at it.

    Such are most photos: upright, of usual size, 8 bits, gray or colour, Huffman-coded. Pillow takes fifty times as
    long to open one.
    """
    if not data.startswith(_JPEG_SIGNATURE):
        return None
    frame, header_bytes = _jpeg_header(data)
    header = data[:header_bytes]
    # Orientation may stand in Exif and in XMP; a photo that merely has either goes the longer way to the same result.
    if frame is None or not frame.is_usual or b"Exif" in header or b"Orientation" in header:
        return None
    usual = min(frame.size) >= MIN_SIDE and frame.size[0] * frame.size[1] <= LARGE_PIXELS
    return frame.size if usual and frame.num_components in (1, 3) else None


def _jpeg_damage(data: bytes, size: Size) -> str:
    """What is wrong with a gray or colour JPEG's data; empty if nothing is.

    All of its compressed data are decoded, and the pixels made from them at a quarter of the size: damage shows in the
    codes, while the pixels, which nobody is going to look at, cannot fail. That halves the time.

    By simplejpeg, which binds the libjpeg-turbo that Pillow has, too, lets other threads run meanwhile, and reports
    what libjpeg merely warns of.
    """
    import simplejpeg  # here, since it imports numpy, which takes longer than all else at the start

    width, height = size
    try:
        simplejpeg.decode_jpeg(
            data,
            "RGB",
            strict=True,
            min_width=-(-width // 4),
            min_height=-(-height // 4),
            buffer=_pixel_buffer(3 * width * height),
        )
    except ValueError as error:
        return str(error)
    return ""


def decoded_pixels(data: bytes) -> np.ndarray:
    """The pixels as the trainer's reader decodes them: uint8 [height, width, 3], red, green, blue, upright.

    TensorFlow decodes JPEG with libjpeg's fast, less exact transform, which training, and so the model, has seen;
    simplejpeg with `fastdct` gives the same pixels (see record_images.py), in half of Pillow's time.

    Raises:
        OSError, ValueError, ...: what `prepare` reports as a finding.
    """
    import numpy as np
    import simplejpeg

    if _plain_jpeg_size(data):
        with suppress(ValueError):  # what libjpeg-turbo refuses Pillow may take
            return simplejpeg.decode_jpeg(data, "RGB", fastdct=True, strict=True)
    with open_image(data) as image, _one_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        return np.asarray(_upright_rgb(image))


def open_image(data: bytes) -> Image.Image:
    """Opens an image by its content; Pillow's plugins for the rarer formats are loaded when one is met.

    Raises:
        OSError, ValueError, ...: what `prepare` reports as a finding.
    """
    try:
        return Image.open(io.BytesIO(data), formats=_COMMON_FORMATS)
    except Image.UnidentifiedImageError:
        Image.init()
        return Image.open(io.BytesIO(data), formats=[name for name in _OTHER_FORMATS if name in Image.OPEN])


def _prepare_opened(
    image: Image.Image, data: bytes, file: str, verify: bool, max_side: int | None
) -> tuple[RecordImage | None, list[Finding]]:
    width, height = raw_size = image.size
    if width * height > MAX_PIXELS:
        return None, [_too_large(file, f"of {width}x{height} pixels ")]
    findings = []
    if min(raw_size) < MIN_SIDE:
        findings.append(
            Finding(
                WARNING,
                "image-tiny",
                file,
                f"the image has only {width}x{height} pixels",
                "check that it is the photo you meant",
            )
        )

    orientation = _orientation(image)
    upright_size = (height, width) if orientation >= 5 else raw_size
    foreign = _why_the_trainer_cannot_read(image, data)
    shrinks = max_side is not None and max(raw_size) > max_side

    changes = bool(foreign) or orientation != 1 or shrinks
    damage = _verified(image, data, file) if verify or changes else []
    findings += damage
    if not (changes or damage):
        format_name = "png" if image.format == "PNG" else "jpeg"
        return RecordImage(data, format_name, raw_size, raw_size, raw_size, 1), findings

    pixels = _upright_rgb(image)
    if shrinks:
        pixels = _shrunk(pixels, max_side)
    if foreign:
        findings.append(
            Finding(NOTE, "image-converted", file, f"the trainer cannot decode {foreign}; stored as RGB JPEG")
        )
    return RecordImage(_jpeg(pixels), "jpeg", pixels.size, upright_size, raw_size, orientation), findings


def _verified(image: Image.Image, data: bytes, file: str) -> list[Finding]:
    """Decodes all of the image; raises where the file is not whole, warns where a decoder had to guess.

    What simplejpeg refuses of a JPEG Pillow judges.
    """
    if image.format == "PNG":
        _check_png_chunks(data)
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        damage = _jpeg_damage(data, image.size)
        if not damage:
            return []
        image.load()
        return [
            Finding(
                WARNING,
                "image-damaged",
                file,
                f"the JPEG is damaged ({damage}); stored as far as it decodes",
                "look at the image, and replace it with an intact copy if a part of it is missing",
            )
        ]
    image.load()
    return []


_one_at_a_time = threading.Lock()
_scratch = threading.local()
_SCRATCH_BYTES = 3 * 2**22  # of 4 million pixels; what is larger is rare, and gets memory of its own


def _pixel_buffer(size: int) -> bytearray | None:
    """Memory for pixels that nobody looks at, used again by each thread: fresh memory costs a fifth of the decoding."""
    if size > _SCRATCH_BYTES:
        return None
    if len(getattr(_scratch, "buffer", b"")) < size:
        _scratch.buffer = bytearray(size)
    return _scratch.buffer


def _check_png_chunks(data: bytes) -> None:
    """Walks the chunks of a PNG (its specification, section 5.3): Pillow skips the checksums and does not miss IEND."""
    if not any(kind == b"IEND" for kind, _ in _png_chunks(data)):
        raise OSError("its end is missing")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields (type, content) up to IEND; raises OSError for a chunk that is cut off or does not match its CRC."""
    offset, kind = len(_PNG_SIGNATURE), b""
    view = memoryview(data)
    while kind != b"IEND" and offset < len(data):
        if offset + 12 > len(data):
            raise OSError(f"it is truncated at byte {len(data)}")
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 8 + length
        if end + 4 > len(data):
            raise OSError(f"it is truncated at byte {len(data)}")
        if zlib.crc32(view[offset + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise OSError(f"the chunk at byte {offset} does not match its checksum")
        yield kind, data[offset + 8 : end] if kind != b"IDAT" else b""
        offset = end + 4


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or an invalid one. In a PNG only EXIF ahead of the pixels counts."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in range(1, 9) else 1


def _why_the_trainer_cannot_read(image: Image.Image, data: bytes) -> str:
    """What the image is that the trainer cannot decode (reliably), e.g. "GIF"; empty if it can."""
    if image.format in ("JPEG", "MPO"):
        if image.mode not in ("RGB", "L"):
            return f"{image.mode} JPEG"
        frame, _ = _jpeg_header(data)  # None: padding that decoders skip; they have accepted the header
        return "" if frame is None or frame.is_usual else "arithmetic-coded or lossless JPEG"
    if image.format == "PNG":
        bit_depth, color_type = data[24], data[25]  # of IHDR, which is the first chunk
        if color_type == 3:
            return "palette PNG"
        if color_type in (4, 6) or "transparency" in image.info:
            return "PNG with transparency"
        return "" if bit_depth == 8 else f"{bit_depth}-bit PNG"
    return image.format or "this format"


class _JpegFrame(NamedTuple):
    """The start of a JPEG's frame (ITU-T T.81, B.2.2)."""

    marker: int
    precision: int  # bits a sample
    size: Size
    num_components: int  # 1 gray, 3 colour, 4 CMYK

    @property
    def is_usual(self) -> bool:
        """Whether it has 8 bits and is baseline, extended or progressive, with Huffman coding (table B.1)."""
        return 0xC0 <= self.marker <= 0xC2 and self.precision == 8


def _jpeg_header(data: bytes) -> tuple[_JpegFrame | None, int]:
    """A JPEG's frame, and where its first scan begins; None where the walk from marker to marker comes to no frame."""
    frame, offset = None, 2
    while offset + 10 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:  # fill byte, markers without content
            offset += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:  # start of scan
            break
        if frame is None and 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # not DHT, JPG, DAC
            precision, height, width, num_components = struct.unpack_from(">BHHB", data, offset + 4)
            frame = _JpegFrame(marker, precision, (width, height), num_components)
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return frame, offset


def _upright_rgb(image: Image.Image) -> Image.Image:
    """The image's first frame, turned upright, its transparent parts white as on a catalogue page, 8 bits of RGB."""
    orientation = _orientation(image)
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    image = image.convert("RGB")
    transpose = _TRANSPOSE.get(orientation)
    return image if transpose is None else image.transpose(transpose)


_TRANSPOSE = {  # EXIF 2.32, section 4.6.4, tag 0x0112: what brings the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit gray as 8-bit gray by its high byte, as libpng does; Pillow's own conversion clips at 255."""
    import numpy as np

    values = np.asarray(image)
    if values.dtype.kind == "f" or values.max(initial=0) <= 255:
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return Image.fromarray((np.clip(values, 0, 65535).astype(np.uint16) >> 8).astype(np.uint8))


def _shrunk(image: Image.Image, max_side: int) -> Image.Image:
    """The image with its longer side at `max_side`, by Lanczos' filter over all source pixels (no aliasing)."""
    factor = max_side / max(image.size)
    size = tuple(max(1, round(side * factor)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def _jpeg(image: Image.Image) -> bytes:
    """JPEG without chroma subsampling: edges of colour stay where they are."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _error(code: str, file: str, message: str, remedy: str) -> Finding:
    return Finding(ERROR, code, file, message, remedy)


def _too_large(file: str, size: str) -> Finding:
    message = f"the image {size}exceeds the limit of {MAX_PIXELS / 1e6:.0f} million pixels (a decompression bomb?)"
    return _error("image-too-large", file, message, "shrink it in an image editor, or remove it and its annotation")


def unreadable(data: bytes, file: str, error: Exception) -> Finding:
    """The error of an image that cannot be opened or decoded.

    Args:
        data: the file's content, or its first bytes.
        file: its name, for the finding.
        error: what Pillow raised.
    """
    if isinstance(error, Image.UnidentifiedImageError):
        start = data[:16].lstrip().lower()
        what = "a web page" if start.startswith((b"<!doctype", b"<html")) else "no image that can be read"
        if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc"):
            return _error("image-unreadable", file, "the file is a HEIC photo, which is not read", "save it as JPEG")
        return _error("image-unreadable", file, f"the file is {what} (it begins with {data[:8]!r})", _REPLACE)
    reason = str(error)
    if "truncated" in reason.lower() and not reason.startswith("it is truncated"):
        reason = "it is truncated"  # Pillow says it in several ways
    return _error("image-unreadable", file, f"the image is damaged: {reason or type(error).__name__}", _REPLACE)
