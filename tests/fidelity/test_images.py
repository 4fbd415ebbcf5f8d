"""The methods on features: the limits in which one becomes another, what they keep, and their edges."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.laws.watch import backward
from taxo.runtime.step import Step
from tests.fidelity.attack_references import defended
from tests.fidelity.nets import CLASSES, NETS, batch, close, conv, descend, made, mlp
from tests.fidelity.test_edges import Saturated

each_net = pytest.mark.parametrize("net", NETS)


def run(spec: str, net: str, steps: int = 3) -> list[Tensor]:
    """The losses and gradients of some steps."""
    model, found = NETS[net]().double(), list[Tensor]()
    step = made(spec, model)
    for seed in range(steps):
        loss = step(*batch(seed=seed))
        slopes = backward(loss, model)
        descend(model, slopes)
        found += [loss.detach(), *slopes]
    return found


def moved(step: Step, name: str = "d") -> Tensor:
    """What a step added at the features."""
    delta = step.deltas[name]
    assert isinstance(delta, Tensor)
    return delta


def table(step: Step) -> Tensor:
    """What the step has kept, up to the last backward."""
    (found,) = (value for name, value in step.state_dict().items() if name.endswith("value"))
    return found.clone()


@each_net
@pytest.mark.parametrize(
    ("spec", "other"),
    [
        ("fgsm(eps: 3/255)", "pgd_at(eps: 3/255, start: zero, steps: 1, step: 3/255)"),
        ("fgsm_random_start(eps: 4/255)", "pgd_at(eps: 4/255, steps: 1, step: 5/255)"),
        ("mixed_adversarial(eps: 0, eps_sample: 3/255)", "fgsm(eps: 3/255)"),
        ("mixed_adversarial(eps: 5/255, eps_sample: 0)", "uat(eps: 5/255, beta: inf, simultaneous: false)"),
        ("adversarial_label_smoothing_at(lam: 0)", "pgd_at"),
        ("adversarial_label_smoothing_at(eps: 0, lam: 0.3)", "label_smoothing(lam: 0.3)"),
        ("uat(beta: inf)", "uat(beta: 1e6)"),
        ("uat(beta: 0)", "plain"),
        ("esp(sigma: 0, eps: 2)", "l2_noise(eps: 2)"),
        ("esp(gamma: inf, sigma: 0, tau: 1, eps: 2)", "l2_noise(eps: 2)"),
        ("cutmix(alpha: 0)", "plain"),
        ("mixup(alpha: 0)", "plain"),
        ("interpolated_at(alpha: 0, eps: 0)", "plain"),
        ("augmix(weight: 0)", "plain"),
        ("corruption_training(share: 0)", "plain"),
    ],
)
def test_a_limit_is_another_method(spec: str, other: str, net: str):
    if spec.startswith("augmix"):
        step = made(spec, NETS[net]().double())
        x, y, index = batch()
        close(step((x, x.flip(0), x.roll(1, 0)), y, index), made(other, NETS[net]().double())(x, y, index))
        return
    close(run(spec, net), run(other, net), atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        ("advprop(eps: 0)", "plain"),
        ("interpolated_at(eps: 0)", "mixup"),
    ],
)
def test_a_limit_where_no_norm_couples_the_samples(spec: str, other: str):
    close(run(spec, "mlp"), run(other, "mlp"), atol=1e-6)


def test_half_of_unmixed_interpolation_is_adversarial_training():
    mixed, attacked, plain = (
        run(spec, "mlp", 1) for spec in ("interpolated_at(alpha: 0, steps: 3)", "pgd_at(steps: 3)", "plain")
    )
    close(mixed, [(one + other) / 2 for one, other in zip(attacked, plain, strict=True)], atol=1e-12)


@pytest.mark.parametrize("simultaneous", ["true", "false"])
def test_patterns_of_one_class_are_a_pattern_for_all(simultaneous: str):
    steps = [made(f"{name}(simultaneous: {simultaneous})", mlp().double()) for name in ("uat", "class_uat")]
    for seed in range(3):
        x, y, index = batch(seed=seed)
        losses = [step(x, torch.full_like(y, 3), index) for step in steps]
        close(losses[0].detach(), losses[1].detach())
        for step, loss in zip(steps, losses, strict=True):
            descend(step.model, backward(loss, step.model))
    close(table(steps[0])[0], table(steps[1])[3])
    assert bool((table(steps[1])[[0, 1, 2, 4]] == 0).all())


@pytest.mark.parametrize("spec", ["class_uat", "class_uat(simultaneous: false)"])
def test_the_pattern_of_a_class_outside_the_batch_rests(spec: str):
    step = made(spec, conv().double())
    backward(step(*batch(seed=0)), step.model)
    before = table(step)
    x, _, index = batch(seed=1)
    backward(step(x, torch.tensor([0, 0, 1, 1, 0, 1, 0, 1]), index), step.model)
    close(table(step)[2:], before[2:], atol=0)
    assert bool((table(step)[:2] != before[:2]).any())


@pytest.mark.parametrize(
    "spec", ["uat", "uat(simultaneous: false)", "class_uat", "free_at", "mixed_adversarial", "pd_ua"]
)
def test_a_pattern_is_kept_across_epochs(spec: str):
    """Two epochs of two steps are four steps, and each of them moves it."""
    step, seen = made(spec, mlp().double()), list[Tensor]()
    for epoch in step.epochs(2):
        for number in range(2):
            backward(step(*batch(seed=2 * epoch + number)), step.model)
            seen.append(table(step))
        close(table(step), seen[-1], atol=0)
    alone = made(spec, mlp().double())
    for seed in range(4):
        backward(alone(*batch(seed=seed)), alone.model)
    close(table(alone), seen[-1], atol=0)
    assert all(not torch.equal(one, other) for one, other in pairwise(seen))


@pytest.mark.parametrize("spec", ["uat", "class_uat", "free_at", "pd_ua", "mixed_adversarial"])
def test_evaluation_keeps_nothing(spec: str):
    step = made(spec, mlp().double())
    backward(step(*batch(seed=0)), step.model)
    before = table(step)
    step.eval()
    backward(step(*batch(seed=1)), step.model)
    close(table(step), before, atol=0)


def test_a_smaller_last_batch_moves_its_own_places():
    step = made("free_at", mlp().double())
    backward(step(*batch(8, seed=0)), step.model)
    before = table(step)
    backward(step(*batch(3, seed=1)), step.model)
    close(table(step)[3:], before[3:], atol=0)
    assert bool((table(step)[:3] != before[:3]).any())


def test_images_with_a_kept_pattern_stay_in_the_box():
    for spec in ("free_at(eps: 0.5)", "uat(eps: 0.5)", "class_uat(eps: 0.5)", "pd_ua(step: 50, lam: 0)"):
        step, x = made(spec, conv().double()), batch(seed=2)[0]
        for seed in range(3):
            backward(step(*batch(seed=seed)), step.model)
        assert float((x + moved(step)).min()) >= 0
        assert float((x + moved(step)).max()) <= 1
        assert float(moved(step).abs().max()) > 0.1


def test_the_target_is_never_the_label_however_sure_the_model_is():
    """A probability of one leaves none for the others, which tie with the label once one is taken off."""
    x, _, index = batch(dtype=torch.float32)
    y = torch.arange(8) % CLASSES
    x = torch.zeros_like(x)
    x.flatten(1)[torch.arange(8), y] = 1
    step = made("pgd_targeted(start: zero)", Saturated())
    step(x, y, index)
    pulled = moved(step).flatten(1)[torch.arange(8), y]
    close(pulled, torch.full_like(pulled, -8 / 255), atol=1e-6)


def test_the_target_is_the_likeliest_wrong_label():
    """All others go down: the target's pixel alone goes up."""
    x, _, index = batch(1, dtype=torch.float32)
    x = torch.full_like(x, 0.5)
    x.flatten(1)[0, :CLASSES] = torch.tensor([0.500, 0.502, 0.501, 0.499, 0.500])
    step = made("pgd_targeted(start: zero, steps: 1)", Saturated())
    step(x, torch.tensor([1]), index)
    assert moved(step).flatten(1)[0, :CLASSES].sign().tolist() == [-1, -1, 1, -1, -1]


