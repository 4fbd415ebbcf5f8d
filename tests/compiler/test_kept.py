"""What a compiled method keeps: states of every form, draws, and all of it in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from taxo.runtime.step import Step
from tests.compiler.agreement import CE, PRIOR, Batch, agree, backward, compiled, delta, holds, hot, losses
from tests.fidelity.nets import CLASSES, COUNTS, SAMPLES, batch, close, conv, descend, mlp

Values = dict[int, list[float]]


def overlapping() -> list[Batch]:
    """Three batches that share some samples, and some of which lack a class."""
    found: list[Batch] = []
    for seed in (1, 2, 3):
        x, y, _ = batch(seed=seed)
        found.append((x, y % (CLASSES - seed % 2), (torch.arange(8) * 3 + 4 * seed) % SAMPLES))
    return found


def epochs_agree(step: Step, twin: nn.Module, reference: Any, count: int = 2) -> None:
    """The same losses and gradients through epochs of three batches; the reference is told when one ends."""
    for _ in step.epochs(count):
        agree(step, twin, reference, *overlapping())
        reference.turn()


class Remembered:
    """A state, computed anew from every value that was ever taken in.

    An update is a step or an epoch: for each key, a sample's place or a class, its values in order.
    """

    def __init__(self, form: str, per: str, every: str, start: float) -> None:
        self.form, self.per, self.every, self.start = form, per, every, start
        self.updates: list[Values] = []
        self.open: Values = {}

    def keys(self, y: Tensor, index: Tensor) -> list[int]:
        return {"sample": index.tolist(), "category": y.tolist()}.get(self.per, [0] * len(y))

    def take(self, values: Tensor, y: Tensor, index: Tensor, counts: Tensor) -> None:
        for key, value, counted in zip(self.keys(y, index), values.tolist(), counts.tolist(), strict=True):
            if counted:
                self.open.setdefault(key, []).append(value)
        if self.every == "step":
            self.turn()

    def turn(self) -> None:
        if self.open:
            self.updates.append(self.open)
        self.open = {}

    def read(self, y: Tensor, index: Tensor) -> Tensor:
        return torch.tensor([self.value(key) for key in self.keys(y, index)], dtype=torch.float64)

    def value(self, key: int) -> float:
        updates = [update[key] for update in self.updates if key in update]
        if not updates:
            return self.start
        means = [sum(values) / len(values) for values in updates]
        whole = updates[-1] if self.every == "epoch" else [value for values in updates for value in values]
        match self.form:
            case "loss":
                return updates[-1][-1] if self.per == "sample" else means[-1]
            case "ema(loss, 0.7)":
                value = self.start
                for mean in means:
                    value = 0.7 * value + 0.3 * mean
                return value
            case "mean(loss, last: 2)":
                return sum(means[-2:]) / len(means[-2:])
            case "deviation(loss)" | "deviation(loss, last: 2)":
                seen = whole if self.form == "deviation(loss)" else means[-2:]
                middle = sum(seen) / len(seen)
                return (sum((value - middle) ** 2 for value in seen) / len(seen)) ** 0.5
            case _:
                return sum(whole) / len(whole)


class Scaled:
    """The loss times one plus what is remembered of it, read before or after the batch is taken in."""

    def __init__(self, state: Remembered, before: bool) -> None:
        self.state, self.before = state, before

    def turn(self) -> None:
        if self.state.every == "epoch":
            self.state.turn()

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        own = losses(u, y)
        counts = u.argmax(1) == y if "correct" in self.state.form else torch.ones(len(y))
        if self.before:
            self.state.take(own.detach(), y, index, counts)
        factor = self.state.read(y, index)
        if not self.before:
            self.state.take(own.detach(), y, index, counts)
        return (own * (1 + factor)).mean()


FORMS = (
    "loss",
    "mean(loss)",
    "mean(loss, where: correct)",
    "mean(loss, last: 2)",
    "ema(loss, 0.7)",
    "deviation(loss)",
    "deviation(loss, last: 2)",
)
READ = {"sample": "s", "category": "s[y]", "corpus": "s"}


# what an epoch gathers counts from the next one on, whatever the order
@pytest.mark.parametrize(("every", "order"), [("step", ""), ("step", "before"), ("epoch", "")])
@pytest.mark.parametrize("per", READ)
@pytest.mark.parametrize("form", FORMS)
def test_states(form: str, per: str, every: str, order: str):
    model = mlp().double()
    twin = deepcopy(model)
    said = f"state s per {per} = {form} every {every} {order} from 0.25"
    step = compiled(
        f"{said} perturb loss by {READ[per]} * loss {{ direction negative infer prior granularity {per} }}",
        model,
    )
    epochs_agree(step, twin, Scaled(Remembered(form, per, every, 0.25), order == "before"))


# Tables of classes.


class Smoothed:
    """Zhang et al. 2021: the mean prediction of what was right in the last epoch, a row for each class."""

    def __init__(self) -> None:
        self.table = torch.full((CLASSES, CLASSES), 1 / CLASSES, dtype=torch.float64)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def turn(self) -> None:
        p, y = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        for label in y.unique().tolist():
            self.table[label] = p[y == label].mean(0)
        self.seen = []

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        right = u.argmax(1) == y
        self.seen.append((u.softmax(1).detach()[right], y[right]))
        return CE(u, 0.5 * hot(y) + 0.5 * self.table[y])


def test_a_table_of_predictions_by_epochs():
    model = conv().double()
    twin = deepcopy(model)
    step = compiled(
        "state soft per category = mean(p, where: correct) every epoch from 1/C "
        "perturb labels by 0.5 * (soft[y] - y) { direction mixed infer prior granularity category }",
        model,
    )
    epochs_agree(step, twin, Smoothed(), count=3)


class Spread:
    """Wang et al. 2019: the population covariance of each class's features, this batch among them."""

    def __init__(self, diagonal: bool) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.diagonal = diagonal

    def turn(self) -> None: ...

    def __call__(self, model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        z = model[:-1](x)
        self.seen.append((z.detach(), y))
        features, labels = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        u, weight = model[-1](z), model[-1].weight
        moved: list[Tensor] = []
        for row, label in zip(u, y.tolist(), strict=True):
            own = features[labels == label]
            off = own - own.mean(0)
            sigma = off.T @ off / len(own)
            sigma = torch.diag(sigma.diagonal()) if self.diagonal else sigma
            gaps = weight - weight[label]
            moved.append(row + 0.5 * ((gaps @ sigma) * gaps).sum(1))
        return CE(torch.stack(moved), y)


@pytest.mark.parametrize("diagonal", [True, False])
def test_covariances_of_classes(diagonal: bool):
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(
        f"state cov per category = covariance(z, diagonal: {str(diagonal).lower()}) before "
        "perturb logits by 0.5 * quadratic(W, cov)[y] "
        "{ direction negative infer prior granularity category }",
        model,
    )
    epochs_agree(step, twin, Spread(diagonal))


class Centred:
    """Towards the class's mean feature of the last epoch, from the second epoch on."""

    def __init__(self) -> None:
        self.centre = torch.zeros(CLASSES, 7, dtype=torch.float64)
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.epoch = 0

    def turn(self) -> None:
        z, y = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        for label in y.unique().tolist():
            self.centre[label] = z[y == label].mean(0)
        self.seen, self.epoch = [], self.epoch + 1

    def __call__(self, model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        z = model[:-1](x)
        moved = z + 0.3 * (self.centre[y] - z) if self.epoch else z
        self.seen.append((moved.detach(), y))
        return CE(model[-1](moved), y)


def test_centres_of_classes_inside_the_model():
    """What is kept of `z` is `z` at the end of the line, after what acts there."""
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(
        "state centre per category = mean(z) every epoch perturb features at z by 0.3 * (centre[y] - z) "
        "{ where epoch >= 1 direction positive infer prior granularity category }",
        model,
    )
    epochs_agree(step, twin, Centred(), count=3)


class Counting:
    """Numbers of the whole run that change at the ends of epochs, one after another."""

    def __init__(self) -> None:
        self.most, self.sums, self.epoch = 0.0, 0.0, 0

    def turn(self) -> None:
        self.epoch += 1
        self.most = max(self.most, 2.0 - self.epoch)
        self.sums = self.sums + self.most

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return CE(model(x), y) * (1 + self.most + 10 * self.sums)


def test_states_of_states_change_in_the_order_of_the_source():
    """The second sees the first as the end of the epoch has left it."""
    model = mlp().double()
    twin = deepcopy(model)
    step = compiled(
        "state most per corpus = max(most, 2 - epoch) every epoch "
        "state sums per corpus = sums + most every epoch "
        "perturb loss by (most + 10 * sums) * loss { direction negative infer prior granularity corpus }",
        model,
    )
    epochs_agree(step, twin, Counting(), count=4)


def test_a_state_reads_itself():
    """A running mixture per sample: s <- (s + 3 loss) / 4, read before it takes the batch in."""
    table = torch.zeros(SAMPLES, dtype=torch.float64)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        own = losses(model(x), y)
        factor = table[index]
        table[index] = (factor + 3 * own.detach()) / 4
        return (own * (1 + factor)).mean()

    holds(
        "state s per sample = (s + 3 * loss) / 4 "
        "perturb loss by s * loss { direction negative infer prior granularity sample }",
        mlp(),
        expected,
        *overlapping(),
    )


def test_predictions_of_each_sample_from_its_label():
    """Liu et al. 2020: a moving average of each sample's own predictions, which starts at its label."""
    table = torch.zeros(SAMPLES, CLASSES, dtype=torch.float64)
    known = torch.zeros(SAMPLES, dtype=torch.bool)

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        before = torch.where(known[index][:, None], table[index], hot(y))
        table[index] = 0.6 * before + 0.4 * u.softmax(1).detach()
        known[index] = True
        return CE(u, 0.5 * hot(y) + 0.5 * before)

    holds(
        "state t per sample = 0.6 * t + 0.4 * p from y "
        "perturb labels by 0.5 * (t - y) { direction mixed infer prior granularity sample }",
        mlp(),
        expected,
        *overlapping(),
        *overlapping(),
    )


@pytest.mark.parametrize("every", ["step", "epoch"])
def test_a_row_of_numbers_for_every_sample(every: str):
    """What is not of the batch is the same row for each, of as many entries as there are classes."""
    step = compiled(
        f"state s per sample = 2 * class_prior every {every} perturb logits by s {{ {PRIOR} }}",
        mlp().double(),
    )
    prior = torch.tensor(COUNTS, dtype=torch.float64) / sum(COUNTS)
    seen: list[Tensor] = []
    for _ in step.epochs(2):
        step(*batch())
        seen.append(delta(step, "logits"))
    close(seen[0], torch.zeros(8, CLASSES, dtype=torch.float64))
    close(seen[1], 2 * prior.expand(8, CLASSES))


def test_a_state_of_a_draw_that_waits_for_the_model():
    """Noise in the shape of the features before the head, which are there behind the pass."""
    step = compiled(
        "draw r ~ uniform(1, 2) per sample like z state s per corpus = mean_batch(mean(r)) "
        f"perturb logits by s * u {{ {PRIOR} }}",
        mlp().double(),
    )
    step(*batch())
    assert 1.2 < float(step.state_dict()["state_s.kept"]) < 1.8


def test_the_rate_of_what_is_learned_may_be_a_state():
    """It is 0 in the first epoch, where nothing is learned, and 0.5 in the second."""
    step = compiled(
        "param b per category = 0 state rate per corpus = 0.5 every epoch from 0 "
        "perturb logits by b { direction mixed granularity category } "
        "infer regularization over b minimize loss via joint(lr: rate, momentum: 0)",
        mlp().double(),
    )
    x, y, index = batch()
    seen: list[Tensor] = []
    for _ in step.epochs(2):
        for _ in range(2):
            step(x, y, index).backward()
            seen.append(delta(step, "logits")[0])
    close(torch.stack(seen[:3]), torch.zeros(3, CLASSES, dtype=torch.float64))
    close(seen[3], -0.5 * (step.model(x).softmax(1) - hot(y)).mean(0).detach())


def test_states_rest_in_evaluation_and_in_searches():
    """An attack's passes take nothing in; an evaluated step reads and does not write."""
    text = (
        "state s per category = mean(loss) before "
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1) via pgd(steps: 3, step: 0.05) } "
        "perturb loss by s[y] * loss { direction negative infer prior granularity category }"
    )
    model = mlp().double()
    step = compiled(text, model)
    x, y, index = batch()
    step(x, y, index)
    own = losses(model(x + delta(step, "d")), y).detach()
    kept = step.state_dict()["state_s.kept"]
    for label in range(CLASSES):
        rows = own[y == label]
        close(kept[label], rows.mean() if len(rows) else kept.new_zeros(()))
    step.eval()
    before = kept.clone()
    step(*batch(seed=2))
    assert torch.equal(step.state_dict()["state_s.kept"], before)


