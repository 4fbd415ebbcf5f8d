"""The nodes an expression is made of: frozen, comparable, each with its place in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from taxo.language.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of syntax; where it stands takes no part in comparisons."""

    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Word(Node):
    """A name with its place: a target, a direction, a declared name."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number as written; `15%` keeps its sign."""

    written: float
    percent: bool = False

    @property
    def value(self) -> float:
        """The number meant: 0.15 for `15%`."""
        return self.written / 100 if self.percent else self.written


@dataclass(frozen=True, slots=True)
class String(Node):
    """A quoted text, such as the pattern of a site."""

    text: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name that is read."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-e` or `not e`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`a + b`, `a >= b`, `a and b` and their like."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`e in top(share)`."""

    element: Expression
    group: Call


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`a if c else b`."""

    value: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """One argument of a call, perhaps by name."""

    name: Word | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, set, solver or distribution and what it is given."""

    name: Word
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`e[i]`: a class, or a permutation of the batch."""

    value: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`clean.loss`: a value of another pass."""

    owner: Name
    name: Word


Expression = Number | String | Name | Unary | Binary | Member | Conditional | Call | Index | Attribute
EXPRESSIONS = (Number, String, Name, Unary, Binary, Member, Conditional, Call, Index, Attribute)


def children(node: Node) -> Iterator[Expression]:
    """The expressions directly below a node; a call's arguments count as below it."""
    match node:
        case Unary():
            yield node.operand
        case Binary():
            yield from (node.left, node.right)
        case Member():
            yield from (node.element, *children(node.group))
        case Conditional():
            yield from (node.value, node.condition, node.otherwise)
        case Call():
            yield from (argument.value for argument in node.arguments)
        case Index():
            yield from (node.value, node.index)
        case Attribute():
            yield node.owner
        case _:
            return


def rebuilt(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The node with `change` applied to each expression directly below it."""
    match node:
        case Unary():
            return replace(node, operand=change(node.operand))
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
        case Member():
            return replace(node, element=change(node.element), group=_with_arguments(node.group, change))
        case Conditional():
            value, condition, otherwise = map(change, (node.value, node.condition, node.otherwise))
            return replace(node, value=value, condition=condition, otherwise=otherwise)
        case Call():
            return _with_arguments(node, change)
        case Index():
            return replace(node, value=change(node.value), index=change(node.index))
        case _:
            return node


def _with_arguments(call: Call, change: Callable[[Expression], Expression]) -> Call:
    arguments = tuple(replace(argument, value=change(argument.value)) for argument in call.arguments)
    return replace(call, arguments=arguments)


def walk(node: Expression) -> Iterator[Expression]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def depth(node: Expression) -> int:
    """How many levels an expression has."""
    return 1 + max(map(depth, children(node)), default=0)


def is_deeper(node: Expression, most: int) -> bool:
    """Whether an expression has more levels than `most`, found level by level."""
    level = [node]
    for _ in range(most):
        level = [child for one in level for child in children(one)]
        if not level:
            return False
    return True


def number(value: float) -> Expression:
    """A number as an expression: a negative one has a sign, infinity is a name."""
    if value < 0:
        return Unary("-", number(-value))
    return Name("inf") if value == float("inf") else Number(float(value))


def names(node: Expression) -> Iterator[Name]:
    """Every name that the expression reads; of `clean.loss` only `clean`."""
    return (part for part in walk(node) if isinstance(part, Name))
