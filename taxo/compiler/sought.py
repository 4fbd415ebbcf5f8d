"""The unknown of an act while it is searched: its candidate, its goal, and the hooks in place meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph, Line, site_of
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan, label, value_is_clean
from taxo.compiler.regions import Regions
from taxo.compiler.spots import Spot, of_line
from taxo.compiler.text import quoted
from taxo.language.printer import ATOM, PRODUCT
from taxo.language.shapes import Reader
from taxo.language.syntax import Expression
from taxo.language.vocabulary import Option, Place, Shape


@dataclass(frozen=True)
class Sought:
    """What an act's inference is made of, as program text; `clean` where its pass is the clean one too.

    Where its start is made of a `live` name, what it finds moves as that does.
    """

    graph: Graph
    plan: Plan
    writer: Writer
    line: Line
    act: Act
    hooks: dict[str, str]
    spelt: tuple[str, ...] = ()
    own: dict[str, str] = field(default_factory=dict[str, str])
    clean: bool = False
    live: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The unknown, as the program calls it."""
        return identifier(self.act.key)

    @property
    def shared(self) -> bool:
        """Whether samples share values of the unknown."""
        return self.act.grain != "sample"

    @property
    def norm(self) -> str:
        """The norm mode of its passes."""
        return self.plan.norm("infer", label(self.act, self.line))

    def spot(self, own: dict[str, str] | None = None) -> Spot:
        """The program's level, where the act's place on the line is not reached yet."""
        unknown = self.name
        if self.act.grain == "category":
            unknown = f"{self.writer.use('rows_of')}({unknown}, y)"
        act = self.act
        value = act.spot.value
        reader = Reader(act.place, act.item.target.text, act.unknown, act.shape, own=value)
        # a hook's own labels are soft; those of the batch have to be made so where a search is apart
        y = "y" if (own or {}).get("y") == "y" else self.own.get("y", "y")
        own, spelt = self._at_hand() | self.own | (own or {}), frozenset(self.spelt)
        moved = act.place != Place.LOSS or any(one.place == Place.LABELS for one in self.line.acts)
        soft = own.get("y", "y") != "y" or ("y" in own and moved)
        return Spot(reader, line="self.here", own=own, y=y, soft=soft, unknown=unknown, spelt=spelt)

    def ahead(self) -> Spot:
        """Where the search is set up: no pass is under way, but the value to be moved is at hand."""
        if self.own:
            return self.spot()
        if not self.act.inner:
            return self.spot({"x": "x"} if self.act.place == Place.WEIGHTS else {})
        seen = "clean" if value_is_clean(self.graph, self.line, self.act) else "line"
        return self.spot({"x": f"{seen}.x"})

    def _goal(self, line: str, y: str) -> str:
        goal = self.act.item.infer.goal
        assert goal is not None
        reader = Reader(Place.LOSS, "loss", self.act.unknown, self.act.shape)
        labelled = any(other.place == Place.LABELS for other in self.line.above(self.act))
        spot = of_line(
            line,
            reader,
            y=f"{line}.y" if labelled else y,
            soft=labelled,
            unknown=self.spot().unknown,
            spelt=frozenset(self.spelt),
        )
        code = self.writer.expanded(goal.objective, spot, Shape.SAMPLE, ATOM)
        return self.writer.held(goal.objective, spot, ATOM) if "[" not in code else code

    def _form(self, own: dict[str, str], shape: Shape, key: str = "") -> str:
        spot = replace(self.spot(own), key=key)
        return self.writer.expanded(self.act.item.by, spot, shape, PRODUCT)

    def _candidate(self) -> dict[str, str]:
        """The act itself, as a hook with the unknown under search, under the name of its list."""
        act = self.act
        target, value = act.item.target.text, act.spot.value
        if act.place == Place.WEIGHTS:
            form = self._form({}, Shape.SCALAR, "name")
            names = "self.weights()" if act.item.at is None else self._weights()
            return {"weights": f"lambda w: {{name: w[name] + {form} for name in {names}}}"}
        arguments = {"labels": "y, u", "loss": "loss, u, y"}.get(target, value)
        if value == "p":
            arguments = "p, y, u"
        form = self._form({name: name for name in arguments.split(", ")}, act.spot.shape)
        clip = Regions(self.writer, self.act, self.spot()).clipped()
        moved = f"({value} + {form}).clamp({clip})" if clip else f"{value} + {form}"
        return {list_of(act, self.graph): f"lambda {arguments}: {moved}"}

    def _in_place(
        self, candidate: dict[str, str] | None = None, start: Place = Place.DATA, stop: Place = Place.LOSS
    ) -> list[str]:
        """The hooks in place while the unknown is searched: those written above, then the candidate."""
        lists: dict[str, list[str]] = {}
        for other in self.line.in_order():
            if other.order < self.act.order and start <= other.place <= stop:
                lists.setdefault(list_of(other, self.graph), []).append(self.hooks[other.key])
        for target, code in (candidate or {}).items():
            lists.setdefault(target, []).append(code)
        return as_arguments(lists)

    def _sought(self, candidate: dict[str, str] | None = None) -> list[str]:
        """The hooks in place in a pass of the search, as far as what it is for."""
        return self._in_place(candidate, stop=self.graph.sought_to(self.act))

    def _around(self) -> str:
        """The value that the unknown is added to: the input after what acts on it above."""
        if self.act.place == Place.WEIGHTS:
            return "w"
        if self.act.inner:
            return f"h_{self.name}"
        return f"{self._entered()}.x" if self._on_features() else "x"

    def _on_features(self) -> list[str]:
        """The hooks of what acts on the input above."""
        above = sorted(self.line.above(self.act), key=lambda other: other.order)
        return [self.hooks[other.key] for other in above if other.place == Place.FEATURES]

    def _entered(self) -> str:
        """The pass as far as it has come where a search begins."""
        return f"self.entered({', '.join(['x', 'y', *self._on_features()])})"

    def _at_hand(self) -> dict[str, str]:
        """The values that a search of passes of its own has variables of."""
        if self.act.place == Place.FEATURES:
            return {"x": f"x_{self.name}" if self._on_features() else "x"}
        return {self.act.spot.value: f"h_{self.name}"} if self.act.inner else {}

    def _weights(self) -> str:
        site = self.act.item.at
        return f"self.weights({'' if site is None else quoted(self.graph.scope.word(site) or '*')})"

    def _regions(self) -> Regions:
        return Regions(self.writer, self.act, self.ahead())

    def _maximize(self) -> str:
        goal = self.act.item.infer.goal
        return f"maximize={goal is not None and goal.kind.text == 'maximize'}"

    def _option(self, value: Expression | None, option: Option, rows: str) -> str:
        if value is None:
            return repr(option.default)
        code = self.writer.code(value, self.ahead())
        gathered = rows and self.writer.shape(value, self.ahead()) == Shape.SAMPLE
        return f"{self.writer.held(value, self.ahead(), ATOM)}[{rows}]" if gathered else code

    def _heading(self, here: bool = False) -> str:
        masks = ", masks=True" if self.act.place == Place.WEIGHTS else ""
        second = "self.auxiliary.instead(), " if self.line.norm == "auxiliary" else ""
        at = f", self.at({self._entered()})" if here else ""
        return f"with {second}self.searching({quoted(self.norm)}{masks}){at}:"

    def _seen(self, line: str) -> str:
        """The value at its inner site that a pass has noted."""
        site = site_of(self.act, self.graph.scope)
        return f"{line}.z" if site == "z" else f"{line}.h[{quoted(site)}]"


def list_of(act: Act, graph: Graph) -> str:
    """The argument of `self.line` that an act's hook belongs to; of an inner site, its name."""
    if not act.inner:
        return "predictions" if act.spot.value == "p" else act.item.target.text
    site = act.item.at
    assert site is not None
    drawn = getattr(site, "text", "") in graph.scope.draws
    return (
        f"inner:{identifier(getattr(site, 'text', ''))}"
        if drawn
        else f"inner:{quoted(site_of(act, graph.scope))}"
    )


def as_arguments(lists: dict[str, list[str]]) -> list[str]:
    """Lists of hooks as the arguments of a pass; those inside the model go by their site."""
    outer = [f"{name}=[{', '.join(hooks)}]" for name, hooks in lists.items() if not name.startswith("inner:")]
    inner = [
        f"{name.removeprefix('inner:')}: [{', '.join(hooks)}]"
        for name, hooks in lists.items()
        if name.startswith("inner:")
    ]
    return outer + ([f"inner={{{', '.join(inner)}}}"] if inner else [])


def kept_by(act: Act) -> str:
    """The attribute that keeps the unknown of an act from step to step."""
    return f"kept_{identifier(act.key)}"