# Draws: what was drawn is read off the perturbation, so that nothing here draws again.

Check = Callable[[Tensor], bool]
DISTRIBUTIONS: dict[str, Check] = {
    "normal(1, 2)": lambda r: abs(float(r.mean()) - 1) < 0.3 and abs(float(r.std()) - 2) < 0.2,
    "uniform(-1, 3)": lambda r: float(r.min()) < -0.8 and float(r.max()) > 2.8 and float(r.min()) >= -1,
    "beta(2, 2)": lambda r: float(r.min()) >= 0 and float(r.max()) <= 1 and abs(float(r.mean()) - 0.5) < 0.1,
    "beta(0.5, 2)": lambda r: abs(float(r.mean()) - 0.2) < 0.08,
    "bernoulli(0.3)": lambda r: set(r.unique().tolist()) == {0.0, 1.0} and abs(float(r.mean()) - 0.3) < 0.12,
    "truncated_normal(0, 1, -0.5, 2)": lambda r: (
        float(r.min()) >= -0.5 and float(r.max()) <= 2 and float(r.max()) > 1
    ),
}


@pytest.mark.parametrize(("distribution", "check"), DISTRIBUTIONS.items(), ids=list(DISTRIBUTIONS))
@pytest.mark.parametrize("like", ["", " like x", " like u"])
def test_one_draw_moves_two_places_alike(distribution: str, check: Check, like: str):
    """The same numbers at the logits and in the loss, one for each sample or one for each entry."""
    size = "sum(r * r)" if like else "r * r"
    place = {"": "logits by r * u", " like x": "features by r", " like u": "logits by r"}[like]
    model = mlp().double()
    step = compiled(
        f"draw r ~ {distribution} per sample{like} "
        f"perturb {place} {{ {PRIOR} }} perturb loss by {size} {{ {PRIOR} }}",
        model,
    )
    x, y, index = batch(rows=400)
    u = model(x).detach()
    loss = step(x, y, index)
    first = delta(step, place.split()[0])
    drawn = (first / u).mean(1) if not like else first
    assert check(drawn.flatten())
    close(delta(step, "loss"), (drawn * drawn).reshape(400, -1).sum(1))
    moved = model(x + first) if like == " like x" else model(x) + first
    close(loss.detach(), (losses(moved, y).detach() + delta(step, "loss")).mean())
    step(x, y, index)
    assert not torch.equal(delta(step, place.split()[0]), first)


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_directions(per: str):
    """Of length one: each sample's own, or one for all."""
    step = compiled(f"draw v ~ sphere per {per} like x perturb features by v {{ {PRIOR} }}", mlp().double())
    step(*batch())
    v = delta(step, "features").flatten(1)
    close(v.norm(dim=1), torch.ones(8).double())
    assert torch.equal(v, v[:1].expand_as(v)) == (per == "batch")


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_rectangles(per: str):
    step = compiled(
        f"draw hole ~ rectangle(0.3) per {per} like x perturb features by hole * (1 - x) {{ {PRIOR} }}",
        mlp().double(),
    )
    x, y, index = batch()
    step(x, y, index)
    inside = (x + delta(step, "features") == 1).double()
    assert torch.equal(inside, inside[:1].expand_as(inside)) == (per == "batch")
    for hole in inside[:, 0]:
        rows, columns = hole.amax(1), hole.amax(0)
        assert torch.equal(hole, rows[:, None] * columns)
        assert 0 < int(hole.sum()) <= 16


