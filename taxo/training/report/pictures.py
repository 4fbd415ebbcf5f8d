"""Samples as pictures inside a page: PNG written byte by byte; no torch here."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from zlib import compress, crc32

Image = Sequence[Sequence[Sequence[float]]]  # channels of rows of numbers in [0, 1]
GREY, COLOUR = 0, 2  # how PNG calls pictures of one channel and of three


def address(image: Image) -> str:
    """The picture as an address that holds it whole."""
    return f"data:image/png;base64,{b64encode(png(image)).decode()}"


def png(image: Image) -> bytes:
    """An image of one channel, or of three, as PNG; of another number the first is shown."""
    channels = image if len(image) == 3 else image[:1]
    height, width = len(channels[0]), len(channels[0][0])
    rows = (
        b"\0" + bytes(_byte(channel[down][right]) for right in range(width) for channel in channels)
        for down in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, COLOUR if len(channels) == 3 else GREY, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _byte(value: float) -> int:
    return round(255 * min(max(value, 0.0), 1.0)) if value == value else 0


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))
