"""What Python or torch raise inside a program: said with a code and its clause, unless it is the model's."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch

from taxo.compiler import Program
from taxo.language.errors import Diagnostic, TaxoError

OWN = tuple(str(Path(__file__).parents[1] / room) for room in ("ops", "runtime"))
TORCH = str(Path(torch.__file__).parent)
FOREIGN = (str(Path(TORCH) / "distributed"),)  # where nothing that a clause says goes wrong
CALLS = str(Path(TORCH) / "nn" / "modules")  # where a model, or a part of it, is called
MEMORY = "memory"  # in whatever torch and Python say when there is none left


@contextmanager
def telling(program: Program | None) -> Generator[None]:
    """Whatever fails inside says which clause of which file it comes from."""
    try:
        yield
    except Exception as error:
        if program is None:
            raise
        found = told(error, program)
        if found is not None:
            raise found from error
        place = None if isinstance(error, TaxoError) else program.place_of(error)
        if place is not None:
            error.add_note(f"in {program.method.name}, {place}:\n{place.excerpt()}")
        raise


def told(error: Exception, program: Program) -> TaxoError | None:
    """The error that a user can mend, for one that a clause of a method has led to; None for others."""
    place = program.place_of(error)
    if isinstance(error, TaxoError):
        first, *rest = error.diagnostics
        known = first.span is not None or place is None
        return None if known else TaxoError([replace(first, span=place), *rest])
    if not _is_the_methods(error, program.filename):
        return None
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    message = f"this clause of `{program.method.name}` cannot be computed: {said}"
    hint = "look at what meets here: shapes that do not fit, or a division by zero"
    return TaxoError([Diagnostic("T413", message, place or program.method.name.span, hint)])


def _is_the_methods(error: Exception, filename: str) -> bool:
    """Whether an error comes of the program and of nothing that it was given, such as the model."""
    raised = type(error).__module__.partition(".")[0] in ("builtins", "torch")
    if not raised or isinstance(error, MemoryError) or MEMORY in str(error):
        return False
    files = _files(error.__traceback__)
    if filename not in files:
        return False
    behind = files[len(files) - 1 - files[::-1].index(filename) :]
    if not all(file == filename or file.startswith((*OWN, TORCH)) for file in behind):
        return False
    if any(file.startswith(FOREIGN) for file in behind):
        return False
    last = max(place for place, file in enumerate(behind) if file == filename or file.startswith(OWN))
    return not any(file.startswith(CALLS) for file in behind[last:])


def _files(trace: TracebackType | None) -> list[str]:
    """The files of a traceback's frames, outermost first."""
    found: list[str] = []
    while trace is not None:
        found.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return found
