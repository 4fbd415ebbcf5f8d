"""The coordinates of a perturbation as its form shows them: they are types, not comments."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.language.method import Goal, Perturbation
from taxo.language.scope import Scope
from taxo.language.syntax import Binary, Expression, Name, Unary, names
from taxo.language.vocabulary import GRAINS, TARGETS, VALUES, Grain, Place

MONOTONE = ("+", "-")


@dataclass(frozen=True, slots=True)
class Derived:
    """What the form of a perturbation says of its coordinates; no direction where nothing is implied."""

    granularity: Grain
    manner: str
    direction: str | None


def derive(item: Perturbation, scope: Scope) -> Derived:
    """The coordinates that a perturbation's form shows."""
    unknown = scope.unknown(item)
    return Derived(
        _granularity(item, scope, unknown), _manner(item, scope, unknown), _direction(item, unknown)
    )


def declared_grain(item: Perturbation) -> Grain | None:
    """The finest granularity a perturbation declares; None where a word is unknown."""
    grains = [GRAINS.get(word.text) for word in item.granularity]
    return None if None in grains else max(grain for grain in grains if grain is not None)


def tuned(item: Perturbation, scope: Scope) -> list[str]:
    """The parameters with a domain that a perturbation's form reads."""
    return [name for name in scope.reads(item.by) if name in scope.params and scope.params[name].domain]


def _granularity(item: Perturbation, scope: Scope, unknown: str | None) -> Grain:
    if unknown is not None:
        return Grain.CORPUS if item.target.text == "weights" else Grain.SAMPLE
    if item.infer.manner.text == "tuning" and tuned(item, scope):
        return Grain.CORPUS
    own = TARGETS[item.target.text].value if item.target.text in TARGETS else ""
    coefficients = own not in ("", "y") and _affine(item.by, own)
    return max(
        (_grain(name, scope) for name in scope.reads(item.by) if not (coefficients and name == own)),
        default=Grain.CORPUS,
    )


def _grain(name: str, scope: Scope) -> Grain:
    if name in scope.draws:
        draw = scope.draws[name]
        of_weights = isinstance(draw.like, Name) and draw.like.text == "w"
        return Grain.CORPUS if draw.per.text == "batch" or of_weights else Grain.SAMPLE
    if name in scope.params or name not in VALUES:
        return Grain.CORPUS
    return Grain.SAMPLE if name == "clean" else VALUES[name].grain


def _affine(node: Expression, own: str) -> bool:
    """Whether an expression is a coefficient times `own` plus a rest."""
    match node:
        case Binary(operator="+" | "-"):
            return _affine(node.left, own) and _affine(node.right, own)
        case Binary(operator="*"):
            free = [side for side in (node.left, node.right) if not _mentions(side, own)]
            return bool(free) and _affine(node.left, own) and _affine(node.right, own)
        case Binary(operator="/"):
            return not _mentions(node.right, own) and _affine(node.left, own)
        case Unary(operator="-"):
            return _affine(node.operand, own)
        case Name():
            return True
        case _:
            return not _mentions(node, own)


def _mentions(node: Expression, name: str) -> bool:
    return any(read.text == name for read in names(node))


def _manner(item: Perturbation, scope: Scope, unknown: str | None) -> str:
    if unknown is None:
        return "tuning" if item.infer.manner.text == "tuning" and tuned(item, scope) else "prior"
    goal = item.infer.goal
    penalised = goal is not None and _mentions(goal.objective, unknown)
    return "regularization" if penalised or not item.infer.within else "adversarial"


def _direction(item: Perturbation, unknown: str | None) -> str | None:
    """An extremum of the sample's own loss implies a direction; other goals imply none."""
    goal = item.infer.goal
    if goal is None or unknown is None or not rises_with_loss(goal):
        return None
    return {"minimize": "positive", "maximize": "negative"}.get(goal.kind.text)


def rises_with_loss(goal: Goal) -> bool:
    """Whether a goal is the loss, or the loss beside a penalty that does not read it."""
    node = goal.objective
    while isinstance(node, Binary) and node.operator in MONOTONE:
        if _mentions(node.right, "loss"):
            return False
        node = node.left
    return isinstance(node, Name) and node.text == "loss"


def probed(item: Perturbation, scope: Scope) -> bool:
    """Whether the form's effect on the loss can be measured on random logits and labels."""
    head = item.target.text in TARGETS and TARGETS[item.target.text].place >= Place.LOGITS
    readable = all(VALUES[name].place != Place.FEATURES for name in scope.reads(item.by) if name in VALUES)
    return head and readable and scope.unknown(item) is None and item.at is None
