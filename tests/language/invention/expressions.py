"""Random expressions of a wanted shape, from the rows of the vocabulary and what a method declares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from taxo.language import vocabulary
from taxo.language.axes import joined, picked
from taxo.language.constants import constant
from taxo.language.syntax import (
    Argument,
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
    Word,
)
from taxo.language.vocabulary import (
    FAMILIES,
    FUNCTIONS,
    GROUPS,
    LABELLED,
    PASSES,
    VALUES,
    Option,
    Place,
    Shape,
)
from tests.language.invention.spots import ANYWHERE, DATA, MADE, MEANT, Known, Spot, arguments, fits

T = TypeVar("T")
CLASSES = (Shape.ROW, Shape.SAMPLE, Shape.SCALAR)
TRUTHS = (Shape.TRUTH, Shape.MASK)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


LAST = Binary("-", Name("C"), Number(1.0))


@dataclass
class Inventor:
    """Makes expressions for one method; what they read is declared already."""

    random: Random
    known: list[Known] = field(default_factory=list)
    networks: list[tuple[str, int, Shape]] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    words: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def one(self, options: Iterable[T]) -> T:
        """One of several."""
        return self.random.choice(list(options))

    def chance(self, share: float) -> bool:
        """True, this often; hypothesis takes 0 for the simplest number, and what is left out for simple."""
        return self.random.randrange(1000) >= 1000 * (1 - share)

    # Names ----------------------------------------------------------------------------------------------

    def leaves(self, spot: Spot) -> dict[Shape, list[Expression]]:
        """Every name that can be read at a spot, by shape."""
        found: dict[Shape, list[Expression]] = {Shape.SCALAR: []}
        for name, shape in self._names(spot):
            found.setdefault(shape, []).append(Name(name))
        for owner, names in self._owners(spot):
            for name in names:
                if not (spot.predicting and name in LABELLED):
                    node = Attribute(Name(owner), Word(name))
                    found.setdefault(VALUES[name].shape, []).append(node)
        return found

    def _names(self, spot: Spot) -> Iterable[tuple[str, Shape]]:
        if spot.unknown is not None:
            yield spot.unknown
        hidden = {known.name for known in self.known}
        for name, row in VALUES.items():
            if row.shape is not Shape.PASS and name not in hidden and self._is_there(name, spot):
                yield name, row.shape
        for one in self.known:
            late = one.place > spot.place or (one.labelled and spot.predicting)
            if spot.anywhere or (not late and (not one.weights or spot.target == "weights")):
                yield one.name, one.shape

    def _is_there(self, name: str, spot: Spot) -> bool:
        row = VALUES[name]
        if spot.anywhere:
            return True
        if (spot.predicting and name in LABELLED) or (name == "gain" and not spot.rounds):
            return False
        if row.place is Place.INNER and spot.own not in ("", name, "z"):
            return False
        if (name == "h" and spot.own != "h") or (row.shape is Shape.W and spot.target != "weights"):
            return False
        return row.place <= spot.place

    def _owners(self, spot: Spot) -> Iterable[tuple[str, Sequence[str]]]:
        yield from ((owner, row.values) for owner, row in PASSES.items())
        yield from ((branch, vocabulary.BRANCH.values) for branch in spot.above)

    # Numbers --------------------------------------------------------------------------------------------

    def number(self, shape: Shape, spot: Spot, depth: int = 3) -> Expression:
        """An expression of exactly this shape, which has a leaf at the spot or is a number."""
        node = self._number(shape, spot, depth)
        value = constant(node, self.values)
        return self.literal() if value is not None and value != value else node

    def _number(self, shape: Shape, spot: Spot, depth: int) -> Expression:
        leaves = self.leaves(spot)
        if depth <= 0 or not self.chance(0.75):
            return self._leaf(shape, leaves)
        there = [one for one in leaves if one.numeric]
        ways = [self._joined, self._joined, self._called, self._called, self._chosen, self._indexed]
        made = self.one(ways)(shape, spot, depth - 1, there)
        return self._leaf(shape, leaves) if made is None else made

    def _leaf(self, shape: Shape, leaves: Mapping[Shape, Sequence[Expression]]) -> Expression:
        if shape is Shape.SCALAR and (not leaves[shape] or self.chance(0.6)):
            return self.literal()
        return self.one(leaves[shape])

    def literal(self) -> Expression:
        """A number as people write it."""
        whole = Number(float(self.random.randrange(1, 10)))
        written = Number(self.one([0.5, 0.25, 1e-3, 3.5, 1e-7, 12.75, 100.0]))
        share = Number(float(self.random.randrange(0, 101)), percent=True)
        return self.one([whole, written, share, Binary("/", whole, Number(255.0))])

    def smaller(self, shape: Shape, there: Iterable[Shape]) -> Shape:
        """A shape that is repeated where it is joined with another."""
        return self.one([one for one in there if joined(one, shape) == shape])

    def _joined(self, shape: Shape, spot: Spot, depth: int, there: list[Shape]) -> Expression | None:
        if self.chance(0.15):
            return Unary("-", self.number(shape, spot, depth))
        if shape is Shape.ROW and {Shape.SAMPLE, Shape.CLASS} <= set(there) and self.chance(0.2):
            sides = [self.number(one, spot, depth) for one in (Shape.SAMPLE, Shape.CLASS)]
            return Binary(self.one("*/"), *sides)
        parts = [self.number(shape, spot, depth), self.number(self.smaller(shape, there), spot, depth)]
        self.random.shuffle(parts)
        return Binary(self.one("+-*/^" if self.chance(0.3) else "+-*"), *parts)

    def _chosen(self, shape: Shape, spot: Spot, depth: int, there: list[Shape]) -> Expression | None:
        each = joined(shape, Shape.SAMPLE) == shape
        condition = self.truth(spot, depth, each)
        return Conditional(
            self.number(shape, spot, depth),
            condition,
            self.number(self.smaller(shape, there), spot, depth),
        )

    def _indexed(self, shape: Shape, spot: Spot, depth: int, there: list[Shape]) -> Expression | None:
        orders = [Name(one.name) for one in self.known if one.shape is Shape.PERMUTATION]
        indices = [one for one in CLASSES if one in there] + [Shape.PERMUTATION] * bool(orders)
        values = [*there, *(made for made in MADE if made not in there)]
        pairs = [(value, index) for value in values for index in indices if picked(value, index) == shape]
        value, index = self.one(pairs) if pairs else (shape, None)
        node = self.number(value, spot, depth) if value in there else self._called(value, spot, depth, there)
        if node is None:
            return None
        match index:
            case Shape.PERMUTATION:
                return Index(node, self.one(orders))
            case Shape.ROW:
                return Index(node, self.number(Shape.ROW, spot, depth))
            case Shape.SAMPLE if Shape.ROW in there:
                return Index(node, self._class(spot, depth))
            case Shape.SCALAR:
                return Index(node, self.one([Number(float(self.random.randrange(4))), LAST]))
            case _:
                return None

    def _class(self, spot: Spot, depth: int) -> Expression:
        """The place of an extremum, which is a class."""
        return _called(self.one(["argmax", "argmin"]), self.number(Shape.ROW, spot, depth))

    # Calls ----------------------------------------------------------------------------------------------

    def _called(self, shape: Shape, spot: Spot, depth: int, there: list[Shape]) -> Expression | None:
        ways = {
            word: list(arguments(row, shape, there))
            for word, row in FUNCTIONS.items()
            if spot.anywhere or (row.place <= spot.place and row.only in ("", spot.target))
        }
        networks = [name for name, _, made in self.networks if made is shape]
        words = [word for word, found in ways.items() if found] + networks
        if not words:
            return None
        special = [word for word in words if word in networks or isinstance(FUNCTIONS[word].result, Shape)]
        word = self.one(special if special and self.chance(0.5) else words)
        if word in networks:
            return self._network(word, spot, depth, there)
        takes = self.one(ways[word])
        if word == "onehot":
            return _called(word, self._class(spot, depth)) if Shape.ROW in there else None
        given = [self._argument(self.one(shapes), spot, depth) for shapes in takes]
        for place, kind in enumerate(FUNCTIONS[word].kinds):
            given[place] = self._of_kind(kind, given[place], spot)
        limits = FUNCTIONS[word].limits[-len(given) :]
        for place, (low, high) in enumerate(limits, len(given) - len(limits)):
            value = constant(given[place], self.values)
            if value is not None and not low <= value <= high:
                given[place] = Number(max(low, min(1.0, high)))
        return _called(word, *given)

    def _of_kind(self, kind: str, given: Expression, spot: Spot) -> Expression:
        """Logits or a distribution where one of them is meant; a multiple of a value is neither for sure."""
        fit = [leaf for leaf in self.leaves(spot).get(Shape.ROW, []) if isinstance(leaf, Name)]
        fit = [leaf for leaf in fit if leaf.text in VALUES and VALUES[leaf.text].kind == kind]
        return self.one(fit) if fit and self.chance(0.5) else Binary("*", Number(2.0), given)

    def _argument(self, shape: Shape, spot: Spot, depth: int) -> Expression:
        if shape is Shape.WORD:
            return String(self.one(["layer3", "blocks.*.norm", "", "a b # c"]))
        return self.number(shape, spot, depth)

    def _network(self, name: str, spot: Spot, depth: int, there: list[Shape]) -> Expression | None:
        (count,) = [count for other, count, _ in self.networks if other == name]
        shapes = [one for one in there if one in (Shape.SAMPLE, Shape.SCALAR)]
        return _called(name, *(self.number(self.one(shapes), spot, depth) for _ in range(count)))

    # Conditions -----------------------------------------------------------------------------------------

    def truth(self, spot: Spot, depth: int, each: bool) -> Expression:
        """A condition; `each`: it may differ from sample to sample."""
        leaves = self.leaves(spot)
        named = [leaf for shape in TRUTHS[: 1 + each] for leaf in leaves.get(shape, [])]
        if named and self.chance(0.2):
            return self.one(named)
        asked = [
            word for word, row in FUNCTIONS.items() if row.result is Shape.TRUTH and row.only == spot.target
        ]
        if asked and self.chance(0.2):
            return _called(self.one(asked), String("*.bias"))
        if depth > 0 and self.chance(0.3):
            if self.chance(0.3):
                return Unary("not", self.truth(spot, depth - 1, each))
            sides = self.truth(spot, depth - 1, each), self.truth(spot, depth - 1, each)
            return Binary(self.one(["and", "or"]), *sides)
        shapes = [one for one in (Shape.SCALAR, *([Shape.SAMPLE] * each)) if one in leaves]
        if each and Shape.SAMPLE in leaves and self.chance(0.3):
            return self.member(spot, depth - 1)
        sides = [self.number(self.one(shapes), spot, depth - 1) for _ in range(2)]
        return Binary(self.one([">", "<", ">=", "<=", "==", "!="]), *sides)

    def member(self, spot: Spot, depth: int) -> Expression:
        """Whether a sample belongs to a group of the batch."""
        shares = [Name(name) for name, value in self.values.items() if 0 <= value <= 1]
        share = self.one([Number(float(self.random.randrange(101)), percent=True), Number(0.5), *shares])
        return Member(self.number(Shape.SAMPLE, spot, depth), _called(self.one(GROUPS), share))

    # Options --------------------------------------------------------------------------------------------

    def call(self, word: str, options: Mapping[str, Option], spot: Spot = DATA) -> Call:
        """A call with the options that it needs, and some that it does not."""
        said = [name for name, one in options.items() if one.default is None or self.chance(0.4)]
        given: list[Argument] = []
        for name in said:
            value = self.option(options[name], spot)
            if name == "high" and said[: len(given)][-1:] == ["low"]:
                value = Binary("+", given[-1].value, self.literal())
            given.append(Argument(Word(name), value))
        for place, name in enumerate(list(options)[: len(given)]):
            if given[place].name != Word(name) or self.chance(0.4):
                break
            given[place] = replace(given[place], name=None)
        return Call(Word(word), tuple(given))

    def option(self, option: Option, spot: Spot) -> Expression:
        """A value that an option takes."""
        if option.family:
            family = FAMILIES[option.family]
            word = self.one(family)
            return self.call(word, family[word].options)
        if option.words:
            fit = [Name(name) for name, words in self.words if set(words) <= set(option.words)]
            if option.value and self.chance(0.2):
                return self.number(Shape.SCALAR, spot, 1)
            return self.one([*map(Name, option.words), *fit])
        if option.free:
            return self.one([Name("fog"), String("gaussian noise")])
        if option.condition:
            return self.truth(ANYWHERE, 2, True)
        return self._bounded(option, spot)

    def _bounded(self, option: Option, spot: Spot) -> Expression:
        """A number within the bounds of an option, or one that is known only at run time."""
        fit = [Name(name) for name, value in self.values.items() if fits(value, option)]
        if fit and self.chance(0.3):
            return self.one(fit)
        if option.whole:
            low = int(option.least)
            return Number(
                float(self.random.randrange(low, low + 1 + min(40, int(min(option.most, 1e9)) - low)))
            )
        shapes = [Shape.SCALAR] + [Shape.SAMPLE] * (option.per_sample and Shape.SAMPLE in self.leaves(spot))
        free = self.chance(0.4) and not spot.fixed
        node = self.number(self.one(shapes), spot, 2) if free else self.literal()
        value = constant(node, self.values)
        if value is None or fits(value, option):
            return node
        return Number(min(max(0.5, option.least), option.most))

    # Names of one's own ---------------------------------------------------------------------------------

    def fresh(self, taken: set[str]) -> str:
        """A name that means nothing yet."""
        letters = "".join(self.one(LETTERS) for _ in range(self.random.randrange(1, 9)))
        name = letters + self.one(["", "", "2", "_rate", "0a"])
        while name in taken or name in MEANT:
            name += self.one(LETTERS) + str(len(taken))
        taken.add(name)
        return name


def _called(word: str, *arguments: Expression) -> Call:
    return Call(Word(word), tuple(Argument(None, one) for one in arguments))
