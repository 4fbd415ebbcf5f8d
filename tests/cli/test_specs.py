"""The commands about specifications, run as a user runs them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import taxo
from taxo.cli import main

MESSY = """method mine   # a name
  "What it is"
null eps=0
# the radius
param eps = 8/255 in {8/255}
perturb features by d { granularity sample   direction negative
  # the attack
  infer adversarial maximize loss within linf(eps), box via pgd(steps: 2, step: eps / 2) }
"""
WRONG = """method wrong
perturb logits by 0.1 * u {
  direction   negativ
  infer       prior
  granularity sampel
}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.taxo"
    path.write_text(MESSY)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.taxo"
    path.write_text(WRONG)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_has_a_line_for_each_shipped_method(capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "list")
    assert code == 0
    # a second perturbation has a line of its own, which is indented
    starts = [line for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert [line.split()[0] for line in starts] == taxo.methods()


@pytest.mark.parametrize(
    ("flag", "word", "some", "others"),
    [
        ("--target", "weights", {"damp", "sam"}, {"mixpert", "plain"}),
        ("--manner", "regularization", {"logpert"}, {"mixpert", "sam"}),
        ("--granularity", "corpus", {"damp", "logit_adjustment", "sam"}, {"logpert", "pgd_at"}),
    ],
)
def test_list_filters_by_coordinate(
    capsys: pytest.CaptureFixture[str], flag: str, word: str, some: set[str], others: set[str]
):
    _, out, _ = run(capsys, "list", "--json")
    _, kept, _ = run(capsys, "list", flag, word, "--json")
    listed = json.loads(out)
    found = [entry for entry in listed if word in entry[flag.removeprefix("--")]]
    assert json.loads(kept) == found
    names = {entry["name"] for entry in found}
    assert some <= names
    assert not others & names


def test_list_knows_what_a_method_uses(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "list", "--json")
    found = {entry["name"]: entry["target"] for entry in json.loads(out)}
    assert found["adversarial_label_smoothing_at"] == [*found["pgd_at"], *found["label_smoothing"]]


def test_list_knows_the_coordinates_of_a_mixed_target(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "list", "--json")
    (entry,) = [entry for entry in json.loads(out) if entry["name"] == "mixpert"]
    assert entry["target"] == ["features", "logits"]
    assert entry["direction"] == ["negative", "positive"]


def test_an_unknown_filter_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    code, _, err = run(capsys, "list", "--target", "logitz")
    assert code == 2
    assert "`--target` cannot be `logitz`" in err
    assert "did you mean `logits`?" in err


@pytest.mark.parametrize("name", taxo.methods())
def test_show_says_what_a_step_costs(capsys: pytest.CaptureFixture[str], name: str):
    code, out, _ = run(capsys, "show", name)
    assert code == 0
    assert "cost of a step:" in out
    assert str(taxo.load(name)).splitlines()[0] in out


def test_show_names_the_sources(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "metadistil")
    assert out.split("\n\n")[1].splitlines() == [
        "sources",
        *(f"  {one}" for one in taxo.load("metadistil").cite),
    ]


def test_show_sets_declared_beside_derived(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "label_smoothing")
    assert "granularity  sample    category" in out


def test_show_follows_a_variant(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "mixpert(eps: 8/255)")
    assert "6.25 F + 5.25 B" in out
    assert "on 85% of the rows" in out


def test_show_says_what_the_whole_method_infers(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "metadistil")
    assert "\n  infer meta over teacher minimize loss on validation via lookahead(" in out
    assert not [line for line in out.splitlines() if line.strip() == "infer"]


def test_show_says_what_acts_before_the_augmentation(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "fgsm+adversarial_flow")
    flow, attack = [line for line in out.splitlines() if "  writes x" in line]
    assert flow.endswith("writes x before it is augmented")
    assert attack.endswith("writes x")


def test_show_says_on_which_data_a_direction_is_claimed(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "dpl")
    assert "direction    positive on guide  -" in out


def test_show_says_what_happens_between_rounds(capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "show", "dpl")
    for line in (
        "every round append",
        "adds moved copies of samples, every round",
        "nothing acts in a step: it is the plain loss",
        "before each of 3 rounds but the first:",
        "1. guide: forward + backward on 5% of the data",
        "cost of a round: 1 F + 1.95 B of the data, ",
    ):
        assert line in out
    _, out, _ = run(capsys, "show", "dpl_replace(share: 0)")
    assert "nothing acts: the step is the plain loss" in out
    assert "rounds but the first" not in out


def test_check_is_quiet_about_what_is_fine(capsys: pytest.CaptureFixture[str], mine: Path):
    assert run(capsys, "check", str(mine)) == (0, f"{mine}: fine\n", "")


def test_check_finds_every_error_of_every_file(capsys: pytest.CaptureFixture[str], mine: Path, wrong: Path):
    code, out, err = run(capsys, "check", str(wrong), str(mine))
    assert code == 1
    assert f"{mine}: fine" in out
    assert f"{wrong}:3:15: error[T205]" in err
    assert "did you mean `negative`?" in err
    assert f"{wrong}:5:15: error[T205]" in err
    assert "did you mean `sample`?" in err


def test_check_json_is_for_editors(capsys: pytest.CaptureFixture[str], wrong: Path):
    code, out, _ = run(capsys, "check", str(wrong), "--json")
    assert code == 1
    first = json.loads(out)[0]
    assert (first["line"], first["column"], first["length"]) == (3, 15, len("negativ"))
    assert first["file"] == str(wrong)


def test_check_knows_variants(capsys: pytest.CaptureFixture[str]):
    assert run(capsys, "check", "polyloss(eps: 2)")[0] == 0
    code, _, err = run(capsys, "check", "polyloss(eps: 9)")
    assert code == 1
    assert "outside [0, 4]" in err


def test_fmt_rewrites_a_file_and_keeps_its_comments(capsys: pytest.CaptureFixture[str], mine: Path):
    assert run(capsys, "fmt", "--check", str(mine)) == (1, f"{mine} is not in canonical form\n", "")
    assert mine.read_text() == MESSY
    assert run(capsys, "fmt", str(mine))[0] == 0
    text = mine.read_text()
    for comment in ("# a name", "# the radius", "# the attack"):
        assert comment in text
    assert taxo.load(mine) == taxo.parse(MESSY)
    assert run(capsys, "fmt", "--check", str(mine)) == (0, "", "")


def test_fmt_leaves_a_broken_file_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    path = tmp_path / "broken.taxo"
    path.write_text("method broken perturb logits by {")
    assert run(capsys, "fmt", str(path))[0] == 1
    assert path.read_text() == "method broken perturb logits by {"


def test_emit_prints_the_program_that_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    from torch import nn

    _, out, _ = run(capsys, "emit", "sam")
    assert out == taxo.compile("sam", nn.Linear(4, 3), classes=3).source
    path = tmp_path / "program.py"
    assert run(capsys, "emit", "sam", "-o", str(path)) == (0, "", "")
    assert path.read_text() == out


def test_emit_prints_a_program_with_all_that_it_calls(capsys: pytest.CaptureFixture[str]):
    code, out, err = run(capsys, "emit", "sam", "--standalone")
    assert (code, err) == (0, "")
    assert out.endswith(run(capsys, "emit", "sam")[1].partition("rho = ")[2])
    assert not re.search(r"^(from|import) taxo", out, re.MULTILINE)


def test_emit_says_which_file_it_cannot_write(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    path = tmp_path / "no" / "program.py"
    code, _, err = run(capsys, "emit", "sam", "-o", str(path))
    assert code == 1
    assert f"error[T506]: `{path}` cannot be written" in err


@pytest.mark.parametrize(
    ("words", "message", "exit_code"),
    [
        (["show", "sma"], "did you mean `sam`?", 1),
        (["show", "mixpert(epz: 1)"], "did you mean `eps`?", 2),
        (["show", "nowhere.taxo"], "`nowhere.taxo` cannot be read", 1),
        (["emit", "mixpert+sma"], "did you mean `sam`?", 1),
    ],
)
def test_mistakes_are_messages(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str, exit_code: int
):
    code, _, err = run(capsys, *words)
    assert code == exit_code
    assert message in err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys)
    assert code == 2
    for command in ("list", "show", "check", "fmt", "emit", "train", "compare"):
        assert command in out


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m taxo show mixpert | head -1"
    found = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert found.stdout.startswith("mixpert")
    assert found.stderr == ""
