"""What a program keeps from step to step: tables of unknowns and learned parameters, states, a batch."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.ahead import Ahead, aheads, fleeting, has_momentum
from taxo.compiler.ahead import attribute as moments_of
from taxo.compiler.closed import adds_to_loss
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph, lower, site_of
from taxo.compiler.made import KEEPERS, MADE, is_module
from taxo.compiler.names import identifier
from taxo.compiler.plan import counted, first_word, simultaneous
from taxo.compiler.spots import EARLY, of_line
from taxo.compiler.states import attribute, kept, made
from taxo.compiler.text import Text, call, quoted
from taxo.compiler.there import found_there
from taxo.language.calling import given
from taxo.language.method import Inference, Param
from taxo.language.objectives import base_objective
from taxo.language.options import COUNTS
from taxo.language.scope import Scope
from taxo.language.shapes import ANYWHERE, Reader
from taxo.language.source import Span
from taxo.language.syntax import Attribute, Call, Name, names, walk
from taxo.language.vocabulary import OBJECTIVES, SOLVERS, Place, Shape

BASES = {
    "bce": "BinaryCrossEntropies",
    "hinge": "Hinge",
    "mse": "SquaredError",
    "kmeans": "NearestCentre",
    "icp": "NearestPoint",
}
ROWS = {"sample": "self.samples", "category": "self.outputs", "corpus": "1", "slot": "0"}
WIDTHS = {Shape.ROW: "(self.outputs,)", Shape.SAMPLE: "()", Shape.Z: "(self.places.width,)"}


def is_constant(param: Param, scope: Scope) -> bool:
    """Whether a parameter is a plain number from the start."""
    counts = any(name.text in COUNTS for name in names(param.default))
    grained = param.per is not None or param.name.text in scope.found or param.like is not None
    inner = [scope.params[name.text] for name in names(param.default) if name.text in scope.params]
    number = not scope.is_word(param) and scope.network(param.name.text) is None
    return number and not counts and not grained and all(is_constant(one, scope) for one in inner)


def table_of(act: Act, graph: Graph) -> str:
    """The attribute that keeps the unknown of an act; nothing where it is found anew in every step."""
    if act.learned:
        return "" if act.key in fleeting(graph) else f"table_{identifier(act.key)}"
    found = act.solved and first_word(act, graph.scope) in ("kept", "previous")
    return f"kept_{identifier(act.key)}" if found or (act.solved and simultaneous(act, graph.scope)) else ""


def granule_of(act: Act, graph: Graph) -> str:
    """What the rows of an act's table are."""
    previous = not act.learned and first_word(act, graph.scope) == "previous"
    return "slot" if previous and act.grain == "sample" else act.grain


def learned_params(graph: Graph) -> dict[str, Inference]:
    """The parameters that an inference of the whole method finds."""
    return {name: infer for name, infer in graph.scope.found.items() if name in graph.scope.params}


def reads_index(graph: Graph) -> bool:
    """Whether samples must say which they are."""
    scope = graph.scope
    tables = any(table_of(act, graph) and granule_of(act, graph) == "sample" for act in graph.acts())
    states = any(state.per.text == "sample" and kept(state, graph) for state in scope.states.values())
    passing = fleeting(graph)
    params = any(
        scope.params[name].per is not None and str(scope.params[name].per) == "sample"
        for name in learned_params(graph)
        if name not in passing
    )
    return tables or states or params or graph.used("index")


def sees(graph: Graph) -> dict[str, Span | None]:
    """What passes note inside the model, `z`, `teacher.z` and modules by name, and where each is read."""
    found: dict[str, Span | None] = {}
    scope = graph.scope
    for node in (part for one in graph.read() for part in walk(one)):
        match node:
            case Name(text="z" | "W") if node.text not in scope.declared:
                found.setdefault("z", node.span)
            case Attribute() if node.name.text == "z":
                found.setdefault("teacher.z" if node.owner.text == "teacher" else "z", node.span)
            case Call() if node.name.text == "h":
                found.setdefault(scope.word(node.arguments[0].value) or "", node.span)
            case _:
                pass
    for act in graph.acts():
        if act.solved and act.inner and act.item.at is not None:
            found.setdefault(site_of(act, scope), act.item.at.span)
    return found


