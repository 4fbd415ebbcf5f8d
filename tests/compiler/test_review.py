"""Meanings that are easily lost between a method and its program: each against its equations, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

import taxo

CLASSES, BATCH = 4, 6
SAMPLE = "granularity sample"
PGD = "via pgd(steps: 2, step: 0.3)"


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, labels and places in the data."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.rand(BATCH, 5, generator=dice, dtype=torch.float64)
    return x, torch.randint(0, CLASSES, (BATCH,), generator=dice), torch.arange(BATCH)


def network() -> nn.Module:
    """A small model with a norm, the same one at every call."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, CLASSES)).double()


def step_of(text: str, model: nn.Module | None = None, **given: Any) -> Any:
    """The step of a method's clauses."""
    made = taxo.parse(f'method m "A test."\n{text}')
    return taxo.compile(made, model or network(), classes=CLASSES, samples=BATCH, **given)


def ascent(objective: Any, first: Tensor, steps: int, step: float, radius: float) -> Tensor:
    """Sign steps within a box, by hand."""
    v = first
    for _ in range(steps):
        v = v.detach().requires_grad_()
        (slope,) = torch.autograd.grad(objective(v), v)
        v = (v.detach() + step * slope.sign()).clamp(-radius, radius)
    return v


def test_a_goal_behind_the_logits_reads_the_clean_pass():
    x, y, index = batch()
    step = step_of(f"""perturb logits by v {{ direction negative {SAMPLE}
      infer adversarial maximize kl(clean.p, p) within linf(0.5)
        via pgd(steps: 2, step: 0.3, start: 0.1 * u) }}""")
    loss = step(x, y, index)
    u = network()(x)
    clean = u.detach().log_softmax(1)

    def divergence(v: Tensor) -> Tensor:
        return (clean.exp() * (clean - (u.detach() + v).log_softmax(1))).sum()

    v = ascent(divergence, (0.1 * u).clamp(-0.5, 0.5), 2, 0.3, 0.5)
    assert torch.allclose(loss, cross_entropy(u + v, y), atol=1e-8)


def test_the_clean_pass_in_a_search_is_not_that_of_the_candidate():
    x, y, index = batch()
    step = step_of(f"""perturb labels by 0.3 * (clean.p - y) {{ direction mixed infer prior {SAMPLE} }}
      perturb logits by v {{ direction negative {SAMPLE}
        infer adversarial maximize loss within linf(1) {PGD} }}""")
    loss = step(x, y, index)
    u = network()(x)
    q = 0.7 * one_hot(y, CLASSES) + 0.3 * u.detach().softmax(1)
    v = ascent(lambda v: cross_entropy(u.detach() + v, q, reduction="sum"), torch.zeros_like(u), 2, 0.3, 1)
    assert torch.allclose(loss, cross_entropy(u + v, q), atol=1e-8)


def test_a_search_of_labels_runs_without_the_logits_written_below_it():
    x, y, index = batch()
    step = step_of(f"""perturb labels by 0.5 * (q - y) {{ direction negative {SAMPLE}
      infer adversarial maximize loss within simplex via closed_form }}
      perturb logits by -2 * u {{ direction mixed infer prior {SAMPLE} }}""")
    loss = step(x, y, index)
    u = network()(x)
    q = 0.5 * one_hot(u.argmin(1), CLASSES) + 0.5 * one_hot(y, CLASSES)
    assert torch.allclose(loss, cross_entropy(-u, q), atol=1e-8)


def test_a_search_of_losses_keeps_what_acts_on_the_loss_above_it():
    x, y, index = batch()
    step = step_of(f"""perturb loss by -3 * loss {{ direction positive infer prior {SAMPLE} }}
      perturb loss by v * loss {{ direction negative {SAMPLE}
        infer adversarial maximize loss within linf(0.5) {PGD} }}""")
    loss = step(x, y, index)
    assert torch.allclose(loss, -2 * 0.5 * cross_entropy(network()(x), y), atol=1e-8)


