"""The plan as a program: Python a person can read, and the only thing that runs."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

from taxo.compiler.amend import RoundWriter
from taxo.compiler.counts import Counted, counted
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph, lower, site_of
from taxo.compiler.keeps import is_constant, reads_index, sees, table_of, write_setup
from taxo.compiler.names import LIBRARY, home, identifier
from taxo.compiler.plan import Plan, schedule
from taxo.compiler.rounds import appends, between, rounds_of
from taxo.compiler.runs import RunWriter, parted, write_prediction
from taxo.compiler.spots import Spot
from taxo.compiler.states import write_epoch
from taxo.compiler.text import Text, quoted
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Method
from taxo.language.objectives import objective_of
from taxo.language.scope import Scope
from taxo.language.shapes import ANYWHERE
from taxo.language.source import Span
from taxo.language.syntax import Call, Expression, names, walk
from taxo.language.vocabulary import ORIGINS, REGIONS, Place

NEEDS = {"N": "samples", "class_prior": "class_counts", "class_count": "class_counts"}
GIVEN = ("teacher", "prior", "corruption", "validation", "generator")


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled method: the text that runs, where each line of it comes from, and what it needs."""

    method: Method
    plan: Plan
    name: str
    text: str
    origins: dict[int, Span] = field(repr=False)
    acts: dict[str, Span | None]
    needs: dict[str, Span | None]
    sites: dict[tuple[str, str], Span | None]
    counted: tuple[Counted, ...]
    weighing: dict[str, Span | None]
    wide: Expression | None

    @property
    def compares(self) -> bool:
        """Whether its base objective compares distributions over classes."""
        return objective_of(self.method).compares

    def outputs(self, classes: int) -> int:
        """How many logits a model has."""
        return classes if self.wide is None else int(constant(self.wide, {"C": float(classes)}) or classes)

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
    bodies = [(head, body) for head, body in _bodies(graph, plan, writer) if body.written]
    whole, text = lower(graph.method, "any"), Text()
    text.line(*_docstring(method), "")
    settings, words = [*_settings(whole, writer)], {word for _, body in bodies for word in body.words()}
    parameters = [*_parameters(writer, words)]
    text.line(*_imports(writer), *parameters, "", "")
    text.line(f"class {class_name(method)}(Step):")
    with text.indented():
        text.line(*textwrap.wrap(f'"""{method.summary or method.title or method.name}"""', 100))
        text.line(*settings)
        for head, body in bodies:
            text.gap()
            text.block(head)
            with text.indented():
                text.extend(body)
    text.wrap()
    return Program(
        method,
        plan,
        class_name(method),
        text.joined(),
        text.origins(),
        {act.key: act.item.span for act in whole.acts()},
        _needs(whole),
        _sites(whole),
        tuple(counted(whole)),
        _weighing(whole),
        _asked(whole.scope, "outputs"),
    )


def _bodies(graph: Graph, plan: Plan, writer: Writer) -> Iterator[tuple[str, Text]]:
    """The methods of the program, each with its head."""
    keeps, run, carried, predicted, ends = Text(), Text(), Text(), Text(), Text()
    main, other = parted(graph)
    RunWriter(main, plan, writer, graph).write(run)
    if other is not None:
        RunWriter(other, plan, writer, graph, second=True).write(carried)
    after = lower(graph.method, "eval")
    if after.acts():
        write_prediction(predicted, after, schedule(after), writer)
    write_epoch(ends, graph, writer)
    write_setup(keeps, lower(graph.method, "any"), writer)
    made = Text()
    made.line(*["x = self.anchor"] * ("x" in keeps.words()))
    made.extend(keeps)
    yield "def setup(self):", made
    yield "def run(self, x, y, index):", run
    yield "def carried(self, x, y, index):", carried
    yield "def predicted(self, x):", predicted
    yield "def end_epoch(self):", ends
    for act in between(graph.method, graph.scope):
        found = Text()
        RoundWriter(graph.method, writer, act).write(found)
        yield "def between(self, data):", found
    regime = Text()
    regime.line(*[f"return ({', '.join(writer.times)},)"] * bool(writer.times))
    yield "def regime(self):", regime


def _docstring(method: Method) -> Iterator[str]:
    yield f'"""{method.title or method.name}, compiled by taxo from `{method.name}.taxo`.'
    for cite in method.cite:
        yield from ("", *textwrap.wrap(cite, 100))
    yield '"""'


def _imports(writer: Writer) -> Iterator[str]:
    for module in sorted(writer.modules):  # torch is not of the standard library, and stands apart
        yield from (f"import {module}", "")
    wanted: dict[str, list[str]] = {}
    for name in sorted({*writer.imports, "Step"}):
        wanted.setdefault(home(name), []).append(name)
    for module, found in sorted(wanted.items()):
        yield f"from {module} import {', '.join(found)}"


