"""The law about claims: on real data, after a short training, the loss moves as a perturbation says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from taxo.compiler import lower
from taxo.compiler.graph import Act
from taxo.laws.pools import Reason, simple
from taxo.laws.reasons import unclaimed
from taxo.laws.subject import Subject, attached, given_for
from taxo.laws.toys import READER, Batch, seeded
from taxo.laws.verdict import Verdict, decided, exempt
from taxo.laws.watch import descend, update, weights
from taxo.runtime.direction import risen_share
from taxo.runtime.step import Step

SIDE, CLASSES = 8, 10
BATCH = 100
WARM, OWN = 150, 30  # steps of plain training, then of the method's own
LEAST = {True: 0.75, False: 0.5}  # how many samples must follow: a claim for each of them, or for all at once


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits that come with scikit-learn, a batch at a time."""

    x: Tensor
    y: Tensor

    @property
    def counts(self) -> tuple[int, ...]:
        """How many samples each class has."""
        return tuple(int(count) for count in self.y.bincount(minlength=CLASSES))

    def batch(self, number: int) -> Batch:
        """A batch; they go round the data in order."""
        index = (torch.arange(BATCH) + number * BATCH) % len(self.y)
        return self.x[index], self.y[index], index


@cache
def digits() -> Digits:
    """Images in [0, 1] of 8 times 8 pixels, in a fixed random order."""
    from sklearn.datasets import load_digits

    images, labels = cast("tuple[object, object]", load_digits(return_X_y=True))
    order = torch.randperm(len(cast(list[int], labels)), generator=torch.Generator().manual_seed(0))
    x = torch.as_tensor(images, dtype=torch.float32).reshape(-1, 1, SIDE, SIDE) / 16
    return Digits(x[order], torch.as_tensor(labels)[order])


def trained() -> nn.Module:
    """A small net after a short plain training on the digits; every call gives one of its own."""
    model = _net()
    model.load_state_dict(_trained_weights())
    return model


def _net() -> nn.Module:
    with seeded(0):
        hidden = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 32), nn.ReLU())
        return nn.Sequential(hidden, nn.Linear(32, CLASSES))


@cache
def _trained_weights() -> dict[str, Tensor]:
    model, data = _net(), digits()
    for number in range(WARM):
        x, y, _ = data.batch(number)
        loss = nn.functional.cross_entropy(model(x), y)
        descend(model, torch.autograd.grad(loss, weights(model)), lr=0.5)
    return model.state_dict()


def direction(subject: Subject) -> Verdict:
    """On real data the loss of the samples moves as each perturbation claims."""
    reason = unclaimed(subject.method)
    if reason is None and subject.toy is READER:
        reason = Reason("the digits are no texts")
    if reason is not None:
        return exempt(reason)
    step, real = _lived(subject), digits().batch(WARM + OWN)
    for _ in range(step.replays - 1):
        update(step, real, lr=0.05, longest=1.0)
    claims = [(act, risen_share(step, *real, act.key, below)) for act, below in _claiming(subject)]
    wrong = next((act for act, share in claims if not _agrees(act, share)), None)
    told = ", ".join(f"{act.item.direction} `{act.key}`: {_told(share)}" for act, share in claims)
    return decided(wrong is None, told, wrong.item.direction.span if wrong else None)


def _claiming(subject: Subject) -> Iterator[tuple[Act, list[str]]]:
    """The acts that claim something of their own samples, and those below, which they know nothing of."""
    acts = lower(simple(subject.method)).acts()
    for act in acts:
        if act.item.direction.text != "mixed" and act.item.against is None:
            yield act, [other.key for other in acts if other.order > act.order]


def _lived(subject: Subject) -> Step:
    """A step on the trained net, after some steps of its own: tables are filled, states have values."""
    data = digits()
    given = given_for(subject.method, subject.toy)
    given |= {"classes": CLASSES, "samples": len(data.y), "class_counts": data.counts}
    of_digits = {
        "teacher": trained(),
        "prior": data.y.bincount(minlength=CLASSES) / len(data.y),
        "validation": [data.batch(WARM + OWN + number)[:2] for number in (1, 2)],
    }
    given |= {name: one for name, one in of_digits.items() if name in given}
    step = attached(subject.make(subject.method, trained(), **given))
    for epoch in step.epochs(2):
        for number in range(OWN * epoch, OWN * (epoch + 1)):
            for _ in range(step.replays):
                update(step, data.batch(number), lr=0.05, longest=1.0)
    return step


def _agrees(act: Act, share: float) -> bool:
    """Whether a share of risen losses bears a claim out; one that moved no sample contradicts nothing."""
    least = LEAST["sample" in [word.text for word in act.item.granularity]]
    return share != share or (share if act.item.direction.text == "negative" else 1 - share) >= least


def _told(share: float) -> str:
    return "moved no sample" if share != share else f"raises the loss of {share:.0%} of the samples it moves"
