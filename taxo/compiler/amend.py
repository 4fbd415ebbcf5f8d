"""What a method finds between rounds of training, as text: the body of `between`, and what it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxo.compiler.expressions import Writer
from taxo.compiler.lines import Act
from taxo.compiler.names import INVERSES, identifier
from taxo.compiler.regions import Regions
from taxo.compiler.rounds import TOLERANCE, appends, between, curvature_of, guide_of, inverse_of, solver_of
from taxo.compiler.searches import Refusal
from taxo.compiler.spots import EARLY, Spot, of_line
from taxo.compiler.text import Text, call, quoted
from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.layout import inference_text
from taxo.language.method import Branch, Method
from taxo.language.printer import PRODUCT
from taxo.language.scope import Scope
from taxo.language.shapes import Reader, Shapes
from taxo.language.syntax import Expression, Name
from taxo.language.vocabulary import HESSIANS, SOLVERS, VALUES, Option, Place, Shape

KNOWN = ("gain",)  # what a condition between rounds may read of the data


def unfit_rounds(method: Method, scope: Scope) -> Iterator[Refusal]:
    """What cannot be found between rounds."""
    acts = between(method, scope)
    for act in acts[1:]:
        yield "a second amendment of a round", act.item.span, "keep one"
    for act in acts:
        yield from _unfit(act, method, scope)


def _unfit(act: Act, method: Method, scope: Scope) -> Iterator[Refusal]:
    item = act.item
    every, infer, via = item.every, item.infer, item.infer.via
    span = None if every is None else every.span
    if via is None or via.name.text != "influence" or act.unknown is None:
        yield "`every round` of this", span, "find it `via influence`"
        return
    if "rounds" not in scope.needs:
        yield "`every round` without `needs rounds`", span, "add `needs rounds(3)`"
    if act.place != Place.FEATURES:
        yield f"`every round` of these `{item.target}`", span, "perturb `features`"
    if not isinstance(item.by, Name):
        yield "a form of what is found between rounds", item.by.span, f"write `by {act.unknown}`"
    if infer.on is None or infer.on.name.text != "guide":
        yield "influence on other data than a guide", via.span, "write `on guide(5%)`"
    if act.grain != "sample" or len(item.granularity) > 1:
        yield "influence that samples share", item.granularity[0].span, "write `granularity sample`"
    if any(isinstance(clause, Branch) and item in clause.perturbations for clause in method.clauses):
        yield "`every round` in a branch", span, "write it outside of branches"
    yield from _read(act, scope)


def _read(act: Act, scope: Scope) -> Iterator[Refusal]:
    """What a condition, the sets and the step may be made of."""
    item = act.item
    calls = [*item.infer.within, *([] if item.infer.via is None else [item.infer.via])]
    parts = [argument.value for one in calls for argument in one.arguments]
    for node in (*parts, *([] if item.where is None else [item.where])):
        read, known = set(scope.reads(node)), {*scope.params, *scope.lets}
        known |= set(KNOWN) if node is item.where else set()
        if read & ({*VALUES, *scope.states, *scope.draws, *scope.modules} - known):
            yield "what a pass brings, between rounds,", node.span, "read `gain` and parameters"
    shapes = Shapes(scope, Findings())
    goal = item.infer.goal
    if goal is not None and shapes.quietly(goal.objective) == Shape.SCALAR:
        yield "this goal between rounds", goal.objective.span, "make it of `loss`"


@dataclass(frozen=True, slots=True)
class RoundWriter:
    """Writes the body of `between` for the one act of a round."""

    method: Method
    writer: Writer
    act: Act

    def write(self, text: Text) -> None:
        """The whole body."""
        item, found = self.act.item, identifier(self.act.key)
        with text.of(item.span):
            amend = "append" if appends(self.act) else "replace"
            told = f"{item.direction}, {inference_text(item.infer)}"
            text.comment(f"{item.target} by {self.act.key}, every round {amend}: {told}")
            text.line("def goal(line):")
            with text.indented():
                text.line(f"return {self._goal()}")
            text.gap()
            text.line("def move(x, slopes):")
            with text.indented():
                self._move(text, found)
            text.gap()
            stage = call("Influence", list(self._arguments()))
            self.writer.use("Influence")
            text.line(f"stage = {stage[0]}", *stage[1:])
            text.line("gain = stage.gains(move)")
            text.line(f"return stage.amended(move, gain, {self._where()})")

    def _goal(self) -> str:
        goal = self.act.item.infer.goal
        assert goal is not None
        spot = of_line("line", Reader(Place.LOSS, "loss"), spelt=frozenset(self.writer.scope.lets))
        return self.writer.expanded(goal.objective, spot, Shape.SAMPLE)

    def _move(self, text: Text, found: str) -> None:
        step = solver_of(self.act).get("step")
        assert step is not None
        length = self.writer.held(step, EARLY, PRODUCT)
        sets = Regions(self.writer, self.act, EARLY).all("x")
        if not sets:
            text.line(f"return {length} * slopes")
            return
        self.writer.use("project_all")
        text.line(f"{found} = {length} * slopes")
        text.line(f"return project_all([{found}], [{', '.join(sets)}])[0]")

    def _arguments(self) -> Iterator[str]:
        infer, options = self.act.item.infer, solver_of(self.act)
        rows = SOLVERS["influence"].options
        share = guide_of(self.act)
        word, solve = self._solve()
        yield from (
            "self",
            "data",
            quoted(self.act.key),
            "goal",
            f"guide={self.writer.code(share, EARLY)}",
            f"solve={solve}",
        )
        kind = curvature_of(self.act, self.writer.scope)
        if kind != rows["curvature"].default:
            yield f'curvature="{kind}"'
        yield f"samples={self._number(options, rows, 'samples')}"
        yield from ["fresh=True"] * (word == "lissa")
        yield from ["rising=True"] * (infer.goal is not None and infer.goal.kind.text == "maximize")

    def _solve(self) -> tuple[str, str]:
        """How the inverse of the curvature is applied: by which word, and as a function."""
        word, options = inverse_of(self.act, self.writer.scope)
        rows = HESSIANS[word].options
        arguments = [f"{one}={self._number(options, rows, one)}" for one in rows]
        arguments += [f"tolerance={TOLERANCE}"] * (word == "cg")
        self.writer.use(INVERSES[word])
        return word, f"lambda products, right: {INVERSES[word]}(products, right, {', '.join(arguments)})"

    def _number(self, options: dict[str, Expression], rows: Mapping[str, Option], name: str) -> str:
        value, row = options.get(name), rows[name]
        known = row.default if value is None else constant(value, self.writer.scope.constants())
        if row.whole:
            assert isinstance(known, float | int)
            return str(int(known)) if not isinstance(value, Name) else self.writer.code(value, EARLY)
        return repr(known) if value is None else self.writer.code(value, EARLY)

    def _where(self) -> str:
        where = self.act.item.where
        if where is None:
            return f"{self.writer.module('torch')}.ones_like(gain, dtype=torch.bool)"
        reader = Reader(self.act.place, "features", rounds=True)
        spot = Spot(reader, own={"gain": "gain"}, spelt=frozenset(self.writer.scope.lets))
        node = self.writer.scope.written_out(where)
        code = self.writer.code(node, spot)
        return f"{code}.mask" if self.writer.shape(node, spot) == Shape.TOP else code
