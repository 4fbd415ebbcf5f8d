"""Every law on a method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from taxo.language.errors import TaxoError
from taxo.language.method import Method
from taxo.laws import learning, machines, running, written
from taxo.laws.pools import Reason
from taxo.laws.reasons import LAWS, SLOW
from taxo.laws.subject import Subject, toys_for
from taxo.laws.toys import CONV, MLP, Toy
from taxo.laws.verdict import Outcome, Verdict, exempt

Law = Callable[[Subject], Verdict]
FUNCTIONS: dict[str, Law] = {
    "null": written.null,
    "text = builder = JSON": written.spellings,
    "emitted = compiled": written.emitted,
    "accumulate": running.accumulate,
    "resume": running.resume,
    "ranks": machines.ranks,
    "compile": machines.compiled_model,
    "cost": running.cost,
    "direction": learning.direction,
    "clean exit": running.clean_exit,
}
QUICK = tuple(law for law in LAWS if law not in SLOW)
NOT_TRIED = ("T210", "T304", "T401", "T404", "T407")  # what the step refuses, or no toy can be given
WITHOUT_NORMS = ("accumulate", "ranks")  # batch norm is an exemption of its own


def judged(law: str, subject: Subject) -> Verdict:
    """The verdict of one law; what the step itself raises is one, too."""
    try:
        return FUNCTIONS[law](subject)
    except TaxoError as error:
        first = error.diagnostics[0]
        if first.code in NOT_TRIED:
            return exempt(Reason(first.message, first.span))
        return Verdict(Outcome.FAILS, f"[{first.code}] {first.message}", first.span)
    except Exception as error:
        return Verdict(Outcome.FAILS, f"{type(error).__name__}: {error}".splitlines()[0])


def verdicts(method: Method, laws: Sequence[str] = QUICK) -> Iterator[tuple[str, Verdict]]:
    """Each law's verdict on a method, on the toy that shows most."""
    for law in laws:
        yield law, judged(law, Subject(method, toy_for(method, law)))


def toy_for(method: Method, law: str) -> Toy:
    """The toy that a law is tried on: the net with norms, but where they would be an exemption."""
    toys = toys_for(method)
    wanted = MLP if law in WITHOUT_NORMS else CONV
    return wanted if wanted in toys else toys[0]
