"""What acts before a batch is augmented: as program text, and what of it this version cannot run."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.acts import ActWriter
from taxo.compiler.given import BeforePasses
from taxo.compiler.graph import Act, Graph
from taxo.compiler.passage import RAW
from taxo.compiler.plan import simultaneous
from taxo.compiler.searches import Refusal
from taxo.compiler.text import Text, call
from taxo.language.method import Method, Perturbation
from taxo.language.scope import acts_at
from taxo.language.syntax import Call
from taxo.language.vocabulary import SITES

WIDTH = 96


def write_augmented(text: Text, before: BeforePasses) -> list[str]:
    """Find what acts at `raw`, and put the augmented batch in the place of `x`.

    The named expressions that hold for both batches are given back.
    """
    graph = before.graph
    if before.plan.has("clean", RAW):
        text.comment("the clean pass before the augmentation")
        with text.under('with self.apart("batch"):'):
            text.line("clean = self.line(x, y)")
    before.lets(text, 0)
    text.gap()
    acts = ActWriter(graph, before.plan, before.writer, 0)
    acts.write(text)
    hooks = [acts.hooks[act.key] for act in graph.lines[0].acts]
    text.line(*call("x = self.augmented", ["x", "y", *hooks], WIDTH))
    text.gap()
    scope = graph.scope
    return [name for name in before.done if "clean" not in scope.reads(scope.lets[name].value)]


def unfit_at_raw(method: Method) -> Iterator[Refusal]:
    """What shows without a graph: where, and when, something is to act before the augmentation."""
    branched = [item for branch in method.branches() for item in branch.perturbations]
    for item in filter(_at_raw, method.perturbations()):
        span = item.at.span if item.at is not None else None
        if any(item is one for one in branched):
            yield "`at raw` in a branch", span, "write it outside: all branches share the augmented batch"
        if item.every is not None:
            yield "`at raw` between rounds", span, "drop it: the data are amended before any augmentation"
        if item.during is not None and item.during.text != "training":
            yield "`at raw` on predictions", span, "drop it: what is predicted is not augmented"


def unfit_before(act: Act, graph: Graph) -> Iterator[Refusal]:
    """What one act before the augmentation asks for that only a pass behind it brings."""
    if not act.raw:
        return
    scope, item = graph.scope, act.item
    span = item.infer.span or item.span
    if act.learned or simultaneous(act, scope) or act.there:
        yield "an unknown `at raw` that moves beside the weights", span, "take `pgd` or `linearized`"
    if act.unknown is not None and item.infer.manner.text == "regularization":
        yield "a penalty on an unknown `at raw`", span, "hold it in a set: `infer adversarial ... within`"
    for node in graph.expressions(act):
        if {*scope.found, *scope.branches} & set(scope.reads(node)):
            yield "what is learned, or passed in a branch, `at raw`", node.span, "read the batch, or `clean.`"
        if any(isinstance(part, Call) and part.name.text == "view" for part in scope.parts(node)):
            yield "a view `at raw`", node.span, "drop `at raw`: views are made of the augmented batch"


def _at_raw(item: Perturbation) -> bool:
    return acts_at(item) is SITES["raw"]
