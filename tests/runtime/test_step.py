"""The step as its user meets it: what it takes, what it says, and what it refuses."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.resources import methods_folder
from taxo.runtime.step import Step
from tests.covering import covering
from tests.fidelity.nets import CLASSES, COUNTS, METHODS, SAMPLES, SIDE, batch, conv, made, mlp, weights

SPECS = (*covering(METHODS), "mixpert(eps: 8/255)", "mixpert(eps: 8/255, clean_share: 40%)", "damp(parts: 2)")
each_spec = pytest.mark.parametrize("spec", SPECS)
RAMP = """
method ramp
perturb labels by progress * (1 / C - y) { direction mixed infer prior granularity sample }
"""
LATE = """
method late
perturb logits by 3 * epoch / C * u { where epoch >= 2 direction mixed infer prior granularity sample }
"""
COUNTED = """
method counted
perturb loss by loss / N { direction negative infer prior granularity sample }
"""


def compiled(spec: str | taxo.Method, model: nn.Module | None = None, **given: Any) -> Step:
    given = {"classes": CLASSES, "samples": SAMPLES, "class_counts": COUNTS} | given
    return made(spec, model or mlp(), **given)


def failure(call: Callable[[], object]) -> Any:
    with pytest.raises(taxo.TaxoError) as caught:
        call()
    (found,) = caught.value.diagnostics
    return found


def single(rows: int = 8, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    return batch(rows, seed=seed, dtype=torch.float32)


# What is refused.


def learned() -> list[str]:
    return [name for name in METHODS if compiled(name).reads_index]


@pytest.mark.parametrize("label", [CLASSES, -1, -100])
@each_spec
def test_labels_out_of_range(spec: str, label: int):
    x, y, index = single()
    y[3] = label
    found = failure(lambda: compiled(spec)(x, y, index))
    assert found.code == "T407"
    assert str(label) in found.message


@pytest.mark.parametrize("place", [SAMPLES, -1])
@pytest.mark.parametrize("name", learned())
def test_an_index_out_of_range(name: str, place: int):
    x, y, index = single()
    index[3] = place
    found = failure(lambda: compiled(name)(x, y, index))
    assert found.code == "T406"
    assert str(place) in found.message


@pytest.mark.parametrize("name", learned())
def test_a_missing_index(name: str):
    x, y, _ = single()
    assert failure(lambda: compiled(name)(x, y)).code == "T406"


@pytest.mark.parametrize("length", [1, 3, 9])
@pytest.mark.parametrize("name", learned())
def test_an_index_of_another_length(name: str, length: int):
    x, y, _ = single()
    found = failure(lambda: compiled(name)(x, y, torch.arange(length)))
    assert found.code in ("T406", "T407")


@each_spec
def test_fewer_labels_than_samples(spec: str):
    x, y, index = single()
    found = failure(lambda: compiled(spec)(x, y[:5], index))
    assert (found.code, found.message) == ("T407", "8 samples, 5 labels")


@pytest.mark.parametrize("name", learned())
def test_samples_not_given(name: str):
    found = failure(lambda: compiled(name, samples=None))
    assert found.code == "T401"
    assert found.span.text.split()[0] in ("perturb", "state")
    assert str(found.span).startswith(f"{name}.taxo:")
    assert "samples=" in found.help


def test_the_size_of_the_data_read_by_a_form():
    found = failure(lambda: compiled(taxo.parse(COUNTED), samples=None))
    assert (found.code, found.span.line) == ("T401", 3)
    x, y, _ = single()
    plain = compiled("plain")(x, y)
    torch.testing.assert_close(compiled(taxo.parse(COUNTED))(x, y), plain * (1 + 1 / SAMPLES))


def test_class_counts_not_given():
    found = failure(lambda: compiled("logit_adjustment", class_counts=None))
    assert (found.code, "class_prior" in found.span.text) == ("T401", True)
    assert "class_counts=" in found.help


@pytest.mark.parametrize("counts", [(1, 2, 3, 4), (1,) * 6])
def test_class_counts_of_another_length(counts: tuple[int, ...]):
    found = failure(lambda: compiled("plain", class_counts=counts))
    assert found.code == "T401"
    assert str(len(counts)) in found.message


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_fewer_than_two_classes(classes: int):
    assert failure(lambda: compiled("plain", classes=classes, class_counts=None)).code == "T401"


def test_parameters_that_are_none_and_values_outside():
    assert failure(lambda: compiled("polyloss", params={"esp": 1})).code == "T403"
    with pytest.raises(taxo.TaxoError) as caught:
        compiled("label_smoothing", params={"lam": 1.5})
    assert "T206" in [found.code for found in caught.value.diagnostics]


def test_a_site_without_parameters():
    found = failure(lambda: compiled('damp(sites: "layer9.*")'))
    assert found.code == "T404"
    assert found.span is not None
    assert "layer9" in found.message


@pytest.mark.parametrize("params", [{"lam": 0.4}, {"lam": "40%"}])
def test_parameters_by_keyword(params: dict[str, float | str]):
    x, y, _ = single()
    one, other = compiled("label_smoothing", params=params), compiled("label_smoothing(lam: 0.4)")
    assert torch.equal(one(x, y), other(x, y))


# What an exception says.


class Faulty(nn.Module):
    """Fails at its n-th forward."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.inner = mlp()
        self.left = number

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError("the model's own")
        return self.inner(x)


