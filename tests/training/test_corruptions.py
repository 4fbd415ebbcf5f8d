"""Corruptions, against what each does written out, and what they share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from taxo.language.errors import TaxoError
from taxo.training.choices import CORRUPTION_NAMES, CORRUPTION_SETS, Corrupt
from taxo.training.corruptions import CORRUPTIONS, corrupt, gaussian
from taxo.training.data import load
from taxo.training.settings import sensible

each = pytest.mark.parametrize("name", CORRUPTION_NAMES)
BLURS = ("gaussian_blur", "defocus_blur", "motion_blur")


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=dice(9))


def test_the_names_are_those_of_the_command_line():
    assert tuple(CORRUPTIONS) == CORRUPTION_SETS["all"]


@each
@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 32, 20), (2, 1, 5, 3), (1, 3, 1, 1), (0, 3, 8, 8)])
def test_any_size_gives_images(name: str, shape: tuple[int, ...]):
    x = images(*shape)
    before = x.clone()
    for severity in range(1, 6):
        found = corrupt(x, name, severity, dice())
        assert found.shape == x.shape
        assert bool((found.isfinite() & (found >= 0) & (found <= 1)).all())
    assert torch.equal(x, before)


@each
def test_every_severity_moves_images_further(name: str):
    x = images(16, 3, 32, 32) * 0.5 + 0.2
    moves = [float((corrupt(x, name, severity, dice()) - x).square().mean()) for severity in range(1, 6)]
    assert moves[0] > 0
    assert moves == sorted(moves)


@each
def test_the_seed_decides_and_each_image_is_corrupted_by_itself(name: str):
    x = images(4, 3, 16, 16)
    one, again = (corrupt(x, name, 3, dice()) for _ in range(2))
    assert torch.equal(one, again)
    if name in ("gaussian_blur", "defocus_blur", "brightness", "contrast"):  # these draw nothing
        assert torch.allclose(corrupt(x[2:3], name, 3, dice()), one[2:3], atol=1e-6)
        return
    assert not torch.equal(one, corrupt(x, name, 3, dice(1)))
    twins = corrupt(x[:1].expand(2, -1, -1, -1).contiguous(), name, 3, dice())
    assert not torch.equal(twins[0], twins[1])


def test_noise_has_its_size():
    grey = torch.full((64, 1, 32, 32), 0.5, dtype=torch.float64)
    assert float(corrupt(grey, "gaussian_noise", 5, dice()).std()) == pytest.approx(0.10, rel=0.02)
    shot = corrupt(grey, "shot_noise", 5, dice())
    assert float(shot.mean()) == pytest.approx(0.5, rel=0.01)
    assert float(shot.var()) == pytest.approx(0.5 / 50, rel=0.03)
    impulse = corrupt(grey, "impulse_noise", 5, dice())
    assert float((impulse == 0).double().mean()) == pytest.approx(0.035, rel=0.05)
    assert float((impulse == 1).double().mean()) == pytest.approx(0.035, rel=0.05)


@pytest.mark.parametrize("name", BLURS)
def test_a_blur_keeps_light_and_flat_images(name: str):
    flat = torch.full((2, 3, 12, 12), 0.3, dtype=torch.float64)
    assert torch.allclose(corrupt(flat, name, 5, dice()), flat, atol=1e-12)
    spot = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    spot[..., 20, 20] = 1
    blurred = corrupt(spot, name, 5, dice())[0, 0]
    assert float(blurred.sum()) == pytest.approx(1, abs=1e-9)
    place = torch.arange(41, dtype=torch.float64)
    assert float((blurred.sum(1) * place).sum()) == pytest.approx(20, abs=1e-9)
    assert float((blurred.sum(0) * place).sum()) == pytest.approx(20, abs=1e-9)


def test_a_gaussian_blur_is_a_gaussian():
    spot = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    spot[..., 10, 10] = 1
    blurred = corrupt(spot, "gaussian_blur", 5, dice())[0, 0]
    line = torch.exp(-(torch.arange(-4, 5, dtype=torch.float64) ** 2) / 2)
    line = line / line.sum()
    assert torch.allclose(blurred[6:15, 6:15], line[:, None] * line, atol=1e-12)
    assert gaussian(1.0, spot, reach=1).shape == (1, 3, 3)


def test_motion_runs_along_one_line():
    spot = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    spot[..., 20, 20] = 1
    blurred = corrupt(spot, "motion_blur", 5, dice(3))[0, 0]
    place = torch.arange(41, dtype=torch.float64) - 20
    down, right = place[:, None].expand(41, 41), place[None, :].expand(41, 41)
    spread = torch.stack(
        [torch.stack([(blurred * a * b).sum() for b in (down, right)]) for a in (down, right)]
    )
    narrow, wide = torch.linalg.eigvalsh(spread).tolist()
    assert wide > 5 * narrow
    assert float(spread[1, 1]) >= float(spread[0, 0])  # within 45 degrees of level


def test_brightness_keeps_the_hue():
    x = torch.tensor([0.2, 0.4, 0.1], dtype=torch.float64).reshape(1, 3, 1, 1)
    brighter = corrupt(x, "brightness", 5, dice())
    assert torch.allclose(brighter, x * 0.7 / 0.4)
    grey = torch.tensor([0.0, 0.4, 0.9], dtype=torch.float64).reshape(1, 1, 1, 3)
    assert torch.allclose(corrupt(grey, "brightness", 1, dice()), (grey + 0.05))


def test_contrast_falls_towards_each_images_mean():
    x = images(2, 3, 8, 8).double()
    mean = x.mean((2, 3), keepdim=True)
    assert torch.allclose(corrupt(x, "contrast", 4, dice()), mean + 0.3 * (x - mean))


def test_fog_is_brightest_where_it_is_thick_and_keeps_the_brightest_value():
    x = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    x[..., 0, 0] = 0.8
    foggy = corrupt(x, "fog", 3, dice())
    assert float(foggy.max()) <= 0.8 + 1e-12
    assert float(foggy[0, 0, 1:].min()) == pytest.approx(0, abs=1e-9)
    steps = (foggy[..., 1:, :] - foggy[..., :-1, :]).abs()[..., 1:, :]
    assert float(steps.max()) < 0.4 * float(foggy.max())  # smooth


def test_training_images_alone_are_corrupted():
    quiet = load(sensible("digits"), torch.device("cpu"))
    asked = replace(sensible("digits"), corrupt=Corrupt("fog", 3))
    found, again = (load(asked, torch.device("cpu")) for _ in range(2))
    assert not torch.equal(found.train.x, quiet.train.x)
    assert torch.equal(found.train.x, again.train.x)
    assert torch.equal(found.validation.x, quiet.validation.x)
    assert torch.equal(found.test.x, quiet.test.x)


@pytest.mark.parametrize(
    ("name", "severity", "shape", "message"),
    [
        ("fogg", 1, (1, 1, 8, 8), "T503.*no corruption `fogg`.*\n.*did you mean `fog`"),
        ("fog", 6, (1, 1, 8, 8), "T503.*severity 6"),
        ("fog", 0, (1, 1, 8, 8), "T503.*severity 0"),
        ("fog", 1, (4, 8), r"T503.*takes images, not inputs of shape \[4, 8\]"),
    ],
)
def test_what_cannot_be_corrupted(name: str, severity: int, shape: tuple[int, ...], message: str):
    with pytest.raises(TaxoError, match=message):
        corrupt(torch.zeros(shape), name, severity, dice())


@pytest.mark.gpu
@each
def test_on_a_device_without_waiting_for_it(name: str):
    x = images(4, 3, 16, 16).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    corrupt(x, name, 3, generator)  # the first call may set things up
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = corrupt(x, name, 3, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.is_cuda
