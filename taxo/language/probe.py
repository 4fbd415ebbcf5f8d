"""A fixed form tried on random logits and labels: how many losses rise, and whether labels stay labels.

Every value is an array that broadcasts to [B, C], so no shape needs to be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from taxo.language.arrays import CLASSES, FUNCTIONS, OPERATORS, Array, cross_entropy, onehot, softmax
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Perturbation
from taxo.language.scope import Scope
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    Unary,
)
from taxo.language.vocabulary import DISTRIBUTIONS

BATCH, SLACK, EPOCHS = 512, 1e-9, 100.0
DRAWN = {"normal", "uniform", "beta", "bernoulli", "truncated_normal", "sphere", "permutation"}
TIMES = {"epoch", "epochs", "progress", "step", "lr", "lr0"}


@dataclass(frozen=True, slots=True)
class Probe:
    """The share of samples whose loss rose and fell, and how far the labels left the simplex."""

    raised: float
    lowered: float
    off_simplex: float


def evaluable(node: Expression, scope: Scope) -> bool:
    """Whether the probe knows everything that an expression reads."""
    if any(isinstance(part, Binary) and scope.is_word_choice(part) for part in scope.parts(node)):
        return False
    known = {*_READABLE, *scope.draws, *scope.constants(), *_tables(scope)}
    if _columns(scope) != CLASSES:
        known -= {*_OF_CLASSES, *_tables(scope)}
        if any(_is_by_class(part) for part in scope.parts(node)):
            return False
    if any(name not in known for name in scope.reads(node)):
        return False
    for part in scope.parts(node):
        if isinstance(part, Call) and part.name.text not in FUNCTIONS:
            return False
        if isinstance(part, Attribute) and f"{part.owner.text}.{part.name.text}" not in _ATTRIBUTES:
            return False
    return all(_drawable(name, scope) for name in scope.reads(node) if name in scope.draws)


def _is_by_class(part: Expression) -> bool:
    """Whether a part asks for entries by their class, of which there are not as many as logits."""
    return isinstance(part, Index) or (isinstance(part, Call) and part.name.text == "onehot")


def _columns(scope: Scope) -> int:
    """How many logits there are: as many as classes, or as the method needs."""
    asked = scope.needs.get("outputs")
    count = constant(asked.arguments[0].value, {**scope.constants(), "C": CLASSES}) if asked else None
    return CLASSES if count is None else int(count)


def _drawable(name: str, scope: Scope) -> bool:
    draw = scope.draws[name]
    if draw.distribution.name.text not in DRAWN:
        return False
    like = draw.like is None or (isinstance(draw.like, Name) and draw.like.text in ("u", "p", "y"))
    return like and all(evaluable(one.value, scope) for one in draw.distribution.arguments)


def _tables(scope: Scope) -> dict[str, Array]:
    """The parameters of which each class or sample has one, at the values they start from."""
    sizes = {"category": (CLASSES,), "sample": (BATCH, 1)}
    found: dict[str, Array] = {}
    for name, param in scope.params.items():
        value = constant(param.default, scope.constants())
        if param.per is not None and param.per.text in sizes and value is not None:
            found[name] = np.full(sizes[param.per.text], value)
    return found


def probe(item: Perturbation, scope: Scope) -> Probe:
    """Try the form of a perturbation on a seeded random batch, early, midway and late in a run.

    A condition on the progress alone says when there is a perturbation, and is taken to hold.
    """
    where = item.where
    if where is not None and all(name in TIMES or name in scope.params for name in scope.reads(where)):
        where = None
    early, midway, late = (_probed_at(progress, item, where, scope) for progress in (0.1, 0.5, 0.9))
    return Probe(
        (early.raised + midway.raised + late.raised) / 3,
        (early.lowered + midway.lowered + late.lowered) / 3,
        max(early.off_simplex, midway.off_simplex, late.off_simplex),
    )


@np.errstate(all="ignore")
def _probed_at(progress: float, item: Perturbation, where: Expression | None, scope: Scope) -> Probe:
    random = np.random.default_rng(0)
    columns = _columns(scope)
    u = 2 * random.standard_normal((BATCH, columns))
    y = np.zeros((BATCH, columns))
    shared = min(columns, CLASSES)
    y[:, :shared] = onehot(random.integers(0, shared, (BATCH, 1)).astype(float))[:, :shared]
    values = _values(u, y, progress, random)
    values |= {name: np.array(value) for name, value in scope.constants().items()}
    values |= _tables(scope)
    for name in scope.draws_in_order():
        if _drawable(name, scope):
            values[name] = _drawn(name, scope, values, random)
    form = np.asarray(_Evaluation(values, scope).of(item.by), float)
    if where is not None:
        form = np.where(_Evaluation(values, scope).of(where), form, 0.0)
    return _measure(item.target.text, form, u, y)


def _values(u: Array, y: Array, progress: float, random: np.random.Generator) -> dict[str, Array]:
    label = (u * y).sum(-1, keepdims=True)
    counts = random.integers(5, 500, CLASSES).astype(float)
    p = softmax(u)
    return {
        "u": u,
        "y": y,
        "p": p,
        "loss": cross_entropy(u, y),
        "margin": label - np.where(y > 0, -np.inf, u).max(-1, keepdims=True),
        "gradnorm": np.sqrt(((p - y) ** 2).sum(-1, keepdims=True)),
        "correct": (label >= u.max(-1, keepdims=True)).astype(float),
        "C": np.array(float(CLASSES)),
        "N": np.array(float(BATCH)),
        "class_count": counts,
        "class_prior": counts / counts.sum(),
        "epoch": np.array(EPOCHS * progress),
        "epochs": np.array(EPOCHS),
        "progress": np.array(progress),
        "step": np.array(100 * EPOCHS * progress),
        "lr": np.array(0.1),
        "lr0": np.array(0.1),
        "prior": counts / counts.sum(),
        "pi": np.array(np.pi),
        "inf": np.array(np.inf),
        "true": np.array(1.0),
        "false": np.array(0.0),
        TEACHER: 2 * random.standard_normal(u.shape),
    }


_READABLE = {
    *("u", "y", "p", "loss", "margin", "gradnorm", "correct", "clean", "teacher"),
    *("C", "N", "class_count", "class_prior", "prior", "pi", "inf", "true", "false"),
    *("epoch", "epochs", "progress", "step", "lr", "lr0"),
}
_OF_CLASSES = ("class_count", "class_prior", "prior")
TEACHER = "teacher.u"  # no name of a spec has a dot
_ATTRIBUTES = {f"clean.{name}": name for name in ("u", "p", "loss", "margin", "gradnorm", "correct")} | {
    TEACHER: TEACHER
}


def _drawn(name: str, scope: Scope, values: dict[str, Array], random: np.random.Generator) -> Array:
    draw = scope.draws[name]
    row = DISTRIBUTIONS[draw.distribution.name.text]
    found = given(draw.distribution, row.options)
    ends = [_Evaluation(values, scope).of(found[name]) for name in row.options if name in found]
    size = values["u"].shape if draw.like else (BATCH, 1) if draw.per.text == "sample" else (1, 1)
    match draw.distribution.name.text:
        case "normal":
            return ends[0] + ends[1] * random.standard_normal(size)
        case "uniform":
            return ends[0] + (ends[1] - ends[0]) * random.random(size)
        case "beta":
            drawn = random.beta(np.maximum(ends[0], 1e-6), np.maximum(ends[1], 1e-6), size)
            return np.where(ends[1] > 0, drawn, 1.0)
        case "bernoulli":
            return (random.random(size) < ends[0]).astype(float)
        case "truncated_normal":
            return np.clip(ends[0] + ends[1] * random.standard_normal(size), ends[2], ends[3])
        case "sphere":
            direction = random.standard_normal(size)
            return direction / np.sqrt((direction**2).sum(-1, keepdims=True))
        case _:
            return random.permutation(BATCH).astype(float)


def _measure(target: str, form: Array, u: Array, y: Array) -> Probe:
    before = cross_entropy(u, y)
    labels = y + form if target == "labels" else y
    after = cross_entropy(u + form if target == "logits" else u, labels)
    rise = (after + (form if target == "loss" else 0.0)) - before
    off = max(float(np.abs(labels.sum(-1) - 1).max()), float(-labels.min()), 0.0)
    return Probe(float((rise > SLACK).mean()), float((rise < -SLACK).mean()), off)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    values: Mapping[str, Array]
    scope: Scope

    def of(self, node: Expression) -> Array:
        match node:
            case Number():
                return np.array(node.value)
            case Name():
                return self._name(node.text)
            case Attribute():
                return self.values[_ATTRIBUTES[f"{node.owner.text}.{node.name.text}"]]
            case Unary():
                inner = self.of(node.operand)
                return np.logical_not(inner) if node.operator == "not" else np.negative(inner)
            case Binary():
                return OPERATORS[node.operator](self.of(node.left), self.of(node.right))
            case Member():
                return self._top(node)
            case Conditional():
                return np.where(self.of(node.condition), self.of(node.value), self.of(node.otherwise))
            case Call():
                return FUNCTIONS[node.name.text](*(self.of(argument.value) for argument in node.arguments))
            case Index():
                return self._index(node)
            case _:
                raise TypeError(f"{node} has no value")

    def _name(self, name: str) -> Array:
        let = self.scope.lets.get(name)
        return self.of(let.value) if let else self.values[name]

    def _top(self, node: Member) -> Array:
        element = np.broadcast_to(self.of(node.element), (BATCH, 1))
        count = int(float(self.of(node.group.arguments[0].value)) * BATCH + 0.5)
        rank = (-element[:, 0]).argsort(kind="stable").argsort(kind="stable")
        return (rank < count).astype(float)[:, None]

    def _index(self, node: Index) -> Array:
        if isinstance(node.index, Name) and node.index.text in self.scope.draws:
            value = np.asarray(self.of(node.value), float)
            order = self.values[node.index.text].astype(int)
            return np.broadcast_to(value, (BATCH, value.shape[-1]))[order]
        index = self.of(node.index)
        weights = index if index.shape[-1:] == (CLASSES,) else onehot(index)
        return (self.of(node.value) * weights).sum(-1, keepdims=True)
