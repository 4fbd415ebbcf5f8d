"""Reading one word of the command line; a refusal quotes the word and says what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import NoReturn

from taxo.language.errors import fail, suggest


def number(text: str) -> float:
    """The number that `0.3`, `30%`, `8/255` or `1e-3` says; ValueError for anything else."""
    word = text.strip()
    if word.endswith("%"):
        return float(word[:-1]) / 100
    above, slash, below = word.partition("/")
    if slash and float(below) == 0:
        raise ValueError(text)
    return float(above) / float(below) if slash else float(above)


def counted(count: int, noun: str) -> str:
    """A number of things, by the noun for one of them.

    >>> counted(1, "epoch"), counted(20, "epoch")
    ('1 epoch', '20 epochs')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def unreadable(word: str, flag: str, expected: str) -> NoReturn:
    """Refuse a word, saying what was expected."""
    fail("T503", f"`{flag}` cannot be `{word}`", help=f"expected {expected}")


def choice(word: str, flag: str, known: Iterable[str]) -> str:
    """A word out of a list."""
    names = tuple(known)
    if word in names:
        return word
    fail("T503", f"`{flag}` cannot be `{word}`", help=suggest(word, names))


def real(word: str, flag: str, expected: str, low: float, high: float, low_counts: bool = False) -> float:
    """A number between two bounds, the lower one included if it counts, the upper one never."""
    try:
        value = number(word)
    except ValueError:
        unreadable(word, flag, expected)
    if isfinite(value) and (low < value or (low_counts and value == low)) and value < high:
        return value
    unreadable(word, flag, expected)


def share(word: str, flag: str) -> float:
    """A share of the samples: at least 0, below 1."""
    return real(word, flag, "a share such as `30%` or `0.3`", 0, 1, low_counts=True)


def whole(word: str, flag: str, low: int) -> int:
    """A whole number that is at least `low`."""
    if word.isascii() and word.isdecimal() and len(word) <= 12 and int(word) >= low:
        return int(word)
    unreadable(word, flag, f"a whole number of at least {low}")


def assignment(text: str, flag: str) -> tuple[str, str]:
    """The name and the value of `name=value`; what the value means is the method's to say."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if name and equals and value:
        return name, value
    fail("T503", f"`{flag} {text}` is not `name=value`", help=f"for example `{flag} eta=4`")
