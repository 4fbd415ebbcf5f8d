"""Half precision, loss scaling, and the memory layout of images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.fidelity.nets import CLASSES, batch, conv, weights
from tests.interop.steps import compiled, each_spec


def finite(tensors: list[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def slopes(model: nn.Module) -> list[Tensor]:
    found = [weight.grad for weight in weights(model)]
    return [slope for slope in found if slope is not None]


@each_spec
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_autocast_with_a_gradient_scaler(spec: str, kind: torch.dtype):
    """Scaled and unscaled again, the gradients are those of single precision, roughly."""
    exact, half = compiled(spec, conv()), compiled(spec, conv())
    optimizer = torch.optim.SGD(half.model.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    parts = batch(16, dtype=torch.float32)
    exact(*parts).backward()
    with torch.autocast("cpu", kind):
        loss = half(*parts)
    assert loss.dtype == torch.float32
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    expected, found = (torch.cat([slope.flatten() for slope in slopes(one.model)]) for one in (exact, half))
    assert float((found - expected).norm() / expected.norm()) < 0.25
    before = [weight.detach().clone() for weight in weights(half.model)]
    scaler.step(optimizer)
    scaler.update()
    assert finite(weights(half.model))
    assert any(not torch.equal(*pair) for pair in zip(before, weights(half.model), strict=True))


@each_spec
def test_a_scaled_loss_that_overflows_is_skipped(spec: str):
    step = compiled(spec, conv())
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    before = [weight.detach().clone() for weight in weights(step.model)]
    scaler.scale(step(*batch(dtype=torch.float32)) * float("inf")).backward()
    scaler.step(optimizer)
    scaler.update()
    assert all(torch.equal(*pair) for pair in zip(before, weights(step.model), strict=True))
    assert scaler.get_scale() == 2.0**9


@each_spec
def test_a_model_in_bfloat16(spec: str):
    step, exact = compiled(spec, conv().bfloat16()), compiled(spec, conv())
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.05)
    x, y, index = batch(16, dtype=torch.float32)
    for _ in range(2):
        loss = step(x.bfloat16(), y, index)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    first = compiled(spec, conv().bfloat16())(x.bfloat16(), y, index)
    assert float(first.detach()) == pytest.approx(float(exact(x, y, index).detach()), rel=0.1)
    assert {weight.dtype for weight in weights(step.model)} == {torch.bfloat16}
    assert finite(weights(step.model))


@each_spec
def test_images_whose_channels_come_last_stay_so(spec: str):
    """Every convolution meets the layout that its user chose, under attack as without one."""
    torch.manual_seed(0)
    seen: list[bool] = []

    def layout(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.extend(one.is_contiguous(memory_format=torch.channels_last) for one in (*inputs, output))

    def net() -> Any:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, CLASSES))

    model = net().to(memory_format=torch.channels_last)
    for convolution in (model[0], model[3]):
        convolution.register_forward_hook(layout)
    _, y, index = batch()
    x = torch.rand(8, 3, 6, 6)
    held = [(x.to(memory_format=torch.channels_last), y)]
    step, plain = (compiled(spec, one, validation=held) for one in (model, net()))
    loss = step(x.to(memory_format=torch.channels_last), y, index)
    loss.backward()
    assert seen
    assert all(seen)
    assert model[3].weight.grad.is_contiguous(memory_format=torch.channels_last)
    if (
        "self.draws" not in step.source and "self.noise" not in step.source
    ):  # numbers are drawn in the order of memory
        torch.testing.assert_close(loss, plain(x, y, index), atol=1e-5, rtol=1e-5)
