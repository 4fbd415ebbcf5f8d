"""The functions and operators of expressions on NumPy arrays that broadcast to [B, C]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CLASSES = 7


def softmax(u: Array) -> Array:
    """The softmax over the classes."""
    exps = np.exp(u - u.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


def cross_entropy(u: Array, y: Array) -> Array:
    """The cross entropy of logits and a distribution."""
    return -(y * np.log(softmax(u))).sum(-1, keepdims=True)


def onehot(index: Array) -> Array:
    """The distribution that is sure of a class."""
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


def _lp(e: Array, order: Array) -> Array:
    return (np.abs(e) ** order).sum(-1, keepdims=True) ** (1 / order)


def _kl(p: Array, q: Array) -> Array:
    return (p * (np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(q, 1e-300)))).sum(-1, keepdims=True)


def _acos(e: Array) -> Array:
    return np.arccos(np.clip(e, -1, 1))


def _mean_batch(e: Array) -> Array:
    return e.mean(0, keepdims=True)


def _quantile(e: Array, share: Array) -> Array:
    known = float(np.nan_to_num(np.ravel(share)[0]))
    return np.asarray(np.quantile(e, min(max(known, 0.0), 1.0)))


def _sum(e: Array, *other: Array) -> Array:
    return e + other[0] if other else np.atleast_1d(e).sum(-1, keepdims=True)


def _mean(e: Array, *other: Array) -> Array:
    return (e + other[0]) / 2 if other else np.atleast_1d(e).mean(-1, keepdims=True)


def _max(e: Array, *other: Array) -> Array:
    return np.maximum(e, other[0]) if other else np.atleast_1d(e).max(-1, keepdims=True)


def _min(e: Array, *other: Array) -> Array:
    return np.minimum(e, other[0]) if other else np.atleast_1d(e).min(-1, keepdims=True)


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softmax": softmax,
    "entropy": _entropy,
    "argmax": _argmax,
    "argmin": _argmin,
    "onehot": onehot,
    "ce": cross_entropy,
    "l1": _l1,
    "l2": _l2,
    "linf": _linf,
    "stop": _stop,
    "floor": np.floor,
    "sin": np.sin,
    "cos": np.cos,
    "acos": _acos,
    "lp": _lp,
    "kl": _kl,
    "mean_batch": _mean_batch,
    "quantile": _quantile,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "min": _min,
}
OPERATORS: dict[str, Callable[[Array, Array], Array]] = {
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
