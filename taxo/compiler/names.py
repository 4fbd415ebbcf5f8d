"""The names of a program: those it imports, those it uses, and those a spec brings along."""

from __future__ import annotations

import keyword
import re

from taxo.plugins import added_attributes


def _from(module: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), module)


INVERSES = {"cg": "conjugate", "neumann": "neumann", "lissa": "lissa"}  # of a Hessian, by their words
LIBRARY: dict[str, str] = {
    **_from("taxo.ops.forms", "softmax entropy argmax argmin onehot ce l1 l2 linf margin gradnorm correct"),
    **_from(
        "taxo.ops.forms", "distribution pick per_sample top keep spread choose blank named rows_of filled"
    ),
    **_from(
        "taxo.ops.reductions", "total average largest smallest larger smaller mean_batch quantile acos kl lp"
    ),
    **_from("taxo.ops.reductions", "weights_l1 weights_l2 weights_linf weights_lp"),
    **_from("taxo.ops.features", "warp lid reach cosine"),
    **_from("taxo.ops.quadratic", "quadratic quadratic_table"),
    **_from("taxo.ops.balls", "Linf L2 L1"),
    **_from("taxo.ops.sets", "Box Simplex Nonnegative Between"),
    "SmoothFlow": "taxo.ops.flow",
    "Recolor": "taxo.ops.recolor",
    "motionless": "taxo.ops.pictures",
    **_from(
        "taxo.ops.solvers",
        "slope leaf first_guess inside pgd gradient sign linearized linearized_steps stepped carried",
    ),
    **_from("taxo.ops.closed", "cross_entropy_l1 cross_entropy_linf prox_of_squares"),
    **_from("taxo.ops.tables", "Table"),
    **_from("taxo.ops.networks", "Learner"),
    **_from("taxo.ops.states", "Held"),
    **_from("taxo.ops.running", "Mean Deviation Ema"),
    "Covariance": "taxo.ops.covariance",
    "Prototypes": "taxo.ops.prototypes",
    **_from("taxo.ops.carry", "Carry"),
    **_from("taxo.ops.objectives", "BinaryCrossEntropies Hinge SquaredError NearestCentre NearestPoint"),
    "lookahead": "taxo.ops.lookahead",
    "implicit": "taxo.ops.implicit",
    **dict.fromkeys(INVERSES.values(), "taxo.ops.inverse"),
    **_from("taxo.ops.optimizers", "Adam fleeting"),
    "project_all": "taxo.ops.sets",
    "Influence": "taxo.runtime.influence",
    "Step": "taxo.runtime.step",
}
LOCAL = {
    *(
        "self",
        "x",
        "y",
        "z",
        "h",
        "index",
        "u",
        "w",
        "p",
        "like",
        "delta",
        "clean",
        "here",
        "loss",
        "losses",
        "line",
    ),
    *("trained", "held", "slopes"),
    *("data", "goal", "move", "stage", "gain", "products", "right"),
    *("objective", "rows", "within", "first", "name", "slope", "slope_here", "torch", "math", "max", "min"),
    *("abs", "dict", "int", "True", "False", "None"),
}
FAMILIES = re.compile(
    r"(x|y|h|leaf|line|table|kept|state|network|adam|perturb|update|reached|before|behind|find)_|.*_$|__|[A-Z]"
)


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
