"""Whether perturbed labels stay distributions, as far as the form shows it (Eq. 7).

`a * (q - y)` does, with `q` a distribution and `a` from 0 to 1: it is `y` moved some way towards `q`.
"""

from __future__ import annotations

from taxo.language.constants import constant
from taxo.language.method import Perturbation
from taxo.language.polarity import bounds
from taxo.language.printer import expression_text
from taxo.language.scope import Scope, acts_at
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Name,
    Number,
)

SLACK = 1e-9


def stays(item: Perturbation, scope: Scope) -> bool:
    """Whether the form shows that labels stay on the simplex; where it does not, they may or may not."""
    spot = acts_at(item)
    unknown = scope.unknown(item)
    within = {region.name.text for region in item.infer.within}
    held = unknown if unknown is not None and "simplex" in within else None
    return spot is not None and _Simplex(scope, spot.value, held).moves(item.by)


class _Simplex:
    """The forms that move `own` within the simplex, in which `held` is an unknown that stays there itself."""

    def __init__(self, scope: Scope, own: str, held: str | None) -> None:
        self.scope = scope
        self.own = own
        self.held = held
        self.judged: set[str] = set()

    def moves(self, node: Expression) -> bool:
        """Whether adding a form to a distribution gives another one."""
        if constant(node, self.scope.constants()) == 0:
            return True
        match node:
            case Name() if node.text in self.scope.lets:
                return self.moves(self.scope.lets[node.text].value)
            case Binary(operator="*"):
                pairs = ((node.left, node.right), (node.right, node.left))
                return any(self._is_share(share) and self.moves(rest) for share, rest in pairs)
            case Binary(operator="/"):
                one = Binary("/", Number(1.0), node.right)
                return self._is_share(one) and self.moves(node.left)
            case Binary(operator="-"):
                return self._is_own(node.right) and self.holds(node.left)
            case Conditional():
                return self.moves(node.value) and self.moves(node.otherwise)
            case Call() if node.name.text == "stop":
                return self.moves(node.arguments[0].value)
            case _:
                return False

    def holds(self, node: Expression) -> bool:
        """Whether an expression is a distribution for every sample."""
        match node:
            case Name() if node.text in self.scope.lets:
                return self.holds(self.scope.lets[node.text].value)
            case Name():
                hidden = node.text in self.scope.declared
                known = node.text in ("y", "p", "class_prior") and not hidden
                return known or node.text == self.held or self._kept(node, "sample", "corpus")
            case Attribute():
                return node.name.text == "p"
            case Call():
                return self._called(node)
            case Index():
                return self._picked(node)
            case Conditional():
                return self.holds(node.value) and self.holds(node.otherwise)
            case Binary(operator="+"):
                return self._is_mixture(node)
            case Binary(operator="/"):
                return self._is_spread(node)
            case _:
                return False

    def _called(self, node: Call) -> bool:
        if node.name.text == "stop":
            return self.holds(node.arguments[0].value)
        return node.name.text in ("softmax", "onehot")

    def _picked(self, node: Index) -> bool:
        """Whether an index gives whole distributions: another sample's, or the label's row of a table."""
        index = node.index
        if isinstance(index, Name) and index.text in self.scope.draws:
            return self.holds(node.value)
        of_label = isinstance(index, Name) and index.text == "y"
        return of_label and self._kept(node.value, "category")

    def _is_spread(self, node: Binary) -> bool:
        """Whether a quotient spreads 1 over the classes, or what a distribution leaves over the others."""
        if "C" in self.scope.declared or "outputs" in self.scope.needs:
            return False
        if expression_text(node.right) == "C":
            return constant(node.left, self.scope.constants()) == 1
        others = expression_text(node.right) == "C - 1"
        left = node.left
        return (
            others
            and isinstance(left, Binary)
            and left.operator == "-"
            and constant(left.left, self.scope.constants()) == 1
            and self.holds(left.right)
        )

    def _kept(self, node: Expression, *grains: str) -> bool:
        """Whether an expression is a state that is the mean of distributions from its first value on."""
        state = self.scope.states.get(node.text) if isinstance(node, Name) else None
        if state is None or state.per.text not in grains:
            return False
        if state.name.text in self.judged:
            return True  # it is one before this update, and the update is what is judged
        self.judged.add(state.name.text)
        if not isinstance(state.value, Call) or state.value.name.text not in ("mean", "ema"):
            return state.start is not None and self.holds(state.start) and self.holds(state.value)
        return self.holds(state.value.arguments[0].value) and (
            state.start is not None and self.holds(state.start)
        )

    def _is_mixture(self, node: Binary) -> bool:
        """Whether a sum is of distributions times shares that add up to 1."""
        terms = [self._term(term) for term in _terms(node)]
        if None in terms:
            return False
        shares = [term for term in terms if term is not None]
        if not all(self._is_share(share) for share in shares):
            return False
        values = [constant(share, self.scope.constants()) for share in shares]
        if all(value is not None for value in values):
            return abs(sum(value for value in values if value is not None) - 1) < SLACK
        return len(shares) == 2 and _rest_of(shares[0], shares[1])

    def _term(self, node: Expression) -> Expression | None:
        """The share that a distribution is taken with; None where a term is none."""
        if self.holds(node):
            return Number(1.0)
        if not isinstance(node, Binary) or node.operator != "*":
            return None
        for share, rest in ((node.left, node.right), (node.right, node.left)):
            if self.holds(rest):
                return share
        return None

    def _is_share(self, node: Expression) -> bool:
        low, high = bounds(node, self.scope)
        return low >= -SLACK and high <= 1 + SLACK

    def _is_own(self, node: Expression) -> bool:
        return isinstance(node, Name) and node.text == self.own


def _terms(node: Expression) -> list[Expression]:
    if isinstance(node, Binary) and node.operator == "+":
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _rest_of(first: Expression, second: Expression) -> bool:
    """Whether two shares are `a` and `1 - a`."""

    def rest(node: Expression) -> str:
        return expression_text(Binary("-", Number(1.0), node))

    return expression_text(second) == rest(first) or expression_text(first) == rest(second)
