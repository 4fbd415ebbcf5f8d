"""The coordinates of a perturbation as its form shows them: they are types, not comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.language.method import Inference, Perturbation
from taxo.language.objectives import objective_of
from taxo.language.polarity import bounds, slope_of_loss, terms
from taxo.language.regions import is_bounded
from taxo.language.scope import Scope, acts_at, word_text
from taxo.language.syntax import Attribute, Binary, Call, Expression, Index, Name, Unary, children, names
from taxo.language.vocabulary import FUNCTIONS, GRAINS, NEEDS, VALUES, Grain, Place, Result, Shape

POOLED = {
    name for name, row in FUNCTIONS.items() if row.result in (Result.POOLED, Shape.SCALAR) and row.shapes
}


@dataclass(frozen=True, slots=True)
class Derived:
    """What the form of a perturbation says of its coordinates; no direction where nothing is implied."""

    granularity: Grain
    manners: tuple[str, ...]
    direction: str | None

    @property
    def manner(self) -> str:
        """The manners as a spec would write them."""
        return " + ".join(self.manners)


def derive(item: Perturbation, scope: Scope) -> Derived:
    """The coordinates that a perturbation's form shows."""
    unknown = scope.unknown(item)
    return Derived(
        _granularity(item, scope, unknown), _manners(item, scope, unknown), _direction(item, scope, unknown)
    )


def declared_grain(item: Perturbation) -> Grain | None:
    """The finest granularity a perturbation declares; None where a word is unknown."""
    grains = [GRAINS.get(word.text) for word in item.granularity]
    return None if None in grains else max(grain for grain in grains if grain is not None)


def tuned(item: Perturbation, scope: Scope) -> list[str]:
    """The parameters with a domain that a perturbation's form reads."""
    return [name for name in scope.reads(item.by) if name in scope.params and scope.params[name].domain]


def _granularity(item: Perturbation, scope: Scope, unknown: str | None) -> Grain:
    """Of the unknown, which has a value for each granule declared; of what is learned; of the form."""
    if unknown is not None:
        return Grain.CORPUS if item.target.text == "weights" else declared_grain(item) or Grain.CORPUS
    covered = scope.covered(item)
    learned = [name for name in covered if name not in scope.modules and not scope.network(name)]
    if learned:
        return max(_grain(name, scope) for name in learned)
    if item.infer.manner.text == "tuning" and tuned(item, scope):
        return max(_grain(name, scope) for name in tuned(item, scope))
    spot = acts_at(item)
    own = spot.value if spot is not None else ""
    coefficients = own not in ("", "y") and _affine(item.by, own)
    grains = [grain for name, grain in _read(item.by, scope) if not (coefficients and name == own)]
    return max(grains, default=Grain.CORPUS)


def _read(node: Expression, scope: Scope) -> Iterator[tuple[str, Grain]]:
    """The names that a form depends on, with their granularities; a network counts as what it is given."""
    match node:
        case Name() if node.text in scope.lets:
            yield from _read(scope.lets[node.text].value, scope)
        case Name():
            yield node.text, _grain(node.text, scope)
        case Attribute():
            used = node.owner.text in scope.used_names
            yield node.owner.text, Grain.CORPUS if used else Grain.SAMPLE
        case Call() if node.name.text in POOLED:
            yield node.name.text, Grain.CORPUS
        case Index() if isinstance(node.index, Name) and node.index.text in scope.draws:
            yield node.index.text, Grain.SAMPLE  # another sample's value differs from sample to sample
        case Call() if node.name.text in ("h", "view"):
            yield node.name.text, Grain.SAMPLE
        case _:
            for child in children(node):
                yield from _read(child, scope)


def _grain(name: str, scope: Scope) -> Grain:
    if name in scope.draws:
        draw = scope.draws[name]
        of_weights = isinstance(draw.like, Name) and draw.like.text == "w"
        return Grain.CORPUS if draw.per.text == "batch" or of_weights else Grain.SAMPLE
    if name in scope.params or name in scope.states:
        per = scope.params[name].per if name in scope.params else scope.states[name].per
        return GRAINS.get(word_text(per, "corpus"), Grain.CORPUS)
    return VALUES[name].grain if name in VALUES else Grain.CORPUS


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
        case Call() if node.name.text in POOLED:
            return True
        case _:
            return not _mentions(node, own)


def _mentions(node: Expression, name: str) -> bool:
    return any(read.text == name for read in names(node))


