"""The methods on the loss against their papers' equations, over three epochs, and their limits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import taxo
from tests.fidelity import loss_references as paper
from tests.fidelity.nets import CLASSES, NETS, SAMPLES, batch, close, mlp, weights
from tests.fidelity.runs import Given, LongReference, agree, batches, compiled, viewed

CASES: dict[str, Callable[[], LongReference]] = {
    "knowledge_distillation": lambda: paper.knowledge_distillation(0.9, 4),
    "knowledge_distillation(lam: 0.3, T: 1.5)": lambda: paper.knowledge_distillation(0.3, 1.5),
    "knowledge_distillation(lam: 1, T: 1)": lambda: paper.knowledge_distillation(1, 1),
    "confidence_penalty": lambda: paper.confidence_penalty(0.1, math.log(CLASSES)),
    "confidence_penalty(beta: 2, tau: 1.5)": lambda: paper.confidence_penalty(2, 1.5),
    "mbls": lambda: paper.mbls(0.1, 10),
    "mbls(lam: 0.5, m: 0.2)": lambda: paper.mbls(0.5, 0.2),
    "dlb": lambda: paper.dlb(1, 3),
    "dlb(alpha: 0.4, T: 1.2)": lambda: paper.dlb(0.4, 1.2),
    "dac(learn_epochs: 1)": lambda: paper.dac(1, 1),
    "dac(learn_epochs: 2, alpha_final: 0.3)": lambda: paper.dac(2, 0.3),
    "dac(learn_epochs: 3)": lambda: paper.dac(3, 1),
    "focal": lambda: paper.focal(2),
    "focal(gamma: 0.5)": lambda: paper.focal(0.5),
    "self_paced(start: 1.6)": lambda: paper.self_paced(1.6, 1.1),
    "self_paced(start: 1.5, growth: 1.03)": lambda: paper.self_paced(1.5, 1.03),
    "svm": lambda: paper.svm(1, SAMPLES),
    "svm(C: 0.05)": lambda: paper.svm(0.05, SAMPLES),
    "nu_svm": lambda: paper.nu_svm(0.5, 1),
    "nu_svm(nu: 0.9, rho: 0.01)": lambda: paper.nu_svm(0.9, 0.01),
}
OTHERS = {"dac": "dac(learn_epochs: 1)", "self_paced": "self_paced(start: 1.6)"}
BARE = {name.partition("(")[0]: OTHERS.get(name.partition("(")[0], name.partition("(")[0]) for name in CASES}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_three_epochs_are_the_papers(spec: str, making: Callable[[], LongReference], net: str):
    agree(spec, making(), net)


@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize("name", [name for name in BARE if name != "confidence_penalty"])
def test_few_and_many_classes(name: str, classes: int):
    start = {"self_paced": "self_paced(start: 7)"}.get(name, BARE[name]) if classes > 2 else BARE[name]
    making = (lambda: paper.self_paced(7, 1.1)) if start == "self_paced(start: 7)" else CASES[start]
    agree(start, making(), classes=classes)


@pytest.mark.parametrize("classes", [2, 1000])
def test_the_default_threshold_of_the_penalty_is_the_largest_entropy(classes: int):
    agree("confidence_penalty", paper.confidence_penalty(0.1, math.log(classes)), classes=classes)


@pytest.mark.parametrize("name", BARE)
def test_a_batch_of_one(name: str):
    agree(BARE[name], CASES[BARE[name]](), data=batches(rows=1))


class Extreme(torch.nn.Module):
    """Logits of plus or minus 80 from a bit in every pixel, as many as are asked for."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.head = torch.nn.Linear(outputs, outputs, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(160 * torch.eye(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)[:, : self.outputs] - 0.5)


@pytest.mark.parametrize(
    "spec",
    [*BARE.values(), "focal(gamma: 0.5)", "confidence_penalty(beta: 3)", "knowledge_distillation(T: 1)"],
)
def test_saturated_logits_stay_finite(spec: str):
    method = taxo.load(spec)
    model = Extreme(6 if "dac" in spec else CLASSES)
    step = compiled(spec, model, Given(teacher=Extreme(CLASSES)))
    x, y, index = batch(rows=30, dtype=torch.float32)
    for _ in step.epochs(2):
        loss = step(viewed(x.round(), 2 if "dlb" in spec else 1), y, index)
        slopes = torch.autograd.grad(loss, weights(model))
        assert bool(loss.isfinite())
        assert all(bool(slope.isfinite().all()) for slope in slopes), method.name


def test_saturated_abstention_costs_what_it_should():
    """u = (-80, -80, 80) abstains from everything: H_C = log 2, and -log(1 - a) = 160 - log 2."""
    model = Extreme(3)
    step = taxo.compile("dac(learn_epochs: 0, alpha_final: 2)", model, classes=2, samples=1)
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 0, 2] = 1
    for epoch in step.epochs(2):
        loss = step(x, torch.tensor([0])).detach()
        # the first price is a 64th of an average of nothing, halfway it is alpha_final / 2
        assert float(loss) == pytest.approx((160 - math.log(2)) * epoch, rel=1e-6)


