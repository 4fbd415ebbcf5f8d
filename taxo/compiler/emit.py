"""The plan as a program: Python a person can read, and the only thing that runs."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

from taxo.compiler.acts import ActWriter, early, read_lets, watched
from taxo.compiler.expressions import Spot, Writer
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import LIBRARY, home, identifier
from taxo.compiler.plan import Plan
from taxo.compiler.text import Text, call, text_sum
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Draw, Method
from taxo.language.printer import PRODUCT, expression_text
from taxo.language.shapes import ANYWHERE, Reader
from taxo.language.source import Span
from taxo.language.syntax import names
from taxo.language.vocabulary import REGIONS, SOLVERS, Place, Shape

EARLY = Spot(Reader(Place.DATA, "let"))
NEEDS = {"N": "samples", "class_prior": "class_counts", "class_count": "class_counts"}


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled method: the text that runs, where each line of it comes from, and what it needs."""

    method: Method
    plan: Plan
    name: str
    text: str
    origins: dict[int, Span] = field(repr=False)
    needs: dict[str, Span | None]
    sites: dict[str, Span | None]

    @property
    def filename(self) -> str:
        """The name under which tracebacks quote the text."""
        return f"<taxo {self.method.name} {crc32(self.text.encode()):08x}>"

    def place_of(self, error: BaseException) -> Span | None:
        """The clause that an exception comes from."""
        place, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                place = self.origins.get(trace.tb_lineno, place)
            trace = trace.tb_next
        return place


def class_name(method: Method) -> str:
    """The name of a method's class: `label_smoothing` is `LabelSmoothing`."""
    name = "".join(part.capitalize() for part in method.name.text.split("_")) or "Method"
    return f"{name}Method" if name in LIBRARY or keyword.iskeyword(name) else name


def emit(method: Method, graph: Graph, plan: Plan) -> Program:
    """The program of a planned method; `method` is as its author sees it, the graph what is left of it."""
    writer = Writer(graph.scope)
    body = Text()
    _run(body, graph, plan, writer)
    text = Text()
    text.line(*_docstring(method), "")
    text.line(*_imports(writer, graph), *_parameters(graph, body.words()), "", "")
    text.line(f"class {class_name(method)}(Step):")
    with text.indented():
        text.line(*textwrap.wrap(f'"""{method.summary or method.title or method.name}"""', 100), "")
        text.line(*_settings(graph, writer))
        text.block("def run(self, x, y, index):")
        with text.indented():
            text.extend(body)
    return Program(
        method, plan, class_name(method), text.joined(), text.origins(), _needs(graph), _sites(graph)
    )


def _docstring(method: Method) -> Iterator[str]:
    yield f'"""{method.title or method.name}, compiled by taxo from `{method.name}.taxo`.'
    for cite in method.cite:
        yield from ("", *textwrap.wrap(cite, 100))
    yield '"""'


def _imports(writer: Writer, graph: Graph) -> Iterator[str]:
    for module in sorted(writer.modules):
        yield f"import {module}"
    if writer.modules:
        yield ""
    tables = ["Table"] if any(act.learned for act in graph.acts()) else []
    wanted: dict[str, list[str]] = {}
    for name in sorted({*writer.imports, "Step", *tables}):
        wanted.setdefault(home(name), []).append(name)
    for module, found in sorted(wanted.items()):
        yield f"from {module} import {', '.join(found)}"


def _parameters(graph: Graph, words: set[str]) -> Iterator[str]:
    """The parameters that the program reads, as constants above its class."""
    scope = graph.scope
    numbers = {name: param for name, param in scope.params.items() if not scope.is_word(param)}
    read = {name for name in numbers if identifier(name) in words}
    for name in reversed(numbers):
        read |= {one.text for one in names(numbers[name].default)} if name in read else set()
    lines = [
        f"{identifier(name)} = {Writer(scope).code(param.default, Spot(ANYWHERE))}"
        for name, param in numbers.items()
        if name in read
    ]
    if lines:
        yield from ("", *lines)


def _settings(graph: Graph, writer: Writer) -> Iterator[str]:
    """What the class says of itself, and the tables it makes."""
    split = graph.method.split
    parts = 1 if split is None else int(constant(split, graph.scope.constants()) or 1)
    settings = [f"parts = {parts}"] * (parts != 1)
    learned = [act for act in graph.acts() if act.learned]
    bounds = [found for act in graph.acts() if act.place == Place.FEATURES for found in _box(act)]
    settings += [f"bounds = {found}" for found in bounds[:1]]
    settings += ["reads_index = True"] * bool(learned)
    if settings:
        yield from (*settings, "")
    if learned:
        yield "def setup(self):"
        yield "    like = next(self.model.parameters())"
        for act in learned:
            shape = "()" if act.target.shape == Shape.SAMPLE else "(self.classes,)"
            made = f'{writer.use("Table")}("sample", self.samples, {shape}, like, momentum=True)'
            yield f"    self.{table(act)} = {made}"
        yield ""


def _box(act: Act) -> Iterator[tuple[float, ...]]:
    """The bounds that an act takes inputs to be in: those of a box that is not given any."""
    for region in act.item.infer.within:
        row = REGIONS[region.name.text]
        if not row.bounded and not region.arguments:
            yield tuple(float(option.default or 0) for option in row.options.values())


def table(act: Act) -> str:
    """The attribute that keeps the table of an act."""
    return f"table_{identifier(act.key)}"


def _needs(graph: Graph) -> dict[str, Span | None]:
    """What must be given at compile time, and the clause that needs it."""
    needs: dict[str, Span | None] = {}
    for act in graph.acts():
        if act.learned:
            needs.setdefault("samples", act.item.span)
    for node in graph.read():
        for name in names(node):
            if name.text in NEEDS and name.text not in graph.scope.declared:
                needs.setdefault(NEEDS[name.text], name.span)
    return needs


