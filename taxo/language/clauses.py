"""The checks of one perturbation: its words, its unknown, its form, its site, and when it acts."""

from __future__ import annotations

from dataclasses import replace

from taxo.language.axes import joined
from taxo.language.claims import check_claims
from taxo.language.coordinates import declared_grain
from taxo.language.inferences import Found, check_found, check_manner
from taxo.language.liveness import live, moves
from taxo.language.lookup import PREDICTING
from taxo.language.method import Choices, Perturbation
from taxo.language.offers import check_offers
from taxo.language.outside import check_held
from taxo.language.printer import expression_text
from taxo.language.regions import shape_given
from taxo.language.scope import acts_at, infers
from taxo.language.shapes import Reader, Shapes
from taxo.language.sites import check_site
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.syntax import Call, Expression, Name, Word, names
from taxo.language.vocabulary import (
    AMENDS,
    DIRECTIONS,
    GRAINS,
    HELD,
    MANNERS,
    NEEDS,
    NORMS,
    PHASES,
    ROUNDS,
    TARGETS,
    Place,
    Shape,
    Site,
    Target,
)


def check_perturbation(item: Perturbation, shapes: Shapes, above: frozenset[str]) -> None:
    """Note everything that is wrong with a perturbation; `above` are the branches written above it."""
    if item.target.text not in TARGETS:
        shapes.findings.unknown_word("target", item.target, TARGETS)
    _Check(item, shapes, above).run()


