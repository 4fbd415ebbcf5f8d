"""What couples the samples of a batch, read off a method: there one batch is not the same as its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.catalog import whole
from taxo.compiler import Graph, lower, simplify
from taxo.compiler.closed import base_of
from taxo.compiler.graph import Act
from taxo.compiler.made import MADE
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Branch, Method, State
from taxo.language.scope import Scope, word_text
from taxo.language.source import Span
from taxo.language.syntax import Call, Expression, Member, Name, names, walk
from taxo.language.vocabulary import DISTRIBUTIONS, SOLVERS, Place, Shape

OVER_THE_BATCH = {
    "quantile": "is a quantile of the batch",
    "mean_batch": "is a mean over the batch",
    "lid": "looks for neighbours in the batch",
}
REMEMBERED = ("kept", "previous")


@dataclass(frozen=True, slots=True)
class Reason:
    """Something a method says, and the clause that says it."""

    what: str
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.span.source.name}:{self.span.line}: {self.what}" if self.span else self.what


def simple(method: Method) -> Method:
    """A method with all that it uses written out, and without what its parameters leave idle."""
    return simplify(whole(method))


def pools(method: Method) -> list[Reason]:
    """Everything in a simplified method that couples the samples of a batch, in source order."""
    graph = lower(method)
    return in_order(
        [
            *_cuts(method),
            *(reason for node in read(graph) for part in walk(node) for reason in _expression(graph, part)),
            *(reason for draw in drawn(graph) for reason in _draw(graph, draw)),
            *(reason for state in _kept(graph) for reason in _state(state)),
            *(reason for act in graph.acts() for reason in _act(graph, act)),
        ]
    )


def chances(method: Method) -> list[Reason]:
    """The numbers that a simplified method draws for each sample: they couple nothing.

    Yet those drawn for a whole batch are others than those drawn part by part.
    """
    graph = lower(method)
    draws = [
        Reason(f"`{name}` is drawn anew for every batch", graph.scope.draws[name].name.span)
        for name in drawn(graph)
    ]
    starts = [
        Reason(f"`{act.key}` starts at random", act.item.infer.via and act.item.infer.via.span)
        for act in graph.acts()
        if start_of(graph, act) == "uniform"
    ]
    made = [
        Reason(f"`{name.text}` is made of noise for every batch", name.span)
        for node in read(graph)
        for name in names(node)
        if name.text in MADE and name.text not in graph.scope.declared
    ]
    return in_order([*draws, *made, *starts])


def meets_points(method: Method) -> bool:
    """Whether the labels of a method are points, of which each sample meets the nearest."""
    return base_of(whole(method)) == "icp"


def in_order(found: list[Reason]) -> list[Reason]:
    """Each reason once, in the order of the text."""
    return sorted(dict.fromkeys(found), key=lambda one: one.span.start if one.span else -1)


def read(graph: Graph) -> list[Expression]:
    """Every expression that a step computes, the goals of its inferences of learned names among them."""
    goals = [infer.goal.objective for infer in graph.method.infers if infer.goal]
    return [*graph.read(), *goals]


def drawn(graph: Graph) -> list[str]:
    """The draws that something reads, in the order of the text."""
    names = {part.text for node in read(graph) for part in walk(node) if isinstance(part, Name)}
    return [name for name in graph.scope.draws if name in names]


def start_of(graph: Graph, act: Act) -> str:
    """Where the search for an unknown starts, as a word; empty where it has no start."""
    via = act.item.infer.via
    if via is None or via.name.text not in SOLVERS or act.unknown is None:
        return ""
    node = given(via, SOLVERS[via.name.text].options).get("start")
    return (graph.scope.word(node) if node is not None else None) or ""


def is_split(method: Method) -> bool:
    """Whether a method cuts the batch into more than one part."""
    return method.split is not None and constant(method.split, Scope(method).constants()) != 1


def _cuts(method: Method) -> Iterator[Reason]:
    """What cuts, copies or compares the batch as a whole, and what is learned once a step."""
    if meets_points(method) and method.loss is not None:
        yield Reason("a sample looks for the nearest of all labels", method.loss.span)
    if is_split(method) and method.split is not None:
        yield Reason("`split` cuts the batch into parts", method.split.span)
    for branch in method.branches():
        yield from _branch(branch)
    for infer in method.infers:
        names = ", ".join(f"`{name}`" for name in infer.over)
        take = "takes" if len(infer.over) == 1 else "take"
        yield Reason(f"{names} {take} a step with every batch", infer.span)


def _branch(branch: Branch) -> Iterator[Reason]:
    if branch.on is not None:
        yield Reason(f"`on {branch.on.name}` passes the batch before this one", branch.on.span)


def _expression(graph: Graph, node: Expression) -> Iterator[Reason]:
    match node:
        case Member():
            yield Reason(f"`in {node.group.name}` ranks the samples of the batch", node.group.span)
        case Call() if node.name.text in OVER_THE_BATCH:
            yield Reason(f"`{node.name}` {OVER_THE_BATCH[node.name.text]}", node.span)
        case Name(text="step") if "step" not in graph.scope.declared:
            yield Reason("`step` counts the batches", node.span)
        case _:
            return


def _draw(graph: Graph, name: str) -> Iterator[Reason]:
    draw = graph.scope.draws[name]
    row = DISTRIBUTIONS.get(draw.distribution.name.text)
    if row is not None and row.result is Shape.PERMUTATION:
        yield Reason(f"`{name}` is an order of the batch", draw.name.span)
    elif draw.per.text != "sample":
        yield Reason(f"`{name}` is drawn once for the batch", draw.name.span)


def _kept(graph: Graph) -> list[State]:
    """The states that something reads."""
    names = {part.text for node in read(graph) for part in walk(node) if isinstance(part, Name)}
    return [state for name, state in graph.scope.states.items() if name in names]


def _state(state: State) -> Iterator[Reason]:
    if state.per.text != "sample" and word_text(state.every, "step") == "step":
        yield Reason(f"the state `{state.name}` is updated with every batch", state.name.span)


def _act(graph: Graph, act: Act) -> Iterator[Reason]:
    """What the inference of one perturbation takes from the batch."""
    infer, grains = act.item.infer, [word.text for word in act.item.granularity]
    if act.unknown is None:
        return
    if act.place == Place.WEIGHTS:
        yield Reason(f"`{act.key}` is found from the gradient of the batch", infer.span)
    elif "sample" not in grains:
        yield Reason(f"the samples of a batch share `{act.key}`", act.item.granularity[0].span)
    if act.learned and infer.via is not None:
        yield Reason(f"`{infer.via.name}` moves `{act.key}` once a batch", infer.via.span)
    if infer.via is not None and infer.via.name.text in SOLVERS and SOLVERS[infer.via.name.text].held:
        yield Reason(f"`{infer.via.name}` looks past a step on the batch", infer.via.span)
    if start_of(graph, act) in REMEMBERED and infer.via is not None:
        yield Reason(f"`{act.key}` starts where it ended in an earlier batch", infer.via.span)
