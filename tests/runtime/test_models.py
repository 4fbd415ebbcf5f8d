"""Any model of a user: whatever it returns, however it is built, in whatever precision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.laws.pools import simple
from tests.covering import covering
from tests.fidelity.nets import (
    CLASSES,
    COUNTS,
    METHODS,
    Wrapped,
    batch,
    close,
    conv,
    descend,
    made,
    mlp,
    weights,
)

SPECS = (*covering(METHODS), "mixpert(eps: 8/255)", "mixpert(eps: 8/255, clean_share: 40%)", "damp(parts: 2)")
each_spec = pytest.mark.parametrize("spec", SPECS)


class Named(NamedTuple):
    logits: Tensor
    hidden: str


class Late(NamedTuple):
    hidden: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Data:
    hidden: str
    logits: Tensor


class Output(OrderedDict[str, object]):
    """A mapping that is also read by attribute, as Hugging Face's outputs are."""

    def __getattr__(self, name: str) -> object:
        return self[name]


class Plain:
    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self.hidden = "kept"


WRAPPINGS: dict[str, Callable[[Tensor], object]] = {
    "tuple": lambda u: (u, "kept"),
    "list": lambda u: [u, "kept"],
    "named tuple": lambda u: Named(u, "kept"),
    "dict": lambda u: {"hidden": "kept", "logits": u},
    "mapping": lambda u: Output(hidden="kept", logits=u),
    "dataclass": lambda u: Data("kept", u),
    "object": Plain,
    "namespace": lambda u: SimpleNamespace(logits=u, hidden="kept"),
}


def outcome(spec: str | taxo.Method, model: nn.Module, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Two steps: the loss and the gradients of each."""
    step = made(spec, model, seed=2)
    found: list[Tensor] = []
    for seed in (1, 2):
        loss = step(*batch(seed=seed, dtype=dtype))
        slopes = torch.autograd.grad(loss, weights(model))
        descend(model, slopes)
        found += [loss.detach(), *slopes]
    return found


def equal(found: list[Tensor], expected: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@each_spec
@pytest.mark.parametrize("kind", WRAPPINGS)
def test_whatever_a_model_returns(spec: str, kind: str):
    # to rounding: attacks fold norms into convolutions where they can see through the model
    close(outcome(spec, Wrapped(conv(), WRAPPINGS[kind])), outcome(spec, conv()), 1e-5)


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_a_users_hook_sees_the_models_own_output(kind: str):
    model = Wrapped(conv(), WRAPPINGS[kind])
    seen: list[object] = []
    model.register_forward_hook(lambda *parts: seen.append(parts[2]))
    step = taxo.compile("logit_adjustment", model, classes=CLASSES, class_counts=COUNTS)
    x, y, index = batch(dtype=torch.float32)
    step(x, y, index)
    (output,) = seen
    assert type(output) is type(WRAPPINGS[kind](torch.zeros(1, 1)))


@pytest.mark.parametrize("spec", ["plain", "logit_adjustment"])
def test_a_named_tuples_logits_need_not_come_first(spec: str):
    late = Wrapped(conv(), lambda u: Late(u.detach().exp(), u))
    assert equal(outcome(spec, late), outcome(spec, conv()))


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_prediction_reads_the_same_logits(kind: str):
    model = Wrapped(conv(), WRAPPINGS[kind])
    step = taxo.compile("plain", model, classes=CLASSES)
    x, _, _ = batch(dtype=torch.float32)
    assert torch.equal(step.predict(x), model.inner.eval()(x))


def failure(call: Callable[[], object]) -> taxo.TaxoError:
    with pytest.raises(taxo.TaxoError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("classes", [4, 6])
def test_the_wrong_width_is_said(classes: int):
    step = taxo.compile("plain", conv(), classes=classes)
    x, y, index = batch(dtype=torch.float32)
    (found,) = failure(lambda: step(x, y % 4, index)).diagnostics
    assert found.code == "T405"
    assert found.message == f"the model returned [8, 5], not [8, {classes}]"


@pytest.mark.parametrize("output", [None, "text", {"logit": 1}, (), SimpleNamespace(u=1), (None, 2)])
def test_an_output_without_logits_is_said(output: object):
    step = taxo.compile("plain", Wrapped(conv(), lambda _: output), classes=CLASSES)
    (found,) = failure(lambda: step(*batch(dtype=torch.float32))).diagnostics
    assert found.code == "T405"
    assert type(output).__name__ in found.message


def test_logits_of_another_rank_are_said():
    step = taxo.compile("plain", Wrapped(conv(), lambda u: u[None]), classes=CLASSES)
    (found,) = failure(lambda: step(*batch(dtype=torch.float32))).diagnostics
    assert found.code == "T405"


@each_spec
def test_nested_models(spec: str):
    """The same parameters, three modules deep."""
    nested = nn.Sequential(OrderedDict(body=nn.Sequential(OrderedDict(inner=conv()))))
    assert equal(outcome(spec, nested), outcome(spec, conv()))


@each_spec
def test_frozen_parameters_stay_out(spec: str):
    model = conv()
    model.get_submodule("0").requires_grad_(False)
    before = model.get_parameter("0.weight").clone()
    slopes = outcome(spec, model)
    assert all(bool(slope.isfinite().all()) for slope in slopes)
    assert torch.equal(model.get_parameter("0.weight"), before)
    assert model.get_parameter("0.weight").grad is None


class Tied(nn.Module):
    """One matrix used twice, and one that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(36, 36, bias=False)
        self.second = nn.Linear(36, 36, bias=False)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(2, 2)
        self.last = nn.Linear(36, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x.flatten(1)).tanh()).tanh())


