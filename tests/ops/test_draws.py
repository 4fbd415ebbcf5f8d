"""Random numbers: how they are spread, and that they come again."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops.draws import Draws

MANY = torch.empty(40_000, dtype=torch.float64)
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
DRAWS: dict[str, Callable[[Draws, Tensor], Tensor]] = {
    "normal": lambda draws, like: draws.normal(1, 2, like),
    "normal_each": lambda draws, like: draws.normal(torch.ones(len(like)), torch.ones(len(like)), like),
    "uniform": lambda draws, like: draws.uniform(-1, 1, like),
    "uniform_each": lambda draws, like: draws.uniform(0, torch.ones(len(like)), like),
    "beta": lambda draws, like: draws.beta(0.5, torch.ones(len(like)), like),
    "bernoulli": lambda draws, like: draws.bernoulli(torch.full((len(like),), 0.5), like),
    "truncated_normal": lambda draws, like: draws.truncated_normal(
        0, torch.ones(()), -1, torch.ones(len(like)), like
    ),
    "sphere": lambda draws, like: draws.sphere(like),
    "rectangle": lambda draws, like: draws.rectangle(torch.full((len(like),), 0.5), like),
}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


def share_below(drawn: Tensor, value: float) -> float:
    return (drawn < value).double().mean().item()


def distance(drawn: Tensor, below: Callable[[Tensor], Tensor]) -> float:
    """Kolmogorov's: the largest difference of the drawn shares and a distribution function."""
    ordered = drawn.sort().values
    ranks = torch.arange(len(ordered), dtype=torch.float64) / len(ordered)
    return (below(ordered) - ranks).abs().max().item()


# Two in a thousand samples of 40,000 lie further from their own distribution than this.
FAR = 1.86 / math.sqrt(len(MANY))


# All of them.


@each_draw
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_draw_has_the_shape_and_type_of_its_like(draw, dtype: torch.dtype):
    like = torch.empty(3, 2, 4, 4, dtype=dtype)
    drawn = draw(Draws(0), like)
    assert drawn.shape == like.shape
    assert drawn.dtype == dtype
    assert drawn.isfinite().all()


@each_draw
def test_a_draw_comes_again(draw):
    like, draws = torch.empty(3, 1, 4, 4), Draws(3)
    draw(draws, like)
    state = draws.state()
    following = draw(draws, like)
    draws.restore(state)
    assert torch.equal(draw(draws, like), following)
    fresh = Draws(99)
    fresh.restore(state)
    assert torch.equal(draw(fresh, like), following)
    assert not torch.equal(
        draw(Draws(3), torch.empty(300, 1, 4, 4)), draw(Draws(4), torch.empty(300, 1, 4, 4))
    )


@each_draw
def test_a_draw_leaves_the_users_generator_alone(draw):
    before = torch.get_rng_state()
    draw(Draws(0), torch.empty(3, 1, 4, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_per_sample_reach_their_sample():
    like = torch.empty(2, 500)
    far, wide = torch.tensor([0.0, 100.0]), torch.tensor([1.0, 0.0])
    drawn = Draws(0).normal(far, wide, like)
    assert torch.equal(drawn[1], torch.full((500,), 100.0))
    assert drawn[0].std() == pytest.approx(1, abs=0.2)
    assert (Draws(0).uniform(far, far + 1, like) >= far[:, None]).all()
    assert torch.equal(Draws(0).bernoulli(wide, like), wide[:, None].expand(2, 500))
    assert torch.equal(Draws(0).beta(wide, 1 - wide, like), wide[:, None].expand(2, 500))


def test_numbers_that_are_tensors_draw_the_same():
    like = torch.empty(7, dtype=torch.float64)
    two = torch.tensor(2.0, dtype=torch.float64)
    torch.testing.assert_close(Draws(0).normal(two, two, like), Draws(0).normal(2, 2, like))
    torch.testing.assert_close(Draws(0).uniform(-two, two, like), Draws(0).uniform(-2, 2, like))
    assert torch.equal(Draws(0).beta(two, two, like), Draws(0).beta(2, 2, like))
    assert torch.equal(Draws(0).bernoulli(two / 4, like), Draws(0).bernoulli(0.5, like))


# Each of them.


@pytest.mark.parametrize(("a", "b"), [(1, 1), (0.2, 0.2), (0.01, 0.03), (5, 2), (300, 100)])
def test_the_moments_of_beta(a: float, b: float):
    drawn = Draws(0).beta(a, b, MANY)
    mean = a / (a + b)
    variance = a * b / ((a + b) ** 2 * (a + b + 1))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert drawn.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / len(MANY)))
    assert drawn.var().item() == pytest.approx(variance, rel=0.05)


def test_the_distribution_of_beta():
    assert distance(Draws(0).beta(1, 1, MANY), lambda x: x) < FAR
    assert distance(Draws(0).beta(0.5, 0.5, MANY), lambda x: 2 / math.pi * x.sqrt().asin()) < FAR
    assert distance(Draws(0).beta(3, 1, MANY), lambda x: x**3) < FAR


