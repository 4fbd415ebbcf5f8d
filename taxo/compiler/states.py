"""States as program text: what keeps them, when they take a batch in, and when an epoch ends for them."""

from __future__ import annotations

from taxo.compiler.draws import draw_line, is_early_draw
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Graph
from taxo.compiler.names import identifier
from taxo.compiler.spots import EARLY, Spot
from taxo.compiler.text import Text, call, quoted
from taxo.language.calling import given
from taxo.language.method import State
from taxo.language.scope import Scope
from taxo.language.shapes import ANYWHERE
from taxo.language.syntax import Attribute, Call, Expression
from taxo.language.vocabulary import FUNCTIONS, STATE_FORMS, VALUES, Grain, Shape

KEEPERS = {
    "mean": "Mean",
    "deviation": "Deviation",
    "ema": "Ema",
    "covariance": "Covariance",
    "prototypes": "Prototypes",
}
WIDTHS = {"C": "self.outputs", "D": "self.places.width"}
ROWS = {"sample": "self.samples", "category": "self.outputs", "corpus": "1"}


def attribute(state: State) -> str:
    """The attribute that keeps a state."""
    return f"state_{identifier(state.name.text)}"


def is_before(state: State) -> bool:
    """Whether a state takes the batch in before it is read."""
    return state.order is not None and state.order.text == "before"


def is_late(state: State) -> bool:
    """Whether a state changes at the ends of epochs."""
    return state.every is not None and state.every.text != "step"


def is_fed(state: State, scope: Scope) -> bool:
    """Whether a state takes something in at every step."""
    return not is_late(state) or reads_batch(inner_of(state), scope)


def form_of(state: State) -> Call | None:
    """The form of a state, unless it keeps an expression as it is."""
    value = state.value
    return value if isinstance(value, Call) and value.name.text in STATE_FORMS else None


def inner_of(state: State) -> Expression:
    """What a state is made of."""
    form = form_of(state)
    return state.value if form is None else form.arguments[0].value


def reads_batch(node: Expression, scope: Scope) -> bool:
    """Whether an expression reads anything of a batch."""
    for part in scope.parts(node):
        if isinstance(part, Attribute) or (isinstance(part, Call) and _is_of_samples(part)):
            return True
    for name in scope.reads(node):
        if name in scope.draws:
            return True
        if name in scope.states and scope.states[name].per.text == "sample":
            return True
        if name not in scope.declared and name in VALUES:
            row = VALUES[name]
            if row.grain != Grain.CORPUS or row.shape == Shape.PASS:
                return True
    return False


def _is_of_samples(part: Call) -> bool:
    """Whether a function has a value for each sample of the batch, whatever it is given."""
    row = FUNCTIONS.get(part.name.text)
    return row is not None and isinstance(row.result, Shape) and row.result.per_sample


def is_fresh(state: State, scope: Scope) -> bool:
    """Whether a sample's first value is made of the batch that the sample is first in."""
    return state.start is not None and state.per.text == "sample" and reads_batch(state.start, scope)


def made(state: State, writer: Writer) -> str:
    """The keeper of a state, as `setup` makes it."""
    form, per = form_of(state), state.per.text
    arguments = [quoted(per), ROWS[per]]
    if state.start is not None and not is_fresh(state, writer.scope):
        arguments.append(f"start={writer.code(state.start, EARLY)}")
    if is_late(state) and state.every is not None:
        arguments.append(f"every={quoted(state.every.text)}")
    name = "Held" if per == "sample" or not _is_pooled(state, writer) else "Ema"
    if form is None and name == "Ema":
        arguments.append("decay=0.0")
    if form is not None:
        name = KEEPERS[form.name.text]
        options = STATE_FORMS[form.name.text].options
        known = given(_rest(form), options)
        for option, value in known.items():
            if option != "where":
                word = writer.scope.word(value)
                code = str(word == "true") if word in ("true", "false") else writer.code(value, EARLY)
                arguments.append(f"{option}={code}")
    return f"{writer.use(name)}({', '.join(arguments)}){_shaped(state, writer)}"


def _shaped(state: State, writer: Writer) -> str:
    """The shape of a row, where it is known before the first batch."""
    shape = writer.shapes.state(state.name.text)
    axes = None if shape is None else shape.axes
    row = axes if axes is None or state.per.text == "corpus" else axes[1:]
    # matrices are as good as their first value till the first batch, but where they are to be moved
    small = row is not None and (row.count("D") < 2 or state.name.text in writer.scope.found)
    known = row is not None and small and not row.strip("CD") and (row or state.per.text != "corpus")
    return f".shaped({', '.join(WIDTHS[axis] for axis in row)})" if known and row is not None else ""


def _is_pooled(state: State, writer: Writer) -> bool:
    """Whether a plain expression is one per sample, and the state is not."""
    shape = writer.shapes.quietly(state.value)
    return shape is not None and shape.per_sample


def _rest(form: Call) -> Call:
    return Call(form.name, form.arguments[1:], span=form.span)


