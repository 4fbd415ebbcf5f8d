"""Methods written for these tests, each against the same maths in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, COUNTS, NETS, SAMPLES, batch, conv, mlp, weights

PRIOR = "direction mixed infer prior granularity sample"
CE = functional.cross_entropy
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
each_net = pytest.mark.parametrize("net", NETS)


def compiled(text: str, model: nn.Module, seed: int = 0) -> Step:
    method = taxo.parse(f"method m {text}")
    return taxo.compile(method, model, classes=CLASSES, samples=SAMPLES, class_counts=COUNTS, seed=seed)


def losses(u: Tensor, y: Tensor) -> Tensor:
    return CE(u, y, reduction="none")


def agree(text: str, net: str, expected: Loss) -> Step:
    """The step's loss and gradient are those of a loss in plain torch."""
    model, (x, y, index) = NETS[net]().double(), batch()
    twin = deepcopy(model)
    step = compiled(text, model)
    loss, other = step(x, y, index), expected(twin, x, y)
    torch.testing.assert_close(loss, other, atol=1e-10, rtol=0.0)
    found = torch.autograd.grad(loss, weights(model))
    torch.testing.assert_close(found, torch.autograd.grad(other, weights(twin)), atol=1e-10, rtol=0.0)
    return step


def hot(y: Tensor) -> Tensor:
    return functional.one_hot(y, CLASSES).double()


def pick(p: Tensor, y: Tensor) -> Tensor:
    return p[torch.arange(len(y)), y]


