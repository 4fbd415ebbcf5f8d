"""Searches of one batch: every solver, set and step size against the same maths in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable
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
    boxed,
    climbed,
    clip,
    compiled,
    delta,
    frozen,
    holds,
    hot,
    losses,
    steepest,
    wide,
)
from tests.fidelity.nets import CLASSES, NETS, batch, mlp, untouched

each_net = pytest.mark.parametrize("net", NETS)
PUSH = (
    "perturb features by d {{ {where}direction negative granularity sample infer adversarial maximize loss "
    "within {region} via {solver} }}"
)
PULL = (
    "perturb logits by v {{ direction positive granularity sample infer adversarial minimize loss "
    "within {region} via {solver} }}"
)
Move = Callable[[Tensor, Tensor, Tensor], Tensor]


def ball(d: Tensor, radius: float | Tensor) -> Tensor:
    """Each row scaled down to the radius where it is longer."""
    sizes = d.flatten(1).norm(dim=1)
    return d * wide((radius / sizes.clamp(min=1e-300)).clamp(max=1), d)


def diamond(d: Tensor, radius: float) -> Tensor:
    """The nearest point with a sum of absolute values at most the radius, by bisection on the threshold."""
    rows, low, high = d.flatten(1), torch.zeros(len(d), 1).double(), d.flatten(1).abs().amax(1, keepdim=True)
    for _ in range(100):
        middle = (low + high) / 2
        above = (rows.abs() - middle).clamp(min=0).sum(1, keepdim=True) > radius
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    shrunk = rows.sign() * (rows.abs() - high).clamp(min=0)
    inside = rows.abs().sum(1, keepdim=True) <= radius
    return torch.where(inside, rows, shrunk).reshape(d.shape)


def largest(slope: Tensor) -> Tensor:
    """The sign of each row's largest entry, and zero elsewhere."""
    rows = slope.flatten(1)
    best = rows.abs().argmax(1, keepdim=True)
    return torch.zeros_like(rows).scatter(1, best, rows.gather(1, best).sign()).reshape(slope.shape)


def nearest_in_both(d: Tensor, length: float, entry: float) -> Tensor:
    """The nearest point with small entries and short rows: the clipped one, if it is short enough."""
    clipped = clip(d, entry)
    assert bool((clipped.flatten(1).norm(dim=1) <= length).all())
    return clipped


# Where an attack goes from `d`, given the slope there and the image.
MOVES: dict[str, tuple[str, str, int, Move]] = {
    "linf": ("linf(0.1)", "pgd(steps: 3, step: 0.04)", 3, lambda d, g, x: clip(d + 0.04 * g.sign(), 0.1)),
    "linf in the box": (
        "linf(0.1), box",
        "pgd(steps: 3, step: 0.04)",
        3,
        lambda d, g, x: boxed(clip(d + 0.04 * g.sign(), 0.1), x),
    ),
    "the box first": (
        "box(0.2, 0.8), linf(0.1)",
        "pgd(steps: 2, step: 0.04)",
        2,
        lambda d, g, x: (x + clip(d + 0.04 * g.sign(), 0.1)).clamp(0.2, 0.8) - x,
    ),
    "a box alone": (
        "box(0.1, 0.9)",
        "pgd(steps: 2, step: 0.04)",
        2,
        lambda d, g, x: (x + d + 0.04 * g.sign()).clamp(0.1, 0.9) - x,
    ),
    "l2": ("l2(0.3)", "pgd(steps: 3, step: 0.14)", 3, lambda d, g, x: ball(d + 0.14 * steepest(g), 0.3)),
    "l1": ("l1(0.9)", "pgd(steps: 3, step: 0.4)", 3, lambda d, g, x: diamond(d + 0.4 * largest(g), 0.9)),
    "nonnegative": (
        "linf(0.1), nonnegative",
        "pgd(steps: 3, step: 0.04)",
        3,
        lambda d, g, x: clip(d + 0.04 * g.sign(), 0.1).clamp(min=0),
    ),
    "plain gradients": (
        "l2(0.3), box",
        "gradient(steps: 3, step: 2)",
        3,
        lambda d, g, x: boxed(ball(d + 2 * g, 0.3), x),
    ),
    "one sign": ("l2(0.3)", "sign(step: 0.1)", 1, lambda d, g, x: ball(d + 0.1 * g.sign(), 0.3)),
    "the expansion's best in linf": ("linf(0.1)", "linearized", 1, lambda d, g, x: 0.1 * g.sign()),
    "the expansion's best in l2": ("l2(0.3)", "linearized", 1, lambda d, g, x: 0.3 * steepest(g)),
    "the expansion's best in l1": ("l1(0.3)", "linearized", 1, lambda d, g, x: 0.3 * largest(g)),
    "three expansions": ("l2(0.3)", "linearized(steps: 3)", 3, lambda d, g, x: 0.3 * steepest(g)),
    "three expansions in the box": (
        "linf(0.2), box",
        "linearized(steps: 3)",
        3,
        lambda d, g, x: boxed(0.2 * g.sign(), x),
    ),
    "two balls": (
        "l2(0.5), linf(0.12)",
        "linearized",
        1,
        lambda d, g, x: nearest_in_both(0.5 * steepest(g), 0.5, 0.12),
    ),
}