def test_a_permutation_and_a_share_of_the_batch():
    """Zhang et al. 2018: lam x_i + (1 - lam) x_j with the same lam and j in the labels."""
    model = mlp().double()
    step = compiled(
        "draw lam ~ beta(1, 1) per batch draw pair ~ permutation per batch "
        f"perturb features by (1 - lam) * (x[pair] - x) {{ {PRIOR} }} "
        f"perturb labels by (1 - lam) * (y[pair] - y) {{ {PRIOR} }}",
        model,
    )
    x, y, index = batch()
    loss = step(x, y, index)
    moved, labels = x + delta(step, "features"), hot(y) + delta(step, "labels")
    close(loss.detach(), CE(model(moved), labels).detach())
    away = delta(step, "features").flatten(1)
    gaps = (x[None] - x[:, None]).flatten(2)
    found = [
        [
            j
            for j in range(8)
            if i != j and float(torch.linalg.matrix_rank(torch.stack([away[i], gaps[i, j]]))) < 2
        ]
        for i in range(8)
    ]
    partners = [own[0] if len(own) == 1 else i for i, own in enumerate(found)]
    assert sorted(partners) == list(range(8))
    shares = {round(float(away[i].norm() / gaps[i, j].norm()), 9) for i, j in enumerate(partners) if i != j}
    (rest,) = shares
    close(labels, (1 - rest) * hot(y) + rest * hot(y)[partners])


