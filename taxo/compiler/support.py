"""What the language can say and this version cannot run yet: each as a message at its place in the text.

Only what is left of a method after its idle parts are gone is looked at.
"""

from __future__ import annotations

from taxo.compiler.closed import is_linear, known_minimiser
from taxo.compiler.graph import Act, Graph, lower
from taxo.compiler.plan import first_word, is_plain, simultaneous
from taxo.compiler.reach import behind_searches, is_view, late_weights, of_other_batches, per_class
from taxo.compiler.settled import unsettled
from taxo.compiler.states import inner_of, is_before, reads_batch
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.errors import Diagnostic
from taxo.language.findings import Findings
from taxo.language.method import Branch, Inference, Method, Perturbation, State
from taxo.language.regions import is_bounded
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.source import Span
from taxo.language.syntax import Attribute, Call, Expression, Name
from taxo.language.vocabulary import LABELLED, REGIONS, SOLVERS, Place, Shape

NEEDS = ("validation", "rounds", "generator")
HELD = ("lookahead", "implicit", "influence")
STRUCTURED = ("smooth_flow", "recolor")
REDUCED = ("sum", "mean", "max", "min")


def refusals(method: Method) -> list[Diagnostic]:
    """Everything in a method that this version cannot run, in the order of the text."""
    support = _Support(method)
    support.run()
    return sorted(support.found, key=lambda one: one.span.start if one.span else -1)


