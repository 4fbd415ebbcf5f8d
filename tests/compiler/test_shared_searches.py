"""Unknowns that classes, the data set or steps share: searched, kept, learned, and moved with the weights."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from taxo.runtime.step import Step
from tests.compiler.agreement import (
    CE,
    PRIOR,
    Batch,
    agree,
    backward,
    boxed,
    climbed,
    clip,
    compiled,
    delta,
    frozen,
    holds,
    hot,
    losses,
)
from tests.fidelity.nets import CLASSES, NETS, SAMPLES, batch, close, descend, mlp, weights

each_net = pytest.mark.parametrize("net", NETS)
PUSH = (
    "perturb features by d {{ direction negative granularity {grain} infer adversarial maximize {goal} "
    "within linf(0.1), box via {solver} }}"
)
Pick = Callable[[Tensor, Tensor, Tensor], Tensor]
# What a sample has of the values that are kept: by its class, by nothing, by its place.
PICKS: dict[str, tuple[int, Pick]] = {
    "category": (CLASSES, lambda d, y, index: d[y]),
    "corpus": (1, lambda d, y, index: d.expand(len(y), *d.shape[1:])),
    "sample": (SAMPLES, lambda d, y, index: d[index]),
}
each_grain = pytest.mark.parametrize("grain", ["category", "corpus"])


def of_classes(*classes: int, seed: int = 1) -> Batch:
    """A batch of some classes only."""
    x, _, index = batch(seed=seed)
    return x, torch.tensor([classes[k % len(classes)] for k in range(8)]), index


def three_batches() -> tuple[Batch, Batch, Batch]:
    return of_classes(0, 1), of_classes(1, 3, seed=2), of_classes(0, 4, 2, seed=3)


class Shared:
    """Values that samples share, climbed by sign steps from zero or from where they ended."""

    def __init__(
        self, grain: str, steps: int, kept: bool, where: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.rows, self.pick = PICKS[grain]
        self.steps, self.kept, self.where = steps, kept, where
        self.table: Tensor | None = None

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        zero = x.new_zeros(self.rows, *x.shape[1:])
        first = zero if self.table is None or not self.kept else self.table
        chosen = torch.ones(len(y)) if self.where is None else self.where(y)

        def seen(d: Tensor) -> Tensor:
            return (x + self.pick(d, y, index)).clamp(0, 1)

        with frozen(model):
            self.table = climbed(
                lambda d: (losses(model(seen(d)), y) * chosen).mean(),
                first,
                self.steps,
                lambda d, g: clip(d + 0.04 * g.sign(), 0.1),
            )
        moved = torch.where(chosen.bool()[:, None, None, None], seen(self.table), x)
        return CE(model(moved), y)


@each_net
@each_grain
@pytest.mark.parametrize("start", ["zero", "kept"])
def test_patterns_of_a_class_and_of_all(net: str, grain: str, start: str):
    """The goal is the batch's mean; classes that are not in the batch stay where they were."""
    solver = f"pgd(steps: 2, step: 0.04, start: {start})"
    step = holds(
        PUSH.format(grain=grain, goal="loss", solver=solver),
        NETS[net](),
        Shared(grain, 2, start == "kept"),
        *three_batches(),
    )
    assert step.plan.forwards == 3


@each_grain
def test_a_shared_pattern_of_selected_samples(grain: str):
    """Only the first two classes carry it, and only their losses count in the search; still over 8."""
    text = (
        "perturb features by d { where argmax(y) < 2 direction negative "
        f"granularity {grain} infer adversarial maximize loss within linf(0.1), box "
        "via pgd(steps: 2, step: 0.04, start: kept) }"
    )
    holds(text, mlp(), Shared(grain, 2, True, lambda y: (y < 2).double()), *three_batches())


def test_a_pattern_of_each_sample_that_is_kept():
    """The search goes on where it ended when the sample was last in a batch."""
    table = torch.zeros(SAMPLES, 1, 6, 6, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: losses(model(x + d), y).sum(),
            table[index],
            2,
            lambda d, g: boxed(clip(d + 0.04 * g.sign(), 0.1), x),
        )
        table[index] = d
        return CE(model(x + d), y)

    text = PUSH.format(grain="sample", goal="loss", solver="pgd(steps: 2, step: 0.04, start: kept)")
    first, second, _ = three_batches()
    again = (first[0], first[1], torch.cat([first[2][:4], second[2][4:]]))
    holds(text, mlp(), expected, first, second, again)


