"""Every file here is wrong: its last comments say where, and with which code."""

import re
from functools import cache
from pathlib import Path

import pytest

from taxo.catalog import examine
from taxo.language.errors import CODES, Diagnostic, TaxoError
from taxo.language.source import Source

FILES = sorted(Path(__file__).parent.glob("*.taxo"))
EXPECTED = re.compile(r"^# (error|note|warning): (\d+):(\d+) (T\d{3})$", re.MULTILINE)
# The compiler says T210; a `use` clause can name a parameter that is none.
BY_SPEC = {code for code in CODES if code < "T4"} - {"T210"} | {"T403"}

# The whole message where its wording matters: file, what is wrong, what to do.
WORDS = [
    ("unexpected_word", "unexpected `bye`", "did you mean `by`?"),
    ("unexpected_not", "unexpected `nott`", "did you mean `not`?"),
    ("unexpected_end", "a `}` is missing at the end", "close the block"),
    ("unexpected_symbols", "unexpected `−`", "write `-`"),
    (
        "unexpected_symbols",
        "`__class__` is no name",
        "a name starts with a letter of a-z; letters, digits and single `_` follow",
    ),
    ("quote_without_end", "a text in quotes has no end", 'end it with `"` on the same line'),
    ("reserved_name", "`in` is a word of the language, not a name", "choose another name"),
    (
        "missing_clauses",
        "`perturb logits` says no `direction`",
        "add a line `direction positive`, `direction negative` or `direction mixed`",
    ),
    ("twice_a_name", "`C` has a meaning already: the number of classes", "choose another name"),
    ("too_deep", "nested deeper than 100", "name parts with `let`"),
    (
        "other_name",
        "the file is called `other_name`, its method `another_name`",
        "did you mean `other_name`?",
    ),
    ("undeclared_near", "nothing declares `smothing`", "did you mean `smoothing`?"),
    (
        "undeclared_near",
        "`smoothing` is declared, never used",
        "did you mean `smothing`, which is read and never declared?",
    ),
    (
        "undeclared_far",
        "nothing declares `strength`",
        "declare it: `param strength = ...` or `let strength = ...`",
    ),
    ("undeclared_function", "`exp` is a function, not a value", "write `exp(...)`: the exponential"),
    ("circle", "`a` is defined by itself through `b`", "break the circle"),
    ("unused", "`tau` is declared, never used", "read it or drop it"),
    (
        "downstream",
        "`loss` comes after features",
        "write `clean.loss` (one forward of the unperturbed batch)",
    ),
    ("arguments_count", "`exp` takes 1 argument, not 2", "`exp` is the exponential"),
    ("options_missing", "`pgd` needs `step`", "`step` is the length of a step"),
    ("unknown_words", "`logit` is no target", "did you mean `logits`?"),
    ("unknown_option", "`pgd` has no option `size`", "one of `simultaneous`, `start`, `step` or `steps`"),
    ("domain_default", "`lam` is 5, outside [0, 1]", "take a value inside"),
    ("domain_word", "`start` is `unifrom`, which its domain does not have", "did you mean `uniform`?"),
    (
        "values_that_are_none",
        "`1 / 0` has no value",
        "it divides by zero, overflows, or is not a real number",
    ),
    (
        "shapes_of_form",
        "`lam * u` is one number per sample and class, not one number per sample",
        "`loss` is the loss of each sample",
    ),
    (
        "no_unknown",
        "`u` has no unknown for `adversarial` to find",
        "put a new name into the form, such as `by v`",
    ),
    (
        "needed_not_asked_for",
        "`teacher` comes from outside, and `needs` does not name it",
        "add `needs teacher`",
    ),
    (
        "networks",
        "nothing learns the network `net`",
        "add `infer meta over net minimize loss on validation via ...`",
    ),
    (
        "phase_without_labels",
        "`y` has no value at evaluation, where nobody knows the labels",
        "drop `during eval`, or read predictions alone",
    ),
    (
        "branches_unknown",
        "`three.x` comes after features",
        "read it at a later place, or write that branch above",
    ),
    ("sites", "`zz` is no site of `features`", "did you mean `z`?"),
    (
        "claimed_twice",
        "`claimed_twice` and `damp` both claim the split",
        "a batch is cut into parts in one way: keep one of them",
    ),
    (
        "order_of_two",
        "`order_of_two` reads the `y` that `label_smoothing` wrote: their order matters",
        "with `order_of_two` first it is another method",
    ),
    (
        "meta_or_not",
        "`adversarial` is declared, the form shows `meta`",
        "what is chosen `on` held-out data is `meta`: write `infer meta`",
    ),
    ("coarse", "`corpus` is coarser than the form, which differs per sample", "write `granularity sample`"),
    (
        "manner",
        "`adversarial` is declared, the form shows `regularization`",
        "an adversarial `v` is bounded by a set and not by a penalty",
    ),
    (
        "direction_of_goal",
        "`negative` is declared, but `minimize loss` is `positive`",
        "write `direction positive`",
    ),
    (
        "direction_mixed",
        "`positive` is declared, but the loss of 22% of random samples rises",
        "write `direction mixed`",
    ),
    (
        "simplex",
        "`lam * y` leaves the simplex",
        "`a * (q - y)` with `q` a distribution and `a` from 0 to 1 stays",
    ),
]


@cache
def found(path: Path) -> list[Diagnostic]:
    """Everything that is found in a file, in its order."""
    try:
        return examine(Source(path.name, path.read_text(encoding="utf-8")), path.stem)[1]
    except TaxoError as error:
        return list(error.diagnostics)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_errors_are_those_expected(path: Path):
    comments = EXPECTED.findall(path.read_text(encoding="utf-8"))
    expected = [(kind, int(line), int(column), code) for kind, line, column, code in comments]
    spans = [(one, one.span) for one in found(path)]
    assert [(one.severity, span.line, span.column, one.code) for one, span in spans if span] == expected
    assert expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_messages_are_of_one_style(path: Path):
    for one in found(path):
        first = one.message.lstrip("`")[0]
        assert one.message.startswith("`") or first == first.lower(), one.message
        assert not one.message.endswith("."), one.message
        assert one.help, one.message
        assert len(one.message) < 100, one.message
        assert "None" not in str(one)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_said_twice(path: Path):
    said = [(one.code, one.message, one.span) for one in found(path)]
    assert len(said) == len(set(said))


def test_every_code_of_a_spec_has_a_file():
    assert {one.code for path in FILES for one in found(path)} == BY_SPEC


@pytest.mark.parametrize(("stem", "message", "hint"), WORDS)
def test_the_words_of_messages(stem: str, message: str, hint: str):
    (path,) = [path for path in FILES if path.stem == stem]
    assert (message, hint) in [(one.message, one.help) for one in found(path)]