PRIORS: dict[str, tuple[str, Loss]] = {
    "two of one target in source order": (
        f"perturb logits by 2 * u {{ {PRIOR} }} perturb logits by 1 / C * u * u {{ {PRIOR} }}",
        lambda model, x, y: CE(3 * (u := model(x)) + 9 * u * u / CLASSES, y),
    ),
    "the same in the other order": (
        f"perturb logits by 1 / C * u * u {{ {PRIOR} }} perturb logits by 2 * u {{ {PRIOR} }}",
        lambda model, x, y: CE(3 * ((u := model(x)) + u * u / CLASSES), y),
    ),
    "two of labels": (
        f"perturb labels by 0.2 * (1 / C - y) {{ {PRIOR} }} "
        f"perturb labels by 0.5 * (stop(p) - y) {{ {PRIOR} }}",
        lambda model, x, y: CE(
            u := model(x), 0.5 * (0.8 * hot(y) + 0.2 / CLASSES) + 0.5 * u.softmax(1).detach()
        ),
    ),
    "live predictions in the labels": (
        f"perturb labels by 0.5 * (p - y) {{ {PRIOR} }}",
        lambda model, x, y: CE(u := model(x), 0.5 * hot(y) + 0.5 * u.softmax(1)),
    ),
    "hard bootstrapping": (
        f"perturb labels by 0.3 * (onehot(argmax(p)) - y) {{ {PRIOR} }}",
        lambda model, x, y: CE(u := model(x), 0.7 * hot(y) + 0.3 * hot(u.argmax(1))),
    ),
    "a loss after labels and logits": (
        f"perturb loss by 0.5 * entropy(p) {{ {PRIOR} }} perturb logits by u {{ {PRIOR} }} "
        f"perturb labels by 0.2 * (1 / C - y) {{ {PRIOR} }}",
        lambda model, x, y: (
            CE(u := 2 * model(x), y, label_smoothing=0.2)
            - 0.5 * (u.softmax(1) * u.log_softmax(1)).sum(1).mean()
        ),
    ),
    "a condition that compares": (
        f"perturb labels by 0.4 * (1 / C - y) {{ where clean.loss > 1.6 {PRIOR} }}",
        lambda model, x, y: torch.where(
            losses(u := model(x), y) > 1.6, CE(u, y, label_smoothing=0.4, reduction="none"), losses(u, y)
        ).mean(),
    ),
    "a condition of two": (
        f"perturb logits by u {{ where not clean.correct and clean.loss > 1.6 {PRIOR} }}",
        lambda model, x, y: torch.where(
            ((u := model(x)).argmax(1) != y) & (losses(u, y) > 1.6), losses(2 * u, y), losses(u, y)
        ).mean(),
    ),
    "one or the other": (
        f"perturb logits by u {{ where clean.correct or clean.loss in top(25%) {PRIOR} }}",
        lambda model, x, y: torch.where(
            ((u := model(x)).argmax(1) == y) | (losses(u, y) >= losses(u, y).topk(2).values[-1]),
            losses(2 * u, y),
            losses(u, y),
        ).mean(),
    ),
    "the clean pass after another act on the logits": (
        f"perturb logits by u {{ {PRIOR} }} perturb logits by clean.u {{ {PRIOR} }}",
        lambda model, x, y: CE(2 * (u := model(x)) + u.detach(), y),
    ),
    "a conditional": (
        f"perturb loss by 0.5 * loss if clean.margin < 0 else -0.25 * loss {{ {PRIOR} }}",
        lambda model, x, y: (
            losses(u := model(x), y)
            * torch.where(pick(u, y) < u.scatter(1, y[:, None], -torch.inf).amax(1), 1.5, 0.75)
        ).mean(),
    ),
    "a conditional of parameters": (
        f"param a = 2 perturb logits by u if a > 1 else 3 * u {{ {PRIOR} }}",
        lambda model, x, y: CE(2 * model(x), y),
    ),
    "a conditional of logits by samples": (
        f"perturb logits by (u if loss_free > 0.2 else 2 * u) {{ {PRIOR} }} let loss_free = p[y]",
        lambda model, x, y: CE(
            (u := model(x)) + torch.where(pick(u.softmax(1), y)[:, None] > 0.2, u, 2 * u), y
        ),
    ),
    "lets of lets": (
        f"let q = softmax(2 * u) let own = q[y] let rest = 1 - own perturb loss by rest * loss {{ {PRIOR} }}",
        lambda model, x, y: (losses(u := model(x), y) * (2 - pick((2 * u).softmax(1), y))).mean(),
    ),
    "a let of a clean value": (
        f"let ease = exp(-clean.loss) perturb loss by ease * loss {{ {PRIOR} }}",
        lambda model, x, y: (losses(u := model(x), y) * (1 + (-losses(u, y).detach()).exp())).mean(),
    ),
    "norms and functions": (
        f"perturb loss by l2(u) / 10 + l1(p - y) / 5 - linf(u) + sqrt(abs(margin)) + gradnorm + relu(u)[y] "
        f"{{ {PRIOR} }}",
        lambda model, x, y: (
            losses(u := model(x), y)
            + u.norm(dim=1) / 10
            + (u.softmax(1) - hot(y)).abs().sum(1) / 5
            - u.abs().amax(1)
            + (pick(u, y) - u.scatter(1, y[:, None], -torch.inf).amax(1)).abs().sqrt()
            + (u.softmax(1) - hot(y)).norm(dim=1)
            + pick(u.relu(), y)
        ).mean(),
    ),
    "number functions": (
        "param a = 2 perturb logits by "
        "(sigmoid(a) + relu(-a) + log(exp(a)) + sqrt(a) + sign(a) + abs(-a) + pi "
        f"+ a ^ 2 - -a) / 9 * u {{ {PRIOR} }}",
        lambda model, x, y: CE(
            (1 + (1 / (1 + 2.718281828459045**-2) + 2 + 2**0.5 + 1 + 2 + 3.141592653589793 + 4 + 2) / 9)
            * model(x),
            y,
        ),
    ),
    "class values": (
        f"perturb logits by 0.1 * class_count * u + class_prior {{ {PRIOR} }}",
        lambda model, x, y: CE(
            model(x) * (1 + 0.1 * torch.tensor(COUNTS).double())
            + torch.tensor(COUNTS).double() / sum(COUNTS),
            y,
        ),
    ),
    "a class value by label": (
        f"perturb loss by loss / class_count[y] {{ {PRIOR} }}",
        lambda model, x, y: (losses(model(x), y) * (1 + 1 / torch.tensor(COUNTS).double()[y])).mean(),
    ),
    "a column": (
        f"perturb loss by p[2] + p[argmin(u)] {{ {PRIOR} }}",
        lambda model, x, y: (losses(u := model(x), y) + u.softmax(1)[:, 2] + u.softmax(1).amin(1)).mean(),
    ),
    "a cross entropy of its own": (
        f"perturb loss by 0.5 * ce(2 * u, stop(p)) {{ {PRIOR} }}",
        lambda model, x, y: (
            losses(u := model(x), y) + 0.5 * CE(2 * u, u.softmax(1).detach(), reduction="none")
        ).mean(),
    ),
    "features by a function of features": (
        f"perturb features by 0.5 * x * x - 0.1 {{ {PRIOR} }}",
        lambda model, x, y: CE(model(x + 0.5 * x * x - 0.1), y),
    ),
    "features by the class's weight": (
        f"perturb features by class_prior[y] * x {{ {PRIOR} }}",
        lambda model, x, y: CE(
            model(x * (1 + torch.tensor(COUNTS).double()[y] / sum(COUNTS))[:, None, None, None]), y
        ),
    ),
    "branches": (
        f"branch a weight 0.3 {{ perturb logits by u {{ {PRIOR} }} }} branch weight 0.7 {{ }} "
        f"perturb labels by 0.2 * (1 / C - y) {{ {PRIOR} }}",
        lambda model, x, y: (
            0.3 * CE(2 * (u := model(x)), y, label_smoothing=0.2) + 0.7 * CE(u, y, label_smoothing=0.2)
        ),
    ),
    "weights at a pattern": (
        'perturb weights at "*.weight" by 0.1 * w { direction mixed infer prior granularity corpus }',
        lambda model, x, y: moved(model, "weight", 1.1)(x, y),
    ),
    "weights twice, at two patterns": (
        'perturb weights at "*.weight" by 0.1 * w { direction mixed infer prior granularity corpus } '
        'perturb weights at "*" by w * w { direction mixed infer prior granularity corpus }',
        lambda model, x, y: twice_moved(model)(x, y),
    ),
}


