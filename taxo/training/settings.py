"""Everything a run depends on besides the method, read from words; no torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from taxo.language.errors import fail
from taxo.training import datasets, words
from taxo.training.archives import ROOT
from taxo.training.choices import OPTIMIZERS, Corrupt, Imbalance, Noise, Schedule, Special, Value
from taxo.training.readers import READERS, read_schedule

Plain = str | int | float | bool | None | dict[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on besides the method; `sensible` makes one."""

    data: str
    data_root: str
    noise: Noise | None
    imbalance: Imbalance | None
    corrupt: Corrupt | None
    augment: str
    validation: float
    clean_validation: int
    model: str
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    momentum: float
    weight_decay: float
    schedule: Schedule
    warmup: int
    clip: float | None
    accumulate: int
    ema: float | None
    init: str | None
    freeze: str | None
    teacher: str | None
    params: tuple[tuple[str, str], ...]
    seed: int
    device: str
    precision: str
    compile: bool
    cuda_graph: bool
    workers: int
    deterministic: bool


def flag(name: str) -> str:
    """The flag that sets a field."""
    return "--set" if name == "params" else f"--{name.replace('_', '-')}"


def sensible(data: str = "digits", optimizer: str = "sgd") -> Settings:
    """The settings that make sense for a data set and an optimizer."""
    recipe = datasets.find(data).recipe
    sgd = words.choice(optimizer, "--optimizer", OPTIMIZERS) == "sgd"
    return Settings(
        data=data,
        data_root=ROOT,
        noise=None,
        imbalance=None,
        corrupt=None,
        augment=recipe.augment,
        validation=recipe.validation,
        clean_validation=0,
        model=recipe.model,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        lr=recipe.lr if sgd else recipe.adamw_lr,
        optimizer=optimizer,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay if sgd else recipe.adamw_weight_decay,
        schedule=read_schedule(recipe.schedule, "--schedule"),
        warmup=0,
        clip=None,
        accumulate=1,
        ema=None,
        init=None,
        freeze=None,
        teacher=None,
        params=(),
        seed=0,
        device="auto",
        precision="32",
        compile=False,
        cuda_graph=False,
        workers=0,
        deterministic=False,
    )


def change(settings: Settings, given: Mapping[str, str]) -> Settings:
    """The settings with some fields replaced by what the given words say, checked."""
    changes: dict[str, Value] = {name: READERS[name](word, flag(name)) for name, word in given.items()}
    if changes.get("model") == "auto":
        changes["model"] = datasets.find(settings.data).recipe.model
    changed = replace(settings, **changes)
    _check_data(changed)
    if changed.warmup >= changed.epochs:
        hint = f"warm up for fewer than {changed.epochs} epochs"
        fail("T503", f"`--warmup {changed.warmup}` leaves nothing of `--epochs {changed.epochs}`", help=hint)
    if changed.cuda_graph and changed.compile:
        fail("T503", "`--cuda-graph` and `--compile` do not go together", help="leave one of them out")
    if any(milestone >= changed.epochs for milestone in changed.schedule.milestones):
        hint = f"every milestone lies below {changed.epochs}"
        fail("T503", f"`--schedule {changed.schedule}` goes beyond `--epochs {changed.epochs}`", help=hint)
    return changed


def _check_data(settings: Settings) -> None:
    """T503 where the data cannot be changed as asked."""
    row = datasets.find(settings.data)
    asked = {
        f"--imbalance {settings.imbalance}": settings.imbalance is not None and row.goal != "classes",
        f"--corrupt {settings.corrupt}": settings.corrupt is not None and not row.images,
        f"--workers {settings.workers}": settings.workers > 0 and not row.files,
        f"--augment {settings.augment}": settings.augment != "none" and not row.images,
        f"--noise {settings.noise}": settings.noise is not None
        and settings.noise.kind != "random"
        and row.goal != "classes",
    }
    for words_typed, wrong in asked.items():
        if wrong:
            flag_typed = words_typed.partition(" ")[0]
            kind = _ABOUT.get(flag_typed, "images")
            fail("T503", f"`{words_typed}` is about {kind}, and `{row.name}` has none", help="leave it out")


_ABOUT = {"--imbalance": "classes", "--noise": "classes", "--workers": "image files"}


def from_words(given: Mapping[str, str], assignments: list[str]) -> Settings:
    """The settings that words and `name=value` parameters ask for, sensible where they say nothing."""
    base = sensible(given.get("data", "digits"), given.get("optimizer", "sgd"))
    return with_params(change(base, given), assignments)


def with_params(settings: Settings, assignments: list[str]) -> Settings:
    """The settings with parameters of the method set as in `eta=4`."""
    changes = dict(words.assignment(text, "--set") for text in assignments)
    return replace(settings, params=tuple((dict(settings.params) | changes).items()))


def to_json(settings: Settings) -> dict[str, Plain]:
    """The settings as plain values, which `from_json` reads back."""
    plain: dict[str, Plain] = {
        field.name: _plain(getattr(settings, field.name)) for field in fields(settings)
    }
    return plain | {"params": dict(settings.params)}


def from_json(plain: Mapping[str, Plain]) -> Settings:
    """The settings that `to_json` wrote."""
    params = plain.get("params")
    given = {name: _as_word(value) for name, value in plain.items() if name != "params"}
    if given.keys() != READERS.keys() or not isinstance(params, dict):
        fail("T507", "the settings in `run.json` are not this version's", help="start a new run")
    return replace(change(sensible(given["data"]), given), params=tuple(params.items()))


def _plain(value: Value) -> Plain:
    return str(value) if isinstance(value, Special) else value


def _as_word(value: Plain) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
