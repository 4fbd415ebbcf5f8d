"""Where the expressions of a method are, for the passes that change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from taxo.compiler.whole import Rewriting, ShapeOf, names_read_whole, shapes_in
from taxo.language.method import Branch, Clause, Inference, Method, Perturbation
from taxo.language.scope import Scope
from taxo.language.syntax import Call, Expression, Name

Change = Callable[[Expression], Expression]


def over_clauses(method: Method, change: Callable[[Perturbation], tuple[Perturbation, ...]]) -> Method:
    """The method with every perturbation replaced by what `change` makes of it."""
    clauses: list[Clause] = []
    for clause in method.clauses:
        if isinstance(clause, Branch):
            inner = tuple(new for item in clause.perturbations for new in change(item))
            clauses.append(clause.model_copy(update={"perturbations": inner}))
        elif isinstance(clause, Perturbation):
            clauses += change(clause)
        else:
            clauses.append(clause)
    return method.model_copy(update={"clauses": tuple(clauses)})


def over_expressions(method: Method, change_of: Callable[[Perturbation | None], Change]) -> Method:
    """The method with a change made of the forms, conditions and searches, and of weights of branches.

    `change_of` gives the change for a perturbation, and for what is none's.
    """

    def changed(item: Perturbation) -> tuple[Perturbation, ...]:
        change = change_of(item)
        where = None if item.where is None else change(item.where)
        found = _over_search(item.infer, change)
        return (item.model_copy(update={"by": change(item.by), "where": where, "infer": found}),)

    method, change = over_clauses(method, changed), change_of(None)
    clauses = tuple(
        clause.model_copy(update={"weight": change(clause.weight)}) if isinstance(clause, Branch) else clause
        for clause in method.clauses
    )
    return method.model_copy(update={"clauses": clauses})


def put_in(method: Method, settled: Mapping[str, Expression]) -> Method:
    """The method with expressions in the place of names, wherever a name of that shape is not needed."""
    scope = Scope(method)
    method = over_expressions(method, lambda item: _Settling(settled, shapes_in(scope, item)))
    return _over_declarations(method, _Settling(settled, shapes_in(scope)), read_whole(scope))


def read_whole(scope: Scope) -> set[str]:
    """The `let`s whose own shape is asked for: by what reads them as a whole, or keeps what they are."""
    found, method = set[str](), scope.method

    def read(node: Expression) -> Expression:
        found.update(names_read_whole(node))
        return node

    over_expressions(method, lambda item: read)
    for let in method.lets:
        read(let.value)
    kept = [part for state in method.states for part in (state.value, state.start)]
    kept += [draw.like for draw in method.draws]
    roots = [part for part in kept if part is not None] + [Name(name) for name in found]
    return {name for node in roots for name in scope.through(node)}


def _over_declarations(method: Method, change: Rewriting, whole: set[str]) -> Method:
    """The method with a change made of what stands before and after its clauses; shapes are kept there."""
    lets = tuple(
        let.model_copy(
            update={"value": (change.kept if let.name.text in whole else change)(let.value)},
        )
        for let in method.lets
    )
    draws = tuple(
        draw.model_copy(
            update={
                "distribution": _over_options(draw.distribution, change),
                "like": None if draw.like is None else change.kept(draw.like),
            }
        )
        for draw in method.draws
    )
    states = tuple(
        state.model_copy(
            update={
                "value": change.kept(state.value),
                "start": None if state.start is None else change.kept(state.start),
            }
        )
        for state in method.states
    )
    more = {
        "needs": tuple(_over_options(call, change) for call in method.needs),
        "loss": None if method.loss is None else change.kept(method.loss),
        "split": None if method.split is None else change(method.split),
        "infers": tuple(_over_search(infer, change) for infer in method.infers),
    }
    return method.model_copy(update={"lets": lets, "draws": draws, "states": states, **more})


class _Settling(Rewriting):
    """Puts expressions in the place of names."""

    def __init__(self, settled: Mapping[str, Expression], shape: ShapeOf) -> None:
        super().__init__(shape)
        self._settled = settled

    def change(self, node: Expression) -> Expression:
        return self._settled.get(node.text, node) if isinstance(node, Name) else self.below(node)


def _over_search(infer: Inference, change: Change) -> Inference:
    """An inference with `change` applied to its goal, and to the options of its sets and its solver."""
    goal = infer.goal
    if goal is not None:
        goal = goal.model_copy(update={"objective": change(goal.objective)})
    within = tuple(_over_options(region, change) for region in infer.within)
    via = None if infer.via is None else _over_options(infer.via, change)
    return infer.model_copy(update={"goal": goal, "within": within, "via": via})


def _over_options(call: Call, change: Change) -> Call:
    arguments = tuple(replace(argument, value=change(argument.value)) for argument in call.arguments)
    return replace(call, arguments=arguments)
