"""Which laws there are, and which of them a method is exempt from: read off its text, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from taxo.catalog import library_for, whole
from taxo.compiler import lower
from taxo.compiler.closed import base_of
from taxo.compiler.graph import Act
from taxo.compiler.rounds import between
from taxo.language.method import Method
from taxo.language.scope import Scope
from taxo.language.source import Source
from taxo.language.vocabulary import NEEDS
from taxo.laws.pools import Reason, chances, is_split, meets_points, pools, simple


@dataclass(frozen=True, slots=True)
class Exemption:
    """A law in one sentence, and why it does not apply to a method, if it does not."""

    meaning: str
    reason: Callable[[Method], Reason | None]


def _none(_: Method) -> Reason | None:
    return None


def no_null(method: Method) -> Reason | None:
    """Why a method has no point at which it has to be the plain loss."""
    parts = [whole(library_for(method).method(use.method.name.text)) for use in method.uses()]
    for part in (*parts, whole(method)):
        acts = [*part.perturbations()]
        if acts and not part.null:
            return Reason(f"`{part.name}` names no null point", acts[0].span)
    if not whole(method).null:
        return Reason("nothing is perturbed")
    if any(setting.name.text.count(".") > 1 for setting in whole(method).null):
        return Reason("its parts use other methods, whose parameters cannot be set from here")
    left = simple(method)
    if is_split(left) and left.split is not None:
        return Reason("`split` shows the norms other batches", left.split.span)
    return None


def coupled(method: Method) -> Reason | None:
    """Why a batch of a method is not the same as its parts."""
    found = simple(method)
    return next(iter((*pools(found), *chances(found))), None)


def _foreign(method: Method) -> Reason | None:
    """Why the digits are no data for a method."""
    if meets_points(method):
        return Reason("the labels of the digits are no points")
    for call in whole(method).needs:
        if call.name.text in ("views", "outputs"):
            return Reason("the digits have one view, and their net one output for each class", call.span)
    return None


def unclaimed(method: Method) -> Reason | None:
    """Why a method makes no claim that a measurement on its own samples could contradict."""
    foreign = _foreign(method)
    if foreign is not None:
        return foreign
    waived = [reason for _, reason in _judged(method)]
    return next(iter(waived), Reason("nothing is perturbed")) if all(waived) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """What an act claims of its own samples; it knows nothing of the acts `below`, or of `others`' texts."""

    act: Act
    below: tuple[str, ...]
    others: tuple[str, ...]


def claims(method: Method) -> Iterator[Claim]:
    """The claims of a method that a measurement could contradict."""
    judged = _judged(method)
    acts = [act for act, _ in judged]
    for act, waived in judged:
        if waived is None:
            below = tuple(one.key for one in acts if one.order > act.order)
            yield Claim(act, below, tuple(one.key for one in acts if _text(one) != _text(act)))


def _judged(method: Method) -> list[tuple[Act, Reason | None]]:
    """Every act of a method, and why it claims nothing that could be measured, if it does not."""
    settings, here = _settings(method), _setting(method)
    left = simple(method)
    acts = [*lower(left).acts(), *between(left, Scope(left))]
    return [(act, _waived(act, settings, here)) for act in acts]


def _waived(act: Act, settings: Mapping[Source | None, str], here: str) -> Reason | None:
    """Why an act claims nothing that could be measured here, in this setting."""
    item = act.item
    if item.against is not None:
        return Reason(f"`{item.direction} on {item.against}` is about other samples", item.direction.span)
    if item.every is not None:
        return Reason("between rounds the data are amended, and no step is perturbed", item.every.span)
    if item.direction.text == "mixed":
        return Reason("`mixed` holds whatever the loss does", item.direction.span)
    if act.learned and len(settings) > 1:
        return Reason(f"`{act.key}` is learned at a pace that is set for other losses", item.direction.span)
    own = settings.get(_text(act), here)
    if own != here:
        return Reason(f"`{item.direction}` is about {own}, not about {here}", item.direction.span)
    return None


def _text(act: Act) -> Source | None:
    """The text that an act was written in: the method's, or that of one it uses."""
    return act.item.direction.span and act.item.direction.span.source


def _settings(method: Method) -> dict[Source | None, str]:
    """The setting of each text that a method is made of: what its claims are about."""
    found = {method.name.span and method.name.span.source: _setting(method)}
    for use in method.uses():
        found |= _settings(library_for(method).method(use.method.name.text))
    return found


def _setting(method: Method) -> str:
    """The base objective of a method, and the head that it asks for."""
    heads = [call.name.text for call in whole(method).needs if NEEDS[call.name.text].owns == "head"]
    return " of ".join(f"`{word}`" for word in (base_of(whole(method)), *heads))


LAWS: dict[str, Exemption] = {
    "null": Exemption("at its null point the step is the plain loss, bit for bit", no_null),
    "text = builder = JSON": Exemption("written in any of the three ways it is the same method", _none),
    "emitted = compiled": Exemption("the printed program, run on its own, gives the same numbers", _none),
    "accumulate": Exemption("the gradient of a batch is the mean of those of its parts", coupled),
    "resume": Exemption("stopped anywhere and resumed, it is as if uninterrupted, bit for bit", _none),
    "ranks": Exemption("two processes with half of the batch each take the steps of one", coupled),
    "compile": Exemption("a compiled model gives the numbers of the model, within rounding", _none),
    "cost": Exemption("the model runs as often, and on as many rows, as the plan says", _none),
    "direction": Exemption("on real data the loss moves as each perturbation claims", unclaimed),
    "clean exit": Exemption("no hook, mode or gradient is left after a step or an error", _none),
}
SLOW = ("ranks", "compile")