def test_a_pattern_of_each_place_in_the_batch():
    """`start: previous`: where the search ended in the last step, whoever was there."""
    last = torch.zeros(8, 1, 6, 6, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: losses(model(x + d), y).sum(),
            last,
            2,
            lambda d, g: boxed(clip(d + 0.04 * g.sign(), 0.1), x),
        )
        last.copy_(d)
        return CE(model(x + d), y)

    text = PUSH.format(grain="sample", goal="loss", solver="pgd(steps: 2, step: 0.04, start: previous)")
    step = holds(text, mlp(), expected, *three_batches())
    assert not step.reads_index


def test_kept_values_rest_in_evaluation():
    model = mlp().double()
    step = compiled(PUSH.format(grain="category", goal="loss", solver="sign(step: 0.02, start: kept)"), model)
    step(*batch())
    before = {name: value.clone() for name, value in step.state_dict().items()}
    step.eval()
    step(*batch(seed=2))
    for name, value in step.state_dict().items():
        assert name.endswith("_extra_state") or torch.equal(value, before[name])


@pytest.mark.parametrize("grain", ["category", "corpus"])
def test_a_uniform_start_of_a_shared_unknown(grain: str):
    """One random pattern for each class, or for all; drawn anew in every step."""
    model = mlp().double()
    twin, dice = deepcopy(model), torch.Generator().manual_seed(6)
    rows, pick = PICKS[grain]

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        first = 0.1 * x.new_empty(rows, *x.shape[1:]).uniform_(-1, 1, generator=dice)
        d = climbed(
            lambda d: CE(model((x + pick(d, y, index)).clamp(0, 1)), y),
            first,
            1,
            lambda d, g: clip(d + 0.04 * g.sign(), 0.1),
        )
        return CE(model((x + pick(d, y, index)).clamp(0, 1)), y)

    solver = "pgd(steps: 1, step: 0.04, start: uniform)"
    step = compiled(PUSH.format(grain=grain, goal="loss", solver=solver), model, seed=6)
    agree(step, twin, expected, *three_batches())


@each_grain
def test_logits_of_a_class_and_of_all(grain: str):
    """Three plain steps of one offset per class, at the logits of the training pass."""
    rows, pick = PICKS[grain]

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        v = climbed(
            lambda v: -CE(u.detach() + pick(v, y, index), y),
            u.new_zeros(rows, CLASSES),
            3,
            lambda v, g: (v + 2 * g).clamp(-0.3, 0.3),
        )
        return CE(u + pick(v, y, index), y)

    step = holds(
        f"perturb logits by v {{ direction positive granularity {grain} infer adversarial minimize loss "
        "within linf(0.3) via gradient(steps: 3, step: 2) }",
        mlp(),
        expected,
        *three_batches(),
    )
    assert step.plan.forwards == 1


@pytest.mark.parametrize("steps", [1, 3])
@each_grain
def test_the_best_expansion_of_a_class(grain: str, steps: int):
    rows, pick = PICKS[grain]

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = climbed(
            lambda d: CE(model((x + pick(d, y, index)).clamp(0, 1)), y),
            x.new_zeros(rows, *x.shape[1:]),
            steps,
            lambda d, g: 0.1 * g.sign(),
        )
        return CE(model((x + pick(d, y, index)).clamp(0, 1)), y)

    holds(
        PUSH.format(grain=grain, goal="loss", solver=f"linearized(steps: {steps})"),
        mlp(),
        expected,
        *three_batches(),
    )


# One backward for the weights and the unknown.


class WithTheWeights:
    """The loop of Shafahi et al. 2020: d is a leaf of the training pass; its own goal's slope moves it."""

    def __init__(
        self, grain: str, goal: Callable[[Tensor], Tensor], move: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        self.rows, self.pick = PICKS[grain]
        self.goal, self.move = goal, move
        self.d: Tensor | None = None

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = x.new_zeros(self.rows, *x.shape[1:]) if self.d is None else self.d
        d = d.detach().requires_grad_()
        own = losses(model((x + self.pick(d, y, index)).clamp(0, 1)), y)
        (slope,) = torch.autograd.grad(self.goal(own).mean(), d, retain_graph=True)
        self.d = clip(self.move(d.detach(), slope), 0.1)
        return own.mean()


GOALS: dict[str, Callable[[Tensor], Tensor]] = {
    "loss": lambda loss: loss,
    "min(loss, 1.6)": lambda loss: loss.clamp(max=1.6),
    "exp(loss) / 3": lambda loss: loss.exp() / 3,
}
STEPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sign(step: 0.04, start: kept, simultaneous: true)": lambda d, g: d + 0.04 * g.sign(),
    "gradient(steps: 1, step: 3, start: kept, simultaneous: true)": lambda d, g: d + 3 * g,
}
TOGETHER = "sign(step: 0.04, start: kept, simultaneous: true)"


