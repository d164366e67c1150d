"""JPEG files as bytes: their header, and whether their data is whole."""

from __future__ import annotations

import struct
import threading
from typing import NamedTuple

_SIGNATURE = b"\xff\xd8\xff"
_SCRATCH_BYTES = 3 * 2**22  # of 4 million pixels; larger images are rare and get memory of their own
_START_OF_SCAN = b"\xff\xda"
_PROGRESSIVE = 0xC2
_MAX_SCANS = 20  # encoders write 10 or so
_MAX_SCANNED_PIXELS = 2**29  # of all scans together, if there are more: some seconds of decoding
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
    return frame.size if frame.num_components in (1, 3) and not _too_many_scans(data, frame, header_bytes) else None


def too_many_scans(data: bytes) -> int:
    """Return the number of scans of a progressive JPEG that would keep a decoder busy for long; 0 for any other one."""
    frame, header_bytes = read_header(data)
    return _too_many_scans(data, frame, header_bytes) if frame else 0


def _too_many_scans(data: bytes, frame: JpegFrame, header_bytes: int) -> int:
    if frame.marker != _PROGRESSIVE:
        return 0
    count = data.count(_START_OF_SCAN, header_bytes)
    width, height = frame.size
    return count if count > _MAX_SCANS and count * width * height > _MAX_SCANNED_PIXELS else 0


def damage(data: bytes, size: tuple[int, int]) -> str:
    """Return what is wrong with the data of a gray or colour JPEG; empty if nothing is that decoders look at.

    All compressed data are decoded, but the pixels are made at a quarter of the size, which halves the time: damage
    shows in the codes. simplejpeg binds the libjpeg-turbo that Pillow has, too, lets other threads run meanwhile, and
    reports what libjpeg only warns of.
    """
    import simplejpeg  # here, since it imports numpy, which takes longer than everything else at the start

    width, height = size
    quarter = {"min_width": -(-width // 4), "min_height": -(-height // 4)}
    for read in (bytes, _without_oddities):
        try:
            simplejpeg.decode_jpeg(read(data), "RGB", strict=True, buffer=_pixel_buffer(3 * width * height), **quarter)
            return ""
        except ValueError as error:
            reason = str(error)
    return reason


def _without_oddities(data: bytes) -> bytes:
    """Return a JPEG as it ought to be: without metadata, and with the one choice of scan parameters of sequential JPEG.

    Phones and editors write other ones, unknown JFIF versions, and bytes between the segments. libjpeg warns of each,
    and all decoders, TensorFlow's too, read the image.
    """
    frame, _ = read_header(data)
    plain, offset = bytearray(data[:2]), 2
    while 0 <= (offset := data.find(b"\xff", offset)) < len(data) - 4 and not data.startswith(_START_OF_SCAN, offset):
        marker = data[offset + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            offset += 1 if marker == 0xFF else 2
            continue
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if not 0xE0 <= marker <= 0xEF and marker != 0xFE:  # APP0 to APP15, COM
            plain += data[offset:end]
        offset = end
    scans = bytearray(data[offset:] if offset >= 0 else b"")
    position = 0 if frame and frame.marker != _PROGRESSIVE else -1
    while position >= 0 and (position := scans.find(_START_OF_SCAN, position)) >= 0:
        position += 5 + 2 * int.from_bytes(scans[position + 4 : position + 5])  # spectral selection, approximation
        scans[position : position + 3] = b"\x00\x3f\x00"
    return bytes(plain + scans)


def _pixel_buffer(size: int) -> bytearray | None:
    """Return memory that each thread uses again: fresh memory costs a fifth of the decoding."""
    if size > _SCRATCH_BYTES:
        return None
    if len(getattr(_scratch, "buffer", b"")) < size:
        _scratch.buffer = bytearray(size)
    return _scratch.buffer