def _sites(graph: Graph) -> dict[str, Span | None]:
    """The patterns of parameter names that something acts on, and where they are written."""
    sites = [act.item.at for act in graph.acts() if act.item.at is not None]
    return {graph.scope.word(site) or "*": site.span for site in sites}


def _run(text: Text, graph: Graph, plan: Plan, writer: Writer) -> None:
    """The body of `run`: what is drawn, the clean pass, every line, and their sum."""
    for draw in graph.scope.draws.values():
        if any(name.text == draw.name.text for node in graph.read() for name in names(node)):
            with text.of(draw.span):
                text.line(f"{identifier(draw.name.text)} = {_drawn(draw, graph, writer)}")
    for act in graph.acts():
        if act.learned:
            with text.of(act.item.span):
                text.line(f"{identifier(act.key)} = self.{table(act)}.rows(index)")
    if plan.has("clean", ""):
        text.comment("the clean pass")
        with text.under(writer.norms("batch", gradient=False)):
            text.line("clean = self.line(x, y)")
    done: list[str] = []
    for number in range(len(graph.lines)):
        done += _lets(text, graph, writer, number, done)
        text.gap()
        _line(text, graph, plan, writer, number)
    _lets(text, graph, writer, len(graph.lines), done)
    _sum(text, graph, writer)


def _lets(text: Text, graph: Graph, writer: Writer, number: int, done: list[str]) -> list[str]:
    """The named expressions that can be computed before a line and that it, or one after it, reads."""
    acts = [act for line in graph.lines[number:] for act in line.acts]
    read = [part for act in acts for part in graph.expressions(act)]
    named = read_lets(graph, [*read, *(line.weight for line in graph.lines)])
    new = [name for name in named if name not in done and early(graph, graph.scope.lets[name].value, number)]
    for name in new:
        let = graph.scope.lets[name]
        with text.of(let.span):
            text.line(f"{identifier(name)} = {writer.code(let.value, EARLY)}")
    return new


def _drawn(draw: Draw, graph: Graph, writer: Writer) -> str:
    spot = Spot(ANYWHERE)
    numbers = [writer.code(argument.value, spot) for argument in draw.distribution.arguments]
    sample = f"self.draws.{draw.distribution.name}"
    if draw.like is not None and writer.shape(draw.like, Spot(Reader(Place.LOSS, "weights"))) == Shape.W:
        return f"{{name: {sample}({', '.join([*numbers, 'w'])}) for name, w in self.weights().items()}}"
    rows = "self.draws.per_sample(x)" if draw.per.text == "sample" else "self.draws.one(x)"
    like = rows if draw.like is None else writer.code(draw.like, spot)
    return f"{sample}({', '.join([*numbers, like])})"


def _line(text: Text, graph: Graph, plan: Plan, writer: Writer, number: int) -> None:
    """One line: its acts, and the training pass through them."""
    line = graph.lines[number]
    acts = ActWriter(graph, plan, writer, number, watched(graph, number))
    if line.name:
        text.gap()
        text.comment(f"branch {line.name}, weight {expression_text(line.weight)}")
    acts.write(text)
    passed = call("self.line", ["x", "y", *acts.lists()])
    with text.under(writer.norms(plan.norm("train", line.name))):
        text.line(f"{variable(line)} = {passed[0]}", *passed[1:])


def variable(line: Line) -> str:
    """The name of a line's pass in the program."""
    return f"line_{identifier(line.name)}" if line.name else "line"


def _sum(text: Text, graph: Graph, writer: Writer) -> None:
    """The loss of each sample: the weighted lines, and the penalties of what is learned."""
    spot = Spot(ANYWHERE, u=f"{variable(graph.lines[0])}.u")
    terms = [
        f"{variable(line)}.loss"
        if not line.name
        else f"{writer.held(line.weight, spot, PRODUCT)} * {variable(line)}.loss"
        for line in graph.lines
    ]
    total = text_sum(terms)
    penalised = [act for act in graph.acts() if act.item.infer.manner.text == "regularization"]
    if not penalised:
        text.line(f"return {total[0]}", *total[1:])
        return
    text.line(f"losses = {total[0]}", *total[1:])
    for act in penalised:
        goal = act.item.infer.goal
        assert goal is not None
        reader = Reader(Place.LOSS, "loss", act.unknown, act.target.shape)
        last = variable(graph.lines[-1])
        spot = Spot(reader, u=f"{last}.u", loss="losses", unknown=identifier(act.key))
        with text.of(goal.span):
            text.line(f"losses = {writer.code(goal.objective, spot)}")
    for act in penalised:
        if act.learned:
            _descent(text, act, writer)
    text.line("return losses")


def _descent(text: Text, act: Act, writer: Writer) -> None:
    """The step of a table beside the weights, in training only."""
    via = act.item.infer.via
    assert via is not None
    solver = SOLVERS[via.name.text]
    options = given(via, solver.options)
    spot = Spot(ANYWHERE)
    numbers: dict[str, str] = {
        name: writer.held(options[name], spot, PRODUCT) if name in options else repr(option.default)
        for name, option in solver.options.items()
        if not option.words
    }
    dense = "rows" in options and writer.scope.word(options["rows"]) == "dense"
    with text.of(act.item.infer.span):
        goal = act.item.infer.goal
        sign = "-" if goal is not None and goal.kind.text == "maximize" else ""
        rate = f"lr={sign}{numbers['lr']} * self.schedule"
        arguments = ["losses.mean()", identifier(act.key), "index", rate]
        arguments += [f"momentum={numbers['momentum']}", f"dense={dense}"]
        text.block("if self.training:", *call(f"self.{table(act)}.descend", arguments))
