"""The checks of coordinates: what a perturbation says of itself against what its form shows."""

from __future__ import annotations

from taxo.language.coordinates import Derived, declared_grain, derive, probed, tried
from taxo.language.method import Perturbation
from taxo.language.objectives import objective_of
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.simplex import stays
from taxo.language.spelling import shortened

OPPOSITE = {"positive": "negative", "negative": "positive"}
TOLERATED = 0.01  # the share of samples that may contradict a direction
OFF_SIMPLEX = 1e-6


def check_claims(item: Perturbation, shapes: Shapes) -> None:
    """Note the declared coordinates that the form of a perturbation contradicts."""
    _Claims(item, shapes).run()


def leaves_simplex(item: Perturbation, scope: Scope) -> bool:
    """Whether a form is seen to move labels off the simplex that they have to stay on."""
    from taxo.language.probe import probe

    watched = _wants_simplex(item, scope) and tried(item, scope)
    return watched and probe(item, scope).off_simplex > OFF_SIMPLEX


def _wants_simplex(item: Perturbation, scope: Scope) -> bool:
    """Whether labels must stay distributions, and the form does not show that they do."""
    compared = item.target.text == "labels" and objective_of(scope.method).compares
    return compared and not stays(item, scope)


class _Claims:
    """The claims of one perturbation."""

    def __init__(self, item: Perturbation, shapes: Shapes) -> None:
        self.item = item
        self.scope = shapes.scope
        self.findings = shapes.findings

    def run(self) -> None:
        item, derived = self.item, derive(self.item, self.scope)
        self._check_grain(derived)
        self._check_manner(derived)
        self._check_direction(derived)
        claimed = item.direction.text in OPPOSITE and item.against is None
        if (claimed or _wants_simplex(item, self.scope)) and probed(item, self.scope):
            self._check_probe()

    def _check_grain(self, derived: Derived) -> None:
        item, declared = self.item, declared_grain(self.item)
        form, word = derived.granularity.name.lower(), item.granularity[0]
        if declared is None or declared == derived.granularity:
            return
        if self.scope.unknown(item) is not None:
            message = f"all samples share the weights, so `{word}` is not their granularity"
            self.findings.error("T301", message, word.span, f"write `granularity {form}`")
        elif declared < derived.granularity:
            message = f"`{word}` is coarser than the form, which differs per {form}"
            self.findings.error("T301", message, word.span, f"write `granularity {form}`")
        else:
            message = f"`{word}` is finer than the form, which is per {form}"
            self.findings.note("T305", message, word.span, f"`granularity {form}` says the same")

    def _check_manner(self, derived: Derived) -> None:
        manner = self.item.infer.manner
        if not manner.text or manner.text in derived.manners:
            return
        unknown, shown = self.scope.unknown(self.item), derived.manners[0]
        hint = {
            "prior": "a tuned form reads a parameter with a domain: `param lam = 1 in [0, 2]`",
            "adversarial": f"put a penalty on `{unknown}` into the goal, such as `+ lam * l1({unknown})`",
            "regularization": f"an adversarial `{unknown}` is bounded by a set and not by a penalty",
            "meta": "what is chosen `on` held-out data is `meta`: write `infer meta`",
        }[shown]
        if manner.text in ("prior", "tuning") and unknown is None and self.scope.covered(self.item):
            name = self.scope.covered(self.item)[0]
            hint = f"`infer {shown} over {name}` says it already: drop this line"
        elif manner.text == "meta":
            hint = "say on which held-out data: `on validation` or `on guide(5%)`"
        message = f"`{manner}` is declared, the form shows `{derived.manner}`"
        self.findings.error("T302", message, manner.span, hint)

    def _check_direction(self, derived: Derived) -> None:
        declared, goal = self.item.direction, self.item.infer.goal
        if derived.direction is not None and OPPOSITE.get(declared.text) == derived.direction and goal:
            shown = shortened(expression_text(goal.objective))
            shown = "loss" if len(shown) > 20 else shown
            message = f"`{declared}` is declared, but `{goal.kind} {shown}` is `{derived.direction}`"
            hint = f"write `direction {derived.direction}`"
            self.findings.error("T303", message, declared.span, hint)

    def _check_probe(self) -> None:
        from taxo.language.probe import probe

        item, found = self.item, probe(self.item, self.scope)
        against = {"positive": found.raised, "negative": found.lowered}.get(item.direction.text, 0.0)
        if against > TOLERATED:
            verb = "rises" if item.direction.text == "positive" else "falls"
            message = (
                f"`{item.direction}` is declared, but the loss of {against:.0%} of random samples {verb}"
            )
            other = found.raised if item.direction.text == "negative" else found.lowered
            way_out = "mixed" if other > TOLERATED else OPPOSITE[item.direction.text]
            self.findings.error("T303", message, item.direction.span, f"write `direction {way_out}`")
        if _wants_simplex(item, self.scope) and found.off_simplex > OFF_SIMPLEX:
            message = f"`{shortened(expression_text(item.by))}` leaves the simplex"
            hint = "`a * (q - y)` with `q` a distribution and `a` from 0 to 1 stays"
            self.findings.error("T304", message, item.by.span, hint)
