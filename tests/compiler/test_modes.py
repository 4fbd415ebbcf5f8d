"""Norms, dropout and weights while passes run, and what a step leaves behind."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.compiler.agreement import (
    CE,
    PRIOR,
    agree,
    backward,
    climbed,
    clip,
    compiled,
    frozen,
    holds,
    losses,
)
from tests.fidelity.nets import batch, close, conv, descend, mlp, untouched, weights

ATTACK = (
    "perturb features by d {{ direction negative granularity sample infer adversarial maximize loss "
    "within linf(0.1) via pgd(steps: {steps}, step: 0.06) {norm} }}"
)
CLIMB = (
    "perturb weights by v {{ direction negative granularity corpus "
    "infer adversarial maximize loss within l2({radius}) via linearized {norm} }}"
)


def statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.named_buffers()}


# Norms.


@pytest.mark.parametrize("norm", ["", "norm frozen", "norm batch"])
def test_norms_of_an_attack(norm: str):
    """With the running statistics or those of its batch; only the training pass moves the running ones."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        mode = untouched if norm == "norm batch" else frozen
        with mode(model):
            d = climbed(
                lambda d: losses(model(x + d), y).sum(),
                torch.zeros_like(x),
                2,
                lambda d, g: clip(d + 0.06 * g.sign(), 0.1),
            )
        return CE(model(x + d), y)

    holds(ATTACK.format(steps=2, norm=norm), conv(), expected, batch(), batch(seed=2))


def test_an_attack_that_updates_the_running_statistics():
    """It is the pass that does, so the training pass leaves them alone."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: losses(model(x + d), y).sum(),
            torch.zeros_like(x),
            1,
            lambda d, g: clip(d + 0.06 * g.sign(), 0.1),
        )
        with untouched(model):
            return CE(model(x + d), y)

    holds(ATTACK.format(steps=1, norm="norm update"), conv(), expected, batch(), batch(seed=2))


def kept(model: nn.Module) -> nullcontext[None]:
    """As it is."""
    del model
    return nullcontext()


@pytest.mark.parametrize("norm", ["frozen", "batch", "update"])
def test_norms_of_a_branch(norm: str):
    """The unperturbed branch runs first and moves the running statistics, unless the other is said to."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with untouched(model) if norm == "update" else nullcontext():
            own = CE(model(x), y)
        with {"frozen": frozen, "batch": untouched, "update": kept}[norm](model):
            return 0.4 * own + 0.6 * CE(model(1.5 * x), y)

    branches = [
        f"branch bright weight 0.6 norm {norm} {{ perturb features by 0.5 * x {{ {PRIOR} }} }}",
        "branch plain weight 0.4 { }",
    ]
    holds(" ".join(branches), conv(), expected, batch(), batch(seed=2))


def test_second_norms():
    """Xie et al. 2020: the attacked copy, attack and all, goes through norms of its own, which learn too."""
    model = conv().double()
    twin, second = deepcopy(model), deepcopy(model)
    text = (
        "branch natural weight 0.5 { } branch attacked weight 0.5 norm auxiliary { "
        + ATTACK.format(steps=2, norm="")
        + " }"
    )
    step = compiled(text, model)
    groups = step.parameter_groups(0.1)
    assert [len(list(group["params"])) for group in groups] == [9, 4]  # pyright: ignore[reportArgumentType, reportCallIssue]
    for seed in (1, 2, 3):
        x, y, index = batch(seed=seed)
        shared: dict[str, Tensor] = {
            name: weight for name, weight in twin.named_parameters() if name.split(".")[0] not in ("1", "4")
        }

        def other(images: Tensor, shared: dict[str, Tensor] = shared) -> Tensor:
            return functional_call(second, shared, (images,))

        with frozen(second):
            d = climbed(
                lambda d, x=x, y=y: losses(other(x + d), y).sum(),
                torch.zeros_like(x),
                2,
                lambda d, g: clip(d + 0.06 * g.sign(), 0.1),
            )
        expected = 0.5 * CE(twin(x), y) + 0.5 * CE(other(x + d), y)
        found = step(x, y, index)
        close(found.detach(), expected.detach())
        found.backward()
        expected.backward()
        for one, two in zip(model.parameters(), twin.parameters(), strict=True):
            assert one.grad is not None
            assert two.grad is not None
            close(one.grad, two.grad)
        descend(model, [weight.grad for weight in weights(model) if weight.grad is not None])
        descend(twin, [weight.grad for weight in weights(twin) if weight.grad is not None])
        model.zero_grad(), twin.zero_grad(), step.zero_grad()
    for name, value in statistics(model).items():
        close(value.double(), twin.get_buffer(name).double())


