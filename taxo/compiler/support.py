"""What the language can say and this version cannot run yet: each as a message at its place in the text.

Only what is left of a method after its idle parts are gone is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.ahead import is_ahead
from taxo.compiler.amend import unfit_rounds
from taxo.compiler.augmenting import unfit_at_raw, unfit_before
from taxo.compiler.graph import Graph, lower
from taxo.compiler.held import unfit_data, unfit_there, unfit_whole
from taxo.compiler.made import KEEPERS, is_made, is_module
from taxo.compiler.making import unfit_modules
from taxo.compiler.reach import behind_searches, is_view, late_weights, of_other_batches
from taxo.compiler.searches import Refusal, unfit
from taxo.compiler.settled import unsettled
from taxo.compiler.sights import blind
from taxo.compiler.states import form_of, inner_of, is_before, is_fresh
from taxo.compiler.there import is_there
from taxo.language.constants import constant
from taxo.language.errors import Diagnostic
from taxo.language.findings import Findings
from taxo.language.method import Branch, Inference, Method, Param, Perturbation, State
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.syntax import Attribute, Call, Expression, Name
from taxo.language.vocabulary import CONSTANTS, FUNCTIONS, LABELLED, VALUES, Place, Shape

NUMBERED = ("view", "lid")
REDUCED = ("sum", "mean", "max", "min")
UNREAD = ("gain",)
PER_CLASS = ("class_prior", "class_count", "prior")
EARLY = {"C", "N", *PER_CLASS, *CONSTANTS}  # known when a step is made


def refusals(method: Method) -> list[Diagnostic]:
    """Everything in a method that this version cannot run, in the order of the text."""
    scope, found = Scope(method), dict[str, Diagnostic]()
    unmoved = [*_unmoved(method, scope)]
    if unmoved:
        return unmoved
    for what, span, hint in [*_declared(method, scope)] or [*_in_graphs(method, scope)]:
        message = f"{what} cannot be run in this version"
        found.setdefault(message, Diagnostic("T210", message, span, hint))
    return sorted(found.values(), key=lambda one: one.span.start if one.span else -1)


def _unmoved(method: Method, scope: Scope) -> Iterator[Diagnostic]:
    """The goals that the present values of the parameters make one number."""
    infers = [item.infer for item in method.perturbations() if scope.unknown(item) is not None]
    for infer in (*infers, *method.infers):
        goal = infer.goal
        value = None if goal is None else constant(goal.objective, scope.constants())
        if goal is not None and value is not None:
            message = f"the goal is {value:g} whatever is found"
            hint = "a goal is such as `loss`; see whether a factor of it is 0"
            yield Diagnostic("T208", message, goal.objective.span or goal.span, hint)


def _declared(method: Method, scope: Scope) -> Iterator[Refusal]:
    """What shows without a graph."""
    for infer in method.infers:
        yield from _inference(infer, scope)
    for state in method.states:
        yield from _state(state, scope)
    yield from _branches(method.branches(), scope)
    for item in method.perturbations():
        yield from unfit_data(item)
    yield from unfit_rounds(method, scope)
    yield from unfit_at_raw(method)
    for node in unsettled(method, scope):
        what = "what is computed beside the passes, of what they bring,"
        yield what, node.span, "read numbers and parameters"


def _is_kept(param: Param, scope: Scope) -> bool:
    """Whether a parameter like an input is found by a search, which keeps it in a table."""
    infer, like = scope.found.get(param.name.text), param.like
    return infer is not None and is_there(infer) and isinstance(like, Name) and like.text == "x"


def _inference(infer: Inference, scope: Scope) -> Iterator[Refusal]:
    joint = infer.via is not None and infer.via.name.text == "joint"
    others = [name for name in infer.over if name.text not in scope.params]
    if is_ahead(infer):
        kept = [*scope.states, *(name for name in KEEPERS if is_module(name, scope))]
        others = [name for name in others if name.text not in kept]
    descends = infer.manner.text == "regularization" and joint and infer.on is None
    runs = descends or is_ahead(infer) or is_there(infer)
    if infer.manner.text != "tuning" and (others or not runs) and not is_made(infer):
        hint = "`infer regularization over ... via joint(...)` and `infer meta over ... via lookahead(...)`"
        hint += " or `implicit(...)` of parameters and modules can be run, and `infer adversarial over"
        hint += " generator ... via sgd(...)`"
        yield f"an `infer {infer.manner}` of the whole method", infer.span, hint
    elif infer.within and any(scope.network(name.text) or name.text in scope.modules for name in infer.over):
        yield "a set around a learned network", infer.within[0].span, "drop `within`, or add a penalty"


def _state(state: State, scope: Scope) -> Iterator[Refusal]:
    if state.every is not None and state.every.text == "round":
        yield "a state of every round", state.every.span, "keep it every epoch"
    if state.start is not None and _is_later(state, state.start, scope):
        yield "this first value of a state", state.start.span, "start from a number"
    if is_fresh(state, scope) and state.start is not None:
        late = [
            name for name in scope.reads(state.start) if name in VALUES and VALUES[name].place > Place.DATA
        ]
        if late or form_of(state) is not None:
            hint = "a value that is kept as it is may start from `y` or `x`"
            yield "this first value of a state", state.start.span, hint
    read = {name for name in scope.reads(inner_of(state)) if name in scope.states}
    if is_before(state) and any(is_before(scope.states[name]) for name in read):
        yield f"the state `{state.name}`", state.name.span, "read no other state that is kept before"


def _is_later(state: State, start: Expression, scope: Scope) -> bool:
    """Whether a first value is not there yet when a state is made, or is not settled by then."""
    read = set(scope.reads(start))
    built_in = {name for name in read if name in VALUES and name not in scope.declared}
    own = read & (set(scope.states) | set(scope.found))
    batch = {name for name in built_in if VALUES[name].shape != Shape.PASS and state.per.text == "sample"}
    late = built_in - EARLY - (batch if is_fresh(state, scope) else set[str]())
    return bool(late or own or read & set(scope.branches))


def _branches(branches: list[Branch], scope: Scope) -> Iterator[Refusal]:
    for branch in (branch for branch in branches if branch.on is not None):
        parts = [part for item in branch.perturbations for part in item.written()]
        read = {name for part in (*parts, branch.weight) for name in scope.reads(part)}
        if branch.on is not None and read & {*scope.branches, *scope.draws}:
            hint = "a branch on the previous batch reads values of its own"
            yield "what is drawn or passed with this batch, on another", branch.on.span, hint
    if branches and all(branch.on is not None for branch in branches):
        hint = "add a branch on this batch"
        yield "a method on the previous batch alone", branches[0].span, hint


def _in_graphs(method: Method, scope: Scope) -> Iterator[Refusal]:
    """What searches and expressions ask for, in training and on predictions."""
    training, predicting = lower(method), lower(method, "eval")
    for graph in (training, predicting):
        for act in graph.acts():
            yield from unfit(act, graph)
            yield from unfit_there(act, graph)
            yield from unfit_before(act, graph)
        yield from blind(graph)
        yield from unfit_whole(graph)
        yield from _expressions(graph)
        yield from _reached(graph, method)
    yield from unfit_modules(training)
    for act in predicting.acts():
        during = act.item.during
        if act.keeps_rows(scope) or act.place > Place.LABELS:
            hint = "nobody knows the labels there, nor the samples' places in the data"
            yield "this on predictions", during.span if during else act.item.span, hint
    if predicting.acts():
        yield from _labelled(predicting)


def _reached(graph: Graph, method: Method) -> Iterator[Refusal]:
    """What is not there yet where it is read."""
    hint = "read what is known before the pass, or `clean.`"
    for node in behind_searches(graph):
        yield "what only the training pass draws or keeps, in a search,", node.span, hint
    for node in late_weights(graph):
        yield "what only a pass draws or keeps, in a weight,", node.span, hint
    for node in of_other_batches(method.branches(), graph):
        yield "what a branch on another batch brings", node.span, "read a branch on this batch"


def _expressions(graph: Graph) -> Iterator[Refusal]:
    """What nothing computes yet."""
    scope = graph.scope
    for param in scope.params.values():
        if param.like is not None and graph.used(param.name.text) and not _is_kept(param, scope):
            hint = "drop `like`, or have a search on held-out data find it: it is `like x`"
            yield f"the parameter `{param.name}`", param.name.span, hint
    for part in (part for node in graph.read() for part in scope.parts(node)):
        name = part.text if isinstance(part, Name) and part.text not in scope.declared else ""
        if name in PER_CLASS and "outputs" in scope.needs:
            yield f"`{name}` beside more outputs than classes", part.span, "drop `needs outputs`"
        elif name in UNREAD:
            yield f"reading `{name}`", part.span, "use another value"
        elif isinstance(part, Call):
            yield from _call(part, graph)


def _call(part: Call, graph: Graph) -> Iterator[Refusal]:
    known = constant(part.arguments[-1].value, graph.scope.constants()) if part.arguments else None
    if part.name.text == "view" and not is_view(part, graph.scope):
        hint = "views are counted from 0; `needs views(...)` says how many there are"
        yield "this view", part.span, hint
    elif part.name.text in NUMBERED and known is None:
        yield f"`{part.name}` of this number", part.span, "write a number or a parameter"
    wanted = FUNCTIONS[part.name.text].shapes[:1] if part.name.text in FUNCTIONS else ()
    shape = Shapes(graph.scope, Findings()).quietly(part.arguments[0].value) if part.arguments else None
    if wanted and wanted[0] is not None and shape == Shape.SCALAR and Shape.SCALAR not in wanted[0]:
        yield f"`{part.name}` of one number", part.span, "give it what varies"
    if part.name.text in REDUCED and _of_weights(part, graph):
        yield f"`{part.name}` of the weights", part.span, "take a norm of them"


def _of_weights(part: Call, graph: Graph) -> bool:
    """Whether something is made of all weights."""
    scope = graph.scope
    unknowns = {act.unknown for act in graph.acts() if act.place == Place.WEIGHTS}
    read = {name for argument in part.arguments for name in scope.reads(argument.value)}
    draws = [scope.draws[name] for name in read if name in scope.draws]
    drawn = any(isinstance(draw.like, Name) and draw.like.text == "w" for draw in draws)
    return "w" in read - set(scope.declared) or bool(unknowns & read) or drawn


def _labelled(graph: Graph) -> Iterator[Refusal]:
    """On predictions nothing reads a label, not even what a draw is like."""
    for part in (part for act in graph.acts() for node in _all_of(act.item, graph) for part in node):
        name = part.name.text if isinstance(part, Attribute) else getattr(part, "text", "")
        if isinstance(part, Call) and part.name.text == "view":
            yield "a view of predictions", part.span, "they are made of one input"
        if name in LABELLED and name not in graph.scope.declared:
            yield f"reading `{name}` on predictions", part.span, "read predictions alone"


def _all_of(item: Perturbation, graph: Graph) -> Iterator[Iterator[Expression]]:
    """The parts of what a perturbation reads, through draws too."""
    scope = graph.scope
    for node in item.written():
        yield scope.parts(node)
        for name in scope.reads(node):
            yield from (scope.parts(one) for one in scope.definition(name) if name in scope.draws)