def write_setup(text: Text, graph: Graph, writer: Writer) -> None:
    """What the step makes once: its head, its objective, and what it keeps."""
    scope = graph.scope
    if "outputs" in scope.needs:
        text.line(f"self.take_outputs({writer.code(scope.needs['outputs'].arguments[0].value, EARLY)})")
    if "cosine_head" in scope.needs:
        text.line(
            f"self.take_cosine_head({writer.code(scope.needs['cosine_head'].arguments[0].value, EARLY)})"
        )
    if any(line.norm == "auxiliary" for line in graph.lines) or _inner_norms(graph):
        text.line("self.take_second_norms()")
    base = _base(graph)
    if base is not None and base.name.text in BASES:
        text.line(f"self.objective = {writer.use(BASES[base.name.text])}()")
    for act in graph.acts():
        if table_of(act, graph):
            with text.of(act.item.span):
                _table(text, act, graph, writer)
    _write_learned(text, graph, writer)
    for state in scope.states.values():
        if kept(state, graph):
            with text.of(state.span):
                text.line(f"self.{attribute(state)} = {made(state, writer)}")
    if any(line.carry is not None for line in graph.lines):
        text.line(f"self.carry = {writer.use('Carry')}()")


def _write_learned(text: Text, graph: Graph, writer: Writer) -> None:
    """What keeps the learned parameters, and what is needed to look ahead."""
    scope, learned, passing = graph.scope, learned_params(graph), fleeting(graph)
    for name, param in scope.params.items():
        held = name in learned and name not in passing
        if held or (scope.network(name) is not None and graph.used_call(name)):
            with text.of(param.span):
                _learned(text, param, learned.get(name), writer)
    training = lower(graph.method)
    found, there = aheads(training), [act.item.infer for act in training.acts() if act.there]
    _modules(text, graph, found)
    for infer in [*(one.infer for one in found), *found_there(graph.method), *there][:1]:
        with text.of(infer.span):
            text.line("self.take_validation()")
    for one in found:
        with text.of(one.infer.span):
            _moments(text, one, graph, writer)


def _modules(text: Text, graph: Graph, found: list[Ahead]) -> None:
    """The modules from outside whose values a program makes, or whose weights it learns."""
    scope = graph.scope
    learned = {name: one.infer for one in found for name in one.names if is_module(name, scope)}
    for name in KEEPERS:
        if name in learned or (name in MADE and graph.used(name)):
            momentum = name in learned and has_momentum(learned[name], scope)
            with text.of(scope.needs[name].span):
                text.line(f"self.take_{name}({'momentum=True' * momentum})")


def _inner_norms(graph: Graph) -> bool:
    """Whether a search runs with second norms."""
    words = [act.item.norm for act in graph.acts() if act.item.norm is not None]
    return any((graph.scope.word(Name(word.text)) or word.text) == "auxiliary" for word in words)


def _table(text: Text, act: Act, graph: Graph, writer: Writer) -> None:
    """The table of an act's unknown; its shape is known, or that of the first value it meets."""
    granule = granule_of(act, graph)
    shape = WIDTHS.get(act.spot.shape, "None")
    arguments = [quoted(granule), ROWS[granule], shape, "self.anchor", *_stored(act.item.infer, writer)]
    found = call(writer.use("Table"), arguments)
    text.line(f"self.{table_of(act, graph)} = {found[0]}", *found[1:])


