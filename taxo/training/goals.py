"""Whether a method, a model and the data go together, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Widths:
    """How many classes a step has, and how many outputs its model."""

    classes: int
    outputs: int


def widths_of(typed: str | Method, settings: Settings, classes: int) -> Widths:
    """What a method makes of the classes of the data: as many clusters as it says, outputs as it needs.

    T503 where the method's base objective does not fit the labels or the model.
    """
    method = _whole(typed, settings)
    call = base_objective(method.loss)[0] if method.loss is not None else None
    objective = call.name.text if call is not None else "cross_entropy"
    _check(method, objective, settings)
    asked = [need for need in method.needs if need.name.text == "outputs"]
    if objective == "kmeans":
        clusters = _number(method, call, classes) or classes
        if clusters < classes:
            message = f"`{method.name}` finds {clusters} clusters in data of {classes} classes"
            fail("T503", message, help=f"ask for at least {classes}")
        return Widths(clusters, clusters)
    return Widths(classes, _number(method, asked[0], classes) if asked else classes)


def learns_teacher(typed: str | Method, settings: Settings) -> bool:
    """Whether a method moves the weights of its teacher."""
    return any(name.text == "teacher" for infer in _whole(typed, settings).infers for name in infer.over)


def _whole(typed: str | Method, settings: Settings) -> Method:
    """A method with the parameters of the settings, and with what it uses written out."""
    found = load(typed) if isinstance(typed, str) else typed
    return whole(variant(found, dict(settings.params), library_for(found)))


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
    if any(call.name.text == "generator" for call in method.needs):
        help = "train it in a loop of your own: `taxo.compile(generator=module)`"
        fail("T503", f"`{name}` needs a generator, which `taxo train` has not", help=help)
    if not settings.clean_validation and any(call.name.text == "validation" for call in method.needs):
        help = "`--clean-validation 100`, how many training samples to set apart for it"
        fail("T503", f"`{name}` needs held-out data", help=help)


def _number(method: Method, call: Call | None, classes: int) -> int:
    """The first number that is written in a call; none where nothing is."""
    if call is None or not call.arguments:
        return 0
    known = {**Scope(method).constants(), "C": float(classes)}
    return int(constant(call.arguments[0].value, known) or 0)
