"""`taxo card`, the pages of the shipped methods, and the notes that they are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

import taxo
from taxo.catalog import whole
from taxo.cli import main
from taxo.cli.card_pages import card_pages
from taxo.cli.entries import entry
from taxo.cli.law_pages import known_pairs
from taxo.cli.notes import FOLDER, HEADINGS, notes_of, read
from taxo.language.vocabulary import MANNERS, TARGETS
from taxo.resources import method_notes

ROOT = Path(__file__).parents[2]
NOTES = sorted((ROOT / FOLDER).glob("*.md"))
OWN = """method mine
  "A method of one's own"
  "Move the logits a little."
null lam = 0

param lam = 0.1 in [0.01, 1] log

# Not yet a paper.
perturb logits by -lam * u {
  direction   mixed
  infer       prior
  granularity sample
}
"""


def card(capsys: pytest.CaptureFixture[str], reference: str) -> str:
    assert main(["card", reference]) == 0
    return capsys.readouterr().out


def sections(text: str) -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading: part.strip() for heading, part in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return card_pages()


@pytest.mark.parametrize("name", taxo.methods())
def test_a_shipped_method_has_notes_and_a_card_of_all_sections(made: dict[str, str], name: str):
    notes = notes_of(name)
    assert notes is not None
    found = sections(made[f"docs/methods/{name}.md"])
    assert list(found) == [
        *("Formula", "Coordinates", "Specification", "Plan and cost", "Parameters", "Paper and code"),
        *("Known good settings", "How it was checked", "With other methods", "Citation"),
    ]
    assert (ROOT / "methods" / f"{name}.taxo").read_text(encoding="utf-8") in found["Specification"]
    for text, heading in (
        (notes.defaults, "Parameters"),
        (notes.differences, "Paper and code"),
        (notes.checks, "How it was checked"),
    ):
        assert text in found[heading]


def test_the_printed_card_is_the_page(capsys: pytest.CaptureFixture[str], made: dict[str, str]):
    assert card(capsys, "sam") == made["docs/methods/sam.md"]


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_notes_are_whole_and_say_what_a_method_does_in_three_sentences(path: Path):
    notes = read(path.read_text(encoding="utf-8"), path.name)
    assert len(re.findall(r"[.?!](?=\s|$)", notes.what)) == 3
    assert path.stem in taxo.methods()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.md: the headings are none, and should be `What it does`"),
        ("## Sources\n\nnone", "a.md: the headings are `Sources`"),
        ("\n".join(f"## {one}\n\ntext" for one in HEADINGS[::-1]), "the headings are `How it was checked`"),
        ("\n".join(f"## {one}\n\n" for one in HEADINGS), "a.md: nothing is under `What it does`"),
        ("text\n" + "\n".join(f"## {one}\n\ntext" for one in HEADINGS), "a.md: the first line is no heading"),
    ],
)
def test_incomplete_notes_are_refused(text: str, message: str):
    with pytest.raises(ValueError, match="^" + re.escape(message) if message.startswith("a.md") else message):
        read(text, "a.md")


def test_pages_are_not_made_without_notes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "taxo.cli.notes.method_notes", lambda name: None if name == "sam" else method_notes(name)
    )
    with pytest.raises(ValueError, match=r"`sam` has no notes: write docs/methods/notes/sam\.md"):
        card_pages()


def test_a_method_of_ones_own_has_a_card_of_what_is_derived(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    path = tmp_path / "mine.taxo"
    path.write_text(OWN)
    text = card(capsys, str(path))
    found = sections(text)
    assert text.startswith("# A method of one's own: `mine`\n\nMove the logits a little.\n\n## Formula\n")
    assert OWN in found["Specification"]
    assert r"u &\leftarrow u - \lambda \, u && \text{logits}" in found["Formula"]
    assert "| `lam` | `0.1` | `[0.01, 1] log` | `0` |" in found["Parameters"]
    assert "| | derived | – | prior | corpus |" in found["Coordinates"]
    assert "cost of a step: 1 F + 1 B" in found["Plan and cost"]
    assert "taxo train 'mine+NAME'" in found["With other methods"]
    assert "Known good settings" not in found


def test_a_variant_keeps_its_comments_and_shows_its_values(capsys: pytest.CaptureFixture[str]):
    found = sections(card(capsys, "mixpert(eps: 8/255)"))
    assert "param eps = 8 / 255 " in found["Specification"]
    assert "# One step from the logits" in found["Specification"]
    assert "cost of a step: 6.25 F + 5.25 B" in found["Plan and cost"]
    assert "- with `eps: 0`: 1 F + 1 B" in found["Plan and cost"]
    assert "- with `pro: 50%`: 4.5 F + 3.5 B" in found["Plan and cost"]


def test_a_composition_names_whose_each_letter_is(capsys: pytest.CaptureFixture[str]):
    found = sections(card(capsys, "damp+sam"))
    assert r"{\sigma}^{\mathrm{damp}} \, w \, {\xi}^{\mathrm{damp}}" in found["Formula"]
    assert "use damp\nuse sam" in found["Specification"]
    assert "With other methods" not in found


def test_what_cannot_run_has_a_card(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = tmp_path / "m.taxo"
    file.write_text(
        "method m\nneeds validation\nparam t = 1\n"
        "perturb weights by t * mean(w) { direction mixed granularity corpus }\n"
        "infer meta over t minimize loss on validation via lookahead(lr: 1)\n"
    )
    found = sections(card(capsys, str(file)))
    assert "none in this version" in found["Plan and cost"]
    assert "- `validation`: a loader of held-out data" in found["Parameters"]


def test_laws_that_do_not_apply_are_said_with_their_reason(made: dict[str, str]):
    found = sections(made["docs/methods/damp.md"])["How it was checked"]
    assert "these [laws](../laws.md): null," in found
    assert "- accumulate: `xi` is drawn once for the batch (line 12)" in found
    assert "- accumulate" not in made["docs/methods/label_smoothing.md"]


def test_what_the_checker_says_of_pairs_is_on_both_cards(made: dict[str, str]):
    for pair in known_pairs():
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            lines = sections(made[f"docs/methods/{one}.md"])["With other methods"].splitlines()
            said = {line[3:7] for line in lines if line.startswith("- [") and f"`{other}`" in line}
            assert said == set(pair.codes)


def table(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_the_index_has_every_method_in_its_places(made: dict[str, str]):
    found = sections(made["docs/methods/README.md"])
    head, _, *rows = table(found["By what is perturbed and how that is found"])
    assert head[1:] == list(TARGETS)
    assert [row[0] for row in rows] == list(MANNERS)
    for name in taxo.methods():
        for place in entry(whole(taxo.load(name))).perturbations:
            (row,) = [row for row in rows if row[0] == place.manner]
            assert f"[`{name}`]({name}.md)" in row[head.index(place.target)]
    _, _, *lines = table(found["By name"])
    assert [line[0] for line in lines] == [f"[`{name}`]({name}.md)" for name in taxo.methods()]
    costs = {line[0]: line[4] for line in lines}
    assert costs["[`pgd_at`](pgd_at.md)"] == "11 F + 11 B"


def test_a_terminal_gets_signs_and_no_marks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.console.Console", terminal)
    out = re.sub(r"\x1b\[[\d;]*m", "", card(capsys, "logpert"))
    assert "v = arg min ℓ + λ · ‖v‖₁  (via joint)" in out
    assert not {"```", "\\lambda", "## "} & {mark for mark in ("```", "\\lambda", "## ") if mark in out}


def terminal(*words: Sequence[object]) -> Console:
    return Console(width=100, force_terminal=True)
