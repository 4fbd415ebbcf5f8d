"""The checks of what a set offers: some have no way back to them, some are another one for every sample."""

from __future__ import annotations

from taxo.language.calling import given
from taxo.language.method import Perturbation
from taxo.language.regions import is_bounded
from taxo.language.shapes import Shapes
from taxo.language.syntax import Call
from taxo.language.vocabulary import REGIONS, SOLVERS


def check_offers(item: Perturbation, shapes: Shapes) -> None:
    """Note what an inference asks of its sets and they do not have."""
    for region in item.infer.within:
        row = REGIONS.get(region.name.text)
        if row is not None and not row.nearest:
            _check_way_back(item, region, shapes)
        if row is not None and row.own:
            _check_shared(item, region, shapes)


def _check_way_back(item: Perturbation, region: Call, shapes: Shapes) -> None:
    """Only the best point of such a set is known: no steps, no other start, no second bound."""
    error, via = shapes.findings.error, item.infer.via
    for other in item.infer.within:
        if other is not region and is_bounded(other) and other.name.text != "box":
            message = f"`{region.name}` and `{other.name}` cannot be kept together"
            hint = f"nothing outside of `{region.name}` is brought back to it: keep one of them"
            error("T209", message, other.span, hint)
    solver = None if via is None else SOLVERS.get(via.name.text)
    if via is None or solver is None:
        return
    if not solver.linear:
        message = f"`{via.name}` comes back to its sets, and to `{region.name}` there is no way back"
        error("T209", message, via.name.span, "write `via linearized`")
        return
    start = given(via, solver.options).get("start")
    if start is not None and shapes.scope.word(start) != "zero":
        message = f"a search in `{region.name}` starts from zero"
        error("T209", message, start.span, "drop `start`")


def _check_shared(item: Perturbation, region: Call, shapes: Shapes) -> None:
    """What is made from each sample's value holds no unknown that samples share."""
    for word in item.granularity:
        if word.text in ("category", "corpus"):
            message = f"`{region.name}` is another set for every sample, and a {word} shares one unknown"
            shapes.findings.error("T209", message, word.span, "write `granularity sample`")
