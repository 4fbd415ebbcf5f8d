"""Methods built in Python: each call gives a new builder, and the checker has the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taxo.language.check import verify
from taxo.language.errors import fail
from taxo.language.method import (
    Branch,
    Choices,
    Clause,
    Draw,
    Goal,
    Inference,
    Interval,
    Let,
    Method,
    Param,
    Perturbation,
    Setting,
    as_call,
    as_expression,
    as_word,
)
from taxo.language.spelling import shortened, suggest
from taxo.language.syntax import Expression

Value = float | str | Expression


@dataclass(frozen=True, slots=True)
class Builder:
    """A method in the making.

    >>> smooth = method("smooth", null={"lam": 0}).param("lam", 0.1, low=0, high=1)
    >>> smooth = smooth.perturb("labels", by="lam * (1 / C - y)", direction="mixed", infer="prior")
    >>> print(smooth)
    method smooth
    null lam = 0
    <BLANKLINE>
    param lam = 0.1 in [0, 1]
    <BLANKLINE>
    perturb labels by lam * (1 / C - y) {
      direction   mixed
      infer       prior
      granularity sample
    }
    <BLANKLINE>
    """

    draft: Method

    def build(self) -> Method:
        """The checked method; raises `TaxoError` where it is wrong."""
        return verify(self.draft)

    def __str__(self) -> str:
        return str(self.build())

    def to_json(self) -> str:
        """The method as JSON."""
        return self.build().to_json()

    def param(
        self,
        name: str,
        default: Value,
        *,
        choices: Sequence[Value] | None = None,
        low: Value | None = None,
        high: Value | None = None,
        log: bool = False,
    ) -> Builder:
        """Add a parameter; `choices`, or `low` and `high`, are its domain."""
        domain: Choices | Interval | None = None
        if choices is not None:
            domain = Choices(choices=tuple(map(as_expression, choices)))
        elif low is not None and high is not None:
            domain = Interval(low=as_expression(low), high=as_expression(high), log=log)
        param = Param(name=as_word(name), default=as_expression(default), domain=domain)
        return self._with(params=(*self.draft.params, param))

    def draw(self, name: str, distribution: str, *, per: str, like: str | None = None) -> Builder:
        """Add a random value, such as `draw("r", "uniform(0, 1)", per="sample")`."""
        shape = None if like is None else as_expression(like)
        draw = Draw(name=as_word(name), distribution=as_call(distribution), per=as_word(per), like=shape)
        return self._with(draws=(*self.draft.draws, draw))

    def let(self, name: str, value: Value) -> Builder:
        """Name an expression."""
        return self._with(lets=(*self.draft.lets, Let(name=as_word(name), value=as_expression(value))))

    def branch(self, name: str, *, weight: Value) -> Builder:
        """Add a weighted copy of the batch; `perturb(..., branch=name)` puts perturbations into it."""
        return self._clauses(*self.draft.clauses, Branch(name=as_word(name), weight=as_expression(weight)))

    def perturb(
        self,
        target: str,
        *,
        by: Value,
        direction: str,
        infer: str | Inference,
        granularity: str = "sample",
        where: Value | None = None,
        at: str | None = None,
        branch: str | None = None,
    ) -> Builder:
        """Add a perturbation; `infer` is a manner, or what `regularization` or `adversarial` give."""
        item = Perturbation(
            target=as_word(target),
            at=None if at is None else as_expression(at),
            by=as_expression(by),
            where=None if where is None else as_expression(where),
            direction=as_word(direction),
            infer=Inference(manner=as_word(infer)) if isinstance(infer, str) else infer,
            granularity=tuple(as_word(word.strip()) for word in granularity.split("+")),
        )
        if branch is None:
            return self._clauses(*self.draft.clauses, item)
        branches = [one.name.text for one in self.draft.clauses if isinstance(one, Branch) and one.name]
        if branch not in branches:
            hint = suggest(branch, branches) if branches else f"call `branch({branch!r}, weight=...)` first"
            fail("T201", f"no branch is called `{shortened(branch)}`", None, hint)
        return self._clauses(*(_into(clause, branch, item) for clause in self.draft.clauses))

    def _clauses(self, *clauses: Clause) -> Builder:
        return self._with(clauses=clauses)

    def _with(self, **changes: object) -> Builder:
        return Builder(self.draft.model_copy(update=changes))


def _into(clause: Clause, branch: str, item: Perturbation) -> Clause:
    """The clause, with a perturbation added if it is the branch of that name."""
    if isinstance(clause, Branch) and clause.name is not None and clause.name.text == branch:
        return clause.model_copy(update={"perturbations": (*clause.perturbations, item)})
    return clause


def method(
    name: str,
    *,
    title: str = "",
    summary: str = "",
    cite: Sequence[str] = (),
    null: Mapping[str, Value] | None = None,
    split: Value | None = None,
) -> Builder:
    """Begin a method of a name."""
    settings = tuple(Setting(name=as_word(key), value=as_expression(v)) for key, v in (null or {}).items())
    draft = Method(
        name=as_word(name),
        title=title,
        summary=summary,
        cite=tuple(cite),
        null=settings,
        split=None if split is None else as_expression(split),
    )
    return Builder(draft)


def regularization(
    *, via: str, minimize: Value | None = None, maximize: Value | None = None, within: Sequence[str] = ()
) -> Inference:
    """An unknown held back by a penalty in the goal."""
    return _inference("regularization", via, minimize, maximize, within)


def adversarial(
    *, via: str, within: Sequence[str], minimize: Value | None = None, maximize: Value | None = None
) -> Inference:
    """An unknown held inside bounded sets."""
    return _inference("adversarial", via, minimize, maximize, within)


def _inference(
    manner: str, via: str, minimize: Value | None, maximize: Value | None, within: Sequence[str]
) -> Inference:
    goals = [
        (kind, goal) for kind, goal in (("minimize", minimize), ("maximize", maximize)) if goal is not None
    ]
    if len(goals) != 1:
        raise TypeError("give either `minimize` or `maximize`")
    ((kind, goal),) = goals
    return Inference(
        manner=as_word(manner),
        goal=Goal(kind=as_word(kind), objective=as_expression(goal)),
        within=tuple(map(as_call, within)),
        via=as_call(via),
    )
