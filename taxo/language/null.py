"""Whether a method's null point is one: where its forms can be tried, they change nothing there."""

from __future__ import annotations

from taxo.language.coordinates import probed
from taxo.language.findings import Findings
from taxo.language.method import Method
from taxo.language.printer import expression_text
from taxo.language.scope import Scope


def check_null_point(method: Method, findings: Findings) -> None:
    """Note a null point at which a form still changes the loss of random samples."""
    settings = {setting.name.text: setting.value for setting in method.null}
    if not settings or method.branches():
        return
    params = tuple(
        param.model_copy(update={"default": settings.get(param.name.text, param.default)})
        for param in method.params
    )
    scope = Scope(method.model_copy(update={"params": params}))
    for item in method.perturbations():
        if not probed(item, scope):
            continue
        from taxo.language.probe import probe

        found = probe(item, scope)
        changed = max(found.raised, found.lowered)
        if changed > 0:
            shown = ", ".join(f"{name} = {expression_text(value)}" for name, value in settings.items())
            message = f"at `{shown}` `perturb {item.target}` still moves the loss of {changed:.0%} of samples"
            hint = "`null` says where the method is the plain loss: correct it, or leave it out"
            findings.error("T308", message, method.null[0].name.span, hint)
