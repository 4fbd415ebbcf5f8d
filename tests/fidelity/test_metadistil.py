"""Meta distillation against its equations: losses, slopes, and the weights of student and teacher."""

from __future__ import annotations

from copy import deepcopy
from itertools import cycle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from tests.fidelity.meta_references import ahead, stepped
from tests.fidelity.nets import (
    CLASSES,
    LR,
    NETS,
    batch,
    beside,
    close,
    conv,
    mlp,
    same_values,
    weights,
)
from tests.fidelity.references import Result, differentiated

HELD = [batch(6, seed=seed)[:2] for seed in (51, 52, 53)]


class MetaDistillation:
    """Zhou et al. 2022, Algorithm 2, for one batch: pilot update, teacher by the quiz, then the student.

    L(w, θ) = (1 - lam) CE(S(x; w), y) + lam T² KL(T(x; θ) || S(x; w)), both softened by T. The teacher takes
    a momentum step along d CE(S(x'; w - lr dL/dw), y') / dθ.
    """

    def __init__(
        self, teacher: nn.Module, lam: float, temperature: float, pace: float, momentum: float
    ) -> None:
        self.teacher, self.lam, self.temperature = teacher, lam, temperature
        self.optimizer = torch.optim.SGD(teacher.parameters(), lr=pace * LR, momentum=momentum)
        self.held = cycle(HELD)

    def loss(self, u: Tensor, taught: Tensor, y: Tensor) -> Tensor:
        q = (taught / self.temperature).softmax(1)
        apart = (q * (q.log() - (u / self.temperature).log_softmax(1))).sum(1).mean()
        return (1 - self.lam) * functional.cross_entropy(u, y) + self.lam * self.temperature**2 * apart

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor) -> Result:
        taught, learned = self.teacher(x), weights(self.teacher)
        slopes = ahead(model, lambda net: self.loss(net(x), taught, y), next(self.held), learned)
        stepped(self.optimizer, learned, slopes)
        return differentiated(self.loss(model(x), self.teacher(x).detach(), y), model)


CASES = {
    "metadistil": (0.9, 4, 1, 0.9),
    "metadistil(lam: 0.4, T: 1.5, pace: 0.3, momentum: 0)": (0.4, 1.5, 0.3, 0),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "setting"), CASES.items(), ids=list(CASES))
def test_student_and_teacher_are_the_papers(spec: str, setting: tuple[float, float, float, float], net: str):
    model: Any = NETS[net]().double()
    teacher = conv(seed=5).double().eval()
    twin, first = deepcopy(model), deepcopy(teacher)
    reference = MetaDistillation(deepcopy(teacher), *setting)
    step = taxo.compile(spec, model, classes=CLASSES, teacher=teacher, validation=HELD)
    step.attach(torch.optim.SGD(model.parameters(), lr=LR))
    for number in range(4):
        x, y, _ = batch(seed=number)
        loss = step(x, y)
        slopes = torch.autograd.grad(loss, weights(model))
        beside(model, twin, (loss, slopes), reference(twin, x, y))
        same_values(teacher, reference.teacher)
    same_values(model, twin)
    pairs = zip(weights(teacher), weights(first), strict=True)
    assert min(float((one - old).detach().abs().max()) for one, old in pairs) > 1e-6


def test_the_teachers_slope_is_that_of_the_whole_map():
    """By differences: a teacher is moved, the student takes a real step, and its held-out loss is read."""
    model, teacher = mlp().double(), mlp(seed=5).double().eval()
    x, y, _ = batch()
    reference, first = MetaDistillation(teacher, 0.9, 4, 1, 0), deepcopy(teacher)

    def behind(moved: nn.Module) -> float:
        twin = deepcopy(model)
        slopes = torch.autograd.grad(reference.loss(twin(x), moved(x).detach(), y), weights(twin))
        with torch.no_grad():
            for weight, slope in zip(weights(twin), slopes, strict=True):
                weight -= LR * slope
            return float(functional.cross_entropy(twin(HELD[0][0]), HELD[0][1]))

    def differences(name: str) -> Tensor:
        found = torch.zeros_like(dict(first.named_parameters())[name])
        for place in range(found.numel()):
            sides: list[float] = []
            for side in (1e-4, -1e-4):
                moved = deepcopy(first)
                with torch.no_grad():
                    moved.get_parameter(name).view(-1)[place] += side
                sides.append(behind(moved))
            found.view(-1)[place] = (sides[0] - sides[1]) / 2e-4
        return found

    step = taxo.compile("metadistil(momentum: 0)", model, classes=CLASSES, teacher=teacher, validation=HELD)
    step.attach(torch.optim.SGD(model.parameters(), lr=LR))
    step(x, y)
    for name in ("3.weight", "3.bias", "1.bias"):
        found = (first.get_parameter(name) - teacher.get_parameter(name)).detach() / LR
        expected = differences(name)
        assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_a_teacher_of_the_labels_own_share_only_rests():
    """Where lam is 0 the teacher has no part, and does not move."""
    model, teacher = mlp().double(), mlp(seed=5).double()
    before = [one.detach().clone() for one in teacher.parameters()]
    x, y, _ = batch()
    step = taxo.compile("metadistil(lam: 0)", model, classes=CLASSES, teacher=teacher, validation=HELD)
    close(step(x, y).detach(), functional.cross_entropy(model(x), y).detach())
    close([one.detach() for one in teacher.parameters()], before, atol=0)