def test_the_unperturbed_pass_of_a_climb_moves_the_statistics():
    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        named = dict(model.named_parameters())
        slopes = torch.autograd.grad(CE(model(x), y), list(named.values()))
        size = torch.cat([slope.flatten() for slope in slopes]).norm()
        moved = {name: w + 0.3 * g / size for (name, w), g in zip(named.items(), slopes, strict=True)}
        with untouched(model):
            return CE(functional_call(model, moved, (x,)), y)

    holds(CLIMB.format(radius=0.3, norm=""), conv(), expected, batch(), batch(seed=2))


def test_evaluated_norms_stay_evaluated():
    """A user who freezes the norms finds every pass frozen."""
    model = conv().double()
    twin = deepcopy(model)
    step = compiled(ATTACK.format(steps=2, norm="norm batch"), model)
    model.eval(), twin.eval()

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: losses(model(x + d), y).sum(),
            torch.zeros_like(x),
            2,
            lambda d, g: clip(d + 0.06 * g.sign(), 0.1),
        )
        return CE(model(x + d), y)

    agree(step, twin, expected, batch(), batch(seed=2))
    assert not any(module.training for module in model.modules())


# Dropout.


class Dropping(nn.Module):
    """A net with dropout, which remembers what every pass kept."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()
        self.drop = nn.Dropout(0.5)
        self.masks: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        kept = self.drop(torch.ones_like(x))
        self.masks.append(kept)
        return self.net(x * kept)


def test_dropout_masks_are_those_of_the_training_pass():
    """Both passes of a climb drop the same, and every step drops anew."""
    model = Dropping().double()
    step = compiled(CLIMB.format(radius=0.5, norm=""), model)
    torch.manual_seed(1)
    for _ in range(2):
        step(*batch())
    assert torch.equal(model.masks[0], model.masks[1])
    assert torch.equal(model.masks[2], model.masks[3])
    assert not torch.equal(model.masks[0], model.masks[2])


def test_a_climb_by_nothing_is_no_climb():
    """As the radius goes to zero the loss goes to that of the first pass, dropout or not."""
    first, second = Dropping().double(), Dropping().double()
    torch.manual_seed(1)
    moved = compiled(CLIMB.format(radius=1e-9, norm=""), first)(*batch())
    torch.manual_seed(1)
    x, y, _ = batch()
    close(moved.detach(), CE(second(x), y).detach())


def test_a_climb_draws_what_one_pass_draws():
    """Torch's random numbers after a step are those after a plain pass."""
    step, other = compiled(CLIMB.format(radius=0.5, norm=""), Dropping().double()), Dropping().double()
    torch.manual_seed(1)
    step(*batch())
    after = torch.rand(3)
    torch.manual_seed(1)
    other(batch()[0])
    assert torch.equal(torch.rand(3), after)


# What is left behind.

LEFT = {
    "an attack": ATTACK.format(steps=2, norm=""),
    "a climb": CLIMB.format(radius=0.5, norm=""),
    "both": ATTACK.format(steps=2, norm="") + " " + CLIMB.format(radius=0.5, norm=""),
    "a table": (
        "perturb logits by v { direction positive granularity sample "
        "infer regularization minimize loss + 0.1 * l1(v) via joint(lr: 2) }"
    ),
    "a table of features": (
        "perturb features by v { direction positive granularity category "
        "infer regularization minimize loss + 0.1 * l1(v) via joint(lr: 2) }"
    ),
    "noise": "draw r ~ normal(0, 1) per batch like w perturb weights by 0.1 * r * w "
    "{ direction mixed infer prior granularity corpus }",
}


