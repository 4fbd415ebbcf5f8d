"""Augmentations of images: each transform against a picture library, and what policies share."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from taxo.training import transforms
from taxo.training.augment import AUGMENTS, CHAINED, INVERT, KINDS, chains, flip_crop, policy

each = pytest.mark.parametrize("name", AUGMENTS)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> Tensor:
    """Images of 8 bits, as a picture has them; not all of the range."""
    return (torch.rand(*shape, generator=dice(9)) * 200 + 20).round() / 255


def picture(x: Tensor) -> Image.Image:
    return Image.fromarray((x * 255).round().byte().permute(1, 2, 0).numpy())


def tensor(found: Image.Image) -> Tensor:
    flat = torch.frombuffer(bytearray(found.tobytes()), dtype=torch.uint8)
    return flat.view(found.height, found.width, 3).permute(2, 0, 1) / 255


# What a picture library does, and how far apart the two may be: it rounds to 8 bits, on its way too.
ALIKE = {
    "autocontrast": (0.0, ImageOps.autocontrast, 1.01),
    "equalize": (0.0, ImageOps.equalize, 0.01),
    "invert": (0.0, ImageOps.invert, 0.01),
    "posterize": (3.0, lambda x: ImageOps.posterize(x, 3), 0.01),
    "solarize": (120.5 / 255, lambda x: ImageOps.solarize(x, 121), 0.01),
    "brightness": (0.3, lambda x: ImageEnhance.Brightness(x).enhance(1.3), 1.01),
    "contrast": (-0.4, lambda x: ImageEnhance.Contrast(x).enhance(0.6), 1.51),
    "color": (0.7, lambda x: ImageEnhance.Color(x).enhance(1.7), 2.01),
    "sharpness": (0.8, lambda x: ImageEnhance.Sharpness(x).enhance(1.8), 2.01),
}


@pytest.mark.parametrize("name", ALIKE)
def test_transforms_of_light_are_those_of_a_picture_library(name: str):
    amount, known, far = ALIKE[name]
    x = images(3, 3, 20, 13)
    found = getattr(transforms, name)(x, torch.full((3,), amount))
    expected = torch.stack([tensor(known(picture(one))) for one in x])
    assert float((found - expected).abs().max()) * 255 <= far


def test_transforms_that_move_pixels():
    x = images(2, 3, 8, 8)
    one = torch.ones(2)
    torch.testing.assert_close(transforms.rotate(x, 90 * one), x.rot90(1, (2, 3)), atol=1e-5, rtol=0)
    wide = images(2, 3, 6, 10)
    torch.testing.assert_close(transforms.rotate(wide, 180 * one), wide.flip(2, 3), atol=1e-5, rtol=0)
    moved = transforms.translate_x(wide, 0.2 * one)
    torch.testing.assert_close(moved[..., :8], wide[..., 2:], atol=1e-5, rtol=0)
    assert not moved[..., 8:].any()
    moved = transforms.translate_y(wide, torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(moved[0, :, :3], wide[0, :, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[1], wide[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["shear_x", "shear_y"])
def test_shears_are_those_of_a_picture_library(name: str):
    x = images(1, 3, 20, 24)
    found = getattr(transforms, name)(x, torch.full((1,), 0.2))[0]
    matrix = (1, 0.2, 0, 0, 1, 0) if name == "shear_x" else (1, 0, 0, 0.2, 1, 0)
    picked = picture(x[0]).transform((24, 20), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    # away from the border, whose pixels the library does not mix with black
    near = (found - tensor(picked)).abs()[:, 2:-6, 2:-6]
    assert float(near.max()) * 255 < 2


@each
@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (4, 3, 12, 7), (2, 1, 2, 2), (0, 3, 8, 8)])
def test_images_stay_images(name: str, shape: tuple[int, ...]):
    x = images(*shape)
    before = x.clone()
    for seed in range(5):
        found = AUGMENTS[name](x, dice(seed))
        assert found.shape == x.shape
        assert bool((found.isfinite() & (found >= -1e-6) & (found <= 1 + 1e-6)).all())
    assert torch.equal(x, before)


@each
def test_the_seed_decides_and_images_differ(name: str):
    x = images(1, 3, 16, 16).expand(12, -1, -1, -1)
    found = AUGMENTS[name](x, dice())
    assert torch.equal(found, AUGMENTS[name](x, dice()))
    alike = torch.equal(found, found[:1].expand_as(found))
    assert alike == (name == "none")


def test_crops_and_flips_are_parts_of_the_image():
    x = torch.arange(1.0, 65).view(1, 1, 8, 8).expand(200, -1, -1, -1) / 64
    found = flip_crop(x, dice())
    padded = torch.nn.functional.pad(x[0, 0], (1, 1, 1, 1))
    windows = {
        (down, right): padded[down : down + 8, right : right + 8] for down in range(3) for right in range(3)
    }
    mirrored = torch.nn.functional.pad(x[0, 0].flip(1), (1, 1, 1, 1))
    turned = {(d, r, "flip"): mirrored[d : d + 8, r : r + 8] for d in range(3) for r in range(3)}
    seen = {key for one in found for key, window in (windows | turned).items() if torch.equal(one[0], window)}
    assert len(seen) == 18


def test_chains_keep_a_share_of_the_image():
    """A mixture of mild transforms: never far, and of a flat image nothing but the border moves."""
    x = torch.full((50, 1, 32, 32), 0.4)
    found = chains(x, dice())
    inner = found[..., 12:20, 12:20]
    assert float((found - x).abs().mean()) < 0.2
    assert float((inner.amax((1, 2, 3)) - inner.amin((1, 2, 3))).max()) < 1e-5


def test_the_policy_is_whole():
    pairs = policy()
    assert len(pairs) == 25
    assert {name for pair in pairs for name, _, _ in pair} <= set(KINDS | INVERT)
    assert all(0 <= chance <= 0.9 and 0 <= share <= 1 for pair in pairs for _, chance, share in pair)
    assert not {"color", "contrast", "brightness", "sharpness"} & set(CHAINED)
