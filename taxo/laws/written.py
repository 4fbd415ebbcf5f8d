"""The laws about what a method says: its null point, its other spellings, its program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxo.catalog import examine, library_for, whole
from taxo.language.layout import formatted
from taxo.language.method import Method
from taxo.language.source import Source
from taxo.laws.reasons import no_null
from taxo.laws.rebuilding import rebuilt, sayable
from taxo.laws.subject import Subject, attached
from taxo.laws.verdict import Verdict, decided, exempt
from taxo.laws.watch import difference, equal, train
from taxo.runtime.step import Step
from taxo.variants import variant

PRINTED = "printed"


def at_null(method: Method) -> Method:
    """A method with its parameters at the null point that its file names."""
    settings = {setting.name.text: setting.value for setting in (method.null or whole(method).null)}
    return variant(method, settings, library_for(method))


def plain(method: Method) -> Method:
    """The training that is left of a method without its perturbations."""
    nothing = {"clauses": (), "null": (), "draws": (), "lets": (), "states": (), "infers": (), "split": None}
    return whole(method).model_copy(update=nothing)


def null(subject: Subject) -> Verdict:
    """At its null point, which its file states, the step is the plain loss, bit for bit."""
    reason = no_null(subject.method)
    if reason is not None:
        return exempt(reason)
    found = train(subject, subject.step(method=at_null(subject.method)))
    expected = train(subject, subject.step(method=plain(at_null(subject.method))))
    if equal(found, expected):
        return decided(True, "3 steps are those of the plain loss, bit for bit")
    span = whole(subject.method).null[0].name.span
    return decided(False, f"off the plain loss by {difference(found, expected):.1e}", span)


def spellings(subject: Subject) -> Verdict:
    """Its text, its JSON, and the builder's calls give the same method."""
    method, tried = subject.method, 0
    text = str(method)
    for kind, again in _again(method):
        tried += 1
        if again != method or str(again) != text or again.to_json() != method.to_json():
            return decided(False, f"read again from its {kind}, it is another method")
    if formatted(parse_beside(method, text), text) != text:
        return decided(False, "its canonical text is not in canonical form")
    return decided(True, f"{tried} ways of writing it give it back")


def _again(method: Method) -> Iterator[tuple[str, Method]]:
    yield "text", parse_beside(method, str(method))
    # through JSON and the builder no folder is known, where a used method may lie
    if not method.uses() or not _folder(method):
        yield "JSON", Method.from_json(method.to_json())
        if sayable(method):
            yield "builder", rebuilt(method)


def _folder(method: Method) -> Path | None:
    return method.span.source.folder if method.span else None


def parse_beside(method: Method, text: str) -> Method:
    """The method of a text that stands where a method's own text does."""
    return examine(Source(method.name.text, text, _folder(method)))[0]


def emitted(subject: Subject) -> Verdict:
    """The printed program, run on its own, gives the same numbers."""
    step = subject.step()
    printed = attached(standalone(step.source)(subject.net(), **subject.given()))
    found, expected = train(subject, printed), train(subject, step)
    if equal(found, expected):
        return decided(True, "3 steps of the printed program are the same, bit for bit")
    return decided(False, f"the printed program is off by {difference(found, expected):.1e}")


def standalone(text: str) -> type[Step]:
    """The class that a program's text defines."""
    names: dict[str, object] = {"__name__": PRINTED}
    exec(text, names)
    kinds = [kind for kind in names.values() if isinstance(kind, type) and kind.__module__ == PRINTED]
    (program,) = [kind for kind in kinds if issubclass(kind, Step)]
    return program