@each_net
@pytest.mark.parametrize(("region", "solver", "steps", "move"), MOVES.values(), ids=list(MOVES))
def test_attacks(region: str, solver: str, steps: int, move: Move, net: str):
    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with frozen(model):
            d = climbed(
                lambda d: losses(model(x + d), y).sum(),
                torch.zeros_like(x),
                steps,
                lambda d, g: move(d, g, x),
            )
        return CE(model(x + d), y)

    step = holds(
        PUSH.format(region=region, solver=solver, where=""), NETS[net](), expected, batch(), batch(seed=2)
    )
    assert step.plan.forwards == steps + 1


@pytest.mark.parametrize("regions", ["l2(0.3), linf(0.06), box", "l1(1), l2(0.3)", "linf(0.06), l1(0.8)"])
def test_steps_where_bounded_sets_meet_stay_in_all_of_them(regions: str):
    model, (x, y, index) = mlp().double(), batch()
    step = compiled(PUSH.format(region=regions, solver="pgd(steps: 6, step: 0.1)", where=""), model)
    loss = step(x, y, index)
    d = delta(step, "d").flatten(1)
    limits = {"linf": d.abs().amax(), "l2": d.norm(dim=1).amax(), "l1": d.abs().sum(1).amax()}
    for word, size in limits.items():
        if word in regions:
            radius = float(regions.split(f"{word}(")[1].split(")")[0])
            assert float(size) <= radius + 1e-9
    torch.testing.assert_close(loss, CE(model(x + delta(step, "d")), y))
    assert float(loss.detach()) > float(CE(model(x), y).detach())


# Radii and steps of each sample.


@each_net
def test_radii_and_steps_of_each_sample(net: str):
    """The surer the sample, the wider its ball: radius p_y / 5, steps of half of it."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad(), untouched(model):
            radius = model(x).softmax(1)[torch.arange(len(y)), y] / 5

        def move(d: Tensor, slope: Tensor) -> Tensor:
            return boxed(clip(d + wide(radius / 2, d) * slope.sign(), radius), x)

        with frozen(model):
            d = climbed(lambda d: losses(model(x + d), y).sum(), torch.zeros_like(x), 3, move)
        return CE(model(x + d), y)

    region, solver = "linf(sure / 5), box", "pgd(steps: 3, step: sure / 10)"
    holds(
        "let sure = clean.p[y] " + PUSH.format(region=region, solver=solver, where=""),
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


@each_net
@pytest.mark.parametrize("region", ["linf", "l2"])
def test_radii_of_each_sample_on_selected_rows(net: str, region: str):
    """Only the hardest half is attacked, each with a radius of its own; searched on those rows alone."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad(), untouched(model):
            clean = losses(model(x), y)
        rows = clean.topk(4).indices
        radius = clean[rows] / 10

        def move(d: Tensor, slope: Tensor) -> Tensor:
            if region == "linf":
                return clip(d + wide(radius / 2, d) * slope.sign(), radius)
            return ball(d + wide(radius / 2, d) * steepest(slope), radius)

        first = torch.zeros_like(x[rows])
        with frozen(model):
            found = climbed(lambda d: losses(model(x[rows] + d), y[rows]).sum(), first, 3, move)
        d = torch.zeros_like(x).index_copy(0, rows, found)
        return CE(model(x + d), y)

    step = holds(
        PUSH.format(
            region=f"{region}(clean.loss / 10)",
            solver="pgd(steps: 3, step: clean.loss / 20)",
            where="where clean.loss in top(50%) ",
        ),
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )
    assert step.plan.forwards == 1 + 3 / 2 + 1