@each_spec
def test_tied_and_unused_weights(spec: str):
    model = Tied()
    step = made(spec, model)
    step(*batch(dtype=torch.float32)).backward()
    assert model.first.weight is model.second.weight
    assert model.first.weight.grad is not None
    assert bool(model.first.weight.grad.isfinite().all())


def test_the_worst_weights_of_a_tied_matrix_are_climbed_to_once():
    model, (x, y, _) = Tied().double(), batch()
    used = [weight for name, weight in model.named_parameters() if not name.startswith("unused")]
    slopes = torch.autograd.grad(functional.cross_entropy(model(x), y), used)
    length = torch.cat([slope.flatten() for slope in slopes]).norm()
    twin = deepcopy(model)
    with torch.no_grad():
        twin_used = [weight for name, weight in twin.named_parameters() if not name.startswith("unused")]
        for weight, slope in zip(twin_used, slopes, strict=True):
            weight += 0.2 * slope / length
    loss = taxo.compile("sam(rho: 0.2)", model, classes=CLASSES)(x, y)
    torch.testing.assert_close(loss, functional.cross_entropy(twin(x), y), atol=1e-10, rtol=0.0)


class Words(nn.Module):
    """A model of word numbers, which no gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(9, 6)
        self.last = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.table(x).mean(1))


def without_attack() -> list[str]:
    """The methods that leave the input alone, and ask for no held-out images."""
    found = {name: simple(taxo.load(name)) for name in SPECS}
    return [
        name
        for name, method in found.items()
        if all(item.target.text != "features" for item in method.perturbations())
        and all(call.name.text != "validation" for call in method.needs)
    ]


DRAWN = """
method drawn
draw r ~ uniform(0, 1) per sample
draw s ~ normal(0, 1) per batch
perturb logits by r * s * u { direction mixed infer prior granularity sample }
"""


@pytest.mark.parametrize("spec", [*without_attack(), DRAWN])
def test_word_numbers_as_input(spec: str):
    method = taxo.parse(spec) if spec.startswith("\n") else spec
    step = made(method, Words())
    dice = torch.Generator().manual_seed(0)
    x, (_, y, index) = torch.randint(9, (8, 4), generator=dice), batch()
    step(x, y, index).backward()
    assert step.losses.unique().numel() > 1
    assert all(
        bool(weight.grad is not None and weight.grad.isfinite().all()) for weight in weights(step.model)
    )


@each_spec
def test_instance_norms_with_running_statistics_move_once(spec: str):
    torch.manual_seed(0)
    norm = nn.InstanceNorm2d(3, track_running_stats=True)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), norm, nn.Flatten(), nn.Linear(3 * 16, CLASSES))
    step = made(spec, model)
    x, y, index = batch(dtype=torch.float32)
    mean = float(model[0](x).detach().mean((0, 2, 3)).norm())
    step(x, y, index).backward()
    assert norm.running_mean is not None
    assert float(norm.running_mean.norm()) / mean == pytest.approx(1 - 0.9**step.parts, rel=0.6)


@each_spec
def test_two_steps_on_one_model_do_not_meet(spec: str):
    """A second compiled step changes nothing for the first."""
    model, twin = mlp(), mlp()
    given: dict[str, Any] = {"seed": 4}
    step = made(spec, model, **given)
    other = made("pgd_at(steps: 1)", model, **given)
    alone = made(spec, twin, **given)
    for seed in (1, 2):
        found = step(*batch(seed=seed, dtype=torch.float32))
        other(*batch(seed=seed + 9, dtype=torch.float32))
        assert torch.equal(found, alone(*batch(seed=seed, dtype=torch.float32)))


@each_spec
def test_a_step_moved_to_another_precision(spec: str):
    step = made(spec, conv()).double()
    loss = step(*batch())
    assert loss.dtype == torch.float64
    loss.backward()
    assert all(
        weight.grad is not None and weight.grad.dtype == torch.float64 for weight in weights(step.model)
    )


@each_spec
def test_autocast_to_bfloat16(spec: str):
    step = made(spec, conv())
    exact = made(spec, conv())
    for seed in (1, 2):
        parts = batch(seed=seed, dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            loss = step(*parts)
        loss.backward()
        assert float(loss.detach()) == pytest.approx(float(exact(*parts).detach()), rel=0.1)
    for weight in weights(step.model):
        assert weight.grad is not None
        assert weight.grad.dtype == torch.float32
        assert bool(weight.grad.isfinite().all())
