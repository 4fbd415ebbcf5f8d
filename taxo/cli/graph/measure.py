"""How wide a text is, without asking a font: a little wider than in the fonts that viewers choose."""

from __future__ import annotations

from taxo.cli.graph.geometry import Look

SIZES: dict[Look, float] = {
    "title": 15,
    "head": 13,
    "code": 12,
    "plain": 11.5,
    "read": 11,
    "lane": 12,
    "note": 12,
}
MONOSPACED: frozenset[Look] = frozenset({"code", "read", "note"})
BOLD: frozenset[Look] = frozenset({"title", "head", "lane"})
LINE = 1.4  # the height of a line of text, in its size

_EVEN = 0.61
_CLASSES = {
    0.36: "ijlftr.,:;'|!()[]{}/ I·-",
    0.92: "mwMW@%—→",
    0.7: "ABCDEFGHJKLNOPQRSTUVXYZΔ×+=<>~_#&…",
}
_WIDTHS = {letter: width for width, letters in _CLASSES.items() for letter in letters}
_ORDINARY = 0.61


def text_width(text: str, look: Look) -> float:
    """The width of a text in pixels."""
    if look in MONOSPACED:
        return len(text) * _EVEN * SIZES[look]
    wide = sum(_WIDTHS.get(letter, _ORDINARY if letter.isascii() else 1.0) for letter in text)
    return wide * SIZES[look] * (1.13 if look in BOLD else 1.0)


def text_height(look: Look) -> float:
    """The height of a line of text in pixels."""
    return SIZES[look] * LINE