@each_net
def test_radii_of_each_sample_at_the_logits(net: str):
    """Y&W Eq. 56: v within a ball of the sample's own loss, by two plain steps."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        radius, v = losses(u, y).detach() / 2, torch.zeros_like(u)
        for _ in range(2):
            v = clip(v - 3 * ((u + v).softmax(1) - hot(y)).detach(), radius)
        return CE(u + v, y)

    holds(
        PULL.format(region="linf(clean.loss / 2)", solver="gradient(steps: 2, step: 3)"),
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


@each_net
@pytest.mark.parametrize("site", ["", " at z"])
def test_radii_steps_and_starts_made_of_the_value_itself(net: str, site: str):
    """All of `x`, or of `z`, as it is before the perturbation."""
    value = "z" if site else "x"

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        body, head = (model[:-1], model[-1]) if site else (nn.Identity(), model)
        with torch.no_grad(), untouched(model):
            v = body(x)
        radius, size = v.flatten(1).mean(1).abs() / 5, v.flatten(1).norm(dim=1) / 30

        def goal(d: Tensor) -> Tensor:
            return losses(head(body(x) + d), y).sum()

        with frozen(model):
            d = climbed(
                goal, clip(0.1 * v, radius), 3, lambda d, g: clip(d + wide(size, d) * g.sign(), radius)
            )
        return CE(head(body(x) + d), y)

    holds(
        f"perturb features{site} by d {{ direction negative granularity sample infer adversarial "
        f"maximize loss within linf(abs(mean({value})) / 5) "
        f"via pgd(steps: 3, step: l2({value}) / 30, start: 0.1 * {value}) }}",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


# Known minimisers.


def soft(values: Tensor, cut: float) -> Tensor:
    return values.sign() * (values.abs() - cut).clamp(min=0)


def own_and_others(u: Tensor, y: Tensor) -> Tensor:
    """The label's logit over the logarithm of the others' sum."""
    return u.gather(1, y[:, None]) - u.scatter(1, y[:, None], -torch.inf).logsumexp(1, keepdim=True)


def logit_price(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """v = (log((1 - lam) / lam) - (u_y - lse others))+ e_y, and its price; the solution is live."""
    u = model(x)
    v = (math.log(0.7 / 0.3) - own_and_others(u, y)).clamp(min=0) * hot(y)
    return CE(u + v, y) + 0.3 * v.abs().sum(1).mean()


def squared(u: Tensor, q: Tensor) -> Tensor:
    return ((u - q) ** 2).sum(1)


def robust(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """min_e |u - y - e|^2 + lam |e|_1: e = sign(r) (|r| - lam / 2)+ of r = u - y."""
    r = model(x) - hot(y)
    e = soft(r, 0.25)
    return (((r - e) ** 2).sum(1) + 0.5 * e.abs().sum(1)).mean()


def robust_rows(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """min_e |r - e|^2 + lam |e|: e = (1 - lam / (2 |r|))+ r."""
    r = model(x) - hot(y)
    e = (1 - 0.5 / r.norm(dim=1, keepdim=True)).clamp(min=0) * r
    return (((r - e) ** 2).sum(1) + e.norm(dim=1)).mean()


def relaxed(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """y + (2y - 1) m with m >= 0: m = ((2y - 1) (u - y))+, so what overshoots costs nothing."""
    q = hot(y)
    r = model(x) - q
    m = ((2 * q - 1) * r).clamp(min=0)
    return squared(r, (2 * q - 1) * m).mean()


def scaled(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """1 - y + 3 m: m = sign (|3 r| - lam / 2)+ / 9 of r = u - 1."""
    r = model(x) - 1
    m = soft(3 * r, 0.1) / 9
    return (squared(r, 3 * m) + 0.2 * m.abs().sum(1)).mean()


PENALISED = (
    "perturb {target} by {form} {{ direction {direction} granularity sample "
    "infer regularization minimize {goal} {within}via closed_form }}"
)


def priced(target: str, form: str, goal: str, within: str = "", direction: str = "positive") -> str:
    return PENALISED.format(target=target, form=form, goal=goal, within=within, direction=direction)


def corners(sign: int) -> Callable[..., Tensor]:
    """The label's logit by the radius, all others by its negative."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return CE(model(x) + sign * 0.4 * (2 * hot(y) - 1), y)

    return expected


