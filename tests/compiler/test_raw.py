"""What acts at `raw`: on the batch as it is given, before the step augments it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.language.errors import TaxoError
from tests.compiler.agreement import CE, PRIOR, compiled, counted, delta, failure, hot, losses
from tests.fidelity.nets import batch, close, conv, mlp, weights

FOUND = "direction negative granularity sample infer adversarial maximize"
STEEP = f"{FOUND} loss within linf(0.1) via linearized"
FLOWS = "adversarial_flow(chance: 1)"


def mirrored(x: Tensor) -> Tensor:
    """An augmentation that changes what a step finds."""
    return x.flip(-1) * 0.9 + 0.05


def agrees(text: str, expected: Callable[[nn.Module, Tensor, Tensor], Tensor], net: Any = mlp) -> None:
    """The loss and gradients of a method whose step mirrors the batch are those of plain torch."""
    model = net().double()
    twin = deepcopy(model)
    x, y, index = batch()
    loss = compiled(text, model)(x, y, index, mirrored)
    other = expected(twin, x, y)
    close(loss.detach(), other.detach())
    slopes = torch.autograd.grad(other, weights(twin))
    close(list(torch.autograd.grad(loss, weights(model))), list(slopes))


def steepest(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The largest entries of 0.1 along the slope of the loss."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(CE(model(x), y), x)
    return 0.1 * slope.sign()


def test_a_fixed_form_comes_before_the_augmentation():
    agrees(
        f"perturb features at raw by 0.3 * sin(x) {{ {PRIOR} }}",
        lambda model, x, y: CE(model(mirrored(x + 0.3 * x.sin())), y),
    )


@pytest.mark.parametrize("raw_first", [True, False])
def test_raw_comes_first_wherever_it_is_written(raw_first: bool):
    parts = [f"perturb features at raw by x * x {{ {PRIOR} }}", f"perturb features by sin(x) {{ {PRIOR} }}"]
    agrees(
        " ".join(parts if raw_first else parts[::-1]),
        lambda model, x, y: CE(model((shown := mirrored(x + x * x)) + shown.sin()), y),
    )


def test_a_search_follows_the_batch_as_it_is_given():
    agrees(
        f"perturb features at raw by d {{ {STEEP} }}",
        lambda model, x, y: CE(model(mirrored(x + steepest(model, x, y))), y),
    )


def test_searches_behind_follow_the_augmented_batch():
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        shown = mirrored(x + steepest(model, x, y))
        return CE(model(shown + steepest(model, shown, y)), y)

    agrees(f"perturb features by e {{ {STEEP} }} perturb features at raw by d {{ {STEEP} }}", expected)


def test_the_second_of_two_sees_the_first():
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        first = x + 0.2 * x.cos()
        return CE(model(mirrored(first + steepest(model, first, y))), y)

    form = f"perturb features at raw by 0.2 * cos(x) {{ {PRIOR} }}"
    agrees(f"{form} perturb features at raw by d {{ {STEEP} }}", expected)


def test_a_name_of_the_clean_pass_is_of_the_batch_that_reads_it():
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        first = losses(model(x), y).detach()
        shown = mirrored(x + first[:, None, None, None] * x)
        second = losses(model(shown), y).detach()
        return (losses(model(shown), y) + second).mean()

    agrees(
        "let easy = clean.loss"
        f" perturb features at raw by easy * x {{ {PRIOR} }} perturb loss by easy {{ {PRIOR} }}",
        expected,
    )


def test_one_draw_couples_what_is_raw_with_what_is_not():
    text = f"""draw pair ~ permutation per batch
      perturb features at raw by 0.4 * (x[pair] - x) {{ {PRIOR} }}
      perturb labels by 0.4 * (y[pair] - y) {{ {PRIOR} }}"""
    model, (x, y, index) = mlp().double(), batch()
    step = compiled(text, model)
    step(x, y, index, mirrored)
    moved = delta(step, "features") / 0.4 + x
    pair = (moved[:, None] - x[None]).abs().flatten(2).sum(2).argmin(1)
    mixed = 0.6 * hot(y) + 0.4 * hot(y)[pair]
    expected = -(mixed * model(mirrored(x + delta(step, "features"))).log_softmax(1)).sum(1)
    close(step.losses, expected.detach())


def test_the_batch_before_is_kept_as_it_was_augmented():
    text = f"""branch own weight 0.5 {{ }}
      branch last on carry weight 0.5 {{ }}
      perturb features at raw by 0.3 * sin(x) {{ {PRIOR} }}"""
    model = mlp().double()
    step = compiled(text, model)
    (x, y, index), (x2, y2, index2) = batch(), batch(seed=2)
    step(x, y, index, mirrored)
    loss = step(x2, y2, index2, mirrored)
    both = [CE(model(mirrored(one + 0.3 * one.sin())), labels) for one, labels in ((x2, y2), (x, y))]
    close(loss.detach(), torch.stack(both).mean().detach())


def test_parts_of_a_batch_are_augmented_by_themselves():
    seen: list[int] = []

    def noted(x: Tensor) -> Tensor:
        seen.append(len(x))
        return mirrored(x)

    x, y, index = batch()
    text = f"split 2 perturb features at raw by 0.3 * sin(x) {{ {PRIOR} }}"
    loss = compiled(text, mlp().double())(x, y, index, noted)
    close(loss.detach(), CE(mlp().double()(mirrored(x + 0.3 * x.sin())), y).detach())
    assert seen == [4, 4]


def test_without_an_augmentation_it_is_a_perturbation_like_others():
    x, y, index = batch()
    text = f"perturb features {{at}} by d {{{{ {STEEP} }}}}"
    one, other = (compiled(text.format(at=at), conv().double()) for at in ("at raw", ""))
    close(one(x, y, index).detach(), other(x, y, index).detach())
    close(delta(one, "d"), delta(other, "d"))


@pytest.mark.parametrize(
    ("spec", "forwards", "backwards"),
    [(FLOWS, 2, 2), ("adversarial_flow(targeted: true)", 3, 2), (f"{FLOWS}+mixpert", 2, 2)],
)
def test_a_plan_counts_the_passes_on_both_batches(spec: str, forwards: int, backwards: int):
    model, (x, y, index) = conv().double(), batch()
    step = taxo.compile(spec, model, classes=5, samples=40)
    with counted(model) as rows:
        step(x, y, index, mirrored)
    assert (step.plan.forwards, step.plan.backwards) == (forwards, backwards)
    assert sum(rows) == forwards * len(x)


# Any other method.


def test_the_augmentation_of_other_methods_comes_before_everything():
    x, y, index = batch()
    for spec in ("pgd_at", "mixup", "sam"):
        one, other = (taxo.compile(spec, conv().double(), classes=5, seed=1) for _ in range(2))
        assert torch.equal(one(x, y, index, mirrored), other(mirrored(x), y, index))


def test_an_augmentation_may_make_the_views_that_a_method_wants():
    x, y, index = batch()

    def three(one: Tensor) -> list[Tensor]:
        return [one, mirrored(one), one.roll(1, -1)]

    one, other = (taxo.compile("augmix", conv().double(), classes=5) for _ in range(2))
    assert torch.equal(one(x, y, index, three), other(three(x), y, index))
    bent = taxo.compile(f"augmix+{FLOWS}", mlp().double(), classes=5)
    bent(x, y, index, three)
    first, second, _ = bent.views
    close(first, x + delta(bent, "adversarial_flow.m"))
    close(second, mirrored(first))


def test_a_module_that_augments_is_no_part_of_the_step():
    step = taxo.compile(FLOWS, mlp(), classes=5)
    before = step.state_dict().keys()
    x, y, index = batch(dtype=torch.float32)
    step(x, y, index, nn.Sequential(nn.Dropout(0.1)))
    assert step.state_dict().keys() == before
    assert not any(isinstance(module, nn.Dropout) for module in step.modules())


def test_gradients_go_through_the_augmentation():
    x, y, index = batch()
    x = x.requires_grad_()
    text = f"perturb features at raw by 0.3 * sin(x) {{ {PRIOR} }}"
    model = mlp().double()
    (slope,) = torch.autograd.grad(compiled(text, model)(x, y, index, mirrored), x)
    (expected,) = torch.autograd.grad(CE(model(mirrored(x + 0.3 * x.sin())), y), x)
    close(slope, expected)


# What is refused.


def test_views_are_made_behind_what_is_raw():
    x, y, index = batch(dtype=torch.float32)
    step = taxo.compile(f"augmix+{FLOWS}", mlp(), classes=5)
    assert failure(lambda: step([x, x, x], y, index)).code == "T401"
    found = failure(lambda: step(x, y, index))
    assert found.code == "T401"
    assert found.help == "give `augment=`, a function that makes 3 views of a batch"
    plain = taxo.compile("augmix", mlp(), classes=5)
    assert failure(lambda: plain([x, x, x], y, index, mirrored)).code == "T401"


@pytest.mark.parametrize("spec", [FLOWS, "plain"])
def test_an_augmentation_keeps_the_shape(spec: str):
    x, y, index = batch(dtype=torch.float32)
    step = taxo.compile(spec, mlp(), classes=5)
    found = failure(lambda: step(x, y, index, lambda x: functional.pad(x, (1, 1))))
    assert found.code == "T401"
    assert found.message == "`augment` made [8, 1, 6, 8] of inputs [8, 1, 6, 6]"
    assert step(x, y, index).isfinite()


KEPT = "via sign(step: 0.1, start: kept, simultaneous: true)"
LEARNED = "direction mixed granularity category infer regularization minimize loss + l2(d) via joint(lr: 1)"
PENALTY = "direction mixed granularity sample infer regularization minimize loss + l2(d) via gradient(2, 1)"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"branch a weight 1 norm auxiliary {{ perturb features at raw by 0.1 * x {{ {PRIOR} }} }}", "in a"),
        (f"perturb features at raw by 0.1 * x {{ during always {PRIOR} }}", "on predictions"),
        (f"perturb features at raw by 0.1 * x {{ every round append {PRIOR} }}", "between rounds"),
        (f"perturb features at raw by d {{ {FOUND} loss within linf(1) {KEPT} }}", "moves beside"),
        (f"perturb features at raw by d {{ {LEARNED} }}", "moves beside the weights"),
        (f"perturb features at raw by d {{ {PENALTY} }}", "a penalty on an unknown"),
        (f"needs views(2) perturb features at raw by view(1) - x {{ {PRIOR} }}", "a view `at raw`"),
        (
            "needs generator perturb features at raw by 0.1 * generator"
            " { direction negative granularity sample }"
            " infer adversarial over generator maximize loss via sgd(steps: 1, lr: 0.1)",
            "what is learned",
        ),
    ],
)
def test_what_cannot_be_run(text: str, what: str):
    with pytest.raises(TaxoError) as caught:
        compiled(text, mlp())
    found = [one.message for one in caught.value.diagnostics]
    assert any(what in one for one in found), found
    assert all(one.code == "T210" and one.span and one.help for one in caught.value.diagnostics)
