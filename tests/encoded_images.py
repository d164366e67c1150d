"""Small image files of every kind: those that a record stores as they are, and those that it converts."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

SIZE = (60, 40)
COLOURS = [(200, 30, 30), (30, 160, 60), (40, 60, 200), (220, 200, 60)]


def picture(mode="RGB"):
    """Four coloured quarters, so that a turned or mirrored picture is seen to be one."""
    image = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(COLOURS):
        left, top = index % 2 * 30, index // 2 * 20
        draw.rectangle((left, top, left + 29, top + 19), fill=colour)
    return image.convert(mode)


def encoded(image, format_name, **options):
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def with_orientation(orientation, format_name="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(), format_name, exif=exif)


def sixteen_bits(image):
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with_size(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


PASSING = {
    "jpeg": encoded(picture(), "JPEG"),
    "progressive": encoded(picture(), "JPEG", progressive=True),
    "gray jpeg": encoded(picture("L"), "JPEG"),
    "rgb jpeg": encoded(picture(), "JPEG", keep_rgb=True),
    "mpo": encoded(picture(), "MPO", save_all=True, append_images=[picture()]),
    "exif upright": with_orientation(1),
    "exif invalid": with_orientation(9),
    "png": encoded(picture(), "PNG"),
    "gray png": encoded(picture("L"), "PNG"),
    "interlaced png": encoded(picture(), "PNG", interlace=True),
}
CONVERTED = {
    "cmyk jpeg": (encoded(picture("CMYK"), "JPEG"), "CMYK JPEG"),
    "palette png": (encoded(picture().quantize(16), "PNG"), "palette PNG"),
    "1-bit png": (encoded(picture("1"), "PNG"), "1-bit PNG"),
    "16-bit png": (encoded(sixteen_bits(picture()), "PNG"), "16-bit PNG"),
    "rgba png": (encoded(picture("RGBA"), "PNG"), "PNG with transparency"),
    "gray alpha png": (encoded(picture("LA"), "PNG"), "PNG with transparency"),
    "gif": (encoded(picture().quantize(16), "GIF"), "GIF"),
    "webp": (encoded(picture(), "WEBP", lossless=True), "WEBP"),
    "bmp": (encoded(picture(), "BMP"), "BMP"),
    "tiff": (encoded(picture(), "TIFF"), "TIFF"),
}


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)