def test_what_acts_on_features_above_a_search_may_read_the_teacher():
    x, y, index = batch()
    teacher = network().eval()
    step = step_of(
        f"""needs teacher
      perturb features by 0.1 * max(teacher.p) * x {{ direction mixed infer prior {SAMPLE} }}
      perturb features by d {{ direction negative {SAMPLE}
        infer adversarial maximize loss within linf(1), box via sign(1) }}""",
        teacher=teacher,
    )
    step.eval()
    step(x / 2, y, index)
    moved = x / 2 * (1 + 0.1 * teacher(x / 2).softmax(1).amax(1, keepdim=True))
    assert torch.allclose(step.deltas["features"], moved - x / 2, atol=1e-8)
    reached = moved + step.deltas["d"]
    assert ((reached - reached.round()).abs() < 1e-8).all()


def test_the_teacher_sees_what_enters_the_model():
    x, y, index = batch()
    teacher = network().eval()
    step = step_of(
        f"""needs teacher
      perturb features by max(teacher.p) {{ direction mixed infer prior {SAMPLE} }}
      perturb labels by teacher.p - y {{ direction mixed infer prior {SAMPLE} }}""",
        teacher=teacher,
    )
    loss = step(x, y, index)
    moved = x + teacher(x).softmax(1).amax(1, keepdim=True)
    assert torch.allclose(loss, cross_entropy(network()(moved), teacher(moved).softmax(1)), atol=1e-8)


def test_a_box_holds_unknowns_that_move_with_the_weights():
    x, y, index = batch()
    step = step_of(f"""perturb features by d {{ direction negative {SAMPLE}
      infer adversarial maximize loss within linf(0.9), box
        via sign(step: 0.9, start: previous, simultaneous: true) }}""")
    step(x, y, index).backward()
    step(x, y, index)
    moved = x + step.deltas["d"]
    assert step.deltas["d"].abs().amax() > 0.1
    assert moved.amin() >= 0
    assert moved.amax() <= 1


@pytest.mark.parametrize("via", ["closed_form", "gradient(steps: 3, step: 0.2)"])
def test_a_penalty_counts_for_the_samples_that_are_selected(via: str):
    x, y, index = batch()
    step = step_of(f"""perturb logits by v {{ where index < 2 direction positive {SAMPLE}
      infer regularization minimize loss + 0.2 * l1(v) via {via} }}""")
    step(x, y, index)
    u = network()(x)
    assert torch.allclose(step.losses[2:], cross_entropy(u, y, reduction="none")[2:], atol=1e-8)
    price = 0.2 * step.deltas["v"].abs().sum(1)
    moved = cross_entropy(u + step.deltas["v"], y, reduction="none") + price
    assert torch.allclose(step.losses, moved, atol=1e-8)


def test_a_closed_form_is_live_under_regularization():
    x, y, index = batch()
    model = network()
    step = step_of(
        f"""perturb logits by v {{ direction positive {SAMPLE}
        infer regularization minimize loss + 0.2 * l1(v) via closed_form }}
      perturb labels by 0.3 * (1 / C - y) {{ direction mixed infer prior granularity category }}""",
        model,
    )
    step(x, y, index).backward()
    other = network()
    u = other(x)
    others = u.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    own = (torch.tensor(0.8 / 0.2).log() - u.gather(1, y[:, None])[:, 0] + others).clamp(min=0)
    v = torch.zeros_like(u).scatter(1, y[:, None], own[:, None])
    labels = 0.7 * one_hot(y, CLASSES) + 0.3 / CLASSES
    (cross_entropy(u + v, labels) + 0.2 * own.mean()).backward()
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-7)


