"""A method and a model to a Step: check what was given, run the program's text, make its one class."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Unpack, cast

from torch import nn

from taxo.catalog import library_for, load, whole
from taxo.compiler import PASSES, Pass, Program, compile_program
from taxo.language.builder import Builder
from taxo.language.errors import fail
from taxo.language.fields import Value
from taxo.language.method import Method
from taxo.ops.sites import weights_at
from taxo.runtime.failures import telling
from taxo.runtime.given import Outside
from taxo.runtime.places import Places
from taxo.runtime.step import Step
from taxo.variants import variant

_ASK = {
    "samples": "pass `samples=len(data)`, the number of samples in the data set",
    "class_counts": "pass `class_counts=`, how many samples each class has",
    "teacher": "pass `teacher=`, a model of the same classes",
    "generator": "pass `generator=`, a module that makes inputs of noise in their shape",
    "validation": "pass `validation=`, batches of inputs and labels that are not trained on",
    "prior": "pass `prior=`, one number for each class",
    "corruption": "pass `corruption=`, a function of inputs, a corruption's name and its severity",
}


def compile_step(
    method: str | Path | Method | Builder,
    model: nn.Module,
    *,
    classes: int,
    samples: int | None = None,
    class_counts: Sequence[int] | None = None,
    params: Mapping[str, Value] | None = None,
    seed: int = 0,
    passes: Sequence[Pass] | None = None,
    **outside: Unpack[Outside],
) -> Step:
    """The step that trains `model` by a method: a name, a path, a variant, a `Method` or a builder."""
    if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
        fail("T401", f"`model` is a `{type(model).__name__}`", None, "give an `nn.Module`")
    built = method.build() if isinstance(method, Builder) else method
    found = built if isinstance(built, Method) else load(built)
    said = variant(found, params or {}, library_for(found))
    program = replace(compile_program(whole(said), (*(passes or ()), *PASSES)), method=said)
    _check_given(program, classes, {"samples": samples, "class_counts": class_counts, **outside})
    _check_counted(program, classes, samples)
    with telling(program):
        made = program_class(program)
    places = Places(model, program.outputs(classes), outside.get("head"))
    for (kind, pattern), span in program.sites.items():
        if kind == "weights":
            weights_at(model, pattern, span)
            continue
        found = list(places.find(pattern, span))
        if pattern in made.sees and len(found) > 1:
            message = f"`{pattern}` is the name of several modules, and the output of one is read"
            fail("T404", message, span, "write the name of one: " + ", ".join(f"`{n}`" for n in found[:3]))
    with telling(program):
        step = made(model, classes=classes, samples=samples, class_counts=class_counts, seed=seed, **outside)
    return step.bind(program)


def program_class(program: Program) -> type[Step]:
    """The class that a program's text defines; tracebacks quote the text."""
    lines = program.text.splitlines(keepends=True)
    linecache.cache[program.filename] = (len(program.text), None, lines, program.filename)
    # a module like others: `torch.compile` looks a function's up by its name
    module = sys.modules[program.filename] = ModuleType(program.filename)
    exec(compile(program.text, program.filename, "exec"), vars(module))
    made = cast("type[Step]", vars(module)[program.name])
    # pickle would look the class up by its module's name, which no other process has
    setattr(made, "__reduce_ex__", _reduced)  # noqa: B010
    return made


def _reduced(step: Step, _: object) -> tuple[object, ...]:
    return _blank, (step.program,), step.__getstate__()


def _blank(program: Program) -> Step:
    """A step of a program that waits for its state."""
    module = sys.modules.get(program.filename)
    made = program_class(program) if module is None else cast("type[Step]", vars(module)[program.name])
    return made.__new__(made)


def _check_counted(program: Program, classes: int, samples: int | None) -> None:
    """What is made of the numbers of classes and samples is in bounds."""
    for one in program.counted:
        wrong = one.wrong(classes, program.outputs(classes), samples)
        if wrong is not None:
            fail("T206", wrong[0], one.span, wrong[1])


def _check_given(program: Program, classes: int, given: Mapping[str, object]) -> None:
    least_classes = 2 if program.compares else 1
    for name, least in (("classes", least_classes), ("samples", 1)):
        count = {"classes": classes, **given}[name]
        if count is not None and not (isinstance(count, Integral) and int(count) >= least):
            fail("T401", f"`{name}` is {count!r}", None, f"give a whole number from {least} on")
    for name, span in program.needs.items():
        if given.get(name) is None:
            fail("T401", f"`{program.method.name}` needs `{name}`", span, _ASK[name])
    prior, outputs = given.get("prior"), program.outputs(classes)
    if prior is not None and "prior" in program.needs and len(cast("Sequence[float]", prior)) != outputs:
        message = f"`prior` does not have {outputs} numbers"
        fail("T401", message, program.needs.get("prior"), "give one for each output of the model")
    counts = cast("Sequence[int] | None", given["class_counts"])
    if counts is None:
        return
    if len(counts) != classes:
        fail(
            "T401", f"{len(counts)} class counts for {classes} classes", None, "give one count for each class"
        )
    empty = [number for number, count in enumerate(counts) if not count > 0]
    if empty and "class_counts" in program.needs:
        hint = "leave the class out, or give every class a sample"
        fail("T402", f"class {empty[0]} has no sample", program.needs["class_counts"], hint)