@pytest.mark.parametrize("solver", STEPS)
@pytest.mark.parametrize("goal", GOALS)
@each_grain
def test_one_backward_serves_both(grain: str, goal: str, solver: str):
    text = PUSH.format(grain=grain, goal=goal, solver=solver)
    reference = WithTheWeights(grain, GOALS[goal], STEPS[solver])
    step = holds(text, mlp(), reference, *three_batches(), batch(seed=4))
    assert (step.plan.forwards, step.plan.backwards) == (1, 1)


def trained(step: Step, scale: float, parts: int) -> list[Tensor]:
    """Two optimizer steps of two batches each, the losses scaled, as GradScaler and accumulation do."""
    found: list[Tensor] = []
    for seeds in ((1, 2), (3, 4)):
        totals = [torch.zeros_like(weight) for weight in weights(step.model)]
        for seed in seeds:
            loss = step(*batch(seed=seed)) / parts
            slopes = backward(loss * scale, step.model)
            totals = [total + slope / scale for total, slope in zip(totals, slopes, strict=True)]
            found.append(loss.detach())
        descend(step.model, totals)
    step.state_dict()
    return [*found, *(weight.detach().clone() for weight in weights(step.model))]


@pytest.mark.parametrize("solver", STEPS)
def test_scaled_losses_and_accumulated_gradients_move_the_unknown_alike(solver: str):
    """What the user multiplies the loss with is no part of the unknown's goal."""
    text = PUSH.format(grain="category", goal="min(loss, 1.6)", solver=solver)
    plain = compiled(text, mlp().double())
    expected = trained(plain, 1.0, 2)
    scaled = compiled(text, mlp().double())
    close(trained(scaled, 65536.0, 2), expected)
    tables = [value for name, value in plain.state_dict().items() if name.endswith("value")]
    others = [value for name, value in scaled.state_dict().items() if name.endswith("value")]
    assert any(float(table.abs().max()) > 0.01 for table in tables)
    close(others, tables)


@pytest.mark.parametrize("parts", [1, 2])
def test_accumulation_is_the_hand_written_loop(parts: int):
    """The pattern moves after each backward, the weights after both."""
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(PUSH.format(grain="corpus", goal="loss", solver=TOGETHER), model)
    reference = WithTheWeights("corpus", GOALS["loss"], STEPS[TOGETHER])
    found = trained(step, 1.0, parts)
    expected: list[Tensor] = []
    for seeds in ((1, 2), (3, 4)):
        totals = [torch.zeros_like(weight) for weight in weights(twin)]
        for seed in seeds:
            loss = reference(twin, *batch(seed=seed)) / parts
            slopes = torch.autograd.grad(loss, weights(twin))
            totals = [total + slope for total, slope in zip(totals, slopes, strict=True)]
            expected.append(loss.detach())
        descend(twin, totals)
    close(found, [*expected, *(weight.detach() for weight in weights(twin))])


