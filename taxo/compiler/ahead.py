"""What a method finds by looking ahead: by how the weights depend on it, on held-out data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import identifier
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Inference
from taxo.language.scope import Scope
from taxo.language.syntax import Call, Expression, Name, Number
from taxo.language.vocabulary import HESSIANS, OPTIMIZERS, SOLVERS, Option, Place, Word

RATE = Name("lr")


@dataclass(frozen=True, slots=True)
class Ahead:
    """An inference that looks ahead: of learned names, or of the unknown of one act."""

    infer: Inference
    names: tuple[str, ...]
    scope: Scope
    act: Act | None = None

    @property
    def key(self) -> str:
        """What it finds, in one word or a few."""
        return ", ".join(self.names)

    @property
    def kept(self) -> bool:
        """Whether what is found stays for the steps to come."""
        return self.word("keep") != "false"

    @property
    def steps(self) -> int:
        """How many virtual steps it takes."""
        return self.whole(self.option("steps"))

    @property
    def inverts(self) -> bool:
        """Whether it asks where the weights would settle, not where virtual steps lead."""
        return "hessian" in self.options

    @property
    def second(self) -> bool:
        """Whether it differentiates derivatives."""
        return self.word("order") != "first"

    @property
    def every(self) -> int:
        """How many steps it is apart."""
        return self.whole(self.option("every"))

    @property
    def solver(self) -> str:
        """The word of its solver."""
        return "" if self.infer.via is None else self.infer.via.name.text

    @property
    def options(self) -> Mapping[str, Option]:
        """What its solver can be told."""
        return SOLVERS[self.solver].options

    def option(self, name: str) -> Expression | None:
        """The value of an option of its solver, if it is given."""
        via = self.infer.via
        return None if via is None else given(via, self.options).get(name)

    def word(self, name: str) -> str:
        """The word that an option is, given or not; empty if its solver has no such option."""
        found, row = self.option(name), self.options.get(name)
        if found is None:
            return "" if row is None else str(row.default)
        return self.scope.word(found) or ""

    def optimizer(self) -> tuple[str, dict[str, Expression]]:
        """How the unknown moves, and with what; by default down the slope, at the weights' own rate."""
        if self.option("optimizer") is None:
            return self.word("optimizer"), {"lr": self.option("lr") or RATE}
        return self._chosen("optimizer", OPTIMIZERS)

    def hessian(self) -> tuple[str, dict[str, Expression]]:
        """How an inverse Hessian is applied, and with what: as given, and else by default."""
        word, options = self._chosen("hessian", HESSIANS)
        rest = {name: Number(float(one.default or 0)) for name, one in HESSIANS[word].options.items()}
        return word, rest | options

    def products(self) -> int:
        """How many products an inverse Hessian takes."""
        return self.whole(self.hessian()[1]["steps"])

    def whole(self, node: Expression | None) -> int:
        """A number that is known before the run; one where there is none."""
        return int((None if node is None else constant(node, self.scope.constants())) or 1)

    def _chosen(self, name: str, family: Mapping[str, Word]) -> tuple[str, dict[str, Expression]]:
        """The word of a family that an option is, and the options that are given to that."""
        found = self.option(name)
        call = found if isinstance(found, Call) else None
        word = self.word(name) if call is None else self.scope.word(Name(call.name.text)) or ""
        return word, given(call, family[word].options) if call else {}


def is_ahead(infer: Inference) -> bool:
    """Whether an inference looks ahead."""
    return infer.via is not None and SOLVERS[infer.via.name.text].ahead


def has_momentum(infer: Inference, scope: Scope) -> bool:
    """Whether what is found keeps a share of its last step."""
    return is_ahead(infer) and "momentum" in Ahead(infer, (), scope).optimizer()[1]


def aheads(graph: Graph) -> list[Ahead]:
    """Everything that a method finds by looking ahead, in the order of the text, acts first."""
    acts = [Ahead(act.item.infer, (act.key,), graph.scope, act) for act in graph.acts() if act.foresees]
    whole = [infer for infer in graph.method.infers if is_ahead(infer)]
    found = [Ahead(infer, tuple(name.text for name in infer.over), graph.scope) for infer in whole]
    return acts + found


def fleeting(graph: Graph) -> set[str]:
    """The names of what is found for one step alone: acts by their key, and parameters."""
    return {name for one in aheads(graph) if not one.kept for name in one.names}


def reads_any(graph: Graph, act: Act, names: tuple[str, ...]) -> bool:
    """Whether what an act computes depends on some names."""
    return act.key in names or any(depends(graph.scope, node, names) for node in graph.expressions(act))


def depends(scope: Scope, node: Expression, names: tuple[str, ...]) -> bool:
    """Whether an expression depends on some names: reads them or calls them, through others too."""
    waiting, seen = [node], set[str]()
    while waiting:
        parts = list(scope.parts(waiting.pop()))
        read = {part.text for part in parts if isinstance(part, Name)}
        called = {part.name.text for part in parts if isinstance(part, Call)}
        if (read | called) & set(names):
            return True
        waiting += [one for name in read - seen if name in scope.draws for one in scope.definition(name)]
        seen |= read
    return False


def before_logits(graph: Graph, ahead: Ahead) -> list[Line]:
    """The lines whose logits themselves depend on what is found."""
    return [line for line in graph.lines if any(_early(graph, act, ahead) for act in line.acts)]


def _early(graph: Graph, act: Act, ahead: Ahead) -> bool:
    return act.place < Place.LOGITS and reads_any(graph, act, ahead.names)


def early_lines(graph: Graph) -> list[int]:
    """The lines whose perturbations can be found before any of them has passed."""
    return [number for number in range(len(graph.lines)) if number == 0 or not any(_bound(graph, number))]


def shares_pass(graph: Graph) -> bool:
    """Whether the training pass and the first virtual step are one up to the logits."""
    found = aheads(graph)
    late = not any(before_logits(graph, one) for one in found)
    apart = not graph.together() and early_lines(graph) == list(range(len(graph.lines)))
    return bool(found) and late and apart


def _bound(graph: Graph, number: int) -> Iterator[bool]:
    """Whether each act of a line reads what an earlier line's pass brings."""
    brought = {*graph.scope.branches, *({"clean"} if graph.clean_is_shared() else set[str]())}
    for act in graph.lines[number].acts:
        yield bool(graph.reads(act) & brought)


def attribute(name: str) -> str:
    """The attribute of the moments of what Adam moves."""
    return f"adam_{identifier(name)}"
