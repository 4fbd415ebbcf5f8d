"""Whether a method, a model and the data go together, before anything is trained."""

from __future__ import annotations

from taxo.catalog import library_for, load, whole
from taxo.language.constants import constant
from taxo.language.errors import fail
from taxo.language.method import Method
from taxo.language.objectives import base_objective
from taxo.language.scope import Scope
from taxo.language.syntax import Call
from taxo.training import datasets
from taxo.training.settings import Settings
from taxo.variants import variant

# what the labels of each goal can be compared by
OBJECTIVES = {
    "classes": ("cross_entropy", "bce", "hinge", "mse", "kmeans"),
    "targets": ("mse",),
    "points": ("icp", "mse"),
}


def outputs_of(typed: str, settings: Settings, classes: int) -> int:
    """How many outputs the model has for a method: its clusters, or as many as fit the labels.

    T503 where the method's base objective fits the labels or the model no better than by chance.
    """
    found = load(typed)
    method = whole(variant(found, dict(settings.params), library_for(found)))
    call = base_objective(method.loss)[0] if method.loss is not None else None
    objective = call.name.text if call is not None else "cross_entropy"
    _check(method, objective, settings)
    return _clusters(method, call) or classes if objective == "kmeans" else classes


def _check(method: Method, objective: str, settings: Settings) -> None:
    row, name = datasets.find(settings.data), method.name
    able = OBJECTIVES[row.goal]
    if objective not in able:
        known = " or ".join(f"`loss {word}`" for word in able)
        message = f"`{name}` minimises `{objective}`, which does not fit the {row.goal} of `{row.name}`"
        fail("T503", message, help=f"take a method with {known}, or other data")
    if objective == "kmeans" and settings.model != "centres":
        message = f"`{name}` moves centres, and the model `{settings.model}` has none"
        fail("T503", message, help="use `--model centres`")
    if settings.model == "centres" and row.goal != "classes":
        fail("T504", f"model `centres` finds clusters, and `{row.name}` has {row.goal}", help="leave it out")
    if settings.teacher is None and any(call.name.text == "teacher" for call in method.needs):
        help = "`--teacher RUN`, the folder of a finished run"
        fail("T503", f"`{name}` needs a teacher", help=help)


def _clusters(method: Method, call: Call | None) -> int:
    """How many centres a method asks for; none where it says nothing."""
    if call is None or not call.arguments:
        return 0
    return int(constant(call.arguments[0].value, Scope(method).constants()) or 0)
