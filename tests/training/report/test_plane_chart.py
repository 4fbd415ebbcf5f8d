"""The chart of a plane, read back from the drawing."""

from __future__ import annotations

import re

import pytest

from taxo.training.plane import Moved, Plane, Spots
from taxo.training.report.plane_chart import DOTS, EDGE, LEFT, TOP, legend_of, plane_chart
from tests.training.markup import Page

SIDE = 11
SPOTS = Spots(2, [0, 1, 2], [0.1, 0.9, 0.5], [0.2, 0.8, 0.5], [0, 1, 1], [0, 1, 0])


def halves() -> Plane:
    """On the right, the second of two outputs; three times as much of it for each tenth."""
    logs = [(0.0, (place % SIDE - 5) * 1.1) for place in range(SIDE * SIDE)]
    return Plane((0.0, 1.0, 0.0, 1.0), SIDE, tuple(zip(*logs, strict=True)))


def dots(drawn: str, looks: str) -> dict[str, list[tuple[float, float]]]:
    """Where dots or rings are, by how wide they are."""
    found = re.findall(rf'<path class="{looks}" stroke-width="([\d.]+)" d="([^"]+)"', drawn)
    places: dict[str, list[tuple[float, float]]] = {}
    for wide, shape in found:
        new = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", shape)]
        places.setdefault(wide, []).extend(new)
    return places


def test_the_boundary_is_where_two_outputs_are_equal():
    drawn = plane_chart("a", halves(), SPOTS)
    line = re.findall(r'class="boundary" d="([^"]+)"', drawn)
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", "".join(line))]
    assert all(x == pytest.approx(LEFT + EDGE / 2, abs=0.1) for x, _ in places)
    assert min(y for _, y in places) == TOP
    assert max(y for _, y in places) == TOP + EDGE
    assert len(re.findall('class="area"', drawn)) == 8  # two outputs, four tones each


def test_samples_are_dots_by_label_and_wrong_ones_have_a_ring():
    drawn = plane_chart("a", halves(), SPOTS)
    assert sorted(dots(drawn, "dot")[str(DOTS[0])]) == [
        (pytest.approx(LEFT + x * EDGE, abs=0.1), pytest.approx(TOP + (1 - y) * EDGE, abs=0.1))
        for x, y in ((0.1, 0.2), (0.5, 0.5), (0.9, 0.8))
    ]
    ((ring,),) = dots(drawn, "ring").values()
    assert ring == pytest.approx((LEFT + EDGE / 2, TOP + EDGE / 2), abs=0.1)
    assert "ring" in legend_of(SPOTS)
    assert "ring" not in legend_of(Spots(2, [0], [0.0], [0.0], [1], [1]))
    assert Page(drawn).of("li") == ["class 0", "class 1"]


def test_a_perturbation_of_inputs_is_a_line_to_where_a_sample_is_moved():
    drawn = plane_chart("a", halves(), SPOTS, Moved("d", "features", [0.1] * 3, [0.1, 0, 0], [0, 0, -0.1]))
    lines = re.findall(r'class="way" d="([^"]+)"', drawn)
    assert [shape.count("M") for shape in lines] == [1, 2]
    assert lines[0] == f"M{LEFT + 0.1 * EDGE:.1f} {TOP + 0.8 * EDGE:.1f}L{LEFT + 0.2 * EDGE:.1f} 394.0"
    ends = dots(drawn, "dot")[str(DOTS[0])]
    assert (pytest.approx(LEFT + 0.5 * EDGE, abs=0.1), pytest.approx(TOP + 0.6 * EDGE, abs=0.1)) in ends


def test_another_perturbation_makes_dots_as_large_as_it_is():
    drawn = plane_chart("a", halves(), SPOTS, Moved("v", "logits", [0.0, 1.0, 2.0]))
    found = dots(drawn, "dot")
    assert [len(found[str(wide)]) for wide in (DOTS[0], DOTS[-1])] == [1, 2]


def test_an_output_that_is_no_class_is_called_an_output():
    plane = Plane((0.0, 1.0, 0.0, 1.0), 2, [[0.0] * 4, [-1.0] * 4, [-9.0] * 4])
    assert Page(plane_chart("a", plane, SPOTS)).of("li")[-1] == "output 2"