def test_free_training():
    """Shafahi et al. 2019: the images' own patterns, replayed; the box is kept and so is the place."""
    last = torch.zeros(8, 1, 6, 6, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = last.clone().requires_grad_()
        loss = CE(model((x + d).clamp(0, 1)), y)
        (slope,) = torch.autograd.grad(loss, d, retain_graph=True)
        last.copy_(clip(d.detach() + 0.1 * slope.sign(), 0.1))
        return loss

    text = PUSH.format(
        grain="sample", goal="loss", solver="sign(step: 0.1, start: previous, simultaneous: true)"
    )
    first, second, _ = three_batches()
    step = holds(f"needs replays(2) {text}", mlp(), expected, first, first, second, second)
    assert step.replays == 2


def test_a_pending_move_is_made_before_saving():
    text = PUSH.format(grain="corpus", goal="loss", solver=TOGETHER)
    step = compiled(text, mlp().double())
    step(*batch()).backward()
    saved = step.state_dict()
    other = compiled(text, mlp().double())
    other.load_state_dict(saved)
    close(other(*batch(seed=2)).detach(), step(*batch(seed=2)).detach())
    assert float(delta(other, "d").abs().max()) > 0.03


def test_nothing_moves_without_a_backward():
    step = compiled(PUSH.format(grain="corpus", goal="loss", solver=TOGETHER), mlp().double())
    for _ in range(3):
        step(*batch())
        assert float(delta(step, "d").abs().max()) == 0


# Tables beside the weights.


class Alternated:
    """Y&W Eq. 54-55: K descents of v at fixed weights, from where v was; then the weights' loss at that v."""

    def __init__(self, steps: int, lr: float) -> None:
        self.table = torch.zeros(SAMPLES, CLASSES, dtype=torch.float64)
        self.steps, self.lr = steps, lr

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u, v = model(x), self.table[index]
        for _ in range(self.steps):
            v = v - self.lr * ((u.detach() + v).softmax(1) - hot(y) + 0.2 * v.sign())
        self.table[index] = v
        return CE(u + v, y) + 0.2 * v.abs().sum(1).mean()


@each_net
@pytest.mark.parametrize("steps", [1, 3])
def test_alternating_descent(net: str, steps: int):
    first, second, _ = three_batches()
    text = (
        "perturb logits by v { direction positive granularity sample infer regularization "
        f"minimize loss + 0.2 * l1(v) via sgd(steps: {steps}, lr: 0.7) }}"
    )
    step = holds(text, NETS[net](), Alternated(steps, 0.7), first, second, first)
    assert step.plan.forwards == 1


class Joint:
    """Tables that step beside the weights: by the training loss' slope, with a momentum of their own."""

    def __init__(
        self,
        grain: str,
        form: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor],
        width: tuple[int, ...],
        lr: float,
        momentum: float = 0.9,
        dense: bool = False,
    ) -> None:
        self.rows, self.pick = PICKS[grain]
        self.grain, self.form, self.lr, self.momentum, self.dense = grain, form, lr, momentum, dense
        self.v = torch.zeros(self.rows, *width, dtype=torch.float64)
        self.velocity = torch.zeros_like(self.v)

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        v = self.v.clone().requires_grad_()
        own = self.pick(v, y, index)
        total = (self.form(model, x, y, own) + 0.1 * own.flatten(1).abs().sum(1)).mean()
        (slope,) = torch.autograd.grad(total, v, retain_graph=True)
        present = {"category": y, "sample": index}.get(self.grain, torch.zeros(1).long())
        rows = torch.arange(self.rows) if self.dense else present.unique()
        self.velocity[rows] = self.momentum * self.velocity[rows] + slope[rows]
        self.v[rows] = self.v[rows] - self.lr * self.velocity[rows]
        return total