def test_a_draw_from_a_draw():
    """Kim et al.: a length for each sample, within bounds that were drawn for the batch."""
    step = compiled(
        "draw top_of ~ uniform(0.5, 1) per batch draw r ~ uniform(0, top_of) per sample "
        f"perturb loss by r {{ {PRIOR} }} perturb logits by top_of + 0 * u {{ {PRIOR} }}",
        mlp().double(),
    )
    for seed in range(5):
        step(*batch(rows=40, seed=seed))
        limit = delta(step, "logits").unique()
        assert limit.numel() == 1
        assert 0.5 <= float(limit) <= 1
        assert 0.9 * float(limit) < float(delta(step, "loss").max()) <= float(limit)


def test_noise_of_weights():
    """One number for every entry of every parameter, anew in every step."""
    step = compiled(
        "draw xi ~ normal(0, 1) per batch like w perturb weights by 0.1 * xi * w "
        "{ direction mixed infer prior granularity corpus }",
        mlp().double(),
    )
    x, y, index = batch()
    seen: list[Tensor] = []
    for _ in range(2):
        loss = step(x, y, index)
        moved = step.deltas["weights"]
        assert isinstance(moved, dict)
        named = dict(step.model.named_parameters())
        changed = {name: named[name] + moved[name] for name in moved}
        close(loss.detach(), CE(functional_call(step.model, changed, (x,)), y).detach())
        seen.append(torch.cat([(moved[name] / named[name]).flatten() for name in moved]).detach())
    assert abs(float(seen[0].std()) - 0.1) < 0.02
    assert not torch.equal(*seen)