def _manners(item: Perturbation, scope: Scope, unknown: str | None) -> tuple[str, ...]:
    """How the unknown is found, then how the learned names that the form reads are; else it is prior."""
    learned = [_learned(scope.found[name], name) for name in scope.covered(item)]
    if unknown is not None:
        found = "meta" if item.infer.on is not None else "adversarial" if _bounded(item, unknown) else ""
        return tuple(dict.fromkeys([found or "regularization", *learned]))
    if learned:
        return tuple(dict.fromkeys(learned))
    return ("tuning",) if item.infer.manner.text == "tuning" and tuned(item, scope) else ("prior",)


def _learned(infer: Inference, name: str) -> str:
    """How a name is found: on held-out data, against the training, or along with it."""
    if infer.on is not None:
        return "meta"
    goal = infer.goal
    against = goal is not None and goal.kind.text == "maximize" and not _mentions(goal.objective, name)
    return "adversarial" if against else "regularization"


def _bounded(item: Perturbation, unknown: str) -> bool:
    """Whether a set holds the unknown, and no penalty does."""
    goal = item.infer.goal
    if (
        goal is not None
        and _mentions(goal.objective, unknown)
        and not _found_in_loss(goal.objective, unknown)
    ):
        return False
    return any(is_bounded(region) for region in item.infer.within)


def _found_in_loss(node: Expression, unknown: str) -> bool:
    """Whether the goal reads the unknown as a label or value to aim at, not as something to keep small."""
    if isinstance(node, Call) and node.name.text in ("ce", "kl"):
        return True
    return all(
        _found_in_loss(child, unknown) for child in children(node) if _mentions(child, unknown)
    ) and not isinstance(node, (Name, Call))


def _direction(item: Perturbation, scope: Scope, unknown: str | None) -> str | None:
    """An extremum of the sample's own loss implies a direction; other goals imply none."""
    goal, infer = item.infer.goal, item.infer
    if (
        goal is None
        or unknown is None
        or infer.on is not None
        or not _can_vanish(scope.written_out(item.by), unknown)
    ):
        return None
    wanted = {"minimize": -1, "maximize": 1}.get(goal.kind.text, 0)
    objective = scope.written_out(goal.objective)
    slope = slope_of_loss(objective, scope.constants())
    if not slope or not all(_holds_back(term, unknown, wanted, scope) for term in terms(objective)):
        return None
    return {1: "negative", -1: "positive"}.get(wanted * slope)


def _holds_back(term: tuple[int, Expression], unknown: str, wanted: int, scope: Scope) -> bool:
    """Whether a term of a goal is worst where the unknown moves, so that it cannot pull it anywhere."""
    sign, node = term
    if not _mentions(node, unknown):
        return True
    low, high = bounds(node, scope)
    return (low >= 0 and sign == -wanted) or (high <= 0 and sign == wanted)


def _can_vanish(node: Expression, unknown: str) -> bool:
    """Whether an unknown can leave things as they are: each term of the form has it as a factor."""
    match node:
        case Name():
            return node.text == unknown
        case Unary(operator="-"):
            return _can_vanish(node.operand, unknown)
        case Binary(operator="+" | "-"):
            moved = isinstance(node.left, Name) and isinstance(node.right, Name) and node.left.text == unknown
            return moved or (_can_vanish(node.left, unknown) and _can_vanish(node.right, unknown))
        case Binary(operator="*"):
            return _can_vanish(node.left, unknown) or _can_vanish(node.right, unknown)
        case Binary(operator="/"):
            return _can_vanish(node.left, unknown)
        case Index():
            return _can_vanish(node.value, unknown)
        case _:
            return False


def probed(item: Perturbation, scope: Scope) -> bool:
    """Whether the form's effect on the cross entropy can be measured on random logits and labels."""
    if any(NEEDS[name].owns == "head" for name in scope.needs if name in NEEDS):
        return False  # its logits are not any numbers
    return tried(item, scope)


def tried(item: Perturbation, scope: Scope) -> bool:
    """Whether the form can be computed from logits and labels alone."""
    spot = acts_at(item)
    head = spot is not None and spot.place >= Place.LOGITS and item.at is None
    fixed = scope.unknown(item) is None and not scope.covered(item) and item.every is None
    if not head or not fixed or not objective_of(scope.method).compares:
        return False
    from taxo.language.probe import evaluable  # only now, since it takes NumPy

    return all(evaluable(part, scope) for part in item.written())