@pytest.mark.parametrize(("a", "b", "value"), [(0, 0, 1), (1, 0, 1), (0.3, 0, 1), (0, 1, 0), (0, 1e-3, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_beta(a: float, b: float, value: float, dtype: torch.dtype):
    like = torch.empty(100, dtype=dtype)
    assert torch.equal(Draws(0).beta(a, b, like), torch.full_like(like, value))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 1])
def test_the_share_of_ones(share: float, dtype: torch.dtype):
    drawn = Draws(0).bernoulli(share, MANY.to(dtype)).double()
    assert set(drawn.unique().tolist()) <= {0, 1}
    assert drawn.mean().item() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / len(MANY)))


def normal_below(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.5, 3.0), (-4.0, -2.0), (-math.inf, 1.0), (-6, 6)])
def test_the_distribution_of_truncated_normal(low: float, high: float):
    mean, deviation = 0.3, 1.7
    drawn = Draws(0).truncated_normal(mean, deviation, mean + deviation * low, mean + deviation * high, MANY)
    units = (drawn - mean) / deviation
    first, last = normal_below(low), normal_below(high)

    def below(x: Tensor) -> Tensor:
        return (torch.tensor([normal_below(one) for one in x.tolist()], dtype=torch.float64) - first) / (
            last - first
        )

    assert units.min() >= low - 1e-12
    assert units.max() <= high + 1e-12
    assert distance(units, below) < FAR


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("low", [10.0, 30.0])
def test_a_truncated_normal_far_out(low: float, sign: int):
    first, last = sorted((sign * low, sign * (low + 1)))
    beyond = (sign * Draws(0).truncated_normal(0, 1, first, last, MANY) - low) * low
    # there it falls nearly as an exponential does, a little faster
    assert beyond.mean().item() == pytest.approx(1, abs=2.5 / low**2 + 0.02)
    assert beyond.min() >= 0


@pytest.mark.parametrize(("low", "high", "nearest"), [(50.0, 60.0, 50.0), (-60.0, -50.0, -50.0)])
def test_a_truncated_normal_where_no_share_is_left(low: float, high: float, nearest: float):
    assert torch.equal(
        Draws(0).truncated_normal(0, 1, low, high, MANY[:9]), torch.full((9,), nearest).double()
    )


