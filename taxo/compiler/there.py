"""Searches on held-out data for what a whole method reads."""

from __future__ import annotations

from taxo.language.method import Inference, Method
from taxo.language.vocabulary import SOLVERS


def is_there(infer: Inference) -> bool:
    """Whether an inference of the whole method is a search on held-out data."""
    solver = None if infer.via is None else SOLVERS[infer.via.name.text]
    return infer.manner.text == "meta" and solver is not None and "step" in solver.options and not solver.held


def found_there(method: Method) -> list[Inference]:
    """The searches on held-out data for what a whole method reads."""
    return [infer for infer in method.infers if is_there(infer)]
