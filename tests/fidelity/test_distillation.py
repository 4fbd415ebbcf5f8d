"""Data-free adversarial distillation against its equations: losses, slopes, and both nets' weights."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.laws.subject import generator
from tests.fidelity.nets import CLASSES, NETS, batch, beside, close, mlp, same_values, weights
from tests.fidelity.references import SEED, Result, dice, differentiated

Making = Callable[[nn.Module, nn.Module], "Distillation"]


class Distillation:
    """Fang et al. 2019, Algorithm 1, with T² KL(teacher || student) for the discrepancy.

    The generator takes `steps` steps of length `rate` up the discrepancy at the present student, then the
    student has that of what the generator makes as its loss. Both are of one noise.
    """

    def __init__(
        self, maker: nn.Module, teacher: nn.Module, temperature: float, steps: int, rate: float
    ) -> None:
        self.maker, self.teacher = maker, teacher
        self.temperature, self.steps, self.rate = temperature, steps, rate
        self.noise = dice()

    def gap(self, student: nn.Module, x: Tensor) -> Tensor:
        q, p = ((net(x) / self.temperature).log_softmax(1) for net in (self.teacher, student))
        return self.temperature**2 * (q.exp() * (q - p)).sum(1).mean()

    def __call__(self, model: nn.Module, x: Tensor) -> Result:
        noise = torch.empty_like(x).normal_(generator=self.noise)
        for _ in range(self.steps):
            slopes = torch.autograd.grad(
                self.gap(deepcopy(model).eval(), self.maker(noise)), list(self.maker.parameters())
            )
            with torch.no_grad():
                for weight, slope in zip(self.maker.parameters(), slopes, strict=True):
                    weight += self.rate * slope
        return differentiated(self.gap(model, self.maker(noise).detach()), model)


CASES: dict[str, Making] = {
    "adversarial_kd": lambda maker, teacher: Distillation(maker, teacher, 4, 1, 0.001),
    "adversarial_kd(T: 1.5, steps: 3, step: 0.7)": lambda maker, teacher: Distillation(
        maker, teacher, 1.5, 3, 0.7
    ),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_student_and_generator_are_the_papers(spec: str, making: Making, net: str):
    model: Any = NETS[net]().double()
    teacher, maker = mlp(seed=5).double().eval(), generator(batch()[0].shape[1:]).double()
    twin, first = deepcopy(model), deepcopy(maker)
    reference = making(deepcopy(maker), teacher)
    step = taxo.compile(spec, model, classes=CLASSES, seed=SEED, teacher=teacher, generator=maker)
    for number in range(4):
        x, y, _ = batch(seed=number)
        loss = step(x, y)
        slopes = torch.autograd.grad(loss, weights(model))
        beside(model, twin, (loss, slopes), reference(twin, x))
        close(list(maker.parameters()), list(reference.maker.parameters()))
    same_values(model, twin)
    pairs = zip(maker.parameters(), first.parameters(), strict=True)
    moved = [float((one - old).detach().abs().max()) for one, old in pairs]
    assert min(moved) > 1e-6  # far above what the comparison allows


def test_a_student_that_agrees_has_no_loss_and_leaves_the_generator():
    model, maker = mlp().double(), generator(batch()[0].shape[1:]).double()
    first = deepcopy(maker)
    step = taxo.compile(
        "adversarial_kd(step: 10)", model, classes=CLASSES, teacher=deepcopy(model), generator=maker
    )
    loss = step(*batch()[:2])
    loss.backward()
    close(loss.detach(), torch.zeros_like(loss), atol=1e-12)
    close([one.detach() for one in maker.parameters()], [one.detach() for one in first.parameters()])
    for weight in model.parameters():
        assert weight.grad is not None
        close(weight.grad, torch.zeros_like(weight), atol=1e-12)