def update_lines(text: Text, state: State, writer: Writer, spot: Spot, read: bool = False) -> None:
    """Take the batch in; `read` what is kept then."""
    form, keeper = form_of(state), f"self.{attribute(state)}"
    shape = writer.shapes.quietly(inner_of(state))
    batched = shape is not None and shape.per_sample
    value = writer.code(inner_of(state), spot)
    if form is None and not batched:
        found = [f"{keeper}.set({_of_all(value, state, writer)})"]
    else:
        if not batched:
            value = f"self.number({value}, x){'' if _of_each(state, writer) else '[None]'}"
        arguments = [value, *_whose(state, batched), *_where(form, writer, spot)]
        found = call(f"{keeper}.update", arguments)
    text.block(f"if self.learning({quoted(state.name.text)}):", *found)
    if read:
        text.line(read_line(state, writer, spot))


def _of_all(value: str, state: State, writer: Writer) -> str:
    """A value that is not of the batch, as a state has it that takes it whole."""
    shape = writer.shapes.quietly(inner_of(state))
    row = state.per.text != "corpus" and shape is not None and bool(shape.axes)
    return f"self.number({value}, x){'[None]' if row and not _of_each(state, writer) else ''}"


def _of_each(state: State, writer: Writer) -> bool:
    """Whether a value has a row for each category already."""
    shape = writer.shapes.quietly(inner_of(state))
    return state.per.text == "category" and shape is not None and (shape.axes or "").startswith("C")


def _whose(state: State, batched: bool) -> list[str]:
    """Whose values they are: those of the labels' classes, or of the samples."""
    return {"category": ["y"], "sample": ["index=index"]}.get(state.per.text, []) if batched else []


def _where(form: Call | None, writer: Writer, spot: Spot) -> list[str]:
    if form is None:
        return []
    where = given(_rest(form), STATE_FORMS[form.name.text].options).get("where")
    return [] if where is None else [f"where={writer.mask(where, spot)}"]


def read_line(state: State, writer: Writer, spot: Spot = EARLY) -> str:
    """The line that reads what is kept, for a whole step."""
    name, keeper = identifier(state.name.text), f"self.{attribute(state)}"
    if state.per.text != "sample":
        return f"{name} = {keeper}.value"
    if state.start is None or not is_fresh(state, writer.scope):
        return f"{name} = {keeper}.rows(index)"
    shape = writer.shapes.quietly(inner_of(state)) or Shape.SAMPLE
    return f"{name} = {keeper}.rows(index, {writer.expanded(state.start, spot, shape)})"


def write_updates(text: Text, graph: Graph, whole: Graph, writer: Writer) -> None:
    """The updates behind the passes of a step, of all states that the `whole` method reads, in order."""
    first = next((line for line in graph.lines if not line.name), graph.lines[0])
    spot = Spot(
        ANYWHERE,
        line=first.variable,
        own={"u": f"{first.variable}.u", "loss": f"{first.variable}.base"},
        spelt=frozenset(graph.scope.lets),
    )
    for state in graph.scope.states.values():
        if kept(state, whole) and not is_before(state) and is_fed(state, graph.scope):
            late_draws(text, graph, [state.value], writer, spot)
            with text.of(state.span):
                update_lines(text, state, writer, spot)


def reads(graph: Graph, nodes: list[Expression], name: str) -> bool:
    """Whether expressions depend on a name, through `let`s, draws, and states that are updated first."""
    scope, seen, waiting = graph.scope, set[str](), list(nodes)
    while waiting:
        for read in scope.reads(waiting.pop()):
            if read == name:
                return True
            made = read in scope.draws or (read in scope.states and is_before(scope.states[read]))
            if made and read not in seen:
                waiting += scope.definition(read)
            seen.add(read)
    return False


def late_draws(text: Text, graph: Graph, nodes: list[Expression], writer: Writer, spot: Spot) -> None:
    """The draws that expressions read and that no sooner than here can be made."""
    for name in graph.scope.draws_in_order():
        draw = graph.scope.draws[name]
        if not is_early_draw(draw, graph.scope) and reads(graph, nodes, name):
            with text.of(draw.span):
                text.line(draw_line(draw, writer, spot, once=True))


def write_epoch(text: Text, graph: Graph, writer: Writer) -> None:
    """What happens at the end of an epoch, in source order."""
    scope = graph.scope
    late = [state for state in scope.states.values() if is_late(state) and kept(state, graph)]
    unbatched = [state for state in late if not reads_batch(inner_of(state), scope)]
    place = {state.name.text: number for number, state in enumerate(late)}
    readers = {state.name.text: set(scope.reads(state.value)) for state in unbatched}
    # before its own turn a state has its old value, behind it the new one
    old = {name for reader, read in readers.items() for name in read if place.get(name, -1) >= place[reader]}
    old |= {name for read in readers.values() for name in read if name not in place}
    new = {
        name
        for reader, read in readers.items()
        for name in read
        if place.get(name, len(late)) < place[reader]
    }
    if unbatched:
        text.line("x = self.anchor")
    text.line(*(read_line(state, writer) for name, state in scope.states.items() if name in old))
    for state in late:
        name, keeper = state.name.text, f"self.{attribute(state)}"
        with text.of(state.span):
            spot = Spot(ANYWHERE, spelt=frozenset(scope.lets))
            value = writer.code(inner_of(state), spot) if state in unbatched else ""
            text.line(f"{keeper}.turn({_of_all(value, state, writer) if value else ''})")
            if name in new:
                text.line(f"{identifier(name)} = {keeper}.value")


def kept(state: State, graph: Graph) -> bool:
    """Whether the program has a use for a state."""
    return graph.used(state.name.text) or state.name.text in graph.keeps