def _learned(text: Text, param: Param, infer: Inference | None, writer: Writer) -> None:
    """What keeps a learned parameter: a table, or a network."""
    scope, name = writer.scope, identifier(param.name.text)
    network = scope.network(param.name.text)
    if network is not None:
        sizes = ", ".join(writer.code(argument.value, EARLY) for argument in network.arguments)
        text.line(f"self.network_{name} = {writer.use('Learner')}({sizes}, self.draws.seed)")
        return
    per = grain_of(param)
    start = f"start={writer.code(param.default, EARLY)}"
    arguments = [
        quoted(per),
        ROWS[per],
        "()" if param.like is None else "None",
        "self.anchor",
        start,
        *_stored(infer, writer),
    ]
    found = call(writer.use("Table"), arguments)
    text.line(f"self.table_{name} = {found[0]}", *found[1:])


def _moments(text: Text, one: Ahead, graph: Graph, writer: Writer) -> None:
    """The moments of what Adam moves."""
    if not one.kept or one.optimizer()[0] != "adam":
        return
    for name in one.names:
        kept = table_of(one.act, graph) if one.act else keeper(name, writer.scope)
        text.line(f"self.{moments_of(name)} = {writer.use('Adam')}(self.{kept})")


def grain_of(param: Param) -> str:
    """What has one value of a parameter."""
    return "corpus" if param.per is None else param.per.text


def keeper(name: str, scope: Scope) -> str:
    """The attribute that keeps a learned parameter, or a module."""
    if is_module(name, scope):
        return KEEPERS[name]
    return f"{'table' if scope.network(name) is None else 'network'}_{identifier(name)}"


def _stored(infer: Inference | None, writer: Writer) -> list[str]:
    """Where a table is kept, and whether it has a momentum."""
    via = None if infer is None else infer.via
    if infer is None or via is None:
        return []
    options = given(via, SOLVERS[via.name.text].options)
    word = writer.scope.word(options["store"]) if "store" in options else "device"
    momentum = ["momentum=True"] if via.name.text == "joint" or has_momentum(infer, writer.scope) else []
    return momentum + [f"store={quoted(word or 'device')}"] * (word not in (None, "device"))


def _base(graph: Graph) -> Call | None:
    loss = graph.method.loss
    return None if loss is None else base_objective(loss)[0]


def write_options(text: Text, graph: Graph, writer: Writer) -> None:
    """The options of the base objective."""
    base = _base(graph)
    if base is None:
        return
    for name, value in given(base, OBJECTIVES[base.name.text].options).items():
        if name != "clusters":
            with text.of(value.span):
                text.line(f"self.objective.{name} = {writer.code(value, EARLY)}")


def _regular(graph: Graph) -> list[tuple[Act | None, Inference]]:
    """The inferences whose penalties count in the training loss: of acts, and of the whole method."""
    acts = [(act, act.item.infer) for act in graph.acts() if act.unknown is not None]
    whole = [(None, infer) for infer in graph.method.infers]
    return [(act, infer) for act, infer in (*acts, *whole) if infer.manner.text == "regularization"]


def penalised(graph: Graph, writer: Writer) -> Iterator[tuple[Span | None, str, bool]]:
    """The training loss as every goal has it that adds to the loss; whether as a perturbation's price."""
    last = graph.lines[-1].variable
    for act, infer in _regular(graph):
        goal = infer.goal
        if goal is None or not adds_to_loss(goal.objective) or isinstance(goal.objective, Name):
            continue
        reader, unknown = ANYWHERE, ""
        if act is not None:
            reader = Reader(Place.LOSS, "loss", act.unknown, act.shape)
            unknown = counted(act, graph) or identifier(act.key)
            if act.grain == "category" and not counted(act, graph):
                unknown = f"{writer.use('rows_of')}({unknown}, y)"
        spot = of_line(last, reader, unknown=unknown, spelt=frozenset(graph.scope.lets))
        spot.own["loss"] = "losses"  # pyright: ignore[reportIndexIssue]
        yield goal.span, writer.expanded(goal.objective, spot, Shape.SAMPLE), act is not None
