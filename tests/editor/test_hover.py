"""What the word at a place means."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taxo.catalog import shipped, source_of
from taxo.editor.document import Document
from taxo.editor.hover import hover
from taxo.editor.references import file_of
from taxo.editor.tokens import start, tokens
from taxo.editor.words import details, meaning, signature, tables
from taxo.language.lexer import keywords
from taxo.language.vocabulary import CLAUSES
from tests.editor.words import OPTION_WORDS

Marked = Callable[[str], tuple[Document, int]]
TEXT = """method mine
param eps = 8/255 in [0, 1]  # the radius
param start = zero in {zero, uniform}
draw xi ~ uniform(0, eps) per sample
let hard = clean.loss in top(25%)
branch left weight 0.5 {
  perturb features by d {
    direction   negative
    infer       adversarial maximize loss + l2(d) within l2(eps), box via pgd(2, step: eps, start: uniform)
    granularity sample
  }
}
"""


def said(text: str, marked: Marked) -> str:
    found = hover(*marked(text))
    return found.text if found else ""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("  per", "turb features", "`perturb`\n\nadds its form to a value"),
        ("perturb fea", "tures", "`features` (target)\n\nthe model's input\n\n- changes `x`: like x"),
        ("direction   ", "negative", "`negative` (direction)\n\nraises the loss"),
        ("infer       a", "dversarial", "`adversarial` (manner)\n\nan unknown held inside a bounded set"),
        ("granularity ", "sample", "`sample` (granularity)\n\nevery sample has a value of its own"),
        ("per ", "sample", "`sample` (scope of a draw)\n\none draw per sample"),
        ("maximize ", "loss", "`loss` (value)\n\nthe loss of each sample\n\n- one number per sample"),
        ("clean.", "loss", "`loss` (value)"),
        ("loss + ", "l2(d)", "`l2(e)` (function)\n\nthe Euclidean norm"),
        ("within ", "l2(eps)", "`l2(radius, each: all)` (set)\n\nEuclidean norm at most the radius"),
        ("l2(eps), b", "ox", "`box(low: 0, high: 1)` (set)"),
        ("via ", "pgd(", "`pgd(steps, step, start: zero, "),
        ("pgd(2, ", "step:", "`step`: the length of a step; a number from 0; required\n\noption of `pgd`"),
        (
            "step: eps, ",
            "start:",
            "`start`: where the search starts",
        ),
        ("start: ", "uniform)", "`start`: where the search starts"),
        (
            "~ ",
            "uniform(",
            "`uniform(low, high)` (distribution)\n\nall values between two ends",
        ),
        ("in ", "top(25%)", "`top` (group)\n\nthe share of the batch"),
        ("within l2(", "eps)", "```taxo\nparam eps = 8/255 in [0, 1]\n```"),
        ("let ", "hard", "```taxo\nlet hard = clean.loss in top(25%)\n```"),
        ("draw ", "xi ~", "```taxo\ndraw xi ~ uniform(0, eps) per sample\n```"),
        ("branch ", "left", "```taxo\nbranch left weight 0.5\n```"),
        ("l2(", "d)", "`d`\n\nthe unknown of this perturbation"),
        ("features by ", "d {", "`d`\n\nthe unknown of this perturbation"),
        ("perturb features by d {\n    ", "direction", "`direction`\n\nwhether it lowers or raises"),
        ("eps = ", "8/255", ""),
        ("top(25", "%)", ""),
        ("# the ", "radius", ""),
        ("weight 0.5 ", "{", ""),
    ],
)
def test_hover_on(before: str, after: str, expected: str, marked: Marked):
    assert TEXT.count(before + after) >= 1
    found = said(TEXT.replace(before + after, f"{before}|{after}", 1), marked)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


WIDE = """method wide
needs teacher, views(3)
loss mse + l1(w)
param net = mlp(3, 8, 1)
state seen per category = mean(p, where: correct) every epoch from loss
infer meta over net minimize loss on validation via lookahead(lr: lr, optimizer: adam(0.1))
perturb loss by teacher.p[y] + view(2) { every round append }
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("needs ", "teacher", "`teacher` (need)\n\nanother model"),
        ("teacher, ", "views(", "`views(count)` (need)"),
        ("views(3)\n", "loss", "`loss`\n\nthe base objective"),
        ("loss ", "mse", "`mse` (objective)"),
        ("= ", "mlp(", "`mlp(e, e, e)` (function)"),
        ("per ", "category", "`category` (granularity)"),
        ("= ", "mean(", "`mean(where, last)` (form of a state)\n\nthe mean of all that was seen"),
        ("p, ", "where", "`where`: only of the samples where this holds; a condition; may be left out"),
        ("every ", "epoch", "`epoch` (period)"),
        ("from ", "loss", "`loss` (value)"),
        ("over ", "net", "```taxo\nparam net = mlp(3, 8, 1)\n```"),
        ("on ", "validation", "`validation` (held-out set)"),
        ("lr: ", "lr,", "`lr` (value)"),
        ("(", "lr: lr", "`lr`: the step size of the virtual steps"),
        ("optimizer: ", "adam", "`adam(lr)` (optimizer)"),
        ("perturb ", "loss", "`loss` (target)"),
        ("by ", "teacher.", "`teacher` (value)\n\nthe teacher's pass\n\n- only with `needs teacher`"),
        ("teacher.", "p[y]", "`p` (value)"),
        ("+ ", "view(2)", "`view(e)` (function)"),
        ("{ every ", "round", "`round` (round)"),
        ("round ", "append", "`append` (amendment)"),
    ],
)
def test_hover_on_a_wider_method(before: str, after: str, expected: str, marked: Marked):
    found = said(WIDE.replace(before + after, f"{before}|{after}", 1), marked)
    assert found.startswith(expected)


