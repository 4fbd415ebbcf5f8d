"""Whether a method means something: names, words, shapes, domains and the four coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from taxo.language.constants import constant
from taxo.language.coordinates import Derived, declared_grain, derive, probed
from taxo.language.errors import Diagnostic, TaxoError, nearest, suggest
from taxo.language.method import Branch, Choices, Inference, Interval, Method, Param, Perturbation
from taxo.language.options import check_options
from taxo.language.printer import expression_text
from taxo.language.scope import Findings, Scope, infers
from taxo.language.shapes import ANYWHERE, TRUTHS, Reader, Shapes, joined
from taxo.language.syntax import Call, Name, String, Word, names
from taxo.language.vocabulary import (
    DIRECTIONS,
    DISTRIBUTIONS,
    GOALS,
    GRAINS,
    MANNERS,
    REGIONS,
    SCOPES,
    SOLVERS,
    TARGETS,
    Option,
    Place,
    Shape,
)

OPPOSITE = {"positive": "negative", "negative": "positive"}
TOLERATED = 0.01
M = TypeVar("M", bound=Method)


def check(method: Method) -> list[Diagnostic]:
    """Everything that is wrong with a method, and what is worth knowing, in the order of the text."""
    findings = Findings()
    scope = Scope(method)
    shapes = Shapes(scope, findings)
    _check_declarations(method, shapes)
    for clause in method.clauses:
        if isinstance(clause, Branch):
            _check_number(clause.weight, "a branch's weight", shapes)
    for item in method.perturbations():
        _Check(item, shapes).run()
    _check_unused(scope, findings)
    return sorted(findings.items, key=lambda finding: finding.span.start if finding.span else -1)


def errors(findings: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings that must be mended."""
    return [finding for finding in findings if finding.severity == "error"]


def verify(method: M) -> M:
    """The method itself, if nothing is wrong with it."""
    wrong = errors(check(method))
    if wrong:
        raise TaxoError(wrong)
    return method


def _check_declarations(method: Method, shapes: Shapes) -> None:
    findings, scope = shapes.findings, shapes.scope
    seen: set[str] = set()
    for item in (*method.params, *method.draws, *method.lets):
        if item.name.text in seen:
            findings.error("T103", f"`{item.name}` is declared twice", item.name.span, "rename one of them")
        seen.add(item.name.text)
    for param in method.params:
        _check_param(param, scope, shapes)
    for setting in method.null:
        if setting.name.text not in scope.params:
            findings.error(
                "T201",
                f"no `param {setting.name}`",
                setting.name.span,
                suggest(setting.name.text, scope.params),
            )
        shapes.of(setting.value, Reader(Place.DATA, "null"))
    for draw in method.draws:
        _check_draw(draw.distribution, draw.per, shapes)
    for let in method.lets:
        if let.name.text in scope.reads(let.value) or _circular(let.name.text, scope, set()):
            findings.error("T201", f"`{let.name}` is defined by itself", let.name.span, "break the circle")
            scope.lets.pop(let.name.text)
    for let in list(scope.lets.values()):
        shapes.of(let.value, ANYWHERE)
    if method.split is not None:
        _check_number(method.split, "`split`", shapes)


def _circular(name: str, scope: Scope, seen: set[str]) -> bool:
    """Whether a `let` reads itself through others."""
    if name in seen:
        return True
    let = scope.lets.get(name)
    inner = [] if let is None else [read.text for read in names(let.value)]
    return any(_circular(read, scope, seen | {name}) for read in inner)


def _check_number(value: object, what: str, shapes: Shapes) -> None:
    shape = shapes.of(value, Reader(Place.DATA, what))  # pyright: ignore
    if shape not in (Shape.SCALAR, None):
        span = getattr(value, "span", None)
        shapes.findings.error("T207", f"{what} is {shape.value}, not a number", span)


