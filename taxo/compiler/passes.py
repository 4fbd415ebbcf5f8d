"""Passes over methods: what the values of the parameters make needless goes before anything is built.

Each pass is a plain function from method to method; `PASSES` is their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from taxo.compiler.ahead import is_ahead
from taxo.compiler.folding import Folding, Names, certain, fold
from taxo.compiler.made import is_made
from taxo.compiler.rewriting import over_clauses, over_expressions, put_in, read_whole
from taxo.compiler.rounds import selects_none
from taxo.compiler.whole import shapes_in
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Branch, Clause, Method, Perturbation
from taxo.language.scope import Scope
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Number,
    names,
    rebuilt,
)
from taxo.language.vocabulary import OPTIMIZERS, REGIONS, SOLVERS

Pass = Callable[[Method], Method]


def settle_draws(method: Method) -> Method:
    """Put the values of draws that leave nothing to chance where they are read."""
    values = Scope(method).constants()
    settled: dict[str, Expression] = {}
    for draw in method.draws:
        value = certain(draw, values)
        if value is not None:
            values = {**values, draw.name.text: value}
            settled[draw.name.text] = Number(value)
    return put_in(method, settled) if settled else method


def fold_lets(method: Method) -> Method:
    """Fold the named expressions, and put those that became constant where they are read."""
    scope = Scope(method)
    values, whole = scope.constants(), read_whole(scope)
    folding = Folding(_numbers(scope), shapes_in(scope))
    folded = {
        let.name.text: (folding.kept if let.name.text in whole else folding)(let.value) for let in method.lets
    }
    lets = tuple(let.model_copy(update={"value": folded[let.name.text]}) for let in method.lets)
    method = method.model_copy(update={"lets": lets})
    settled = {name: value for name, value in folded.items() if constant(value, values) is not None}
    if not settled:
        return method
    method = put_in(method, settled)
    left = tuple(let for let in method.lets if let.name.text not in settled)
    # what read a constant may be one now, so look again
    return fold_lets(method.model_copy(update={"lets": left}))


def settle_words(method: Method) -> Method:
    """Answer the questions which word a parameter is."""
    scope = Scope(method)

    def settled(node: Expression) -> Expression:
        if isinstance(node, Binary) and node.operator in ("==", "!=") and scope.is_word_choice(node):
            same = scope.word(node.left) == scope.word(node.right)
            return Number(float(same == (node.operator == "==")))
        return rebuilt(node, settled)

    lets = tuple(let.model_copy(update={"value": settled(let.value)}) for let in method.lets)
    return over_expressions(method, lambda item: settled).model_copy(update={"lets": lets})


def drop_unread(method: Method) -> Method:
    """Drop the inferences on held-out data, and of modules, of what nothing reads any more."""
    scope = Scope(method)
    left = tuple(
        infer
        for infer in method.infers
        if (infer.on is None and not is_made(infer))
        or any(_is_used(name.text, method, scope) for name in infer.over)
    )
    return method.model_copy(update={"infers": left})


def _is_used(name: str, method: Method, scope: Scope) -> bool:
    parts = [state.value for state in method.states] + [branch.weight for branch in method.branches()]
    for item in method.perturbations():
        parts += [*item.written(), *item.infer.written()]
    called = {node.name.text for part in parts for node in scope.parts(part) if isinstance(node, Call)}
    modules = {node.owner.text for part in parts for node in scope.parts(part) if isinstance(node, Attribute)}
    return name in called | modules or any(name in scope.reads(part) for part in parts)


def _numbers(scope: Scope) -> Names:
    """The values of all that is one number wherever it is read, though its shape may have to stay."""
    values: Names = scope.constants()
    for draw in scope.method.draws:
        value = certain(draw, values)
        values = values if value is None else {**values, draw.name.text: value}
    before = -1
    while before != len(values):  # a `let` may read those behind it
        before = len(values)
        for name, let in scope.lets.items():
            value = None if name in values else constant(fold(let.value, values), values)
            values = values if value is None else {**values, name: value}
    return values


def fold_clauses(method: Method) -> Method:
    """Fold the forms, conditions and weights of every clause."""
    scope = Scope(method)
    values = _numbers(scope)
    return over_expressions(method, lambda item: Folding(values, shapes_in(scope, item)))


def drop_idle(method: Method) -> Method:
    """Drop the perturbations that the values of the parameters leave nothing to do."""
    scope = Scope(method)
    return over_clauses(method, lambda item: () if _idle(item, scope) else (item,))


def _idle(item: Perturbation, scope: Scope) -> bool:
    values = scope.constants()
    if constant(item.by, values) == 0 or (item.where is not None and constant(item.where, values) == 0):
        return True
    if item.every is not None and selects_none(item.where, scope):
        return True
    if any(_radius(region, values) == 0 for region in item.infer.within):
        return True
    return _forbidden(item, scope) or _rests(item, scope)


def _radius(region: Call, values: Names) -> float | None:
    radius = REGIONS[region.name.text].radius
    return (
        None if radius is None else constant(given(region, REGIONS[region.name.text].options)[radius], values)
    )


def _forbidden(item: Perturbation, scope: Scope) -> bool:
    """Whether the goal puts an infinite price on the unknown, so that it stays zero."""
    unknown, goal = scope.unknown(item), item.infer.goal
    if unknown is None or goal is None:
        return False
    values = scope.constants()
    return any(
        float("inf") in (constant(term.left, values), constant(term.right, values))
        and any(name.text == unknown for name in names(term))
        for term in _terms(goal.objective)
        if isinstance(term, Binary) and term.operator == "*"
    )


def _rests(item: Perturbation, scope: Scope) -> bool:
    """Whether what is learned on held-out data begins at nothing and moves by nothing."""
    unknown, via = scope.unknown(item), item.infer.via
    if unknown is None or via is None or not is_ahead(item.infer):
        return False
    how = given(via, SOLVERS[via.name.text].options).get("optimizer")
    known = given(how, OPTIMIZERS[how.name.text].options) if isinstance(how, Call) else {}
    values = {**scope.constants(), unknown: 0.0}
    still = "lr" in known and constant(known["lr"], values) == 0
    return still and constant(fold(scope.written_out(item.by), values), values) == 0


def _terms(node: Expression) -> Iterator[Expression]:
    if isinstance(node, Binary) and node.operator in ("+", "-"):
        yield from _terms(node.left)
        yield from _terms(node.right)
    else:
        yield node


def always(method: Method) -> Method:
    """Drop the conditions that are always true."""
    values = Scope(method).constants()

    def unconditional(item: Perturbation) -> tuple[Perturbation, ...]:
        held = item.where is not None and bool(constant(item.where, values))
        return (item.model_copy(update={"where": None}) if held else item,)

    return over_clauses(method, unconditional)


def merge_branches(method: Method) -> Method:
    """Drop branches of weight zero, join equal ones, and write a single one of weight one in line.

    Those whose values are read stay as they are.
    """
    scope = Scope(method)
    values, read = scope.constants(), _branches_read(method, scope)
    merged: dict[object, Branch] = {}
    for branch in method.branches():
        if constant(branch.weight, values) != 0 or _is_read(branch, read):
            twin = merged.get(_sameness(branch, read))
            weight = _sum(twin.weight, branch.weight) if twin else branch.weight
            merged[_sameness(branch, read)] = branch.model_copy(update={"weight": weight})
    single = len(merged) == 1 and all(_is_plain(branch, values, read) for branch in merged.values())
    clauses: list[Clause] = []
    for clause in method.clauses:
        if not isinstance(clause, Branch):
            clauses.append(clause)
        elif _sameness(clause, read) in merged:
            kept = merged.pop(_sameness(clause, read))
            clauses += kept.perturbations if single else [kept]
    return method.model_copy(update={"clauses": tuple(clauses)})


def _branches_read(method: Method, scope: Scope) -> set[str]:
    """The names of the branches whose values something reads."""
    parts = [state.value for state in method.states]
    parts += [branch.weight for branch in method.branches()]
    for item in method.perturbations():
        parts += item.written()
        parts += [item.infer.goal.objective] if item.infer.goal else []
    return {name for part in parts for name in scope.reads(part)} & set(scope.branches)


def _is_read(branch: Branch, read: set[str]) -> bool:
    return branch.name is not None and branch.name.text in read


def _sameness(branch: Branch, read: set[str]) -> object:
    """What two branches have in common that can be one."""
    own = branch.name if _is_read(branch, read) else None
    return own, branch.on, branch.norm, branch.perturbations


def _is_plain(branch: Branch, values: Names, read: set[str]) -> bool:
    """Whether a branch is the whole batch, as it is, and nothing calls it by its name.

    What alone is trained on moves the running statistics, whether or not others were to share the norms.
    """
    own_norms = branch.norm is not None and branch.norm.text != "batch"
    plain = branch.on is None and not own_norms and not _is_read(branch, read)
    return plain and _is_one(constant(branch.weight, values))


def _sum(left: Expression, right: Expression) -> Expression:
    """The sum of two weights; of two that ask the same question, side by side."""
    if isinstance(left, Conditional) and isinstance(right, Conditional) and left.condition == right.condition:
        value, otherwise = _sum(left.value, right.value), _sum(left.otherwise, right.otherwise)
        return Conditional(value, left.condition, otherwise)
    if right == Binary("-", Number(1.0), left):
        return Number(1.0)  # two shares of one whole
    return Binary("+", left, right)


def _is_one(weight: float | None) -> bool:
    """Whether shares that are to add up do, whatever their rounding."""
    return weight is not None and math.isclose(weight, 1)


def settle_tuned(method: Method) -> Method:
    """Drop the inferences that a search over whole runs makes: in one run their parameters are numbers."""
    left = tuple(infer for infer in method.infers if infer.manner.text != "tuning")
    return method.model_copy(update={"infers": left})


PASSES: tuple[Pass, ...] = (
    settle_tuned,
    settle_draws,
    settle_words,
    fold_lets,
    fold_clauses,
    drop_idle,
    always,
    merge_branches,
    drop_unread,
)


def simplify(method: Method, passes: tuple[Pass, ...] = PASSES) -> Method:
    """The method after all passes."""
    for one in passes:
        method = one(method)
    return method
