"""The event file, read back as its format says; its checksums are those of published examples."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import nan
from pathlib import Path

import pytest

from taxo.training import events
from taxo.training.metrics import EpochMetrics

METRICS = EpochMetrics(
    epoch=299,
    train_loss=0.5,
    train_accuracy=0.75,
    validation_accuracy=None,
    test_accuracy=0.25,
    lr=0.125,
    seconds=2.0,
    meters={"v": {"fired": 1.0, "raised": nan}},
)


def crc(content: bytes) -> int:
    """CRC-32C bit by bit, masked as in record files."""
    found = 0xFFFFFFFF
    for byte in content:
        found ^= byte
        for _ in range(8):
            found = (found >> 1) ^ (0x82F63B78 * (found & 1))
    found ^= 0xFFFFFFFF
    return ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(content: bytes) -> Iterator[bytes]:
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        body = content[12 : 12 + length]
        assert struct.unpack("<I", content[8:12])[0] == crc(content[:8])
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == crc(body)
        yield body
        content = content[16 + length :]


def varint(content: bytes) -> tuple[int, bytes]:
    value = shift = 0
    while True:
        byte, content = content[0], content[1:]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, content


def fields(content: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of a protocol buffer: numbers, doubles, floats and what has a length."""
    while content:
        key, content = varint(content)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, content = varint(content)
            yield field, value
        elif kind == 2:
            length, content = varint(content)
            yield field, content[:length]
            content = content[length:]
        else:
            form, size = {1: ("<d", 8), 5: ("<f", 4)}[kind]
            yield field, struct.unpack(form, content[:size])[0]
            content = content[size:]


def test_the_checksum_is_that_of_the_standard():
    # RFC 3720, B.4: 32 bytes of zeros
    (masked,) = struct.unpack("<I", events._checksum(bytes(32)))
    turned = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert (turned >> 17 | turned << 15) & 0xFFFFFFFF == 0x8A9136AA


def test_an_epoch_is_read_back():
    (first, second) = records(events.head() + events.event(METRICS))
    assert dict(fields(first))[3] == b"brain.Event:2"
    found = dict(fields(second))
    assert found[2] == 300
    summary = found[5]
    assert isinstance(summary, bytes)
    values = [dict(fields(value)) for _, value in fields(summary) if isinstance(value, bytes)]
    assert {value[1].decode(): value[2] for value in values if isinstance(value[1], bytes)} == {
        "loss/train": 0.5,
        "accuracy/train": 0.75,
        "accuracy/test": 0.25,
        "run/lr": 0.125,
        "run/seconds": 2.0,
        "v/fired": 1.0,
    }


@pytest.mark.parametrize("resumed", [False, True])
def test_a_run_has_each_epoch_once(run_command, tmp_path: Path, resumed: bool):
    words = ("train", "plain", "--model", "linear", "--epochs", "3", "--quiet", "--output", "a")
    assert run_command(*words) == 0
    if resumed:
        assert run_command("train", "--resume", "a", "--quiet") == 0
    content = (tmp_path / "a" / events.FILE).read_bytes()
    assert [dict(fields(record))[2] for record in records(content)] == [0, 1, 2, 3]
