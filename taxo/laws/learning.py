"""The law about claims: on real data, after a short training, the loss moves as a perturbation says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from taxo.laws.pools import Reason
from taxo.laws.reasons import Claim, claims, unclaimed
from taxo.laws.subject import Subject, attached, generator, given_for
from taxo.laws.toys import READER, Sampled, seeded
from taxo.laws.verdict import Verdict, decided, exempt
from taxo.laws.watch import descend, update, weights
from taxo.runtime.direction import Movement, movement
from taxo.runtime.step import Step

SIDE, CLASSES = 8, 10
BATCH = 100
WARM, OWN = 150, 30  # steps of plain training, then of the method's own
EACH, MOST = 0.75, 0.5  # how many samples must follow: a claim for each of them, or for all at once
DOUBT = 2  # so many standard errors from zero, the mean of a batch may still be one of the other sign


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits that come with scikit-learn, a batch at a time."""

    x: Tensor
    y: Tensor

    @property
    def counts(self) -> tuple[int, ...]:
        """How many samples each class has."""
        return tuple(int(count) for count in self.y.bincount(minlength=CLASSES))

    def batch(self, number: int) -> Sampled:
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
    found = [(claim, _measured(step, real, claim)) for claim in claims(subject.method)]
    wrong = next((claim for claim, moved in found if not _agrees(claim, moved)), None)
    told = ", ".join(_told(claim, moved) for claim, moved in found)
    return decided(wrong is None, told, wrong.act.item.direction.span if wrong else None)


def _lived(subject: Subject) -> Step:
    """A step on the trained net, after some steps of its own: tables are filled, states have values."""
    data = digits()
    given = given_for(subject.method, subject.toy)
    given |= {"classes": CLASSES, "samples": len(data.y), "class_counts": data.counts}
    of_digits = {
        "teacher": trained(),
        "generator": generator(data.x.shape[1:]),
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


def _measured(step: Step, real: Sampled, claim: Claim) -> Movement:
    """What a perturbation does to the losses, the acts below left out.

    If that is not what a part of a composition claims: among all acts, or else among those of its own text.
    """
    found = movement(step, *real, claim.act.key, claim.below)
    for apart in ((), {*claim.below, *claim.others}) if claim.others else ():
        if not _agrees(claim, found):
            found = movement(step, *real, claim.act.key, apart)
    return found


def _agrees(claim: Claim, found: Movement) -> bool:
    """Whether the losses bear a claim out; a perturbation that moved none of them contradicts nothing.

    A claim for each sample holds for nearly every one. One for all at once holds for most, or for the mean
    as far as a batch can tell; and so does that of a part among others, unknown when the claim was made.
    """
    item = claim.act.item
    rises = item.direction.text == "negative"
    share = found.risen if rises else 1 - found.risen
    if "sample" in [word.text for word in item.granularity] and not claim.others:
        return not share < EACH
    return not share < MOST or (found.mean if rises else -found.mean) > -DOUBT * found.error


def _told(claim: Claim, found: Movement) -> str:
    share = f"raises the loss of {found.risen:.0%} of the samples it moves"
    moved = share if found.risen == found.risen else "moved no sample"
    return f"{claim.act.item.direction} `{claim.act.key}`: {moved}"
