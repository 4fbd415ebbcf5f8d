"""Steps that share a model, sit in one another, are copied or are stopped: nothing is left behind."""

from __future__ import annotations

import io
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, batch, close, conv, mlp, weights
from tests.interop.steps import compiled, each_spec, hooks_of, trained


def single(rows: int = 8, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    return batch(rows, seed=seed, dtype=torch.float32)


class Stopping(nn.Module):
    """A layer that stops the program at one of its calls."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error
        self.left = -1

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left == -1:
            raise self.error
        return x


@each_spec
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_step_that_is_stopped_leaves_nothing_behind(spec: str, error: type[BaseException]):
    """At each pass in turn, and the next step is as if there had been none."""
    for number in range(3):
        stopping: Any = Stopping(error)
        step = compiled(spec, nn.Sequential(conv(), stopping))
        modes = [module.training for module in step.modules()]
        own = [weight.detach().clone() for weight in weights(step.model)]
        stopping.left = number
        try:
            step(*single()).detach()
        except error:
            assert stopping.left in (-1, 0)  # 0 where torch traced a copy of the model, which then stopped
        else:
            assert stopping.left >= 0  # the step has fewer passes
            assert number
        assert hooks_of(step) == 0
        assert [module.training for module in step.modules()] == modes
        norms = [module for module in step.modules() if isinstance(module, nn.BatchNorm2d)]
        assert all(norm.track_running_stats for norm in norms)
        assert all(torch.equal(*pair) for pair in zip(own, weights(step.model), strict=True))
        stopping.left = -1
        assert bool(step(*single()).isfinite())


class Around(nn.Module):
    """A model that trains a part of itself by a step, and reads another model."""

    def __init__(self, inner: Step, body: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.body = body
        self.side: list[Tensor] = []  # the inner step's losses

    def forward(self, x: Tensor) -> Tensor:
        loss = self.inner(*single(seed=7))
        self.side.append(loss.detach())
        return self.body(x) + 0 * loss


@each_spec
def test_a_step_whose_model_takes_a_step(spec: str):
    """The inner step sees none of the outer one's perturbations, on a model of its own."""
    inner = compiled("label_smoothing", mlp(seed=5))
    around = Around(inner, mlp())
    outer = compiled(spec, around)
    plain = compiled(spec, mlp())
    found, expected = outer(*single()), plain(*single())
    if "self.weights()" not in outer.source and "weights=" not in outer.source:
        close(found, expected, atol=1e-6)
        own = compiled("label_smoothing", mlp(seed=5))(*single(seed=7)).detach()
        assert all(torch.equal(one, own) for one in around.side)
    found.backward()
    assert hooks_of(outer) == 0


@each_spec
def test_a_step_whose_model_shares_the_inner_steps_model(spec: str):
    """Hooks of the inner step unwind while those of the outer one stay."""
    body = mlp()
    outer = compiled(spec, Around(compiled("logit_adjustment", body), body))
    loss = outer(*single())
    loss.backward()
    assert bool(loss.isfinite())
    assert hooks_of(outer) == 0


@each_spec
def test_a_copied_step_goes_its_own_way(spec: str):
    step, whole = compiled(spec, conv()), compiled(spec, conv())
    trained(step)
    trained(whole)
    twin = deepcopy(step)
    kept = [weight.detach().clone() for weight in weights(step.model)]
    close(trained(twin), trained(whole), atol=0)
    assert all(torch.equal(*pair) for pair in zip(kept, weights(step.model), strict=True))


@each_spec
def test_a_saved_step_goes_on_as_it_would_have(spec: str):
    step, other = compiled(spec, conv()), compiled(spec, conv(seed=9), seed=8)
    trained(step)
    file = io.BytesIO()
    torch.save(step.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    close(trained(other), trained(step), atol=0)


@each_spec
def test_two_steps_on_one_model_take_turns(spec: str):
    model = conv()
    one, other = compiled(spec, model), compiled("pgd_at(start: zero, steps: 1)", model)
    for seed in (1, 2):
        for step in (one, other):
            step(*single(seed=seed)).backward()
    assert hooks_of(model) == 0
    assert one.model is other.model


@each_spec
def test_frozen_parameters_get_no_gradient(spec: str):
    """A frozen body and a head that is trained, as in fine-tuning."""
    model = conv()
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith("7"))
    step = compiled(spec, model)
    before = [weight.detach().clone() for weight in model.parameters()]
    step(*single()).backward()
    trained = [name for name, weight in model.named_parameters() if weight.grad is not None]
    assert trained == [name for name, _ in model.named_parameters() if name.startswith("7")] != []
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


class Module(nn.Module):
    """A wrapper such as DataParallel, which puts its own prefix before every name."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> object:
        return self.module(*inputs)


@each_spec
def test_a_wrapped_model(spec: str):
    # to rounding: an attack folds norms where it can see through the model
    close(trained(compiled(spec, Module(Module(conv())))), trained(compiled(spec, conv())), atol=1e-5)


@pytest.mark.parametrize("wrap", [Module, lambda model: torch.compile(model, backend="eager")])
def test_sites_are_seen_through_wrappers(wrap: Any):
    """A pattern is about the names that the model gave."""
    step = compiled('damp(sites: "3.*")', wrap(mlp()))
    step(*single())
    (delta,) = step.deltas.values()
    assert isinstance(delta, dict)
    assert [name.split(".")[-2:] for name in delta] == [["3", "weight"], ["3", "bias"]]
    plain = compiled('damp(sites: "3.*")', mlp())
    close(trained(compiled('damp(sites: "3.*")', wrap(mlp()))), trained(plain), atol=1e-6)


@dataclass
class Output:
    logits: Tensor
    hidden: Tensor


class Returning(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.inner = conv()

    def forward(self, x: Tensor) -> object:
        u = self.inner(x)
        kinds: dict[str, object] = {
            "tuple": (u, x),
            "dict": {"hidden": x, "logits": u},
            "dataclass": Output(u, x),
        }
        return kinds[self.kind] if self.kind in kinds else model_output(u, x)


def model_output(u: Tensor, x: Tensor) -> object:
    return pytest.importorskip("transformers.modeling_outputs").ImageClassifierOutput(
        logits=u, hidden_states=(x,)
    )


@each_spec
@pytest.mark.parametrize("kind", ["tuple", "dict", "dataclass", "Hugging Face"])
def test_logits_in_what_a_model_returns(spec: str, kind: str):
    close(trained(compiled(spec, Returning(kind))), trained(compiled(spec, conv())), atol=0)
    assert compiled(spec, Returning(kind)).predict(single()[0]).shape == (8, CLASSES)
