"""The checks of sites: the places within a target that `at` names."""

from __future__ import annotations

from taxo.language.method import Perturbation
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.spelling import listed, nearest, shortened, suggest
from taxo.language.syntax import Expression, Name, String, names
from taxo.language.vocabulary import DISTRIBUTIONS, SITES, TARGETS, Shape

WITH_MODULES = ("features", "weights")


def check_site(item: Perturbation, shapes: Shapes) -> bool:
    """Whether a perturbation's site is one; noted where it is not."""
    site, scope, target = item.at, shapes.scope, item.target.text
    if site is None or target not in TARGETS:
        return True
    scope.read |= {name.text for name in names(site)}
    words = [word for word, row in SITES.items() if row.target == target]
    if isinstance(site, Name) and (site.text in words or (target == "features" and _is_drawn(site, scope))):
        return True
    texts = [name for name, param in scope.params.items() if isinstance(param.default, String)]
    near = nearest(site.text, texts + words) if isinstance(site, Name) else []
    hint = suggest(near[0], near) if near else _hint(target, words)
    message = _complaint(site, target, scope)
    if message:
        shapes.findings.error("T205", message, site.span, hint)
    return not message


def _is_drawn(site: Name, scope: Scope) -> bool:
    """Whether a name is a draw of one of the modules."""
    draw = scope.draws.get(site.text)
    row = DISTRIBUTIONS.get(draw.distribution.name.text) if draw else None
    return row is not None and row.result is Shape.SITE


def _complaint(site: Expression, target: str, scope: Scope) -> str:
    """What is wrong with a site that is no word of the vocabulary; nothing for a pattern of modules."""
    shown = shortened(expression_text(site))
    if isinstance(site, Name) and site.text not in scope.params:
        scope.missing.setdefault(site.text, site)
        return f"`{shown}` is no site of `{target}`"
    if scope.word(site) is None:
        return f"`{shown}` is a number, not a site"
    return "" if target in WITH_MODULES else f"`{target}` has no modules to name"


def _hint(target: str, words: list[str]) -> str:
    ways = [f"at {word}" for word in words]
    if target in WITH_MODULES:
        return 'name modules, such as `at "layer4.*"`' + (f", or write {listed(ways)}" if ways else "")
    return f"write {listed(ways)}" if ways else "drop `at`"
