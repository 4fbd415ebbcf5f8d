"""What an expression reads that is not there yet where a program would compute it."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.draws import is_early_draw
from taxo.compiler.graph import Act, Graph
from taxo.compiler.lines import Line
from taxo.compiler.plan import simultaneous
from taxo.compiler.states import is_before
from taxo.language.constants import constant
from taxo.language.method import Branch
from taxo.language.scope import Scope
from taxo.language.syntax import Call, Expression
from taxo.language.vocabulary import Place


def behind_searches(graph: Graph) -> Iterator[Expression]:
    """What searches read, by passes of their own, that the training pass brings: late draws, some states."""
    for number, line in enumerate(graph.lines):
        for act in line.acts:
            if act.solved and not graph.inside(act, number) and not simultaneous(act, graph.scope):
                yield from (node for node in _searched(act, graph) if _is_late(node, graph.scope))


def _searched(act: Act, graph: Graph) -> list[Expression]:
    """What a search of passes of its own computes; a condition on samples of their own is none of it."""
    own = act.grain == "sample" and act.place != Place.WEIGHTS
    return [node for node in graph.expressions(act) if not (own and node is act.item.where)]


def _is_late(node: Expression, scope: Scope) -> bool:
    """Whether an expression reads what a pass makes as it goes."""
    for name in scope.reads(node):
        if name in scope.states and is_before(scope.states[name]):
            return True
        if name in scope.draws and not is_early_draw(scope.draws[name], scope):
            return True
    return False


def of_other_batches(method_branches: list[Branch], graph: Graph) -> Iterator[Expression]:
    """What lines on this batch read of branches on the previous one."""
    carried = {one.name.text for one in method_branches if one.name is not None and one.on is not None}
    for line in graph.lines:
        if line.carry is None:
            yield from (node for node in _of_line(line, graph) if carried & set(graph.scope.reads(node)))


def _of_line(line: Line, graph: Graph) -> Iterator[Expression]:
    yield line.weight
    for act in line.acts:
        yield from graph.expressions(act)


def late_weights(graph: Graph) -> Iterator[Expression]:
    """The weights of branches that read what is drawn like a value of a pass."""
    yield from (line.weight for line in graph.lines if _is_late(line.weight, graph.scope))


def is_view(node: Call, scope: Scope) -> bool:
    """Whether a view is one of those that the batch has."""
    number = constant(node.arguments[-1].value, scope.constants())
    asked = scope.needs.get("views")
    count = constant(asked.arguments[0].value, scope.constants()) if asked and asked.arguments else None
    return number is not None and number.is_integer() and 0 <= number < (count or 1)