CLOSED: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "the worst distribution": (
        "perturb labels by 0.1 * (v - y) { direction negative granularity sample "
        "infer adversarial maximize loss within simplex via closed_form }",
        lambda model, x, y, index: CE(u := model(x), 0.9 * hot(y) + 0.1 * hot(u.argmin(1))),
    ),
    "the best distribution": (
        "perturb labels by 0.1 * (v - y) { direction positive granularity sample "
        "infer adversarial minimize loss within simplex via closed_form }",
        lambda model, x, y, index: CE(u := model(x), 0.9 * hot(y) + 0.1 * hot(u.argmax(1))),
    ),
    "logits at a price": (priced("logits", "v", "loss + 0.3 * l1(v)"), logit_price),
    "logits in a ball, pulled": (PULL.format(region="linf(0.4)", solver="closed_form"), corners(1)),
    "logits in a ball, pushed": (
        "perturb logits by v { direction negative granularity sample "
        "infer adversarial maximize loss within linf(0.4) via closed_form }",
        corners(-1),
    ),
    "labels at a price": ("loss mse " + priced("labels", "e", "loss + 0.5 * l1(e)"), robust),
    "rows of labels at a price": ("loss mse " + priced("labels", "e", "loss + l2(e)"), robust_rows),
    "labels that may overshoot": (
        "loss mse " + priced("labels", "(2 * y - 1) * m", "loss", "within nonnegative "),
        relaxed,
    ),
    "labels by a multiple": (
        "loss mse " + priced("labels", "1 - y + 3 * m", "loss + 0.2 * l1(m)", direction="mixed"),
        scaled,
    ),
}


@each_net
@pytest.mark.parametrize(("text", "expected"), CLOSED.values(), ids=list(CLOSED))
def test_known_minimisers(text: str, expected: Callable[..., Tensor], net: str):
    step = holds(text, NETS[net](), expected, batch(), batch(seed=2))
    assert step.plan.forwards == 1


@pytest.mark.parametrize(
    ("text", "goal", "regions"),
    [
        (CLOSED["logits at a price"][0], lambda u, y, v: losses(u + v, y) + 0.3 * v.abs().sum(1), None),
        (CLOSED["logits in a ball, pulled"][0], lambda u, y, v: losses(u + v, y), 0.4),
        (CLOSED["logits in a ball, pushed"][0], lambda u, y, v: -losses(u + v, y), 0.4),
        (CLOSED["labels at a price"][0], lambda u, y, e: squared(u, hot(y) + e) + 0.5 * e.abs().sum(1), None),
        (
            CLOSED["rows of labels at a price"][0],
            lambda u, y, e: squared(u, hot(y) + e) + e.norm(dim=1),
            None,
        ),
    ],
)
def test_known_minimisers_beat_what_is_near(
    text: str, goal: Callable[[Tensor, Tensor, Tensor], Tensor], regions: float | None
):
    """No random neighbour in the set is better, whatever the formula says."""
    model, (x, y, index) = mlp().double(), batch()
    step = compiled(text, model)
    step(x, y, index)
    (found,) = (value for value in step.deltas.values() if isinstance(value, Tensor))
    u, dice = model(x).detach(), torch.Generator().manual_seed(0)
    for size in (1e-4, 1e-2, 0.3):
        for _ in range(50):
            other = found + size * torch.randn(found.shape, generator=dice, dtype=torch.float64)
            other = other if regions is None else other.clamp(-regions, regions)
            assert bool((goal(u, y, other) >= goal(u, y, found) - 1e-12).all())


