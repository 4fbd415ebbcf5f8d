"""Files that people write themselves: tables of numbers with a header, and texts with their labels."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from taxo.language.errors import fail
from taxo.training.formats import broken, reading
from taxo.training.loaders import Raw

CLASSES, TARGET, TEXT = "label", "target", "text"
LONGEST = 256  # words of a text that are read
WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
NO_WORD = 0  # behind the end of a text


def header(path: Path) -> list[str]:
    """The names of a table's columns."""
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        return [name.strip() for name in next(csv.reader(file, delimiter=_delimiter(path)), list[str]())]


def goal_of(path: Path) -> str:
    """Whether the table has `classes`, in a column `label`, or `targets`, in a column `target`."""
    names = header(path)
    found = [name for name in (CLASSES, TARGET) if name in names]
    if len(found) == 1:
        return "classes" if found == [CLASSES] else "targets"
    hint = f"call one column `{CLASSES}` if it holds classes, or `{TARGET}` if it holds numbers"
    shown = ", ".join(f"`{name}`" for name in names) or "nothing"
    fail("T502", f"`{path}` has the columns {shown}, and what is learned is not clear", help=hint)


def table(path: Path) -> Raw:
    """A table of numbers: every column but the one that is learned is an input."""
    import numpy

    goal = goal_of(path)
    names, rows = _rows(path)
    place = names.index(CLASSES if goal == "classes" else TARGET)
    inputs = [column for column in range(len(names)) if column != place]
    x = numpy.array([[_number(path, row, column, names) for column in inputs] for row in rows])
    if goal == "targets":
        y = numpy.array([[_number(path, row, place, names)] for row in rows])
        return Raw(x.astype(numpy.float32), y.astype(numpy.float32), classes=1)
    labels, classes = _numbered(path, [cells[place] for _, cells in rows])
    return Raw(x.astype(numpy.float32), numpy.array(labels, dtype=numpy.int64), classes)


def texts(path: Path) -> Raw:
    """Texts as rows of word numbers, the commonest word first; no word is 0."""
    import numpy

    names, rows = _rows(path)
    if not {CLASSES, TEXT} <= set(names):
        shown = ", ".join(f"`{name}`" for name in names)
        hint = f"call the columns `{CLASSES}` and `{TEXT}`"
        fail("T502", f"`{path}` has the columns {shown}, and no texts with labels", help=hint)
    said = [split_text(cells[names.index(TEXT)])[:LONGEST] for _, cells in rows]
    counts = Counter(word for text in said for word in text)
    number = {word: place for place, (word, _) in enumerate(counts.most_common(), NO_WORD + 1)}
    x = numpy.full((len(said), max(1, max(map(len, said)))), NO_WORD, dtype=numpy.int64)
    for row, text in enumerate(said):
        x[row, : len(text)] = [number[word] for word in text]
    labels, classes = _numbered(path, [cells[names.index(CLASSES)] for _, cells in rows])
    return Raw(x, numpy.array(labels, dtype=numpy.int64), classes)


def samples(path: Path) -> list[str]:
    """The texts as they are written, one for each row."""
    names, rows = _rows(path)
    return [cells[names.index(TEXT)] for _, cells in rows]


def split_text(text: str) -> list[str]:
    """The words and signs of a text, in small letters.

    >>> split_text("It isn't GOOD, is it?")
    ['it', "isn't", 'good', ',', 'is', 'it', '?']
    """
    return WORDS.findall(text.lower())


Row = tuple[int, list[str]]  # its line, and its cells


def _rows(path: Path) -> tuple[list[str], list[Row]]:
    names = header(path)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        broken(path, f"two columns are called `{twice}`")
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter=_delimiter(path))
        next(lines, None)
        rows = [(lines.line_num, cells) for cells in lines if any(cell.strip() for cell in cells)]
    for line, cells in rows:
        if len(cells) != len(names):
            broken(path, f"line {line} has {len(cells)} cells, and there are {len(names)} columns")
    if not rows:
        broken(path, "it has no rows")
    return names, rows


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix == ".tsv" else ","


def _number(path: Path, row: Row, column: int, names: Sequence[str]) -> float:
    line, cells = row
    try:
        return float(cells[column])
    except ValueError:
        broken(path, f"line {line}: `{cells[column].strip()}` in column `{names[column]}` is no number")


def _numbered(path: Path, cells: Sequence[str]) -> tuple[list[int], int]:
    """Classes by number: in the order of their names, or of their values where all are whole numbers."""
    words = [cell.strip() for cell in cells]
    whole = all(re.fullmatch(r"[+-]?\d+", word) for word in words)
    names = sorted(set(words), key=int if whole else None)
    if len(names) < 2:
        broken(path, f"every row has the label `{names[0]}`")
    place = {name: number for number, name in enumerate(names)}
    return [place[word] for word in words], len(names)
