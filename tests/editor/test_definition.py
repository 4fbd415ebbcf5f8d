"""Where a name is declared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taxo.editor.definition import Definition, define
from taxo.editor.document import Document
from taxo.resources import methods_folder

Marked = Callable[[str], tuple[Document, int]]
TEXT = """method mine
null eps = 0
param eps = 8/255
param step = 1
let loss_of = eps * 2
perturb features by eps * d {
  infer adversarial maximize loss_of within linf(eps) via pgd(steps: 2, step: step)
}
perturb logits by v + v {
  infer regularization minimize loss + l1(v) via joint(lr: eps)
}
"""


def lines(found: Definition | None) -> str | None:
    return None if found is None else TEXT[found.start : TEXT.index("\n", found.start)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("null ", "eps", "eps = 8/255"),
        ("linf(e", "ps)", "eps = 8/255"),
        ("lr: eps", ")", "eps = 8/255"),
        ("maximize ", "loss_of", "loss_of = eps * 2"),
        ("step: ", "step)", "step = 1"),
        ("eps * ", "d {", "d {"),
        ("l1(", "v)", "v + v {"),
        ("v + ", "v {", "v + v {"),
        ("2, ", "step: step", None),
        ("method ", "mine", None),
        ("perturb ", "logits", None),
        ("via ", "joint", None),
        ("linf(eps", ") via", "eps = 8/255"),
        ("minimize ", "loss +", None),
        ("", "perturb logits", None),
    ],
)
def test_the_definition_of(before: str, after: str, expected: str | None, marked: Marked):
    assert lines(define(*marked(TEXT.replace(before + after, f"{before}|{after}", 1)))) == expected


def test_the_unknown_of_another_perturbation_is_not_this_ones(marked: Marked):
    assert define(*marked(TEXT.replace("l1(v)", "l1(|d)"))) is None


def test_a_shipped_method_is_in_its_file(marked: Marked):
    found = define(*marked("method mine use pl|ain"))
    assert found == Definition(0, 0, methods_folder() / "plain.taxo")


def test_a_method_beside_the_file_is_found(tmp_path: Path):
    near = tmp_path / "near.taxo"
    near.write_text("method near")
    assert define(Document("method mine use near", tmp_path / "mine.taxo"), 18) == Definition(0, 0, near)
    assert define(Document("method mine use near"), 18) is None
