"""The page of the laws: what they are, which methods they are for, and which methods go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

from taxo.catalog import load, shipped
from taxo.language.codes import SPEC_CODES
from taxo.language.method import Method
from taxo.laws.pairs import Pair, pairs
from taxo.laws.pools import Reason
from taxo.laws.reasons import LAWS, SLOW

PATH = "docs/laws.md"
SIGNS = {"T212": "✗", "T304": "✗", "T306": "!", "T307": "↔"}
OTHER = "✗"
TOGETHER, SAME = "·", " "
HOLDS = "yes"
INTRODUCTION = """# The laws

A law is something that every method keeps, whatever it perturbs. Each is a function in `taxo/laws/`, which
answers for a method on a small model with a verdict: it holds, it fails with what was measured, or it does
not apply, with the clause that says why. `taxo check --deep FILE` asks them all of a method of your own.
`make check` tries them on every method that comes with taxo and on a sample of the pairs, `make laws` on
every pair.

A direction is claimed by the method that says it, of its own base objective and head, and of losses without
prices. In a composition the law asks of each part whether most losses, or their mean as far as a batch can
tell, move as it claims: beside the other parts, or else without them. What is learned with the weights at a
pace that was set for other losses is not asked.

This page is made by `make docs`.
"""


def law_pages() -> dict[str, str]:
    """The page, by its path."""
    methods = {name: load(name) for name in shipped()}
    return {PATH: "\n".join((INTRODUCTION, *_laws(), *_applying(methods), *_together(list(methods))))}


def _laws() -> Iterator[str]:
    yield "| law | meaning |\n| --- | --- |"
    for name, law in LAWS.items():
        slow = " (`--slow`)" if name in SLOW else ""
        yield f"| {name}{slow} | {law.meaning} |"
    yield ""


def _applying(methods: dict[str, Method]) -> Iterator[str]:
    """Each method's exemptions; laws that are alike in this have one column."""
    found = {name: [law.reason(method) for law in LAWS.values()] for name, method in methods.items()}
    rows = {law: [found[name][number] for name in methods] for number, law in enumerate(LAWS)}
    columns = _alike({law: reasons for law, reasons in rows.items() if any(reasons)})
    always = [law for law, reasons in rows.items() if not any(reasons)]
    yield "## Which laws a method is held to\n"
    yield f"These are for every method: {', '.join(always)}."
    yield "The others do not apply where the table says why, which is read off the method.\n"
    yield f"| method | {' | '.join(columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for number, name in enumerate(methods):
        cells = [_cell(reasons[number]) for reasons in columns.values()]
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""


def _alike(rows: dict[str, list[Reason | None]]) -> dict[str, list[Reason | None]]:
    """The rows, those of equal reasons under their names together."""
    shown = {law: [_cell(reason) for reason in reasons] for law, reasons in rows.items()}
    order = sorted(rows, key=lambda law: list(shown.values()).index(shown[law]))
    groups = [list(group) for _, group in groupby(order, key=lambda law: shown[law])]
    return {", ".join(group): rows[group[0]] for group in groups}


def _cell(reason: Reason | None) -> str:
    if reason is None:
        return HOLDS
    place = f"{reason.span.source.name}:{reason.span.line}: " if reason.span else ""
    return (place + reason.what).replace("|", "\\|")


@cache
def known_pairs() -> tuple[Pair, ...]:
    """Every pair of methods that can be called by name."""
    return tuple(pairs(shipped()))


def _together(names: Sequence[str]) -> Iterator[str]:
    """The table of pairs, its columns numbered as its rows."""
    said = {frozenset((one.first, one.second)): one for one in known_pairs()}
    yield "## Which methods go together\n"
    yield "`taxo train 'first+second'` trains by two methods at once."
    yield "What the checker says of a pair, it says of both orders:\n"
    yield f"- {TOGETHER} nothing: the two go together"
    for code, sign in SIGNS.items():
        yield f"- {sign} [{code}](errors/{code}.md): {SPEC_CODES[code].title}"
    yield ""
    yield f"| | method | {' | '.join(str(number) for number in range(1, len(names) + 1))} |"
    yield f"| --- | --- |{' --- |' * len(names)}"
    for number, first in enumerate(names, 1):
        cells = [_sign(said.get(frozenset((first, second)))) for second in names]
        yield f"| {number} | `{first}` | {' | '.join(cells)} |"
    yield ""


def _sign(pair: Pair | None) -> str:
    """A pair in a cell: the codes it gets, as signs that lead to their pages."""
    if pair is None:
        return SAME
    signs = [f"[{SIGNS.get(code, OTHER)}](errors/{code}.md)" for code in pair.codes]
    return " ".join(signs) or TOGETHER
