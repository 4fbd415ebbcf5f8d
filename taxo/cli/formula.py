"""The two ways to write mathematics: LaTeX for pages, Unicode for a terminal."""

from __future__ import annotations

import re

from taxo.cli.columns import columns
from taxo.cli.notation import Notation, Row
from taxo.language.printer import ATOM, MINUS, OR, PRODUCT
from taxo.language.syntax import Binary, Conditional

SPECIAL = re.compile(r"[_%#$&{}]")
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
UNICODE = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "epsilon": "ε",
    "eta": "η",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "omega": "ω",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "ell": "ℓ",
    "infty": "∞",
}


class Latex(Notation):
    r"""LaTeX, as GitHub shows it.

    >>> from taxo.language.parser import parse_expression
    >>> print(Latex().expression(parse_expression("lam * (1 / C - y)")))
    \lambda \, \left(\frac{1}{C} - y\right)
    """

    operators = {sign: sign for sign in ("+", "-", ">", "<")} | {
        "negative": "-",
        "not": r"\neg\, ",
        "and": r"\wedge",
        "or": r"\vee",
        "in": r"\in",
        "drawn": r"\sim",
        "where": r"\text{where } ",
        "given": r"\,\Vert\,",
        "==": "=",
        ">=": r"\ge",
        "<=": r"\le",
        "!=": r"\ne",
    }
    arrow = r"\leftarrow"
    functions = {name: rf"\{name}" for name in ("exp", "log", "sin", "cos", "min", "max")} | {
        "acos": r"\arccos",
        "argmax": r"\arg\max",
        "argmin": r"\arg\min",
    }

    def letter(self, name: str) -> str:
        """A letter by its LaTeX name."""
        return rf"\{'varepsilon' if name == 'epsilon' else name}"

    def word(self, text: str) -> str:
        """A word of several letters, in upright type."""
        escaped = SPECIAL.sub(r"\\\g<0>", text)
        return self.functions.get(text) or rf"\mathrm{{{escaped}}}"

    def number(self, text: str) -> str:
        """A number; one in powers of ten has them as such."""
        whole, _, ten = text.replace("%", r"\%").partition("e")
        power = f"10^{{{int(ten)}}}" if ten else ""
        return power if whole == "1" and ten else rf"{whole} \cdot {power}" if ten else whole

    def brackets(self, text: str) -> str:
        """A part in brackets of its height."""
        tall = r"\frac" in text or r"\begin" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def enclosed(self, kind: str, text: str) -> str:
        """A part between bars, double bars, or the signs of the floor."""
        left, right = {"|": ("|", "|"), "‖": (r"\Vert", r"\Vert"), "floor": (r"\lfloor", r"\rfloor")}[kind]
        return rf"\left{left} {text} \right{right}"

    def times(self, left: str, right: str) -> str:
        """A product without a sign, but before a number."""
        return rf"{left} \cdot {right}" if right[0].isdigit() else rf"{left} \, {right}"

    def over(self, node: Binary) -> str:
        """A fraction, which needs no brackets."""
        return rf"\frac{{{self.expression(node.left)}}}{{{self.expression(node.right)}}}"

    def power(self, node: Binary) -> str:
        """A raised exponent, which needs no brackets."""
        # what has an index or a fraction as its base is a power of the whole of it
        return f"{{{self.held(node.left, ATOM)}}}^{{{self.expression(node.right)}}}"

    def below(self, text: str, index: str) -> str:
        """A part with an index."""
        return f"{{{text}}}_{{{index}}}"

    def above(self, text: str, mark: str) -> str:
        """A part with a raised mark."""
        return f"{{{text}}}^{{{mark}}}"

    def cases(self, node: Conditional) -> str:
        """Two lines behind a brace."""
        value, condition, otherwise = map(self.expression, (node.value, node.condition, node.otherwise))
        lines = rf"{value} & \text{{if }} {condition} \\ {otherwise} & \text{{otherwise}}"
        return rf"\begin{{cases}} {lines} \end{{cases}}"

    def best(self, kind: str, goal: str, over: str) -> str:
        """The argument of an extremum, with what is allowed below it."""
        below = f"_{{{over}}}" if over else ""
        return rf"\arg\{kind}{below} \; {goal}"

    def inline(self, text: str) -> str:
        """A formula within a sentence, in marks that Markdown leaves alone."""
        return f"$`{text}`$"

    def block(self, rows: list[Row]) -> str:
        """Lines aligned at their signs."""
        lines = [
            f"{left} &{right}" + (rf" && \text{{{remark}}}" if remark else "") for left, right, remark in rows
        ]
        body = " \\\\\n".join(lines)
        return f"```math\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```"