@each_net
@pytest.mark.parametrize("lam", [1, 0.1])
def test_predictions_are_of_defended_images(net: str, lam: float):
    model, (x, _, _) = NETS[net]().double(), batch()
    step = made(f"defense_gen(lam: {lam}, step: 0.5)", model)
    step(*batch(seed=2))
    frozen = model.eval()
    seen = frozen(x).argmax(1)
    expected = frozen(defended(frozen, x, seen, lam, 10, 0.5))
    close(step.predict(x), expected.detach())
    surer = functional.cross_entropy(step.predict(x), seen, reduction="none")
    assert bool((surer < functional.cross_entropy(frozen(x), seen, reduction="none")).all())


@pytest.mark.parametrize("eps", [0.5, 3.0])
def test_noise_has_its_length_after_clipping(eps: float):
    x, y, index = batch()
    step = made(f"l2_noise(eps: {eps})", mlp().double())
    step(x.round(), y, index)
    close(moved(step, "features").flatten(1).norm(dim=1), torch.full((8,), eps, dtype=x.dtype))


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("spec", ["mixup", "cutmix", "corruption_training", "esp", "interpolated_at"])
def test_small_batches(spec: str, rows: int):
    """Of one image its own blend, and a half of one sample is one."""
    x, y, index = batch(rows)
    step = made(spec, mlp().double())
    loss = step(x, y, index)
    assert bool(loss.isfinite())
    if rows == 1 and spec in ("mixup", "cutmix"):
        close(loss.detach(), made("plain", mlp().double())(x, y, index).detach())


@pytest.mark.parametrize("spec", ["augmix", "multiview_robust"])
@pytest.mark.parametrize("rows", [1, 8])
def test_views_of_saturated_logits_stay_finite(spec: str, rows: int):
    x, y, index = batch(rows, dtype=torch.float32)
    views = tuple(x.roll(number, -1).round() for number in range(3 if spec == "augmix" else 2))
    model: nn.Module = Saturated()
    step = made(spec, model)
    for _ in range(3):
        loss = step(views, y, index)
        assert bool(loss.isfinite())
        assert all(bool(slope.isfinite().all()) for slope in backward(loss, model))


def test_equal_views_agree():
    x, y, index = batch()
    step, plain = made("augmix(weight: 100)", mlp().double()), made("plain", mlp().double())
    close(step((x, x, x), y, index).detach(), plain(x, y, index).detach())
