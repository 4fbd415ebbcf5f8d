"""What the language can say and this version cannot run yet: each as a message at its place in the text.

Only what is left of a method after its idle parts are gone is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from taxo.language.calling import given
from taxo.language.errors import Diagnostic
from taxo.language.findings import Findings
from taxo.language.method import Branch, Draw, Inference, Method, Perturbation
from taxo.language.objectives import base_objective
from taxo.language.options import COUNTS
from taxo.language.scope import Scope, infers
from taxo.language.shapes import ANYWHERE, Reader, Shapes
from taxo.language.source import Span
from taxo.language.spelling import listed
from taxo.language.syntax import Attribute, Binary, Call, Expression, Index, Name, names, walk
from taxo.language.vocabulary import REGIONS, SOLVERS, VALUES, Place, Shape
from taxo.plugins import solved_on, source_of_op

FUNCTIONS = {
    *("exp", "log", "sqrt", "abs", "sign", "relu", "sigmoid", "stop"),
    *("softmax", "entropy", "argmax", "argmin", "onehot", "ce", "l1", "l2", "linf"),
}
OF_PASSES = {"u", "p", "correct", "margin", "gradnorm", "loss"}
READ = {
    *OF_PASSES,
    *("x", "y", "w", "C", "N", "class_count", "class_prior", "clean"),
    *("epoch", "epochs", "progress", "pi", "inf"),
}
PASSES = {"clean": OF_PASSES}
SOLVED_ON: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("pgd", "gradient", "linearized"), ("features", "logits", "labels", "loss", "weights")),
    "joint": ("logits", "labels", "loss"),
}
HELD_ON: dict[str, tuple[str, ...]] = {
    "linf": ("features", "logits", "labels", "loss", "weights"),
    "l2": ("features", "logits", "labels", "weights"),
    "box": ("features", "logits"),
}
OPTIONS = {"start": ("zero", "uniform"), "rows": ("batch", "dense")}
DRAWN = {"normal", "uniform"}
LIKE = {"x": "sample", "w": "batch"}
MEASURED = (Shape.SAMPLE, Shape.ROW, Shape.X)
ARGUMENTS: dict[str, tuple[Shape, ...]] = {
    **dict.fromkeys(("l1", "l2", "linf"), MEASURED),
    **dict.fromkeys(("softmax", "entropy", "argmax", "argmin"), (Shape.ROW,)),
}


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
        for call in method.needs:
            self.refuse(f"`needs {call.name}`", call.span, "drop what reads it")
        for state in method.states:
            self.refuse(f"the state `{state.name}`", state.name.span, "drop it")
        for infer in method.infers:
            self.refuse("an `infer` of the whole method", infer.span, "set the parameters by hand")
        self._objective(method.loss)
        for param in method.params:
            counts = any(name.text in COUNTS for name in names(param.default))
            if self.scope.network(param.name.text) or param.per or param.like or counts:
                self.refuse(f"the parameter `{param.name}`", param.name.span, "a plain number can be run")
        for draw in method.draws:
            self._draw(draw)
        for branch in method.branches():
            self._branch(branch)
        for item in method.perturbations():
            self._perturbation(item)

    def _objective(self, loss: Expression | None) -> None:
        if loss is None:
            return
        call, penalties = base_objective(loss)
        if penalties or call is None or call.name.text != "cross_entropy":
            self.refuse("this base objective", loss.span, "`loss cross_entropy` can be run")

    def _draw(self, draw: Draw) -> None:
        name, like = draw.distribution.name, draw.like
        if name.text not in DRAWN:
            self.refuse(f"a draw of `{name}`", name.span, f"{listed(sorted(DRAWN), 'and')} can be run")
        for argument in draw.distribution.arguments:
            if not self.scope.plain(argument.value):
                self.refuse(
                    "a draw that reads this", argument.value.span, "numbers and parameters can be run"
                )
        if like is not None and not (isinstance(like, Name) and LIKE.get(like.text) == draw.per.text):
            hint = "`per sample like x` and `per batch like w` can be run"
            self.refuse("a draw like this", like.span, hint)

    def _branch(self, branch: Branch) -> None:
        if branch.on is not None:
            self.refuse("a branch on another batch", branch.on.span, "drop `on`")
        if branch.norm is not None:
            self.refuse("a branch with norms of its own", branch.norm.span, "drop `norm`")
        self._expressions([branch.weight], ANYWHERE)
        findings = Findings()
        Shapes(self.scope, findings).of(branch.weight, Reader(Place.DATA, "a weight"))
        if findings.items:
            self.refuse("a weight that reads the pass it weighs", branch.weight.span, "read `clean.` values")

    def _perturbation(self, item: Perturbation) -> None:
        for clause, word in (("every", item.every), ("during", item.during), ("norm", item.norm)):
            if word is not None and word.text != "training":
                self.refuse(f"`{clause} {word}`", word.span, "drop the clause")
        if item.at is not None and item.target.text != "weights":
            self.refuse(f"a site of `{item.target}`", item.at.span, "drop `at`: it acts on the whole value")
        self._expressions(item.written(), ANYWHERE)
        if item.infer.manner.text and infers(item):
            self._inference(item, item.infer)
            self._grain(item)

    def _grain(self, item: Perturbation) -> None:
        wanted = "corpus" if item.target.text == "weights" else "sample"
        words = [word.text for word in item.granularity]
        if words != [wanted]:
            hint = f"an unknown per {wanted} can be run"
            self.refuse(f"an unknown per {' + '.join(words)}", item.granularity[0].span, hint)

    def _inference(self, item: Perturbation, infer: Inference) -> None:
        target = item.target.text
        if infer.on is not None:
            self.refuse("a search on held-out data", infer.on.span, "drop `on`")
        if infer.goal is not None:
            self._expressions([infer.goal.objective], ANYWHERE)
            if infer.manner.text == "regularization" and not _loss_beside_penalty(infer.goal.objective):
                self.refuse(
                    "a goal that is not the loss and a penalty", infer.goal.span, "write `loss + ...`"
                )
        for region in infer.within:
            self._call(region, HELD_ON, target, "set")
        balls = [region for region in infer.within if REGIONS[region.name.text].bounded]
        if len(balls) > 1:
            self.refuse("two bounded sets at once", balls[1].span, "keep one")
        if infer.via is not None:
            self._call(infer.via, SOLVED_ON, target, "solver")
            self._bounds(infer.via, infer.within, len(balls))

    def _bounds(self, via: Call, within: Sequence[Call], balls: int) -> None:
        solver = SOLVERS[via.name.text]
        if solver.learned and within:
            self.refuse(f"`{via.name}` within a set", within[0].span, "drop `within`")
        elif solver.needs_set and not balls:
            self.refuse(f"`{via.name}` without a bounded set", via.span, "add `within linf(...)`")

    def _call(self, call: Call, known: dict[str, tuple[str, ...]], target: str, kind: str) -> None:
        """A solver or set that runs on a target, with options that run."""
        name = call.name
        if target not in known.get(name.text, solved_on(name.text)):
            words = sorted(word for word, targets in known.items() if target in targets)
            hint = (
                f"on `{target}` this version runs {listed(words, 'and')}"
                if words
                else "perturb another place"
            )
            self.refuse(f"the {kind} `{name}` on `{target}`", name.span, hint)
            return
        rows = SOLVERS[name.text].options if kind == "solver" else REGIONS[name.text].options
        for option, value in given(call, rows).items():
            row = rows[option]
            if row.words and self.scope.word(value) not in OPTIONS.get(option, (row.default,)):
                self.refuse(f"this `{option}`", value.span, f"`{option}: {row.default}` can be run")
            elif row.family or (name.text == "linearized" and not row.words):
                self.refuse(f"this `{option}`", value.span, "drop it")
            elif not row.words:
                self._number(option, value)

    def _number(self, option: str, value: Expression) -> None:
        findings = Findings()
        shape = Shapes(self.scope, findings).of(value, Reader(Place.DATA, "option"))
        if findings.items or shape != Shape.SCALAR:
            self.refuse(f"`{option}` of this", value.span, "numbers and parameters can be run")
        self._expressions([value], ANYWHERE)

    def _expressions(self, nodes: Sequence[Expression], reader: Reader) -> None:
        for node in nodes:
            for part in self.scope.parts(node):
                self._expression(part, reader)

    def _expression(self, node: Expression, reader: Reader) -> None:
        match node:
            case Name() if not self.scope.declared.get(node.text) and node.text in VALUES:
                row = VALUES[node.text]
                if node.text not in READ and row.shape != Shape.PASS and not row.needs:
                    self.refuse(f"reading `{node.text}`", node.span, "use another value")
            case Attribute():
                needs = VALUES[node.owner.text].needs if node.owner.text in VALUES else ""
                if node.name.text not in PASSES.get(node.owner.text, ()) and not needs:
                    self.refuse(f"reading `{node.owner.text}.{node.name}`", node.span, "use another value")
            case Call():
                self._function(node)
            case Index():
                if self.shapes.quietly(node.value) not in (Shape.ROW, Shape.CLASS):
                    self.refuse("this index", node.span, "rows and tables of class values can be run")
            case _:
                pass

    def _function(self, node: Call) -> None:
        if node.name.text not in FUNCTIONS and source_of_op(node.name.text) is None:
            hint = "`taxo emit` shows what a method runs"
            self.refuse(f"the function `{node.name}`", node.name.span, hint)
            return
        wanted = ARGUMENTS.get(node.name.text)
        inner = node.arguments[0].value
        shape = self.shapes.quietly(inner) if wanted else None
        if wanted and shape is not None and shape not in wanted:
            self.refuse(f"`{node.name}` of {shape.value}", inner.span, "use another function")


def _loss_beside_penalty(node: Expression) -> bool:
    """Whether a goal is the loss, or the loss with penalties added that do not read it."""
    while isinstance(node, Binary) and node.operator in ("+", "-"):
        if any(isinstance(part, Name) and part.text == "loss" for part in walk(node.right)):
            return False
        node = node.left
    return isinstance(node, Name) and node.text == "loss"