# In the middle of a run.

EVERYTHING = (
    "needs views(2) param net = mlp(1, 3, 1) param b per category = 0 "
    "draw r ~ normal(0, 0.1) per sample like x "
    "draw s ~ beta(1, 1) per batch "
    "state own per sample = p from y state usual per category = ema(loss, 0.9) "
    "state epochly per category = mean(p, where: correct) every epoch from 1/C "
    "state spread per corpus = deviation(loss) every epoch state cov per category = covariance(z) before "
    "perturb features by r + 0.1 * (view(1) - x) { direction mixed infer prior granularity sample } "
    "perturb features by d { direction negative granularity category infer adversarial maximize loss "
    "within linf(0.1) via sign(step: 0.02, start: kept) } "
    "perturb features by e { direction negative granularity corpus infer adversarial maximize loss "
    "within linf(0.1) via sign(step: 0.02, start: kept, simultaneous: true) } "
    "branch now weight 0.7 { "
    "perturb logits by v { direction positive granularity sample "
    "infer regularization minimize loss + 0.2 * l1(v) via joint(lr: 2) } "
    "perturb logits by b[y] * y + 0.1 * s * quadratic(W, cov)[y] { direction mixed granularity category } "
    "perturb loss by sigmoid(net(usual[y])) * loss + spread * loss { direction mixed granularity sample } "
    "perturb labels by 0.2 * (own - y) { direction mixed infer prior granularity sample } "
    "perturb labels by 0.2 * (epochly[y] - y) { direction mixed infer prior granularity category } } "
    "branch again on carry(view: 1) weight 0.3 { } "
    "infer regularization over net, b minimize loss + 0.1 * mean(b * b) via joint(lr: 0.5)"
)


def run(step: Step, parts: range) -> list[Tensor]:
    """Steps of a run, two epochs of three; what each gave."""
    found: list[Tensor] = []
    if parts.start:  # the epoch that was cut off goes on
        step.begin_epoch(int(step.epoch), 2)
    for number in parts:
        if number % 3 == 0:
            step.begin_epoch(number // 3, 2)
        x, y, index = overlapping()[number % 3]
        loss = step([x, 1 - x], y, index)
        slopes = backward(loss, step.model)
        descend(step.model, slopes)
        found += [loss.detach(), *slopes]
    return found


@pytest.mark.parametrize("text", [EVERYTHING])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_a_run_goes_on_where_it_was_saved(text: str, stop: int):
    """Tables, momenta, states, the previous batch, pending moves and random numbers, to the bit."""
    whole = compiled(text, mlp().double(), seed=3)
    expected = run(whole, range(6))
    first = compiled(text, mlp().double(), seed=3)
    run(first, range(stop))
    saved = {name: value.clone() for name, value in first.state_dict().items()}
    second = compiled(text, mlp(seed=5).double(), seed=99)
    second.load_state_dict(saved)
    found = run(second, range(stop, 6))
    for one, other in zip(found, expected[len(expected) - len(found) :], strict=True):
        assert torch.equal(one, other)
    assert set(saved) == set(second.state_dict())