def clause_line(name: str, clause: str) -> int:
    text = (methods_folder() / f"{name}.taxo").read_text(encoding="utf-8")
    return 1 + next(number for number, line in enumerate(text.splitlines()) if clause in line)


@pytest.mark.parametrize(
    ("spec", "name", "clause", "number"),
    [
        ("pgd_at", "pgd_at", "perturb features", 4),
        ("sam", "sam", "perturb weights", 1),
        ("mixpert(eps: 8/255)", "mixpert", "perturb features", 3),
    ],
)
def test_a_failure_names_the_clause(spec: str, name: str, clause: str, number: int):
    step = compiled(spec, Faulty(number))
    with pytest.raises(ZeroDivisionError, match="the model's own") as caught:
        step(*single())
    (note,) = caught.value.__notes__
    assert f"in {name}, {name}.taxo:{clause_line(name, clause)}:" in note
    assert clause in note


def test_a_failure_names_the_users_file(tmp_path: Path):
    path = tmp_path / "mine.taxo"
    path.write_text(
        "method mine\n\nperturb logits by u {\n direction mixed infer prior granularity sample\n}\n"
    )

    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return HalfTensor(x.flatten(1)[:, :CLASSES])

    step = compiled(taxo.load(path), Halves())
    with pytest.raises(ArithmeticError) as caught:
        step(*single())
    (note,) = caught.value.__notes__
    assert f"{path}:3:" in note


class HalfTensor(Tensor):
    """Logits that cannot be added to."""

    @staticmethod
    def __new__(cls, value: Tensor) -> HalfTensor:
        return Tensor._make_subclass(cls, value)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.add, Tensor.__add__, torch.add):
            raise ArithmeticError("no sums")
        return super().__torch_function__(func, types, args, kwargs or {})


def test_tracebacks_quote_the_program():
    step = compiled("sam", Faulty(1))
    with pytest.raises(ZeroDivisionError) as caught:
        step(*single())
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "<taxo sam ' in text
    assert "line = self.line(x, y)" in text


def test_a_failure_of_a_step_made_by_hand_is_as_it_was():
    names: dict[str, Any] = {"__name__": "printed"}
    printed = compiled("sam")
    exec(printed.source, names)
    step = names[printed.program.name](Faulty(1), classes=CLASSES)
    with pytest.raises(ZeroDivisionError):
        step(*single())
    with pytest.raises(TypeError, match="by hand"):
        _ = step.program


def test_a_bare_step_is_no_program():
    with pytest.raises(TypeError, match="no compiled program"):
        Step(mlp(), classes=CLASSES)(*single())


# Labels as distributions.


@each_spec
def test_labels_as_distributions(spec: str):
    """Classes and their one-hot rows are the same labels."""
    x, y, index = batch()
    soft = functional.one_hot(y, CLASSES).double()
    one, other = compiled(spec, mlp().double()), compiled(spec, mlp().double())
    found, expected = one(x, soft, index), other(x, y, index)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0.0)
    slopes = [
        torch.autograd.grad(loss, weights(step.model)) for loss, step in ((found, one), (expected, other))
    ]
    torch.testing.assert_close(*slopes, atol=1e-10, rtol=0.0)


