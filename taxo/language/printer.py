"""Expressions as canonical text: one spelling, and no parenthesis that is not needed."""

from __future__ import annotations

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
)

CONDITIONAL, OR, AND, NOT, COMPARISON, SUM, PRODUCT, MINUS, POWER, ATOM = range(10)

STRENGTH = {
    "or": OR,
    "and": AND,
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "^": POWER,
} | dict.fromkeys((">=", "<=", "==", "!=", ">", "<"), COMPARISON)


def number_text(number: Number) -> str:
    """The shortest text that reads back as the same number."""
    whole = number.written.is_integer() and abs(number.written) < 1e15
    text = str(int(number.written)) if whole else repr(number.written)
    return f"{text}%" if number.percent else text


def strength(node: Expression) -> int:
    """How tightly a node's text holds together."""
    match node:
        case Binary():
            return STRENGTH[node.operator]
        case Unary():
            return NOT if node.operator == "not" else MINUS
        case Conditional():
            return CONDITIONAL
        case Member():
            return COMPARISON
        case _:
            return ATOM


def held(node: Expression, least: int) -> str:
    """The node's text, in parentheses where it is weaker than its place."""
    text = expression_text(node)
    return text if strength(node) >= least else f"({text})"


def expression_text(node: Expression) -> str:
    """The canonical text of an expression."""
    match node:
        case Number():
            return number_text(node)
        case String():
            return f'"{node.text}"'
        case Name():
            return node.text
        case Unary(operator="not"):
            return f"not {held(node.operand, NOT)}"
        case Unary():
            return f"-{held(node.operand, MINUS)}"
        case Binary():
            return _binary_text(node)
        case Member():
            return f"{held(node.element, SUM)} in {call_text(node.group)}"
        case Conditional():
            value, condition, otherwise = node.value, node.condition, node.otherwise
            return f"{held(value, OR)} if {held(condition, OR)} else {expression_text(otherwise)}"
        case Call():
            return f"{node.name.text}({_arguments_text(node.arguments)})"
        case Index():
            return f"{held(node.value, ATOM)}[{expression_text(node.index)}]"
        case Attribute():
            return f"{node.owner.text}.{node.name.text}"


def _binary_text(node: Binary) -> str:
    own = STRENGTH[node.operator]
    if node.operator == "^":
        return f"{held(node.left, ATOM)}^{held(node.right, MINUS)}"
    comparison = own == COMPARISON
    left, right = held(node.left, own + 1 if comparison else own), held(node.right, own + 1)
    return f"{left} {node.operator} {right}"


def _arguments_text(arguments: tuple[Argument, ...]) -> str:
    texts = [
        (f"{argument.name.text}: " if argument.name else "") + expression_text(argument.value)
        for argument in arguments
    ]
    return ", ".join(texts)


def call_text(call: Call) -> str:
    """The canonical text of a set, solver, distribution or group, which needs no brackets: `box`."""
    return expression_text(call) if call.arguments else call.name.text
