"""`--sweep lam=0.1,0.2`: a method at several values, each a variant of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from taxo.catalog import load
from taxo.language.errors import fail, suggest
from taxo.training import words
from taxo.training.grid import Swept
from taxo.variants import split_reference, split_values, split_words


def swept(labels: Sequence[str], typed: Sequence[str]) -> tuple[list[str], tuple[Swept, ...]]:
    """The methods as typed, each that has a swept parameter once for each of its values.

    Methods without such a parameter stay as they are; T403 if none of them has it.
    """
    sweeps = dict(_sweep(text) for text in typed)
    if len(sweeps) < len(typed):
        fail("T503", "`--sweep` names a parameter twice", help="give all its values at once")
    known = {label: _params(label) for label in labels}
    for name in sweeps:
        names = sorted({param for params in known.values() for param in params})
        if name not in names:
            fail("T403", f"no method compared here has a parameter `{name}`", help=suggest(name, names))
    found = [variant for label in labels for variant in _variants(label, known[label], sweeps)]
    return [one.label for one in found], tuple(one for one in found if one.values)


def with_value(reference: str, name: str, text: str) -> str:
    """A method as typed, with one more value.

    >>> with_value("logpert", "lam", "0.2"), with_value("esp(eps: 2)+damp", "sigma", "0.1")
    ('logpert(lam: 0.2)', 'esp(eps: 2, sigma: 0.1)+damp')
    """
    parts = split_reference(reference)
    place = next(number for number, part in enumerate(parts) if name in _params_of(part))
    base, values = split_values(parts[place])
    inside = values.strip().removeprefix("(").removesuffix(")").strip()
    parts[place] = f"{base}({inside}, {name}: {text})" if inside else f"{base}({name}: {text})"
    return "+".join(parts)


def _variants(label: str, params: Sequence[str], sweeps: dict[str, list[str]]) -> list[Swept]:
    own = [[(name, text) for text in texts] for name, texts in sweeps.items() if name in params]
    found: list[Swept] = []
    for values in product(*own):
        variant = label
        for name, text in values:
            variant = with_value(variant, name, text)
        found.append(Swept(variant, label, values))
    return found


def _params(label: str) -> list[str]:
    return [name for part in split_reference(label) for name in _params_of(part)]


def _params_of(part: str) -> list[str]:
    return [param.name.text for param in load(part).params]


def _sweep(text: str) -> tuple[str, list[str]]:
    name, values = words.assignment(text, "--sweep")
    found = split_words(values)
    if len(set(found)) < len(found) or "" in found:
        words.unreadable(text, "--sweep", "values that differ, such as `lam=0.1,0.2,0.4`")
    return name, found
