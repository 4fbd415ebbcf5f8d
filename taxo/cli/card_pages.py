"""The cards of the shipped methods as pages, and the index of them: the taxonomy as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taxo.catalog import load, whole
from taxo.cli.card_page import cost_text, page
from taxo.cli.entries import Entry, entry
from taxo.cli.formula import Latex
from taxo.cli.law_pages import known_pairs
from taxo.cli.notes import FOLDER as NOTES
from taxo.cli.notes import notes_of
from taxo.language.vocabulary import MANNERS, TARGETS
from taxo.resources import methods_folder

FOLDER = "docs/methods"
INTRODUCTION = """# The methods

A card for every method that comes with taxo: what it does, its formula, its text, what a step costs, where
its defaults come from, how it was checked, and what it goes together with. `taxo card NAME` prints one. They
are made by `make docs` from the methods' files and from the [notes](notes) that people wrote.
"""


def card_pages() -> dict[str, str]:
    """The card of every shipped method, and their index."""
    names = sorted(path.stem for path in methods_folder().glob("*.taxo"))
    cards = {f"{FOLDER}/{name}.md": _card(name) for name in names}
    return {f"{FOLDER}/README.md": "\n".join(_index(names)), **cards}


def _card(name: str) -> str:
    """The page of one method, which has to have notes."""
    if notes_of(name) is None:
        raise ValueError(f"`{name}` has no notes: write {NOTES}/{name}.md")
    met = [one for one in known_pairs() if name in (one.first, one.second)]
    return page(load(name), Latex(), met)


def _index(names: Sequence[str]) -> Iterator[str]:
    entries = [entry(whole(load(name))) for name in names]
    yield INTRODUCTION
    yield "## By what is perturbed and how that is found\n"
    yield f"| | {' | '.join(TARGETS)} |"
    yield f"| --- |{' --- |' * len(TARGETS)}"
    for manner in MANNERS:
        cells = [", ".join(_link(one) for one in _at(entries, target, manner)) for target in TARGETS]
        yield f"| {manner} | {' | '.join(cell or '·' for cell in cells)} |"
    yield f"\nNothing is perturbed: {', '.join(_link(one) for one in entries if not one.perturbations)}\n"
    yield "## By name\n"
    yield "The cost is that of a step at the defaults: forwards (F) and backwards (B) of the batch.\n"
    yield "| method | perturbs | direction | granularity | cost | what it is |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for one in entries:
        words = (" + ".join(one.words(key)) or "–" for key in ("target", "direction", "granularity"))
        yield f"| {_link(one)} | {' | '.join(words)} | {cost_text(load(one.name)) or '–'} | {one.heading} |"
    yield ""


def _at(entries: Sequence[Entry], target: str, manner: str) -> Iterator[Entry]:
    """The methods with a perturbation of a target that is found in a manner."""
    for one in entries:
        if any((place.target, place.manner) == (target, manner) for place in one.perturbations):
            yield one


def _link(one: Entry) -> str:
    return f"[`{one.name}`]({one.name}.md)"
