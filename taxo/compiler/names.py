"""The names of a program: those it imports, those it uses, and those a spec brings along."""

from __future__ import annotations

import keyword
import re

from taxo.plugins import added_attributes

FORMS = "taxo.ops.forms"
LIBRARY: dict[str, str] = {
    **dict.fromkeys(("softmax", "entropy", "argmax", "argmin", "onehot", "ce", "l1", "l2", "linf"), FORMS),
    **dict.fromkeys(("margin", "gradnorm", "correct", "distribution", "pick", "per_sample"), FORMS),
    **dict.fromkeys(("top", "keep", "spread", "choose"), FORMS),
    **dict.fromkeys(("Linf", "L2", "Box"), "taxo.ops.sets"),
    **dict.fromkeys(("slope", "leaf", "first_guess", "pgd", "gradient", "linearized"), "taxo.ops.solvers"),
    "Table": "taxo.ops.tables",
    "norms": "taxo.runtime.hooks",
    "Step": "taxo.runtime.step",
}
LOCAL = {
    *("self", "x", "y", "index", "u", "w", "delta", "clean", "watch", "loss", "losses", "line", "objective"),
    *("rows", "within", "first", "name", "torch", "math", "max", "abs", "next"),
}
FAMILIES = re.compile(r"(x|y|u|line|table|perturb)_|.*_$|__|[A-Z]")


def home(name: str) -> str:
    """The module that a program imports a name from."""
    return LIBRARY.get(name) or added_attributes()[name]


def identifier(name: str) -> str:
    """A name of a spec as a name of the program: its own, unless the program could mean something else by it.

    No two names become one.
    """
    name = name.replace(".", "__")  # of a method that is used; no name of a spec has two in a row
    taken = (
        name in LOCAL
        or name in LIBRARY
        or name in added_attributes()
        or keyword.iskeyword(name)
        or FAMILIES.match(name)
    )
    return f"{'it' * name.startswith('__')}{name}_" if taken else name
