"""What is learned beside the weights, in a step: its values as leaves, and its steps on the training loss."""

from __future__ import annotations

from taxo.compiler.ahead import aheads, fleeting, is_ahead
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph
from taxo.compiler.keeps import grain_of, keeper, learned_params, table_of
from taxo.compiler.made import is_module
from taxo.compiler.names import identifier
from taxo.compiler.regions import CLASSES
from taxo.compiler.spots import EARLY, Spot
from taxo.compiler.text import Text, call
from taxo.compiler.there import is_there
from taxo.language.calling import given
from taxo.language.method import Inference, Param
from taxo.language.printer import PRODUCT
from taxo.language.shapes import ANYWHERE
from taxo.language.source import Span
from taxo.language.syntax import Expression, Name, names
from taxo.language.vocabulary import SOLVERS, Place, Shape

ROWS_HERE = {
    "category": "self.outputs",
    "sample": "len(x)",
}  # how many values a batch has of what is no table


def descending(graph: Graph) -> dict[str, Inference]:
    """The parameters that descend on the loss of the training pass."""
    return {
        name: infer
        for name, infer in learned_params(graph).items()
        if not is_ahead(infer) and not is_there(infer)
    }


def write_leaves(text: Text, graph: Graph, writer: Writer) -> None:
    """The learned values of this batch, as leaves that gradients reach."""
    passing = fleeting(graph)
    for act in graph.acts():
        if act.key in passing:
            with text.of(act.item.span):
                text.line(f"{identifier(act.key)} = {writer.use('leaf')}({_nothing(act, writer)})")
        elif act.learned:
            like = ", like=x" if act.place == Place.FEATURES else ""
            index = "index" if act.grain == "sample" else ""
            arguments = f"{index}{like}".removeprefix(", ")
            with text.of(act.item.span):
                text.line(f"{identifier(act.key)} = self.{table_of(act, graph)}.rows({arguments})")
    for name, infer in learned_params(graph).items():
        param, own = graph.scope.params[name], identifier(name)
        with text.of(infer.span):
            if graph.scope.network(name) is not None:
                text.line(f"{own} = self.network_{own}.leaf()")
                continue
            if name in passing:
                text.line(f"{own} = {writer.use('leaf')}({whole(param, writer)})")
                continue
            if is_there(infer):
                text.line(reading(param, graph))
                continue
            per = grain_of(param)
            index = "index" if per == "sample" else ""
            picked = "[0]" if per == "corpus" else ""
            text.line(f"leaf_{own} = self.table_{own}.rows({index})", f"{own} = leaf_{own}{picked}")
    for one in aheads(graph):
        with text.of(one.infer.span):
            for name in (name for name in one.names if is_module(name, graph.scope)):
                text.line(f"{identifier(name)} = self.{keeper(name, graph.scope)}.leaf()")
    for name in graph.scope.params:
        if (
            graph.scope.network(name) is not None
            and name not in learned_params(graph)
            and graph.used_call(name)
        ):
            text.line(f"{identifier(name)} = self.network_{identifier(name)}")


def reading(param: Param, graph: Graph) -> str:
    """The line that reads what is kept of a parameter that a search finds: a constant."""
    name, own = param.name.text, identifier(param.name.text)
    like = "like=x" if param.like is not None else ""
    picked = "[0]" if grain_of(param) == "corpus" else ""
    return f"{own} = self.{keeper(name, graph.scope)}.read({like}){picked}"


def whole(param: Param, writer: Writer) -> str:
    """A parameter that is no number as the program makes it: one value for each of its granules."""
    value, per = writer.code(param.default, EARLY), "" if param.per is None else param.per.text
    rows = ROWS_HERE.get(per)
    return f"self.full({value}, {rows}, x)" if rows else f"self.number({value}, x)"


def _nothing(act: Act, writer: Writer) -> str:
    """The unknown of an act before it has moved."""
    rows = ROWS_HERE.get(act.grain, "1")
    if act.place == Place.FEATURES:
        return f"{writer.module('torch')}.zeros_like(x[:1]).repeat_interleave({rows}, 0)"
    one = f"self.full(0.0, {rows}, x)"
    return f"{one}[:, None].repeat(1, self.outputs)" if act.spot.shape == Shape.ROW else one


def write_descents(text: Text, graph: Graph, writer: Writer) -> None:
    """The steps of tables beside the weights, in training only."""
    lines: list[tuple[Span | None, list[str]]] = []
    for act in graph.acts():
        if act.descends:
            # a class that is not in the batch rests, as a sample does
            index = {"sample": "index", "category": "y"}.get(act.grain, "None")
            table, rows = f"self.{table_of(act, graph)}", identifier(act.key)
            lines.append((act.item.infer.span, _descent(act.item.infer, table, rows, index, writer)))
    for name, infer in descending(graph).items():
        own, per = identifier(name), graph.scope.params[name].per
        if graph.scope.network(name) is not None:
            found = _descent(infer, f"self.network_{own}", own, "None", writer)
        else:
            index = "index" if per is not None and per.text == "sample" else "None"
            found = _descent(infer, f"self.table_{own}", f"leaf_{own}", index, writer)
        lines.append((infer.span, found))
    for span, found in lines:
        with text.of(span):
            text.block("if self.training:", *found)


def _descent(infer: Inference, table: str, rows: str, index: str, writer: Writer) -> list[str]:
    """One step of a table; it climbs where its goal is to be maximised."""
    via, goal = infer.via, infer.goal
    assert via is not None
    solver = SOLVERS[via.name.text]
    options, spot = given(via, solver.options), Spot(ANYWHERE)
    numbers = {
        name: writer.held(options[name], spot, PRODUCT) if name in options else repr(option.default)
        for name, option in solver.options.items()
        if not option.words
    }
    dense = "rows" in options and writer.scope.word(options["rows"]) == "dense"
    sign = "-" if goal is not None and goal.kind.text == "maximize" else ""
    scheduled = any(name.text in ("lr", "lr0") for name in names(options["lr"])) if "lr" in options else False
    rate = f"lr={sign}{numbers['lr']}" + ("" if scheduled and _is_lr(options["lr"]) else " * self.schedule")
    arguments = ["losses.mean()", rows, index, rate, f"momentum={numbers['momentum']}", f"dense={dense}"]
    within = [CLASSES[region.name.text] for region in infer.within if region.name.text == "nonnegative"]
    arguments += [f"within=[{', '.join(f'{writer.use(name)}()' for name in within)}]"] * bool(within)
    return call(f"{table}.descend", arguments)


def _is_lr(node: Expression) -> bool:
    return isinstance(node, Name) and node.text == "lr"
