"""JPEG files as bytes: their header, and whether their data is whole."""

from __future__ import annotations

import struct
import threading
from typing import NamedTuple

_SIGNATURE = b"\xff\xd8\xff"
_SCRATCH_BYTES = 3 * 2**22  # of 4 million pixels; larger images are rare and get memory of their own
_scratch = threading.local()


class JpegFrame(NamedTuple):
    """The start of a JPEG's frame (ITU-T T.81, B.2.2)."""

    marker: int
    precision: int  # bits per sample
    size: tuple[int, int]  # width, height in pixels
    num_components: int  # 1 gray, 3 colour, 4 CMYK

    @property
    def is_usual(self) -> bool:
        """True for 8 bits, baseline, extended or progressive, with Huffman coding (table B.1)."""
        return 0xC0 <= self.marker <= 0xC2 and self.precision == 8


def read_header(data: bytes) -> tuple[JpegFrame | None, int]:
    """Return the frame and the offset of the first scan; the frame is None where the markers lead to none."""
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
            frame = JpegFrame(marker, precision, (width, height), num_components)
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return frame, offset


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of an upright 8-bit gray or colour JPEG; None where Pillow has to look at the file.

    Most images of a data set are of this kind, and Pillow takes fifty times as long to open one.
    """
    if not data.startswith(_SIGNATURE):
        return None
    frame, header_bytes = read_header(data)
    header = data[:header_bytes]
    # Orientation may be in Exif and in XMP; an image that has either goes the longer way to the same result.
    if frame is None or not frame.is_usual or b"Exif" in header or b"Orientation" in header:
        return None
    return frame.size if frame.num_components in (1, 3) else None


def damage(data: bytes, size: tuple[int, int]) -> str:
    """Return what is wrong with the data of a gray or colour JPEG; empty if nothing is.

    All compressed data are decoded, but the pixels are made at a quarter of the size, which halves the time: damage
    shows in the codes. simplejpeg binds the libjpeg-turbo that Pillow has, too, lets other threads run meanwhile, and
    reports what libjpeg only warns of.
    """
    import simplejpeg  # here, since it imports numpy, which takes longer than everything else at the start

    width, height = size
    quarter = {"min_width": -(-width // 4), "min_height": -(-height // 4)}
    try:
        simplejpeg.decode_jpeg(data, "RGB", strict=True, buffer=_pixel_buffer(3 * width * height), **quarter)
    except ValueError as error:
        return str(error)
    return ""


def _pixel_buffer(size: int) -> bytearray | None:
    """Return memory that each thread uses again: fresh memory costs a fifth of the decoding."""
    if size > _SCRATCH_BYTES:
        return None
    if len(getattr(_scratch, "buffer", b"")) < size:
        _scratch.buffer = bytearray(size)
    return _scratch.buffer
