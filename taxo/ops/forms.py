"""The functions of forms: values per sample and class, from logits `u`, labels `y` and any unknown."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor
from torch.nn import functional

from taxo.ops.norms import norm_per_sample, per_row
from taxo.ops.sites import bare


def real_type(like: Tensor) -> torch.dtype:
    """The type to compute in beside a tensor: its own, but never less than single precision."""
    own = like.dtype if like.is_floating_point() else torch.get_default_dtype()
    return torch.promote_types(own, torch.float32)


def tensor_of(value: float | Tensor, kind: torch.dtype, device: torch.device) -> Tensor:
    """A value as a tensor on a device; a number is made there, since sending it would wait."""
    if isinstance(value, Tensor):
        return value.to(device, kind)
    return torch.full((), value, dtype=kind, device=device)


def distribution(y: Tensor, classes: int, like: Tensor) -> Tensor:
    """The labels as distributions over the classes; those that are, stay."""
    if y.is_floating_point():
        return y
    return functional.one_hot(y, classes).to(real_type(like))


def onehot(index: Tensor, classes: int, like: Tensor) -> Tensor:
    """The distribution that is sure of a class."""
    return distribution(index.long(), classes, like)


def product(first: Tensor, second: Tensor) -> Tensor:
    """The matrix product in the finer type of the two, under autocast too."""
    kind, device = torch.promote_types(first.dtype, second.dtype), first.device.type
    if not torch.amp.is_autocast_available(device):
        return first.to(kind) @ second.to(kind)
    with torch.autocast(device, enabled=False):
        return first.to(kind) @ second.to(kind)


def rows_of(table: Tensor, y: Tensor) -> Tensor:
    """The row of each sample's class; of soft labels, the mean row under them; one value for all stays."""
    soft = y.is_floating_point()
    if table.dim() == 0 or (len(table) == 1 and not (soft and y.shape[-1] == 1)):
        return table
    if not soft:
        return table[y]
    return product(y, table.reshape(len(table), -1)).reshape(len(y), *table.shape[1:])


def pick(values: Tensor, y: Tensor) -> Tensor:
    """The entry of each sample's class; of soft labels, the mean entry under them."""
    if values.dim() < 2:
        return rows_of(values, y)
    if y.is_floating_point():
        return (values * y).sum(-1)
    return values.expand(len(y), -1).gather(-1, y[:, None]).squeeze(-1)


def softmax(u: Tensor) -> Tensor:
    """The softmax over the classes."""
    return u.softmax(-1)


def entropy(p: Tensor) -> Tensor:
    """The entropy of each row; shares of zero count nothing, and have a finite slope."""
    return -(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum(-1)


def argmax(e: Tensor) -> Tensor:
    """The class of the largest entry."""
    return e.argmax(-1)


def argmin(e: Tensor) -> Tensor:
    """The class of the smallest entry."""
    return e.argmin(-1)


def ce(u: Tensor, q: Tensor) -> Tensor:
    """The cross entropy of logits and a distribution."""
    return -(q * u.log_softmax(-1)).sum(-1)


def l1(e: Tensor) -> Tensor:
    """The sum of absolute values of each sample's part."""
    return per_row(e).abs().sum(1)


def l2(e: Tensor) -> Tensor:
    """The Euclidean norm of each sample's part."""
    return norm_per_sample(e)


def linf(e: Tensor) -> Tensor:
    """The largest absolute value of each sample's part."""
    return per_row(e).abs().amax(1)


def correct(u: Tensor, y: Tensor) -> Tensor:
    """Whether the largest logit is the label's."""
    return u.argmax(-1) == (y.argmax(-1) if y.is_floating_point() else y)


def margin(u: Tensor, y: Tensor) -> Tensor:
    """The label's logit minus the largest other."""
    label = (y.argmax(-1) if y.is_floating_point() else y)[:, None]
    others = u.scatter(-1, label, -torch.inf)
    return u.gather(-1, label).squeeze(-1) - others.amax(-1)


def gradnorm(u: Tensor, y: Tensor) -> Tensor:
    """The norm of the cross entropy's gradient at the logits."""
    return norm_per_sample(softmax(u) - distribution(y, u.shape[-1], u))


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """One number per sample, shaped to multiply `like`."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def filled(value: Tensor | float, like: Tensor) -> Tensor:
    """A value in the shape of `like`."""
    if not isinstance(value, Tensor):
        value = torch.full((), value, dtype=real_type(like), device=like.device)
    elif not value.dim() and value.is_floating_point():
        value = value.to(real_type(like))  # one number makes nothing finer
    return value if value.shape == like.shape else value.expand_as(like)


@dataclass(frozen=True, slots=True)
class Top:
    """The samples whose rank is below a count that is known without looking at the data."""

    rows: Tensor
    others: Tensor

    @property
    def mask(self) -> Tensor:
        """True for the samples selected."""
        mask = torch.zeros(len(self.rows) + len(self.others), dtype=torch.bool, device=self.rows.device)
        return mask.index_fill(0, self.rows, True)

    def __invert__(self) -> Top:
        return Top(self.others, self.rows)


def top(values: Tensor, share: float) -> Top:
    """The share of the batch with the largest values, rounded to the nearest count."""
    order = values.detach().argsort(descending=True, stable=True)
    count = min(len(order), int(share * len(order) + 0.5))
    return Top(order[:count], order[count:])


def keep(selected: Tensor | Top | bool, delta: Tensor) -> Tensor:
    """The perturbation where a sample is selected, zero elsewhere."""
    if isinstance(selected, bool):
        return delta if selected else torch.zeros_like(delta)
    mask = selected.mask if isinstance(selected, Top) else selected
    if mask.dim():
        mask = per_sample(mask, delta)
    return torch.where(mask, delta, torch.zeros_like(delta))


def choose(condition: Tensor, value: Tensor | float, otherwise: Tensor | float, like: Tensor) -> Tensor:
    """One of two where a condition holds and the other elsewhere; numbers take the type of `like`."""
    one = torch.empty((), dtype=real_type(like), device=like.device)
    first, second = (side if isinstance(side, Tensor) else filled(side, one) for side in (value, otherwise))
    return torch.where(condition, first, second)


def spread(part: Tensor, rows: Tensor, like: Tensor) -> Tensor:
    """Values for some rows as values for all, zero elsewhere."""
    return torch.zeros_like(like).index_copy(0, rows, part.to(like.dtype))


def blank(like: Tensor, rows: int) -> Tensor:
    """Zeros in the shape of `like`, with another number of rows."""
    return torch.zeros((rows, *like.shape[1:]), dtype=like.dtype, device=like.device)


def named(name: str, pattern: str) -> bool:
    """Whether the name of a parameter fits a pattern."""
    return fnmatchcase(bare(name), pattern)


def beside(losses: Tensor, others: Tensor) -> Tensor:
    """The losses of one batch and those of another: row by row, or its mean to every row."""
    return losses + (others if len(others) == len(losses) else others.mean())