def test_the_methods_own_name_shows_its_card(marked: Marked):
    text = source_of("pgd_at").text.replace("method pgd_at", "method pgd|_at")
    assert said(text, marked) == (
        "**pgd_at**: Adversarial training by projected gradient descent\n\n"
        "Train on the images that raise the loss most within a small distance of the given ones.\n\n"
        "*Madry et al. 2018, Towards deep learning models resistant to adversarial attacks, Eq. 2.1*\n\n"
        "| | | direction | manner | granularity |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `features by d` | declared | negative | adversarial | sample |\n"
        "| | derived | negative | adversarial | sample |"
    )


def test_a_card_of_a_method_with_mistakes_derives_nothing(marked: Marked):
    text = source_of("pgd_at").text.replace("method pgd_at", "method |pgd_at").replace("negative", "negativ")
    assert "declared" in said(text, marked)
    assert "derived" not in said(text, marked)


def test_a_method_that_cannot_be_read_has_no_card(marked: Marked):
    assert said('method mi|ne "', marked) == ""


def test_another_methods_name_shows_its_card(marked: Marked):
    assert said("method mine use s|am", marked).startswith("**sam**: Sharpness-aware minimisation")
    assert said("method mine use no|thing", marked) == ""
    assert file_of("sam", Document("")) is not None


def test_a_file_that_is_no_text_has_no_card(tmp_path: Path):
    (tmp_path / "near.taxo").write_bytes(b"\xff\xfe")
    assert hover(Document("method mine use near", tmp_path / "mine.taxo"), 17) is None


@pytest.mark.parametrize("name", shipped())
def test_every_name_of_every_method_means_something(name: str):
    document = Document(source_of(name).text)
    for token in tokens(document.text):
        if token.type == "NAME" and str(token) not in OPTION_WORDS:
            assert hover(document, start(token)), token


def test_every_word_of_the_grammar_has_a_meaning():
    assert set(CLAUSES) == set(keywords())


@pytest.mark.parametrize("kind", tables())
def test_every_word_of_the_vocabulary_can_be_described(kind: str):
    for word, row in tables()[kind].items():
        assert signature(word, row).startswith(word)
        assert meaning(row)
        assert all(details(row))
