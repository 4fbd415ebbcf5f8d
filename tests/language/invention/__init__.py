"""Random methods, valid by construction as far as that is easy: every word comes from the vocabulary."""

from random import Random

from hypothesis import strategies as st

from taxo.language.check import check, errors
from taxo.language.declarations import PARTS
from taxo.language.method import Method
from taxo.language.syntax import Word
from tests.language.invention.clauses import Clauses
from tests.language.invention.consequences import claimed, with_needs, without_unused
from tests.language.invention.spots import DATA


def method(random: Random) -> Method:
    """A random method, which the checker very probably accepts."""
    made = Clauses(random)
    make = made.make
    name = make.fresh(made.taken)
    made.declare()
    infers = tuple(made.inferences())
    draft = Method(
        name=Word(name),
        clauses=made.clauses(),
        title=made.text(),
        summary=made.text(),
        cite=tuple(made.text() for _ in range(make.one([0, 0, 1, 3]))),
        null=made.null(),
        loss=made.objective() if make.chance(0.3) else None,
        split=make.option(PARTS, DATA) if make.chance(0.2) else None,
        params=tuple(made.params),
        draws=tuple(made.draws),
        states=tuple(made.states),
        lets=tuple(made.lets),
        infers=infers,
    )
    return claimed(with_needs(without_unused(draft), make), make)


def methods() -> st.SearchStrategy[Method]:
    """Random methods that the checker accepts."""
    invented = st.randoms(use_true_random=False).map(method)
    return invented.filter(lambda one: not errors(check(one)))


__all__ = ["method", "methods"]
