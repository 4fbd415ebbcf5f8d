"""The corners of the shipped methods: extreme logits, tiny batches, ties, empty groups, empty classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.ops.forms import correct, margin, top
from taxo.ops.sets import L2
from tests.fidelity.nets import CLASSES, METHODS, SIDE, batch, conv, made, mlp, weights

SPECS = (*METHODS, "mixpert(eps: 8/255)", "mixpert(eps: 8/255, clean_share: 40%)", "damp(parts: 4)")
each_spec = pytest.mark.parametrize("spec", SPECS)


class Saturated(nn.Module):
    """Logits of plus or minus 80, by the first pixels of an image of zeros and ones."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Identity()
        self.head = nn.Linear(CLASSES, CLASSES, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(160 * torch.eye(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer1(x).flatten(1)[:, :CLASSES] - 0.5)


def finite(spec: str, model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> None:
    step = made(spec, model)
    for _ in range(2):
        loss = step(x, y, index)
        slopes = torch.autograd.grad(loss, weights(model))
        assert bool(loss.isfinite())
        assert all(bool(slope.isfinite().all()) for slope in slopes)
        assert step.losses.shape == (len(x),)


@each_spec
def test_saturated_logits_stay_finite(spec: str):
    x, y, index = batch(dtype=torch.float32)
    finite(spec, Saturated(), x.round(), y, index)


@each_spec
def test_equal_logits_stay_finite(spec: str):
    x, y, index = batch(dtype=torch.float32)
    finite(spec, Saturated(), torch.full_like(x, 0.5), y, index)


@each_spec
def test_a_batch_of_one(spec: str):
    x, y, index = batch(rows=1, dtype=torch.float32)
    finite(spec, mlp(), x, y, index)


@each_spec
def test_labels_of_one_class_only(spec: str):
    x, y, index = batch(dtype=torch.float32)
    finite(spec, conv(), x, torch.full_like(y, 2), index)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("pro", ["15%", "50%"])
@pytest.mark.parametrize("share", ["0", "40%"])
def test_an_empty_group_is_no_nan(rows: int, pro: str, share: str):
    """15% of three samples is nobody to pull, 50% of one is nobody to push."""
    x, y, index = batch(rows=rows, dtype=torch.float32)
    finite(f"mixpert(eps: 8/255, pro: {pro}, clean_share: {share})", mlp(), x, y, index)


@pytest.mark.parametrize(
    ("rows", "share", "count"),
    [(8, 0.15, 1), (20, 0.15, 3), (10, 0.25, 3), (3, 0.15, 0), (1, 0.5, 1), (7, 1.0, 7), (7, 0.0, 0)],
)
def test_a_share_is_rounded_to_the_nearest_count(rows: int, share: float, count: int):
    values = torch.arange(rows).flip(0).double()
    assert top(values, share).rows.tolist() == list(range(count))


def test_ties_keep_the_count_and_the_order():
    chosen = top(torch.tensor([1.0, 2.0, 2.0, 2.0, 0.0]), 0.4)
    assert chosen.rows.tolist() == [1, 2]
    assert (~chosen).rows.tolist() == [3, 0, 4]
    assert chosen.mask.tolist() == [False, True, True, False, False]


def test_tied_losses_pull_the_planned_count():
    x, y, index = batch(rows=20, dtype=torch.float32)
    step = taxo.compile("mixpert", Saturated(), classes=CLASSES)
    step(torch.full_like(x, 0.5), torch.zeros_like(y), index)
    assert step.meters()["v"]["fired"] == pytest.approx(0.15)


def test_a_class_without_samples_is_named():
    with pytest.raises(taxo.TaxoError) as caught:
        taxo.compile("logit_adjustment", mlp(), classes=CLASSES, class_counts=(4, 3, 0, 2, 1))
    (found,) = caught.value.diagnostics
    assert (found.code, "class 2" in found.message) == ("T402", True)
    assert found.span is not None
    assert "class_prior" in found.span.text


def test_a_class_without_samples_matters_only_where_counts_are_read():
    step = taxo.compile("plain", mlp(), classes=CLASSES, class_counts=(4, 3, 0, 2, 1))
    assert bool(step(*batch(dtype=torch.float32)).isfinite())


@pytest.mark.parametrize("spec", ["pgd_at", "pgd_at(eps: 12/255, step: 1)", "mixpert(eps: 12/255, pro: 0%)"])
def test_attacks_keep_to_ball_and_box_in_single_precision(spec: str):
    x, y, index = batch(dtype=torch.float32)
    x = x.round(decimals=1)  # some pixels on the edge of the box
    step = taxo.compile(spec, conv(), classes=CLASSES)
    step(x, y, index)
    d = step.deltas["d"]
    assert isinstance(d, Tensor)
    eps = 12 / 255 if "12" in spec else 8 / 255
    assert float(d.abs().max()) <= eps + 1e-6
    assert float((x + d).min()) >= -1e-6
    assert float((x + d).max()) <= 1 + 1e-6
    assert float(d.abs().max()) > eps / 2


def test_an_attack_leaves_pixels_without_slope_alone():
    """sign(0) = 0: from a start of zero, what the loss does not depend on stays."""
    x, y, index = batch(dtype=torch.float32)
    step = taxo.compile("pgd_at(start: zero)", Saturated(), classes=CLASSES)
    step(x, y, index)
    d = step.deltas["d"]
    assert isinstance(d, Tensor)
    assert float(d.flatten(1)[:, CLASSES:].abs().max()) == 0
    assert SIDE**2 > CLASSES


def test_the_margin_is_to_the_largest_other_whatever_its_sign():
    u = torch.tensor([[-1.0, -2.0, -4.0], [3.0, 5.0, 1.0], [-4.0, -4.0, -9.0]])
    y = torch.tensor([0, 0, 0])
    assert margin(u, y).tolist() == [1.0, -2.0, 0.0]
    assert margin(u, torch.eye(3)[[2, 1, 0]]).tolist() == [-3.0, 2.0, 0.0]
    assert correct(u, y).tolist() == [True, False, True]


def test_random_points_fill_the_euclidean_ball_evenly():
    """In n dimensions the share of points within a radius r is r^n: half of them lie beyond 2^(-1/n)."""
    dice = torch.Generator().manual_seed(0)
    (points,) = L2(3.0).uniform([torch.zeros(2000, 2, 2)], dice)
    sizes = points.flatten(1).norm(dim=1)
    assert float(sizes.max()) <= 3 + 1e-5
    assert float((sizes > 3 * 2**-0.25).double().mean()) == pytest.approx(0.5, abs=0.04)
    assert float(points.mean().abs()) < 0.05
    parts = L2(3.0, each_sample=False).uniform([torch.zeros(4, 5), torch.zeros(7)], dice)
    assert 0 < float(torch.cat([part.flatten() for part in parts]).norm()) <= 3 + 1e-5
