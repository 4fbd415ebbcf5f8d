"""The table in its four forms."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO

from rich.console import Console

from taxo.training.summary import Estimate, Row, Shown
from taxo.training.table import column_tables, shown, to_csv, to_json, to_latex, to_markdown, to_rich

ROWS = [
    Row("plain", "1 F + 1 B", Estimate(0.748, 0.011, 5), Estimate(0.86, 0.01, 5), None, 0.0123, 5, 0),
    Row(
        "a variant(eta: 4, pro: 45%, [a|b])" * 2,
        "11 F + 11 B",
        Estimate(0.98, 0.002, 5),
        None,
        Estimate(0.232, 0.01, 5),
        0.05,
        5,
        2,
    ),
]


def drawn(width: int) -> str:
    console = Console(width=width, file=StringIO())
    console.print(to_rich(ROWS, "digits", width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_numbers_are_percent_with_their_errors():
    assert shown(Estimate(0.7481, 0.0114, 5)) == "74.8 ± 1.1"
    assert shown(Estimate(0.748, None, 5)) == "74.8"
    assert shown(None) == "–"
    assert shown(Estimate(0.02, 0.004, 5), signed=True) == "+2.0 ± 0.4 *"
    assert shown(Estimate(-0.01, 0.006, 5), signed=True) == "-1.0 ± 0.6"


def test_a_pipe_of_100_columns_holds_every_number():
    text = drawn(100)
    assert max(map(len, text.splitlines())) <= 100
    for number in ("74.8 ± 1.1", "98.0 ± 0.2", "+23.2 ± 1.0 *", "86.0 ± 1.0", "0.012", "11 F + 11 B"):
        assert number in text
    assert "\x1b" not in text


def test_the_users_own_brackets_are_no_markup():
    assert "[a|b]" in drawn(200)


def test_markdown_has_one_line_per_method():
    lines = to_markdown(ROWS, "digits").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert table[2] == "| plain | 74.8 ± 1.1 | – | 86.0 ± 1.0 | 0.012 | 1 F + 1 B |"
    assert "| **98.0 ± 0.2** | +23.2 ± 1.0 * |" in table[3]
    assert "[a\\|b]" in table[3]
    assert "(2 of 5 failed)" in table[3]
    assert any("standard error of 5 seeds" in line for line in lines)


def test_csv_has_every_digit():
    first, second = csv.DictReader(StringIO(to_csv(ROWS)))
    assert (first["method"], first["test"], first["test_error"]) == ("plain", "0.748", "0.011")
    assert (first["difference"], first["difference_error"]) == ("", "")
    assert (second["difference"], second["failed"], second["passes"]) == ("0.232", "2", "11 F + 11 B")


def test_json_names_the_baseline():
    found = json.loads(to_json(ROWS, "runs/a"))
    assert found["baseline"] == "plain"
    assert found["rows"][1]["test"] == {"mean": 0.98, "error": 0.002, "runs": 5}


def test_a_narrow_terminal_has_no_best_column():
    assert "best" in drawn(100)
    narrow = drawn(80)
    assert "best" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


SHOWN = [
    [Shown(f"number {place} %", Estimate(0.5, 0.01, 5), None) for place in range(7)],
    [
        Shown("number 0 %", Estimate(0.6, 0.01, 5), Estimate(0.1, 0.01, 5)),
        Shown("number 1 %", Estimate(0.51, 0.01, 5), Estimate(0.01, 0.01, 5)),
        *(Shown(f"number {place} %", None, None) for place in range(2, 6)),
        Shown("number 6", Estimate(3.14159, 0.5, 5), None, percent=False),
    ],
]
ASKED = [replace(row, columns=tuple(found)) for row, found in zip(ROWS, SHOWN, strict=True)]


def test_further_columns_stand_before_the_costs():
    lines = to_markdown(ASKED, "digits", note="What they are.").splitlines()
    table = [line.split(" | ") for line in lines if line.startswith("|")]
    assert len({len(line) for line in table}) == 1
    assert table[0][4:6] == ["number 0 %", "number 1 %"]
    assert table[0][-2:] == ["s / epoch", "passes |"]
    # the star is for a difference beyond noise
    assert table[3][4:6] == ["**60.0 ± 1.0** *", "**51.0 ± 1.0**"]
    assert table[3][6] == "–"
    assert table[3][10] == "**3.142 ± 0.500**"
    assert lines[-1].startswith("What they are. *: the difference to plain")


def test_further_columns_share_as_many_tables_as_they_need():
    for width in (60, 80, 100):
        console = Console(width=width, file=StringIO())
        for table in column_tables(ASKED, width, "[What they are.]"):
            console.print(table)
        assert isinstance(console.file, StringIO)
        text = console.file.getvalue()
        assert max(map(len, text.splitlines())) <= width
        assert all(f"number {place} %" in text for place in range(7))
        assert "60.0 ± 1.0 *" in text
        assert text.count("[What they are.]") == 1
    assert column_tables(ROWS) == []


def test_further_columns_of_a_csv_have_their_differences():
    _, second = csv.DictReader(StringIO(to_csv(ASKED)))
    assert (second["number_0"], second["number_0_error"]) == ("0.6", "0.01")
    assert (second["number_0_difference"], second["number_0_difference_error"]) == ("0.1", "0.01")
    assert second["number_2"] == ""
    assert second["passes"] == "11 F + 11 B"


def test_further_columns_are_in_the_json():
    found = json.loads(to_json(ASKED, "runs/a"))["rows"][1]["columns"]
    assert found[0]["difference"] == {"mean": 0.1, "error": 0.01, "runs": 5}


def test_less_is_better_where_a_column_says_so():
    rows = [
        replace(row, columns=(Shown("ECE %", Estimate(value, 0.01, 5), None, lower=True),))
        for row, value in zip(ROWS, (0.02, 0.05), strict=True)
    ]
    table = [line.split(" | ") for line in to_markdown(rows, "digits").splitlines() if line.startswith("|")]
    assert (table[2][4], table[3][4]) == ("**2.0 ± 1.0**", "5.0 ± 1.0")


def test_latex_holds_the_same_numbers():
    lines = to_latex(ASKED, "digits").splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 3
    assert len({line.count(" & ") for line in rows}) == 1
    assert r"\textbf{98.0 $\pm$ 0.2}" in rows[2]
    assert r"\textbf{60.0 $\pm$ 1.0 $^{*}$}" in rows[2]
    assert r"a variant(eta: 4, pro: 45\%, [a|b])" in rows[2]
    assert lines[1].count("r") - lines[1].count("tabular") == rows[0].count(" & ") - 1
    assert all(line.startswith("%") for line in lines if "seeds" in line)
