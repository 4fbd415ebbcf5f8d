"""The limits in which a method on logits or labels becomes another one, and what happens at their edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy

import numpy
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.fidelity.clock import compiled, epochs_of, prior_of, unbiased
from tests.fidelity.nets import CLASSES, COUNTS, NETS, SAMPLES, batch, close, mlp, weights

EVEN = (8,) * CLASSES
each_net = pytest.mark.parametrize("net", NETS)


def run(spec: str, net: str, counts: Sequence[int] = COUNTS, epochs: int = 2) -> list[Tensor]:
    """The losses and gradients of two steps in each of some epochs."""
    model = unbiased(NETS[net]().double())
    step, found = compiled(spec, model, counts), list[Tensor]()
    batches = epochs_of(epochs, 2)
    for epoch in step.epochs(epochs):
        for x, y, index in batches[epoch]:
            loss = step(x, y, index)
            found += [loss.detach(), *torch.autograd.grad(loss, weights(model))]
    return found


@each_net
@pytest.mark.parametrize(
    ("spec", "other", "counts"),
    [
        ("vs_loss(gamma: 0, tau: 2)", "logit_adjustment(tau: 2)", COUNTS),
        ("vs_loss(gamma: 3)", "plain", EVEN),
        ("zla(gamma: 0.7)", "logit_adjustment(tau: 0.7)", COUNTS),
        ("zla", "plain", EVEN),
        ("ldam(max_m: 0.35, s: 64)", "cosface", EVEN),
        ("deferred_reweighting(start: 0)", "plain", EVEN),
        ("deferred_reweighting(start: 100%)", "plain", COUNTS),
        ("selfpaced_logpert(start: 1000)", "plain", COUNTS),
        ("mixpert_adaptive(eps: 8/255, pro: 45%, scale: 0)", "mixpert(eps: 8/255, pro: 45%)", COUNTS),
        ("mixbootstrapping(alpha: 0.4, beta: 0)", "soft_bootstrapping(lam: 0.4)", COUNTS),
        (
            "mixbootstrapping(alpha: 0.4, beta: 1, confidence: true)",
            "online_label_smoothing(alpha: 0.4)",
            COUNTS,
        ),
        ("d2l", "plain", COUNTS),
        ("d2l(window: 20)", "plain", COUNTS),
        ("proselflc(b: 10000, transit: 0.9)", "plain", COUNTS),
        ("robust_lasso(mu: 0)", "robust_regression", COUNTS),
    ],
)
def test_a_limit_is_another_method(spec: str, other: str, counts: Sequence[int], net: str):
    close(run(spec, net, counts), run(other, net, counts), atol=1e-12)


@each_net
def test_the_first_epoch_of_online_label_smoothing_is_label_smoothing(net: str):
    spec, other = "online_label_smoothing(alpha: 0.3)", "label_smoothing(lam: 0.3)"
    close(run(spec, net, epochs=1), run(other, net, epochs=1), atol=1e-12)
    assert not torch.allclose(run(spec, net)[-1], run(other, net)[-1], atol=1e-6)


@each_net
def test_adaptive_margins_start_as_those_of_cosface(net: str):
    found, expected = run("adaptive_face(lam: 5)", net), run("cosface(m: 0.4)", net)
    close(found[0], expected[0] - 5 * 0.4)
    close(found[1 : len(found) // 4], expected[1 : len(found) // 4])


def test_adaptive_margins_fall_to_zero_and_no_further():
    step = compiled("adaptive_face(lam: 0.1)", unbiased(mlp().double()))
    for seed in range(20):
        step(*batch(seed=seed))
    (margins,) = (value for name, value in step.state_dict().items() if name.endswith("value"))
    assert float(margins.min()) == 0


@pytest.mark.parametrize("tau", [0.5, 1, 3])
def test_posthoc_adjustment_is_of_predictions_alone(tau: float):
    """Menon et al. 2021, Eq. 9: f_y - tau log pi_y."""
    model, (x, y, index) = mlp().double(), batch()
    step = compiled(f"logit_adjustment_posthoc(tau: {tau})", model)
    close(step.predict(x), model(x).detach() - tau * prior_of(COUNTS).log())
    close(step(x, y, index).detach(), functional.cross_entropy(model(x), y).detach())


@pytest.mark.parametrize("name", ["ldam", "vs_loss", "deferred_reweighting", "logit_adjustment_posthoc"])
def test_a_class_without_samples_is_named(name: str):
    with pytest.raises(taxo.TaxoError) as caught:
        taxo.compile(name, mlp(), classes=CLASSES, class_counts=(4, 3, 0, 2, 1))
    assert [found.code for found in caught.value.diagnostics] == ["T402"]
    assert "class 2" in caught.value.diagnostics[0].message


def at_angles(spec: str, angles: Tensor) -> Tensor:
    """The label's logit after the perturbation, at given angles; the other class is at a right angle."""
    plane = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], 1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False)).double()
    with torch.no_grad():
        head = model[1]
        assert isinstance(head, nn.Linear)
        head.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1]]))
    step = taxo.compile(spec, model, classes=2)
    step(plane, torch.zeros(len(angles), dtype=torch.int64))
    delta = step.deltas["logits"]
    assert isinstance(delta, Tensor)
    close(delta[:, 1], torch.zeros_like(angles), atol=0.0)
    return delta[:, 0] + step.model(plane)[:, 0].detach()


