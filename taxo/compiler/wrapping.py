"""Long lines of a program over several: at their last brackets, then at commas or operators."""

from __future__ import annotations

from collections.abc import Iterator

WIDTH = 100
INDENT = "    "
OPENING, CLOSING = "([{", ")]}"
# Weakest first: where an expression without commas is broken.
WEAKNESS = (
    (" for ",),
    (" if ", " else "),
    (" | ",),
    (" & ",),
    (" > ", " < ", " >= ", " <= ", " == ", " != "),
    (" + ", " - "),
    (" * ", " / "),
)


def wrapped(line: str, inside: bool = False) -> list[str]:
    """A line, or those it is broken into where it is too long; `inside` brackets, terms part first."""
    body = line.lstrip(" ")
    indent = line[: len(line) - len(body)]
    if len(line) <= WIDTH or body.startswith(("#", '"""')):
        return [line]
    comma = "," if body.endswith(",") else ""  # no statement ends so
    terms = _terms(body.removesuffix(",")) if inside or comma else []
    if len(terms) > 1:
        terms[-1] += comma
        return [one for term in terms for one in wrapped(indent + term, inside=True)]
    pair = _last_pair(body)
    if pair is None or not _short_end(body[pair[1] :]):
        return [line]
    inner, deeper = body[pair[0] + 1 : pair[1]], indent + INDENT
    parts = [inner] if len(deeper) + len(inner) <= WIDTH else _parts(inner)
    within = [one for part in parts for one in wrapped(deeper + part, inside=True)]
    return [indent + body[: pair[0] + 1], *within, indent + body[pair[1] :]]


def _short_end(end: str) -> bool:
    """Whether nothing that is worth a line stands behind the last brackets."""
    return end[1:] in ("", ",", ":", "):", "),", ")")


def _last_pair(text: str) -> tuple[int, int] | None:
    """Where the last outermost brackets open and close, of those that hold something."""
    opened: list[int] = []
    last = None
    for place, character in _code(text):
        if character in OPENING:
            opened.append(place)
        elif character in CLOSING and opened:
            start = opened.pop()
            last = (start, place) if not opened and place > start + 1 else last
    return last


def _parts(inner: str) -> list[str]:
    """The arguments of a call with their commas, or the terms of an expression, a comprehension's too."""
    flat = [(place, character) for place, character, depth in _depths(inner) if not depth]
    commas = [place for place, character in flat if character == ","]
    if not commas or any(inner.startswith(" for ", place) for place, _ in flat):
        return _terms(inner)
    return [f"{part.strip()}," for part in _cut(inner, commas, 1) if part.strip()]


def _terms(inner: str) -> list[str]:
    """The terms of an expression, at its weakest operators."""
    flat = [place for place, _, depth in _depths(inner) if not depth]
    if any(inner.startswith("lambda ", place) for place in flat):
        return [inner]
    for words in WEAKNESS:
        places = [place for place in flat for word in words if inner.startswith(word, place)]
        if places:
            return [part.strip() for part in _cut(inner, sorted(places), 0)]
    return [inner]


def _cut(text: str, places: list[int], skipped: int) -> Iterator[str]:
    start = 0
    for place in places:
        yield text[start:place]
        start = place + skipped
    yield text[start:]


def _depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Every character of code with how deep in brackets it stands."""
    depth = 0
    for place, character in _code(text):
        depth -= character in CLOSING
        yield place, character, depth
        depth += character in OPENING


def _code(text: str) -> Iterator[tuple[int, str]]:
    """The characters outside of strings."""
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        else:
            yield place, character