def test_a_branch_on_the_previous_batch_searches_behind_its_own_logits():
    step = step_of(f"""branch now weight 1 {{}}
      branch before on carry weight 0.5 {{
        perturb logits by v {{ direction negative {SAMPLE}
          infer adversarial maximize loss within linf(0.4) via sign(0.4) }} }}""")
    old, new, model = batch(1), batch(2), network()
    step(*old)
    model(old[0])
    u, v = model(new[0]), model(old[0])
    found = 0.4 * (v.softmax(1) - one_hot(old[1], CLASSES)).sign()
    wanted = cross_entropy(u, new[1]) + 0.5 * cross_entropy(v + found, old[1])
    assert torch.allclose(step(*new), wanted, atol=1e-8)


def test_one_number_makes_logits_no_finer():
    x, y, index = batch()
    step = step_of(
        "perturb logits by progress { direction mixed infer prior granularity corpus }", network().float()
    )
    step(x.float(), y, index)
    assert step.losses.dtype == torch.float32


def test_frozen_norms_of_a_search_in_the_weights_stay_so():
    text = """perturb weights by v { norm frozen direction negative granularity corpus
      infer adversarial maximize loss within l2(0.1) via linearized }"""
    step = step_of(text)
    assert [one.norm for one in step.plan.passes] == ["frozen", "update"]


def test_predictions_are_searched_in_inference_mode_too():
    x, _, _ = batch()
    step = step_of(f"""perturb features by d {{ during eval direction mixed {SAMPLE}
      infer adversarial maximize entropy(p) within linf(0.3) via sign(0.3) }}""")
    wanted = step.predict(x)
    with torch.inference_mode():
        assert torch.equal(step.predict(x), wanted)
    assert not torch.equal(step.model.eval()(x), wanted)


def test_a_state_of_classes_has_all_its_rows_before_the_first_batch():
    x, y, index = batch()
    step = step_of(f"""state seen per category = mean(p) from 1/C
      perturb loss by seen[2][1] + sum(seen[y]) {{ direction negative infer prior {SAMPLE} }}""")
    loss = step(x, y, index)
    assert torch.allclose(loss, cross_entropy(network()(x), y) + 1 / CLASSES + 1, atol=1e-7)


def test_a_norm_of_an_expression_of_the_weights():
    x, y, index = batch()
    loss = step_of("loss cross_entropy + 0.1 * l1(2 * w - 1)")(x, y, index)
    price = sum((2 * weight - 1).abs().sum() for weight in network().parameters())
    assert torch.allclose(loss, cross_entropy(network()(x), y) + 0.1 * price, atol=1e-8)


def test_a_radius_reads_the_value_that_is_moved():
    x, y, index = batch()
    step = step_of(
        f"""perturb features by x {{ direction mixed infer prior {SAMPLE} }}
      perturb features by d {{ direction negative {SAMPLE}
        infer adversarial maximize loss within l2(0.1 * l2(x)) via pgd(steps: 1, step: 9) }}
      perturb features at "2" by e {{ direction negative {SAMPLE}
        infer adversarial maximize loss within l2(0.2 * l2(h)) via pgd(steps: 1, step: 9) }}"""
    )
    step.eval()
    step(x, y, index)
    assert torch.allclose(step.deltas["d"].norm(dim=1), 0.2 * x.norm(dim=1), atol=1e-8)
    model = nn.Sequential(*list(network().eval().children())[:3])
    assert torch.allclose(
        step.deltas["e"].norm(dim=1), 0.2 * model(2 * x + step.deltas["d"]).norm(dim=1), atol=1e-8
    )


def test_a_condition_on_a_shared_unknown_reads_what_is_there():
    x, y, index = batch()
    teacher = network().eval()
    step = step_of(
        """needs teacher
      perturb features by x { direction mixed infer prior granularity sample }
      perturb features by d { where max(teacher.p) > 0.3 and mean(x) > 0.9
        direction negative granularity corpus
        infer adversarial maximize loss within linf(0.1) via sign(0.1) }""",
        teacher=teacher,
    )
    step(x, y, index)
    chosen = (teacher(2 * x).softmax(1).amax(1) > 0.3) & ((2 * x).mean(1) > 0.9)
    assert 0 < int(chosen.sum()) < BATCH
    assert torch.equal(step.deltas["d"].abs().sum(1) > 0, chosen)
