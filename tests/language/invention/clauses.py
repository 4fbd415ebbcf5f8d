"""Random inferences, perturbations, branches and uses."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from taxo.catalog import load, shipped
from taxo.language import vocabulary
from taxo.language.check import WEIGHT
from taxo.language.method import Branch, Choices, Goal, Inference, Method, Perturbation, Use
from taxo.language.scope import acts_at
from taxo.language.syntax import Argument, Binary, Call, Expression, Name, Number, String, Word
from taxo.language.syntax import names as names_in
from taxo.language.vocabulary import (
    FUNCTIONS,
    HELD,
    ORIGINS,
    REGIONS,
    SITES,
    SOLVERS,
    TARGETS,
    Place,
    Shape,
    Site,
    Target,
)
from tests.language.invention.declarations import Declarations
from tests.language.invention.spots import ANYWHERE, Spot

FINDING = ("regularization", "adversarial", "meta")
WEIGHING = Spot(Place.LOSS)
DISTRIBUTED = ("p", "y")


class Clauses(Declarations):
    """What one method does."""

    # Inferences -----------------------------------------------------------------------------------------

    def inferences(self) -> Iterable[Inference]:
        """Every learned name is found by one inference of the whole method."""
        groups = [self.found] if self.make.chance(0.5) else [[name] for name in self.found]
        for names in filter(None, groups):
            infer = self._inference(self.make.one([*FINDING, "tuning"]), ANYWHERE, None)
            yield infer.model_copy(update={"over": tuple(map(Word, names))})

    def _inference(self, manner: str, spot: Spot, target: str | None, every: bool = False) -> Inference:
        """How something is found: `target` is None for parameters of the whole method."""
        make = self.make
        if manner == "tuning":
            return Inference(manner=Word(manner))
        at_x = spot.unknown is not None and spot.unknown[1] is Shape.X
        bounded = [
            word
            for word, row in REGIONS.items()
            if row.bounded and _fits(word, target) and (at_x or not row.shape)
        ]
        within = [make.one(bounded)] if manner == "adversarial" or make.chance(0.4) else []
        within += [one for one in REGIONS if _plain(one) and _fits(one, target) and make.chance(0.2)]
        reader = replace(spot, unknown=None)
        solver = make.one(_solvers(manner, within, target, every))
        return Inference(
            manner=Word(manner),
            goal=Goal(kind=Word(make.one(vocabulary.GOALS)), objective=self._goal(manner, spot)),
            within=tuple(make.call(word, REGIONS[word].options, reader) for word in within),
            on=self._held() if manner == "meta" else None,
            via=make.call(solver, SOLVERS[solver].options, reader),
        )

    def _goal(self, manner: str, spot: Spot) -> Expression:
        """What is made small or large; in `regularization` with a penalty on the unknown."""
        make, unknown = self.make, spot.unknown
        there = replace(spot, place=Place.LOSS, target="loss", own="", anywhere=False, unknown=None)
        shapes = [one for one in (Shape.SAMPLE, Shape.SCALAR) if one in make.leaves(there)]
        loss = make.number(make.one(shapes), there, 2)
        if not spot.predicting and make.chance(0.5):
            loss = Name("loss")
        if manner != "adversarial" and unknown is not None:
            norm = make.one([word for word, row in FUNCTIONS.items() if _reduces(row, unknown[1])])
            penalty = Call(Word(norm), (Argument(None, Name(unknown[0])),))
            return Binary(make.one("+-"), loss, Binary("*", make.literal(), penalty))
        if loss == Name("loss"):
            return loss
        # what is looked for must be able to change what it is looked for by
        if unknown is None:
            return Binary("+", Name("loss"), loss)
        seen = Name("u") if spot.place <= Place.LOGITS else Name(unknown[0])
        moved = Call(Word("l1"), (Argument(None, seen),)) if spot.predicting else Name("loss")
        return Binary("+", moved, loss)

    def _held(self) -> Call:
        word = self.make.one(HELD)
        return self.make.call(word, HELD[word].options)

    # Clauses --------------------------------------------------------------------------------------------

    def clauses(self) -> tuple[Perturbation | Branch | Use, ...]:
        make, made, above = self.make, list[Perturbation | Branch | Use](), list[str]()
        others = list(_others())
        for _ in range(make.one([1, 1, 2, 3])):
            match make.one(["perturb", "perturb", "perturb", "branch", "use"]):
                case "perturb":
                    made.append(self._perturbation(()))
                case "branch":
                    made.append(self._branch(above))
                case _:
                    other = others.pop(make.random.randrange(len(others)))
                    made.append(self._use(other))
        return tuple(made)

    def _use(self, other: Method) -> Use:
        """Another method, with some of its parameters at other values of their domains."""
        given: list[Argument] = []
        own = {param.name.text for param in other.params}
        for param in other.params:
            if own & {name.text for name in names_in(param.default)}:
                continue  # it follows others of that method, which nobody else can name
            values = [*param.domain.choices] if isinstance(param.domain, Choices) else [param.default]
            if self.make.chance(0.5):
                given.append(Argument(param.name, self.make.one(values)))
        return Use(method=Call(other.name, tuple(given)))

    def _branch(self, above: list[str]) -> Branch:
        make = self.make
        name = make.fresh(self.taken) if make.chance(0.8) else None
        origin = make.one([None, None, *ORIGINS])
        norm = make.one([None, *vocabulary.NORMS])
        weight = make.option(WEIGHT, WEIGHING)
        items = tuple(self._perturbation(tuple(above)) for _ in range(make.one([0, 1, 1, 2])))
        if name is not None:
            above.append(name)
        return Branch(
            name=None if name is None else Word(name),
            on=None if origin is None else make.call(origin, ORIGINS[origin].options),
            weight=weight,
            norm=None if norm is None else Word(norm),
            perturbations=items,
        )

    def _perturbation(self, above: tuple[str, ...]) -> Perturbation:
        make = self.make
        target = make.one(TARGETS)
        at = self._site(target)
        labelled = target == "labels" and at is None  # their form reads `y`, which predictions have not
        phases = [] if labelled else [*vocabulary.PHASES]
        phase = make.one([None, None, *phases])
        rounds = target in ("features", "labels") and phase in (None, "training") and make.chance(0.2)
        draft = Perturbation(
            target=Word(target), at=at, by=Number(0.0), direction=Word("mixed"), granularity=(Word("sample"),)
        )
        spot = acts_at(draft)
        assert spot is not None
        own = spot.value if isinstance(spot, Site) and spot.place is Place.INNER else ""
        where = Spot(spot.place, target, own, phase in ("eval", "always"), rounds, above=above)
        found = make.chance(0.5)
        changes = self._found(spot, where, target) if found else self._fixed(spot, where, target)
        if rounds:
            changes["every"] = Word(make.one(vocabulary.ROUNDS))
            changes["amend"] = Word(make.one(vocabulary.AMENDS)) if make.chance(0.7) else None
        if make.chance(0.3):
            changes["where"] = make.truth(where, 2, target != "weights")
        changes["during"] = None if phase is None else Word(phase)
        return draft.model_copy(update=changes)

    def _site(self, target: str) -> Expression | None:
        sites = [Name(word) for word, row in SITES.items() if row.target == target]
        patterns = [String("layer4.*"), String("*")] if target in ("features", "weights") else []
        if target == "features":
            patterns += [Name(one.name) for one in self.make.known if one.shape is Shape.SITE]
        return self.make.one([*sites, *patterns]) if sites + patterns and self.make.chance(0.4) else None

    def _fixed(self, spot: Target | Site, where: Spot, target: str) -> dict[str, object]:
        """A form that says it all."""
        make = self.make
        leaves = make.leaves(where)
        shape = make.smaller(spot.shape, [one for one in leaves if one.numeric])
        form = make.number(shape, where, 3)
        if target == "labels":
            form = self._kept_on_simplex(spot, where)
        return {"by": form, "infer": Inference(manner=Word("prior"))}

    def _kept_on_simplex(self, spot: Target | Site, where: Spot) -> Expression:
        """Labels moved some way towards a distribution."""
        make = self.make
        softmax = Call(Word("softmax"), (Argument(None, make.number(Shape.ROW, where, 1)),))
        leaves = make.leaves(where).get(Shape.ROW, [])
        to = make.one([*(leaf for leaf in leaves if _is_distribution(leaf)), softmax])
        if where.predicting and to == Name("y"):
            to = softmax
        share = make.one([Number(0.5), Number(15.0, percent=True), Name("progress"), Number(0.0)])
        if share == Name("progress") and "progress" in self.taken:
            share = Number(0.25)
        return Binary("*", share, Binary("-", to, Name(spot.value)))

    def _found(self, spot: Target | Site, where: Spot, target: str) -> dict[str, object]:
        """A form with an unknown, and how it is found."""
        make, name = self.make, self.make.fresh(self.taken)
        manner = make.one(FINDING)
        unknown = name, spot.shape
        goal = replace(where, unknown=unknown)
        infer = self._inference(manner, goal, target, where.rounds)
        shapes = [REGIONS[one.name.text].shape for one in infer.within]
        given = [shape for shape in shapes if shape is not None]
        form: Expression = Name(name)
        if given:
            form = self._of_given(name, given[0], spot)
            infer = self._regoal(infer, goal, (name, given[0]))
        elif make.chance(0.4):
            shape = make.smaller(spot.shape, [one for one in make.leaves(where) if one.numeric])
            form = Binary(make.one("+-*"), make.number(shape, where, 1), Name(name))
        norm = Word(make.one(vocabulary.NORMS)) if make.chance(0.2) else None
        return {"by": form, "infer": infer, "norm": norm}

    def _regoal(self, infer: Inference, spot: Spot, unknown: tuple[str, Shape]) -> Inference:
        """The same with a goal for the shape that a set gives the unknown."""
        there = replace(spot, unknown=unknown)
        assert infer.goal is not None
        goal = Goal(kind=infer.goal.kind, objective=self._goal(infer.manner.text, there))
        return infer.model_copy(update={"goal": goal})

    def _of_given(self, name: str, shape: Shape, spot: Target | Site) -> Expression:
        """A form that brings an unknown of another shape to the target's."""
        ways = [
            (word, row)
            for word, row in FUNCTIONS.items()
            if row.result is spot.shape and any(one is not None and shape in one for one in row.shapes)
        ]
        word, row = self.make.one(ways)
        values = [Name(name) if one is not None and shape in one else Name(spot.value) for one in row.shapes]
        call = Call(Word(word), tuple(Argument(None, value) for value in values))
        return Binary("-", call, Name(spot.value))


