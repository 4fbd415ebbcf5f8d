"""Pictures inside a page, read back."""

from __future__ import annotations

import struct
from base64 import b64decode
from zlib import crc32, decompress

import pytest

from taxo.training.report.pictures import address, png


def read(content: bytes) -> tuple[tuple[int, ...], bytes]:
    """The head of a PNG and its pixels, each chunk held to its checksum."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, parts = 8, {}
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        (check,) = struct.unpack(">I", content[place + 8 + length : place + 12 + length])
        assert check == crc32(kind + body)
        parts[kind], place = body, place + 12 + length
    return struct.unpack(">IIBBBBB", parts[b"IHDR"]), decompress(parts[b"IDAT"])


def test_one_channel_is_grey():
    head, pixels = read(png([[[0.0, 0.5, 1.0], [2.0, -1.0, float("nan")]]]))
    assert head == (3, 2, 8, 0, 0, 0, 0)
    assert pixels == bytes([0, 0, 128, 255, 0, 255, 0, 0])


def test_three_channels_are_coloured():
    head, pixels = read(png([[[1.0]], [[0.0]], [[0.2]]]))
    assert head == (1, 1, 8, 2, 0, 0, 0)
    assert pixels == bytes([0, 255, 0, 51])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_an_address_holds_the_picture(channels: int):
    image = [[[0.5]]] * channels
    kind, _, content = address(image).partition(",")
    assert kind == "data:image/png;base64"
    assert b64decode(content) == png(image)
