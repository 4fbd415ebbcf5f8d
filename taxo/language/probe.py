"""A fixed form tried on random logits and labels: how many losses rise, and whether labels stay labels.

Every value is an array that broadcasts to [B, C], so no shape needs to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

Array = NDArray[np.float64]
BATCH, CLASSES, SLACK = 512, 7, 1e-9


@dataclass(frozen=True, slots=True)
class Probe:
    """The share of samples whose loss rose and fell, and how far the labels left the simplex."""

    raised: float
    lowered: float
    off_simplex: float


def _softmax(u: Array) -> Array:
    exps = np.exp(u - u.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


def _cross_entropy(u: Array, y: Array) -> Array:
    return -(y * np.log(_softmax(u))).sum(-1, keepdims=True)


def _onehot(index: Array) -> Array:
    return (np.arange(CLASSES) == index).astype(float)


def _entropy(p: Array) -> Array:
    return -(p * np.log(np.maximum(p, 1e-300))).sum(-1, keepdims=True)


def _relu(e: Array) -> Array:
    return np.maximum(e, 0.0)


def _sigmoid(e: Array) -> Array:
    return 1 / (1 + np.exp(-e))


def _argmax(e: Array) -> Array:
    return e.argmax(-1, keepdims=True).astype(float)


def _argmin(e: Array) -> Array:
    return e.argmin(-1, keepdims=True).astype(float)


def _l1(e: Array) -> Array:
    return np.abs(e).sum(-1, keepdims=True)


def _l2(e: Array) -> Array:
    return np.sqrt((e**2).sum(-1, keepdims=True))


def _linf(e: Array) -> Array:
    return np.abs(e).max(-1, keepdims=True)


def _stop(e: Array) -> Array:
    return e


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "entropy": _entropy,
    "argmax": _argmax,
    "argmin": _argmin,
    "onehot": _onehot,
    "ce": _cross_entropy,
    "l1": _l1,
    "l2": _l2,
    "linf": _linf,
    "stop": _stop,
}
_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}


def probe(item: Perturbation, scope: Scope) -> Probe:
    """Try the form of a perturbation on a seeded random batch."""
    random = np.random.default_rng(0)
    u = 2 * random.standard_normal((BATCH, CLASSES))
    y = _onehot(random.integers(0, CLASSES, (BATCH, 1)).astype(float))
    values = _values(u, y, random) | {name: np.array(value) for name, value in scope.constants().items()}
    values |= {name: _drawn(name, scope, values, random) for name in scope.draws}
    with np.errstate(all="ignore"):
        form = np.asarray(_Evaluation(values, scope).of(item.by), float)
        if item.where is not None:
            form = np.where(_Evaluation(values, scope).of(item.where), form, 0.0)
        return _measure(item.target.text, form, u, y)


def _values(u: Array, y: Array, random: np.random.Generator) -> dict[str, Array]:
    label = (u * y).sum(-1, keepdims=True)
    counts = random.integers(5, 500, CLASSES).astype(float)
    p = _softmax(u)
    return {
        "u": u,
        "y": y,
        "p": p,
        "loss": _cross_entropy(u, y),
        "margin": label - np.where(y > 0, -np.inf, u).max(-1, keepdims=True),
        "gradnorm": np.sqrt(((p - y) ** 2).sum(-1, keepdims=True)),
        "correct": (label >= u.max(-1, keepdims=True)).astype(float),
        "C": np.array(float(CLASSES)),
        "N": np.array(float(BATCH)),
        "class_count": counts,
        "class_prior": counts / counts.sum(),
        "epoch": np.array(5.0),
        "epochs": np.array(10.0),
        "progress": np.array(0.5),
        "pi": np.array(np.pi),
        "inf": np.array(np.inf),
    }


def _drawn(name: str, scope: Scope, values: dict[str, Array], random: np.random.Generator) -> Array:
    draw = scope.draws[name]
    first, second = [_Evaluation(values, scope).of(a.value) for a in draw.distribution.arguments]
    size = (BATCH, CLASSES) if draw.like else (BATCH, 1) if draw.per.text == "sample" else (1, 1)
    if draw.distribution.name.text == "normal":
        return first + second * random.standard_normal(size)
    return first + (second - first) * random.random(size)


def _measure(target: str, form: Array, u: Array, y: Array) -> Probe:
    before = _cross_entropy(u, y)
    labels = y + form if target == "labels" else y
    after = _cross_entropy(u + form if target == "logits" else u, labels)
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
                return self.values[node.name.text]
            case Unary():
                inner = self.of(node.operand)
                return np.logical_not(inner) if node.operator == "not" else np.negative(inner)
            case Binary():
                return _BINARY[node.operator](self.of(node.left), self.of(node.right))
            case Member():
                return self._top(node)
            case Conditional():
                return np.where(self.of(node.condition), self.of(node.value), self.of(node.otherwise))
            case Call():
                return _FUNCTIONS[node.name.text](*(self.of(argument.value) for argument in node.arguments))
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
        index = self.of(node.index)
        weights = index if index.shape[-1:] == (CLASSES,) else _onehot(index)
        return (self.of(node.value) * weights).sum(-1, keepdims=True)
