"""What a program's `run` has before any pass: parameters, draws, tables, states, and named expressions."""

from __future__ import annotations

from dataclasses import dataclass, field

from taxo.compiler.acts import early, read_lets
from taxo.compiler.ahead import fleeting
from taxo.compiler.draws import draw_line, is_early_draw
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Graph
from taxo.compiler.keeps import is_constant, learned_params, write_options
from taxo.compiler.learned import whole, write_leaves
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan
from taxo.compiler.spots import EARLY
from taxo.compiler.states import is_before, is_fed, kept, read_line, reads
from taxo.compiler.text import Text
from taxo.language.syntax import Expression


@dataclass(slots=True)
class BeforePasses:
    """Writes the beginning of one body; `done` are the named expressions that have a variable already."""

    graph: Graph
    plan: Plan
    writer: Writer
    whole: Graph
    second: bool = False
    done: list[str] = field(default_factory=list[str])

    def given(self, text: Text) -> None:
        """What is known before any pass: parameters that are no constants, draws, tables and states."""
        graph, writer, scope = self.graph, self.writer, self.graph.scope
        for name, param in scope.params.items():
            plain = (
                not scope.is_word(param)
                and not is_constant(param, scope)
                and name not in learned_params(graph)
            )
            if plain and scope.network(name) is None and graph.used(name):
                with text.of(param.span):
                    value = writer.code(param.default, EARLY) if param.per is None else whole(param, writer)
                    text.line(f"{identifier(name)} = {value}")
        write_leaves(text, graph, writer)
        write_options(text, graph, writer)
        for name in scope.draws_in_order():
            draw = scope.draws[name]
            if graph.used(name) and is_early_draw(draw, scope):
                with text.of(draw.span):
                    text.line(draw_line(draw, writer))
        for state in scope.states.values():
            if not is_before(state) and reads(graph, self._computed(), state.name.text):
                with text.of(state.span):
                    text.line(read_line(state, writer))
                    name = identifier(state.name.text)
                    if state.name.text in fleeting(graph):
                        text.line(f"{name} = {writer.use('leaf')}({name})")

    def _computed(self) -> list[Expression]:
        """What the body computes: of states only what it feeds them."""
        graph, scope = self.graph, self.graph.scope
        parts = [part for act in graph.acts() for part in graph.expressions(act)]
        parts += [line.weight for line in graph.lines]
        parts += [part for infer in graph.method.infers for part in infer.written()]
        parts += [] if graph.method.loss is None else [graph.method.loss]
        fed = [state for state in scope.states.values() if kept(state, self.whole) and is_fed(state, scope)]
        return parts + ([] if self.second else [state.value for state in fed])

    def lets(self, text: Text, number: int, moved: bool = False) -> None:
        """The named expressions that can be computed before a line and that it, or one after it, reads."""
        graph = self.graph
        acts = [act for line in graph.lines[number:] for act in line.acts]
        parts = [part for act in acts for part in graph.expressions(act)]
        for name in read_lets(graph, [*parts, *(line.weight for line in graph.lines)]):
            let = graph.scope.lets[name]
            if name not in self.done and early(graph, let.value, number, moved):
                self.done.append(name)
                with text.of(let.span):
                    text.line(f"{identifier(name)} = {self.writer.code(let.value, EARLY)}")