def test_arcface_falls_with_the_angle_past_the_turn():
    angles = torch.linspace(0.01, math.pi - 0.01, 200, dtype=torch.float64)
    found = at_angles("arcface(m: 0.5, s: 2)", angles) / 2
    past = angles > math.pi - 0.5
    close(found[~past], (angles + 0.5).cos()[~past])
    close(found[past], (angles.cos() - 0.5 * math.sin(0.5))[past])
    assert bool((found.diff()[~past[1:]] < 0).all())
    assert bool((found.diff()[past[:-1]] < 0).all())
    assert 5 < int(past.sum()) < 100


@pytest.mark.parametrize("m", [2, 3, 4])
def test_sphereface_falls_with_the_angle_all_the_way(m: int):
    angles = torch.linspace(0.001, math.pi - 0.001, 301, dtype=torch.float64)
    found = at_angles(f"sphereface(m: {m})", angles)
    turn = numpy.floor(m * angles.numpy() / math.pi)
    close(found, torch.as_tensor((-1) ** turn * numpy.cos(m * angles.numpy()) - 2 * turn))
    assert bool((found.diff() < 0).all())
    assert float(found[-1]) == pytest.approx(1 - 2 * m, abs=1e-4)


def test_a_class_outside_the_batch_rests():
    step = compiled("category_logpert", mlp().double())
    x, y, index = batch()
    step(x, y % CLASSES, index)
    (table,) = (value for name, value in step.state_dict().items() if name.endswith("value"))
    before = table.clone()
    step(x, torch.full_like(y, 3), index)
    rest = [0, 1, 2, 4]
    assert torch.equal(table[rest], before[rest])
    assert not torch.equal(table[3], before[3])
    assert float(before[rest].abs().max()) > 0


def test_lifted_samples_lose_next_to_nothing():
    """Y&W Eq. 65: the ratio of the losses falls to nothing as the logits grow."""
    ratios: list[float] = []
    for scale in (1, 10, 30):
        model, (x, y, index) = mlp().double(), batch()
        with torch.no_grad():
            for weight in list(model.parameters())[2:]:
                weight *= scale
        step = compiled("selfpaced_logpert(start: 0)", model)
        before = functional.cross_entropy(model(x), y)
        ratios.append(float(step(x, y, index).detach() / before.detach()))
    assert ratios[0] > ratios[1] > ratios[2]
    assert ratios[2] < 1e-6


def test_a_threshold_of_zero_leaves_the_radii_of_mixpert():
    """Y&W Eq. 66 divides by the threshold, which losses of nothing leave at zero."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES))
    with torch.no_grad():
        weights(model)[1].copy_(torch.tensor([200.0, 0, 0, 0, 0]))
    x, y, index = batch(dtype=torch.float32)
    found: list[Tensor] = []
    for spec in ("mixpert_adaptive(eps: 8/255)", "mixpert(eps: 8/255)"):
        step = taxo.compile(spec, deepcopy(model), classes=CLASSES, seed=3)
        found += [step(x, torch.zeros_like(y), index), delta_of(step, "d"), delta_of(step, "v")]
    close(found[:3], found[3:])
    assert 0 < float(found[1].abs().amax()) <= 8 / 255


def delta_of(step: Step, name: str) -> Tensor:
    """A perturbation of the last step."""
    delta = step.deltas[name]
    assert isinstance(delta, Tensor)
    return delta


def labels_after(step: Step, name: str, u: Tensor, y: Tensor) -> Tensor:
    """The labels of logits that a model hands through."""
    step(u, y)
    return functional.one_hot(y, u.shape[1]) + delta_of(step, name)


class Through(nn.Module):
    """Its input as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


