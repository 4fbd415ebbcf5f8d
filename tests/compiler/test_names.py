"""Names of a method never meet the names of its program: renaming changes no number."""

from __future__ import annotations

import builtins
import keyword
import re

import pytest
import torch
from torch import Tensor

import taxo
from taxo.compiler import compile_program
from taxo.language.vocabulary import CONSTANTS, FUNCTIONS, VALUES
from tests.fidelity.nets import CLASSES, SAMPLES, batch, mlp, weights

ATTACK = """{
  direction negative granularity sample
  infer adversarial maximize loss within linf(0.1), box via pgd(steps: 2, step: 0.05)
}"""
HARD = ATTACK.replace("{", "{ where not hard", 1)
LEARN = """{
  direction positive granularity sample
  infer regularization minimize loss + relu(PRICE) * l1(v) / 9 via joint(lr: PRICE)
}"""
CLIMB = """{
  direction negative granularity corpus
  infer adversarial maximize loss within l2(NAME) via linearized
}"""
PULL = """{
  direction positive granularity sample
  infer adversarial minimize loss within linf(1) via gradient(steps: 2, step: 1)
}"""
SCALE = "{ direction mixed infer prior granularity corpus }"

# NAME is renamed: a parameter, a let, a draw, an unknown, a branch, and the method itself.
TEXTS = {
    "parameter of an attack": "method m param NAME = 0.05 perturb features by d "
    + ATTACK.replace("0.05", "NAME / 2, start: uniform").replace("0.1", "NAME"),
    "parameter of a learned one": "method m param NAME = 2 perturb logits by v "
    + LEARN.replace("PRICE", "NAME"),
    "parameter of a climb": f"method m param NAME = 0.3 perturb weights by v {CLIMB}",
    "let": f"method m let NAME = clean.loss in top(25%) perturb features by d {HARD.replace('hard', 'NAME')}",
    "draw": "method m draw NAME ~ normal(0, 0.2) per batch like w "
    f"perturb weights by w * NAME {SCALE} perturb features by d {ATTACK}",
    "unknown": f"method m let hard = clean.loss in top(25%) perturb features by NAME {HARD}",
    "unknown of logits": f"method m perturb logits by NAME {PULL}",
    "branch": "method m branch NAME weight 0.4 { } "
    f"branch other weight 0.6 {{ perturb features by d {ATTACK} }}",
    "method": f"method NAME perturb logits by v {LEARN.replace('PRICE', '2')} perturb features by d {ATTACK}",
}
TAKEN = {*VALUES, *FUNCTIONS, *CONSTANTS}
# Words of the grammar that cannot be names.
WORDS = {
    "method",
    "cite",
    "null",
    "split",
    "param",
    "draw",
    "per",
    "like",
    "let",
    "branch",
    "weight",
    "perturb",
    "at",
    "by",
    "where",
    "direction",
    "infer",
    "within",
    "via",
    "granularity",
    "minimize",
    "maximize",
    "log",
    "or",
    "and",
    "not",
    "if",
    "else",
    "in",
}


def spelled(kind: str, name: str) -> str:
    return TEXTS[kind].replace("NAME", name)


def words_of(kind: str) -> list[str]:
    """Every identifier of the program, and what Python and the program take for granted."""
    program = compile_program(taxo.parse(spelled(kind, "neutral"))).text
    found = {word for word in re.findall(r"[A-Za-z_]\w*", program) if "neutral" not in word}
    builtin = {"abs", "max", "min", "next", "len", "float", "list", "sum", "print"} & set(dir(builtins))
    names = {
        *found,
        *builtin,
        *keyword.kwlist,
        "__class__",
        "_",
        "self",
        "Step",
        "Top",
        "Tensor",
        "math",
        "parts",
    }
    own = set(re.findall(r"\w+", TEXTS[kind]))
    return sorted(names - TAKEN - WORDS - own)


def numbers(text: str) -> list[Tensor]:
    model = mlp()
    step = taxo.compile(taxo.parse(text), model, classes=CLASSES, samples=SAMPLES, seed=3)
    found: list[Tensor] = []
    for seed in (1, 2):
        loss = step(*batch(seed=seed, dtype=torch.float32))
        found += [loss.detach(), *torch.autograd.grad(loss, weights(model))]
    return found


@pytest.mark.parametrize("kind", TEXTS)
def test_any_name_will_do(kind: str):
    expected, wrong = numbers(spelled(kind, "neutral")), list[str]()
    for name in words_of(kind):
        try:
            taxo.parse(spelled(kind, name))
        except taxo.TaxoError:
            continue  # refused with a message, which is as good
        try:
            found = numbers(spelled(kind, name))
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if not all(torch.equal(one, other) for one, other in zip(found, expected, strict=True)):
            wrong.append(f"{name}: other numbers")
    assert wrong == []
