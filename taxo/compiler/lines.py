"""The lines of a method: weighted copies of the training computation, and what acts on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.compiler.names import identifier
from taxo.language.calling import given
from taxo.language.method import Method, Perturbation
from taxo.language.regions import shape_given
from taxo.language.scope import Scope, acts_at
from taxo.language.syntax import Call, Expression, Name, Number
from taxo.language.vocabulary import SITES, SOLVERS, TARGETS, Place, Shape, Site, Target


@dataclass(frozen=True, slots=True)
class Act:
    """A perturbation where it acts; `order` is its place in the source."""

    key: str
    order: int
    item: Perturbation
    unknown: str | None

    @property
    def target(self) -> Target:
        """The vocabulary's row of its target."""
        return TARGETS[self.item.target.text]

    @property
    def spot(self) -> Target | Site:
        """Its target, or the site within it that it acts at."""
        return acts_at(self.item) or self.target

    @property
    def place(self) -> Place:
        """Where on the line it acts."""
        return self.spot.place

    @property
    def shape(self) -> Shape:
        """The shape of its unknown."""
        return shape_given(self.item.infer.within, self.spot.shape)

    @property
    def via(self) -> Call | None:
        """Its solver, if it has one of its own."""
        return self.item.infer.via if self.unknown is not None else None

    @property
    def learned(self) -> bool:
        """Whether its unknown moves beside the weights."""
        return self.descends or self.foresees

    @property
    def descends(self) -> bool:
        """Whether its unknown descends on the loss of the training pass."""
        return self.via is not None and self.via.name.text == "joint"

    @property
    def foresees(self) -> bool:
        """Whether its unknown is found by how the weights depend on it."""
        return self.via is not None and SOLVERS[self.via.name.text].ahead

    @property
    def solved(self) -> bool:
        """Whether its unknown is found anew in every step."""
        return self.unknown is not None and not self.learned

    @property
    def there(self) -> bool:
        """Whether its unknown is searched on held-out data."""
        return self.solved and self.item.infer.on is not None

    @property
    def grain(self) -> str:
        """What shares one value of its unknown."""
        return "corpus" if self.place == Place.WEIGHTS else self.item.granularity[-1].text

    def keeps_rows(self, scope: Scope) -> bool:
        """Whether its unknown has values that labels or places in the data pick from."""
        kept = False
        if self.via is not None:
            start = given(self.via, SOLVERS[self.via.name.text].options).get("start")
            word = "kept" if self.via.name.text == "sgd" else start and scope.word(start)
            kept = word in ("kept", "previous") and self.grain != "corpus"
        return self.unknown is not None and (self.grain == "category" or self.learned or kept)

    @property
    def raw(self) -> bool:
        """Whether it acts before the batch is augmented."""
        return self.spot is SITES["raw"]

    @property
    def inner(self) -> bool:
        """Whether it acts inside the model."""
        return self.place == Place.INNER


@dataclass(frozen=True, slots=True)
class Line:
    """One weighted copy of the training line, and the acts on it in source order."""

    name: str
    weight: Expression
    acts: tuple[Act, ...]
    norm: str = ""
    carry: Call | None = None

    @property
    def variable(self) -> str:
        """The name of its pass in the program."""
        return f"line_{identifier(self.name)}" if self.name else "line"

    def in_order(self) -> list[Act]:
        """The acts in the order they act."""
        return sorted(self.acts, key=lambda act: (act.place, not act.raw, act.order))

    def moves_logits(self) -> bool:
        """Whether something acts before the logits."""
        return any(act.place < Place.LOGITS for act in self.acts)

    def above(self, act: Act) -> list[Act]:
        """The acts written above one."""
        return [other for other in self.acts if other.order < act.order]


def site_of(act: Act, scope: Scope) -> str:
    """The word or pattern of an act's site; nothing where it has none."""
    site = act.item.at
    if isinstance(site, Name) and site.text in SITES and site.text not in scope.params:
        return site.text
    return "" if site is None else scope.word(site) or ""


def lines_of(method: Method, scope: Scope, phase: str) -> Iterator[Line]:
    """One line for each branch, or a single one; acts outside branches are on each."""
    acts = {id(act.item): act for act in acts_of(method, scope)}
    branches = method.branches() if phase != "eval" else []
    common = [item for item in method.clauses if isinstance(item, Perturbation) and _acts_in(item, phase)]
    if not branches:
        yield Line("", Number(1.0), tuple(acts[id(item)] for item in common))
    for number, branch in enumerate(branches):
        inside = [item for item in branch.perturbations if _acts_in(item, phase)]
        own = sorted((acts[id(item)] for item in (*common, *inside)), key=lambda act: act.order)
        name = branch.name.text if branch.name else f"branch{number + 1}"
        norm = "" if branch.norm is None else scope.word(Name(branch.norm.text)) or branch.norm.text
        yield Line(name, branch.weight, tuple(own), norm, branch.on)


def _acts_in(item: Perturbation, phase: str) -> bool:
    """Whether a perturbation acts in a phase; one between rounds acts in no step."""
    if item.every is not None:
        return False
    during = "training" if item.during is None else item.during.text
    return phase == "any" or during in (phase, "always")


def in_order(lines: list[Line], scope: Scope) -> list[Line]:
    """The lines in the order they run.

    Those whose values others read come first; then those whose unperturbed logits serve all who read the
    clean pass; last those on another batch.
    """
    waiting = sorted(lines, key=lambda line: (line.carry is not None, line.moves_logits()))
    done: list[Line] = []
    while waiting:
        names_left = {line.name for line in waiting}
        ready = next(
            (one for one in waiting if not (_reads_of(one, scope) & names_left - {one.name})), waiting[0]
        )
        waiting.remove(ready)
        done.append(ready)
    return done


def _reads_of(line: Line, scope: Scope) -> set[str]:
    """The branches whose values the acts of a line's own, or its weight, read."""
    parts = [part for act in line.acts for part in act.item.written()]
    goals = [act.item.infer.goal.objective for act in line.acts if act.item.infer.goal is not None]
    return {name for part in (*parts, *goals) for name in scope.reads(part)} & set(scope.branches)


def acts_of(method: Method, scope: Scope) -> Iterator[Act]:
    """Every perturbation as an act, under the name of its unknown or target."""
    taken: set[str] = set()
    for order, item in enumerate(method.perturbations()):
        unknown = scope.unknown(item)
        key = base = unknown or item.target.text
        number = 1
        while key in taken:
            number += 1
            key = f"{base}{number}"
        taken.add(key)
        yield Act(key, order, item, unknown)
