"""Methods that use others as one method: what is used gets names of its own, `other.name`, and moves in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from taxo.language.method import (
    Branch,
    Choices,
    Clause,
    Draw,
    Goal,
    Inference,
    Interval,
    Item,
    Let,
    Method,
    Param,
    Perturbation,
    Setting,
    State,
    Use,
)
from taxo.language.scope import Scope
from taxo.language.syntax import Argument, Attribute, Call, Expression, Name, Word, rebuilt
from taxo.language.uses import Library
from taxo.language.vocabulary import FAMILIES

T = TypeVar("T", bound=Item)


def expanded(method: Method, library: Library) -> Method:
    """The method with the clauses of those it uses in the place of its `use` clauses.

    Acting follows the training line and inferring follows the source, so nothing but the place in the
    source says when a used perturbation is found.
    """
    uses = method.uses()
    if not uses:
        return method
    parts = {use.method.name.text: part(use, library) for use in uses}
    clauses: list[Clause] = []
    for clause in method.clauses:
        clauses += parts[clause.method.name.text].clauses if isinstance(clause, Use) else [clause]
    return method.model_copy(update=_merged(method, list(parts.values()), tuple(clauses)))


def part(use: Use, library: Library) -> Method:
    """A used method with its parameters set and its names its own."""
    inner = expanded(library.method(use.method.name.text), library)
    renamed = _Renaming(inner, use.method.name.text).method()
    given = {
        f"{use.method.name}.{argument.name}": argument.value
        for argument in use.method.arguments
        if argument.name is not None
    }
    params = tuple(
        param.model_copy(update={"default": given[param.name.text]}) if param.name.text in given else param
        for param in renamed.params
    )
    return renamed.model_copy(update={"params": params})


def _merged(method: Method, parts: list[Method], clauses: tuple[Clause, ...]) -> dict[str, object]:
    """What a method says together with what its parts say."""
    whole = [method, *parts]
    needs = {call: call for one in whole for call in one.needs}
    has_null = all(one.null or not any(one.perturbations()) for one in whole)
    return {
        "null": tuple(setting for one in whole for setting in one.null) if has_null else (),
        "needs": tuple(needs),
        "loss": next((one.loss for one in whole if one.loss is not None), None),
        "split": next((one.split for one in whole if one.split is not None), None),
        "params": tuple(param for one in whole for param in one.params),
        "draws": tuple(draw for one in whole for draw in one.draws),
        "states": tuple(state for one in whole for state in one.states),
        "lets": tuple(let for one in whole for let in one.lets),
        "clauses": clauses,
        "infers": tuple(infer for one in whole for infer in one.infers),
    }


class _Renaming:
    """One method with a prefix before every name that it declares, branches and unknowns among them."""

    def __init__(self, method: Method, prefix: str) -> None:
        scope = Scope(method)
        unknowns = {scope.unknown(item) for item in method.perturbations()} - {None}
        self.source = method
        self.prefix = prefix
        self.own = {*scope.declared, *(name for name in unknowns if name is not None)}
        self.branches = set(scope.branches)
        words = {word for family in FAMILIES.values() for word in family}
        self.called = {
            name for name in scope.params if scope.network(name) or scope.word(Name(name)) in words
        }

    def method(self) -> Method:
        """The renamed method."""
        source = self.source
        return source.model_copy(
            update={
                "null": _each(source.null, self._setting),
                "needs": tuple(self._call(call) for call in source.needs),
                "loss": self._maybe(source.loss),
                "split": self._maybe(source.split),
                "params": _each(source.params, self._param),
                "draws": _each(source.draws, self._draw),
                "states": _each(source.states, self._state),
                "lets": _each(source.lets, self._let),
                "clauses": tuple(map(self._clause, source.clauses)),
                "infers": _each(source.infers, self._inference),
            }
        )

    def _named(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def _declared(self, word: Word) -> Word:
        return Word(self._named(word.text), span=word.span)

    def _word(self, word: Word | None) -> Word | None:
        """A word that may be a parameter's name."""
        return self._declared(word) if word is not None and word.text in self.own else word

    def _maybe(self, node: Expression | None) -> Expression | None:
        return None if node is None else self._expression(node)

    def _expression(self, node: Expression) -> Expression:
        match node:
            case Name() if node.text in self.own:
                return Name(self._named(node.text), span=node.span)
            case Attribute() if node.owner.text in self.branches:
                owner = Name(self._named(node.owner.text), span=node.owner.span)
                return Attribute(owner, node.name, span=node.span)
            case Call():
                return self._call(node)
            case _:
                return rebuilt(node, self._expression)

    def _call(self, call: Call) -> Call:
        name = self._declared(call.name) if call.name.text in self.called else call.name
        arguments = tuple(
            Argument(one.name, self._expression(one.value), span=one.span) for one in call.arguments
        )
        return Call(name, arguments, span=call.span)

    def _setting(self, item: Setting) -> Setting:
        return _with(item, name=self._declared(item.name), value=self._expression(item.value))

    def _param(self, item: Param) -> Param:
        domain = item.domain
        if isinstance(domain, Choices):
            domain = _with(domain, choices=tuple(map(self._expression, domain.choices)))
        elif isinstance(domain, Interval):
            domain = _with(domain, low=self._expression(domain.low), high=self._expression(domain.high))
        default, like = self._expression(item.default), self._maybe(item.like)
        return _with(item, name=self._declared(item.name), default=default, like=like, domain=domain)

    def _draw(self, item: Draw) -> Draw:
        distribution, like = self._call(item.distribution), self._maybe(item.like)
        return _with(item, name=self._declared(item.name), distribution=distribution, like=like)

    def _state(self, item: State) -> State:
        value, start = self._expression(item.value), self._maybe(item.start)
        return _with(item, name=self._declared(item.name), value=value, start=start)

    def _let(self, item: Let) -> Let:
        return _with(item, name=self._declared(item.name), value=self._expression(item.value))

    def _inference(self, item: Inference) -> Inference:
        goal = item.goal
        if isinstance(goal, Goal):
            goal = _with(goal, objective=self._expression(goal.objective))
        return _with(
            item,
            # a module from outside is nobody's own
            over=tuple(self._declared(name) if name.text in self.own else name for name in item.over),
            goal=goal,
            within=tuple(map(self._call, item.within)),
            on=None if item.on is None else self._call(item.on),
            via=None if item.via is None else self._call(item.via),
        )

    def _clause(self, clause: Clause) -> Clause:
        if isinstance(clause, Perturbation):
            return self._perturbation(clause)
        if not isinstance(clause, Branch):
            return clause
        return _with(
            clause,
            name=None if clause.name is None else self._declared(clause.name),
            on=None if clause.on is None else self._call(clause.on),
            weight=self._expression(clause.weight),
            norm=self._word(clause.norm),
            perturbations=_each(clause.perturbations, self._perturbation),
        )

    def _perturbation(self, item: Perturbation) -> Perturbation:
        return _with(
            item,
            at=self._maybe(item.at),
            by=self._expression(item.by),
            where=self._maybe(item.where),
            infer=self._inference(item.infer),
            norm=self._word(item.norm),
        )


def _each(items: Iterable[T], change: Callable[[T], T]) -> tuple[T, ...]:
    return tuple(map(change, items))


def _with(item: T, **changes: object) -> T:
    return item.model_copy(update=changes)