def test_soft_labels_are_smoothed_as_they_are():
    x, _, _ = batch()
    soft = torch.rand(8, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(1)
    model = mlp().double()
    found = compiled("label_smoothing(lam: 0.3)", model)(x, soft)
    expected = functional.cross_entropy(model(x), 0.7 * soft + 0.3 / CLASSES)
    torch.testing.assert_close(found, expected)
    found = compiled("polyloss(eps: 2)", model)(x, soft)
    p = model(x).softmax(1)
    torch.testing.assert_close(
        found, functional.cross_entropy(model(x), soft) + 2 * (1 - (p * soft).sum(1)).mean()
    )


# What a step tells.


@each_spec
def test_losses_are_those_of_the_samples(spec: str):
    step = compiled(spec)
    loss = step(*single())
    assert step.losses.shape == (8,)
    assert not step.losses.requires_grad
    torch.testing.assert_close(step.losses.mean(), loss.detach())


@each_spec
def test_every_perturbation_has_a_meter(spec: str):
    step = compiled(spec, conv())
    step(*single(20))
    meters = step.meters()
    assert set(meters) == set(step.deltas)
    for name, delta in step.deltas.items():
        parts = delta.values() if isinstance(delta, dict) else [delta]
        assert not any(part.requires_grad for part in parts)
        assert set(meters[name]) >= {"fired", "size"}


def test_meters_before_the_first_step():
    step = compiled("mixpert")
    assert step.meters() == {}
    assert step.losses.shape == (0,)


def test_meters_say_who_was_moved_and_how_far():
    step = compiled("mixpert(eps: 8/255, pro: 45%, eta: 2)")
    step(*single(20))
    meters = step.meters()
    assert meters["v"]["fired"] == pytest.approx(9 / 20)
    assert meters["d"]["fired"] == pytest.approx(11 / 20)
    v = step.deltas["v"]
    assert isinstance(v, Tensor)
    sizes = v.norm(dim=1)
    assert meters["v"]["size"] == pytest.approx(float(sizes[sizes > 0].mean()))
    assert meters["d"]["size"] <= 8 / 255 * SIDE + 1e-6


def test_meters_of_weights():
    step = compiled("sam(rho: 0.2)")
    step(*single())
    assert step.meters()["v"] == {"fired": 1.0, "size": pytest.approx(0.2, rel=1e-5)}


def test_deltas_of_all_parts_are_kept():
    """Where the batch is cut, `deltas` still has a row for every sample."""
    split = taxo.parse(
        "method cut split 4 draw r ~ uniform(0, 1) per sample "
        "perturb loss by r * loss { direction negative infer prior granularity sample }"
    )
    step = compiled(split)
    step(*single())
    delta = step.deltas["loss"]
    assert isinstance(delta, Tensor)
    assert delta.shape == (8,)


# Epochs and schedules.


def test_epochs_count_and_resume():
    step = compiled("plain")
    assert list(step.epochs(3)) == [0, 1, 2]
    assert int(step.epoch) == 3
    assert list(step.epochs(5)) == [3, 4]
    assert list(step.epochs(5)) == []
    other = compiled("plain")
    for epoch in step_of(other, 4):
        if epoch == 2:
            break
    assert int(other.epoch) == 2
    third = compiled("plain")
    third.load_state_dict(other.state_dict())
    assert list(third.epochs(4)) == [2, 3]


def step_of(step: Step, count: int) -> Any:
    return step.epochs(count)


def test_progress_is_the_finished_share():
    step, (x, y, _) = compiled(taxo.parse(RAMP), mlp().double()), batch()
    for epoch in step.epochs(4):
        expected = functional.cross_entropy(step.model(x), y, label_smoothing=epoch / 4)
        torch.testing.assert_close(step(x, y), expected)


def test_a_condition_on_the_epoch():
    model, (x, y, _) = mlp().double(), batch()
    step = compiled(taxo.parse(LATE), model)
    for epoch in step.epochs(4):
        scale = 1 + 3 * epoch / CLASSES if epoch >= 2 else 1
        torch.testing.assert_close(step(x, y), functional.cross_entropy(scale * model(x), y))


def test_attach_reads_the_first_rate_of_a_warm_up():
    step = compiled("logpert")
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.4)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    step.attach(optimizer)
    rates: list[float] = []
    for _ in range(4):
        rates.append(float(step.schedule))
        optimizer.step()
        warm.step()
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0])


# The plain loop.


