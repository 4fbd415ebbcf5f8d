"""Every word of the taxonomy, once: what it means, what shape it has, and which op carries it out.

The grammar knows shapes of sentences, this table knows words. A new word is one row here and, where it
computes something, one op of the same name under `taxo/ops/`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, IntEnum


class Shape(Enum):
    """What a value looks like in a step on a batch of B samples and C classes."""

    SCALAR = "a number"
    TRUTH = "true or false"
    CLASS = "one number per class"
    SAMPLE = "one number per sample"
    ROW = "one number per sample and class"
    X = "like x"
    W = "like w"
    MASK = "true or false per sample"
    TOP = "a fixed share of the batch"
    PASS = "a pass"
    WORD = "a word"


class Place(IntEnum):
    """The order of the training computation: what acts, and what can be read, when."""

    DATA = 0
    WEIGHTS = 1
    FEATURES = 2
    LOGITS = 3
    LABELS = 4
    LOSS = 5


class Grain(IntEnum):
    """What shares one value, from coarse to fine."""

    CORPUS = 0
    CATEGORY = 1
    SAMPLE = 2


@dataclass(frozen=True, slots=True)
class Target:
    """A place of the training computation that perturbations act on."""

    meaning: str
    place: Place
    value: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Value:
    """A name that every method can read."""

    meaning: str
    shape: Shape
    place: Place = Place.DATA
    grain: Grain = Grain.CORPUS
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the shapes of its arguments (None: any), and of its result (None: the argument's)."""

    meaning: str
    shapes: tuple[Shape | tuple[Shape, ...] | None, ...]
    result: Shape | None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a solver or set: the words it takes, or a number, and its default (None: required).

    A number lies between `least` and `most`; a whole one is also known before the run.
    """

    meaning: str
    words: tuple[str, ...] = ()
    default: str | float | None = None
    least: float = 0.0
    most: float = float("inf")
    whole: bool = False
    per_sample: bool = False


@dataclass(frozen=True, slots=True)
class Solver:
    """A way to find an unknown: what it takes, and the targets that this version has it on (none: all)."""

    meaning: str
    options: dict[str, Option]
    needs_set: bool
    learned: bool = False
    linear: bool = False
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """A set to keep an unknown in: its options, whether it bounds by itself, its targets (none: all)."""

    meaning: str
    options: dict[str, Option]
    bounded: bool = True
    radius: str | None = None
    targets: tuple[str, ...] = ()


TARGETS: dict[str, Target] = {
    "features": Target("the model's input", Place.FEATURES, "x", Shape.X),
    "logits": Target("the model's output", Place.LOGITS, "u", Shape.ROW),
    "labels": Target("the distribution the loss compares with", Place.LABELS, "y", Shape.ROW),
    "loss": Target("the loss of each sample", Place.LOSS, "loss", Shape.SAMPLE),
    "weights": Target("every trainable parameter", Place.WEIGHTS, "w", Shape.W),
}

DIRECTIONS: dict[str, str] = {
    "positive": "lowers the loss",
    "negative": "raises the loss",
    "mixed": "lowers the loss of some samples and raises that of others",
}

MANNERS: dict[str, str] = {
    "prior": "fixed by prior knowledge",
    "tuning": "a parameter with a domain, chosen on held-out data",
    "regularization": "an unknown held back by a penalty",
    "adversarial": "an unknown held inside a bounded set",
}

GRAINS: dict[str, Grain] = {"corpus": Grain.CORPUS, "category": Grain.CATEGORY, "sample": Grain.SAMPLE}
GOALS: dict[str, str] = {"minimize": "look for the smallest value", "maximize": "look for the largest value"}
SCOPES: dict[str, str] = {"sample": "one draw per sample", "batch": "one draw per batch"}

VALUES: dict[str, Value] = {
    "x": Value("the input", Shape.X, Place.FEATURES, Grain.SAMPLE),
    "y": Value("the label, as a distribution over the classes", Shape.ROW, Place.DATA, Grain.CATEGORY),
    "C": Value("the number of classes", Shape.SCALAR),
    "N": Value("the number of samples in the data set", Shape.SCALAR),
    "class_count": Value("how many samples each class has", Shape.CLASS),
    "class_prior": Value("each class's share of the data set", Shape.CLASS),
    "u": Value("the logits", Shape.ROW, Place.LOGITS, Grain.SAMPLE, clean=True),
    "p": Value("softmax(u)", Shape.ROW, Place.LOGITS, Grain.SAMPLE, clean=True),
    "correct": Value(
        "whether the largest logit is the label's", Shape.MASK, Place.LOGITS, Grain.SAMPLE, clean=True
    ),
    "margin": Value(
        "the label's logit minus the largest other", Shape.SAMPLE, Place.LOGITS, Grain.SAMPLE, clean=True
    ),
    "gradnorm": Value(
        "the norm of the loss's gradient at the logits", Shape.SAMPLE, Place.LOGITS, Grain.SAMPLE, clean=True
    ),
    "loss": Value("the loss of each sample", Shape.SAMPLE, Place.LOSS, Grain.SAMPLE, clean=True),
    "w": Value("the parameter itself (in `weights`)", Shape.W, Place.WEIGHTS),
    "epoch": Value("the number of finished epochs", Shape.SCALAR),
    "epochs": Value("the number of epochs of the run", Shape.SCALAR),
    "progress": Value("the finished share of the run, from 0 to 1", Shape.SCALAR),
    "pi": Value("3.14159...", Shape.SCALAR),
    "inf": Value("infinity", Shape.SCALAR),
    "clean": Value("the unperturbed pass", Shape.PASS),
}

CONSTANTS: dict[str, float] = {"pi": 3.141592653589793, "inf": float("inf")}

_PARTS = (Shape.SAMPLE, Shape.ROW, Shape.X)

FUNCTIONS: dict[str, Function] = {
    "exp": Function("the exponential", (None,), None),
    "log": Function("the natural logarithm", (None,), None),
    "sqrt": Function("the square root", (None,), None),
    "abs": Function("the absolute value", (None,), None),
    "sign": Function("-1, 0 or 1", (None,), None),
    "relu": Function("the value where it is positive, else 0", (None,), None),
    "sigmoid": Function("1 / (1 + exp(-e))", (None,), None),
    "softmax": Function("the softmax over the classes", (Shape.ROW,), Shape.ROW),
    "entropy": Function("the entropy of each row", (Shape.ROW,), Shape.SAMPLE),
    "argmax": Function("the class of the largest entry", (Shape.ROW,), Shape.SAMPLE),
    "argmin": Function("the class of the smallest entry", (Shape.ROW,), Shape.SAMPLE),
    "onehot": Function("the distribution that is sure of a class", (Shape.SAMPLE,), Shape.ROW),
    "ce": Function("the cross entropy of logits and a distribution", (Shape.ROW, Shape.ROW), Shape.SAMPLE),
    "l1": Function("the sum of absolute values of each sample's part", (_PARTS,), Shape.SAMPLE),
    "l2": Function("the Euclidean norm of each sample's part", (_PARTS,), Shape.SAMPLE),
    "linf": Function("the largest absolute value of each sample's part", (_PARTS,), Shape.SAMPLE),
    "stop": Function("the value, without its gradient", (None,), None),
}

_ANY = float("-inf")

DISTRIBUTIONS: dict[str, dict[str, Option]] = {
    "normal": {
        "mean": Option("the mean", least=_ANY),
        "deviation": Option("the standard deviation"),
    },
    "uniform": {
        "low": Option("the lower end", least=_ANY),
        "high": Option("the upper end", least=_ANY),
    },
}

GROUPS: dict[str, str] = {"top": "the share of the batch with the largest values"}

_STEPS = Option("how many steps", least=1, most=10_000, whole=True)
_STEP = Option("the length of a step")
_START = Option("where the search starts", words=("zero", "uniform"), default="zero")
_RADIUS = Option("how far the unknown may go")

SOLVERS: dict[str, Solver] = {
    "pgd": Solver(
        "steps along the steepest direction of the set, each projected back",
        {"steps": _STEPS, "step": _STEP, "start": _START},
        needs_set=True,
    ),
    "gradient": Solver(
        "plain gradient steps, each projected back",
        {"steps": replace(_STEPS, default=1), "step": _STEP, "start": _START},
        needs_set=True,
    ),
    "linearized": Solver(
        "the set's best point of the first-order expansion", {"start": _START}, needs_set=True, linear=True
    ),
    "joint": Solver(
        "descent beside the weights; the values are kept from epoch to epoch",
        {
            "lr": Option("the step size, scaled with the model's schedule"),
            "momentum": Option("the share of the last step that is kept", default=0.9, most=1.0),
            "rows": Option(
                "whether momentum moves rows that are not in the batch",
                words=("batch", "dense"),
                default="batch",
            ),
        },
        needs_set=False,
        learned=True,
        targets=("logits", "labels", "loss"),
    ),
}

REGIONS: dict[str, Region] = {
    "linf": Region("no entry larger than the radius", {"radius": _RADIUS}, radius="radius"),
    "l2": Region(
        "Euclidean norm at most the radius",
        {"radius": _RADIUS},
        radius="radius",
        targets=("features", "logits", "labels", "weights"),
    ),
    "box": Region(
        "the perturbed value stays in the bounds",
        {
            "low": Option("the lower bound", default=0.0, least=_ANY),
            "high": Option("the upper bound", default=1.0, least=_ANY),
        },
        bounded=False,
        targets=("features", "logits"),
    ),
}

# Words of the language that this version does not compile, by where they stand.
LATER: dict[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in {
        "item": "during infer loss needs state use",
        "clause": "during norm over",
        "manner": "meta",
        "solver": "closed_form implicit influence lookahead sgd sign",
        "set": "l1 nonnegative recolor simplex smooth_flow",
        "distribution": "bernoulli beta permutation sphere truncated_normal",
        "scope of a draw": "category corpus",
        "function": "acos cos floor kl lid lp max mean mean_batch min mlp quadratic quantile reach sin sum"
        " warp",
        "name": "W corruption false gain generator h index lr lr0 prior step teacher true validation views z",
    }.items()
}
