"""What the searches of a method ask for and this version cannot run yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taxo.compiler.closed import is_linear, known_minimiser
from taxo.compiler.graph import Act, Graph
from taxo.compiler.plan import first_word, is_plain, simultaneous, steps
from taxo.language.calling import given
from taxo.language.findings import Findings
from taxo.language.regions import is_bounded
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.source import Span
from taxo.language.syntax import Call, Expression, Name
from taxo.language.vocabulary import REGIONS, SOLVERS, VALUES, Place, Shape

Refusal = tuple[str, Span | None, str]


def unfit(act: Act, graph: Graph) -> Iterator[Refusal]:
    """What one act asks for."""
    yield from _draws(act, graph)
    yield from _of_one_weight(act, graph)
    if act.unknown is None or act.via is None:
        return
    yield from _solver(act, graph)
    yield from _sets(act, graph)
    yield from _numbers(act, graph)
    if simultaneous(act, graph.scope):
        yield from _simultaneous(act, graph)


def _solver(act: Act, graph: Graph) -> Iterator[Refusal]:
    item, via = act.item, act.via
    assert via is not None
    word = via.name.text
    if len(item.granularity) > 1:
        hint = "write two perturbations, one for each"
        yield "an unknown of several granularities", item.granularity[0].span, hint
    if word == "closed_form" and not is_linear(act, graph) and known_minimiser(act, graph) is None:
        hint = "known are corners of a simplex, the cross entropy with `l1` or in `linf`, and squared errors"
        yield "a closed form of this", via.span, hint
    if act.learned and act.inner and act.spot.value != "z":
        yield "a table at an inner site", via.span, "keep one `at z`, or of the features"
    if act.shape == Shape.FIELD and (act.learned or simultaneous(act, graph.scope)):
        yield f"`{via.name}` of motions beside the weights", via.span, "take `pgd` or `linearized`"
    if _updates(act, graph) and steps(act, graph.scope) > 1:
        assert item.norm is not None
        yield "`norm update` for several passes", item.norm.span, "one pass of a step moves the statistics"
    if word == "sgd" and (act.grain != "sample" or act.spot.value == "p"):
        hint = "take `joint`, or `gradient` with `start: kept`"
        yield "`sgd` of this unknown", via.span, hint


def _updates(act: Act, graph: Graph) -> bool:
    """Whether a search is to move the running statistics."""
    norm = act.item.norm
    return norm is not None and "update" in (norm.text, graph.scope.word(Name(norm.text)))


def _sets(act: Act, graph: Graph) -> Iterator[Refusal]:
    """A solver that steers by a set has one that bounds the unknown itself."""
    via, first = act.via, first_word(act, graph.scope)
    assert via is not None
    alone = is_plain(act) and act.grain == "sample"
    within = act.item.infer.within
    balls = [one for one in within if REGIONS[one.name.text].bounded or (alone and is_bounded(one))]
    steers = SOLVERS[via.name.text].linear or via.name.text == "pgd" or first == "uniform"
    if not balls and steers:
        what = f"`{via.name}` without a set that bounds `{act.unknown}`"
        yield what, via.span, "add `within linf(...)`"
    if act.place == Place.WEIGHTS and first not in ("zero", "uniform"):
        yield "this start of a search in the weights", via.span, "start from zero"


def _numbers(act: Act, graph: Graph) -> Iterator[Refusal]:
    """Radii and step sizes of each sample go with an unknown of each."""
    shared = act.grain != "sample" or act.place == Place.WEIGHTS
    shapes = Shapes(graph.scope, Findings())
    for option, value in _options(act):
        if shared and shapes.quietly(value) == Shape.SAMPLE:
            hint = "an unknown that samples share has one radius"
            yield f"`{option}` of each sample", value.span, hint


def _options(act: Act) -> Iterator[tuple[str, Expression]]:
    """The numbers of an act's sets and solver."""
    calls: list[Call] = [*act.item.infer.within, *([] if act.via is None else [act.via])]
    for call in calls:
        word = call.name.text
        rows = REGIONS[word].options if word in REGIONS else SOLVERS[word].options
        for option, value in given(call, rows).items():
            if not rows[option].words and not rows[option].family:
                yield option, value


def _simultaneous(act: Act, graph: Graph) -> Iterator[Refusal]:
    """One backward serves the unknown where its goal is made of the training loss."""
    goal, via = act.item.infer.goal, act.via
    assert via is not None
    read = set(graph.scope.reads(goal.objective)) if goal is not None else set[str]()
    if read - set(graph.scope.params) - {"loss"} or act.place != Place.FEATURES:
        hint = "make it of `loss`, or drop `simultaneous`"
        yield "this goal, `simultaneous: true`,", via.span, hint
    if first_word(act, graph.scope) not in ("kept", "previous"):
        yield "`simultaneous` without a kept start", via.span, "add `start: kept`"


def _draws(act: Act, graph: Graph) -> Iterator[Refusal]:
    """A draw is like something that is there when it is read."""
    scope = graph.scope
    read = {name for node in graph.expressions(act) for name in scope.reads(node)}
    for draw in (scope.draws[name] for name in read if name in scope.draws):
        needed = {name for part in scope.definition(draw.name.text) for name in scope.reads(part)}
        rows = [VALUES[name] for name in needed if name in VALUES and name not in scope.declared]
        late = "clean" not in needed and any(row.place > act.place for row in rows)
        if late or ("h" in needed and act.spot.value != "h"):
            what = f"the draw `{draw.name}`, read here,"
            yield what, draw.span, "draw it like what is there"


def asks_which(parts: Iterable[Expression]) -> bool:
    """Whether something asks for the name of the weight that it is about."""
    return any(isinstance(part, Call) and part.name.text == "named" for part in parts)


def _of_one_weight(act: Act, graph: Graph) -> Iterator[Refusal]:
    """A form and its condition are written out for each tensor, and so is a radius that each has itself."""
    infer, scope = act.item.infer, graph.scope
    nodes = [infer.goal.objective] if infer.goal else list[Expression]()
    nodes += [argument.value for call in (*infer.within, infer.via) if call for argument in call.arguments]
    for node in nodes:
        if asks_which(scope.parts(node)) and not _is_of_each(node, act, scope):
            yield "`named` outside a form", node.span, "read it after `by` or `where`"


def _is_of_each(node: Expression, act: Act, scope: Scope) -> bool:
    """Whether an expression is the radius of a set that every tensor has to itself."""
    for region in act.item.infer.within:
        each = given(region, REGIONS[region.name.text].options).get("each")
        if each is not None and scope.word(each) == "tensor":
            return any(argument.value is node for argument in region.arguments)
    return False
