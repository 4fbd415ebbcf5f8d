"""What a program computes beside its passes, and so of nothing that they bring."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.states import form_of, inner_of, is_before, is_late, reads_batch
from taxo.language.method import Method, Perturbation
from taxo.language.objectives import base_objective
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Call, Expression, Member, Name
from taxo.language.vocabulary import SOLVERS, VALUES, Grain, Place, Shape


def unsettled(method: Method, scope: Scope) -> Iterator[Expression]:
    """The expressions beside the passes that read what only a pass brings."""
    for node in _beside(method, scope):
        if any(_is_late(part, scope) for part in scope.parts(node)):
            yield node


def _beside(method: Method, scope: Scope) -> Iterator[Expression]:
    """The expressions that are computed beside the passes."""
    calls = [infer.via for infer in method.infers if infer.via is not None]
    calls += [item.infer.via for item in method.perturbations() if item.infer.via and _learned(item)]
    base, penalties = (None, []) if method.loss is None else base_objective(method.loss)
    for call in [*calls, *([] if base is None else [base])]:
        yield from (argument.value for argument in call.arguments if scope.word(argument.value) is None)
    yield from penalties
    yield from (param.default for param in method.params if scope.network(param.name.text) is None)
    for state in method.states:
        if state.start is not None and state.per.text != "sample":
            yield state.start
        form = form_of(state)
        for argument in () if form is None else form.arguments[1:]:
            if argument.name is not None and argument.name.text != "where":
                yield argument.value
        if is_late(state) and not reads_batch(state.value, scope):
            yield inner_of(state)


def _learned(item: Perturbation) -> bool:
    via = item.infer.via
    return via is not None and (via.name.text == "joint" or SOLVERS[via.name.text].ahead)


def _is_late(part: Expression, scope: Scope) -> bool:
    """Whether a part is known within a pass only."""
    match part:
        case Attribute() | Member():
            return True
        case Call():
            return part.name.text in ("h", "named", "view", "lid", "cosine")
        case Name() if part.text in scope.states:
            return is_before(scope.states[part.text])
        case Name() if part.text in VALUES and part.text not in scope.declared:
            row = VALUES[part.text]
            inside = row.place not in (Place.DATA, Place.WEIGHTS)
            return inside or row.grain != Grain.CORPUS or row.shape == Shape.PASS
        case Name():
            return part.text in scope.draws
        case _:
            return False
