"""Rounds: when they begin, what `amend` takes and gives, and what it leaves as it was."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

import taxo
from taxo.language.errors import TaxoError
from taxo.laws.watch import changed, footprint
from taxo.ops.objectives import CrossEntropy, Hinge, NearestCentre, smoothed
from taxo.runtime import influence
from taxo.runtime.amended import Amended
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, SAMPLES, batch, conv, mlp

X, Y, _ = batch(SAMPLES, seed=7, dtype=torch.float32)
DATA = TensorDataset(X, Y)


def made(spec: str = "dpl(share: 25%)", model: nn.Module | None = None, epoch: int = 1) -> Step:
    step = taxo.compile(spec, model or mlp(), classes=CLASSES, samples=SAMPLES, seed=3)
    step.begin_epoch(epoch, of=3)
    return step


def sample(data: Amended, place: int) -> Any:
    return data[place]


def parsed(text: str, **given: Any) -> Step:
    step = taxo.compile(taxo.parse(text), mlp(), classes=CLASSES, samples=SAMPLES, **given)
    step.begin_epoch(1, of=2)
    return step


METHOD = """method mine
needs rounds(2)
perturb features by d {{
  {where}
  every       round {amend}
  direction   {direction} on guide
  infer       meta {goal} on guide(20%) {within} via influence(step: {step}{more})
  granularity sample
}}"""


def written(
    where: str = "where gain in top(20%)",
    amend: str = "append",
    direction: str = "positive",
    goal: str = "minimize loss",
    within: str = "",
    step: str = "0.5",
    more: str = "",
) -> str:
    found = METHOD.format(
        where=where, amend=amend, direction=direction, goal=goal, within="", step=step, more=more
    )
    return found.replace("on guide(20%)", f"{within} on guide(20%)") if within else found


@pytest.mark.parametrize(
    ("spec", "epochs", "starts"),
    [("dpl", 9, [3, 6]), ("dpl", 10, [4, 7]), ("dpl(rounds: 2)", 5, [3]), ("dpl", 2, [1]), ("plain", 9, [])],
)
def test_rounds_share_the_epochs(spec: str, epochs: int, starts: list[int]):
    step = taxo.compile(spec, mlp(), classes=CLASSES, samples=SAMPLES)
    assert [epoch for epoch in step.epochs(epochs) if step.begins_round] == starts


def test_a_method_without_rounds_leaves_the_data():
    found = made("plain").amend(DATA)
    assert len(found) == SAMPLES
    assert found.rows.numel() == 0
    assert torch.equal(sample(found, 3)[0], X[3])


def test_copies_join_the_data_under_the_index_of_their_sample():
    found = made().amend(DATA)
    added = len(found) - SAMPLES
    assert 0 < added <= 10
    for place in range(SAMPLES):
        x, y, index = sample(found, place)
        assert torch.equal(x, X[place])
        assert (int(y), index) == (int(Y[place]), place)
    for number in range(added):
        x, y, index = sample(found, SAMPLES + number)
        row = int(found.rows[number])
        assert (int(y), index) == (int(Y[row]), row)
        assert 0 < float((x - X[row]).norm()) < 1
    assert torch.equal(sample(found, -1)[0], sample(found, len(found) - 1)[0])
    with pytest.raises(IndexError):
        found[len(found)]


def test_the_samples_of_the_guide_stay():
    step = made("dpl(share: 100%, guide: 50%)")
    found = step.amend(DATA)
    guide = torch.randperm(SAMPLES, generator=step.dice("guide"))[: SAMPLES // 2]
    assert not set(found.rows.tolist()) & set(guide.tolist())


def test_replaced_samples_take_the_places_of_their_own():
    step = made("dpl_replace(share: 50%)")
    found = step.amend(DATA)
    moved = set(found.rows.tolist())
    assert len(found) == SAMPLES
    assert moved
    for place in range(SAMPLES):
        assert torch.equal(sample(found, place)[0], X[place]) == (place not in moved)


def test_a_later_round_goes_on_from_the_last_one():
    for spec, append in (("dpl(share: 50%)", True), ("dpl_replace(share: 50%)", False)):
        step = made(spec)
        first = step.amend(DATA)
        step.begin_epoch(2, of=3)
        second = step.amend(first)
        assert second.original is DATA
        assert second.rows.unique().numel() == second.rows.numel() or append
        assert len(second) > len(first) if append else len(second) == len(first)
        places = torch.arange(len(second))
        x, y = second.batch(places)
        assert torch.equal(x, torch.stack([sample(second, place)[0] for place in range(len(second))]))
        assert torch.equal(y, Y[second.origins()])
        stayed = [row for row in first.rows.tolist() if row not in second.rows.tolist()]
        assert all(torch.equal(sample(second, row)[0], sample(first, row)[0]) for row in stayed)


def test_it_can_be_made_again_of_what_is_saved():
    for spec in ("dpl(share: 50%)", "dpl_replace(share: 50%)"):
        found = made(spec).amend(DATA)
        again = Amended(DATA, found.rows, found.x, found.append)
        assert len(again) == len(found)
        for place in range(len(found)):
            assert torch.equal(sample(again, place)[0], sample(found, place)[0])


class Listed(Dataset[tuple[Tensor, int, int]]):
    """Samples one by one, their indices running backwards."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, place: int) -> tuple[Tensor, int, int]:
        return X[place], int(Y[place]), SAMPLES - 1 - place