class _Check:
    """The checks of one perturbation."""

    def __init__(self, item: Perturbation, shapes: Shapes, above: frozenset[str]) -> None:
        self.item = item
        self.spot: Target | Site | None = acts_at(item)
        self.shapes = shapes
        self.scope = shapes.scope
        self.findings = shapes.findings
        self.unknown = self.scope.unknown(item)
        self.above = above
        self.error = shapes.findings.error

    def run(self) -> None:
        item, before, sound = self.item, self._count(), True
        self._check_words()
        if not check_site(item, self.shapes):
            self.spot = None
        self._check_unknown()
        if self.spot is not None:
            sound = self._check_form(self.spot)
            self._check_moves()
        else:
            self._mark_read(item.by)
        sound = self._check_where() and sound
        self._check_times()
        self._check_inference()
        if sound and self._count() == before and item.direction.text and not self._rests_on_errors():
            check_claims(item, self.shapes)

    def _count(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings.items)

    def _rests_on_errors(self) -> bool:
        """Whether something is wrong with what the form or the condition reads, as far as places tell."""
        read = {name for part in self.item.written() for name in self.scope.reads(part)}
        spans = [self.scope.declared[name].span for name in read if name in self.scope.declared]
        wrong = [finding.span for finding in self.findings.items if finding.severity == "error"]
        return any(one is None or any(within is None or one in within for within in spans) for one in wrong)

    def _mark_read(self, *nodes: Expression) -> None:
        """What a clause that means nothing yet reads is not unused."""
        self.scope.read |= {name.text for node in nodes for name in names(node)}

    def _reader(self, place: Place | None = None, target: str = "") -> Reader:
        """Who reads the perturbation's expressions."""
        item, spot = self.item, self.spot
        own = spot.value if isinstance(spot, Site) and spot.place == Place.INNER else ""
        return Reader(
            spot.place if place is None and spot is not None else place or Place.LOSS,
            target or item.target.text,
            phase=item.during.text if item.during else "training",
            rounds=item.every is not None,
            own=own,
            above=self.above,
        )

    def _knowing(self, reader: Reader) -> Reader:
        """The same reader with the unknown in hand."""
        return replace(reader, unknown=self.unknown, shape=self._unknown_shape())

    def _unknown_shape(self) -> Shape:
        own = self.spot.shape if self.spot is not None else Shape.SAMPLE
        return shape_given(self.item.infer.within, own)

    def _check_words(self) -> None:
        item, unknown_word = self.item, self.findings.unknown_word
        if item.direction.text and item.direction.text not in DIRECTIONS:
            unknown_word("direction", item.direction, DIRECTIONS)
        seen: set[str] = set()
        for word in item.granularity:
            if word.text and word.text not in GRAINS:
                unknown_word("granularity", word, GRAINS)
            elif word.text in seen:
                self.error("T103", f"`{word}` is said twice", word.span, "say each granularity once")
            seen.add(word.text)
        if item.against is not None and item.against.text not in HELD:
            unknown_word("held-out set", item.against, HELD)
        elif item.against is not None and item.against.text in NEEDS:
            check_held(Call(item.against, span=item.against.span), self.shapes)
        if item.norm is not None:
            self._check_norm(item.norm)

    def _check_norm(self, norm: Word) -> None:
        """A norm's word, or a parameter that is one, for the passes of an inference."""
        check_norm(norm, self.shapes)
        if self.item.infer.manner.text in MANNERS and not infers(self.item):
            message = f"`norm` is about inner passes, and `{self.item.infer.manner}` has none"
            self.error("T209", message, norm.span, "drop `norm`")

    def _check_unknown(self) -> None:
        """There is one unknown where one is inferred, and the goal reads no other."""
        item, scope = self.item, self.scope
        if item.infer.manner.text not in MANNERS or not infers(item):
            return
        form = shortened(expression_text(item.by))
        free = scope.undeclared(item.by)
        if not free:
            hint = "put a new name into the form, such as `by v`"
            message = f"`{form}` has no unknown for `{item.infer.manner}` to find"
            self.error("T208", message, item.by.span, hint)
        goal = item.infer.goal
        if goal is None or self.unknown is None:
            return
        others = [name.text for name in scope.undeclared(goal.objective)]
        if self.unknown not in others and nearest(self.unknown, others):
            message = f"the goal does not read the unknown `{self.unknown}`"
            span = next(name.span for name in free if name.text == self.unknown)
            self.error("T208", message, span, suggest(self.unknown, others))

    def _check_moves(self) -> None:
        """The unknown reaches the form, and the form the goal, with a gradient to follow."""
        goal, unknown, by = self.item.infer.goal, self.unknown, self.item.by
        if unknown is None or self.spot is None:
            return
        if unknown not in live(by, self.scope):
            message = f"a small change of `{unknown}` changes nothing in `{shortened(expression_text(by))}`"
            self.error(
                "T208", message, by.span, f"let `{unknown}` stand outside of `stop`, `sign` and their like"
            )
        elif goal is not None and not moves(goal.objective, unknown, self.spot.place, self.scope):
            shown = shortened(expression_text(goal.objective))
            message = f"`{shown}` does not change with `{unknown}`"
            self.error("T208", message, goal.objective.span, "a goal is such as `loss`, live and downstream")

    def _check_form(self, spot: Target | Site) -> bool:
        item = self.item
        shape = self.shapes.of(item.by, self._knowing(self._reader()))
        if shape is not None and joined(shape, spot.shape) != spot.shape:
            message = f"`{shortened(expression_text(item.by))}` is {shape.value}, not {spot.shape.value}"
            self.error(
                "T207", message, item.by.span, f"`{item.target}` is {TARGETS[item.target.text].meaning}"
            )
        return shape is not None

    def _check_where(self) -> bool:
        where = self.item.where
        if where is None:
            return True
        shape = self.shapes.condition(where, self._reader())
        if self.item.target.text == "weights" and shape in (Shape.MASK, Shape.TOP):
            message = "`where` selects samples, and all of them share the weights"
            hint = "drop it; a condition on the progress, such as `epoch >= 5`, is possible"
            self.error("T209", message, where.span, hint)
            return False
        return shape is not None

    def _check_times(self) -> None:
        """When it acts: in which phase, and whether between rounds."""
        item = self.item
        if item.during is not None and item.during.text not in PHASES:
            self.findings.unknown_word("phase", item.during, PHASES)
        if item.every is None:
            if item.amend is not None:
                hint = f"write `every round {item.amend}`"
                self.error("T102", f"`{item.amend}` is about rounds", item.amend.span, hint)
            return
        self.scope.read.add("rounds")
        if item.every.text not in ROUNDS:
            self.findings.unknown_word("round", item.every, ROUNDS)
        if item.amend is not None and item.amend.text not in AMENDS:
            self.findings.unknown_word("amendment", item.amend, AMENDS)
        if item.target.text in TARGETS and item.target.text not in ("features", "labels"):
            message = f"`every round` amends the data, which has no `{item.target}`"
            self.error("T209", message, item.every.span, "perturb `features` or `labels`, or drop it")
        if item.during is not None and item.during.text in PREDICTING:
            message = f"`every round` is training, and `during {item.during}` is not"
            self.error("T209", message, item.during.span, "drop one of them")

    def _check_inference(self) -> None:
        item, infer = self.item, self.item.infer
        if not infer.manner.text:
            if not self.scope.covered(item) and not self.scope.misspelt(item):
                hint = (
                    "add a line such as `infer prior` or `infer adversarial maximize loss within ... via ...`"
                )
                self.error("T102", f"`perturb {item.target}` says no `infer`", item.target.span, hint)
            return
        check_manner(infer, self.findings)
        if infer.over:
            message = "`over` is for an `infer` of the whole method"
            hint = "write it outside of `perturb`; here the unknown of the form is found"
            self.error("T209", message, infer.over[0].span, hint)
        if infer.manner.text in MANNERS and not infers(item):
            self._check_fixed()
            return
        goal = self._knowing(self._reader(Place.LOSS, "loss"))
        found = Found(infer, item.target.text, goal, self._reader(), declared_grain(item))
        check_found(found, self.shapes)
        check_offers(item, self.shapes)
        self._check_rounds()

    def _check_rounds(self) -> None:
        via = self.item.infer.via
        if via is not None and via.name.text == "influence" and self.item.every is None:
            hint = "add the clause `every round append`"
            self.error("T102", "`influence` finds perturbations between rounds", via.name.span, hint)

    def _check_fixed(self) -> None:
        infer = self.item.infer
        parts = [infer.goal, *infer.within, infer.on, infer.via]
        extra = next((part for part in parts if part is not None), None)
        if extra is not None:
            hint = "drop the rest, or say `adversarial` or `regularization`"
            self.error("T302", f"`{infer.manner}` has nothing to find", extra.span, hint)
            calls = [call for call in (*infer.within, infer.on, infer.via) if call is not None]
            self._mark_read(*calls, *([infer.goal.objective] if infer.goal else []))


def check_norm(norm: Word, shapes: Shapes) -> None:
    """Note a word that is no way to take norms, nor a parameter that is one."""
    shapes.scope.read.add(norm.text)
    param = shapes.scope.params.get(norm.text)
    if param is not None and isinstance(param.domain, Choices):
        for choice in param.domain.choices:
            if isinstance(choice, Name) and choice.text not in NORMS:
                shapes.findings.unknown_word("norm", Word(choice.text, span=choice.span), NORMS)
    if norm.text not in NORMS and shapes.scope.word(Name(norm.text)) not in NORMS:
        words = [name for name, param in shapes.scope.params.items() if shapes.scope.is_word(param)]
        shapes.scope.missing.setdefault(norm.text, Name(norm.text, span=norm.span))
        shapes.findings.unknown_word("norm", norm, [*NORMS, *words])
