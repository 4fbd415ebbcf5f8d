"""Random declarations: parameters, draws, states, lets, and what stands above them."""

from random import Random

from taxo.language import vocabulary
from taxo.language.axes import per_grain
from taxo.language.method import Choices, Draw, Interval, Let, Param, Setting, State
from taxo.language.scope import NETWORKS
from taxo.language.syntax import Argument, Binary, Call, Expression, Name, Number, Unary, Word
from taxo.language.vocabulary import (
    DISTRIBUTIONS,
    GRAINS,
    OBJECTIVES,
    REGIONS,
    SOLVERS,
    STATE_FORMS,
    VALUES,
    Grain,
    Option,
    Place,
    Shape,
)
from tests.language.invention.expressions import Inventor
from tests.language.invention.spots import ANYWHERE, Known, Spot

LETTERS = "abc ÄÖ é 漢字 ∂θ # {} := ~ 'x' %"
OF_FEATURES = {
    "covariance": {"category": Shape.MATRICES, "corpus": Shape.MATRIX},
    "prototypes": {"category": Shape.PROTOTYPES},
}


class Declarations:
    """What one method declares."""

    def __init__(self, random: Random) -> None:
        self.make = Inventor(random)
        self.taken: set[str] = set()
        self.params: list[Param] = []
        self.draws: list[Draw] = []
        self.lets: list[Let] = []
        self.states: list[State] = []
        self.found: list[str] = []

    def declare(self) -> None:
        """Some of everything, in an order in which later ones can read those before."""
        for kind in (self._param, self._learned, self._draw, self._state, self._let):
            for _ in range(self.make.one([0, 0, 1, 1, 2, 3])):
                kind()

    def text(self) -> str:
        """A title, a summary or a source."""
        length = self.make.one([0, 0, 5, 30])
        return "".join(self.make.one(LETTERS) for _ in range(length))

    def _param(self) -> None:
        make = self.make
        name = make.fresh(self.taken)
        if make.chance(0.25):
            self._word_param(name)
            return
        if make.chance(0.15):
            hidden = make.one([word for word, row in VALUES.items() if row.shape is Shape.SCALAR])
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
            if grain not in OF_FEATURES[word]:
                return node, None
            shape, node = OF_FEATURES[word][grain], Name("z")
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
        make.known.append(Known(name, shape, place, labelled=not spot.predicting))

    def null(self) -> tuple[Setting, ...]:
        settings: list[Setting] = []
        for param in self.params:
            if param.default in (Number(0.0), Number(1.0), Number(3.0)) and self.make.chance(0.5):
                value = self.make.one([Number(0.0), Name("inf"), Number(2.0)])
                settings.append(Setting(name=param.name, value=value))
        return tuple(settings)

    def objective(self) -> Expression:
        word = self.make.one(OBJECTIVES)
        call = self.make.call(word, OBJECTIVES[word].options)
        node: Expression = call if call.arguments else Name(word)
        for _ in range(self.make.one([0, 0, 1, 2])):
            node = Binary("+", node, self.make.number(Shape.SCALAR, Spot(Place.WEIGHTS, "weights"), 2))
        return node


def _named(argument: Argument, name: str) -> Argument:
    return argument if argument.name else Argument(Word(name), argument.value)


def _word_options() -> list[Option]:
    """Every option that takes words."""
    rows = (row for table in (SOLVERS, REGIONS) for row in table.values())
    return [option for row in rows for option in row.options.values() if option.words]