def test_points_moved_at_a_price():
    """Robust clustering: min_d |x + d - c|^2 + |d|_1 to the nearest centre, (|x - c| - 1/2)+ each entry."""

    class Centres(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.rand(CLASSES, 36, generator=torch.Generator().manual_seed(3)))

        def forward(self, x: Tensor) -> Tensor:
            return -((x.flatten(1)[:, None] - self.centres) ** 2).sum(2)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        distances = -model(x)
        centre = model.centres[distances.argmin(1)].reshape(x.shape)
        d = soft((centre - x).detach(), 0.05)
        moved = ((x + d).flatten(1)[:, None] - model.centres).pow(2).sum(2)
        return (moved.amin(1) + 0.1 * d.flatten(1).abs().sum(1)).mean()

    holds(
        "loss kmeans " + priced("features", "d", "loss + 0.1 * l1(d)", direction="positive"),
        Centres(),
        expected,
    )


# Labels and losses.


def on_simplex(v: Tensor) -> Tensor:
    """All entries lowered alike and cut at zero, by bisection on how much."""
    low, high = v.amin(1, keepdim=True) - 1, v.amax(1, keepdim=True)
    for _ in range(100):
        middle = (low + high) / 2
        above = (v - middle).clamp(min=0).sum(1, keepdim=True) > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (v - high).clamp(min=0)


@each_net
def test_steps_on_the_simplex(net: str):
    """Two steps of a distribution up the loss -v log p, brought back by lowering all entries alike."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        v = torch.full_like(u, 1 / CLASSES)
        slope = -0.5 * u.detach().log_softmax(1)
        for _ in range(2):
            v = on_simplex(v + 0.2 * slope)
        return CE(u, 0.5 * hot(y) + 0.5 * v)

    holds(
        "perturb labels by 0.5 * (v - y) { direction negative granularity sample "
        "infer adversarial maximize loss within simplex via gradient(steps: 2, step: 0.2) }",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


@each_net
def test_the_predicted_labels_of_a_search(net: str):
    """Eq. 6 ii: mixed into what the model predicts, the distribution that is wrong for sure."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        others = (1 - hot(y)) / (CLASSES - 1)
        return -(0.9 * model(x).softmax(1) + 0.1 * others)[torch.arange(8), y].log().mean()

    holds(
        "perturb labels at p by 0.1 * (v - p) { direction negative granularity sample "
        "infer adversarial maximize loss within simplex via linearized }",
        NETS[net](),
        expected,
    )


# Goals.

GOALS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "the margin": (
        "-margin",
        lambda u, y: u.scatter(1, y[:, None], -torch.inf).amax(1) - u.gather(1, y[:, None])[:, 0],
    ),
    "a capped loss": ("min(loss, 1.6)", lambda u, y: losses(u, y).clamp(max=1.6)),
    "the entropy": ("entropy(p)", lambda u, y: -(u.softmax(1) * u.log_softmax(1)).sum(1)),
    "an increasing function": ("exp(loss)", lambda u, y: losses(u, y).exp()),
}


@each_net
@pytest.mark.parametrize(("goal", "value"), GOALS.values(), ids=list(GOALS))
def test_goals_that_are_not_the_loss(net: str, goal: str, value: Callable[[Tensor, Tensor], Tensor]):

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with frozen(model):
            d = climbed(
                lambda d: value(model(x + d), y).sum(),
                torch.zeros_like(x),
                2,
                lambda d, g: clip(d + 0.06 * g.sign(), 0.1),
            )
        return CE(model(x + d), y)

    text = (
        "perturb features by d { direction mixed granularity sample infer adversarial "
        f"maximize {goal} within linf(0.1) via pgd(steps: 2, step: 0.06) }}"
    )
    holds(text, NETS[net](), expected, batch(), batch(seed=2))


