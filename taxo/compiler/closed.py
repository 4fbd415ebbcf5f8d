"""Which inferences have a known minimiser, and how a program computes it."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.compiler.expressions import Writer
from taxo.compiler.folding import fold
from taxo.compiler.graph import Act, Graph
from taxo.compiler.kinks import best_kink
from taxo.compiler.plan import is_plain
from taxo.compiler.spots import Spot
from taxo.compiler.text import call, quoted
from taxo.language.calling import given
from taxo.language.method import Method
from taxo.language.objectives import base_objective
from taxo.language.printer import ATOM
from taxo.language.syntax import Binary, Call, Expression, Name, Number, Unary, names, rebuilt, walk
from taxo.language.vocabulary import REGIONS, Place, Shape

SQUARED = {"features": ("kmeans", "icp"), "labels": ("mse",)}


@dataclass(frozen=True, slots=True)
class Minimiser:
    """A minimiser by its kind; the price and norm of its penalty, or the radius of its ball."""

    kind: str
    act: Act
    price: Expression | None = None
    norm: str = "none"

    def written(self, name: str, source: str, writer: Writer, spot: Spot) -> list[str]:
        """The lines that compute it; `source` are the logits, or the slope where nothing is moved."""
        price = "0" if self.price is None else writer.code(self.price, spot)
        goal = self.act.item.infer.goal
        maximize = f"maximize={goal is not None and goal.kind.text == 'maximize'}"
        y = "y"
        match self.kind:
            case "cross_entropy_l1":
                found = call(writer.use(self.kind), [source, y, price])
            case "cross_entropy_linf":
                found = call(writer.use(self.kind), [source, y, price, maximize])
            case "zero":
                found = call(writer.use("blank"), [spot.value("loss"), f"len({spot.value('loss')})"])
            case "loss":
                live = self.act.item.infer.manner.text == "regularization"
                found = [f"{spot.value('loss')}{'' if live else '.detach()'}"]
            case "slope":
                found = call(writer.use("prox_of_squares"), ["1.0", f"-{source} / 2", price, *self._more()])
            case _:
                found = call(
                    writer.use("prox_of_squares"), [*self._affine(source, writer, spot), price, *self._more()]
                )
        return [f"{name} = {found[0]}", *found[1:]]

    def _more(self) -> list[str]:
        nonnegative = "nonnegative" in {region.name.text for region in self.act.item.infer.within}
        return [quoted(self.norm), *(["nonnegative=True"] * nonnegative)]

    def _affine(self, u: str, writer: Writer, spot: Spot) -> list[str]:
        """The form as `scale * unknown + rest`, and what is left of the squared error at zero."""
        name, form = self.act.unknown or "", self.act.item.by
        at_zero, at_one = (fold(_with(form, name, number), {}) for number in (0.0, 1.0))
        rest, one = (writer.expanded(part, spot, Shape.ROW, ATOM) for part in (at_zero, at_one))
        return [f"{one} - {rest}", f"{u} - {spot.value('y')} - {rest}"]


def known_minimiser(act: Act, graph: Graph) -> Minimiser | None:
    """The known minimiser of an act's goal; None where there is none that is known here."""
    goal, via = act.item.infer.goal, act.via
    if goal is None or via is None or via.name.text != "closed_form" or act.grain != "sample":
        return None
    if act.place == Place.LOSS:
        return _on_losses(act, graph)
    base, penalty = base_of(graph.method), _penalty(goal.objective, act.unknown or "")
    sets = {region.name.text: region for region in act.item.infer.within}
    if penalty is None or any(other.place == Place.LABELS for other in _above(act, graph)):
        return None
    price, norm = penalty
    found = _on_logits(act, base, price, norm, sets) or _on_squares(act, base, price, norm, sets)
    return (
        None
        if found is None or (found.kind != "cross_entropy_linf" and goal.kind.text != "minimize")
        else found
    )


