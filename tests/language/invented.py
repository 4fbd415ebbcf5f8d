"""Random methods, valid by construction as far as that is easy: every word comes from the vocabulary."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from random import Random

from hypothesis import strategies as st

from taxo.catalog import load, shipped
from taxo.language import vocabulary
from taxo.language.axes import per_grain
from taxo.language.check import WEIGHT, check, errors
from taxo.language.coordinates import declared_grain, derive, probed
from taxo.language.declarations import PARTS
from taxo.language.method import (
    UNINFERRED,
    Branch,
    Choices,
    Draw,
    Goal,
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
from taxo.language.scope import NETWORKS, Scope, acts_at
from taxo.language.syntax import (
    Argument,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    String,
    Unary,
    Word,
    walk,
)
from taxo.language.vocabulary import (
    DIRECTIONS,
    DISTRIBUTIONS,
    FUNCTIONS,
    GRAINS,
    HELD,
    NEEDS,
    OBJECTIVES,
    ORIGINS,
    REGIONS,
    SITES,
    SOLVERS,
    STATE_FORMS,
    TARGETS,
    VALUES,
    Grain,
    Option,
    Place,
    Shape,
    Site,
    Target,
)
from tests.language.invention import ANYWHERE, DATA, FIXED, Inventor, Known, Spot

FINDING = ("regularization", "adversarial", "meta")
WEIGHING = Spot(Place.LOSS)
OPPOSITE = {"positive": "negative", "negative": "positive"}
LETTERS = "abc ÄÖ é 漢字 ∂θ # {} := ~ 'x' %"
DISTRIBUTED = ("p", "y")
OF_FEATURES = {
    "covariance": {"category": Shape.MATRICES, "corpus": Shape.MATRIX},
    "prototypes": {"category": Shape.PROTOTYPES},
}


def method(random: Random) -> Method:
    """A random method."""
    return _Method(random).method()


def methods() -> st.SearchStrategy[Method]:
    """Random methods that the checker accepts; `share_of_valid` says how many that is of those invented."""
    invented = st.randoms(use_true_random=False).map(method)
    return invented.filter(lambda one: not errors(check(one)))


class _Method:
    """One method in the making."""

    def __init__(self, random: Random) -> None:
        self.make = Inventor(random)
        self.taken: set[str] = set()
        self.params: list[Param] = []
        self.draws: list[Draw] = []
        self.lets: list[Let] = []
        self.states: list[State] = []
        self.infers: list[Inference] = []
        self.found: list[str] = []

    def method(self) -> Method:
        make = self.make
        name = make.fresh(self.taken)
        for declare in (self._param, self._learned, self._draw, self._state, self._let):
            for _ in range(make.one([0, 0, 1, 1, 2, 3])):
                declare()
        self._inferences()
        clauses = self._clauses()
        draft = Method(
            name=Word(name),
            title=self._text(),
            summary=self._text(),
            cite=tuple(self._text() for _ in range(make.one([0, 0, 1, 3]))),
            null=self._null(),
            loss=self._objective() if make.chance(0.3) else None,
            split=make.option(PARTS, DATA) if make.chance(0.2) else None,
            params=tuple(self.params),
            draws=tuple(self.draws),
            states=tuple(self.states),
            lets=tuple(self.lets),
            clauses=clauses,
            infers=tuple(self.infers),
        )
        return _claimed(self._with_needs(_without_unused(draft)), make)

    def _text(self) -> str:
        length = self.make.one([0, 0, 5, 30])
        return "".join(self.make.one(LETTERS) for _ in range(length))

    # Declarations ---------------------------------------------------------------------------------------

    def _param(self) -> None:
        make = self.make
        name = make.fresh(self.taken)
        if make.chance(0.25):
            self._word_param(name)
            return
        if make.chance(0.15):
            hidden = make.one(word for word, row in VALUES.items() if row.shape is Shape.SCALAR)
            if hidden not in self.taken and hidden not in vocabulary.CONSTANTS and hidden != "C":
                name = hidden
                self.taken.add(name)
        value = make.one([0.5, 0.0, 1.0, 3.0, 8 / 255, 10.0])
        earlier = [Name(other) for other, known in make.values.items() if known]
        default: Expression = Number(value)
        if earlier and make.chance(0.3):
            other = make.one(earlier)
            default = Binary("*", Number(2.0), other)
            value = 2 * make.values[other.text]
        self.params.append(Param(name=Word(name), default=default, domain=self._domain(value)))
        make.values[name] = value
        make.known.append(Known(name, Shape.SCALAR))

    def _domain(self, value: float) -> Choices | Interval | None:
        low, high = Number(value / 2), Number(value + 1)
        choices = (Number(value), *(self.make.literal() for _ in range(self.make.one([0, 1, 3]))))
        log = value > 0 and self.make.chance(0.5)
        return self.make.one([None, Choices(choices=choices), Interval(low=low, high=high, log=log)])

    def _word_param(self, name: str) -> None:
        option = self.make.one(_word_options())
        words = option.words[: self.make.random.randrange(1, len(option.words) + 1)]
        domain = Choices(choices=tuple(map(Name, words)))
        self.params.append(Param(name=Word(name), default=Name(self.make.one(words)), domain=domain))
        self.make.words.append((name, words))

    def _learned(self) -> None:
        """A parameter or network that an inference of the whole method finds."""
        make, name = self.make, self.make.fresh(self.taken)
        self.found.append(name)
        if make.chance(0.4):
            count, classes = make.one([1, 2, 3]), make.chance(0.3)
            made = Name("C") if classes else Number(1.0)
            numbers = (Number(float(count)), Number(float(make.one([4, 100]))), made)
            call = Call(Word(make.one(NETWORKS)), tuple(Argument(None, one) for one in numbers))
            self.params.append(Param(name=Word(name), default=call))
            make.networks.append((name, count, Shape.ROW if classes else Shape.SAMPLE))
            return
        grain, like = make.one([None, *GRAINS]), None
        one = Shape.SCALAR
        if grain is not None and make.chance(0.3):
            like, one = make.one([(Name("x"), Shape.X), (Name("u"), Shape.ROW), (Name("z"), Shape.Z)])
        shape = one if grain is None else per_grain(one, GRAINS[grain])
        per, default = None if grain is None else Word(grain), Number(float(make.one([0, 1])))
        self.params.append(Param(name=Word(name), per=per, default=default, like=like))
        assert shape is not None
        make.known.append(Known(name, shape))

    def _draw(self) -> None:
        make, name = self.make, self.make.fresh(self.taken)
        word = make.one(DISTRIBUTIONS)
        row, scope = DISTRIBUTIONS[word], make.one(vocabulary.SCOPES)
        call = make.call(word, row.options)
        if row.result is not None:
            self.draws.append(Draw(name=Word(name), distribution=call, per=Word("batch")))
            make.known.append(Known(name, row.result))
            return
        like, shape = None, Shape.SAMPLE if scope == "sample" else Shape.SCALAR
        if row.whole_row or make.chance(0.6):
            like, shape = self._like(scope)
        self.draws.append(Draw(name=Word(name), distribution=call, per=Word(scope), like=like))
        make.known.append(Known(name, shape, weights=shape is Shape.W))

    def _like(self, scope: str) -> tuple[Expression, Shape]:
        each = scope == "sample"
        leaves = self.make.leaves(ANYWHERE)
        shapes = [one for one in leaves if one.numeric and leaves[one] and (one.per_sample or not each)]
        shape = self.make.one([one for one in shapes if each or per_grain(one, Grain.CORPUS)])
        node = self.make.one(leaves[shape])
        if each:
            return node, shape
        given = per_grain(shape, Grain.CORPUS)
        assert given is not None
        return node, given

    def _state(self) -> None:
        make, name, grain = self.make, self.make.fresh(self.taken), self.make.one(GRAINS)
        value, kept = self._kept(grain)
        shape = None if kept is None else per_grain(kept, GRAINS[grain])
        if shape is None or shape is Shape.W:
            return
        every = make.one([None, None, *vocabulary.PERIODS])
        order = make.one([None, *vocabulary.ORDERS]) if every in (None, "step") else None
        state = State(
            name=Word(name),
            per=Word(grain),
            value=value,
            every=None if every is None else Word(every),
            order=None if order is None else Word(order),
            start=make.literal() if make.chance(0.4) else None,
        )
        self.states.append(state)
        make.known.append(Known(name, shape))

    def _kept(self, grain: str) -> tuple[Expression, Shape | None]:
        make = self.make
        shapes = [one for one, names in make.leaves(ANYWHERE).items() if one.numeric and names]
        shape = make.one(shapes)
        word = make.one([None, None, *STATE_FORMS])
        node = make.number(shape, ANYWHERE, 2)
        if word is None:
            is_form = isinstance(node, Call) and node.name.text in STATE_FORMS
            return (Unary("-", node) if is_form else node), shape
        if word in ("covariance", "prototypes"):
            shapes = OF_FEATURES[word]
            if grain not in shapes:
                return node, None
            shape, node = shapes[grain], Name("z")
        call = make.call(word, STATE_FORMS[word].options)
        options = [
            _named(one, name) for one, name in zip(call.arguments, STATE_FORMS[word].options, strict=False)
        ]
        if word == "covariance" and any(one.value == Name("true") for one in call.arguments):
            shape = Shape.Z
        return Call(Word(word), (Argument(None, node), *options)), shape

    def _let(self) -> None:
        make, name = self.make, self.make.fresh(self.taken)
        place = make.one([Place.DATA, Place.LOGITS, Place.LOGITS])
        spot = Spot(place, predicting=make.chance(0.5))
        leaves = make.leaves(spot)
        if make.chance(0.3):
            each = make.chance(0.7)
            node = make.truth(spot, 2, each)
            shape = Shape.MASK if each else Shape.TRUTH
        else:
            shape = make.one([one for one in leaves if one.numeric])
            node = make.number(shape, spot, 3)
        self.lets.append(Let(name=Word(name), value=node))
        if shape.numeric or Scope(Method(name=Word("m"), lets=tuple(self.lets))):
            make.known.append(Known(name, shape, place, labelled=not spot.predicting))

    def _null(self) -> tuple[Setting, ...]:
        settings: list[Setting] = []
        for param in self.params:
            if param.default in (Number(0.0), Number(1.0), Number(3.0)) and self.make.chance(0.5):
                value = self.make.one([Number(0.0), Name("inf"), Number(2.0)])
                settings.append(Setting(name=param.name, value=value))
        return tuple(settings)

    def _objective(self) -> Expression:
        word = self.make.one(OBJECTIVES)
        call = self.make.call(word, OBJECTIVES[word].options)
        node: Expression = call if call.arguments else Name(word)
        for _ in range(self.make.one([0, 0, 1, 2])):
            node = Binary("+", node, self.make.number(Shape.SCALAR, Spot(Place.WEIGHTS, "weights"), 2))
        return node

    # Inferences -----------------------------------------------------------------------------------------

    def _inferences(self) -> None:
        """Every learned name is found by one inference of the whole method."""
        groups = [self.found] if self.make.chance(0.5) else [[name] for name in self.found]
        for names in filter(None, groups):
            infer = self._inference(self.make.one([*FINDING, "tuning"]), ANYWHERE, None)
            self.infers.append(infer.model_copy(update={"over": tuple(map(Word, names))}))

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
        return loss

    def _held(self) -> Call:
        word = self.make.one(HELD)
        return self.make.call(word, HELD[word].options)

    # Clauses --------------------------------------------------------------------------------------------

    def _clauses(self) -> tuple[Perturbation | Branch | Use, ...]:
        make, made, above = self.make, list[Perturbation | Branch | Use](), list[str]()
        others = list(_others())
        for _ in range(make.one([1, 1, 2, 3])):
            match make.one(["perturb", "perturb", "perturb", "branch", "use"]):
                case "perturb":
                    made.append(self._perturbation(()))
                case "branch":
                    made.append(self._branch(above))
                case _ if others:
                    other = others.pop(make.random.randrange(len(others)))
                    made.append(self._use(other))
        return tuple(made)

    def _use(self, other: Method) -> Use:
        """Another method, with some of its parameters at other values of their domains."""
        given: list[Argument] = []
        for param in other.params:
            values = param.domain.choices if isinstance(param.domain, Choices) else (param.default,)
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
        phase = make.one([None, None, *([] if labelled else vocabulary.PHASES)])
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
            form = self._kept_on_simplex(spot, where, leaves)
        return {"by": form, "infer": Inference(manner=Word("prior"))}

    def _kept_on_simplex(self, spot: Target | Site, where: Spot, leaves: dict) -> Expression:
        """Labels moved some way towards a distribution."""
        make = self.make
        softmax = Call(Word("softmax"), (Argument(None, make.number(Shape.ROW, where, 1)),))
        to = make.one([*(leaf for leaf in leaves.get(Shape.ROW, []) if _is_distribution(leaf)), softmax])
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
        given = [REGIONS[one.name.text].shape for one in infer.within if REGIONS[one.name.text].shape]
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

    # What follows from the rest -------------------------------------------------------------------------

    def _with_needs(self, method: Method) -> Method:
        """The method with everything asked for that it reads."""
        wanted: set[str] = set()
        for node in _nodes(method):
            if isinstance(node, Name):
                declared = node.text in self.taken
                wanted |= {VALUES[node.text].needs} if node.text in VALUES and not declared else set()
            elif isinstance(node, Call) and node.name.text in FUNCTIONS:
                wanted.add(FUNCTIONS[node.name.text].needs)
        for infer in (*(item.infer for item in method.perturbations()), *method.infers):
            wanted |= {infer.on.name.text} & set(NEEDS) if infer.on else set()
        owners = {row.owns for row in NEEDS.values() if row.owns}
        for owned in sorted(owners - {NEEDS[word].owns for word in wanted - {""}}):
            words = [word for word, row in NEEDS.items() if row.owns == owned]
            wanted |= {self.make.one(words)} if self.make.chance(0.1) else set()
        kept = {param.name.text for param in method.params}
        self.make.values = {name: value for name, value in self.make.values.items() if name in kept}
        calls = [self.make.call(word, NEEDS[word].options, FIXED) for word in sorted(wanted - {""})]
        return method.model_copy(update={"needs": tuple(calls)})


@cache
def _others() -> list[Method]:
    """The shipped methods that claim nothing for themselves that another one could claim too."""
    loaded = [load(name) for name in shipped()]
    return [one for one in loaded if not (one.split or one.loss or one.needs or one.branches())]


def _named(argument: Argument, name: str) -> Argument:
    return argument if argument.name else Argument(Word(name), argument.value)


def _word_options() -> list[Option]:
    """Every option that takes words."""
    rows = (row for table in (SOLVERS, REGIONS) for row in table.values())
    return [option for row in rows for option in row.options.values() if option.words]


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


def _nodes(part: object) -> Iterable[Expression]:
    """Every expression in a part of a method."""
    if isinstance(part, tuple):
        for one in part:
            yield from _nodes(one)
    elif isinstance(part, vocabulary.Word | Word | str | bool) or part is None:
        return
    elif hasattr(type(part), "model_fields"):
        for name in type(part).model_fields:
            if name != "span":
                yield from _nodes(getattr(part, name))
    else:
        yield from walk(part)


def _read(method: Method) -> set[str]:
    found: set[str] = set()
    for node in _nodes(method):
        found |= {node.text} if isinstance(node, Name) else set()
        found |= {node.name.text} if isinstance(node, Call) else set()
    return found | {item.norm.text for item in method.perturbations() if item.norm}


def _without_unused(method: Method) -> Method:
    """The method without what it declares and never reads, and without what only that reads."""
    while True:
        read = _read(method.model_copy(update={"null": ()}))
        read -= {
            name.text
            for state in method.states
            for name in [state.name]
            if not _read_elsewhere(method, state)
        }
        kept = {
            key: tuple(one for one in getattr(method, key) if one.name.text in read)
            for key in ("params", "draws", "states", "lets")
        }
        known = {param.name.text for param in kept["params"]}
        over = [tuple(name for name in infer.over if name.text in known) for infer in method.infers]
        infers = tuple(
            infer.model_copy(update={"over": names})
            for infer, names in zip(method.infers, over, strict=True)
            if names
        )
        null = tuple(one for one in method.null if one.name.text in known)
        smaller = method.model_copy(update={**kept, "infers": infers, "null": null})
        if smaller == method:
            return method
        method = smaller


def _read_elsewhere(method: Method, state: State) -> bool:
    others = tuple(one for one in method.states if one is not state)
    return state.name.text in _read(method.model_copy(update={"states": others}))


def _claimed(method: Method, make: Inventor) -> Method:
    """The method with claims that its forms bear out."""
    scope = Scope(method)
    claim = lambda item: _with_claims(item, scope, make)
    clauses: list[object] = []
    for one in method.clauses:
        if isinstance(one, Branch):
            one = one.model_copy(update={"perturbations": tuple(map(claim, one.perturbations))})
        clauses.append(claim(one) if isinstance(one, Perturbation) else one)
    return method.model_copy(update={"clauses": tuple(clauses)})


def _with_claims(item: Perturbation, scope: Scope, make: Inventor) -> Perturbation:
    if item.infer.manner.text == "prior" and scope.covered(item):
        item = item.model_copy(update={"infer": UNINFERRED})
    elif item.infer.manner.text == "prior" and make.chance(0.5):
        tuned = item.model_copy(update={"infer": Inference(manner=Word("tuning"))})
        item = tuned if "tuning" in derive(tuned, scope).manners else item
    derived = derive(item, scope)
    words = [word for word, grain in GRAINS.items() if grain >= derived.granularity]
    if scope.unknown(item) is not None:
        words = ["corpus"] if item.target.text == "weights" else list(GRAINS)
    several = make.random.sample(words, make.one([1, 1, min(2, len(words))]))
    item = item.model_copy(update={"granularity": tuple(map(Word, several))})
    assert declared_grain(item) is not None
    sure = [
        word for word in DIRECTIONS if OPPOSITE.get(word, "") != derived.direction or not derived.direction
    ]
    direction = "mixed" if probed(item, scope) else make.one(sure)
    needed = {call.name.text for call in scope.method.needs}
    against = [word for word in HELD if word not in NEEDS or word in needed]
    changes: dict[str, object] = {"direction": Word(direction)}
    changes["against"] = Word(make.one(against)) if make.chance(0.15) else None
    return item.model_copy(update=changes)


def share_of_valid(count: int) -> float:
    """The share of invented methods that the checker accepts, for fixed seeds."""
    return sum(not errors(check(method(Random(seed)))) for seed in range(count)) / count
