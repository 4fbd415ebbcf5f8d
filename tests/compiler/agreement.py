"""What the tests of built steps share: small methods, held against the same maths in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.language.errors import Diagnostic
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, COUNTS, SAMPLES, batch, close, descend, weights

CE = functional.cross_entropy
PRIOR = "direction mixed infer prior granularity sample"
Batch = tuple[Any, Tensor, Tensor]  # one tensor, or several views
Reference = Callable[..., Tensor]


def compiled(text: str, model: nn.Module, **given: Any) -> Step:
    """The step of a method's clauses."""
    usual: dict[str, Any] = {"classes": CLASSES, "samples": SAMPLES, "class_counts": COUNTS}
    return taxo.compile(taxo.parse(f"method m {text}"), model, **(usual | given))


def losses(u: Tensor, y: Tensor) -> Tensor:
    """The cross entropy of each sample."""
    return CE(u, y, reduction="none")


def hot(y: Tensor) -> Tensor:
    """Classes as distributions."""
    return functional.one_hot(y, CLASSES).double()


def wide(values: Tensor, like: Tensor) -> Tensor:
    """One value per sample, shaped to multiply `like`."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def backward(loss: Tensor, model: nn.Module) -> list[Tensor]:
    """The gradients that the user's own `backward` leaves at the weights, taken off them."""
    loss.backward()
    slopes = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights(model)]
    for weight in weights(model):
        weight.grad = None
    return slopes


def agree(step: Step, twin: nn.Module, expected: Reference, *batches: Batch) -> Step:
    """The step's losses, gradients and the model's statistics are those of a loss in plain torch.

    Both models take a plain gradient step after each batch.
    """
    for given in batches or (batch(),):
        loss = step(*given)
        slopes = backward(loss, step.model)
        other = expected(twin, *given)
        others = torch.autograd.grad(other, weights(twin), materialize_grads=True)
        close(loss.detach(), other.detach())
        close(slopes, list(others))
        descend(step.model, slopes)
        descend(twin, others)
    for (name, one), other in zip(step.model.named_buffers(), twin.buffers(), strict=True):
        if "num_batches" not in name:
            close(one, other)
    return step


def holds(text: str, model: nn.Module, expected: Reference, *batches: Batch, **given: Any) -> Step:
    """A method of these clauses is that loss; the reference is given a model of its own and the batch."""
    model, twin = model.double(), deepcopy(model).double()
    return agree(compiled(text, model, **given), twin, expected, *batches)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Batch norms that use their running statistics and leave them alone; everything else as it is."""
    found = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d) and module.training]
    for module in found:
        module.eval()
    yield
    for module in found:
        module.train()


@contextmanager
def counted(model: nn.Module) -> Iterator[list[int]]:
    """The rows of every forward through a model."""
    rows: list[int] = []
    handle = model.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    yield rows
    handle.remove()


def steepest(slope: Tensor) -> Tensor:
    """Each sample's slope at unit length."""
    return slope / wide(slope.flatten(1).norm(dim=1), slope)


def clip(d: Tensor, radius: float | Tensor) -> Tensor:
    """Every entry between plus and minus the radius, which may be one per sample."""
    limit = wide(radius, d) if isinstance(radius, Tensor) else torch.full_like(d, radius)
    return torch.minimum(torch.maximum(d, -limit), limit)


def boxed(d: Tensor, x: Tensor) -> Tensor:
    """What is left of a perturbation when the perturbed image is clipped."""
    return (x + d).clamp(0, 1) - x


def climbed(
    goal: Callable[[Tensor], Tensor],
    first: Tensor,
    steps: int,
    move: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Steps of an unknown: `move` takes where it is and the slope there, and gives where it goes."""
    d = first
    for _ in range(steps):
        d = d.detach().requires_grad_()
        (slope,) = torch.autograd.grad(goal(d), d)
        d = move(d.detach(), slope)
    return d.detach()


def failure(call: Callable[[], object]) -> Diagnostic:
    """The one diagnostic of a call that is refused."""
    with pytest.raises(taxo.TaxoError) as caught:
        call()
    (found,) = caught.value.diagnostics
    return found


def noted(call: Callable[[], object]) -> tuple[Diagnostic, str]:
    """The diagnostic of a step that fails, and where it says that it came from."""
    with pytest.raises(taxo.TaxoError) as caught:
        call()
    (found,) = caught.value.diagnostics
    notes = getattr(caught.value, "__notes__", [])
    return found, " ".join([str(found.span), *notes])


def delta(step: Step, name: str) -> Tensor:
    """What a perturbation added in the last step."""
    found = step.deltas[name]
    assert isinstance(found, Tensor)
    assert math.prod(found.shape) > 0
    return found