def _check_draw(distribution: Call, per: Word, shapes: Shapes) -> None:
    if distribution.name.text not in DISTRIBUTIONS:
        shapes.findings.unknown_word("distribution", distribution.name, DISTRIBUTIONS)
        return
    parameters = {
        name: Option(f"the {name} of the distribution") for name in DISTRIBUTIONS[distribution.name.text]
    }
    check_options(distribution, parameters, shapes, Reader(Place.DATA, "draw"))
    if per.text not in SCOPES:
        shapes.findings.unknown_word("scope of a draw", per, SCOPES)


def _check_param(param: Param, scope: Scope, shapes: Shapes) -> None:
    findings = shapes.findings
    if scope.is_word(param):
        _check_word_param(param, scope, findings)
        return
    shapes.of(param.default, Reader(Place.DATA, "param"))
    value = constant(param.default, scope.constants())
    if value is not None and value != value:
        findings.error("T206", f"`{expression_text(param.default)}` is not a number", param.default.span)
    domain = param.domain
    if isinstance(domain, Interval) and value is not None:
        low, high = constant(domain.low, {}), constant(domain.high, {})
        if low is None or high is None or not low <= value <= high:
            ends = f"[{expression_text(domain.low)}, {expression_text(domain.high)}]"
            message = f"`{param.name}` is {expression_text(param.default)}, outside {ends}"
            findings.error("T206", message, param.default.span, "take a value inside")
    if isinstance(domain, Choices):
        for choice in domain.choices:
            shapes.of(choice, Reader(Place.DATA, "param"))


def _check_word_param(param: Param, scope: Scope, findings: Findings) -> None:
    if isinstance(param.default, String):
        return
    choices = param.domain.choices if isinstance(param.domain, Choices) else ()
    words = [choice.text for choice in choices if isinstance(choice, Name)]
    word = scope.word(param.default)
    if not words:
        hint = suggest(word or "", [*scope.params, "pi", "inf"])
        findings.error(
            "T201",
            f"nothing declares `{word}`",
            param.default.span,
            f"{hint}; a parameter that is a word lists its words: `in {{{word}, ...}}`",
        )
    elif word not in words:
        findings.error("T206", f"`{param.name}` is `{word}`", param.default.span, suggest(word or "", words))


def _check_unused(scope: Scope, findings: Findings) -> None:
    missing = [f.message.split("`")[1] for f in findings.items if f.code == "T201" and "`" in f.message]
    for name, item in scope.declared.items():
        if name not in scope.read:
            match = nearest(name, missing)
            hint = f"did you mean `{match[0]}`, which nothing declares?" if match else "read it or drop it"
            findings.error("T202", f"`{name}` is declared, never used", item.name.span, hint)


