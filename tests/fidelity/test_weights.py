"""The methods on weights and last features against their papers' equations, over three epochs; limits."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from tests.fidelity import references
from tests.fidelity import weight_references as paper
from tests.fidelity.nets import CLASSES, NETS, batch, close, mlp, weights
from tests.fidelity.runs import Given, LongReference, agree, batches, compiled

CASES: dict[str, Callable[[], LongReference]] = {
    "asam": lambda: paper.asam(1, 0),
    "asam(rho: 3, eta: 0.01)": lambda: paper.asam(3, 0.01),
    "daap": lambda: paper.noisy("additive", 0.01),
    "daap(sigma: 0.3, parts: 4)": lambda: paper.noisy("additive", 0.3, 4),
    'daap(sigma: 0.1, sites: "*.weight")': lambda: paper.noisy("additive", 0.1, 1, "*.weight"),
    "dropconnect": lambda: paper.noisy("dropped", 0.1),
    'dropconnect(p: 50%, sites: "*.weight")': lambda: paper.noisy("dropped", 0.5, 1, "*.weight"),
    "dropout_noise": lambda: paper.dropout(0.1),
    "dropout_noise(p: 60%)": lambda: paper.dropout(0.6),
    "awp": paper.awp,
    "awp(eps: 4/255, gamma: 0.05, steps: 2)": lambda: paper.awp(4 / 255, 0.05, 2),
    'awp(eps: 0, gamma: 0.01, sites: "*.weight")': lambda: paper.awp(0, 0.01, sites="*.weight"),
    "class_center": lambda: paper.class_center(0.1),
    "class_center(share: 70%)": lambda: paper.class_center(0.7),
}
BARE = [name for name in CASES if "(" not in name]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_three_epochs_are_the_papers(spec: str, making: Callable[[], LongReference], net: str):
    agree(spec, making(), net)


@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize("name", BARE)
def test_few_and_many_classes(name: str, classes: int):
    agree(name, CASES[name](), classes=classes)


@pytest.mark.parametrize("name", BARE)
def test_a_batch_of_one(name: str):
    agree(name, CASES[name](), data=batches(rows=1))


def test_with_weights_of_equal_size_asam_is_sam_of_another_radius():
    """T = t 1 gives rho t^2 g / |t g| = (rho t) g / |g|."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES, bias=False)).double()
    with torch.no_grad():
        weights(model)[0].copy_(0.2 * weights(model)[0].sign())
    x, y, index = batch()
    expected, slopes = references.sam(0.2 * 2)(deepcopy(model), x, y, index)
    loss = taxo.compile("asam(rho: 2)", model, classes=CLASSES)(x, y)
    close(loss.detach(), expected)
    close(torch.autograd.grad(loss, weights(model)), slopes)


def test_asam_does_not_depend_on_the_scale_that_two_layers_share():
    """Kwon et al., Definition 2: A w gives the same worst loss, where A does not change the function."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(36, 7, bias=False), nn.ReLU(), nn.Linear(7, CLASSES, bias=False)
    ).double()
    scaled = deepcopy(model)
    with torch.no_grad():
        weights(scaled)[0].mul_(8)
        weights(scaled)[1].div_(8)
    x, y, _ = batch()
    found = [taxo.compile("asam", one, classes=CLASSES)(x, y).detach() for one in (model, scaled)]
    close(found[0], found[1])


def test_a_weight_of_zero_stays_where_it_is_under_asam():
    model = mlp().double()
    with torch.no_grad():
        weights(model)[0][0] = 0
    step = taxo.compile("asam", model, classes=CLASSES)
    step(*batch())
    delta = step.deltas["v"]
    assert isinstance(delta, dict)
    assert not bool(delta["1.weight"][0].any())
    assert bool(delta["1.weight"][1:].all())


def test_awp_without_images_moves_every_tensor_by_its_own_size():
    model = mlp().double()
    step = taxo.compile("awp(eps: 0, gamma: 0.02)", model, classes=CLASSES)
    step(*batch())
    delta = step.deltas["v"]
    assert isinstance(delta, dict)
    for name, weight in model.named_parameters():
        assert float(delta[name].norm()) == pytest.approx(0.02 * float(weight.detach().norm()), abs=1e-12)


def test_awp_without_weights_is_adversarial_training():
    model, twin = mlp().double(), mlp().double()
    x, y, index = batch()
    expected, slopes = references.pgd_at()(twin, x, y, index)
    loss = taxo.compile("awp(gamma: 0)", model, classes=CLASSES, seed=references.SEED)(x, y)
    close(loss.detach(), expected)
    close(torch.autograd.grad(loss, weights(model)), slopes)


@pytest.mark.parametrize("spec", ["dropconnect(p: 40%)", "daap(sigma: 0.1)", "dropout_noise(p: 40%)"])
def test_noise_is_even_on_both_sides(spec: str):
    """Over many draws the perturbation of what it acts on is zero in the mean."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES, bias=False)).double()
    step, (x, y, _) = taxo.compile(spec, model, classes=CLASSES), batch()
    found: list[Tensor] = []
    for _ in range(400):
        step(x, y)
        (delta,) = step.deltas.values()
        found.append(delta["1.weight"] if isinstance(delta, dict) else delta)
    deltas = torch.stack(found)
    assert float(deltas.mean(0).abs().max() / deltas.std(0).max()) < 0.25
    assert float(deltas.std(0).max()) > 0


def test_dropped_features_are_zero_and_the_others_raised():
    model = mlp().double()
    step, (x, y, _) = taxo.compile("dropout_noise(p: 75%)", model, classes=CLASSES), batch(rows=40)
    assert isinstance(model, nn.Sequential)
    z = model[:-1](x).detach()
    step(x, y)
    delta = step.deltas["features"]
    assert isinstance(delta, Tensor)
    factors = ((z + delta) / z).round(decimals=9)
    assert set(factors.unique().tolist()) == {0.0, 4.0}
    assert float((factors > 0).double().mean()) == pytest.approx(0.25, abs=0.08)


def test_every_sample_has_dropout_of_its_own_and_all_share_their_dropped_weights():
    model = mlp().double()
    x, y, _ = batch()
    x, y = x[:1].expand(6, -1, -1, -1), y[:1].expand(6)
    own = taxo.compile("dropout_noise(p: 50%)", model, classes=CLASSES)
    own(x, y)
    shared = taxo.compile("dropconnect(p: 50%)", model, classes=CLASSES)
    shared(x, y)
    assert len(own.losses.unique()) > 1
    close(shared.losses, shared.losses[:1].expand(6))


def test_the_whole_way_to_the_mean_is_the_mean():
    model = mlp().double()
    step = compiled("class_center(share: 100%)", model, Given())
    x, y, index = batch()
    for epoch in step.epochs(2):
        loss = step(x, y, index)
        if epoch == 0:
            close(loss.detach(), functional.cross_entropy(model(x), y).detach())
    delta = step.deltas["features"]
    assert isinstance(delta, Tensor)
    assert isinstance(model, nn.Sequential)
    z = model[:-1](x).detach()
    for label in y.unique():
        rows = y == label
        close((z + delta)[rows], z[rows].mean(0).expand(int(rows.sum()), -1))


def test_a_class_that_an_epoch_does_not_show_keeps_its_mean():
    x, y, index = batch(rows=12)
    absent = y != y[0]
    agree(
        "class_center(share: 50%)",
        paper.class_center(0.5),
        data=[[(x, y, index)], [(x[absent], y[absent], index[absent])], [(x, y, index)]],
    )
