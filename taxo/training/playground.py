"""Points in the plane, drawn anew and always the same: examples small enough to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxo.training.loaders import Raw

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Points = NDArray[float64]

SEED = 20221
ARMS = 3


def mixture() -> Raw:
    """Two classes of two clouds each, of which one pair overlaps."""
    import numpy

    dice = numpy.random.default_rng(SEED)
    centres = [(-2.0, 0.0), (1.0, 2.0), (2.0, 0.0), (0.0, 1.5)]
    clouds = [dice.normal(centre, 0.7, size=(250, 2)) for centre in centres]
    return _raw(clouds, [0, 0, 1, 1])


def spirals() -> Raw:
    """Three arms that wind around each other."""
    import numpy

    dice = numpy.random.default_rng(SEED)
    arms: list[Points] = []
    for arm in range(ARMS):
        far = numpy.linspace(0.05, 1, 300)
        angle = 2 * numpy.pi * (arm / ARMS + far) + dice.normal(0, 0.15, len(far))
        arms.append(far[:, None] * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1))
    return _raw(arms, list(range(ARMS)))


def imbalance() -> Raw:
    """Two round clouds side by side, one with a twentieth of the other's samples."""
    import numpy

    dice = numpy.random.default_rng(SEED)
    clouds = [dice.normal(place, 0.6, size=(count, 2)) for place, count in ((-0.8, 1000), (0.8, 50))]
    return _raw(clouds, [0, 1])


def _raw(groups: list[Points], labels: list[int]) -> Raw:
    import numpy

    y = numpy.repeat(numpy.array(labels, dtype=numpy.int64), [len(group) for group in groups])
    return Raw(numpy.concatenate(groups).astype(numpy.float32), y, classes=max(labels) + 1)