def moved(model: nn.Module, ending: str, factor: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss at weights times a factor, the change a constant for the gradient."""
    changed = {
        name: weight + (factor - 1) * weight.detach()
        for name, weight in model.named_parameters()
        if name.endswith(ending)
    }
    return lambda x, y: CE(torch.func.functional_call(model, changed, (x,)), y)


def twice_moved(model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    changed = dict(model.named_parameters())
    changed = {name: w + 0.1 * w.detach() if name.endswith("weight") else w for name, w in changed.items()}
    changed = {name: w + (w * w).detach() for name, w in changed.items()}
    return lambda x, y: CE(torch.func.functional_call(model, changed, (x,)), y)


@each_net
@pytest.mark.parametrize(("text", "expected"), PRIORS.values(), ids=list(PRIORS))
def test_prior_forms(text: str, expected: Loss, net: str):
    agree(text, net, expected)


# Draws.


def test_draws_per_sample_per_batch_and_like():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        "draw r ~ uniform(1, 3) per sample draw s ~ normal(0, 2) per batch "
        "draw n ~ normal(0, 0.1) per sample like x "
        f"perturb features by r * s * n {{ {PRIOR} }}",
        model,
        seed=5,
    )
    dice = torch.Generator().manual_seed(5)
    r = 1 + 2 * torch.empty(8, dtype=torch.float64).uniform_(generator=dice)
    s = 2 * torch.empty((), dtype=torch.float64).normal_(generator=dice)
    n = 0.1 * torch.empty_like(x).normal_(generator=dice)
    torch.testing.assert_close(step(x, y), CE(model(x + r[:, None, None, None] * s * n), y))


def test_one_draw_couples_two_perturbations():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        "draw r ~ uniform(0, 1) per sample "
        f"perturb logits by r * u {{ {PRIOR} }} perturb labels by r * (1 / C - y) {{ {PRIOR} }}",
        model,
        seed=6,
    )
    r = torch.empty(8, dtype=torch.float64).uniform_(generator=torch.Generator().manual_seed(6))[:, None]
    expected = CE((1 + r) * model(x), (1 - r) * hot(y) + r / CLASSES)
    torch.testing.assert_close(step(x, y), expected)


def test_a_random_share_of_the_batch():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        f"draw r ~ uniform(0, 1) per sample perturb logits by u {{ where r in top(25%) {PRIOR} }}",
        model,
        seed=7,
    )
    r = torch.empty(8, dtype=torch.float64).uniform_(generator=torch.Generator().manual_seed(7))
    u = model(x)
    torch.testing.assert_close(step(x, y), CE(torch.where((r >= r.topk(2).values[-1])[:, None], 2 * u, u), y))


def test_draws_of_each_part():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        f"split 2 draw s ~ uniform(0, 1) per batch perturb logits by s * u {{ {PRIOR} }}", model, seed=8
    )
    dice = torch.Generator().manual_seed(8)
    a, b = (float(torch.empty((), dtype=torch.float64).uniform_(generator=dice)) for _ in range(2))
    expected = (CE((1 + a) * model(x[:4]), y[:4]) + CE((1 + b) * model(x[4:]), y[4:])) / 2
    torch.testing.assert_close(step(x, y), expected)


# Inference.

PULL = (
    "direction positive granularity sample infer adversarial minimize loss within {region} "
    "via gradient(steps: {steps}, step: {step})"
)


def attack(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    steps: int,
    step: float,
    project: Callable[[Tensor], Tensor],
    steepest: Callable[[Tensor], Tensor] = torch.sign,
    offset: float | Tensor = 0.0,
) -> Tensor:
    """Projected steps on frozen statistics, from zero."""
    frozen, d = deepcopy(model).eval(), torch.zeros_like(x)
    for _ in range(steps):
        d.requires_grad_()
        (slope,) = torch.autograd.grad(CE(frozen(x + d) + offset, y, reduction="sum"), d)
        d = project(d.detach() + step * steepest(slope))
    return d


def unit(slope: Tensor) -> Tensor:
    return slope / slope.flatten(1).norm(dim=1)[:, None, None, None]


def in_ball(radius: float, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The Euclidean ball of each sample, then the box; not rescaled after."""

    def project(d: Tensor) -> Tensor:
        norms = d.flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None, None]
        return (x + d * (radius / norms).clamp(max=1)).clamp(0, 1) - x

    return project


