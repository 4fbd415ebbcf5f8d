"""The table in its four forms."""

from __future__ import annotations

import csv
import json
from io import StringIO

from rich.console import Console

from taxo.training.summary import Estimate, Row
from taxo.training.table import shown, to_csv, to_json, to_markdown, to_rich

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
