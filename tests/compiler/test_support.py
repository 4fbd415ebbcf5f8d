"""What this version cannot run is said with its place, before anything is built; the rest runs."""

from pathlib import Path

import pytest
import torch

import taxo
from taxo.catalog import look, whole
from taxo.cli import main
from taxo.compiler import compile_program, lower, refusals, simplify
from taxo.language.errors import TaxoError

DRAFTS = sorted((Path(__file__).parents[1] / "language" / "methods").glob("*.taxo"))
each = pytest.mark.parametrize("path", DRAFTS, ids=lambda path: path.stem)
PERTURB = "method m {above} perturb {target} by {form} {{ direction mixed {infer} granularity {grain} }}"

CASES = [
    ("needs teacher", "labels", "0.1 * (softmax(teacher.u) - y)", "", "sample", "`needs teacher`"),
    ("param tau per category = 1", "logits", "tau[y] * u", "", "category", "the parameter `tau`"),
    ("param tau = log(C)", "logits", "tau * p", "", "sample", "the parameter `tau`"),
    ("state a per corpus = mean(p)", "logits", "a", "", "corpus", "the state `a`"),
    ("draw b ~ beta(1, 1) per batch", "logits", "b * u", "", "corpus", "a draw of `beta`"),
    ("draw b ~ normal(0, 1) per sample like u", "logits", "b", "", "sample", "a draw like this"),
    ("loss hinge", "logits", "p", "", "sample", "this base objective"),
    ("", "logits", "floor(u)", "", "sample", "the function `floor`"),
    ("", "loss", "l2(z)", "", "sample", "reading `z`"),
    ("", "features at z", "z", "", "corpus", "a site of `features`"),
    ("", "logits", "p", "during always", "sample", "`during always`"),
    ("branch a weight p[y] { }", "logits", "p", "", "sample", "a weight that reads the pass it weighs"),
    ("branch a weight 1 norm batch { }", "logits", "p", "", "sample", "a branch with norms of its own"),
    ("branch a on carry weight 1 { }", "logits", "p", "", "sample", "a branch on another batch"),
]
SOLVED = [
    ("logits", "linf(1)", "sign(step: 1)", "sample", "the solver `sign` on `logits`"),
    ("logits", "l1(1)", "pgd(2, 1)", "sample", "the set `l1` on `logits`"),
    ("logits", "linf(1), l2(1)", "pgd(2, 1)", "sample", "two bounded sets at once"),
    ("logits", "linf(1)", "pgd(2, 1, start: kept)", "sample", "this `start`"),
    ("logits", "linf(1)", "pgd(2, 1, simultaneous: true)", "sample", "this `simultaneous`"),
    ("logits", "linf(1)", "pgd(2, 1)", "category", "an unknown per category"),
    ("logits", "linf(clean.loss)", "pgd(2, 1)", "sample", "`radius` of this"),
    ("weights", "l2(1, each: tensor)", "linearized", "corpus", "this `each`"),
    ("weights", "l2(l2(w))", "linearized", "corpus", "`radius` of this"),
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
    assert f"{what} cannot be run in this version" in said(text)


@pytest.mark.parametrize(("target", "within", "via", "grain", "what"), SOLVED)
def test_what_a_search_asks_for(target: str, within: str, via: str, grain: str, what: str):
    infer = f"infer adversarial maximize ce(u, onehot(argmin(u))) within {within} via {via}"
    text = PERTURB.format(above="", target=target, form="v", infer=infer, grain=grain)
    assert f"{what} cannot be run in this version" in said(text)


@each
def test_a_draft_runs_or_says_what_does_not(path: Path):
    method = whole(look(str(path))[0])
    found = refusals(simplify(method))
    assert all(one.code == "T210" and one.span is not None for one in found)
    assert len({one.message for one in found}) == len(found)
    if not found:
        program = compile_program(method)
        compile(program.text, program.filename, "exec")


@each
def test_every_draft_has_a_graph_a_picture_and_a_page(path: Path, capsys: pytest.CaptureFixture[str]):
    assert lower(simplify(whole(look(str(path))[0]))).lines
    for command in ("show", "graph", "check"):
        assert main([command, str(path)]) == 0
    assert path.stem in capsys.readouterr().out


def test_idle_parts_ask_for_nothing():
    text = PERTURB.format(
        above="param a = 0", target="logits", form="a * floor(u)", infer="infer prior", grain="sample"
    )
    step = taxo.compile(taxo.parse(text), torch.nn.Linear(4, 3), classes=3)
    assert str(step.plan.cost) == "1 F + 1 B"


def test_check_warns_and_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "m.taxo"
    path.write_text(
        PERTURB.format(above="", target="logits", form="floor(u)", infer="infer prior", grain="sample")
    )
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "warning[T210]: the function `floor` cannot be run in this version" in out
    assert f"{path}: fine" in out
