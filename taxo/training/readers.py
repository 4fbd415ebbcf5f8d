"""What the word behind each flag means; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from taxo.language.errors import fail, suggest
from taxo.training import borrowed, datasets, elsewhere, hub, words
from taxo.training.choices import (
    AUGMENTATIONS,
    CORRUPTION_SETS,
    DEVICES,
    FURTHER_CORRUPTIONS,
    IMBALANCE_KINDS,
    MODEL_NAMES,
    NOISE_KINDS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    SEVERITIES,
    Corrupt,
    Imbalance,
    Noise,
    Schedule,
    Value,
)


def _noise(word: str, flag: str) -> Noise | None:
    if word == "none":
        return None
    kind, colon, share = word.partition(":")
    if not colon:
        words.unreadable(word, flag, "a kind and a share, such as `pair:30%` or `random:0.2`, or `none`")
    return Noise(words.choice(kind, flag, NOISE_KINDS), words.share(share, flag))


def _imbalance(word: str, flag: str) -> Imbalance | None:
    if word == "none":
        return None
    kind, colon, ratio = word.partition(":")
    expected = "a curve and a ratio, such as `exp:50` or `step:10`, or `none`"
    if not colon:
        words.unreadable(word, flag, expected)
    return Imbalance(words.choice(kind, flag, IMBALANCE_KINDS), words.real(ratio, flag, expected, 1, inf))


def _corrupt(word: str, flag: str) -> Corrupt | None:
    if word == "none":
        return None
    kind, _, severity = word.partition(":")
    words.choice(kind, flag, CORRUPTION_SETS["all"])
    if severity not in map(str, SEVERITIES):
        words.unreadable(word, flag, "a corruption and its severity, such as `fog:3`, from 1 to 5, or `none`")
    if kind in FURTHER_CORRUPTIONS:
        borrowed.check(kind)
    return Corrupt(kind, int(severity))


def _decay(word: str, flag: str) -> float | None:
    expected = "a share of the average that stays, such as `0.999`, or `none`"
    return None if word == "none" else words.real(word, flag, expected, 0, 1)


def _perhaps(word: str, _: str) -> str | None:
    return None if word == "none" else word


def _switch(word: str, flag: str) -> bool:
    return words.choice(word, flag, ("on", "off")) == "on"


def read_schedule(word: str, flag: str) -> Schedule:
    """A schedule, with its milestones if it has some."""
    kind, _, rest = word.partition(":")
    words.choice(kind, flag, SCHEDULES)
    milestones = [words.whole(part.strip(), flag, 1) for part in rest.split(",")] if rest else []
    if bool(milestones) != (kind == "multistep") or milestones != sorted(set(milestones)):
        words.unreadable(word, flag, "`multistep:60,80` with rising epochs, or a name without epochs")
    return Schedule(kind, tuple(milestones))


def _model(word: str, _: str) -> str:
    if word != "auto":
        check_model(word)
    return word


def check_model(name: str) -> None:
    """T504 for a name that is no model's, here, in torchvision, or one of Hugging Face's."""
    if name in MODEL_NAMES:
        return
    if hub.is_named(name):
        hub.check(name)
        return
    if not elsewhere.is_installed():
        near = suggest(name, MODEL_NAMES)
        fail("T504", f"no model `{name}`", help=f"{near}; `pip install torchvision` brings more")
    others = elsewhere.names()
    if name not in others:
        fail("T504", f"no model `{name}`", help=suggest(name, (*MODEL_NAMES, *others)))


def _clip(word: str, flag: str) -> float | None:
    return None if word == "none" else words.real(word, flag, "a positive gradient norm, or `none`", 0, inf)


def _positive(word: str, flag: str) -> float:
    return words.real(word, flag, "a number above 0", 0, inf)


def _not_negative(word: str, flag: str) -> float:
    return words.real(word, flag, "a number of at least 0", 0, inf, low_counts=True)


READERS: dict[str, Callable[[str, str], Value]] = {
    "data": lambda word, _: datasets.find(word).name,
    "data_root": lambda word, _: word,
    "noise": _noise,
    "imbalance": _imbalance,
    "corrupt": _corrupt,
    "augment": lambda word, flag: words.choice(word, flag, AUGMENTATIONS),
    "validation": words.share,
    "clean_validation": lambda word, flag: words.whole(word, flag, 0),
    "model": _model,
    "epochs": lambda word, flag: words.whole(word, flag, 1),
    "batch_size": lambda word, flag: words.whole(word, flag, 1),
    "lr": _positive,
    "optimizer": lambda word, flag: words.choice(word, flag, OPTIMIZERS),
    "momentum": words.share,
    "weight_decay": _not_negative,
    "schedule": read_schedule,
    "warmup": lambda word, flag: words.whole(word, flag, 0),
    "clip": _clip,
    "accumulate": lambda word, flag: words.whole(word, flag, 1),
    "ema": _decay,
    "init": _perhaps,
    "freeze": _perhaps,
    "teacher": _perhaps,
    "seed": lambda word, flag: words.whole(word, flag, 0),
    "device": lambda word, flag: words.choice(word, flag, DEVICES),
    "precision": lambda word, flag: words.choice(word, flag, PRECISIONS),
    "compile": _switch,
    "cuda_graph": _switch,
    "workers": lambda word, flag: words.whole(word, flag, 0),
    "deterministic": _switch,
}