@each_spec
def test_the_plain_loop_learns(spec: str):
    x, y, index = single(30)
    y = (x[:, 0, 0, :CLASSES]).argmax(1)
    step = compiled(spec, mlp())
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.2, momentum=0.9)
    step.attach(optimizer)
    before = float(functional.cross_entropy(step.predict(x), y))
    for _ in step.epochs(60):
        loss = step(x, y, index)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(functional.cross_entropy(step.predict(x), y)) < 0.95 * before


@pytest.mark.parametrize("spec", ["plain", "logit_adjustment_posthoc", "ldam", "pgd_at"])
def test_what_is_predicted_can_be_followed_back_to_the_inputs(spec: str):
    x, y, index = batch()
    step = compiled(spec, mlp().double())
    step(x, y, index)
    modes = [module.training for module in step.modules()]
    followed = x.clone().requires_grad_()
    logits = step.evaluated(followed)
    torch.testing.assert_close(logits.detach(), step.predict(x), rtol=0, atol=0)
    (slope,) = torch.autograd.grad(functional.cross_entropy(logits, y), followed)
    small = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) * 1e-6
    ends = [functional.cross_entropy(step.predict(x + way), y) for way in (small, -small)]
    assert float((slope * small).sum()) == pytest.approx(float(ends[0] - ends[1]) / 2, rel=1e-5)
    assert [module.training for module in step.modules()] == modes
    assert not step.predict(followed).requires_grad


@pytest.mark.parametrize(
    "spec",
    ["plain", "label_smoothing", "logit_adjustment", "polyloss", "logpert", "pgd_at(start: zero, steps: 3)"],
)
def test_micro_batches_add_up_to_the_batch(spec: str):
    x, y, index = batch()
    whole, parts = compiled(spec, mlp().double()), compiled(spec, mlp().double())
    whole(x, y, index).backward()
    for rows in torch.arange(8).split(2):
        (parts(x[rows], y[rows], index[rows]) / 4).backward()
    for one, other in zip(weights(whole.model), weights(parts.model), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad)


def test_backward_adds_to_the_gradients_that_are_there():
    step = compiled("sam", mlp().double())
    step(*batch()).backward()
    first = [weight.grad.clone() for weight in weights(step.model) if weight.grad is not None]
    step(*batch()).backward()
    for weight, slope in zip(weights(step.model), first, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, 2 * slope)


def test_two_losses_before_one_backward():
    """Steps do not spoil each other's graphs."""
    step = compiled("damp", conv().double())
    torch.manual_seed(0)
    total = step(*batch(seed=1)) + step(*batch(seed=2))
    total.backward()
    assert all(weight.grad is not None for weight in weights(step.model))


# What a batch may not be.


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(8), "[8] of float32"),
        (torch.zeros(8, 1, dtype=torch.long), "[8, 1] of int64"),
        (torch.full((8, CLASSES + 1), 1 / (CLASSES + 1)), f"[8, {CLASSES + 1}] of float32"),
    ],
)
def test_labels_of_another_kind(labels: Tensor, message: str):
    step = compiled("label_smoothing")
    found = failure(lambda: step(single()[0], labels))
    assert found.code == "T407"
    assert message in found.message


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8])
def test_labels_and_indices_of_smaller_integers(kind: torch.dtype):
    x, y, index = single()
    step, other = compiled("logpert"), compiled("logpert")
    other.load_state_dict(step.state_dict())
    assert torch.equal(step(x, y.to(kind), index.to(kind)), other(x, y, index))


def test_a_box_without_bounds_means_images():
    """Inputs outside would be pulled onto the box, however small the radius."""
    x, y, _ = single()
    found = failure(lambda: compiled("pgd_at")(3 * x - 1, y))
    assert found.code == "T408"
    assert "make normalisation the model's first layer" in (found.help or "")


def test_labels_stay_exact_under_autocast():
    """Distributions over the classes are not kept in the half precision of the logits."""
    x, y, _ = single()
    step = compiled("label_smoothing")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        step(x, y)
    delta = step.deltas["labels"]
    assert isinstance(delta, Tensor)
    assert delta.dtype == torch.float32
    assert float(delta.sum(1).abs().max()) < 1e-6


@pytest.mark.parametrize("name", ["classes", "samples"])
@pytest.mark.parametrize("count", [0, -3, 2.5, "4"])
def test_counts_are_whole_numbers(name: str, count: Any):
    given: dict[str, Any] = {"classes": CLASSES, "samples": SAMPLES} | {name: count}
    found = failure(lambda: taxo.compile("logpert", mlp(), **given))
    assert found.code == "T401"
    assert name in found.message
