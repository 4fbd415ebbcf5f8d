"""The corruptions of a package: what they leave alone, what decides their draws, and what is refused."""

from __future__ import annotations

import importlib.util
import io

import numpy
import pytest
import torch
from torch import Tensor

from taxo.language.errors import TaxoError
from taxo.training import borrowed
from taxo.training.choices import FURTHER_CORRUPTIONS
from taxo.training.corruptions import corrupt
from taxo.training.questions import questions, refuse_shape, refuse_unfit
from taxo.training.settings import change, sensible

needs_package = pytest.mark.skipif(
    importlib.util.find_spec(borrowed.PACKAGE) is None, reason="they are an extra"
)
each = pytest.mark.parametrize("name", FURTHER_CORRUPTIONS)


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles `glass_blur` for many seconds, which is not what is tested."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> Tensor:
    return (torch.rand(*shape, generator=dice(9)) * 255).round() / 255


@needs_package
@each
def test_any_size_from_32_gives_images_at_every_severity(name: str):
    coloured, grey = images(1, 3, 32, 32), images(1, 1, 40, 33)
    asked = [(grey, 3), *((coloured, severity) for severity in range(1, 6))]
    for x, severity in asked:
        before = x.clone()
        found = corrupt(x, name, severity, dice())
        assert found.shape == x.shape
        assert found.dtype == x.dtype
        assert bool((found.isfinite() & (found >= 0) & (found <= 1)).all())
        assert not torch.equal(found, x)
        assert torch.equal(x, before)


@needs_package
@each
def test_the_seed_decides_and_global_random_numbers_stay(name: str):
    x = images(1, 3, 32, 32).expand(2, -1, -1, -1).contiguous()
    numpy.random.seed(4)
    before = numpy.random.random(3)
    numpy.random.seed(4)
    one = corrupt(x, name, 3, dice())
    assert numpy.array_equal(numpy.random.random(3), before)
    assert torch.equal(one, corrupt(x, name, 3, dice()))
    draws = name not in ("zoom_blur", "pixelate", "jpeg_compression", "saturate")
    assert torch.equal(one, corrupt(x, name, 3, dice(1))) != draws
    assert torch.equal(one[0], one[1]) != draws


@needs_package
def test_bytes_and_colours_come_back_as_the_package_gives_them(capsys: pytest.CaptureFixture[str]):
    pictures = pytest.importorskip("PIL.Image")
    x = images(1, 3, 32, 32).double()
    file = io.BytesIO()
    pixels = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    pictures.fromarray(pixels).save(file, "JPEG", quality=15)  # that of severity 3
    expected = torch.from_numpy(numpy.array(pictures.open(file))).permute(2, 0, 1).double() / 255
    assert torch.equal(corrupt(x, "jpeg_compression", 3, dice())[0], expected)
    grey = images(1, 1, 40, 40).double()
    coloured = corrupt(grey.expand(-1, 3, -1, -1), "frost", 2, dice())
    assert torch.equal(corrupt(grey, "frost", 2, dice()), coloured.mean(1, keepdim=True))
    assert capsys.readouterr().out == ""


@needs_package
def test_an_image_that_no_drop_falls_on_stays():
    x = torch.full((256, 1, 32, 32), 100 / 255)  # the package divides by none for some of them
    found = corrupt(x, "spatter", 1, dice(1))
    still = (found == x).flatten(1).all(1)
    assert 0 < int(still.sum()) < 256
    assert float(found.flatten(1).amin(1).min()) > 0.3  # none is black


@needs_package
def test_a_run_asks_for_all_of_them():
    refuse_unfit(questions("corruptions(kinds: all)", "--evaluate"), sensible("photos"))
    assert str(change(sensible("photos"), {"corrupt": "frost:3"}).corrupt) == "frost:3"


def test_without_the_package_its_installation_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(borrowed, "find_spec", lambda _: None)
    message = r"T503.*`{}` needs the package `imagecorruptions`.*\n.*pip install 'taxo\[corruptions\]'"
    with pytest.raises(TaxoError, match=message.format("frost")):
        change(sensible("photos"), {"corrupt": "frost:3"})
    with pytest.raises(TaxoError, match=message.format("snow")):
        corrupt(images(1, 3, 32, 32), "snow", 1, dice())
    with pytest.raises(TaxoError, match=message.format("glass_blur")):
        refuse_unfit(questions("corruptions(kinds: all)", "--evaluate"), sensible("photos"))
    refuse_unfit(questions("corruptions", "--evaluate"), sensible("photos"))


def test_a_comparison_of_small_images_stops_before_it_trains(
    run_command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(borrowed, "find_spec", lambda _: "there")
    asked = ("--evaluate", "corruptions(kinds: all)")
    assert run_command("compare", "plain", "--data", "digits", *asked) == 2
    error = capsys.readouterr().err
    assert "`glass_blur` takes images of at least 32 × 32 pixels, not 8 × 8" in error


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 8, 8), r"T503.*at least 32 × 32 pixels, not 8 × 8.*\n.*such as `fog`"),
        ((1, 3, 40, 31), r"T503.*at least 32 × 32 pixels, not 40 × 31"),
        ((1, 4, 32, 32), "T503.*one channel or three, not of 4"),
        ((4, 8), r"T503.*takes images, not inputs of shape \[4, 8\]"),
    ],
)
def test_what_the_package_does_not_take(shape: tuple[int, ...], message: str):
    with pytest.raises(TaxoError, match=message):
        refuse_shape(questions("corruptions(kinds: all)", "--evaluate"), shape)
    refuse_shape(questions("corruptions", "--evaluate"), shape)