def at_logits(model: nn.Module, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    return losses(model(x) + v, y)


def at_features(model: nn.Module, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    return losses(model(x + v), y)


def at_head(model: nn.Module, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    assert isinstance(model, nn.Sequential)
    return losses(model[-1](model[:-1](x) + v), y)


LEARNED = (
    "perturb {target} by v {{ direction positive granularity {grain} "
    "infer regularization minimize loss + 0.1 * l1(v) via joint(lr: 2{options}) }}"
)
SITES: dict[str, tuple[Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor], tuple[int, ...]]] = {
    "logits": (at_logits, (CLASSES,)),
    "features": (at_features, (1, 6, 6)),
    "features at z": (at_head, (7,)),
}


@pytest.mark.parametrize("grain", PICKS)
@pytest.mark.parametrize("target", SITES)
def test_joint_descent(target: str, grain: str):
    """Only the batch's samples and classes move, momentum included."""
    form, width = SITES[target]
    holds(
        LEARNED.format(target=target, grain=grain, options=""),
        mlp(),
        Joint(grain, form, width, 2.0),
        *three_batches(),
        three_batches()[0],
    )


@pytest.mark.parametrize(
    ("options", "momentum", "dense"),
    [(", momentum: 0", 0.0, False), (", momentum: 0.5", 0.5, False), (", rows: dense", 0.9, True)],
)
@pytest.mark.parametrize("grain", ["sample", "category"])
def test_momentum_of_joint_descent(options: str, momentum: float, dense: bool, grain: str):
    reference = Joint(grain, at_logits, (CLASSES,), 2.0, momentum, dense)
    text = LEARNED.format(target="logits", grain=grain, options=options)
    holds(text, mlp(), reference, *three_batches(), three_batches()[0])


def test_joint_descent_follows_the_schedule():
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(LEARNED.format(target="logits", grain="sample", options=""), model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    step.attach(optimizer)
    reference = Joint("sample", at_logits, (CLASSES,), 2.0)
    for rate in (0.4, 0.2, 0.1):
        optimizer.param_groups[0]["lr"] = rate
        reference.lr = 2.0 * rate / 0.4
        agree(step, twin, reference, three_batches()[0])


@pytest.mark.parametrize("per", ["sample", "category", "corpus"])
def test_a_learned_parameter(per: str):
    """A scale of the logits, learned with a price on what it is off one; it starts where it is said to."""
    rows, pick = PICKS[per]
    kept = torch.full((rows,), 0.5, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        scale = kept.clone().requires_grad_()
        own = pick(scale, y, index)
        total = (losses(model(x) * (1 + own[:, None]), y) + 0.3 * own * own).mean()
        (slope,) = torch.autograd.grad(total, scale, retain_graph=True)
        kept.sub_(2 * slope)
        return total

    said = "a" if per == "corpus" else "a[y]" if per == "category" else "a"
    text = (
        f"param a{'' if per == 'corpus' else f' per {per}'} = 0.5 "
        f"perturb logits by {said} * u {{ direction mixed granularity {per} }} "
        f"infer regularization over a minimize loss + 0.3 * {said} * {said} via joint(lr: 2, momentum: 0)"
    )
    holds(text, mlp(), expected, *three_batches(), three_batches()[0])


def test_an_offset_learned_without_a_price():
    """`minimize loss` alone: kept nonnegative by its set."""
    table = torch.zeros(CLASSES, CLASSES, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        v = table.clone().requires_grad_()
        total = CE(model(x) + v[y], y)
        (slope,) = torch.autograd.grad(total, v, retain_graph=True)
        rows = y.unique()
        table[rows] = (table[rows] - 3 * slope[rows]).clamp(min=0)
        return total

    holds(
        "perturb logits by v { direction positive granularity category infer regularization minimize loss "
        "within nonnegative via joint(lr: 3, momentum: 0) }",
        mlp(),
        expected,
        *three_batches(),
    )


def test_a_learned_network():
    """A network of the margin gives the logits' scale; it descends by the training loss."""
    text = (
        "param net = mlp(1, 3, 1) "
        "perturb logits by sigmoid(net(clean.margin)) * u { direction mixed granularity sample } "
        "infer regularization over net minimize loss via joint(lr: 0.5, momentum: 0)"
    )
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(text, model)
    names = ("hidden_weight", "hidden_bias", "output_weight", "output_bias")
    kept = [step.state_dict()[f"network_net.{name}"].double().clone() for name in names]

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        leaves = [weight.clone().requires_grad_() for weight in kept]
        u = model(x)
        own = u.gather(1, y[:, None])
        margin = (own - u.scatter(1, y[:, None], -torch.inf).amax(1, keepdim=True)).detach()
        inner = (margin @ leaves[0].T + leaves[1]).relu()
        total = CE(u * (1 + (inner @ leaves[2].T + leaves[3]).sigmoid()), y)
        slopes = torch.autograd.grad(total, leaves, retain_graph=True, materialize_grads=True)
        for weight, slope in zip(kept, slopes, strict=True):
            weight.sub_(0.5 * slope)
        return total

    agree(step.double(), twin, expected, *three_batches())


def test_a_penalty_of_two_parameters_counts_once():
    """Both inferences of the whole method add their own terms to the training loss."""
    kept = {"a": torch.tensor(0.0).double(), "b": torch.tensor(0.0).double()}

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        a, b = (kept[name].clone().requires_grad_() for name in ("a", "b"))
        total = CE((1 + a) * model(x) + b * hot(y), y) + 0.3 * (a - 1) ** 2 + 0.2 * b * b
        slopes = torch.autograd.grad(total, [a, b], retain_graph=True)
        for name, slope in zip(kept, slopes, strict=True):
            kept[name] = kept[name] - 0.5 * slope
        return total

    text = (
        "param a = 0 param b = 0 perturb logits by a * u + b * y { direction mixed granularity corpus } "
        "infer regularization over a minimize loss + 0.3 * (a - 1)^2 via joint(lr: 0.5, momentum: 0) "
        "infer regularization over b minimize loss + 0.2 * b * b via joint(lr: 0.5, momentum: 0)"
    )
    holds(text, mlp(), expected, *three_batches())


def test_an_unknown_outside_branches_is_found_in_each():
    """One pattern for all, searched for each branch on what enters it."""

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for share, image in ((0.25, x), (0.75, 0.5 * x)):
            d = climbed(
                lambda d, image=image: CE(model((image + d).clamp(0, 1)), y),
                x.new_zeros(1, *x.shape[1:]),
                2,
                lambda d, g: clip(d + 0.04 * g.sign(), 0.1),
            )
            total = total + share * CE(model((image + d).clamp(0, 1)), y)
        return total

    text = (
        f"branch a weight 0.25 {{ }} branch b weight 0.75 {{ perturb features by -0.5 * x {{ {PRIOR} }} }} "
        + PUSH.format(grain="corpus", goal="loss", solver="pgd(steps: 2, step: 0.04)")
    )
    step = holds(text, mlp(), expected, *three_batches())
    assert step.plan.forwards == 2 + 2 * 2
