"""Augmentations: each change by what the image library does, each policy by what it may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from taxo.language.errors import TaxoError
from taxo.training import augment, retouching
from taxo.training.augment import DRAWN, MIXED, RANGES, augmented, autoaugment, flip_crop
from taxo.training.choices import AUGMENTATIONS
from taxo.training.policies import CIFAR, IMAGENET, SVHN, policy_for
from taxo.training.settings import from_words

SIDE = 16


def pil(name: str) -> Any:
    """A part of the image library, which need not be there."""
    return pytest.importorskip(f"PIL.{name}")


def photograph(seed: int = 0) -> Tensor:
    """Bytes [3, S, S] that rise smoothly, with a channel that does not reach black or white."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear")[0]
    return (fine * torch.tensor([255.0, 180.0, 255.0])[:, None, None]).round()


def by_library(change: Callable[[Any], Any]) -> Tensor:
    pixels = photograph().to(torch.uint8).permute(1, 2, 0).numpy()
    changed = numpy.asarray(change(pil("Image").fromarray(pixels)))
    return torch.from_numpy(changed.copy()).permute(2, 0, 1).float()


def by_us(change: retouching.Retouch, strength: float) -> Tensor:
    # beside another image, so that neither may be changed by the other's strength
    x = torch.stack([photograph(1), photograph()]) / 255
    return change(x, torch.tensor([0.0, strength]))[1] * 255


SAME: dict[str, tuple[retouching.Retouch, float, Callable[[Any], Any], float]] = {
    "equalize": (retouching.equalize, 0, lambda image: pil("ImageOps").equalize(image), 1e-3),
    "autocontrast": (retouching.autocontrast, 0, lambda image: pil("ImageOps").autocontrast(image), 1),
    "invert": (retouching.invert, 0, lambda image: pil("ImageOps").invert(image), 1e-3),
    "posterize": (retouching.posterize, 3, lambda image: pil("ImageOps").posterize(image, 3), 1e-3),
    "solarize": (retouching.solarize, 100 / 255, lambda image: pil("ImageOps").solarize(image, 100), 1e-3),
    "brightness": (
        retouching.brightness,
        -0.4,
        lambda image: pil("ImageEnhance").Brightness(image).enhance(0.6),
        1,
    ),
    "color": (retouching.color, 0.5, lambda image: pil("ImageEnhance").Color(image).enhance(1.5), 2),
    "contrast": (
        retouching.contrast,
        -0.5,
        lambda image: pil("ImageEnhance").Contrast(image).enhance(0.5),
        1,
    ),
    "sharpness": (
        retouching.sharpness,
        0.8,
        lambda image: pil("ImageEnhance").Sharpness(image).enhance(1.8),
        2,
    ),
    "shear_x": (
        retouching.shear_x,
        0.25,
        lambda image: image.transform(image.size, pil("Image").Transform.AFFINE, (1, 0.25, 0, 0, 1, 0), 2),
        1.1,
    ),
    "shear_y": (
        retouching.shear_y,
        -0.2,
        lambda image: image.transform(image.size, pil("Image").Transform.AFFINE, (1, 0, 0, -0.2, 1, 0), 2),
        1.1,
    ),
    "translate_x": (
        retouching.translate_x,
        4 / SIDE,
        lambda image: image.transform(image.size, pil("Image").Transform.AFFINE, (1, 0, 4, 0, 1, 0), 2),
        1e-2,
    ),
    "translate_y": (
        retouching.translate_y,
        -3 / SIDE,
        lambda image: image.transform(image.size, pil("Image").Transform.AFFINE, (1, 0, 0, 0, 1, -3), 2),
        1e-2,
    ),
    "rotate": (
        retouching.rotate,
        20,
        lambda image: image.rotate(20, resample=pil("Image").Resampling.BILINEAR),
        1.1,
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_a_change_is_what_the_image_library_does(name: str):
    change, strength, library, near = SAME[name]
    ours, theirs = by_us(change, strength), by_library(library)
    assert not torch.allclose(ours, photograph(), atol=3)
    inside = slice(None)
    if name in ("shear_x", "shear_y", "rotate"):
        # next to the border the library leaves out a pixel that we mix with black
        covered = change(torch.ones(1, 3, SIDE, SIDE), torch.tensor([float(strength)]))[0] > 0.999
        inside = covered & (theirs > 0)
        assert float(inside.float().mean()) > 0.7
    assert torch.allclose(ours[inside], theirs[inside], atol=near)


def test_every_change_is_tested():
    assert SAME.keys() | {"identity"} == RANGES.keys()
    assert {
        part.name for policy in (CIFAR, IMAGENET, SVHN) for pair in policy for part in pair
    } <= RANGES.keys()
    assert len(CIFAR) == len(IMAGENET) == len(SVHN) == 25


def test_a_data_set_has_the_policy_that_was_learned_for_it():
    assert policy_for("cifar100", 32) is policy_for("stl10", 96) is CIFAR
    assert policy_for("imagenet", 64) is policy_for("folder:pictures", 224) is IMAGENET
    assert policy_for("svhn", 32) is SVHN


def test_numbers_are_not_mirrored_under_their_policy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(augment, "flip_crop", lambda x, dice: 1 - x)  # pyright: ignore[reportUnknownLambdaType]
    x = torch.rand(6, 3, 16, 16)
    shown = [
        augmented(x, "autoaugment", torch.Generator().manual_seed(1), data) for data in ("svhn", "cifar10")
    ]
    alone = [
        autoaugment(y, torch.Generator().manual_seed(1), policy) for y, policy in ((x, SVHN), (1 - x, CIFAR))
    ]
    assert all(torch.equal(one, other) for one, other in zip(shown, alone, strict=True))
    assert MIXED.keys() <= RANGES.keys() >= set(DRAWN)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(40, 3, 32, 32), (6, 1, 8, 10), (3, 3, 120, 100)])
def test_images_stay_images_and_a_seed_says_which(name: str, shape: tuple[int, ...]):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    before = x.clone()
    one, again, other = (augmented(x, name, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(x, before)
    assert one.shape == x.shape
    assert one.dtype == x.dtype
    assert 0 <= float(one.min()) <= float(one.max()) <= 1
    assert torch.equal(one, again)
    assert torch.equal(one, other) == (name == "none")


def test_a_crop_is_a_shifted_image_that_may_be_mirrored():
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).expand(200, -1, -1, -1) / 64
    shown = flip_crop(x, torch.Generator().manual_seed(0))
    mirrored = 0
    for image in shown[:, 0]:
        row, column = (int(place) for place in (image == image.max()).nonzero()[0])
        for flipped in (image, image.flip(1)):
            padded = torch.nn.functional.pad(x[0, 0], (1, 1, 1, 1))
            cuts = [padded[r : r + 8, c : c + 8] for r in range(3) for c in range(3)]
            if any(torch.equal(flipped, cut) for cut in cuts):
                mirrored += flipped is not image
                break
        else:
            pytest.fail(f"no crop has its largest pixel at {row}, {column}")
    assert 70 < mirrored < 130


def test_tables_are_not_augmented():
    with pytest.raises(TaxoError, match=r"T503.*`--augment flip_crop` is about images, and `iris` has none"):
        from_words({"data": "iris", "augment": "flip_crop"}, [])


def test_what_a_perturbation_drove_beyond_white_is_the_last_shade():
    x = torch.rand(2, 3, 24, 24)
    x[:, :, 0] = 1.0
    beyond = x.clone()
    beyond[:, :, 0] = 1.3
    assert torch.equal(retouching.equalize(beyond, torch.zeros(2)), retouching.equalize(x, torch.zeros(2)))
