"""The checks of one perturbation: its words, its unknown, its form, and how the unknown is found."""

from __future__ import annotations

from taxo.language.claims import check_claims
from taxo.language.coordinates import rises_with_loss
from taxo.language.method import Inference, Perturbation
from taxo.language.options import check_options
from taxo.language.printer import expression_text
from taxo.language.scope import infers
from taxo.language.shapes import Reader, Shapes, joined
from taxo.language.spelling import listed, nearest, shortened, suggest
from taxo.language.syntax import Call, Expression, Name, String, names
from taxo.language.vocabulary import (
    DIRECTIONS,
    GOALS,
    GRAINS,
    MANNERS,
    REGIONS,
    SOLVERS,
    TARGETS,
    Place,
    Shape,
    Target,
)


def check_perturbation(item: Perturbation, shapes: Shapes) -> None:
    """Note everything that is wrong with a perturbation."""
    target = TARGETS.get(item.target.text)
    if target is None:
        shapes.findings.unknown_word("target", item.target, TARGETS)
        target = Target("", Place.LOSS, "", Shape.SAMPLE)
    _Check(item, target, shapes).run()


class _Check:
    """The checks of one perturbation on a target."""

    def __init__(self, item: Perturbation, target: Target, shapes: Shapes) -> None:
        self.item = item
        self.target = target
        self.shapes = shapes
        self.scope = shapes.scope
        self.findings = shapes.findings
        self.unknown = self.scope.unknown(item)
        self.error = shapes.findings.error

    def run(self) -> None:
        item, target = self.item, self.target
        before, sound = self._count(), True
        self._check_words()
        self._check_unknown()
        reader = Reader(target.place, f"`{item.target}`", self.unknown, target.shape)
        if target.meaning:
            reader = Reader(target.place, item.target.text, self.unknown, target.shape)
            sound = self._check_form(reader)
        else:
            self._mark_read(item.by)
        self._check_site()
        sound = self._check_where() and sound
        self._check_inference()
        if sound and self._count() == before and item.direction.text and item.infer.manner.text:
            check_claims(item, self.shapes)

    def _count(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings.items)

    def _mark_read(self, *nodes: Expression) -> None:
        """What a clause that means nothing yet reads is not unused."""
        self.scope.read |= {name.text for node in nodes for name in names(node)}

    def _check_words(self) -> None:
        item = self.item
        if item.direction.text and item.direction.text not in DIRECTIONS:
            self.findings.unknown_word("direction", item.direction, DIRECTIONS)
        if item.infer.manner.text and item.infer.manner.text not in MANNERS:
            self.findings.unknown_word("manner", item.infer.manner, MANNERS)
        for word in item.granularity:
            if word.text and word.text not in GRAINS:
                self.findings.unknown_word("granularity", word, GRAINS)

    def _check_unknown(self) -> None:
        """There is one unknown where one is inferred, and the goal reads no other."""
        item, scope = self.item, self.scope
        if item.infer.manner.text not in MANNERS or not infers(item):
            return
        form = shortened(expression_text(item.by))
        free = scope.undeclared(item.by)
        if not free:
            hint = "put a new name into the form, such as `by v`"
            self.error(
                "T208", f"`{form}` has no unknown for `{item.infer.manner}` to find", item.by.span, hint
            )
        goal = item.infer.goal
        if goal is None or self.unknown is None:
            return
        others = [name.text for name in scope.undeclared(goal.objective)]
        if self.unknown not in others and nearest(self.unknown, others):
            message = f"the goal does not read the unknown `{self.unknown}`"
            span = next(name.span for name in free if name.text == self.unknown)
            self.error("T208", message, span, suggest(self.unknown, others))

    def _check_form(self, reader: Reader) -> bool:
        item = self.item
        shape = self.shapes.of(item.by, reader)
        if shape is not None and joined(shape, self.target.shape) != self.target.shape:
            message = (
                f"`{shortened(expression_text(item.by))}` is {shape.value}, not {self.target.shape.value}"
            )
            self.error("T207", message, item.by.span, f"`{item.target}` is {self.target.meaning}")
        return shape is not None

    def _check_site(self) -> None:
        site, scope = self.item.at, self.scope
        if site is None:
            return
        self._mark_read(site)
        if self.item.target.text != "weights":
            message = f"a site of `{self.item.target}` is not in this version"
            self.error("T210", message, site.span, "drop `at`: it acts on the whole value")
        elif isinstance(site, Name) and site.text not in scope.params:
            scope.missing.setdefault(site.text, site)
            texts = [name for name, param in scope.params.items() if isinstance(param.default, String)]
            hint = 'write a pattern of parameter names, such as `at "layer4.*"`'
            hint = suggest(site.text, texts) if nearest(site.text, texts) else hint
            self.error("T205", f"`{shortened(site.text)}` is no site", site.span, hint)
        elif scope.word(site) is None:
            message = f"`{expression_text(site)}` is a number, not a site"
            self.error(
                "T205", message, site.span, 'write a pattern of parameter names, such as `at "layer4.*"`'
            )

    def _check_where(self) -> bool:
        where = self.item.where
        if where is None:
            return True
        reader = Reader(self.target.place, self.item.target.text)
        shape = self.shapes.condition(where, reader)
        if self.item.target.text == "weights" and shape in (Shape.MASK, Shape.TOP):
            message = "`where` selects samples, and all of them share the weights"
            hint = "drop it; a condition on the progress, such as `epoch >= 5`, is possible"
            self.error("T209", message, where.span, hint)
            return False
        return shape is not None

    def _check_inference(self) -> None:
        infer = self.item.infer
        if infer.manner.text in MANNERS and not infers(self.item):
            self._check_fixed(infer)
            return
        if infer.goal is not None:
            self._check_goal(infer)
        elif infer.manner.text in MANNERS:
            hint = "add `maximize loss` or `minimize loss`"
            self.error("T102", f"`infer {infer.manner}` has no goal", infer.manner.span, hint)
        for region in infer.within:
            self._check_region(region)
        if infer.via is not None:
            self._check_solver(infer.via)
        elif infer.manner.text in MANNERS:
            hint = "add `via ...`, such as `via pgd(steps: 5, step: 2/255)`"
            self.error("T102", f"`infer {infer.manner}` has no solver", infer.manner.span, hint)

    def _check_fixed(self, infer: Inference) -> None:
        parts = [infer.goal, *infer.within, infer.via]
        extra = next((part for part in parts if part is not None), None)
        if extra is not None:
            hint = "drop the rest, or say `adversarial` or `regularization`"
            self.error("T302", f"`{infer.manner}` has nothing to find", extra.span, hint)
            calls = [call for call in (*infer.within, infer.via) if call is not None]
            self._mark_read(*calls, *([infer.goal.objective] if infer.goal else []))

    def _check_goal(self, infer: Inference) -> None:
        goal = infer.goal
        assert goal is not None
        if goal.kind.text not in GOALS:
            self.findings.unknown_word("goal", goal.kind, GOALS)
        node, shown = goal.objective, shortened(expression_text(goal.objective))
        shape = self.shapes.of(node, Reader(Place.LOSS, "loss", self.unknown, self.target.shape))
        if shape not in (Shape.SAMPLE, None):
            message = f"`{shown}` is {shape.value}, not one number per sample"
            self.error("T207", message, node.span, "a goal is such as `loss` or `loss + lam * l1(v)`")
        if infer.manner.text == "regularization" and shape == Shape.SAMPLE and not rises_with_loss(goal):
            message = "a `regularization` whose goal is not the loss and a penalty is not in this version"
            self.error("T210", message, goal.span, f"write `{goal.kind} loss + ...`")

    def _check_region(self, region: Call) -> None:
        row = REGIONS.get(region.name.text)
        if row is None:
            self.findings.unknown_word("set", region.name, REGIONS)
            self._mark_read(region)
            return
        check_options(region, row.options, self.shapes)
        if self.target.meaning and row.targets and self.item.target.text not in row.targets:
            message = f"`{region.name}` for `{self.item.target}` is not in this version"
            hint = f"`{region.name}` is for {listed(row.targets, 'and')}"
            self.error("T210", message, region.name.span, hint)

    def _check_solver(self, via: Call) -> None:
        solver, target = SOLVERS.get(via.name.text), self.item.target.text
        if solver is None:
            self.findings.unknown_word("solver", via.name, SOLVERS)
            self._mark_read(via)
            return
        check_options(via, solver.options, self.shapes)
        infer = self.item.infer
        known = [region for region in infer.within if region.name.text in REGIONS]
        balls = [region for region in known if REGIONS[region.name.text].bounded]
        if solver.needs_set and not balls and len(known) == len(infer.within):
            hint = "add `within linf(...)` or `within l2(...)`"
            self.error("T102", f"`{via.name}` needs a bounded set", via.span, hint)
        if solver.learned and infer.within:
            hint = "drop `within`, or take another solver"
            self.error("T209", f"`{via.name}` keeps to no set", infer.within[0].span, hint)
        if solver.targets and self.target.meaning and target not in solver.targets:
            message = f"`{via.name}` on `{target}` is not in this version"
            hint = f"`{via.name}` finds unknowns of {listed(solver.targets, 'and')}"
            self.error("T210", message, via.name.span, hint)
        if len(balls) > 1:
            self.error("T210", "two bounded sets at once are not in this version", balls[1].span, "keep one")
