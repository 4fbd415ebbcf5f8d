"""What this version cannot run is said with its place, before anything is built; the rest runs."""

from pathlib import Path

import pytest
import torch

import taxo
from taxo.cli import main
from taxo.compiler import compile_program
from taxo.language.errors import TaxoError

PERTURB = "method m {above} perturb {target} by {form} {{ direction mixed {infer} granularity {grain} }}"

CASES = [
    ("state a per corpus = mean(p) every round", "logits", "a", "", "corpus", "a state of every round"),
    ("state a per corpus = mean(p) from mean_batch(p)", "logits", "a", "", "corpus", "this first value"),
    (
        "draw r ~ uniform(0, 1) per batch loss hinge(r)",
        "logits",
        "p",
        "",
        "sample",
        "what is computed beside",
    ),
    ("", "loss", "lid(z, mean_batch(loss))", "", "sample", "`lid` of this number"),
    ("", "weights", "mean(w) * w", "", "corpus", "`mean` of the weights"),
    ("branch a on carry weight 1 { }", "logits", "p", "", "sample", "a method on the previous batch alone"),
]
SOLVED = [
    ("features", "l1(1)", "closed_form", "sample", "a closed form of this"),
    (
        "features",
        "linf(1)",
        "sign(1, start: zero, simultaneous: true)",
        "corpus",
        "`simultaneous` without a kept",
    ),
    (
        "features",
        "linf(1)",
        "sign(1, start: kept, simultaneous: true)",
        "corpus",
        "this goal, `simultaneous: true`,",
    ),
    ("features", "linf(clean.loss)", "pgd(2, 1)", "category", "`radius` of each sample"),
    ("features", "box", "pgd(2, 1)", "category", "`pgd` without a set that bounds `v`"),
    ("weights", "linf(1)", "pgd(2, 1, start: kept)", "corpus", "this start of a search in the weights"),
]


def said(text: str) -> list[str]:
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(text))
    assert all(one.code == "T210" and one.span and one.help for one in raised.value.diagnostics)
    return [one.message for one in raised.value.diagnostics]


@pytest.mark.parametrize(("above", "target", "form", "clause", "grain", "what"), CASES)
def test_what_a_form_asks_for(above: str, target: str, form: str, clause: str, grain: str, what: str):
    infer = f"{clause} infer prior"
    text = PERTURB.format(above=above, target=target, form=form, infer=infer, grain=grain)
    assert any(one.startswith(what) for one in said(text))


@pytest.mark.parametrize(("target", "within", "via", "grain", "what"), SOLVED)
def test_what_a_search_asks_for(target: str, within: str, via: str, grain: str, what: str):
    infer = f"infer adversarial maximize ce(u, onehot(argmin(u))) within {within} via {via}"
    text = PERTURB.format(above="", target=target, form="v", infer=infer, grain=grain)
    assert any(one.startswith(what) for one in said(text))


HELD = """method m needs validation param t = 1
perturb logits by t * u {{ direction mixed granularity corpus }}
infer meta over t minimize loss on validation via {via}"""


def test_what_is_learned_on_held_out_data():
    found = said(HELD.format(via="influence(step: 1)"))
    assert [one.split(" cannot")[0] for one in found] == ["an `infer meta` of the whole method"]


def test_idle_parts_ask_for_nothing():
    text = PERTURB.format(
        above="param a = 0", target="weights", form="a * mean(w)", infer="infer prior", grain="corpus"
    )
    step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
    assert str(step.plan.cost) == "1 F + 1 B"


def test_check_warns_and_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "m.taxo"
    path.write_text(
        PERTURB.format(above="", target="weights", form="mean(w) * w", infer="infer prior", grain="corpus")
    )
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "warning[T210]: `mean` of the weights cannot be run in this version" in out
    assert f"{path}: fine" in out
