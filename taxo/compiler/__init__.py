"""The compiler: a method to the program that runs it.

The stages, on one screen:

Method -simplify-> Method -lower-> Graph -schedule-> Plan -emit-> Program
"""

from __future__ import annotations

from taxo.compiler.emit import Program, emit
from taxo.compiler.graph import Graph, lower
from taxo.compiler.passes import PASSES, Pass, simplify
from taxo.compiler.plan import Plan, schedule
from taxo.compiler.support import refusals
from taxo.language.errors import TaxoError
from taxo.language.method import Method


def compile_program(method: Method, passes: tuple[Pass, ...] = PASSES) -> Program:
    """The program of a checked method, its parameters at their present values.

    Raises `TaxoError` where the method asks for what this version cannot run.
    """
    left = simplify(method, passes)
    unable = refusals(left)
    if unable:
        raise TaxoError(unable)
    graph = lower(left)
    return emit(method, graph, schedule(graph))


__all__ = [
    "PASSES",
    "Graph",
    "Plan",
    "Program",
    "compile_program",
    "lower",
    "refusals",
    "schedule",
    "simplify",
]
