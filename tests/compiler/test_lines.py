"""The lines of a step: which passes run, on what, and what each brings."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.compiler.agreement import (
    CE,
    PRIOR,
    agree,
    boxed,
    climbed,
    clip,
    compiled,
    counted,
    frozen,
    holds,
    hot,
    losses,
)
from tests.fidelity.nets import NETS, SAMPLES, batch, conv, mlp, untouched

each_net = pytest.mark.parametrize("net", NETS)
ATTACK = (
    "direction negative granularity sample infer adversarial maximize loss within linf(0.1), box "
    "via pgd(steps: {steps}, step: 0.05)"
)


def attacked(model: Any, x: Tensor, y: Tensor, steps: int = 2, first: Tensor | None = None) -> Tensor:
    """Projected steps of sign on frozen statistics."""

    def move(d: Tensor, slope: Tensor) -> Tensor:
        return boxed(clip(d + 0.05 * slope.sign(), 0.1), x)

    with frozen(model):
        return climbed(
            lambda d: CE(model(x + d), y), torch.zeros_like(x) if first is None else first, steps, move
        )


def kinds(step: Step) -> list[str]:
    return [one.kind for one in step.plan.passes]


# How many passes, on how many rows.

PULL = (
    "perturb logits by v {{ {where} direction positive granularity sample "
    "infer adversarial minimize loss within linf(1) via gradient(steps: 3, step: 1) }}"
)
QUICK, FULL = ATTACK.format(steps=2), ATTACK.format(steps=4)
COSTS: dict[str, tuple[str, float]] = {
    "nothing": ("", 8),
    "a form of the clean pass at the logits shares the training pass": (
        f"perturb logits by clean.u + clean.loss {{ {PRIOR} }}",
        8,
    ),
    "a form of the clean pass at the features needs one of its own": (
        f"perturb features by clean.loss * x {{ {PRIOR} }}",
        16,
    ),
    "two readers share the clean pass": (
        f"perturb features by clean.loss * x {{ {PRIOR} }} "
        f"perturb features by clean.margin * x {{ {PRIOR} }} perturb loss by clean.gradnorm {{ {PRIOR} }}",
        16,
    ),
    "a search at the logits takes no pass": (PULL.format(where=""), 8),
    "an attack of four steps": (f"perturb features by d {{ {FULL} }}", 8 * 5),
    "an attack on a quarter": (
        f"perturb features by d {{ where clean.loss in top(25%) {FULL} }}",
        8 + 4 * 2 + 8,
    ),
    "an attack on the other three quarters": (
        f"let hard = clean.loss in top(25%) perturb features by d {{ where not hard {FULL} }}",
        8 + 4 * 6 + 8,
    ),
    "an attack on a random half": (
        "draw r ~ uniform(0, 1) per sample "
        f"perturb features by d {{ where r in top(50%) {ATTACK.format(steps=3)} }}",
        3 * 4 + 8,
    ),
    "an attack where a value says so runs on all": (
        f"perturb features by d {{ where clean.loss > 1.5 {QUICK} }}",
        8 + 2 * 8 + 8,
    ),
    "two branches, one of them attacked": (
        f"branch a weight 0.5 {{ }} branch b weight 0.5 {{ perturb features by d {{ {QUICK} }} }}",
        8 + 2 * 8 + 8,
    ),
    "branches that differ behind the logits only": (
        f"branch a weight 0.5 {{ }} branch b weight 0.5 {{ perturb loss by loss {{ {PRIOR} }} }}",
        16,
    ),
    "a branch that weighs nothing and that nobody reads": (
        f"branch a weight 1 {{ }} branch b weight 0 {{ perturb features by d {{ {QUICK} }} }}",
        8,
    ),
    "a climb of the weights": (
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.1) via linearized }",
        16,
    ),
    "three norms, one pass of three times the rows": (
        "branch a weight 0.5 norm batch { } "
        f"branch b weight 0.3 norm batch {{ perturb features by x {{ {PRIOR} }} }} "
        f"branch c weight 0.2 norm batch {{ perturb features by 2 * x {{ {PRIOR} }} }}",
        24,
    ),
    "a pull above an attack reaches the logits once": (
        PULL.format(where="") + f" perturb features by d {{ {QUICK} }}",
        8 + 2 * 8 + 8,
    ),
    "an attack inside the model": (
        f"perturb features at z by d {{ {QUICK.replace(', box', '')} }}",
        8 + 2 * 8 + 8,
    ),
}


@each_net
@pytest.mark.parametrize(("text", "rows"), COSTS.values(), ids=list(COSTS))
def test_rows_through_the_model_are_those_of_the_plan(text: str, rows: float, net: str):
    step = compiled(text, NETS[net](), samples=SAMPLES)
    with counted(step.model) as seen:
        step(*batch(dtype=torch.float32))
    assert (sum(seen), step.plan.forwards * 8) == (rows, rows)


# The clean pass.


@each_net
def test_the_clean_pass_of_an_attacked_image(net: str):
    """Without the attack, with statistics of its own batch, and no gradient through it."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad(), untouched(model):
            clean = model(x)
        d = attacked(model, x, y)
        u = model(x + d)
        return (
            losses(u, y) * (1 + losses(clean, y))
            + functional.kl_div(u.log_softmax(1), clean.softmax(1), reduction="none").sum(1)
        ).mean()

    holds(
        f"perturb features by d {{ {QUICK} }} "
        f"perturb loss by clean.loss * loss + kl(clean.p, p) {{ {PRIOR} }}",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


@each_net
def test_the_clean_pass_that_is_the_training_pass(net: str):
    """Of logits before what acts on them, and losses with the labels as given."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        clean = u.detach()
        own = clean[torch.arange(len(y)), y]
        ahead = own - clean.scatter(1, y[:, None], -torch.inf).amax(1)
        q = 0.8 * hot(y) + 0.04
        moved = 2 * u + clean
        return (-(q * moved.log_softmax(1)).sum(1) + losses(clean, y) * ahead).mean()

    step = holds(
        f"perturb logits by u {{ {PRIOR} }} perturb logits by clean.u {{ {PRIOR} }} "
        f"perturb labels by 0.2 * (1 / C - y) {{ {PRIOR} }} "
        f"perturb loss by clean.loss * clean.margin {{ {PRIOR} }}",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )
    assert kinds(step) == ["train"]


# Branches.


def consistency(lead: str, second: str) -> str:
    return (
        f"branch a weight 0.6 {{ }} branch b weight 0.4 {{ {lead} "
        f"perturb loss by 3 * kl(stop({second}), p) {{ {PRIOR} }} }}"
    )


@each_net
@pytest.mark.parametrize("live", [True, False])
def test_a_branch_reads_anothers_predictions(net: str, live: bool):
    """`a.p` is live: the gradient runs through both branches; `stop` cuts it."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with untouched(model):
            a = model(x)
        b = model(1.5 * x)
        p = a.softmax(1) if live else a.softmax(1).detach()
        divergence = (p * (p.log() - b.log_softmax(1))).sum(1)
        return 0.6 * CE(a, y) + 0.4 * (CE(b, y) + 3 * divergence.mean())

    text = consistency(f"perturb features by 0.5 * x {{ {PRIOR} }}", "a.p")
    holds(
        text if not live else text.replace("stop(a.p)", "a.p"), NETS[net](), expected, batch(), batch(seed=2)
    )


def test_the_order_of_branches_is_that_of_what_reads_what():
    """The first in the text reads the second: the second runs first, and the values are the same."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        a, b = model(x), model(1.5 * x)
        return (0.5 * (losses(a, y) + (a * b).sum(1)) + 0.5 * losses(b, y)).mean()

    holds(
        f"branch a weight 0.5 {{ perturb loss by sum(u * b.u) {{ {PRIOR} }} }} "
        f"branch b weight 0.5 {{ perturb features by 0.5 * x {{ {PRIOR} }} }}",
        mlp(),
        expected,
    )


@each_net
def test_what_is_outside_branches_acts_and_is_inferred_in_each(net: str):
    """One attack, written outside: in `a` on brighter images, in `b` on the images as they are."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        def move(d: Tensor, slope: Tensor) -> Tensor:
            return clip(d + 0.05 * slope.sign(), 0.1)

        zero = torch.zeros_like(x)
        with frozen(model):
            own = climbed(lambda d: CE(model(1.5 * x + d), y), zero, 2, move)
            other = climbed(lambda d: CE(model(x + d), y), zero, 2, move)
        with untouched(model):
            a = CE(model(1.5 * x + own), y)
        return 0.7 * a + 0.3 * CE(model(x + other), y)

    text = (
        f"branch a weight 0.7 {{ perturb features by 0.5 * x {{ {PRIOR} }} }} branch b weight 0.3 {{ }} "
        f"perturb features by d {{ {QUICK.replace(', box', '')} }}"
    )
    step = holds(text, NETS[net](), expected)
    assert [one.count for one in step.plan.passes if one.kind == "infer"] == [2, 2]


@each_net
def test_weights_of_branches_per_sample(net: str):
    """sigma(clean loss) of one and the rest of the other."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with untouched(model):
            u = model(x)
        share = (losses(u, y).detach() - 1.5).sigmoid()
        return (share * losses(u, y) + (1 - share) * losses(model(1.5 * x), y)).mean()

    step = holds(
        f"let share = sigmoid(clean.loss - 1.5) branch a weight share {{ }} "
        f"branch b weight 1 - share {{ perturb features by 0.5 * x {{ {PRIOR} }} }}",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )
    assert kinds(step) == ["train", "train"]


def test_an_attack_that_raises_the_distance_to_another_branch():
    """Zhang et al. 2019 (TRADES): maximise KL(p(x), p(x + d)), then CE(x) + 6 KL."""

    def divergence(a: Tensor, b: Tensor) -> Tensor:
        return (a.softmax(1) * (a.log_softmax(1) - b.log_softmax(1))).sum(1)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        a, first = model(x), 0.05 * torch.ones_like(x)

        def move(d: Tensor, slope: Tensor) -> Tensor:
            return clip(d + 0.03 * slope.sign(), 0.1)

        d = climbed(lambda d: divergence(a.detach(), model(x + d)).sum(), first, 3, move)
        return CE(a, y) + 6 * divergence(a, model(x + d)).mean()

    holds(
        "branch natural weight 1 { } branch robust weight 1 { perturb features by d { "
        "direction negative granularity sample infer adversarial maximize kl(natural.p, p) within linf(0.1) "
        "via pgd(steps: 3, step: 0.03, start: 0.05) } "
        f"perturb loss by 6 * kl(natural.p, p) - loss {{ {PRIOR} }} }}",
        mlp(),
        expected,
        batch(),
        batch(seed=2),
    )


# One pass for all branches.


def test_branches_that_share_the_statistics_of_their_norms():
    """AugMix: one forward of three times the rows, the Jensen-Shannon divergence of the three."""

    def expected(model: nn.Module, views: list[Tensor], y: Tensor, index: Tensor) -> Tensor:
        logits = model(torch.cat(views)).chunk(3)
        p = [u.softmax(1) for u in logits]
        middle = (p[0] + p[1] + p[2]) / 3
        spread = torch.stack([(q * (q.log() - middle.log())).sum(1) for q in p]).mean(0)
        return CE(logits[0], y) + 12 * spread.mean()

    text = (
        "needs views(3) let middle = (p + second.p + third.p) / 3 "
        f"branch second weight 0 norm batch {{ perturb features by view(1) - x {{ {PRIOR} }} }} "
        f"branch third weight 0 norm batch {{ perturb features by view(2) - x {{ {PRIOR} }} }} "
        "branch first weight 1 norm batch { "
        f"perturb loss by 4 * (kl(p, middle) + kl(second.p, middle) + kl(third.p, middle)) {{ {PRIOR} }} }}"
    )
    model = conv().double()
    twin = deepcopy(model)
    step = compiled(text, model)
    given = [views_of_batch(3, seed) for seed in (1, 2)]
    with counted(model) as rows:
        agree(step, twin, expected, *given)
    assert rows == [24, 24]
    assert step.plan.forwards == 3


def views_of_batch(count: int, seed: int = 1) -> tuple[list[Tensor], Tensor, Tensor]:
    x, y, index = batch(seed=seed)
    return [x, *(batch(seed=10 * number + seed)[0] for number in range(1, count))], y, index


@pytest.mark.parametrize("kind", [list, tuple])
def test_views_given_as_lists(kind: Callable[..., object]):
    """`x` is the first, `view(k)` the others."""

    def expected(model: nn.Module, views: list[Tensor], y: Tensor, index: Tensor) -> Tensor:
        return CE(model(views[0] + 0.5 * (views[2] - views[1])), y)

    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(f"needs views(3) perturb features by 0.5 * (view(2) - view(1)) {{ {PRIOR} }}", model)
    views, y, index = views_of_batch(3)
    agree(step, twin, lambda twin, given, y, index: expected(twin, views, y, index), (kind(views), y, index))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_another_number_of_views(count: int):
    step = compiled(f"needs views(3) perturb features by view(2) - x {{ {PRIOR} }}", mlp().double())
    views, y, index = views_of_batch(count)
    with pytest.raises(taxo.TaxoError) as caught:
        step(views, y, index)
    (found,) = caught.value.diagnostics
    assert found.code == "T401"
    assert f"takes 3 views of a batch and was given {count}" in found.message


def test_inner_values_of_branches_in_one_pass():
    """Each branch changes its own rows inside, and reads what was seen there of them."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten())
            self.out = nn.Linear(48, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.body(x))

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        a, b = model.body(torch.cat([x, x])).chunk(2)
        b = b + 0.3 * b * b
        first, second = losses(model.out(a), y), losses(model.out(b), y)
        return (0.5 * first + 0.5 * (second + (b * b).sum(1) + (a * b).sum(1))).mean()

    holds(
        "branch a weight 0.5 norm batch { } branch b weight 0.5 norm batch { "
        f"perturb features at z by 0.3 * z * z {{ {PRIOR} }} "
        f"perturb loss by sum(z * z) + sum(a.z * z) {{ {PRIOR} }} }}",
        Net(),
        expected,
        batch(),
        batch(seed=2),
    )


# The previous batch.


class Before:
    """A reference that remembers the batch before, as the step should."""

    def __init__(self, loss: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
        self.kept: tuple[Tensor, Tensor] | None = None
        self.loss = loss

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        total = 0.6 * CE(model(x), y)
        if self.kept is not None:
            with untouched(model):
                total = total + 0.4 * self.loss(model, *self.kept)
        self.kept = x, y
        return total


@each_net
def test_a_branch_on_the_previous_batch(net: str):
    """Nothing at the first step, then the batch before at the present weights; statistics from this one."""
    holds(
        "branch now weight 0.6 { } branch again on carry(view: 1) weight 0.4 { "
        f"perturb logits by u * u {{ {PRIOR} }} }}",
        NETS[net](),
        Before(lambda model, x, y: CE((u := model(x)) + u * u, y)),
        batch(),
        batch(seed=2),
        batch(seed=3),
    )


@each_net
def test_an_attack_on_the_previous_batch(net: str):
    def attacked_loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        return CE(model(x + attacked(model, x, y)), y)

    holds(
        "branch now weight 0.6 { } branch again on carry(view: 1) weight 0.4 { "
        f"perturb features by d {{ {QUICK} }} }}",
        NETS[net](),
        Before(attacked_loss),
        batch(),
        batch(seed=2),
        batch(seed=3),
    )


def test_a_branch_on_the_previous_batch_weighs_by_its_clean_pass():
    """That of the previous batch, which nothing else in the branch reads."""
    holds(
        "branch now weight 0.6 { } branch again on carry weight 0.4 * clean.loss { "
        f"perturb features by x * x {{ {PRIOR} }} }}",
        mlp(),
        Before(lambda model, x, y: (losses(model(x), y).detach() * losses(model(x + x * x), y)).mean()),
        batch(),
        batch(seed=2),
        batch(seed=3),
    )


def test_the_previous_batch_survives_saving_and_may_have_another_size():
    text = (
        "branch now weight 0.6 { } branch again on carry(view: 1) weight 0.4 { "
        f"perturb logits by u * u {{ {PRIOR} }} }}"
    )
    step = compiled(text, mlp().double())
    step(*batch(rows=6))
    other = compiled(text, mlp(seed=1).double())
    other.load_state_dict(step.state_dict())
    x, y, index = batch(seed=2)
    old, y_old, _ = batch(rows=6)
    u, again = step.model(x), step.model(old)
    expected = (0.6 * losses(u, y).sum() / 8) + 0.4 * CE(again + again * again, y_old)
    torch.testing.assert_close(step(x, y, index), expected)
    torch.testing.assert_close(other(x, y, index), expected)


def test_the_previous_batch_is_not_taken_in_evaluation():
    text = "branch now weight 0.6 { } branch again on carry(view: 1) weight 0.4 { }"
    step = compiled(text, mlp().double())
    x, y, index = batch()
    step(x, y, index)
    step.eval()
    step(*batch(seed=5))
    step.train()
    nx, ny, nindex = batch(seed=2)
    expected = 0.6 * CE(step.model(nx), ny) + 0.4 * CE(step.model(x), y)
    torch.testing.assert_close(step(nx, ny, nindex), expected)


def test_a_second_view_is_carried():
    """`carry(view: 1)` goes on with the other view of the batch before, and with what was kept of it."""
    table = torch.zeros(SAMPLES, 5, dtype=torch.float64)
    kept: list[tuple[list[Tensor], Tensor, Tensor]] = []

    def expected(model: nn.Module, views: list[Tensor], y: Tensor, index: Tensor) -> Tensor:
        u = model(views[0])
        total = 0.5 * CE(u, y)
        if kept:
            old, y_old, index_old = kept.pop()
            again = model(old[1])
            q = (table[index_old] / 3).softmax(1)
            divergence = (q * (q.log() - (again / 3).log_softmax(1))).sum(1)
            total = total + 0.5 * (losses(again, y_old) + 18 * divergence).mean()
        table[index] = u.detach()
        kept.append((views, y, index))
        return total

    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(
        "needs views(2) state last per sample = fresh.u branch fresh weight 50% { } "
        "branch again on carry(view: 1) weight 50% { "
        f"perturb loss by 2 * 3^2 * kl(softmax(last / 3), softmax(u / 3)) {{ {PRIOR} }} }}",
        model,
    )
    agree(step, twin, expected, *(views_of_batch(2, seed) for seed in (1, 2, 3)))


# A teacher.


@each_net
def test_a_teacher_on_what_entered_the_model(net: str):
    """Its input is the perturbed one; nothing of it learns, and its norms rest."""
    teacher = NETS[net](seed=4).double()
    own = deepcopy(teacher).eval()

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(1.2 * x)
        q = (own(1.2 * x) / 4).softmax(1).detach()
        return (0.1 * losses(u, y) + 0.9 * 16 * (q * (q.log() - (u / 4).log_softmax(1))).sum(1)).mean()

    step = holds(
        f"needs teacher perturb features by 0.2 * x {{ {PRIOR} }} "
        f"perturb loss by 0.9 * (16 * kl(softmax(teacher.u / 4), softmax(u / 4)) - loss) {{ {PRIOR} }}",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
        teacher=teacher,
    )
    assert "teacher" in kinds(step)
    assert all(weight.grad is None for weight in teacher.parameters())
    for one, other in zip(teacher.buffers(), own.buffers(), strict=True):
        assert torch.equal(one, other)


# Splits.


def test_parts_have_norm_statistics_of_their_own():
    """Two halves, one after another: each with its own batch statistics, the running ones moved by both."""

    dice = torch.Generator().manual_seed(8)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        shares = [torch.empty((), dtype=torch.float64).uniform_(generator=dice) for _ in HALVES]
        parts = [CE((1 + s) * model(x[rows]), y[rows]) for s, rows in zip(shares, HALVES, strict=True)]
        return (parts[0] + parts[1]) / 2

    model = conv().double()
    twin = deepcopy(model)
    step = compiled(
        f"split 2 draw s ~ uniform(0, 1) per batch perturb logits by s * u {{ {PRIOR} }}", model, seed=8
    )
    agree(step, twin, expected, batch(), batch(seed=2))


HALVES = (slice(0, 4), slice(4, 8))


def test_a_climb_of_each_part():
    """SAM with m = 4: each half climbs by its own gradient."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for rows in HALVES:
            named: dict[str, Tensor] = dict(model.named_parameters())
            slopes = torch.autograd.grad(CE(model(x[rows]), y[rows]), list(named.values()))
            size = torch.cat([slope.flatten() for slope in slopes]).norm()
            moved = {name: w + 0.2 * g / size for (name, w), g in zip(named.items(), slopes, strict=True)}
            with untouched(model):
                total = total + CE(functional_call(model, moved, (x[rows],)), y[rows]) / 2
        return total

    holds(
        "split 2 perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.2) via linearized }",
        conv(),
        expected,
        batch(),
        batch(seed=2),
    )
