"""What follows from the rest of a method: what it need not declare, what it asks for, what it may claim."""

from collections.abc import Callable, Iterable

from taxo.language.claims import TOLERATED
from taxo.language.coordinates import derive, probed
from taxo.language.method import UNINFERRED, Branch, Inference, Item, Method, Perturbation, State
from taxo.language.probe import probe
from taxo.language.scope import Scope
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
    Word,
    walk,
)
from taxo.language.vocabulary import DIRECTIONS, FUNCTIONS, GRAINS, HELD, NEEDS, VALUES
from tests.language.invention.expressions import Inventor
from tests.language.invention.spots import FIXED

OPPOSITE = {"positive": "negative", "negative": "positive"}


def _nodes(part: object) -> Iterable[Expression]:
    """Every expression in a part of a method."""
    match part:
        case tuple():
            for one in part:
                yield from _nodes(one)
        case Item():
            for name in type(part).model_fields:
                yield from _nodes(getattr(part, name))
        case Number() | String() | Name() | Unary() | Binary() | Member() | Conditional():
            yield from walk(part)
        case Call() | Index() | Attribute():
            yield from walk(part)
        case _:
            return


def _read(method: Method) -> set[str]:
    found: set[str] = set()
    for node in _nodes(method):
        found |= {node.text} if isinstance(node, Name) else set()
        found |= {node.name.text} if isinstance(node, Call) else set()
    return found | {item.norm.text for item in method.perturbations() if item.norm}


def without_unused(method: Method) -> Method:
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


def claimed(method: Method, make: Inventor) -> Method:
    """The method with claims that its forms bear out."""
    inferred = _changed(method, make, _with_manner)
    return _changed(inferred, make, _with_claims)


def _changed(
    method: Method, make: Inventor, change: Callable[[Perturbation, Scope, Inventor], Perturbation]
) -> Method:
    """The method with a change to each perturbation."""
    scope = Scope(method)
    clauses: list[object] = []
    for one in method.clauses:
        if isinstance(one, Branch):
            items = tuple(change(item, scope, make) for item in one.perturbations)
            one = one.model_copy(update={"perturbations": items})
        clauses.append(change(one, scope, make) if isinstance(one, Perturbation) else one)
    return method.model_copy(update={"clauses": tuple(clauses)})


def _with_manner(item: Perturbation, scope: Scope, make: Inventor) -> Perturbation:
    """A fixed form says nothing where something learned stands in it, and may be tuned."""
    if item.infer.manner.text != "prior":
        return item
    if scope.covered(item):
        return item.model_copy(update={"infer": UNINFERRED})
    tuned = item.model_copy(update={"infer": Inference(manner=Word("tuning"))})
    return tuned if make.chance(0.5) and "tuning" in derive(tuned, scope).manners else item


def _with_claims(item: Perturbation, scope: Scope, make: Inventor) -> Perturbation:
    derived = derive(item, scope)
    words = [word for word, grain in GRAINS.items() if grain >= derived.granularity]
    if scope.unknown(item) is not None:
        words = ["corpus"] if item.target.text == "weights" else list(GRAINS)
    several = make.random.sample(words, make.one([1, 1, min(2, len(words))]))
    needed = {call.name.text for call in scope.method.needs}
    against = [word for word in HELD if word not in NEEDS or word in needed]
    changes: dict[str, object] = {"granularity": tuple(map(Word, several))}
    changes["direction"] = Word(make.one(_directions(item, scope, derived.direction)))
    changes["against"] = Word(make.one(against)) if make.chance(0.15) else None
    return item.model_copy(update=changes)


def _directions(item: Perturbation, scope: Scope, derived: str | None) -> list[str]:
    """The directions that a perturbation may claim: `mixed`, and what a measurement or its goal bears out."""
    if not probed(item, scope):
        opposite = OPPOSITE.get(derived) if derived is not None else None
        return [word for word in DIRECTIONS if word != opposite]
    found = probe(item, scope)
    against = {"positive": found.raised, "negative": found.lowered, "mixed": 0.0}
    return ["mixed", *(word for word, share in against.items() if share <= TOLERATED)]


def with_needs(method: Method, make: Inventor) -> Method:
    """The method with everything asked for that it reads, and now and then with more."""
    wanted = _wanted(method)
    owners = {row.owns for row in NEEDS.values() if row.owns}
    for owned in sorted(owners - {NEEDS[word].owns for word in wanted}):
        words = [word for word, row in NEEDS.items() if row.owns == owned]
        wanted |= {make.one(words)} if make.chance(0.1) else set()
    kept = {param.name.text for param in method.params}
    make.values = {name: value for name, value in make.values.items() if name in kept}
    calls = [make.call(word, NEEDS[word].options, FIXED) for word in sorted(wanted)]
    return method.model_copy(update={"needs": tuple(calls)})


def _wanted(method: Method) -> set[str]:
    """What a method reads and does not have."""
    wanted, own = {""}, {one.name.text for one in method.params}
    for node in _nodes(method):
        if isinstance(node, Name) and node.text in VALUES and node.text not in own:
            wanted.add(VALUES[node.text].needs)
        elif isinstance(node, Call) and node.name.text in FUNCTIONS:
            wanted.add(FUNCTIONS[node.name.text].needs)
    for infer in (*(item.infer for item in method.perturbations()), *method.infers):
        wanted |= {infer.on.name.text} & set(NEEDS) if infer.on else set()
    return wanted - {""}
