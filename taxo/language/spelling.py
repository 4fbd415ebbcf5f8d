"""Which known word a misspelt one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LONGEST_WORD = 60
MOST_LISTED = 30


def nearest(word: str, words: Iterable[str], most: int = 1) -> list[str]:
    """The words of `words` that `word` was probably meant to be, best first.

    >>> nearest("smaple", ["sample", "category", "corpus"])
    ['sample']
    """
    if len(word) > LONGEST_WORD:
        return []
    bound = 1 + len(word) // 4
    near = [(distance(word, known, bound), known) for known in sorted(set(words))]
    return [known for apart, known in sorted(near) if apart <= bound][:most]


def distance(word: str, known: str, bound: int) -> float:
    """How many letters are missing, extra, wrong or swapped; `bound + 1` where it is more than `bound`.

    The two may differ in case for half a mistake; so may a name of one letter that is typed twice.
    """
    a, b = word.lower(), known.lower()
    if abs(len(a) - len(b)) > bound or not set(a) & set(b):
        return bound + 1
    above: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        two_above, above, row = above, row, [i]
        for j, other in enumerate(b, 1):
            changed = above[j - 1] + (letter != other)
            swapped = i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other
            row.append(min(row[-1] + 1, above[j] + 1, changed, two_above[j - 2] + 1 if swapped else changed))
        if min(row) > bound:
            return bound + 1
    return row[-1] + 0.5 * (word != known and a == b) - 0.5 * (len(b) == 1 and a == 2 * b)


def likeliest(word: str, words: Iterable[str]) -> list[str]:
    """The nearest words where several are equally near, three at most."""
    match = nearest(word, words, 3)
    return [name for name in match if distance(word, name, len(word)) == distance(word, match[0], len(word))]


def suggest(word: str, words: Iterable[str]) -> str:
    """A hint that names the nearest words, or all of them.

    >>> suggest("l", ["l1", "l2", "linf"])
    'did you mean `l1` or `l2`?'
    """
    known = sorted(set(words))
    match = likeliest(word, known)
    if match:
        return f"did you mean {listed(match)}?"
    if len(known) > MOST_LISTED:
        return f"{listed(known[:MOST_LISTED], 'and')}, and {len(known) - MOST_LISTED} more are known"
    return f"one of {listed(known)}" if len(known) > 1 else f"write {listed(known)}" if known else "drop it"


def listed(words: Iterable[str], joint: str = "or") -> str:
    """Words in backticks as a sentence lists them.

    >>> listed(["low", "high"])
    '`low` or `high`'
    """
    return phrase([f"`{word}`" for word in words], joint)


def phrase(parts: Sequence[str], joint: str = "or") -> str:
    """Parts of a sentence with commas between them, and a word before the last."""
    *front, last = parts
    return f"{', '.join(front)} {joint} {last}" if front else last


def shortened(text: object, most: int = 40) -> str:
    """A text as messages quote it: on one line, and not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return shown if len(shown) <= most else shown[: most - 3] + "..."