@pytest.mark.parametrize("text", LEFT.values(), ids=list(LEFT))
def test_nobodys_weights_and_gradients_are_touched(text: str):
    """The same tensors with the same values and versions; no gradient before the user's own backward."""
    model = conv().double()
    step = compiled(text, model)
    before = [(w, w.data_ptr(), w._version, w.detach().clone()) for w in model.parameters()]
    x, y, index = batch()
    images = x.clone()
    loss = step(x, y, index)
    for weight, (same, place, version, value) in zip(model.parameters(), before, strict=True):
        assert weight is same
        assert (weight.data_ptr(), weight._version) == (place, version)
        assert torch.equal(weight, value)
        assert weight.grad is None
    assert x.grad is None
    assert not x.requires_grad
    assert torch.equal(x, images)
    slopes = backward(loss, model)
    assert all(bool(slope.isfinite().all()) for slope in slopes)
    assert all(value.grad is None for value in step.buffers())


@pytest.mark.parametrize("text", LEFT.values(), ids=list(LEFT))
def test_hooks_and_modes_are_given_back_after_a_failure(text: str):
    class Faulty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = conv()
            self.left = 10

        def forward(self, x: Tensor) -> Tensor:
            self.left -= 1
            out = self.net(x)
            if self.left == 0:
                raise ZeroDivisionError
            return out

    for left in (1, 2, 3):
        model = Faulty().double()
        step = compiled(text, model)
        model.left = left
        modes = [module.training for module in model.modules()]
        try:
            step(*batch())
        except ZeroDivisionError:
            assert model.left == 0
        assert [module.training for module in model.modules()] == modes
        hooks = [
            hook
            for module in [*model.modules(), step.objective]
            for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        ]
        assert hooks == []
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        assert all(norm.track_running_stats and norm.momentum == 0.1 for norm in norms)


# Predictions.


def test_what_acts_on_predictions_only():
    """Menon et al. 2021, Eq. 9: the logits less tau log prior when predicting, training as ever."""
    counts = torch.tensor((16, 10, 8, 4, 2)).double()
    step = holds(
        "perturb logits by -2 * log(class_prior) "
        "{ during eval direction mixed infer prior granularity corpus }",
        conv(),
        lambda model, x, y, index: CE(model(x), y),
        batch(),
    )
    x, _, _ = batch()
    found = step.predict(x)
    close(found, step.model.eval()(x).detach() - 2 * (counts / 40).log())


def test_what_acts_always():
    """A scale in training and on predictions; one for training alone beside it."""
    step = holds(
        f"perturb logits by u {{ during always {PRIOR} }} perturb logits by u * u {{ {PRIOR} }}",
        conv(),
        lambda model, x, y, index: CE((u := 2 * model(x)) + u * u, y),
        batch(),
    )
    x, _, _ = batch()
    close(step.predict(x), 2 * step.model.eval()(x).detach())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"perturb features by 0.5 * x {{ during eval {PRIOR} }}",
            lambda model, x: model(1.5 * x),
        ),
        (
            f"perturb features at z by 0.5 * z {{ during eval {PRIOR} }}",
            lambda model, x: model[-1](1.5 * model[:-1](x)),
        ),
        (
            "perturb weights by 0.5 * w { during eval direction mixed infer prior granularity corpus }",
            lambda model, x: functional_call(
                model, {name: 1.5 * w for name, w in model.named_parameters()}, (x,)
            ),
        ),
        (
            f"perturb logits by clean.u * u {{ during eval {PRIOR} }}",
            lambda model, x: (u := model(x)) + u * u,
        ),
    ],
)
def test_predictions_at_every_site(text: str, expected: Any):
    model = mlp().double()
    step = compiled(text, model)
    x, y, index = batch()
    close(step(x, y, index).detach(), CE(model(x), y).detach())
    close(step.predict(x), expected(model, x).detach())


def test_predictions_draw_nothing_from_training():
    """Random numbers, states, modes and deltas are as they were; two predictions are equal."""
    text = (
        "draw r ~ normal(0, 1) per sample state s per category = mean(loss) "
        f"perturb logits by r * u {{ during always {PRIOR} }} "
        "perturb loss by s[y] * loss { direction negative infer prior granularity category }"
    )
    step, other = (compiled(text, conv().double(), seed=4) for _ in range(2))
    for seed in (1, 2, 3):
        x, y, index = batch(seed=seed)
        noise = torch.get_rng_state()
        assert torch.equal(step.predict(x), step.predict(x))
        assert torch.equal(torch.get_rng_state(), noise)
        assert step.training
        assert torch.equal(step(x, y, index), other(x, y, index))
    for one, two in zip(step.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
