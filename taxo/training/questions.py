"""What a trained model can be asked, and at which values: the words of `--evaluate`; no torch here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from taxo.language.constants import constant
from taxo.language.errors import TaxoError, fail, suggest
from taxo.language.parser import parse_expression, parse_reference
from taxo.language.printer import expression_text
from taxo.language.syntax import Call, Expression
from taxo.training import borrowed
from taxo.training.choices import CORRUPTION_SETS, FURTHER_CORRUPTIONS
from taxo.training.datasets import find
from taxo.training.measures import ACCURACY, measure_of
from taxo.training.settings import Settings
from taxo.training.words import unreadable
from taxo.variants import split_words


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a question takes: its value unless said, and what it must lie between."""

    default: str
    low: float
    high: float = inf
    whole: bool = False

    def allows(self, value: float | None) -> bool:
        """Whether it can be that number."""
        if value is None or not self.low <= value <= self.high or value == inf:
            return False
        return not self.whole or value == int(value)

    @property
    def expected(self) -> str:
        """What it must be, in words."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} of at least {self.low:g}" + (f" and at most {self.high:g}" if self.high < inf else "")


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that a question takes, out of a few."""

    default: str
    known: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What it must be, in words."""
        return " or ".join(f"`{word}`" for word in self.known)


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: what is asked, the numbers and words it takes, and what a run must have to answer."""

    title: str
    options: Mapping[str, Option | Choice] = field(default_factory=dict[str, Option | Choice])
    of_images: bool = False
    of_noise: bool = False
    of_numbers: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of question at its values, which are written as in a specification."""

    name: str
    texts: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, float], ...] = ()

    def __getitem__(self, option: str) -> float:
        return dict(self.values)[option]

    def word(self, option: str) -> str:
        """What is said for an option."""
        return dict(self.texts)[option]

    def __str__(self) -> str:
        said = ", ".join(f"{name}: {text}" for name, text in self.texts)
        return f"{self.name}({said})" if said else self.name


# By name, each part of an answer: a number or several, none where there is nothing to measure.
Answer = Mapping[str, Sequence[float]]
Answers = Mapping[str, Answer]
MOST_STEPS = 10_000
KINDS: dict[str, Kind] = {
    "accuracy": Kind("accuracy on clean test samples"),
    "top": Kind("whether the label is among the first few", {"k": Option("5", 1, whole=True)}),
    "classes": Kind("accuracy on each class"),
    "tail": Kind("accuracy on the rarest classes of the training data", {"share": Option("1/3", 1e-6, 1)}),
    "calibration": Kind("how far confidence is from accuracy", {"bins": Option("15", 1, 10_000, True)}),
    "margins": Kind("how far the label's logit is above the next"),
    "attack": Kind(
        "accuracy under attack",
        {
            "eps": Option("8/255", 0),
            "steps": Option("20", 1, MOST_STEPS, True),
            "step": Option("eps/4", 0),
            "restarts": Option("1", 1, MOST_STEPS, True),
        },
        of_numbers=True,
    ),
    "memorisation": Kind("what became of the training labels that are wrong", of_noise=True),
    "flatness": Kind(
        "how far weights can move in random directions before the loss rises",
        {"directions": Option("10", 1, MOST_STEPS, True), "rise": Option("0.1", 1e-6)},
    ),
    "corruptions": Kind(
        "error under each corruption at each severity",
        {"kinds": Choice("native", tuple(CORRUPTION_SETS))},
        of_images=True,
    ),
}


def questions(text: str, flag: str) -> tuple[Question, ...]:
    """The questions of `attack(eps: 8/255), tail`; T503 for what is none."""
    found: dict[str, Question] = {}
    for word in split_words(text):
        question = _question(word, flag)
        if question.name in found:
            fail("T503", f"`{flag}` asks for `{question.name}` twice", help="ask once")
        found[question.name] = question
    return tuple(found.values())


def fitting(settings: Settings) -> tuple[Question, ...]:
    """Every question that a run with these settings can answer, at the usual values."""
    return questions(",".join(name for name, kind in KINDS.items() if not _lacks(kind, settings)), "")


def refuse_unfit(asked: Sequence[Question], settings: Settings) -> None:
    """T503 for a question that a run with these settings has no answer to."""
    row = find(settings.data)
    measure = measure_of(settings.data, settings.model)
    if asked and measure != ACCURACY:
        message = f"a run that is measured by {measure.name} answers no question about classes"
        fail("T503", message, help="evaluate a classifier")
    for question in asked:
        lacks = _lacks(KINDS[question.name], settings)
        if lacks:
            fail(
                "T503", f"`{question.name}` is about {lacks}, and `{row.name}` has none", help="leave it out"
            )
    for name in _further(asked):
        borrowed.check(name)


def refuse_shape(asked: Sequence[Question], shape: Sequence[int]) -> None:
    """T503 for a question that inputs of a shape have no answer to."""
    for name in _further(asked):
        borrowed.check_shape(name, shape)


def _further(asked: Sequence[Question]) -> list[str]:
    """The corruptions that are asked for and borrowed."""
    sets = [dict(question.texts).get("kinds") for question in asked]
    return [name for kinds in sets if kinds for name in CORRUPTION_SETS[kinds] if name in FURTHER_CORRUPTIONS]


def _lacks(kind: Kind, settings: Settings) -> str:
    """What a question is about and a run with these settings has not, if there is anything."""
    row = find(settings.data)
    if kind.of_images and not row.images:
        return "images"
    if kind.of_numbers and row.texts:
        return "numbers"
    return "wrong labels" if kind.of_noise and settings.noise is None else ""


def _question(word: str, flag: str) -> Question:
    call = _call(word, flag)
    name = call.name.text
    if name not in KINDS:
        fail("T503", f"`{flag}` cannot be `{name}`", help=suggest(name, KINDS))
    options, given = KINDS[name].options, _given(call, flag)
    texts, values = dict[str, str](), dict[str, float]()
    for option, row in options.items():
        expression = given.get(option) or parse_expression(row.default)
        texts[option], said = expression_text(expression), f"{name}({option}: {expression_text(expression)})"
        if isinstance(row, Choice):
            if texts[option] not in row.known:
                unreadable(said, flag, row.expected)
            continue
        value = constant(expression, values)
        if value is None or not row.allows(value):
            unreadable(said, flag, row.expected)
        values[option] = value
    return Question(name, tuple(texts.items()), tuple(values.items()))


def _call(word: str, flag: str) -> Call:
    try:
        calls = parse_reference(word)
    except TaxoError:
        calls = ()
    if len(calls) != 1:
        unreadable(word, flag, "a word such as `tail`, or with values, such as `attack(eps: 8/255)`")
    return calls[0]


def _given(call: Call, flag: str) -> dict[str, Expression]:
    """Each value that is given by its name."""
    known = KINDS[call.name.text].options
    found: dict[str, Expression] = {}
    for argument in call.arguments:
        name = argument.name.text if argument.name is not None else ""
        if name not in known or name in found:
            said = f"`{flag} {call.name}` takes " + (_list(known) if known else "no values")
            fail("T503", said, help=suggest(name, known) if known and name else "write `name: value`")
        found[name] = argument.value
    return found


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + ", each once"