def test_any_data_set_with_places_will_do():
    found, expected = made().amend(Listed()), made().amend(DATA)
    assert torch.equal(found.rows, expected.rows)
    assert found.x is not None
    assert expected.x is not None
    torch.testing.assert_close(found.x, expected.x)
    assert [found[place][2] for place in (0, len(found) - 1)] == [
        SAMPLES - 1,
        SAMPLES - 1 - int(found.rows[-1]),
    ]


def test_what_is_no_data_is_refused():
    with pytest.raises(TaxoError, match="have no sample"):
        made().amend(TensorDataset(X[:0], Y[:0]))
    with pytest.raises(TaxoError, match="an input of the data is a `str`"):
        made().amend([("a", 0), ("b", 1)])


@pytest.mark.parametrize("spec", ["dpl(share: 25%)", "dpl_replace(share: 25%)"])
def test_without_room_for_all_slopes_those_of_the_chosen_are_found_again(
    spec: str, monkeypatch: pytest.MonkeyPatch
):
    expected = made(spec, conv()).amend(DATA)
    monkeypatch.setattr(influence, "free_bytes", lambda _: None)
    found = made(spec, conv()).amend(DATA)
    assert torch.equal(found.rows, expected.rows)
    torch.testing.assert_close(found.x, expected.x)


def test_a_round_that_is_done_again_is_the_same():
    first, second = made().amend(DATA), made().amend(DATA)
    assert first.x is not None
    assert second.x is not None
    assert torch.equal(first.rows, second.rows)
    assert torch.equal(first.x, second.x)


@pytest.mark.parametrize("model", [mlp, conv])
def test_nothing_of_the_model_is_changed(model: Any):
    step = made(model=nn.Sequential(model(), nn.Dropout(0.5)))
    step(*batch(dtype=torch.float32))
    before = footprint(step)
    state = {name: value.clone() for name, value in step.state_dict().items()}
    step.amend(DATA)
    assert not changed(before, footprint(step))
    assert all(torch.equal(value, state[name]) for name, value in step.state_dict().items())
    assert isinstance(step.objective, CrossEntropy)
    with pytest.raises(RuntimeError):
        step.amend(TensorDataset(X.repeat(1, 2, 2, 1), Y))
    assert not changed(before, footprint(step))
    assert not step.quiet


def test_dropout_rests():
    torch.manual_seed(0)
    inner = mlp()
    first = made(model=nn.Sequential(inner, nn.Dropout(0.5))).amend(DATA)
    second = made(model=nn.Sequential(inner, nn.Dropout(0.0))).amend(DATA)
    assert torch.equal(first.rows, second.rows)


def test_the_meters_say_what_was_done_in_the_first_epoch_of_a_round():
    step = made()
    assert step.meters() == {}
    found = step.amend(DATA)
    told = step.meters()["d"]
    assert set(told) == {"residual", "products", "share", "gain"}
    assert told["share"] == (len(found) - SAMPLES) / SAMPLES
    assert 0 <= told["residual"] <= 0.1
    assert told["gain"] > 0
    step.begin_epoch(2, of=3)
    assert step.meters() == {}


def moved(text: str, **given: Any) -> Tensor:
    found = parsed(text, **given).amend(DATA)
    assert found.x is not None
    return found.x - X[found.rows]


def test_sets_bound_what_is_found():
    free = moved(written(step="1000"))
    bounded = moved(written(step="1000", within="within linf(0.01)"))
    inside = parsed(written(step="1000", within="within box")).amend(DATA).x
    assert inside is not None
    assert float(free.abs().max()) > 0.02
    assert float(bounded.abs().max()) <= 0.01 + 1e-6
    assert float(inside.min()) >= 0
    assert float(inside.max()) <= 1


def test_a_goal_that_is_to_rise_turns_the_direction():
    found = {
        sign: parsed(written(where="", direction=direction, goal=f"{sign} loss", amend="replace")).amend(DATA)
        for sign, direction in (("minimize", "positive"), ("maximize", "negative"))
    }
    up, down = found["maximize"].x, found["minimize"].x
    assert up is not None
    assert down is not None
    torch.testing.assert_close(up - X[found["maximize"].rows], X[found["minimize"].rows] - down)


