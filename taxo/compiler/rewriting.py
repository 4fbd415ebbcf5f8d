"""Methods with something changed in them everywhere: in every perturbation, or in every expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from taxo.language.method import Branch, Clause, Inference, Method, Perturbation
from taxo.language.syntax import Call, Expression, Name, rebuilt


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


def over_expressions(method: Method, change: Callable[[Expression], Expression]) -> Method:
    """The method with `change` applied to the forms, conditions and searches, and to weights of branches."""

    def changed(item: Perturbation) -> tuple[Perturbation, ...]:
        where = None if item.where is None else change(item.where)
        found = _over_search(item.infer, change)
        return (item.model_copy(update={"by": change(item.by), "where": where, "infer": found}),)

    method = over_clauses(method, changed)
    clauses = tuple(
        clause.model_copy(update={"weight": change(clause.weight)}) if isinstance(clause, Branch) else clause
        for clause in method.clauses
    )
    return method.model_copy(update={"clauses": clauses})


def _over_search(infer: Inference, change: Callable[[Expression], Expression]) -> Inference:
    """An inference with `change` applied to its goal, and to the options of its sets and its solver."""
    goal = infer.goal
    if goal is not None:
        goal = goal.model_copy(update={"objective": change(goal.objective)})
    within = tuple(_over_options(region, change) for region in infer.within)
    via = None if infer.via is None else _over_options(infer.via, change)
    return infer.model_copy(update={"goal": goal, "within": within, "via": via})


def _over_options(call: Call, change: Callable[[Expression], Expression]) -> Call:
    arguments = tuple(replace(argument, value=change(argument.value)) for argument in call.arguments)
    return replace(call, arguments=arguments)


def replaced(node: Expression, settled: Mapping[str, Expression]) -> Expression:
    """The expression with settled names put in for their values."""
    if isinstance(node, Name):
        return settled.get(node.text, node)
    return rebuilt(node, lambda child: replaced(child, settled))