@each_net
@pytest.mark.parametrize(("steps", "step", "radius"), [(3, 0.3, 0.5), (5, 0.05, 0.4)])
def test_steps_in_a_euclidean_ball(net: str, steps: int, step: float, radius: float):
    """Each step is g / |g|, then the ball, then the box."""
    agree(
        f"perturb features by d {{ direction negative granularity sample infer adversarial maximize loss "
        f"within l2({radius}), box via pgd(steps: {steps}, step: {step}) }}",
        net,
        lambda model, x, y: CE(model(x + attack(model, x, y, steps, step, in_ball(radius, x), unit)), y),
    )


@pytest.mark.parametrize(
    ("declared", "radius"),
    [
        ("", "0.2 * progress"),
        ("let grown = 0.2 * progress ", "grown"),
        ("draw s ~ uniform(0.1, 0.1 + 1e-12) per batch ", "s"),
    ],
)
@pytest.mark.parametrize("start", ["zero", "uniform"])
def test_a_radius_that_changes(declared: str, radius: str, start: str):
    """In the middle of the run every one of them is 0.1."""
    model, (x, y, _) = mlp().double(), batch()
    attack = (
        "perturb features by d {{ direction negative granularity sample infer adversarial maximize loss "
        "within linf({}), box via pgd(steps: 3, step: {} / 2, start: {}) }}"
    )
    step = compiled(declared + attack.format(radius, radius, start), model)
    fixed = compiled(attack.format("0.1", "0.1", start), deepcopy(model))
    for one in (step, fixed):
        one.draws.generator(x.device).manual_seed(3)
        one.planned.fill_(4)
        one.epoch.fill_(2)
    if declared.startswith("draw"):
        fixed.draws.uniform(0, 1, x.new_empty(()))
    torch.testing.assert_close(step(x, y), fixed(x, y))


@each_net
def test_the_best_point_of_a_euclidean_ball(net: str):
    agree(
        "perturb features by d { direction negative granularity sample "
        "infer adversarial maximize loss within l2(0.5) via linearized }",
        net,
        lambda model, x, y: CE(model(x + attack(model, x, y, 1, 0.5, lambda d: d, unit)), y),
    )


@each_net
def test_the_fast_gradient_sign_towards_the_label(net: str):
    agree(
        "perturb features by d { direction positive granularity sample "
        "infer adversarial minimize loss within linf(0.1), box(0.1, 0.9) via linearized }",
        net,
        lambda model, x, y: CE(
            model(x + attack(model, x, y, 1, -0.1, lambda d: (x + d).clamp(0.1, 0.9) - x)), y
        ),
    )


@pytest.mark.parametrize("region", ["linf(0.1)", "l2(0.5)"])
def test_a_uniform_start_is_inside_and_spread_out(region: str):
    model, (x, y, _) = mlp().double(), batch(rows=40)
    step = compiled(
        f"perturb features by d {{ direction negative granularity sample infer adversarial maximize loss "
        f"within {region} via pgd(steps: 1, step: 0.000001, start: uniform) }}",
        model,
    )
    step(x, y)
    d = step.deltas["d"]
    assert isinstance(d, Tensor)
    size = d.abs().amax() if region.startswith("linf") else d.flatten(1).norm(dim=1).amax()
    radius = float(region.partition("(")[2][:-1])
    assert 0.9 * radius < float(size) <= radius + 1e-9
    assert float(d.mean().abs()) < 0.1 * radius
    assert float(d.std()) > 0.1 * radius / 5


@each_net
@pytest.mark.parametrize(("steps", "step", "radius"), [(1, 3.0, 3.0), (4, 2.0, 0.7)])
def test_gradient_steps_on_logits(net: str, steps: int, step: float, radius: float):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        u = model(x)
        v = torch.zeros_like(u)
        for _ in range(steps):
            v = (v + step * (hot(y) - (u.detach() + v).softmax(1))).clamp(-radius, radius)
        return CE(u + v, y)

    text = PULL.format(region=f"linf({radius})", steps=steps, step=step)
    agree(f"perturb logits by v {{ {text} }}", net, expected)