class Unicode(Notation):
    """Mathematics in letters and signs that a terminal has.

    >>> from taxo.language.parser import parse_expression
    >>> Unicode().expression(parse_expression("tau * log(class_prior) ^ 2"))
    'τ · log(class_prior)²'
    """

    operators = {sign: sign for sign in ("+", "-", ">", "<", "and", "or", "in")} | {
        "negative": "-",
        "not": "not ",
        "given": "‖",
        "drawn": "~",
        "where": "where ",
        "==": "=",
        ">=": "≥",
        "<=": "≤",
        "!=": "≠",
    }
    arrow = "←"

    def letter(self, name: str) -> str:
        """A letter by its LaTeX name."""
        return UNICODE[name]

    def word(self, text: str) -> str:
        """A word as it is."""
        return text

    def number(self, text: str) -> str:
        """A number as it is written."""
        return text

    def brackets(self, text: str) -> str:
        """A part in brackets."""
        return f"({text})"

    def enclosed(self, kind: str, text: str) -> str:
        """A part between bars, double bars, or the signs of the floor."""
        left, right = ("⌊", "⌋") if kind == "floor" else (kind, kind)
        return f"{left}{text}{right}"

    def times(self, left: str, right: str) -> str:
        """A product with a point."""
        return f"{left} · {right}"

    def over(self, node: Binary) -> str:
        """A quotient on one line."""
        return f"{self.held(node.left, PRODUCT)} / {self.held(node.right, PRODUCT + 1)}"

    def power(self, node: Binary) -> str:
        """A raised number, or what a spec would write."""
        power = self.held(node.right, MINUS)
        raised = power.translate(SUPERSCRIPTS) if power.lstrip("-").isdigit() else f"^{power}"
        return self.held(node.left, ATOM) + raised

    def below(self, text: str, index: str) -> str:
        """A part with an index."""
        subscript = {"1": "₁", "2": "₂", "∞": "∞"}
        return text + subscript[index] if text.endswith("‖") and index in subscript else f"{text}[{index}]"

    def joined(self, letter: str, tail: str) -> str:
        """A letter and the word that its name goes on with."""
        return f"{letter}_{tail}"

    def above(self, text: str, mark: str) -> str:
        """A part after its owner, as a spec writes it."""
        return f"{mark}.{text}"

    def cases(self, node: Conditional) -> str:
        """Two values in a sentence."""
        value, condition = self.held(node.value, OR), self.held(node.condition, OR)
        return f"{value} if {condition} else {self.expression(node.otherwise)}"

    def best(self, kind: str, goal: str, over: str) -> str:
        """The argument of an extremum, then what is allowed."""
        return f"arg {kind} {goal}" + (f"  over {over}" if over else "")

    def inline(self, text: str) -> str:
        """A formula within a sentence."""
        return text

    def block(self, rows: list[Row]) -> str:
        """Lines in columns."""
        lines = [f"{left} {right}" for left, right, _ in rows]
        remarks = [f"({remark})" if remark else "" for _, _, remark in rows]
        body = columns([list(pair) for pair in zip(lines, remarks, strict=True)])
        return "\n".join(["```", *body, "```"])