def test_the_options_of_the_curvature():
    plain = moved(written(where=""))
    exact = moved(written(where="", more=", curvature: hessian, hessian: cg(200, damping: 1)"))
    few = moved(written(where="", more=", samples: 3"))
    assert not torch.allclose(plain, exact)
    assert not torch.allclose(plain, few)


def test_other_objectives_and_a_smooth_hinge():
    text = written(where="", more=", hessian: cg(20, damping: 0.1)").replace(
        "needs rounds(2)", "needs rounds(2)\nloss hinge"
    )
    assert moved(text).abs().max() > 0
    u, y = torch.randn(50, CLASSES).mul(3), torch.randint(CLASSES, (50,))
    sharp, soft = Hinge(1.0), smoothed(Hinge(1.0))
    assert float((sharp(u, y) - soft(u, y)).abs().max()) < 0.07
    at = u.clone().requires_grad_()
    (slope,) = torch.autograd.grad(soft(at, y).sum(), at, create_graph=True)
    (bent,) = torch.autograd.grad(slope.square().sum(), at)
    assert bent.any()
    assert smoothed(CrossEntropy()).__class__ is CrossEntropy


def test_the_nearest_centre_is_chosen_softly_where_second_derivatives_are_asked_for():
    u = torch.tensor([[-1.0, -1.1, -9.0], [-4.0, -1.0, -8.0]], dtype=torch.float64, requires_grad=True)
    y, sharp = torch.zeros(2, dtype=torch.long), NearestCentre()
    soft = smoothed(sharp)
    expected = -0.1 * (10 * u).exp().sum(1).log()
    assert torch.allclose(soft(u, y), expected, atol=1e-12)
    assert float((soft(u, y) - sharp(u, y)).detach().abs().max()) < 0.1
    (slope,) = torch.autograd.grad(soft(u, y).sum(), u, create_graph=True)
    (bend,) = torch.autograd.grad(slope.square().sum(), u)
    assert float(bend[0].abs().max()) > 0


def test_a_guide_that_has_nothing_to_gain_gives_no_direction():
    """A model that is right of every sample beyond doubt: no slope, and so nothing moves."""
    sure = nn.Linear(CLASSES, CLASSES, bias=False)
    with torch.no_grad():
        sure.weight.copy_(200 * torch.eye(CLASSES))
    step = taxo.compile("dpl", sure, classes=CLASSES, samples=SAMPLES)
    step.begin_epoch(1, of=3)
    x = torch.eye(CLASSES)[Y]
    assert len(step.amend(TensorDataset(x, Y))) == SAMPLES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (written().replace("features", "labels"), "of these `labels`"),
        (written().replace("by d", "by 2 * d"), "a form of what is found between rounds"),
        (written(where="where clean.loss > 1"), "what a pass brings, between rounds,"),
        (written(step="progress"), "what a pass brings"),
        (written().replace("needs rounds(2)\n", ""), "`every round` without `needs rounds`"),
        (
            written()
            .replace("meta minimize loss on guide(20%)", "meta minimize loss on validation")
            .replace("rounds(2)", "rounds(2), validation"),
            "influence on other data than a guide",
        ),
    ],
)
def test_what_cannot_be_found_between_rounds_is_refused(text: str, message: str):
    with pytest.raises(TaxoError, match=message):
        parsed(text, validation=[(X, Y)])


def test_in_a_composition_the_others_are_not_in_place_between_rounds():
    expected = made().amend(DATA)
    for spec in ("dpl(share: 25%)+esp", "esp+dpl(share: 25%)", "sam+dpl(share: 25%)"):
        step = made(spec)
        assert torch.equal(step.amend(DATA).rows, expected.rows)
        step(*batch(dtype=torch.float32))
        assert step.deltas
        assert not any("dpl" in name for name in step.deltas)


def test_no_pass_outlives_its_stage():
    """Where a layer keeps what it gives, a graph that is kept and counted would hold itself."""
    model, seen = nn.Sequential(nn.Flatten(), nn.Linear(36, 6), nn.ReLU(), nn.Linear(6, CLASSES)), []
    model[2].register_forward_hook(lambda *parts: seen.append(weakref.ref(parts[2])))
    step = made(model=model)
    step.amend(DATA)
    gc.collect()
    assert seen
    assert all(one() is None for one in seen)


class Masking(nn.Module):
    """A model whose masks no module draws."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(36, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(nn.functional.dropout(x.flatten(1), 0.5))


def test_a_stage_draws_as_much_when_it_is_the_first_after_a_resumption():
    """What a sample needs is counted once, and counting draws nothing."""
    step, drawn = made(model=Masking()), list[Tensor]()
    for _ in range(2):
        torch.manual_seed(0)
        step.amend(DATA)
        drawn.append(torch.get_rng_state())
    assert torch.equal(*drawn)
