"""Rows of text as aligned columns."""

from __future__ import annotations


def columns(rows: list[list[str]], gap: str = "  ") -> list[str]:
    """The rows with every column as wide as its widest cell.

    >>> columns([["eta", "3"], ["clean_share", "0"]])
    ['eta          3', 'clean_share  0']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def clipped(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis.

    >>> clipped("Label smoothing", 9)
    'Label sm…'
    """
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