@each_net
def test_a_goal_of_the_unknown_itself(net: str):
    """A penalised attack climbs loss - 0.5 |d|_2 in a ball, and the training loss counts the penalty."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        def goal(d: Tensor) -> Tensor:
            return losses(model(x + d), y) - 0.5 * d.flatten(1).norm(dim=1)

        with frozen(model):
            d = climbed(
                lambda d: goal(d).sum(), torch.full_like(x, 0.02), 3, lambda d, g: clip(d + 0.1 * g, 0.1)
            )
        return goal(d).mean()

    holds(
        "perturb features by d { direction mixed granularity sample infer regularization "
        "maximize loss - 0.5 * l2(d) within linf(0.1) via gradient(steps: 3, step: 0.1, start: 0.02) }",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


@each_net
def test_an_attack_towards_a_class_of_the_clean_pass(net: str):
    """Kurakin et al. 2017: towards the least likely class of the unperturbed image."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad(), untouched(model):
            target = model(x).argmin(1)
        with frozen(model):
            d = climbed(
                lambda d: losses(model(x + d), target).sum(),
                torch.zeros_like(x),
                2,
                lambda d, g: clip(d - 0.06 * g.sign(), 0.1),
            )
        return CE(model(x + d), y)

    holds(
        "perturb features by d { direction mixed granularity sample infer adversarial "
        "minimize ce(u, onehot(argmin(clean.u))) within linf(0.1) via pgd(steps: 2, step: 0.06) }",
        NETS[net](),
        expected,
        batch(),
        batch(seed=2),
    )


# Forms of the unknown.


def test_an_attack_through_a_form():
    """dx = x sin(d): the ball is of d, the box of the perturbed image."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: losses(model((x + x * d.sin()).clamp(0, 1)), y).sum(),
            torch.zeros_like(x),
            3,
            lambda d, g: clip(d + 0.1 * g.sign(), 0.25),
        )
        return CE(model((x + x * d.sin()).clamp(0, 1)), y)

    step = holds(
        "perturb features by x * sin(d) { direction negative granularity sample "
        "infer adversarial maximize loss within linf(0.25), box via pgd(steps: 3, step: 0.1) }",
        mlp(),
        expected,
        batch(),
        batch(seed=2),
    )
    assert float(delta(step, "d").abs().max()) <= 0.25


def test_the_order_of_inference_is_that_of_the_source():
    """What is written above is in place, what is below is not; acting follows the line all the same."""
    own = PUSH.format(region="linf(0.1)", solver="pgd(steps: 2, step: 0.06)", where="")
    label = f"perturb labels by 0.5 * (1 / C - y) {{ {PRIOR} }}"
    double = f"perturb logits by 2 * u * u {{ {PRIOR} }}"

    def expected(moved: bool, smooth: float) -> Callable[..., Tensor]:
        def reference(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            def goal(d: Tensor) -> Tensor:
                u = model(x + d)
                u = u + 2 * u * u if moved else u
                return CE(u, y, label_smoothing=smooth, reduction="sum")

            d = climbed(goal, torch.zeros_like(x), 2, lambda d, g: clip(d + 0.06 * g.sign(), 0.1))
            u = model(x + d)
            return CE(u + 2 * u * u, y, label_smoothing=0.5)

        return reference

    cases = {
        (own, label, double): (False, 0.0),
        (double, own, label): (True, 0.0),
        (label, own, double): (False, 0.5),
        (label, double, own): (True, 0.5),
    }
    for parts, settings in cases.items():
        holds(" ".join(parts), mlp(), expected(*settings), batch(), batch(seed=2))


@each_net
def test_a_uniform_start(net: str):
    """The noise of the sample is drawn by the step's own generator, in the box from the start."""
    model = NETS[net]().double()
    twin, dice = deepcopy(model), torch.Generator().manual_seed(6)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        first = boxed(0.1 * torch.empty_like(x).uniform_(-1, 1, generator=dice), x)
        with frozen(model):
            d = climbed(
                lambda d: losses(model(x + d), y).sum(),
                first,
                2,
                lambda d, g: boxed(clip(d + 0.04 * g.sign(), 0.1), x),
            )
        return CE(model(x + d), y)

    text = PUSH.format(region="linf(0.1), box", solver="pgd(steps: 2, step: 0.04, start: uniform)", where="")
    agree(compiled(text, model, seed=6), twin, expected, batch(), batch(seed=2))


