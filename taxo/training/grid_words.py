"""What `taxo compare` is asked, from the words of the command line to a grid."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from taxo.catalog import whole
from taxo.language.errors import fail
from taxo.training import folder, words
from taxo.training.data import load
from taxo.training.device import pick
from taxo.training.grid import Entrant, Grid, GridFolder
from taxo.training.options import given_words
from taxo.training.questions import questions, refuse_shape, refuse_unfit
from taxo.training.run import prepare
from taxo.training.settings import READERS, change, from_words, with_params
from taxo.training.sweeps import swept
from taxo.variants import split_words

DEFAULT_SEEDS = 5


def asked(namespace: Namespace, kept: GridFolder | None) -> Grid:
    """What is to be compared; a comparison that is gone on with keeps what is not said anew."""
    labels, variants = swept([str(label) for label in namespace.methods], _sweeps(namespace))
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        fail("T103", f"`{twice}` is compared twice", help="name each method or variant once")
    seeds = None if namespace.seeds is None else words.whole(str(namespace.seeds), "--seeds", 1)
    typed = None if namespace.evaluate is None else questions(str(namespace.evaluate), "--evaluate")
    noises = None if namespace.noise is None else levels(str(namespace.noise))
    given = {name: word for name, word in given_words(namespace).items() if name != "noise"}
    values = list(namespace.assignments)
    if kept is None:
        if not labels:
            fail("T503", "`taxo compare` needs methods", help="`taxo list` shows them")
        noises = noises or ("none",)
        settings = from_words({**given, "noise": noises[0]}, values)
        return Grid(tuple(labels), seeds or DEFAULT_SEEDS, settings, typed or (), noises, variants)
    origin = kept.origin()
    settings = with_params(change(origin.settings, given), values)
    folder.refuse_setting(origin.settings, settings, kept.path / "compare.json")
    questioned = origin.asked if typed is None else typed
    before, now = ("\n".join(map(str, each)) for each in (origin.asked, questioned))
    folder.refuse_change(before, now, str(kept.path / "compare.json"), "what is evaluated")
    known = tuple(one for one in origin.swept if one.label not in labels)
    return replace(
        origin,
        labels=tuple(labels) or origin.labels,
        seeds=seeds or origin.seeds,
        settings=settings,
        noises=noises or origin.noises,
        swept=(*known, *variants),
    )


def levels(text: str) -> tuple[str, ...]:
    """The levels of noise in a list, each as `Noise` writes it."""
    read = READERS["noise"]
    found = tuple(
        "none" if (noise := read(word, "--noise")) is None else str(noise) for word in split_words(text)
    )
    if len(set(found)) < len(found):
        fail("T503", f"`--noise {text}` has a level twice", help="name each level once")
    return found


def entrants(grid: Grid) -> list[Entrant]:
    """Compile every method once, so that a mistake in the last one shows before the first one trains."""
    for noise in grid.noises:
        refuse_unfit(grid.asked, grid.at(noise))
    data = load(grid.settings, pick(grid.settings.device))
    refuse_shape(grid.asked, data.test.inputs.shape)
    steps = [(label, prepare(label, grid.settings, data).step) for label in grid.labels]
    # with what each of them uses, which may be another file
    return [Entrant(label, str(whole(step.method)), step.plan.cost) for label, step in steps]


def _sweeps(namespace: Namespace) -> list[str]:
    if namespace.sweeps and not namespace.methods:
        fail("T503", "`--sweep` needs methods to sweep over", help="name them before it")
    return [str(text) for text in namespace.sweeps]
