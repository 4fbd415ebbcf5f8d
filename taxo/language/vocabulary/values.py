"""The names that every method can read, and the passes whose values have a dot before them."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.language.vocabulary.rows import Grain, Place, Shape, Value

_SAMPLE = Grain.SAMPLE

VALUES: dict[str, Value] = {
    "x": Value("the input", Shape.X, Place.FEATURES, _SAMPLE, clean=True),
    "y": Value("the label, as a distribution over the classes", Shape.ROW, Place.DATA, Grain.CATEGORY),
    "index": Value("the sample's place in the data set", Shape.SAMPLE, Place.DATA, _SAMPLE),
    "C": Value("the number of classes", Shape.SCALAR),
    "N": Value("the number of samples in the data set", Shape.SCALAR),
    "class_count": Value("how many samples each class has", Shape.CLASS),
    "class_prior": Value("each class's share of the data set", Shape.CLASS),
    "prior": Value("the numbers per class that are given from outside", Shape.CLASS, needs="prior"),
    "corruption": Value("the corrupted input", Shape.X, Place.DATA, _SAMPLE, needs="corruption"),
    "corrupted": Value(
        "the corrupted input, where `corruption` is a parameter",
        Shape.X,
        Place.DATA,
        _SAMPLE,
        needs="corruption",
    ),
    "generator": Value("the generated input", Shape.X, Place.DATA, _SAMPLE, needs="generator"),
    "h": Value(
        "the output at the perturbation's own site; `h(\"layer\")` is a module's",
        Shape.INNER,
        Place.INNER,
        _SAMPLE,
    ),
    "z": Value("the head's input", Shape.Z, Place.INNER, _SAMPLE, clean=True),
    "W": Value("the head's weight, one row per class", Shape.VECTORS, Place.WEIGHTS),
    "w": Value("the parameter itself (in `weights`)", Shape.W, Place.WEIGHTS),
    "u": Value("the logits", Shape.ROW, Place.LOGITS, _SAMPLE, clean=True),
    "p": Value("softmax(u)", Shape.ROW, Place.LOGITS, _SAMPLE, clean=True),
    "correct": Value(
        "whether the largest logit is the label's", Shape.MASK, Place.LOGITS, _SAMPLE, clean=True
    ),
    "margin": Value(
        "the label's logit minus the largest other", Shape.SAMPLE, Place.LOGITS, _SAMPLE, clean=True
    ),
    "gradnorm": Value(
        "the norm of the loss's gradient at the logits", Shape.SAMPLE, Place.LOGITS, _SAMPLE, clean=True
    ),
    "loss": Value("the loss of each sample", Shape.SAMPLE, Place.LOSS, _SAMPLE, clean=True),
    "gain": Value("how much a found perturbation helps (in `every round`)", Shape.SAMPLE, grain=_SAMPLE),
    "epoch": Value("the number of finished epochs", Shape.SCALAR),
    "epochs": Value("the number of epochs of the run", Shape.SCALAR),
    "step": Value("the number of finished steps", Shape.SCALAR),
    "progress": Value("the finished share of the run, from 0 to 1", Shape.SCALAR),
    "lr": Value("the model's step size", Shape.SCALAR),
    "lr0": Value("the model's first step size", Shape.SCALAR),
    "pi": Value("3.14159...", Shape.SCALAR),
    "inf": Value("infinity", Shape.SCALAR),
    "true": Value("what holds", Shape.TRUTH),
    "false": Value("what does not hold", Shape.TRUTH),
    "clean": Value("the unperturbed pass", Shape.PASS),
    "teacher": Value("the teacher's pass", Shape.PASS, needs="teacher"),
}

CONSTANTS: dict[str, float] = {"pi": 3.141592653589793, "inf": float("inf"), "true": 1.0, "false": 0.0}
LABELLED = frozenset({"y", "index", "loss", "correct", "margin", "gradnorm"})


@dataclass(frozen=True, slots=True)
class Owner:
    """A pass that values are read of: which it has, and whether they have a gradient."""

    meaning: str
    values: tuple[str, ...]
    live: bool


PASSES: dict[str, Owner] = {
    "clean": Owner(
        "the unperturbed pass", tuple(word for word, value in VALUES.items() if value.clean), live=False
    ),
    "teacher": Owner("the teacher's pass", ("u", "p", "z"), live=False),
}
BRANCH = Owner("a branch", PASSES["clean"].values, live=True)
