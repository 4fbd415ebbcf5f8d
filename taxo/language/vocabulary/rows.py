"""What a row of the vocabulary says: the classes its tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum


class Shape(Enum):
    """What a value looks like: its meaning, and its axes, a letter each.

    B samples of the batch, C classes, D features before the head, X axes of an input, H axes of an inner
    layer, W all weights. What has no axes of numbers has None.
    """

    SCALAR = "a number", ""
    CLASS = "one number per class", "C"
    SAMPLE = "one number per sample", "B"
    ROW = "one number per sample and class", "BC"
    X = "like x", "BX"
    Z = "one feature vector per sample", "BD"
    INNER = "like an inner layer", "BH"
    W = "like w", "W"
    INPUT = "one input for all samples", "X"
    VECTOR = "one feature vector for all samples", "D"
    LAYER = "one inner output for all samples", "H"
    INPUTS = "one input per class", "CX"
    VECTORS = "one feature vector per class", "CD"
    LAYERS = "one inner output per class", "CH"
    TABLE = "one row of class values per class", "CC"
    MATRIX = "one matrix over the features", "DD"
    MATRICES = "one matrix over the features per class", "CDD"
    PROTOTYPES = "several feature vectors per class", "CPD"
    FIELD = "one motion per sample and pixel", "BM"
    TRUTH = "true or false", None
    MASK = "true or false per sample", None
    TOP = "a fixed share of the batch", None
    PERMUTATION = "an order of the batch", None
    SITE = "a module of the model", None
    NETWORK = "a learned network", None
    PASS = "a pass", None
    WORD = "a word", None

    axes: str | None

    def __new__(cls, meaning: str, axes: str | None) -> Shape:
        """A member whose value is its meaning."""
        member = object.__new__(cls)
        member._value_ = meaning
        member.axes = axes
        return member

    @property
    def numeric(self) -> bool:
        """Whether values of this shape can be calculated with."""
        return self.axes is not None

    @property
    def per_sample(self) -> bool:
        """Whether the first axis is the batch."""
        return self.axes is not None and self.axes.startswith("B")


BY_AXES: dict[str, Shape] = {shape.axes: shape for shape in Shape if shape.axes is not None}
NUMBERS: tuple[Shape, ...] = tuple(BY_AXES.values())


class Place(IntEnum):
    """The order of the training computation: what acts, and what can be read, when."""

    DATA = 0
    WEIGHTS = 1
    FEATURES = 2
    INNER = 3
    LOGITS = 4
    LABELS = 5
    LOSS = 6


class Grain(IntEnum):
    """What shares one value, from coarse to fine."""

    CORPUS = 0
    CATEGORY = 1
    SAMPLE = 2


class Result(Enum):
    """How the shape of a function's result follows from those of its arguments."""

    SAME = "that of its arguments"
    REDUCED = "all axes but the batch are gone"
    POOLED = "the batch is gone"
    CLASSLESS = "the last axis, that of the classes, is gone"


@dataclass(frozen=True, slots=True)
class Target:
    """A place of the training computation that perturbations act on."""

    meaning: str
    place: Place
    value: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Site:
    """A place within a target that `at` names by a word."""

    meaning: str
    target: str
    place: Place
    value: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Value:
    """A name that every method can read; `needs` is what must be asked for to have it."""

    meaning: str
    shape: Shape
    place: Place = Place.DATA
    grain: Grain = Grain.CORPUS
    clean: bool = False
    needs: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the shapes of its arguments (None: any numbers), and what its result is.

    `least` is how many arguments it needs at least; with fewer than all, `shorter` is its result. It is
    read from its place on, by `only` one target if it says so. The `limits` are those of its last arguments.
    Through a `flat` one there is no gradient. `kinds` are what its arguments are, where that matters: logits
    or a distribution; and `gives` is what its result is.
    """

    meaning: str
    shapes: tuple[tuple[Shape, ...] | None, ...]
    result: Shape | Result
    least: int | None = None
    shorter: Shape | Result | None = None
    needs: str = ""
    place: Place = Place.DATA
    only: str = ""
    limits: tuple[tuple[float, float], ...] = ()
    flat: bool = False
    kinds: tuple[str, ...] = ()
    gives: str = ""

    @property
    def fewest(self) -> int:
        """How many arguments it needs at least."""
        return len(self.shapes) if self.least is None else self.least


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a solver, set or other call: words, calls of a family, or a number, and its default.

    Without a default it is required; an empty one stands for nothing. A number lies between `least` and
    `most`; a whole one is also known before the run. `free` takes any word or text, whose meaning is the
    data's; a `condition` holds for some samples, and a `value` is like the unknown.
    """

    meaning: str
    words: tuple[str, ...] = ()
    default: str | float | None = None
    least: float = 0.0
    most: float = float("inf")
    whole: bool = False
    per_sample: bool = False
    family: str = ""
    free: bool = False
    condition: bool = False
    value: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word that takes options, such as `corruption(name, severity)`."""

    meaning: str
    options: Mapping[str, Option] = field(default_factory=dict[str, Option])


@dataclass(frozen=True, slots=True)
class Need(Word):
    """Something given from outside; two that own one thing exclude each other, and a module can learn."""

    owns: str = ""
    module: bool = False


@dataclass(frozen=True, slots=True)
class Objective(Word):
    """A base objective; one that `compares` distributions wants labels on the simplex."""

    compares: bool = False


@dataclass(frozen=True, slots=True)
class Distribution(Word):
    """A distribution to draw from; `whole_row` ones draw all entries of a value at once."""

    result: Shape | None = None
    whole_row: bool = False


@dataclass(frozen=True, slots=True)
class Solver(Word):
    """A way to find an unknown: what it takes, and what it works on.

    One that looks `ahead` asks how the weights, and so a held-out loss, depend on the unknown.
    """

    needs_set: bool = False
    learned: bool = False
    linear: bool = False
    held: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Region(Word):
    """A set to keep an unknown in: whether it bounds by itself, and the shape that it gives, if any.

    One that is not `nearest` has a best point along a gradient, but no way back for what is outside. An `own`
    one is made from the value that is perturbed, so that every sample has its own.
    """

    bounded: bool = True
    radius: str | None = None
    targets: tuple[str, ...] = ()
    shape: Shape | None = None
    nearest: bool = True
    own: bool = False