@given(mean=st.floats(-3, 3), ends=st.tuples(st.floats(-3, 3), st.floats(-3, 3)), deviation=st.floats(0, 5))
def test_a_truncated_normal_keeps_to_its_ends(mean: float, ends: tuple[float, float], deviation: float):
    low, high = sorted(ends)
    drawn = Draws(0).truncated_normal(mean, deviation, low, high, MANY[:20])
    assert ((drawn >= low) & (drawn <= high)).all()
    still = Draws(0).truncated_normal(mean, 0, low, high, MANY[:20])
    assert torch.equal(still, torch.full_like(still, min(max(mean, low), high)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sphere_is_of_length_one(dtype: torch.dtype):
    like = torch.empty(5, 3, 4, dtype=dtype)
    drawn = Draws(0).sphere(like).double()
    torch.testing.assert_close(drawn.flatten(1).norm(dim=1), torch.ones(5).double(), rtol=1e-2, atol=0)
    whole = Draws(0).sphere(like, whole=True).double()
    assert whole.norm().item() == pytest.approx(1, rel=1e-2)
    assert whole.shape == like.shape


def test_a_sphere_has_no_side():
    drawn = Draws(0).sphere(torch.empty(20_000, 3, dtype=torch.float64))
    torch.testing.assert_close(drawn.mean(0), torch.zeros(3).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T @ drawn / 20_000, torch.eye(3).double() / 3, atol=0.02, rtol=0)
    assert distance(drawn[:, 0], lambda x: (x + 1) / 2) < 1.86 / math.sqrt(20_000)  # Archimedes


# Rectangles.


def box(mask: Tensor) -> tuple[slice, slice]:
    rows, columns = (mask.amax(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@given(seed=st.integers(0, 10_000), area=st.floats(0.05, 1))
def test_a_rectangle_is_one_box(seed: int, area: float):
    mask = Draws(seed).rectangle(area, torch.empty(3, 20, 30))
    assert torch.equal(mask, mask[:1].expand(3, 20, 30))
    rows, columns = box(mask[0])
    assert mask[0, rows, columns].all()
    assert mask[0].sum() == mask[0, rows, columns].numel()
    assert rows.stop - rows.start <= math.sqrt(area) * 20 + 1
    assert columns.stop - columns.start <= math.sqrt(area) * 30 + 1


def test_rectangles_are_one_for_each_sample():
    areas = torch.linspace(0, 1, 4000)
    masks = Draws(0).rectangle(areas, torch.empty(4000, 1, 16, 16)).double()
    # An interval of length s around a uniform place covers s - s^2 / 4 of the unit interval in the mean.
    sides = areas.double().sqrt()
    expected = (sides - sides**2 / 4) ** 2
    difference = masks.mean((1, 2, 3)) - expected
    assert torch.equal(masks[0], torch.zeros(1, 16, 16).double())
    for part in difference.split(1000):
        assert part.mean().item() == pytest.approx(0, abs=0.02)
    for covered in (masks.mean((0, 1, 3)), masks.mean((0, 1, 2))):
        torch.testing.assert_close(covered, covered.flip(0), atol=0.04, rtol=0)  # no side is nearer


@pytest.mark.parametrize("shape", [(3, 6, 6), (6,), (2, 3, 6, 6), (2, 6)])
def test_a_rectangle_of_no_area_is_empty(shape: tuple[int, ...]):
    like = torch.empty(shape)
    for area in (0, 0.0, torch.tensor(0.0), torch.tensor(-1e-9)):
        assert torch.equal(Draws(0).rectangle(area, like), torch.zeros(shape))


def test_where_there_is_no_picture():
    masks = Draws(0).rectangle(0.5, torch.empty(2000, 40))
    changes = (masks.diff(dim=1) != 0).sum(1)
    assert changes.max() <= 2
    assert masks.mean().item() == pytest.approx(0.5 - 0.5**2 / 4, abs=0.01)
    assert Draws(0).rectangle(0.5, torch.empty(40)).shape == (40,)


def test_which_is_the_batch_can_be_said():
    series = torch.empty(500, 8, 8)
    assert len(Draws(0).rectangle(0.3, series, whole=False).unique(dim=0)) > 20
    one = Draws(0).rectangle(0.3, torch.empty(4, 3, 8, 8), whole=True)
    assert torch.equal(one, one[:1, :1].expand(4, 3, 8, 8))


# Orders and modules.


def test_a_permutation_is_an_order_of_the_rows():
    order = Draws(0).permutation(torch.empty(50, 3))
    assert order.dtype == torch.int64
    assert torch.equal(order.sort().values, torch.arange(50))
    assert not torch.equal(order, torch.arange(50))


def test_modules_are_chosen_evenly():
    draws = Draws(0)
    chosen = [draws.module(["one", "two", "three"]) for _ in range(3000)]
    assert {name: chosen.count(name) // 850 for name in chosen} == {"one": 1, "two": 1, "three": 1}


def test_a_choice_of_modules_does_not_move_the_numbers():
    draws, like = Draws(0), torch.empty(5)
    draws.module(["one", "two"])
    assert torch.equal(draws.normal(0, 1, like), Draws(0).normal(0, 1, like))


def test_a_choice_of_modules_does_not_repeat_the_numbers():
    names = [str(number) for number in range(100)]
    first = [torch.randint(100, (), generator=torch.Generator().manual_seed(seed)) for seed in range(50)]
    same = [Draws(seed).module(names) == str(number.item()) for seed, number in enumerate(first)]
    assert sum(same) < 10


# States.


def test_a_state_before_the_first_draw_is_the_seed():
    state = Draws(7).state()
    assert state.numel() == 8
    other = Draws(1)
    other.restore(state)
    assert torch.equal(other.normal(0, 1, MANY[:5]), Draws(7).normal(0, 1, MANY[:5]))


@pytest.mark.parametrize("drawn", [0, 3])
@pytest.mark.parametrize("chosen", [0, 5])
def test_a_state_holds_both_generators(drawn: int, chosen: int):
    names = [str(number) for number in range(100)]
    draws, other = Draws(7), Draws(7)
    for _ in range(drawn):
        draws.normal(0, 1, MANY[:5])
    for _ in range(chosen):
        draws.module(names)
    state = draws.state()
    assert state.dtype == torch.uint8
    other.restore(state)
    assert torch.equal(other.state(), state)  # as it was, before anything is drawn
    assert torch.equal(other.normal(0, 1, MANY[:5]), draws.normal(0, 1, MANY[:5]))
    assert [other.module(names) for _ in range(9)] == [draws.module(names) for _ in range(9)]


def test_a_state_of_the_generator_alone_is_its_own():
    generator = torch.Generator().manual_seed(7)
    expected = torch.empty(5, dtype=torch.float64).normal_(generator=generator)
    draws = Draws(1)
    draws.restore(torch.Generator().manual_seed(7).get_state())
    assert torch.equal(draws.normal(0, 1, MANY[:5]), expected)
    assert torch.equal(draws.state(), generator.get_state())


def test_the_shapes_of_draws():
    x = torch.empty(4, 3, dtype=torch.bfloat16)
    assert (Draws(0).one(x).shape, Draws(0).one(x).dtype) == ((), torch.bfloat16)
    assert (Draws(0).per_sample(x).shape, Draws(0).per_sample(x.long()).dtype) == ((4,), torch.float32)