def test_a_teacher_of_its_own_leaves_the_labels_share():
    """Its divergence is zero, and so is its gradient."""
    model = mlp().double()
    step = taxo.compile("knowledge_distillation(lam: 0.7)", model, classes=CLASSES, teacher=mlp().double())
    x, y, _ = batch()
    loss = step(x, y)
    plain = 0.3 * functional.cross_entropy(model(x), y)
    close(loss.detach(), plain.detach())
    close(torch.autograd.grad(loss, weights(model)), torch.autograd.grad(plain, weights(model)))


def test_high_temperatures_match_the_logits():
    """Hinton et al., Eq. 4: T^2 KL tends to half the mean squared difference of centred logits over N."""
    model, teacher = mlp().double(), mlp(seed=5).double()
    step = taxo.compile("knowledge_distillation(lam: 1, T: 1e4)", model, classes=CLASSES, teacher=teacher)
    x, y, _ = batch()
    off = model(x) - teacher(x)
    off = off - off.mean(1, keepdim=True)
    close(step(x, y).detach(), (off**2).sum(1).mean().detach() / 2 / CLASSES, atol=1e-5)


def test_the_teacher_stays_as_it_is():
    model, teacher = mlp().double(), mlp(seed=5).double()
    step = taxo.compile("knowledge_distillation", model, classes=CLASSES, teacher=teacher)
    x, y, _ = batch()
    step(x, y).backward()
    assert not teacher.training
    assert all(weight.grad is None for weight in teacher.parameters())
    assert not [name for name, _ in step.named_parameters() if not name.startswith("model.")]


def test_the_penalty_is_the_entropys_up_to_a_constant():
    """Pereyra et al. subtract beta H(p)."""
    model = mlp().double()
    x, y, _ = batch()
    p = model(x).softmax(1)
    entropy = -(p * p.log()).sum(1).mean()
    loss = taxo.compile("confidence_penalty(beta: 0.7)", model, classes=CLASSES)(x, y)
    expected = functional.cross_entropy(model(x), y) + 0.7 * (math.log(CLASSES) - entropy)
    close(loss.detach(), expected.detach())


def test_a_confident_model_has_no_penalty_below_its_threshold():
    model = mlp().double()
    x, y, _ = batch()
    loss = taxo.compile("confidence_penalty(beta: 5, tau: 0.01)", model, classes=CLASSES)(x, y)
    close(loss.detach(), functional.cross_entropy(model(x), y).detach())


def test_no_margin_pulls_every_logit_to_the_largest():
    """mbls with m = 0 penalises the mean distance from the largest logit; with ties at it, nothing."""
    model = mlp().double()
    x, y, _ = batch()
    u = model(x)
    loss = taxo.compile("mbls(lam: 0.3, m: 0)", model, classes=CLASSES)(x, y)
    close(loss.detach(), (functional.cross_entropy(u, y) + 0.3 * (u.amax(1) - u.mean(1)).mean()).detach())
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    tied = taxo.compile("mbls(lam: 0.3, m: 0)", model, classes=CLASSES)(x, y)
    assert float(tied.detach()) == pytest.approx(math.log(CLASSES), abs=1e-12)


def test_the_first_batch_of_a_run_is_alone():
    model = mlp().double()
    step = compiled("dlb", model, Given())
    x, y, index = batch()
    close(step(viewed(x, 2), y, index).detach(), functional.cross_entropy(model(x), y).detach())


def test_the_last_batch_is_remembered_across_an_epoch():
    reference = paper.dlb(1, 3)
    agree("dlb", reference, data=[[batch(seed=1)], [batch(seed=1)], [batch(seed=2), batch(seed=2)]])


def test_nothing_easy_leaves_no_loss_and_no_gradient():
    model = mlp().double()
    step = compiled("self_paced(start: 0)", model, Given())
    loss = step(*batch())
    assert float(loss.detach()) == 0
    assert all(not bool(slope.any()) for slope in torch.autograd.grad(loss, weights(model)))


def test_a_tie_with_the_threshold_is_not_easy():
    model = mlp()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    x, y, index = batch(dtype=torch.float32)
    tie = float(functional.cross_entropy(model(x).detach(), y, reduction="none")[0])
    assert float(compiled(f"self_paced(start: {tie!r})", model, Given())(x, y, index).detach()) == 0


def test_sure_samples_have_no_focal_loss():
    model = Extreme(CLASSES)
    x, y, index = batch(dtype=torch.float32)
    x = torch.zeros_like(x).flatten(1).scatter(1, y[:, None], 1.0).view_as(x)
    loss = compiled("focal", model, Given())(x, y, index)
    assert float(loss.detach()) == 0


def test_the_slack_pays_for_the_whole_hinge():
    """The constraint u_y - max u_c >= 1 - xi is tight: no loss is left, and C xi is paid."""
    model = mlp().double()
    step = compiled("svm(C: 3)", model, Given())
    x, y, index = batch()
    step(x, y, index)
    delta = step.deltas["xi"]
    assert isinstance(delta, Tensor)
    close(-delta, paper.missed(model(x), y, 1.0).detach())