class _Check:
    """The checks of one perturbation."""

    def __init__(self, item: Perturbation, shapes: Shapes) -> None:
        self.item = item
        self.shapes = shapes
        self.scope = shapes.scope
        self.findings = shapes.findings

    def run(self) -> None:
        """Note everything that is wrong with the perturbation."""
        item = self.item
        target = TARGETS.get(item.target.text)
        words_fit = self._check_words()
        if target is None:
            self.findings.unknown_word("target", item.target, TARGETS)
            return
        unknown = self._check_unknown()
        reader = Reader(target.place, item.target.text, unknown, target.shape)
        before = len(errors(self.findings.items))
        self._check_form(reader)
        self._check_site()
        if item.where is not None:
            shape = self.shapes.of(item.where, Reader(target.place, item.target.text))
            if shape not in (*TRUTHS, None):
                self.findings.error(
                    "T207",
                    f"`where` is {shape.value}, not a condition",
                    item.where.span,
                    "compare it, or write `in top(25%)`",
                )
        self._check_inference(reader)
        if words_fit and len(errors(self.findings.items)) == before:
            self._check_coordinates(derive(item, self.scope))

    def _check_words(self) -> bool:
        item, findings = self.item, self.findings
        before = len(findings.items)
        for kind, word, known in (
            ("direction", item.direction, DIRECTIONS),
            ("manner", item.infer.manner, MANNERS),
            *(("granularity", word, GRAINS) for word in item.granularity),
        ):
            if word.text and word.text not in known:
                findings.unknown_word(kind, word, known)
        return len(findings.items) == before and bool(item.direction.text and item.infer.manner.text)

    def _check_unknown(self) -> str | None:
        """The unknown's name; too many names, or none, are noted."""
        item, scope = self.item, self.scope
        manner = item.infer.manner
        free = scope.undeclared(item.by)
        if manner.text not in MANNERS or not infers(item):
            return free[0].text if free and manner.text not in MANNERS else None
        if len(free) == 1:
            return free[0].text
        form = f"`{expression_text(item.by)}`"
        if not free:
            self.findings.error(
                "T208",
                f"{form} has no unknown for `{manner}` to find",
                item.by.span,
                "put a new name into the form, such as `by v`",
            )
            return None
        listed = " and ".join(f"`{name.text}`" for name in free)
        hint = suggest(free[1].text, scope.visible())
        self.findings.error("T208", f"{form} has more than one unknown: {listed}", free[1].span, hint)
        return free[0].text

    def _check_form(self, reader: Reader) -> None:
        item, target = self.item, TARGETS[self.item.target.text]
        shape = self.shapes.of(item.by, reader)
        if shape is not None and joined(shape, target.shape) != target.shape:
            message = f"`{expression_text(item.by)}` is {shape.value}; {item.target} are {target.shape.value}"
            self.findings.error("T207", message, item.by.span, f"`{item.target}` is {target.meaning}")

    def _check_site(self) -> None:
        site, findings = self.item.at, self.findings
        if site is None:
            return
        if isinstance(site, Name):
            self.scope.read.add(site.text)
        if self.item.target.text != "weights":
            findings.error(
                "T210",
                f"a site of `{self.item.target}` is not in this version",
                site.span,
                "drop `at`: it acts on the whole value",
            )
        elif self.scope.word(site) is None or (isinstance(site, Name) and site.text not in self.scope.params):
            findings.error(
                "T205",
                f"`{expression_text(site)}` is no site",
                site.span,
                'write a pattern of parameter names, such as `at "layer4.*"`',
            )

    def _check_inference(self, reader: Reader) -> None:
        item, infer = self.item, self.item.infer
        if infer.manner.text in MANNERS and not infers(item):
            self._check_fixed(infer)
            return
        inner = Reader(Place.LOSS, "loss", reader.unknown, reader.shape)
        if infer.goal is None:
            self._missing("a goal", "add `maximize loss` or `minimize loss`")
        else:
            if infer.goal.kind.text not in GOALS:
                self.findings.unknown_word("goal", infer.goal.kind, GOALS)
            shape = self.shapes.of(infer.goal.objective, inner)
            if shape not in (Shape.SAMPLE, None):
                message = (
                    f"`{expression_text(infer.goal.objective)}` is {shape.value}, not one number per sample"
                )
                self.findings.error("T207", message, infer.goal.objective.span, "such as `loss`")
        for region in infer.within:
            self._check_call(region, "set", inner)
        self._check_solver(inner)

    def _check_fixed(self, infer: Inference) -> None:
        extra = infer.goal or (infer.within[0] if infer.within else infer.via)
        if extra is not None:
            self.findings.error(
                "T302",
                f"`{infer.manner}` has nothing to infer",
                extra.span,
                "drop the rest, or say `adversarial` or `regularization`",
            )

    def _missing(self, what: str, hint: str) -> None:
        infer = self.item.infer
        if infer.manner.text:
            self.findings.error(
                "T102",
                f"`infer {infer.manner}` has no {what}".replace("no a ", "no "),
                infer.manner.span,
                hint,
            )

    def _check_call(self, call: Call, kind: str, reader: Reader) -> None:
        table = REGIONS if kind == "set" else SOLVERS
        row = table.get(call.name.text)
        if row is None:
            self.findings.unknown_word(kind, call.name, table)
            return
        check_options(call, row.options, self.shapes, reader)

    def _check_solver(self, reader: Reader) -> None:
        infer, findings = self.item.infer, self.findings
        if infer.via is None:
            self._missing("solver", "add `via ...`, such as `via pgd(steps: 5, step: 2/255)`")
            return
        self._check_call(infer.via, "solver", reader)
        solver = SOLVERS.get(infer.via.name.text)
        if solver is None:
            return
        known = [region for region in infer.within if region.name.text in REGIONS]
        balls = [region for region in known if REGIONS[region.name.text].bounded]
        if solver.needs_set and not balls and len(known) == len(infer.within):
            findings.error(
                "T102",
                f"`{infer.via.name}` needs a bounded set",
                infer.via.span,
                "add `within linf(...)` or `within l2(...)`",
            )
        if solver.learned and infer.within:
            findings.error(
                "T209",
                f"`{infer.via.name}` keeps to no set",
                infer.within[0].span,
                "drop `within`, or take another solver",
            )
        if solver.learned and self.item.target.text in ("features", "weights"):
            findings.error(
                "T210",
                f"`{infer.via.name}` on `{self.item.target}` is not in this version",
                infer.via.span,
                "it learns unknowns of logits, labels and loss",
            )
        if len(balls) > 1:
            findings.error(
                "T209", "two bounded sets at once are not in this version", balls[1].span, "keep one"
            )

    def _check_coordinates(self, derived: Derived) -> None:
        item = self.item
        self._check_grain(derived)
        if derived.manner != item.infer.manner.text:
            message = f"`{item.infer.manner}` is declared, the form shows `{derived.manner}`"
            self.findings.error("T302", message, item.infer.manner.span, self._manner_hint(derived))
        declared = item.direction.text
        if derived.direction is not None and OPPOSITE.get(declared) == derived.direction and item.infer.goal:
            message = f"`{declared}` is declared, `{item.infer.goal.kind} loss` is `{derived.direction}`"
            self.findings.error(
                "T303", message, item.direction.span, f"write `direction {derived.direction}`"
            )
        if probed(item, self.scope) and (declared in OPPOSITE or item.target.text == "labels"):
            self._check_probe()

    def _check_grain(self, derived: Derived) -> None:
        item = self.item
        declared = declared_grain(item)
        if declared is None or declared == derived.granularity:
            return
        word, form = item.granularity[0], derived.granularity.name.lower()
        if declared < derived.granularity:
            self.findings.error(
                "T301",
                f"`{word}` is coarser than the form, which differs per {form}",
                word.span,
                f"write `granularity {form}`",
            )
        else:
            self.findings.note("T305", f"`{word}` is finer than the form, which is per {form}", word.span)

    def _manner_hint(self, derived: Derived) -> str:
        unknown = self.scope.unknown(self.item)
        if derived.manner == "prior":
            return "a tuned form reads a parameter with a domain: `param lam = 1 in [0, 2]`"
        if derived.manner == "adversarial":
            return f"put a penalty on `{unknown}` into the goal, such as `+ lam * l1({unknown})`"
        return f"an adversarial `{unknown}` is bounded by its set alone: drop the penalty, add `within linf(...)`"

    def _check_probe(self) -> None:
        from taxo.language.probe import probe

        item = self.item
        found = probe(item, self.scope)
        against = {"positive": found.raised, "negative": found.lowered}.get(item.direction.text, 0.0)
        if against > TOLERATED:
            verb = "rises" if item.direction.text == "positive" else "falls"
            message = (
                f"`{item.direction}` is declared, but the loss of {against:.0%} of random samples {verb}"
            )
            self.findings.error("T303", message, item.direction.span, "write `direction mixed`")
        if item.target.text == "labels" and found.off_simplex > 1e-6:
            self.findings.error(
                "T304",
                f"`{expression_text(item.by)}` leaves the simplex",
                item.by.span,
                "a form such as `a * (q - y)` with `q` a distribution and `a` in [0, 1] stays",
            )
