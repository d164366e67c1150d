"""What of an image file goes into a record: its own bytes, or an upright RGB JPEG of its pixels.

The trainer decodes a record's image with tf_slim's `tfexample_decoder.Image(channels=3)`: `tf.io.decode_jpeg` for JPEG,
`tf.io.decode_image` for everything else, and it ignores EXIF. Measured with TensorFlow 2.21:

- JPEG with 8 bits in RGB, YCbCr or gray, baseline or progressive, and the first image of an MPO: the same pixels as
  in Pillow (up to the rounding of the DCT, 1/255 on average). CMYK: depends on Adobe's inversion marker.
- PNG with 8 bits in RGB or gray: the same pixels. A transparent one shows what its author made invisible.
- GIF and WebP: four dimensions where the trainer needs three. TIFF and others: refused. BMP: some kinds only.
- A truncated JPEG, or a PNG without its end, which Pillow accepts: training stops. So it does, now and then, at a JPEG
  that libjpeg only warns of.

Hence JPEG and PNG of the kinds of the first two lines pass byte for byte when they are upright and whole; everything
else that Pillow can read is stored as an upright RGB JPEG.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image

from scripts.lib.core.errors import NOTE, WARNING, Finding
from scripts.lib.images import decode, jpeg

JPEG_QUALITY = 95

_PNG_END = b"IEND\xaeB`\x82"  # the last chunk and its checksum (its specification, section 11.2.5)

Size = tuple[int, int]  # width, height in pixels


class StoredImage(NamedTuple):
    """An image as it goes into a record."""

    encoded: bytes  # the file's own, or an RGB JPEG of its pixels
    format: str  # of `encoded`: "jpeg" or "png"
    size: Size  # of the upright image in `encoded`
    upright_size: Size  # before `max_side` shrank it; boxes are in its pixels
    raw_size: Size  # as stored in the file, before EXIF orientation
    orientation: int  # EXIF orientation of the file, 1..8; 1 is upright


def prepare(
    data: bytes, file: str, *, verify: bool = True, max_side: int | None = None
) -> tuple[StoredImage | None, list[Finding]]:
    """Check the bytes of an image file, `file` in the findings, and make what a record stores of them.

    Args:
        verify: decode the whole image, so that damage is found now and not in the middle of the training; otherwise
            only the headers are read of an image that passes byte for byte.
        max_side: shrink an image whose longer side has more pixels.

    Returns:
        The image, or None where a finding is an error; and the findings.
    """
    size = decode.plain_jpeg_size(data)
    if size and (max_side is None or max(size) <= max_side) and not (verify and jpeg.damage(data, size)):
        return StoredImage(data, "jpeg", size, size, size, 1), []
    try:
        with decode.opened(data) as image:
            return _prepare_opened(image, data, file, verify, max_side)
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        return None, [decode.unreadable(data, file, error)]


def _prepare_opened(
    image: Image.Image, data: bytes, file: str, verify: bool, max_side: int | None
) -> tuple[StoredImage, list[Finding]]:
    width, height = raw_size = image.size
    findings = []
    if min(raw_size) < decode.MIN_SIDE:
        message = f"the image has only {width}x{height} pixels"
        findings.append(Finding(WARNING, "image-tiny", file, message, "check that it is the image you meant"))

    orientation = decode.orientation(image)
    upright_size = (height, width) if orientation >= 5 else raw_size
    foreign = why_the_trainer_cannot_read(image, data)
    shrinks = max_side is not None and max(raw_size) > max_side

    changes = bool(foreign) or orientation != 1 or shrinks
    damage = _load(image, data) if verify or changes else ""
    if damage:
        message = f"the JPEG is damaged ({damage}); stored as far as it decodes"
        remedy = "look at the image, and replace it with an intact copy if a part of it is missing"
        findings.append(Finding(WARNING, "image-damaged", file, message, remedy))
    if not (changes or damage):
        format_name = "png" if image.format == "PNG" else "jpeg"
        return StoredImage(data, format_name, raw_size, raw_size, raw_size, 1), findings

    pixels, scaling = decode.upright_rgb(image)
    findings += decode.scaling_note(file, scaling)
    if shrinks:  # by Lanczos' filter over all source pixels: no aliasing
        factor = max_side / max(pixels.size)
        size = tuple(max(1, round(side * factor)) for side in pixels.size)
        pixels = pixels.resize(size, Image.Resampling.LANCZOS)
    if foreign:
        message = f"the trainer cannot decode {foreign}; stored as RGB JPEG"
        findings.append(Finding(NOTE, "image-converted", file, message))
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)  # edges of colour stay where they are
    return StoredImage(buffer.getvalue(), "jpeg", pixels.size, upright_size, raw_size, orientation), findings


def why_the_trainer_cannot_read(image: Image.Image, data: bytes) -> str:
    """Return what the image is that the trainer cannot decode (reliably), e.g. "GIF"; empty if it can."""
    if image.format in ("JPEG", "MPO"):
        if image.mode not in ("RGB", "L"):
            return f"{image.mode} JPEG"
        frame, _ = jpeg.read_header(data)  # None: padding that decoders skip; they have accepted the header
        return "" if frame is None or frame.is_usual else "arithmetic-coded or lossless JPEG"
    if image.format == "PNG":
        bit_depth, color_type = data[24], data[25]  # of IHDR, which is the first chunk
        if color_type == 3:
            return "palette PNG"
        if color_type in (4, 6) or "transparency" in image.info:
            return "PNG with transparency"
        return "" if bit_depth == 8 else f"{bit_depth}-bit PNG"
    return image.format or "this format"


def _load(image: Image.Image, data: bytes) -> str:
    """Decode the whole image; raise where it is not whole, return the damage where a decoder had to guess.

    Pillow has the last word on a JPEG that simplejpeg refuses.
    """
    if image.format == "PNG":
        _check_png(data)
    is_plain = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
    damage = jpeg.damage(data, image.size) if is_plain else ""
    if damage or not is_plain:
        image.load()
    return damage


def _check_png(data: bytes) -> None:
    """Raise what `decode.unreadable` explains for a PNG that is cut off or damaged, which Pillow would load."""
    with decode.open_image(data) as image:
        image.verify()  # the checksums of all chunks
    if _PNG_END not in data:
        raise OSError("it is truncated")
