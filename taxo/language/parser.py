"""Text to a method, an expression, or the calls of a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from lark import Token, Tree

from taxo.language.build import Builder
from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.lexer import DEEPEST_TREE
from taxo.language.method import Inference, Method
from taxo.language.reader import Reader
from taxo.language.source import Source, Span
from taxo.language.syntax import Call, Expression


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text spells, what is wrong with it so far, and the parts that could not be read."""

    method: Method
    findings: list[Diagnostic]
    lost: list[Span]


def parse_method(source: Source) -> Parsed:
    """The method of a text, as far as it can be read.

    Raises `TaxoError` where no method can be made of the text.
    """
    value, reader, findings = _read(source, "method")
    return Parsed(cast(Method, value), findings, reader.lost)


def parse_expression(text: str, name: str = "<expression>") -> Expression:
    """The expression that a text spells.

    >>> parse_expression("lam * (1 / C - y)").operator
    '*'
    """
    return cast(Expression, _whole(Source(name, text), "expr"))


def parse_inference(text: str, name: str = "<inference>") -> Inference:
    """The inference that a text spells, such as `meta minimize loss on validation via lookahead(lr: 1)`."""
    return cast(Inference, _whole(Source(name, text), "inference"))


def parse_reference(text: str, name: str = "<method>") -> tuple[Call, ...]:
    """The calls of `mixpert(eps: 0)+sam`, as given on a command line."""
    return cast("tuple[Call, ...]", _whole(Source(name, text), "reference"))


def _whole(source: Source, start: str) -> object:
    value, _, findings = _read(source, start)
    if findings:
        raise TaxoError(findings)
    return value


def _read(source: Source, start: str) -> tuple[object, Reader, list[Diagnostic]]:
    reader = Reader(source, start)
    tree = reader.read()
    _check_depth(tree, source)
    builder = Builder(source, reader.lost)
    return builder.build(tree), reader, reader.findings + builder.findings


def _check_depth(tree: Tree[Token], source: Source) -> None:
    """Refuse a tree so deep that walking it could overflow the stack."""
    level: list[Tree[Token]] = [tree]
    for _ in range(DEEPEST_TREE):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    start = level[0].meta.start_pos
    fail(
        "T104", f"nested deeper than {DEEPEST_TREE}", Span(source, start, start + 1), "name parts with `let`"
    )
