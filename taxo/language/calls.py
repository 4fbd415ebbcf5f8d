"""The shapes of calls: of functions, of learned networks, and of what states are made of."""

from __future__ import annotations

from abc import abstractmethod

from taxo.language.axes import joined, per_grain, pooled, reduced
from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.lookup import ANYWHERE, Names, Reader
from taxo.language.method import State
from taxo.language.syntax import Attribute, Call, Expression, Name
from taxo.language.vocabulary import (
    BY_AXES,
    FUNCTIONS,
    GRAINS,
    LOGITS,
    STATE_FORMS,
    VALUES,
    Function,
    Grain,
    Result,
    Shape,
)

ROUNDS = 4  # of finding the shapes of states that read one another
PER_SAMPLE = (Shape.SAMPLE, Shape.ROW, Shape.Z)


class Calls(Names):
    """Finds the shapes of calls within one method."""

    @abstractmethod
    def number(self, node: Expression, shape: Shape | None) -> Shape | None:
        """The shape, if it is one of numbers; else it is noted."""

    @abstractmethod
    def join(self, node: Expression, left: Shape | None, right: Shape | None) -> Shape | None:
        """The shape of two joined; noted where they do not fit."""

    @abstractmethod
    def check_class(self, node: Expression) -> None:
        """Note what is no class."""

    @abstractmethod
    def text(self, node: Expression) -> str:
        """An expression as messages quote it."""

    def state(self, name: str) -> Shape | None:
        """The shape of a state: of its first value, or of what it is made of."""
        if not self.states:
            self._settle()
        return self.states[name]

    def _settle(self) -> None:
        """Find the shapes of states that may read themselves and one another, from numbers on."""
        self.states = dict.fromkeys(self.scope.states, Shape.SCALAR)
        self.states = {name: self._begun(state) for name, state in self.scope.states.items()}
        for _ in range(ROUNDS):
            before = dict(self.states)
            for name in self.scope.states:
                self.states[name] = self._state(name)
            self._made.clear()
            if self.states == before:
                return

    def _state(self, name: str) -> Shape | None:
        state = self.scope.states[name]
        grain, kept, begun = GRAINS.get(state.per.text), self.kept(state), self._begun(state)
        if grain is None or kept is None or begun is None:
            return None
        fresh = grain == Grain.SAMPLE and joined(kept, begun) == kept
        return kept if begun in (Shape.SCALAR, kept) or fresh else None

    def _begun(self, state: State) -> Shape | None:
        """The shape of what a state starts from; a number is as good as any."""
        grain = GRAINS.get(state.per.text)
        first = Shape.SCALAR if state.start is None else self.quietly(state.start)
        if first in (None, Shape.SCALAR) or grain is None:
            return first
        return per_grain(first, grain)

    def kept(self, state: State) -> Shape | None:
        """The shape of what a state keeps, whatever it starts from."""
        grain = GRAINS.get(state.per.text)
        shape = self._kept(state.value, grain)
        return None if grain is None or shape is None else per_grain(shape, grain)

    def _kept(self, value: Expression, grain: Grain | None) -> Shape | None:
        """The shape that a state keeps of its value: of a form's, or of the value itself."""
        form = isinstance(value, Call) and value.name.text in STATE_FORMS and bool(value.arguments)
        if not isinstance(value, Call) or not form:
            return self.quietly(value)
        shape, form_name = self.quietly(value.arguments[0].value), value.name.text
        if form_name == "prototypes":
            return Shape.PROTOTYPES if shape == Shape.Z and grain == Grain.CATEGORY else None
        if form_name != "covariance" or shape != Shape.Z:
            return shape if form_name != "covariance" else None
        if any(self.scope.word(one.value) == "true" for one in value.arguments):
            return Shape.Z
        return Shape.MATRICES if grain == Grain.CATEGORY else Shape.MATRIX

    def quietly(self, node: Expression) -> Shape | None:
        """The shape of an expression wherever it is read, without a note of what is wrong with it."""
        findings, self.findings = self.findings, Findings()
        try:
            return self.of(node, ANYWHERE)
        finally:
            self.findings = findings

    def call(self, node: Call, reader: Reader) -> Shape | None:
        """The shape of a call's result."""
        name = node.name.text
        shapes = [self.of(argument.value, reader) for argument in node.arguments]
        if self.scope.network(name) is not None:
            return self._applied(node, shapes)
        function = FUNCTIONS.get(name)
        if function is None:
            self.findings.unknown_word("function", node.name, self.functions())
            return None
        if not self._fits(node, function, shapes) or not self.asked_for(node, function.needs):
            return None
        if not self.function_is_there(node, function, reader):
            return None
        if not self._is_a_view(node, function):
            return None
        if not self._within(node, function) or not self._is_of_kind(node, function):
            return None
        if name == "onehot" and shapes[0]:
            self.check_class(node.arguments[0].value)
        return self._result(node, function, [shape for shape in shapes if shape is not None])

    def functions(self) -> list[str]:
        """What can be called: the functions of the language, and learned networks."""
        return [*FUNCTIONS, *(param for param in self.scope.params if self.scope.network(param))]

    def _fits(self, node: Call, function: Function, shapes: list[Shape | None]) -> bool:
        """Whether a call gives a function what it takes; noted where it does not."""
        hint = f"`{node.name}` is {function.meaning}"
        named = next((argument.name for argument in node.arguments if argument.name), None)
        if named is not None:
            self.findings.error("T204", f"`{node.name}` takes its arguments without names", named.span, hint)
            return False
        if not function.fewest <= len(shapes) <= len(function.shapes):
            count = len(function.shapes)
            takes = f"{function.fewest} or {count}" if function.fewest < count else f"{count}"
            message = f"`{node.name}` takes {takes} argument{'s' * (count != 1)}, not {len(shapes)}"
            self.findings.error("T204", message, node.span, hint)
            return False
        for argument, found, wanted in zip(node.arguments, shapes, function.shapes, strict=False):
            if wanted is None:
                found = self.number(argument.value, found)
            elif found is not None and found not in wanted:
                several = f"what `{node.name}` takes" if len(wanted) > 2 else alternatives(wanted)
                message = f"`{self.text(argument.value)}` is {found.value}, not {several}"
                self.findings.error("T207", message, argument.value.span, hint)
                return False
            if found is None:
                return False
        return True

    def _is_of_kind(self, node: Call, function: Function) -> bool:
        """Whether logits stand where logits are meant, and distributions where those are."""
        for argument, wanted in zip(node.arguments, function.kinds, strict=False):
            found = self.kind(argument.value)
            if found and found != wanted:
                message = f"`{self.text(argument.value)}` is {found}, and `{node.name}` takes {wanted} there"
                other = "`u`" if wanted == LOGITS else "`p`, or a `softmax(...)`"
                self.findings.error("T207", message, argument.value.span, f"write {other}")
                return False
        return True

    def kind(self, node: Expression) -> str:
        """Whether an expression is known to be logits or a distribution; nothing where it may be either."""
        match node:
            case Name() if node.text in self.scope.lets:
                return self.kind(self.scope.lets[node.text].value)
            case Name() if node.text not in self.scope.declared:
                return VALUES[node.text].kind if node.text in VALUES else ""
            case Attribute():
                return VALUES[node.name.text].kind if node.name.text in VALUES else ""
            case Call() if node.name.text == "stop" and node.arguments:
                return self.kind(node.arguments[0].value)
            case Call() if node.name.text in FUNCTIONS:
                return FUNCTIONS[node.name.text].gives
            case _:
                return ""

    def _is_a_view(self, node: Call, function: Function) -> bool:
        """Whether a numbered thing is one of those asked for."""
        asked = self.scope.needs.get(function.needs)
        if asked is None or not asked.arguments or not node.arguments:
            return True
        values = self.scope.constants()
        count, number = constant(asked.arguments[0].value, values), constant(node.arguments[0].value, values)
        if count is None or number is None or 0 <= number < count:
            return True
        message = f"`{self.text(node)}` is not one of the {count:g} {function.needs}"
        self.findings.error("T206", message, node.span, f"they are counted from 0 to {count - 1:g}")
        return False

    def _within(self, node: Call, function: Function) -> bool:
        """Whether the numbers among a call's arguments are in bounds, as far as they are known."""
        arguments = node.arguments[len(node.arguments) - len(function.limits) :]
        for argument, (low, high) in zip(arguments, function.limits, strict=True):
            value = constant(argument.value, self.scope.constants())
            if value is not None and not low <= value <= high:
                message = f"`{self.text(argument.value)}` is {value:g}, not a number from {low:g} to {high:g}"
                hint = f"`{node.name}` is {function.meaning}"
                self.findings.error("T206", message, argument.value.span, hint)
                return False
        return True

    def _result(self, node: Call, function: Function, shapes: list[Shape]) -> Shape | None:
        result = function.result
        if function.shorter is not None and len(shapes) < len(function.shapes):
            result = function.shorter
        match result:
            case Shape():
                return result
            case Result.REDUCED:
                return reduced(shapes[0])
            case Result.CLASSLESS:
                return BY_AXES[(shapes[0].axes or "")[:-1]]
            case Result.POOLED:
                shape = pooled(shapes[0])
                hint = f"it is {shapes[0].value}"
                if shape is None:
                    message = f"`{self.text(node.arguments[0].value)}` has no batch to pool"
                    self.findings.error("T207", message, node.arguments[0].value.span, hint)
                return shape
            case Result.SAME:
                return shapes[0] if len(shapes) == 1 else self.join(node, shapes[0], shapes[1])

    def _applied(self, node: Call, shapes: list[Shape | None]) -> Shape | None:
        """The shape of a learned network's output: one number, or as many as there are classes."""
        network = self.scope.network(node.name.text)
        assert network is not None
        self.scope.read.add(node.name.text)
        if any(shape not in (*PER_SAMPLE, Shape.SCALAR) for shape in shapes):
            hint = "it takes numbers per sample, rows of class values, or `z`"
            if None not in shapes:
                message = f"`{node.name}` takes what there is per sample"
                self.findings.error("T207", message, node.span, hint)
            return None
        given, _, made = network.arguments[0].value, 0, network.arguments[-1].value
        wanted = constant(given, self.scope.constants())
        columns = None if Shape.ROW in shapes or Shape.Z in shapes else len(shapes)
        if wanted is not None and columns is not None and wanted != columns:
            message = f"`{node.name}` takes {wanted:g} numbers, not {columns}"
            self.findings.error("T204", message, node.span, f"it is `{self.text(network)}`")
            return None
        return Shape.SAMPLE if constant(made, self.scope.constants()) == 1 else Shape.ROW


def alternatives(shapes: tuple[Shape, ...], most: int = 4) -> str:
    """Shapes as a message lists them."""
    if len(shapes) > most:
        return "one of several numbers"
    return " or ".join(shape.value for shape in shapes)