@pytest.mark.parametrize("start", ["0.5", "-0.05", "0.3 * (1 - x)", "noise"])
def test_a_start_that_is_a_value(start: str):
    """It is brought into the sets first."""
    dice = torch.Generator().manual_seed(6)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        firsts = {
            "0.5": lambda: torch.full_like(x, 0.5),
            "-0.05": lambda: torch.full_like(x, -0.05),
            "0.3 * (1 - x)": lambda: 0.3 * (1 - x),
            "noise": lambda: 0.05 * torch.empty_like(x).normal_(generator=dice),
        }
        first = boxed(clip(firsts[start](), 0.1), x)
        d = climbed(
            lambda d: losses(model(x + d), y).sum(),
            first,
            2,
            lambda d, g: boxed(clip(d + 0.04 * g.sign(), 0.1), x),
        )
        return CE(model(x + d), y)

    text = PUSH.format(region="linf(0.1), box", solver=f"pgd(steps: 2, step: 0.04, start: {start})", where="")
    if start == "noise":
        text = "draw noise ~ normal(0, 0.05) per sample like x " + text
    holds(text, mlp(), expected, batch(), batch(seed=2), seed=6)


# Weights.


def test_two_searches_of_the_weights_one_above_the_other():
    """The second climbs from where the first has gone, with the first in place."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        named: dict[str, Tensor] = dict(model.named_parameters())

        def toward(moved: dict[str, Tensor], ending: str) -> dict[str, Tensor]:
            leaves = {name: w.detach().requires_grad_() for name, w in moved.items()}
            own = [name for name in leaves if name.endswith(ending)]
            loss = CE(functional_call(model, leaves, (x,)), y)
            slopes = torch.autograd.grad(loss, [leaves[name] for name in own])
            size = torch.cat([slope.flatten() for slope in slopes]).norm()
            return {name: 0.2 * slope / size for name, slope in zip(own, slopes, strict=True)}

        first = toward(named, "weight")
        once = {name: w + first.get(name, 0.0) for name, w in named.items()}
        second = toward(once, "bias")
        return CE(
            functional_call(model, {name: w + second.get(name, 0.0) for name, w in once.items()}, (x,)),
            y,
        )

    climb = (
        'perturb weights at "*.{}" by {} {{ direction negative granularity corpus '
        "infer adversarial maximize loss within l2(0.2) via linearized }} "
    )
    holds(climb.format("weight", "v") + climb.format("bias", "w2"), mlp(), expected, batch(), batch(seed=2))


@pytest.mark.parametrize(
    ("region", "each"), [("l2", "all"), ("l2", "tensor"), ("linf", "all"), ("l1", "all")]
)
def test_sets_of_weights(region: str, each: str):
    """Of all parameters together or, where the Euclidean norm says so, of each tensor by itself."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        named: dict[str, Tensor] = dict(model.named_parameters())
        slopes = dict(zip(named, torch.autograd.grad(CE(model(x), y), list(named.values())), strict=True))
        flat = torch.cat([slope.flatten() for slope in slopes.values()])
        top = flat.abs().max()
        v = {
            "linf": lambda g: 0.05 * g.sign(),
            "l1": lambda g: 0.05 * g.sign() * (g.abs() == top),
            "l2": lambda g: 0.05 * g / (g.norm() if each == "tensor" else flat.norm()),
        }[region]
        moved = {name: w + v(slopes[name]) for name, w in named.items()}
        return CE(functional_call(model, moved, (x,)), y)

    said = f"{region}(0.05, each: tensor)" if each == "tensor" else f"{region}(0.05)"
    holds(
        "perturb weights by v { direction negative granularity corpus "
        f"infer adversarial maximize loss within {said} via linearized }}",
        mlp(),
        expected,
        batch(),
        batch(seed=2),
    )


def test_a_ball_of_each_tensor_as_wide_as_the_tensor_is_long():
    """Wu et al. 2020: |v_l| <= 0.1 |w_l|."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        named: dict[str, Tensor] = dict(model.named_parameters())
        slopes = dict(zip(named, torch.autograd.grad(CE(model(x), y), list(named.values())), strict=True))
        moved = {
            name: w + 0.1 * w.detach().norm() * slopes[name] / slopes[name].norm()
            for name, w in named.items()
        }
        return CE(functional_call(model, moved, (x,)), y)

    holds(
        "perturb weights by v { direction negative granularity corpus infer adversarial maximize loss "
        "within l2(0.1 * l2(w), each: tensor) via linearized }",
        mlp(),
        expected,
        batch(),
        batch(seed=2),
    )
