"""A run's numbers as TensorBoard reads them: its event file, written byte by byte; no torch here."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from time import time

from taxo.training.metrics import EpochMetrics

FILE = "events.out.tfevents.0.taxo"  # TensorBoard reads any file that has `tfevents` in its name
VERSION = "brain.Event:2"


def head() -> bytes:
    """What an event file begins with."""
    return _record(_event(0, _text(3, VERSION)))


def event(metrics: EpochMetrics) -> bytes:
    """The numbers of an epoch; what has no value is left out."""
    values = b"".join(
        _message(1, _text(1, tag) + _key(2, 5) + struct.pack("<f", value))
        for tag, value in numbers(metrics).items()
    )
    return _record(_event(metrics.epoch + 1, _message(5, values)))


def numbers(metrics: EpochMetrics) -> Mapping[str, float]:
    """The numbers of an epoch by the names that TensorBoard groups them by."""
    found = {
        "loss/train": metrics.train_loss,
        f"{metrics.measure}/train": metrics.train_accuracy,
        f"{metrics.measure}/test": metrics.test_accuracy,
        "run/lr": metrics.lr,
        "run/seconds": metrics.seconds,
    }
    if metrics.validation_accuracy is not None:
        found[f"{metrics.measure}/validation"] = metrics.validation_accuracy
    for name, meter in metrics.meters.items():
        found |= {f"{name}/{key}": value for key, value in meter.items()}
    return {tag: value for tag, value in found.items() if isfinite(value)}


def _record(content: bytes) -> bytes:
    """A record: its length and its content, each with a checksum."""
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _event(step: int, what: bytes) -> bytes:
    return _key(1, 1) + struct.pack("<d", time()) + _key(2, 0) + _varint(step) + what


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _message(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    def parts() -> Iterator[int]:
        rest = value
        while rest > 127:
            yield rest & 127 | 128
            rest >>= 7
        yield rest

    return bytes(parts())


def _checksum(content: bytes) -> bytes:
    """CRC-32C, turned and shifted as record files want it."""
    crc, table = 0xFFFFFFFF, _table()
    for byte in content:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> tuple[int, ...]:
    def entry(number: int) -> int:
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        return number

    return tuple(entry(number) for number in range(256))
