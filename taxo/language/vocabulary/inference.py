"""How unknowns are found: solvers, sets, and the calls that are options of a solver."""

from __future__ import annotations

from dataclasses import replace

from taxo.language.vocabulary.rows import Option, Region, Shape, Solver, Word

_ANY = float("-inf")
_TRUTHS = ("false", "true")
_STEPS = Option("how many steps", least=1, most=10_000, whole=True)
_STEP = Option("the length of a step", per_sample=True)
_LR = Option("the step size")
_DAMPING = Option("what is added to the diagonal", default=0.01)
_SCALE = Option("what the products are divided by", default=25.0)
_DEPTH = Option("how many terms", least=1, most=100_000, whole=True)
_START = Option(
    "where the search starts: at 0, at random, where it ended in the last batch or in the last step on it,"
    " or at a value",
    words=("zero", "uniform", "kept", "previous"),
    default="zero",
    value=True,
)
_TOGETHER = Option("whether one backward serves the weights and the unknown", words=_TRUTHS, default="false")
_RADIUS = Option("how far the unknown may go", per_sample=True)
_SEARCH = {"start": _START, "simultaneous": _TOGETHER}
_STORED = {
    "store": Option(
        "where the values are kept: on the device, on the host, or in half precision",
        words=("device", "host", "half"),
        default="device",
    ),
    "rows": Option(
        "whether momentum moves rows that are not in the batch", words=("batch", "dense"), default="batch"
    ),
}

OPTIMIZERS: dict[str, Word] = {
    "sgd": Word(
        "gradient descent",
        {"lr": _LR, "momentum": Option("the share of the last step that is kept", default=0.0, most=1.0)},
    ),
    "adam": Word("Adam", {"lr": _LR}),
}

HESSIANS: dict[str, Word] = {
    "cg": Word(
        "conjugate gradients",
        {"steps": replace(_STEPS, default=50.0), "damping": _DAMPING},
    ),
    "neumann": Word(
        "a Neumann series", {"steps": replace(_STEPS, default=5.0), "damping": _DAMPING, "scale": _SCALE}
    ),
    "lissa": Word(
        "a stochastic recursion",
        {"steps": replace(_DEPTH, default=5000.0), "damping": _DAMPING, "scale": _SCALE},
    ),
}

FAMILIES: dict[str, dict[str, Word]] = {"optimizer": OPTIMIZERS, "hessian": HESSIANS}

SOLVERS: dict[str, Solver] = {
    "pgd": Solver(
        "steps along the steepest direction of the set, each projected back",
        {"steps": _STEPS, "step": _STEP, **_SEARCH},
        needs_set=True,
    ),
    "sign": Solver(
        "one step along the sign of the gradient, projected back",
        {"step": _STEP, **_SEARCH},
        needs_set=True,
    ),
    "gradient": Solver(
        "plain gradient steps, each projected back",
        {"steps": replace(_STEPS, default=1.0), "step": _STEP, **_SEARCH},
        needs_set=True,
    ),
    "linearized": Solver(
        "the set's best point of the first-order expansion",
        {"start": _START, "steps": replace(_STEPS, default=1.0)},
        needs_set=True,
        linear=True,
    ),
    "closed_form": Solver("the known minimiser"),
    "sgd": Solver(
        "descent of its own between the weights' steps",
        {"steps": _STEPS, "lr": _LR, **_STORED},
        learned=True,
    ),
    "joint": Solver(
        "descent beside the weights; the values are kept from epoch to epoch",
        {
            "lr": Option("the step size, scaled with the model's schedule"),
            "momentum": Option("the share of the last step that is kept", default=0.9, most=1.0),
            **_STORED,
        },
        learned=True,
    ),
    "lookahead": Solver(
        "virtual steps of the weights, then the gradient of the held-out loss through them",
        {
            "lr": Option("the step size of the virtual steps"),
            "steps": replace(_STEPS, default=1.0, most=100),
            "optimizer": Option("how the unknown moves", family="optimizer", default="sgd"),
            "of": Option("which weights step", words=("all", "head"), default="all"),
            "keep": Option("whether the unknown is kept", words=("true", "false"), default="true"),
            "order": Option(
                "whether second derivatives are taken", words=("second", "first"), default="second"
            ),
        },
        held=True,
        ahead=True,
    ),
    "implicit": Solver(
        "the gradient of the held-out loss where the weights are settled",
        {
            "hessian": Option("how the inverse Hessian is applied", family="hessian", default="neumann"),
            "every": Option("how many steps apart", least=1, most=1_000_000, whole=True, default=1.0),
            "optimizer": Option("how the unknown moves", family="optimizer", default="sgd"),
        },
        held=True,
        ahead=True,
    ),
    "influence": Solver(
        "the direction that lowers the held-out loss after retraining",
        {
            "step": _STEP,
            "hessian": Option("how the inverse Hessian is applied", family="hessian", default="cg"),
            "curvature": Option(
                "whether the model's own curvature is left out of the Hessian",
                words=("gauss_newton", "hessian"),
                default="gauss_newton",
            ),
            "samples": Option(
                "how many samples the curvature is taken of",
                least=1,
                most=1_000_000,
                whole=True,
                default=256.0,
            ),
        },
        held=True,
    ),
}

REGIONS: dict[str, Region] = {
    "linf": Region("no entry larger than the radius", {"radius": _RADIUS}, radius="radius"),
    "l2": Region(
        "Euclidean norm at most the radius",
        {
            "radius": _RADIUS,
            "each": Option("what the norm is of", words=("all", "tensor"), default="all"),
        },
        radius="radius",
    ),
    "l1": Region("sum of absolute values at most the radius", {"radius": _RADIUS}, radius="radius"),
    "box": Region(
        "the perturbed value stays in the bounds",
        {
            "low": Option("the lower bound", default=0.0, least=_ANY),
            "high": Option("the upper bound", default=1.0, least=_ANY),
        },
        bounded=False,
        targets=("features", "logits", "labels", "loss"),
    ),
    "simplex": Region("the unknown is a distribution", targets=("labels",)),
    "nonnegative": Region("no entry below 0", bounded=False),
    "smooth_flow": Region(
        "a smooth motion field over the pixels of pictures",
        {
            "gamma": Option("how smooth: what the square of a slope counts beside that of a motion"),
            "size": Option("how far pixels may move, as the root of the mean square", per_sample=True),
        },
        radius="size",
        targets=("features",),
        shape=Shape.FIELD,
    ),
    "recolor": Region(
        "a change that keeps flat regions of pictures flat",
        {
            "lam": Option("how flat: what the square of a slope in a flat region counts"),
            "radius": Option("how far values may change, as the root of the mean square", per_sample=True),
            "ridge": Option("what the square of a change itself counts", default=0.01, least=1e-6),
            "rank": Option(
                "how many patterns changes are made of, the flattest first; 0 for all",
                default=0.0,
                most=10_000,
                whole=True,
            ),
            "edge": Option("by how much neighbours at an edge differ", default=0.1, least=1e-6),
        },
        radius="radius",
        targets=("features",),
        nearest=False,
        own=True,
    ),
}