@cache
def _others() -> list[Method]:
    """The shipped methods that claim nothing for themselves that another one could claim too."""
    loaded = [load(name) for name in shipped()]
    return [one for one in loaded if not (one.split or one.loss or one.needs or one.branches())]


def _fits(region: str, target: str | None) -> bool:
    row = REGIONS[region]
    return target is None or not row.targets or target in row.targets


def _plain(region: str) -> bool:
    return not REGIONS[region].bounded and REGIONS[region].shape is None


def _solvers(manner: str, within: Iterable[str], target: str | None, every: bool) -> list[str]:
    """The solvers that can find what is looked for."""
    held, bounded = manner == "meta", any(REGIONS[word].bounded for word in within)
    return [
        word
        for word, row in SOLVERS.items()
        if (not row.held or held)
        and (not row.needs_set or bounded or manner == "regularization" or target is None)
        and (not row.learned or target != "weights")
        and (word != "influence" or every)
    ]


def _reduces(row: vocabulary.Function, shape: Shape) -> bool:
    """Whether a function of one value gives one number per sample."""
    takes = row.shapes[0]
    one = row.fewest == 1 and (row.shorter or row.result) is vocabulary.Result.REDUCED
    return one and (takes is None or shape in takes)


def _is_distribution(node: Expression) -> bool:
    return (isinstance(node, Name) and node.text in DISTRIBUTED) or getattr(node, "name", None) == Word("p")
