"""`taxo list --lattice`: every place of the taxonomy, who stands there, and which are free."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import pytest

import taxo
from taxo.catalog import whole
from taxo.cli import main
from taxo.cli.catalogue import catalogue
from taxo.cli.entries import Coordinates, Entry
from taxo.cli.lattice import FREE, Cell, lattice, lattice_text
from taxo.language.vocabulary import DIRECTIONS, GRAINS, MANNERS, TARGETS

WIDE = str(20 + 4 * max(map(len, taxo.methods())))  # no name is broken
PLACES = list(product(TARGETS, MANNERS, GRAINS))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["list", "--lattice", *words]) == 0
    return capsys.readouterr().out


def cells(capsys: pytest.CaptureFixture[str], *words: str) -> dict[tuple[str, str, str], list[str]]:
    found = json.loads(run(capsys, "--json", *words))
    return {(one["target"], one["manner"], one["granularity"]): one["methods"] for one in found}


def read(text: str) -> dict[tuple[str, str, str], list[str]]:
    """The cells of a printed table, by its columns."""
    head, *lines = text.split("\n\n")[0].splitlines()
    grains = head.split()
    starts = [head.index(grain) for grain in grains]
    found: dict[tuple[str, str, str], str] = {}
    target = manner = ""
    for line in lines:
        first = line[: starts[0]]
        if not first.startswith(" "):
            target = first.strip()
            continue
        manner = first.strip() or manner
        for grain, start, end in zip(grains, starts, [*starts[1:], None], strict=True):
            key = (target, manner, grain)
            found[key] = f"{found.get(key, '')} {line[start:end].strip()}".strip()
    return {key: said.replace(FREE, "").replace(",", " ").split() for key, said in found.items()}


def many(count: int) -> list[Entry]:
    """Entries with long names that crowd some places and leave others free."""
    stems = ["plain", "adversarial_label_smoothing", "esp", "online_label_smoothing", "meta_universal_patch"]
    found = []
    for number in range(count):
        target, manner, grain = PLACES[number * number % len(PLACES)]
        other = PLACES[(3 * number + 1) % len(PLACES)]
        direction = list(DIRECTIONS)[number % len(DIRECTIONS)]
        places = (
            Coordinates(target, direction, manner, (grain,)),
            Coordinates(other[0], "mixed", other[1], ("corpus", "sample")),
        )
        name = f"{stems[number % len(stems)]}_{number}"
        found.append(
            Entry(name, f"What method {number} is, at some length", "", (), places[: 1 + number % 2])
        )
    return found


def test_each_shipped_method_stands_in_exactly_its_places(capsys: pytest.CaptureFixture[str]):
    found = cells(capsys)
    assert list(found) == PLACES
    for name in taxo.methods():
        method = whole(taxo.load(name))
        overall = [infer.manner.text for infer in method.infers]
        assert len(set(overall)) <= 1  # else a perturbation's manner is that of what it reads
        declared = {
            (item.target.text, item.infer.manner.text or overall[0], word.text)
            for item in method.perturbations()
            for word in item.granularity
        }
        assert {place for place, methods in found.items() if name in methods} == declared


def test_a_mixed_target_is_not_spread_over_the_product():
    places = (
        Coordinates("features", "mixed", "adversarial", ("sample",)),
        Coordinates("labels", "mixed", "prior", ("corpus",)),
    )
    found = lattice([Entry("both", "", "", (), places)], {})
    taken = [(cell.target, cell.manner, cell.granularity) for cell in found if cell.methods]
    assert taken == [("features", "adversarial", "sample"), ("labels", "prior", "corpus")]


def test_the_table_says_what_json_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", WIDE)
    assert read(run(capsys)) == cells(capsys)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_table_of_many_methods_fits(width: int):
    entries = many(80)
    found = lattice(entries, {})
    text = lattice_text(found, entries, width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 120:  # three columns of the longest names; below that, some are broken
        assert read(text) == {(one.target, one.manner, one.granularity): list(one.methods) for one in found}
    letters = Counter(text.replace("\n", "").replace(" ", ""))
    for sign in "0123456789_":
        assert letters[sign] == sum(name.count(sign) for cell in found for name in cell.methods)


def test_free_places_are_seen():
    text = lattice_text(lattice([], {}), [], 100)
    assert text.count(FREE) == len(PLACES)


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (["--target", "logits"], ("logits", None, None)),
        (["--manner", "adversarial"], (None, "adversarial", None)),
        (["--granularity", "corpus", "--target", "weights"], ("weights", None, "corpus")),
    ],
)
def test_filters_leave_their_places_alone(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    kept: tuple[str | None, ...],
):
    monkeypatch.setenv("COLUMNS", WIDE)
    whole, found = cells(capsys), cells(capsys, *flags)
    fits = [
        place for place in PLACES if all(word in (None, own) for word, own in zip(kept, place, strict=True))
    ]
    assert found == {place: whole[place] for place in fits}
    assert read(run(capsys, *flags)) == found


def test_a_search_keeps_to_the_methods_found(capsys: pytest.CaptureFixture[str]):
    found = cells(capsys, "polyloss")
    assert {name for methods in found.values() for name in methods} == {"polyloss"}


def test_what_perturbs_nothing_is_said_below(capsys: pytest.CaptureFixture[str]):
    still = [name for name in taxo.methods() if not list(whole(taxo.load(name)).perturbations())]
    assert "plain" in still
    said = " ".join(run(capsys).split("\n\n")[1].split())
    assert said == f"in no place, as nothing is perturbed: {', '.join(still)}"
    assert "in no place" not in run(capsys, "--target", "weights")


def test_a_cell_as_json():
    cell = Cell("labels", "prior", "sample", ("one", "two"))
    assert cell.to_json() == {
        "target": "labels",
        "manner": "prior",
        "granularity": "sample",
        "methods": ["one", "two"],
    }


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_catalogue_of_many_methods_fits(width: int):
    entries = many(80)
    lines = catalogue(entries, width).splitlines()
    assert max(map(len, lines)) <= width
    starts = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    assert starts == [one.name for one in entries]


def test_the_catalogue_has_a_line_for_each_method_where_there_is_room():
    entries = many(10)
    lines = catalogue(entries, 200).splitlines()
    assert len(lines) == 11
    assert " + " in lines[2]
    assert lines[2].endswith(entries[1].title)


def test_titles_are_cut_with_an_ellipsis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.endswith("…") for line in lines)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list"]) == 0
    assert "…" not in capsys.readouterr().out


def test_what_reads_the_list_through_a_pipe_has_a_line_for_each_method(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == taxo.methods()
    assert not any(line.endswith("…") for line in lines)
