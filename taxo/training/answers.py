"""What a trained model answers to each question, measured on the test samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from taxo.training.attacks import Attack, survivors
from taxo.training.choices import CORRUPTION_SETS, SEVERITIES
from taxo.training.corruptions import corrupt
from taxo.training.flatness import radii
from taxo.training.inputs import chunks
from taxo.training.questions import Answer, Question, refuse_shape
from taxo.training.subject import Subject
from taxo.training.tensors import numbers


def answers(subject: Subject, asked: Sequence[Question]) -> dict[str, Answer]:
    """The numbers that answer each question, by its name; shares, not percent."""
    refuse_shape(asked, subject.test.inputs.shape)
    return {question.name: ANSWERS[question.name](subject, question) for question in asked}


def _accuracy(subject: Subject, _: Question) -> Answer:
    return {"accuracy": _share(subject.hits)}


def _top(subject: Subject, question: Question) -> Answer:
    width = min(int(question["k"]), subject.logits.shape[1])
    first = subject.logits.topk(width, dim=1).indices
    return {"top": _share((first == subject.test.y[:, None]).any(1))}


def _classes(subject: Subject, _: Question) -> Answer:
    """One number for each class; a class that the test has not has none."""
    found = {str(label): subject.hits[subject.test.y == label] for label in range(subject.data.classes)}
    return {name: _share(hits) for name, hits in found.items()}


def _tail(subject: Subject, question: Question) -> Answer:
    rare = rarest(subject.data.class_counts or [], question["share"])
    mask = torch.isin(subject.test.y, torch.tensor(rare, device=subject.test.y.device))
    return {"tail": _share(subject.hits[mask]), "rest": _share(subject.hits[~mask])}


def rarest(counts: Sequence[int], share: float) -> list[int]:
    """The share of the classes with the fewest training samples; of equal ones the last."""
    order = sorted(range(len(counts)), key=lambda label: (counts[label], -label))
    return order[: max(1, round(share * len(counts)))]


def _calibration(subject: Subject, question: Question) -> Answer:
    confidence = subject.logits.double().softmax(1).amax(1)
    bins = int(question["bins"])
    return {"error": [calibration_error(confidence, subject.hits, bins)]} | reliability(
        confidence, subject.hits, bins
    )


def reliability(confidence: Tensor, hits: Tensor, bins: int) -> dict[str, list[float]]:
    """The mean confidence and the accuracy in each bin that has samples, and the share of samples in it."""
    place = _places(confidence, bins)
    sums = torch.zeros(3, bins, dtype=torch.float64, device=confidence.device)
    for row, values in zip(sums, (confidence, hits, torch.ones_like(confidence)), strict=True):
        row.index_add_(0, place, values.double())
    held = sums[2] > 0
    own, right, count = sums[:, held]
    return {
        "confidence": numbers(own / count),
        "accuracy": numbers(right / count),
        "share": numbers(count / len(hits)),
    }


def _places(confidence: Tensor, bins: int) -> Tensor:
    return (confidence * bins).ceil().long().clamp(1, bins) - 1


def calibration_error(confidence: Tensor, hits: Tensor, bins: int) -> float:
    """The mean distance of confidence from accuracy over bins of equal width, each by its samples."""
    place = _places(confidence, bins)
    gap = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    gap.index_add_(0, place, confidence.double() - hits.double())
    return float(gap.abs().sum()) / max(len(hits), 1)


def _margins(subject: Subject, _: Question) -> Answer:
    """The mean and the tenths of the label's logit less the largest other."""
    own = subject.test.y[:, None]
    others = subject.logits.scatter(1, own, -torch.inf).amax(1)
    margins = (subject.logits.gather(1, own)[:, 0] - others).double()
    tenths = torch.linspace(0, 1, 11, dtype=torch.float64, device=margins.device)
    return {"mean": [float(margins.mean())], "tenths": numbers(margins.quantile(tenths))}


def _memorisation(subject: Subject, _: Question) -> Answer:
    """Which share of the wrongly labelled training samples gets the wrong label, and which the right one."""
    train = subject.data.train
    wrong = train.rows(train.flipped)
    said = subject.logits_of(wrong.inputs).argmax(1) if len(wrong) else wrong.y
    return {"given": _share(said == wrong.y), "right": _share(said == wrong.clean)}


def _flatness(subject: Subject, question: Question) -> Answer:
    """The mean radius at which the training loss has risen, and that in each direction."""
    found = radii(subject, int(question["directions"]), question["rise"])
    return {"radius": [sum(found) / len(found)], "each": found}


def _attack(subject: Subject, question: Question) -> Answer:
    attack = Attack(
        eps=question["eps"],
        steps=int(question["steps"]),
        step=question["step"],
        restarts=int(question["restarts"]),
        box=subject.images,
    )
    test, dice = subject.test, subject.dice("attack")
    found = [
        survivors(subject.step.evaluated, test.inputs[rows], test.y[rows], attack, dice)
        for rows in chunks(test.inputs)
    ]
    once, always = (torch.cat(parts) for parts in zip(*found, strict=True))
    return {"FGSM": _share(once), "PGD": _share(always)}


def _corruptions(subject: Subject, question: Question) -> Answer:
    """The error under each corruption, one number for each severity."""
    names = CORRUPTION_SETS[question.word("kinds")]
    return {name: [_error(subject, name, severity) for severity in SEVERITIES] for name in names}


def _error(subject: Subject, name: str, severity: int) -> float:
    test, dice = subject.test, subject.dice(f"{name} {severity}")
    parts = [
        subject.logits_of(corrupt(test.inputs[rows], name, severity, dice)) for rows in chunks(test.inputs)
    ]
    return float((torch.cat(parts).argmax(1) != test.y).double().mean())


def _share(hits: Tensor) -> list[float]:
    """The share of samples that are hit; none of none."""
    return [float(hits.double().mean())] if len(hits) else []


ANSWERS: dict[str, Callable[[Subject, Question], Answer]] = {
    "accuracy": _accuracy,
    "top": _top,
    "classes": _classes,
    "tail": _tail,
    "calibration": _calibration,
    "margins": _margins,
    "attack": _attack,
    "memorisation": _memorisation,
    "flatness": _flatness,
    "corruptions": _corruptions,
}
