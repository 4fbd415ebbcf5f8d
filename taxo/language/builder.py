"""Methods built in Python: each call gives a new builder, and the checker has the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taxo.language.check import verify
from taxo.language.errors import fail
from taxo.language.fields import Value, as_call, as_expression, as_word
from taxo.language.method import (
    UNINFERRED,
    Branch,
    Choices,
    Clause,
    Draw,
    Inference,
    Interval,
    Let,
    Method,
    Param,
    Perturbation,
    Setting,
    State,
    Use,
)
from taxo.language.parser import parse_inference
from taxo.language.spelling import shortened, suggest
from taxo.language.syntax import Word


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
        per: str | None = None,
        like: str | None = None,
        choices: Sequence[Value] | None = None,
        low: Value | None = None,
        high: Value | None = None,
        log: bool = False,
    ) -> Builder:
        """Add a parameter; `choices`, or `low` and `high`, are its domain."""
        domain: Choices | Interval | None = None
        if choices is not None and not choices:
            fail(
                "T206", f"the domain of `{shortened(name)}` is empty", None, "leave `choices` out, or fill it"
            )
        if choices is not None:
            domain = Choices(choices=tuple(map(as_expression, choices)))
        elif low is not None and high is not None:
            domain = Interval(low=as_expression(low), high=as_expression(high), log=log)
        grain = None if per is None else as_word(per)
        shape = None if like is None else as_expression(like)
        param = Param(
            name=as_word(name), per=grain, default=as_expression(default), like=shape, domain=domain
        )
        return self._with(params=(*self.draft.params, param))

    def state(
        self,
        name: str,
        value: Value,
        *,
        per: str,
        every: str | None = None,
        order: str | None = None,
        start: Value | None = None,
    ) -> Builder:
        """Add a value kept and updated in training; `order` is `before` or `after` it is read."""
        state = State(
            name=as_word(name),
            per=as_word(per),
            value=as_expression(value),
            every=None if every is None else as_word(every),
            order=None if order is None else as_word(order),
            start=None if start is None else as_expression(start),
        )
        return self._with(states=(*self.draft.states, state))

    def draw(self, name: str, distribution: str, *, per: str, like: str | None = None) -> Builder:
        """Add a random value, such as `draw("r", "uniform(0, 1)", per="sample")`."""
        shape = None if like is None else as_expression(like)
        draw = Draw(name=as_word(name), distribution=as_call(distribution), per=as_word(per), like=shape)
        return self._with(draws=(*self.draft.draws, draw))

    def let(self, name: str, value: Value) -> Builder:
        """Name an expression."""
        return self._with(lets=(*self.draft.lets, Let(name=as_word(name), value=as_expression(value))))

    def branch(self, name: str, *, weight: Value, on: str | None = None, norm: str | None = None) -> Builder:
        """Add a weighted copy of the batch; `perturb(..., branch=name)` puts perturbations into it."""
        branch = Branch(
            name=as_word(name),
            weight=as_expression(weight),
            on=None if on is None else as_call(on),
            norm=None if norm is None else as_word(norm),
        )
        return self._clauses(*self.draft.clauses, branch)

    def use(self, method: str) -> Builder:
        """Put another method's perturbations here, such as `use("sam(rho: 0.1)")`."""
        return self._clauses(*self.draft.clauses, Use(method=as_call(method)))

    def infer(self, inference: str | Inference, *, over: str | Sequence[str]) -> Builder:
        """Find parameters by an inference of the whole method, such as `taxo.meta(...)`, or its text."""
        names = (over,) if isinstance(over, str) else over
        found = _inferred(inference).model_copy(update={"over": tuple(map(as_word, names))})
        return self._with(infers=(*self.draft.infers, found))

    def perturb(
        self,
        target: str,
        *,
        by: Value,
        direction: str,
        infer: str | Inference | None = None,
        granularity: str = "sample",
        where: Value | None = None,
        at: str | None = None,
        branch: str | int | None = None,
        every: str | None = None,
        during: str | None = None,
        norm: str | None = None,
    ) -> Builder:
        """Add a perturbation; `infer` is what `regularization`, `adversarial` or `meta` give, or its text.

        Clauses of two words are written as in a spec: `direction="positive on guide"`,
        `every="round append"`.
        """
        towards, against = _two(direction, "on")
        often, amend = _two(every, "")
        item = Perturbation(
            target=as_word(target),
            at=None if at is None else as_expression(at),
            by=as_expression(by),
            where=None if where is None else as_expression(where),
            every=often,
            amend=amend,
            during=None if during is None else as_word(during),
            direction=towards or as_word(direction),
            against=against,
            infer=_inferred(infer),
            norm=None if norm is None else as_word(norm),
            granularity=tuple(as_word(word.strip()) for word in granularity.split("+")),
        )
        if branch is None:
            return self._clauses(*self.draft.clauses, item)
        return self._clauses(*_into(self.draft, branch, item))

    def _clauses(self, *clauses: Clause) -> Builder:
        return self._with(clauses=clauses)

    def _with(self, **changes: object) -> Builder:
        return Builder(self.draft.model_copy(update=changes))


def _inferred(infer: str | Inference | None) -> Inference:
    if infer is None:
        return UNINFERRED
    return parse_inference(infer) if isinstance(infer, str) else infer


def _two(text: str | None, joint: str) -> tuple[Word | None, Word | None]:
    """The two words of `positive on guide`, the second one perhaps absent."""
    if text is None:
        return None, None
    first, *rest = text.split() or [""]
    if joint and rest[:1] == [joint]:
        rest = rest[1:]
    if len(rest) > 1:
        fail(
            "T101",
            f"`{shortened(text)}` has too many words",
            None,
            f"such as `{' '.join(filter(None, (first, joint, rest[-1])))}`",
        )
    return as_word(first), as_word(rest[0]) if rest else None


def _into(draft: Method, branch: str | int, item: Perturbation) -> list[Clause]:
    """The clauses, with a perturbation added to the branch of a name or number."""
    branches = draft.branches()
    names = [one.name.text if one.name else str(number) for number, one in enumerate(branches)]
    if isinstance(branch, int) and 0 <= branch < len(names):
        branch = names[branch]
    if branch not in names:
        hint = f"call `branch({branch!r}, weight=...)` first"
        hint = suggest(str(branch), names) if names else hint
        fail("T201", f"no branch is called `{shortened(branch)}`", None, hint)
    meant = branches[names.index(str(branch))]
    added = meant.model_copy(update={"perturbations": (*meant.perturbations, item)})
    return [added if clause is meant else clause for clause in draft.clauses]


def method(
    name: str,
    *,
    title: str = "",
    summary: str = "",
    cite: Sequence[str] = (),
    null: Mapping[str, Value] | None = None,
    needs: Sequence[str] = (),
    loss: Value | None = None,
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
        needs=tuple(map(as_call, needs)),
        loss=None if loss is None else as_expression(loss),
        split=None if split is None else as_expression(split),
    )
    return Builder(draft)