@each_net
def test_gradient_steps_see_what_is_written_above_and_below_the_line(net: str):
    """The pull is found with smoothed labels in place if they are written above it, without if below."""

    def expected(model: nn.Module, x: Tensor, y: Tensor, smooth: float) -> Tensor:
        u = model(x)
        v = 2 * ((1 - smooth) * hot(y) + smooth / CLASSES - u.detach().softmax(1))
        return CE(u + v, y, label_smoothing=0.3)

    pull = f"perturb logits by v {{ {PULL.format(region='linf(2)', steps=1, step=2)} }}"
    labels = f"perturb labels by 0.3 * (1 / C - y) {{ {PRIOR} }}"
    agree(f"{labels} {pull}", net, lambda model, x, y: expected(model, x, y, 0.3))
    agree(f"{pull} {labels}", net, lambda model, x, y: expected(model, x, y, 0.0))


@each_net
def test_a_pull_above_an_attack_is_found_on_the_clean_images(net: str):
    """Inferring follows the source; the attack below is then found with the pull in place."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            v = 2 * (hot(y) - deepcopy(model)(x).softmax(1))
        d = attack(model, x, y, 3, 0.02, lambda d: (x + d.clamp(-0.04, 0.04)).clamp(0, 1) - x, offset=v)
        return CE(model(x + d) + v, y)

    step = agree(
        f"perturb logits by v {{ {PULL.format(region='linf(2)', steps=1, step=2)} }} "
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.04), box via pgd(steps: 3, step: 0.02) }",
        net,
        expected,
    )
    assert [one.kind for one in step.plan.passes] == ["reach", "infer", "train"]


@each_net
def test_an_attack_above_a_pull_reaches_it(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        d = attack(model, x, y, 3, 0.02, lambda d: (x + d.clamp(-0.04, 0.04)).clamp(0, 1) - x)
        u = model(x + d)
        return CE(u + 2 * (hot(y) - u.detach().softmax(1)), y)

    agree(
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.04), box via pgd(steps: 3, step: 0.02) } "
        f"perturb logits by v {{ {PULL.format(region='linf(2)', steps=1, step=2)} }}",
        net,
        expected,
    )


@each_net
def test_an_attack_on_moved_images_keeps_those_in_the_box(net: str):
    """The second attack starts where the first ended, and its box is around the moved images."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        first = x + attack(model, x, y, 2, 0.05, lambda d: (x + d.clamp(-0.1, 0.1)).clamp(0, 1) - x)
        second = attack(model, first, y, 1, -0.03, lambda d: (first + d).clamp(0, 1) - first)
        return CE(model(first + second), y)

    agree(
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1), box via pgd(steps: 2, step: 0.05) } "
        "perturb features by e { direction positive granularity sample infer adversarial minimize loss "
        "within linf(0.03), box via pgd(steps: 1, step: 0.03) }",
        net,
        expected,
    )


@each_net
def test_an_attack_on_those_above_a_loss(net: str):
    """A comparison selects a number of rows nobody knows beforehand: all are attacked, those keep it."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            chosen = losses(deepcopy(model)(x), y) > 1.6
        d = attack(model, x, y, 2, 0.05, lambda d: (x + d.clamp(-0.1, 0.1)).clamp(0, 1) - x)
        return CE(model(x + d * chosen[:, None, None, None]), y)

    agree(
        "perturb features by d { where clean.loss > 1.6 direction negative granularity sample "
        "infer adversarial maximize loss within linf(0.1), box via pgd(steps: 2, step: 0.05) }",
        net,
        expected,
    )


@each_net
def test_a_condition_of_features_that_reads_the_labels(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            chosen = losses(deepcopy(model)(x), y) > 1.6
        return CE(model(x + 0.5 * x * chosen[:, None, None, None]), y)

    agree(f"perturb features by 0.5 * x {{ where ce(clean.u, y) > 1.6 {PRIOR} }}", net, expected)


@each_net
def test_a_let_above_all_that_reads_the_labels(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            chosen = losses(deepcopy(model)(x), y) > 1.6
        return CE(model(x + 0.5 * x * chosen[:, None, None, None]), y)

    agree(
        f"let hard = ce(clean.u, y) > 1.6 perturb features by 0.5 * x {{ where hard {PRIOR} }}", net, expected
    )


@each_net
def test_a_let_of_a_constant_let_runs(net: str):
    agree(
        f"param share = 0 let hard = clean.loss in top(share) let easy = not hard "
        f"perturb logits by u {{ where easy {PRIOR} }}",
        net,
        lambda model, x, y: CE(2 * model(x), y),
    )


@each_net
def test_a_goal_that_reads_a_let(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        u = model(x)
        return CE(u + 2 * 1 * (hot(y) - u.detach().softmax(1)), y)

    agree(
        "let twice = 2 * loss perturb logits by v { direction mixed granularity sample "
        "infer adversarial minimize twice within linf(3) via gradient(steps: 1, step: 1) }",
        net,
        expected,
    )


@each_net
def test_a_penalised_search_in_a_set(net: str):
    """`regularization` with a set: the penalty is part of the search and of the training loss."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        u, v = model(x), torch.zeros(8, CLASSES, dtype=torch.float64)
        for _ in range(3):
            v = (v - (0.2 * v.sign() + (u.detach() + v).softmax(1) - hot(y))).clamp(-1, 1)
        return CE(u + v, y) + 0.2 * v.abs().sum(1).mean()

    agree(
        "perturb logits by v { direction positive granularity sample infer regularization "
        "minimize loss + 0.2 * l1(v) within linf(1) via gradient(steps: 3, step: 1) }",
        net,
        expected,
    )


