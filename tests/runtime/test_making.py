"""A module that makes inputs: when it moves, whose it is, and what is said where it does not fit."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.language.errors import TaxoError
from taxo.laws.subject import generator
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, batch, close, descend, mlp, weights

SHAPE = batch()[0].shape[1:]
SPEC = "adversarial_kd(step: 0.5)"
CONSTANT = """method m needs generator
perturb features by 0.5 * (generator - x) { direction negative infer prior granularity sample }"""


def normed() -> nn.Module:
    """A maker with running statistics of its own."""
    torch.manual_seed(4)
    return nn.Sequential(generator(SHAPE), nn.BatchNorm2d(1), nn.Sigmoid()).double()


def compiled(maker: nn.Module, spec: str | taxo.Method = SPEC, model: Any = None) -> Step:
    more: dict[str, Any] = {} if isinstance(spec, taxo.Method) else {"teacher": mlp(seed=5).double()}
    return taxo.compile(spec, model or mlp().double(), classes=CLASSES, generator=maker, **more)


def values(module: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in module.state_dict().values()]


def update(step: Step, number: int) -> Tensor:
    loss = step(*batch(seed=number)[:2])
    descend(step.model, torch.autograd.grad(loss, weights(step.model)))
    return loss.detach()


def test_it_moves_in_training_with_gradients_only():
    maker = normed()
    step, before = compiled(maker), [one.detach().clone() for one in maker.parameters()]
    with torch.no_grad():
        step(*batch()[:2])
    close([one.detach() for one in maker.parameters()], before, atol=0)
    all_before = values(maker)
    step.eval()
    step(*batch()[:2])
    step.predict(batch()[0])
    close(values(maker), all_before, atol=0)  # running statistics too
    step.train()
    step(*batch()[:2])
    assert all(not torch.equal(one, old) for one, old in zip(maker.parameters(), before, strict=True))


def test_its_parameters_are_no_optimizers_and_no_gradients_are_left():
    maker = normed()
    step = compiled(maker)
    step(*batch()[:2]).backward()
    assert not {id(one) for one in step.parameters()} & {id(one) for one in maker.parameters()}
    assert all(one.grad is None for one in maker.parameters())


def test_a_search_leaves_no_gradient_in_the_model():
    step = compiled(normed())
    step(*batch()[:2])
    assert all(one.grad is None for one in step.model.parameters())


def test_a_run_goes_on_from_what_is_saved_whatever_maker_it_is_given():
    step = compiled(normed())
    for number in range(2):
        update(step, number)
    other = compiled(generator_of(seed=1), model=deepcopy(step.model))
    other.load_state_dict(step.state_dict())
    for number in range(2, 4):
        assert torch.equal(update(step, number), update(other, number))
    for one, two in zip(step.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def generator_of(seed: int) -> nn.Module:
    found = normed()
    torch.manual_seed(seed)
    with torch.no_grad():
        for one in found.parameters():
            one.normal_()
    return found


def test_a_maker_that_nothing_finds_is_a_constant():
    maker = generator(SHAPE).double()
    model, before = mlp().double(), values(maker)
    step = compiled(maker, taxo.parse(CONSTANT), model)
    x, y, _ = batch()
    step(x, y).backward()
    close(values(maker), before, atol=0)
    noise = torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(0))
    found = step.deltas["features"]
    assert isinstance(found, Tensor)
    close(found, (0.5 * (maker(noise) - x)).detach())


def test_what_makes_another_shape_is_told():
    step = compiled(nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).double())
    with pytest.raises(TaxoError, match=r"the generator returned \[8, 5\], not \[8, 1, 6, 6\]") as raised:
        step(*batch()[:2])
    assert raised.value.diagnostics[0].code == "T405"


def test_a_state_of_another_maker_is_refused():
    step, other = compiled(normed()), compiled(generator(SHAPE).double())
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load_state_dict(step.state_dict())


def test_what_is_not_given_is_asked_for():
    with pytest.raises(TaxoError, match="`adversarial_kd` needs `generator`"):
        taxo.compile("adversarial_kd", mlp(), classes=CLASSES, teacher=mlp())


def test_a_muted_perturbation_has_nothing_to_find():
    maker = generator(SHAPE).double()
    step, before = compiled(maker), values(maker)
    step.muted = {"features"}
    step(*batch()[:2])
    close(values(maker), before, atol=0)