def _parameters(writer: Writer, words: set[str]) -> Iterator[str]:
    """The parameters that the program reads, as constants above its class."""
    scope = writer.scope
    numbers = {name: param for name, param in scope.params.items() if is_constant(param, scope)}
    read = {name for name in numbers if identifier(name) in words}
    for name in reversed(numbers):
        read |= {one.text for one in names(numbers[name].default)} if name in read else set()
    lines = [
        f"{identifier(name)} = {writer.code(param.default, Spot(ANYWHERE))}"
        for name, param in numbers.items()
        if name in read
    ]
    if lines:
        yield from ("", *lines)


def _settings(graph: Graph, writer: Writer) -> Iterator[str]:
    """What the class says of itself."""
    scope, settings = graph.scope, list[str]()
    for name, value in (("parts", graph.method.split), ("replays", _asked(scope, "replays"))):
        count = 1 if value is None else int(constant(value, scope.constants()) or 1)
        settings += [f"{name} = {count}"] * (count != 1)
    rounds = rounds_of(graph.method, scope)
    settings += [f"rounds = {rounds}"] * (rounds != 1)
    settings += ["appends = False"] * any(not appends(act) for act in between(graph.method, scope))
    views = _asked(scope, "views")
    if views is not None:
        settings.append(f"wanted_views = {int(constant(views, scope.constants()) or 1)}")
    settings += [f"carried_view = {view}" for view in _carried(graph)]
    seen = sees(graph)
    settings += [f"sees = ({', '.join(map(quoted, seen))},)"] * bool(seen)
    bounds = [found for act in graph.acts() if act.place == Place.FEATURES for found in _box(act)]
    bounds += [(0.0, 1.0)] * any(_reaches(part) for node in graph.read() for part in walk(node))
    settings += [f"bounds = {found}" for found in bounds[:1]]
    settings += ["moves_inputs = True"] * any(act.place == Place.FEATURES for act in graph.acts())
    settings += ["acts_on_raw = True"] * any(act.raw for act in graph.acts())
    settings += ["reads_index = True"] * reads_index(graph)
    settings += ["compares = False"] * (not objective_of(graph.method).compares)
    del writer
    if settings:
        yield from ("", *settings)


def _carried(graph: Graph) -> list[int]:
    """Which view of the previous batch a branch is on, where that is not the usual one."""
    found = [given(line.carry, ORIGINS["carry"].options).get("view") for line in graph.lines if line.carry]
    views = [int(constant(view, graph.scope.constants()) or 1) for view in found if view is not None]
    return [view for view in views[:1] if view != 1]


def _reaches(part: Expression) -> bool:
    """Whether a part is a step in the box of inputs."""
    return isinstance(part, Call) and part.name.text == "reach"


def _asked(scope: Scope, need: str) -> Expression | None:
    """The count that something from outside is asked for with."""
    asked = scope.needs.get(need)
    return asked.arguments[0].value if asked is not None and asked.arguments else None


def _box(act: Act) -> Iterator[tuple[float, ...]]:
    """The bounds that an act takes inputs to be in: those of a box that is not given any."""
    for region in act.item.infer.within:
        row = REGIONS[region.name.text]
        if not row.bounded and row.options and not region.arguments:
            yield tuple(float(option.default or 0) for option in row.options.values())


def _needs(graph: Graph) -> dict[str, Span | None]:
    """What must be given at compile time, and the clause that needs it."""
    needs: dict[str, Span | None] = {
        name: call.span for name, call in graph.scope.needs.items() if name in GIVEN
    }
    if reads_index(graph):
        clauses = [*(act.item.span for act in graph.acts() if table_of(act, graph)), graph.method.span]
        states = [one.span for one in graph.scope.states.values() if one.per.text == "sample"]
        needs["samples"] = (states + clauses)[0]
    for node in graph.read():
        for name in names(node):
            if name.text in NEEDS and name.text not in graph.scope.declared:
                needs.setdefault(NEEDS[name.text], name.span)
    return needs


def _weighing(graph: Graph) -> dict[str, Span | None]:
    """Where the weight of each branch is written, or some part of it; without a name, the objective."""
    loss = graph.method.loss
    found = {
        line.name: next((part.span for part in walk(line.weight) if part.span), None) for line in graph.lines
    }
    return found | {"": None if loss is None else loss.span}


def _sites(graph: Graph) -> dict[tuple[str, str], Span | None]:
    """The patterns of parameters and modules that something acts on or reads, and where they are written."""
    scope = graph.scope
    sites: dict[tuple[str, str], Span | None] = {}
    for act in graph.acts():
        site = act.item.at
        if act.place == Place.WEIGHTS and site is None:
            sites["weights", "*"] = act.item.span
        if site is None or act.raw or act.spot.value == "p" or getattr(site, "text", "") in scope.draws:
            continue
        sites["module" if act.inner else "weights", site_of(act, scope) or "*"] = site.span
    for draw in scope.draws.values():
        if draw.distribution.name.text == "module" and graph.used(draw.name.text):
            sites["module", scope.word(draw.distribution.arguments[0].value) or "*"] = draw.span
    for site, span in sees(graph).items():
        sites.setdefault(("module", site.removeprefix("teacher.")), span)
    return sites