@each_net
def test_the_worst_distribution(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        u = model(x)
        return CE(u, 0.9 * hot(y) + 0.1 * hot(u.argmin(1)))

    agree(
        "perturb labels by 0.1 * (v - y) { direction negative granularity sample "
        "infer adversarial maximize loss within simplex via linearized }",
        net,
        expected,
    )


@each_net
@pytest.mark.parametrize(
    ("word", "direction", "sign"), [("maximize", "negative", 1), ("minimize", "positive", -1)]
)
def test_the_worst_and_best_losses_of_a_ball(net: str, word: str, direction: str, sign: int):
    agree(
        f"perturb loss by v {{ direction {direction} granularity sample "
        f"infer adversarial {word} loss within linf(0.1) via linearized }}",
        net,
        lambda model, x, y: CE(model(x), y) + 0.1 * sign,
    )


def test_logits_kept_in_a_box():
    """The box is of the perturbed value, here the logits."""
    step = compiled(
        "perturb logits by v { direction negative granularity sample "
        "infer adversarial maximize loss within linf(1), box(-0.2, 0.2) via pgd(steps: 2, step: 0.5) }",
        mlp().double(),
    )
    x, y, _ = batch()
    step(x, y)
    v = step.deltas["v"]
    assert isinstance(v, Tensor)
    assert float((step.model(x).detach() + v).abs().max()) <= 0.2 + 1e-12


def test_a_learned_unknown_that_maximises_climbs():
    """`maximize loss - 0.3 l1(v)`: the table goes up the gradient (p - onehot) / B of its rows."""
    model, (x, y, index) = mlp().double(), batch()
    step = compiled(
        "perturb logits by v { direction negative granularity sample "
        "infer regularization maximize loss - 0.3 * l1(v) via joint(lr: 2) }",
        model,
    )
    slopes = (model(x).softmax(1) - hot(y)).detach() / 8
    step(x, y, index)
    step(x, y, index)
    v = step.deltas["v"]
    assert isinstance(v, Tensor)
    torch.testing.assert_close(v, 2 * slopes)


def test_two_learned_tables():
    """Both penalties count, and each table takes its own step."""
    model, (x, y, index) = mlp().double(), batch()
    learned = (
        "direction positive granularity sample "
        "infer regularization minimize loss + {} * l1({}) via joint(lr: {})"
    )
    step = compiled(
        f"perturb logits by v {{ {learned.format(0.3, 'v', 1)} }} "
        f"perturb logits by a {{ {learned.format(0.1, 'a', 2)} }}",
        model,
    )
    slopes = (model(x).softmax(1) - hot(y)).detach() / 8
    step(x, y, index)
    loss = step(x, y, index)
    u = model(x) - 3 * slopes
    torch.testing.assert_close(step.deltas["v"], -slopes)
    torch.testing.assert_close(step.deltas["a"], -2 * slopes)
    torch.testing.assert_close(loss, CE(u, y) + (0.3 + 2 * 0.1) * slopes.abs().sum(1).mean())


@each_net
def test_a_learned_number_per_sample(net: str):
    """An offset of each loss, learned beside the weights; it starts at zero, one step takes it to -lr / B."""
    model, (x, y, index) = NETS[net]().double(), batch()
    step = compiled(
        "perturb loss by v { direction positive granularity sample "
        "infer regularization minimize loss + 3 * l1(v) via joint(lr: 2) }",
        model,
    )
    step(x, y, index)
    step.eval()
    step(x, y, index)
    v = step.deltas["v"]
    assert isinstance(v, Tensor)
    torch.testing.assert_close(v, torch.full((8,), -2 / 8, dtype=torch.float64))


# Weights.


def climbed(model: nn.Module, x: Tensor, y: Tensor, radius: float, sites: str = "") -> dict[str, Tensor]:
    """radius * g / |g| over the parameters whose name ends so."""
    named = {name: weight for name, weight in model.named_parameters() if name.endswith(sites)}
    slopes = torch.autograd.grad(CE(deepcopied(model, named, x), y), list(named.values()))
    length = torch.cat([slope.flatten() for slope in slopes]).norm()
    return {name: radius * slope / length for name, slope in zip(named, slopes, strict=True)}


def deepcopied(model: nn.Module, named: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The model's output at its own weights, running statistics untouched."""
    return torch.func.functional_call(deepcopy(model), dict(named), (x,))


def at(model: nn.Module, deltas: dict[str, Tensor], x: Tensor) -> Tensor:
    changed = {name: weight + deltas.get(name, 0.0) for name, weight in model.named_parameters()}
    return torch.func.functional_call(model, changed, (x,))


@each_net
@pytest.mark.parametrize("sites", ["weight", "bias"])
def test_the_worst_weights_at_a_pattern(net: str, sites: str):
    agree(
        f'perturb weights at "*.{sites}" by v {{ direction negative granularity corpus '
        "infer adversarial maximize loss within l2(0.1) via linearized }",
        net,
        lambda model, x, y: CE(at(model, climbed(model, x, y, 0.1, sites), x), y),
    )


@each_net
def test_steps_in_the_ball_of_weights(net: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        named = dict(model.named_parameters())
        v = {name: torch.zeros_like(weight) for name, weight in named.items()}
        for _ in range(3):
            leaves = {name: (named[name].detach() + v[name]).requires_grad_() for name in named}
            slopes = torch.autograd.grad(CE(deepcopied(model, leaves, x), y), list(leaves.values()))
            length = torch.cat([slope.flatten() for slope in slopes]).norm()
            v = {name: v[name] + 0.06 * slope / length for name, slope in zip(named, slopes, strict=True)}
            size = torch.cat([part.flatten() for part in v.values()]).norm()
            v = {name: part * (0.1 / size).clamp(max=1) for name, part in v.items()}
        return CE(at(model, v, x), y)

    agree(
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.1) via pgd(steps: 3, step: 0.06) }",
        net,
        expected,
    )


@each_net
def test_a_scaled_climb(net: str):
    """Adaptive SAM with T = |w|: the unknown is scaled, dw = |w| v, v = rho (|w| g) / norm(|w| g)."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        named = dict(model.named_parameters())
        slopes = torch.autograd.grad(CE(deepcopied(model, named, x), y), list(named.values()))
        scaled = {name: w.detach().abs() * g for (name, w), g in zip(named.items(), slopes, strict=True)}
        length = torch.cat([part.flatten() for part in scaled.values()]).norm()
        return CE(at(model, {n: 0.5 * named[n].detach().abs() * scaled[n] / length for n in named}, x), y)

    agree(
        "perturb weights by abs(w) * v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.5) via linearized }",
        net,
        expected,
    )


@each_net
def test_adversarial_images_then_adversarial_weights(net: str):
    """The weights are climbed to with the attack in place, because it is written above."""

    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        bad = x + attack(model, x, y, 2, 0.05, lambda d: (x + d.clamp(-0.1, 0.1)).clamp(0, 1) - x)
        return CE(at(model, climbed(model, bad, y, 0.1), bad), y)

    agree(
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1), box via pgd(steps: 2, step: 0.05) } "
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.1) via linearized }",
        net,
        expected,
    )


def test_adversarial_weights_then_adversarial_images():
    def expected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        v = climbed(model, x, y, 0.1)
        worse = deepcopy(model)
        with torch.no_grad():
            for name, weight in worse.named_parameters():
                weight += v[name]
        d = attack(worse, x, y, 2, 0.05, lambda d: (x + d.clamp(-0.1, 0.1)).clamp(0, 1) - x)
        return CE(at(model, v, x + d), y)

    agree(
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(0.1) via linearized } "
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1), box via pgd(steps: 2, step: 0.05) }",
        "mlp",
        expected,
    )


@pytest.mark.parametrize("epoch", [0, 3])
def test_weights_from_an_epoch_on(epoch: int):
    """A condition that reads only progress switches its perturbation."""
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        "perturb weights by 0.1 * w { where epoch >= 2 direction mixed infer prior granularity corpus }",
        model,
    )
    step.epoch.fill_(epoch)
    expected = moved(model, "", 1.1)(x, y) if epoch >= 2 else CE(model(x), y)
    torch.testing.assert_close(step(x, y), expected)


def test_a_condition_per_sample_on_weights_is_refused():
    """Weights have no rows to select: saying so beats perturbing all of them."""
    text = (
        "perturb weights by 0.1 * w { where clean.loss > 1 direction mixed infer prior granularity corpus }"
    )
    with pytest.raises(taxo.TaxoError):
        compiled(text, mlp())


def test_a_box_of_weights_is_kept_or_refused():
    text = (
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(3), box(-0.1, 0.1) via pgd(steps: 2, step: 1) }"
    )
    model = mlp()
    try:
        step = compiled(text, model)
    except taxo.TaxoError:
        return
    step(*batch(dtype=torch.float32))
    v = step.deltas["v"]
    assert isinstance(v, dict)
    for name, weight in model.named_parameters():
        assert float((weight + v[name]).abs().max()) <= 0.1 + 1e-6


def test_an_unknown_per_category_is_shared_or_refused():
    text = (
        "perturb logits by v { direction negative granularity category "
        "infer adversarial maximize loss within linf(1) via gradient(steps: 3, step: 0.5) }"
    )
    try:
        step = compiled(text, mlp())
    except taxo.TaxoError:
        return
    x, y, index = batch(dtype=torch.float32)
    step(x, y, index)
    v = step.deltas["v"]
    assert isinstance(v, Tensor)
    for label in y.unique():
        rows = v[y == label]
        assert torch.equal(rows, rows[:1].expand_as(rows))


def test_a_branch_weighted_by_a_draw():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        "draw s ~ uniform(0, 1) per batch branch weight s { } "
        f"branch weight 1 - s {{ perturb logits by u {{ {PRIOR} }} }}",
        model,
        seed=4,
    )
    s = torch.empty((), dtype=torch.float64).uniform_(generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(step(x, y), s * CE(model(x), y) + (1 - s) * CE(2 * model(x), y))


def test_a_branch_weighted_by_progress():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(
        f"branch weight progress {{ }} branch weight 1 - progress {{ perturb logits by u {{ {PRIOR} }} }}",
        model,
    )
    for epoch in step.epochs(4):
        s = epoch / 4
        torch.testing.assert_close(step(x, y), s * CE(model(x), y) + (1 - s) * CE(2 * model(x), y))


@pytest.mark.parametrize(
    "text",
    [
        f"branch weight 1 / N {{ }} branch weight 1 - 1 / N {{ perturb logits by u {{ {PRIOR} }} }}",
        f"draw s ~ uniform(0, 1 / N) per batch perturb logits by s * u {{ {PRIOR} }}",
        "perturb logits by v { direction negative granularity sample "
        "infer adversarial maximize loss within linf(1 / N) via gradient(steps: 1, step: 1) }",
    ],
)
def test_the_size_of_the_data_is_asked_for_wherever_it_is_read(text: str):
    with pytest.raises(taxo.TaxoError) as caught:
        taxo.compile(taxo.parse(f"method m {text}"), mlp(), classes=CLASSES)
    assert [found.code for found in caught.value.diagnostics] == ["T401"]


def test_statistics_move_by_the_first_weights_and_images():
    """Of a climb, the unperturbed pass is the one that updates the running statistics."""
    model, (x, y, _) = conv().double(), batch()
    twin = deepcopy(model)
    compiled(
        "perturb weights by v { direction negative granularity corpus "
        "infer adversarial maximize loss within l2(5) via linearized }",
        model,
    )(x, y)
    twin(x)
    for name, value in twin.named_buffers():
        torch.testing.assert_close(model.get_buffer(name), value)


@pytest.mark.parametrize(("form", "factor"), [("2", 2.0), ("pi", 3.141592653589793), ("N", float(SAMPLES))])
def test_a_number_moves_every_weight(form: str, factor: float):
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(f"perturb weights by {form} {{ direction mixed infer prior granularity corpus }}", model)
    changed = {name: weight + factor for name, weight in model.named_parameters()}
    torch.testing.assert_close(step(x, y), CE(torch.func.functional_call(model, changed, (x,)), y))


@pytest.mark.parametrize(
    ("condition", "holds"), [("C > 10", False), ("not (C > 10)", True), ("C <= N", True)]
)
def test_a_condition_known_when_compiled(condition: str, holds: bool):
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(f"perturb logits by u {{ where {condition} {PRIOR} }}", model)
    torch.testing.assert_close(step(x, y), CE((1 + holds) * model(x), y))


def test_powers_of_the_epoch():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(f"perturb logits by epoch ^ -C * u {{ {PRIOR} }}", model)
    step.epoch.fill_(2)
    torch.testing.assert_close(step(x, y), CE((1 + 2.0**-CLASSES) * model(x), y))