class _Support:
    """What one method asks for."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.scope = Scope(method)
        self.shapes = Shapes(self.scope, Findings())
        self.found: list[Diagnostic] = []

    def refuse(self, what: str, span: Span | None, hint: str) -> None:
        """Note something that does not run."""
        message = f"{what} cannot be run in this version"
        if all(one.message != message for one in self.found):
            self.found.append(Diagnostic("T210", message, span, hint))

    def run(self) -> None:
        method = self.method
        for call in (call for call in method.needs if call.name.text in NEEDS):
            self.refuse(f"`needs {call.name}`", call.span, "drop what reads it")
        for infer in method.infers:
            self._inference(infer)
        for param in method.params:
            if param.like is not None:
                self.refuse(f"the parameter `{param.name}`", param.name.span, "drop `like`")
        for state in method.states:
            self._state(state)
        self._branches(method.branches())
        for item in method.perturbations():
            self._perturbation(item)
        for node in unsettled(method, self.scope):
            what = "what is computed beside the passes, of what they bring,"
            self.refuse(what, node.span, "read numbers and parameters")
        if not self.found:
            self._graphs()

    def _graphs(self) -> None:
        """What the searches and expressions of both phases ask for."""
        for phase in ("training", "eval"):
            graph = lower(self.method, phase)
            for act in graph.acts():
                self._act(act, graph)
            self._expressions(graph)
            self._reached(graph)
        for act in lower(self.method, "eval").acts():
            self._prediction(act)

    def _reached(self, graph: Graph) -> None:
        """What is not there yet where it is read."""
        hint = "read what is known before the pass, or `clean.`"
        for node in behind_searches(graph):
            self.refuse("what only the training pass draws or keeps, in a search,", node.span, hint)
        for node in late_weights(graph):
            self.refuse("what only a pass draws or keeps, in a weight,", node.span, hint)
        for node in of_other_batches(self.method.branches(), graph):
            self.refuse("what a branch on another batch brings", node.span, "read a branch on this batch")

    def _prediction(self, act: Act) -> None:
        """On predictions there are no labels, and samples have no place in the data."""
        per_class = act.unknown is not None and (act.grain == "category" or act.learned)
        kept = act.via is not None and first_word(act, self.scope) in ("kept", "previous")
        viewed = any(
            isinstance(part, Call) and part.name.text == "view"
            for node in (act.item.by, act.item.where)
            if node is not None
            for part in self.scope.parts(node)
        )
        if viewed and act.item.during:
            self.refuse("a view of predictions", act.item.during.span, "they are made of one input")
        if per_class or (kept and act.grain != "corpus") or act.place > Place.LABELS:
            during = act.item.during
            hint = "nobody knows the labels there, nor the samples' places in the data"
            self.refuse("this on predictions", during.span if during else act.item.span, hint)

    def _inference(self, infer: Inference) -> None:
        joint = infer.via is not None and infer.via.name.text == "joint"
        modules = [name for name in infer.over if name.text not in self.scope.params]
        if infer.manner.text == "tuning":
            return
        if infer.manner.text != "regularization" or not joint or infer.on is not None or modules:
            hint = "`infer regularization over ... via joint(...)` of parameters can be run"
            self.refuse(f"an `infer {infer.manner}` of the whole method", infer.span, hint)

    def _state(self, state: State) -> None:
        if state.every is not None and state.every.text == "round":
            self.refuse("a state of every round", state.every.span, "keep it every epoch")
        if state.start is not None and reads_batch(state.start, self.scope) and state.per.text != "sample":
            self.refuse("this first value of a state", state.start.span, "start from a number")
        form_reads = {name for name in self.scope.reads(inner_of(state)) if name in self.scope.states}
        if is_before(state) and any(is_before(self.scope.states[name]) for name in form_reads):
            self.refuse(
                f"the state `{state.name}`", state.name.span, "read no other state that is kept before"
            )

    def _branches(self, branches: list[Branch]) -> None:
        for branch in branches:
            self._branch(branch)
        if branches and all(branch.on is not None for branch in branches):
            hint = "add a branch on this batch"
            self.refuse("a method on the previous batch alone", branches[0].span, hint)

    def _branch(self, branch: Branch) -> None:
        if branch.on is None:
            return
        read = {
            name
            for item in branch.perturbations
            for part in item.written()
            for name in self.scope.reads(part)
        }
        read |= set(self.scope.reads(branch.weight))
        if read & {*self.scope.branches, *self.scope.draws}:
            hint = "a branch on the previous batch reads values of its own"
            self.refuse("what is drawn or passed with this batch, on another", branch.on.span, hint)

    def _perturbation(self, item: Perturbation) -> None:
        if item.every is not None:
            self.refuse(f"`every {item.every}`", item.every.span, "drop the clause")
        infer = item.infer
        if infer.on is not None:
            self.refuse("a search on held-out data", infer.on.span, "drop `on`")
        if infer.via is not None and infer.via.name.text in HELD:
            self.refuse(f"the solver `{infer.via.name}`", infer.via.span, "take another solver")
        for region in infer.within:
            if region.name.text in STRUCTURED:
                self.refuse(f"the set `{region.name}`", region.span, "take another set")

    def _act(self, act: Act, graph: Graph) -> None:
        """What a search asks for."""
        if act.unknown is None or act.via is None:
            return
        item, via = act.item, act.via
        if len(item.granularity) > 1:
            hint = "write two perturbations, one for each"
            self.refuse("an unknown of several granularities", item.granularity[0].span, hint)
        if (
            via.name.text == "closed_form"
            and not is_linear(act, graph)
            and known_minimiser(act, graph) is None
        ):
            hint = (
                "known are corners of a simplex, the cross entropy with `l1` or in `linf`, and squared errors"
            )
            self.refuse("a closed form of this", via.span, hint)
        if simultaneous(act, graph.scope):
            self._simultaneous(act, graph)
        if act.learned and act.inner and act.spot.value != "z":
            self.refuse("a table at an inner site", via.span, "keep one `at z`, or of the features")
        if via.name.text == "sgd" and act.grain != "sample":
            self.refuse(
                "`sgd` of a shared unknown", via.span, "take `joint`, or `gradient` with `start: kept`"
            )
        if via.name.text == "sgd" and act.place == Place.LABELS and act.spot.value == "p":
            self.refuse("`sgd` at `p`", via.span, "take another solver")
        self._sets(act)
        self._numbers(act)

    def _sets(self, act: Act) -> None:
        """A solver that steers by a set has one that bounds the unknown itself."""
        via, item = act.via, act.item
        assert via is not None
        plain = is_plain(act) and act.grain == "sample"
        balls = [
            region
            for region in item.infer.within
            if REGIONS[region.name.text].bounded or (plain and is_bounded(region))
        ]
        first = first_word(act, self.scope)
        steers = SOLVERS[via.name.text].linear or via.name.text == "pgd" or first == "uniform"
        if not balls and steers:
            what = f"`{via.name}` without a set that bounds `{act.unknown}`"
            self.refuse(what, via.span, "add `within linf(...)`")
        if act.place == Place.WEIGHTS and first not in ("zero", "uniform"):
            self.refuse("this start of a search in the weights", via.span, "start from zero")

    def _simultaneous(self, act: Act, graph: Graph) -> None:
        """One backward serves the unknown where its goal is made of the training loss."""
        goal, via = act.item.infer.goal, act.via
        assert via is not None
        read = set(graph.scope.reads(goal.objective)) if goal is not None else set[str]()
        read -= set(graph.scope.params)
        if read - {"loss"} or act.place not in (Place.FEATURES, Place.INNER):
            self.refuse(
                "this goal, `simultaneous: true`,", via.span, "make it of `loss`, or drop `simultaneous`"
            )
        if first_word(act, graph.scope) not in ("kept", "previous") or act.inner:
            self.refuse("`simultaneous` without a kept start", via.span, "add `start: kept`")

    def _numbers(self, act: Act) -> None:
        """Radii and step sizes of each sample go with an unknown of each."""
        calls = [*act.item.infer.within, *([] if act.via is None else [act.via])]
        for call in calls:
            rows = (
                REGIONS[call.name.text].options
                if call.name.text in REGIONS
                else SOLVERS[call.name.text].options
            )
            for option, value in given(call, rows).items():
                if not rows[option].words and not rows[option].family:
                    self._number(act, option, value)

    def _number(self, act: Act, option: str, value: Expression) -> None:
        shape = self.shapes.quietly(value)
        if shape == Shape.SAMPLE and (act.grain != "sample" or act.place == Place.WEIGHTS):
            hint = "an unknown that samples share has one radius"
            self.refuse(f"`{option}` of each sample", value.span, hint)

    def _expressions(self, graph: Graph) -> None:
        """What nothing computes yet."""
        for node in graph.read():
            for part in self.scope.parts(node):
                match part:
                    case Name() if (
                        part.text in ("gain", "generator") and part.text not in self.scope.declared
                    ):
                        self.refuse(f"reading `{part.text}`", part.span, "use another value")
                    case Name() if per_class(part.text, self.scope):
                        hint = "there are more logits than classes"
                        self.refuse(f"`{part.text}` beside `needs outputs`", part.span, hint)
                    case Call() if part.name.text == "view" and not is_view(part, self.scope):
                        hint = "views are counted from 0; `needs views(...)` says how many there are"
                        self.refuse("this view", part.span, hint)
                    case Call() if part.name.text == "lid" and not self._known(part.arguments[-1].value):
                        self.refuse("`lid` of this number", part.span, "write a number or a parameter")
                    case Call() if part.name.text in REDUCED and self._of_weights(part, graph):
                        self.refuse(f"`{part.name}` of the weights", part.span, "take a norm of them")
                    case _:
                        pass

        if graph.acts() and all(_acts_on_predictions(act) for act in graph.acts()):
            self._labelled(graph)

    def _labelled(self, graph: Graph) -> None:
        """On predictions nothing reads a label, not even what a draw is like."""
        for node in graph.read():
            for part in self.scope.parts(node):
                name = part.name.text if isinstance(part, Attribute) else getattr(part, "text", "")
                if name in LABELLED and name not in self.scope.declared:
                    self.refuse(f"reading `{name}` on predictions", part.span, "read predictions alone")

    def _known(self, node: Expression) -> bool:
        return constant(node, self.scope.constants()) is not None

    def _of_weights(self, part: Call, graph: Graph) -> bool:
        """Whether something is made of all weights."""
        unknowns = {act.unknown for act in graph.acts() if act.place == Place.WEIGHTS}
        read = {name for argument in part.arguments for name in self.scope.reads(argument.value)}
        draws = [self.scope.draws[name] for name in read if name in self.scope.draws]
        drawn = any(isinstance(draw.like, Name) and draw.like.text == "w" for draw in draws)
        return "w" in read - set(self.scope.declared) or bool(unknowns & read) or drawn


def _acts_on_predictions(act: Act) -> bool:
    return act.item.during is not None and act.item.during.text in ("eval", "always")