def _on_losses(act: Act, graph: Graph) -> Minimiser | None:
    """Zero or the loss itself, where nothing above can have made the loss negative."""
    above = [other for other in _above(act, graph) if other.place >= Place.LABELS]
    inside = all(graph.inside(act, number) for number, line in enumerate(graph.lines) if act in line.acts)
    kind = None if above or not inside else best_kink(act, graph.scope.constants())
    return None if kind is None else Minimiser(kind, act)


def is_linear(act: Act, graph: Graph) -> bool:
    """Whether a closed form is that of a linear goal over a simplex: one of its corners."""
    goal, via = act.item.infer.goal, act.via
    if goal is None or via is None or via.name.text != "closed_form":
        return False
    plain = isinstance(goal.objective, Name) and goal.objective.text == "loss"
    sets = [region.name.text for region in act.item.infer.within]
    return plain and sets == ["simplex"] and base_of(graph.method) in ("cross_entropy", "bce")


def base_of(method: Method) -> str:
    """The word of a method's base objective."""
    call_ = base_objective(method.loss)[0] if method.loss is not None else None
    return call_.name.text if call_ is not None else "cross_entropy"


def _on_logits(
    act: Act, base: str, price: Expression | None, norm: str, sets: dict[str, Call]
) -> Minimiser | None:
    """The cross entropy of moved logits: against a price on each entry, or in a box."""
    if act.item.target.text != "logits" or base != "cross_entropy" or not is_plain(act):
        return None
    if price is not None and norm == "l1" and not sets:
        return Minimiser("cross_entropy_l1", act, price, norm)
    if price is None and list(sets) == ["linf"]:
        radius = given(sets["linf"], REGIONS["linf"].options)["radius"]
        return Minimiser("cross_entropy_linf", act, radius)
    return None


def _on_squares(
    act: Act, base: str, price: Expression | None, norm: str, sets: dict[str, Call]
) -> Minimiser | None:
    """A squared distance from what the unknown moves."""
    target = act.item.target.text
    if base not in SQUARED.get(target, ()) or not set(sets) <= {"nonnegative"}:
        return None
    form = act.item.by
    moves = is_plain(act) or (isinstance(form, Unary) and _is(form.operand, act.unknown or ""))
    if target == "features":
        return Minimiser("slope", act, price, norm) if moves else None
    if norm == "l2" and not moves:
        return None
    return Minimiser("affine", act, price, norm)


def adds_to_loss(node: Expression) -> bool:
    """Whether a goal is the loss, or the loss with terms beside it that do not read it."""
    while isinstance(node, Binary) and node.operator in ("+", "-"):
        if any(isinstance(part, Name) and part.text == "loss" for part in walk(node.right)):
            return False
        node = node.left
    return isinstance(node, Name) and node.text == "loss"


def _penalty(node: Expression, unknown: str) -> tuple[Expression | None, str] | None:
    """The price and norm that a goal adds to the loss; None where it is no such goal."""
    if isinstance(node, Name) and node.text == "loss":
        return None, "none"
    if not isinstance(node, Binary) or node.operator != "+" or not _is(node.left, "loss"):
        return None
    term = node.right
    sides = (
        [(term.left, term.right), (term.right, term.left)]
        if isinstance(term, Binary) and term.operator == "*"
        else []
    )
    for price, norm in [*sides, (Number(1.0), term)]:
        free = all(name.text != unknown for name in names(price))
        if (
            free
            and isinstance(norm, Call)
            and norm.name.text in ("l1", "l2")
            and _is(norm.arguments[0].value, unknown)
        ):
            return price, norm.name.text
    return None


def _is(node: Expression, name: str) -> bool:
    return isinstance(node, Name) and node.text == name


def _above(act: Act, graph: Graph) -> list[Act]:
    return [other for line in graph.lines if act in line.acts for other in line.above(act)]


def _with(node: Expression, name: str, number: float) -> Expression:
    """An expression with a number in the place of a name."""
    if _is(node, name):
        return Number(number)
    return rebuilt(node, lambda child: _with(child, name, number))