def test_the_least_likely_classes_share():
    u = torch.tensor([[1.0, -2, -2, 3], [0, 0, 0, 0], [-80, 80, 80, 80]], dtype=torch.float64)
    step = taxo.compile("adversarial_label_smoothing(lam: 0.4)", Through(), classes=4)
    found = labels_after(step, "q", u, torch.tensor([0, 1, 0]))
    close(found[0], torch.tensor([0.6, 0.2, 0.2, 0], dtype=torch.float64))
    close(found[1], torch.tensor([0.1, 0.7, 0.1, 0.1], dtype=torch.float64))
    close(found[2], torch.tensor([1.0, 0, 0, 0], dtype=torch.float64))


def test_of_equally_likely_classes_the_first_is_predicted():
    u = torch.tensor([[1.0, 2, 2], [0, 0, 0]], dtype=torch.float64)
    step = taxo.compile("hard_bootstrapping", Through(), classes=3)
    found = labels_after(step, "labels", u, torch.tensor([0, 2]))
    close(found, torch.tensor([[0.8, 0.2, 0], [0.2, 0, 0.8]], dtype=torch.float64))


def test_the_dimension_turns_in_the_middle_of_a_run():
    """Features that spread from a line to the whole space; the labels of wrong predictions move then."""
    dice = torch.Generator().manual_seed(0)
    noises = torch.rand(2, 30, 1, 6, 6, generator=dice, dtype=torch.float64)
    step, turned = taxo.compile("d2l(k: 5, window: 2)", mlp().double(), classes=CLASSES), list[bool]()
    for epoch in step.epochs(6):
        x = noises[epoch % 2]
        line = torch.linspace(0, 1, 30, dtype=torch.float64)[:, None, None, None].expand_as(x)
        step(line + (1e-3 if epoch < 4 else 1) * x, torch.zeros(30, dtype=torch.int64))
        turned.append(bool(step.meters().get("labels", {"fired": 0})["fired"]))
    assert turned == [False] * 5 + [True]


def test_online_label_smoothing_of_a_class_that_is_never_right():
    u = torch.tensor([[3.0, 1, 0], [2, 0, 1], [4, 0, 0]], dtype=torch.float64)
    step = taxo.compile("online_label_smoothing(alpha: 1)", Through(), classes=3)
    y = torch.tensor([0, 0, 1])
    found = [labels_after(step, "labels", u, y) for _ in step.epochs(2)][-1]
    close(found[0], u[:2].softmax(1).mean(0))
    close(found[2], torch.full((3,), 1 / 3, dtype=torch.float64))


@pytest.mark.parametrize("price", [0.02, 1.0])
def test_label_svm_is_scikit_learns(price: float):
    """min |w|^2 / 2 + C sum of squared hinges, one class against the rest, without a bias."""
    svm = pytest.importorskip("sklearn.svm")
    dice = torch.Generator().manual_seed(0)
    x = torch.randn(SAMPLES, 4, generator=dice, dtype=torch.float64)
    y = (x @ torch.randn(4, 3, generator=dice, dtype=torch.float64)).argmax(1)
    model = nn.Sequential(nn.Linear(4, 3, bias=False)).double()
    step = taxo.compile(f"label_svm(C: {price})", model, classes=3, samples=SAMPLES)
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = step(x, y)
        found.backward()
        return found

    optimizer.step(loss)
    theirs = svm.LinearSVC(C=price, fit_intercept=False, tol=1e-12, max_iter=1_000_000).fit(
        x.numpy(), y.numpy()
    )
    close(weights(model)[0].detach(), torch.as_tensor(theirs.coef_), atol=1e-6)
