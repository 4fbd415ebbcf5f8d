"""The checks of how something is found: its goal, its sets, its data and its solver."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.language.findings import Findings
from taxo.language.liveness import moves
from taxo.language.method import Goal, Inference, Method
from taxo.language.options import check_ends, check_options
from taxo.language.outside import check_held
from taxo.language.printer import expression_text
from taxo.language.regions import is_bounded
from taxo.language.shapes import ANYWHERE, Reader, Shapes
from taxo.language.spelling import listed, shortened, suggest
from taxo.language.starts import check_start
from taxo.language.syntax import Call, names
from taxo.language.vocabulary import GOALS, MANNERS, REGIONS, SOLVERS, TARGETS, Grain, Place, Shape


@dataclass(frozen=True, slots=True)
class Found:
    """An inference of something on a target, who reads its goal, and who the options of its sets."""

    infer: Inference
    target: str
    goal: Reader
    options: Reader
    grain: Grain | None = None


def check_manner(infer: Inference, findings: Findings) -> None:
    """Note a manner that does not exist."""
    if infer.manner.text not in MANNERS:
        findings.unknown_word("manner", infer.manner, MANNERS)


def check_infers(method: Method, shapes: Shapes) -> None:
    """Note what is wrong with the inferences of the whole method."""
    seen: set[str] = set()
    for infer in method.infers:
        check_manner(infer, shapes.findings)
        _check_over(infer, seen, shapes)
        found = Found(infer, "", ANYWHERE, ANYWHERE)
        if infer.manner.text != "tuning" or infer.goal or infer.via:
            check_found(found, shapes)
        _check_moves(infer, shapes)
        if infer.manner.text in ("prior",):
            hint = "drop it: a parameter is what it is"
            shapes.findings.error("T302", "`prior` has nothing to find", infer.manner.span, hint)


def _check_moves(infer: Inference, shapes: Shapes) -> None:
    """What is found reaches the goal: by itself, or through the weights that are trained with it."""
    if infer.goal is None or not infer.over:
        return
    goal, scope = infer.goal.objective, shapes.scope
    if not any(moves(goal, name.text, Place.WEIGHTS, scope) for name in infer.over):
        message = f"`{shortened(expression_text(goal))}` does not change with `{infer.over[0]}`"
        shapes.findings.error("T208", message, goal.span, "a goal is such as `loss`, live and downstream")


def _check_over(infer: Inference, seen: set[str], shapes: Shapes) -> None:
    """It finds parameters, each once, and numbers or networks only."""
    findings, scope = shapes.findings, shapes.scope
    if not infer.over:
        hint = f"add the parameters that it finds: `infer {infer.manner} over ...`"
        findings.error("T102", f"`infer {infer.manner}` says not what it is over", infer.manner.span, hint)
    for name in infer.over:
        param, learnable = scope.params.get(name.text), {*scope.params, *scope.states, *scope.modules}
        if name.text not in learnable:
            hint = suggest(name.text, learnable) if learnable else f"declare it: `param {name} = ...`"
            findings.error("T201", f"no parameter is called `{shortened(name)}`", name.span, hint)
        elif param is not None and scope.is_word(param):
            findings.error(
                "T207", f"`{name}` is a word, and words are not learned", name.span, "leave it out"
            )
        if name.text in seen:
            findings.error("T103", f"`{name}` is found twice", name.span, "keep one of them")
        seen.add(name.text)


def check_found(found: Found, shapes: Shapes) -> None:
    """Note what is wrong with the goal, the sets, the data and the solver of an inference."""
    infer, error = found.infer, shapes.findings.error
    if infer.goal is not None:
        _check_goal(infer.goal, found, shapes)
    elif infer.manner.text in MANNERS:
        hint = "add `maximize loss` or `minimize loss`"
        error("T102", f"`infer {infer.manner}` has no goal", infer.manner.span, hint)
    for region in infer.within:
        _check_region(region, found, shapes)
    if infer.on is not None:
        check_held(infer.on, shapes)
    elif infer.manner.text == "meta":
        hint = "add `on validation`, and `needs validation` above; or `on guide(5%)`"
        error("T102", "`infer meta` says not on which data", infer.manner.span, hint)
    if infer.via is not None:
        _check_solver(infer.via, found, shapes)
    elif infer.manner.text in MANNERS:
        hint = "add `via ...`, such as `via pgd(steps: 5, step: 2/255)`"
        error("T102", f"`infer {infer.manner}` has no solver", infer.manner.span, hint)


def _check_goal(goal: Goal, found: Found, shapes: Shapes) -> None:
    if goal.kind.text not in GOALS:
        shapes.findings.unknown_word("goal", goal.kind, GOALS)
    node, shown = goal.objective, shortened(expression_text(goal.objective))
    shape = shapes.of(node, found.goal)
    if shape not in (Shape.SAMPLE, Shape.SCALAR, None):
        message = f"`{shown}` is {shape.value}, not one number per sample"
        hint = "a goal is such as `loss` or `loss + lam * l1(v)`"
        shapes.findings.error("T207", message, node.span, hint)


def _check_region(region: Call, found: Found, shapes: Shapes) -> None:
    row = REGIONS.get(region.name.text)
    if row is None:
        shapes.findings.unknown_word("set", region.name, REGIONS)
        _mark_read(region, shapes)
        return
    check_options(region, row.options, shapes, found.options)
    check_ends(region, row.options, shapes)
    if found.target in TARGETS and row.targets and found.target not in row.targets:
        message = f"`{region.name}` is no set for `{found.target}`"
        hint = f"`{region.name}` is for {listed(row.targets, 'and')}"
        shapes.findings.error("T209", message, region.name.span, hint)


def _check_solver(via: Call, found: Found, shapes: Shapes) -> None:
    infer, error = found.infer, shapes.findings.error
    solver = SOLVERS.get(via.name.text)
    if solver is None:
        shapes.findings.unknown_word("solver", via.name, SOLVERS)
        _mark_read(via, shapes)
        return
    check_options(via, solver.options, shapes, found.options)
    check_start(via, found.grain, found.goal, shapes)
    known = [region for region in infer.within if region.name.text in REGIONS]
    balls = [region for region in known if is_bounded(region)]
    free = infer.manner.text == "regularization" or not found.target
    if solver.needs_set and not balls and len(known) == len(infer.within) and not free:
        hint = "add `within linf(...)` or `within l2(...)`"
        error("T102", f"`{via.name}` needs a bounded set", via.span, hint)
    if solver.held and infer.on is None and infer.manner.text != "meta":
        hint = "add `on validation` or `on guide(5%)`"
        error("T102", f"`{via.name}` lowers the loss on held-out data", via.span, hint)
    if solver.learned and found.target == "weights":
        message = f"`{via.name}` keeps a table of its own beside the weights"
        error("T209", message, via.name.span, "take another solver, such as `linearized`")


def _mark_read(call: Call, shapes: Shapes) -> None:
    """What a word that means nothing reads is not unused."""
    shapes.scope.read |= {name.text for name in names(call)}
