"""Charts: where their marks are, read back from the drawing."""

from __future__ import annotations

import re
from math import inf, nan

import pytest

from taxo.training.report.charts import HEIGHT, WIDTH, Axis, Series, columns, dots, lines
from taxo.training.report.rows import Bar, bars, heatmap
from tests.training.markup import Page

ACROSS, UP = Axis("epoch"), Axis("accuracy", percent=True)


def marks(drawn: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle [^>]*cx="([\d.]+)" cy="([\d.]+)"', drawn)]


def rectangles(drawn: str, side: str) -> list[float]:
    return [float(size) for size in re.findall(rf'<rect class="block" [^>]*{side}="([\d.]+)"', drawn)]


def test_a_line_has_its_points_in_proportion():
    drawn = lines("Accuracy", ACROSS, UP, [Series("test", [1, 2, 3], [0.1, 0.3, 0.5])])
    (a, high), (b, middle), (c, low) = marks(drawn)
    assert b - a == pytest.approx(c - b, abs=0.2)
    assert high - middle == pytest.approx(middle - low, abs=0.2)
    assert 0 < low < high < HEIGHT
    assert 0 < a < c < WIDTH
    page = Page(drawn)
    assert page.of("figcaption") == ["Accuracy"]
    assert "test: 30%" in page.of("title")
    assert "ul" not in page.tags  # one line needs no legend


def ticks(drawn: str) -> list[str]:
    return re.findall(r'<text class="tick" [^>]*text-anchor="middle"[^>]*>([^<]*)<', drawn)


def test_whole_numbers_have_whole_ticks():
    few = [Series("one", [1, 2, 3], [0.1, 0.2, 0.3])]
    assert ticks(lines("a", Axis("epoch", whole=True), UP, few)) == ["1", "2", "3"]
    assert ticks(lines("a", Axis("cost"), UP, few)) == ["1.0", "1.5", "2.0", "2.5", "3.0"]
    once = lines("a", Axis("epoch", whole=True), UP, [Series("one", [1], [0.1])])
    assert ticks(once) == ["1"]


def test_a_single_dot_is_named():
    drawn = dots("gain", ACROSS, UP, [Series("sam", [1.5], [0.02])])
    assert "sam" in Page(drawn).of("li")


def test_points_without_a_value_are_left_out():
    drawn = lines("a", ACROSS, UP, [Series("one", [1, 2, 3], [0.1, nan, 0.5]), Series("none", [1], [nan])])
    assert len(marks(drawn)) == 2
    assert lines("a", ACROSS, UP, [Series("none", [1, 2], [nan, inf])]) == ""


def test_spreads_are_whiskers_or_a_band():
    series = Series("a", [1, 2], [0.2, 0.4], [0.1, None])
    assert len(re.findall('class="spread"', lines("a", ACROSS, UP, [series]))) == 1
    banded = Series("a", [1, 2], [0.2, 0.4], [0.1, 0.1], band=True)
    drawn = lines("a", ACROSS, UP, [banded])
    assert 'class="band"' in drawn
    assert 'class="spread"' not in drawn


def test_names_are_text_and_not_markup():
    name = '<script>alert("&")</script>'
    for drawn in (
        lines(name, Axis(name), Axis(name), [Series(name, [1], [1]), Series("b", [1], [2])]),
        dots(name, ACROSS, UP, [Series(name, [1], [1])]),
        columns(name, [name], name, UP, [Series(name, [0], [1])]),
        bars(name, UP, [Bar(name, 0.5)], note=name),
        heatmap(name, [name], [name], [[0.5]], UP, note=name),
    ):
        page = Page(drawn)
        assert "script" not in page.tags
        assert any(text.startswith("<script>") for _, text in page.texts)


def test_more_series_than_colours_are_dashed():
    series = [Series(str(number), [1, 2], [0, number]) for number in range(9)]
    assert lines("a", ACROSS, UP, series).count('<g class="s0 dashed">') == 1


def test_columns_stand_on_zero():
    drawn = columns("a", ["x", "y"], "class", Axis("change"), [Series("c", [0, 1], [1.0, -0.5])])
    one, other = rectangles(drawn, "height")
    assert one == pytest.approx(2 * other, abs=0.2)
    tops = rectangles(drawn, " y")
    assert tops[1] == pytest.approx(tops[0] + one, abs=0.2)


def test_bars_are_as_long_as_their_numbers():
    drawn = bars("a", UP, [Bar("x", 0.2), Bar("y", 0.8, 0.05)])
    one, other = rectangles(drawn, "width")
    assert other == pytest.approx(4 * one, rel=0.01)
    assert drawn.count('class="spread ink"') == 1
    assert "80.0%" in drawn


def test_a_heatmap_marks_the_least_of_each_column():
    drawn = heatmap("a", ["p", "q"], ["fog_a", "noise"], [[0.1, 0.4], [0.3, None]], UP)
    page = Page(drawn)
    assert page.of("b") == ["10.0", "40.0"]
    assert page.of("td") == ["30.0", "–"]
    assert "fog a" in page.of("th")
    assert "class='h0'" in drawn
    assert "class='h9'" in drawn
    assert heatmap("a", ["p"], ["x"], [[None]], UP) == ""


def test_an_axis_of_zeros_reaches_a_point_of_percent_to_both_sides():
    assert (Axis("", percent=True).scale([0.0, 0.0], 0, 1).low, Axis("").scale([0.0], 0, 1).high) == (
        -0.01,
        1.0,
    )
