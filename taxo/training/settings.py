"""Everything a run depends on besides the method, read from words; no torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf

from taxo.language.errors import fail, suggest
from taxo.training import datasets, words

MODEL_NAMES = ("cnn", "mlp", "linear", "resnet20", "centres", "rigid")
NOISE_KINDS = ("pair", "random", "asymmetric")
IMBALANCE_KINDS = ("exp", "step")
CORRUPTION_NAMES = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("gaussian_blur", "defocus_blur", "motion_blur"),
    *("brightness", "contrast", "fog"),
)
SEVERITIES = (1, 2, 3, 4, 5)
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "constant", "linear", "multistep")
DEVICES = ("auto", "cpu", "cuda")

Plain = str | int | float | bool | None | dict[str, str]


@dataclass(frozen=True, slots=True)
class Noise:
    """Wrong labels: of which kind, on which share of the samples."""

    kind: str
    share: float

    def __str__(self) -> str:
        percent = f"{self.share * 100:.12g}%"
        return f"{self.kind}:{percent if words.number(percent) == self.share else repr(self.share)}"


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Classes of falling size: along which curve, and how much larger the first is than the last."""

    kind: str
    ratio: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.ratio!r}"


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Corrupted training images: how, and how strongly."""

    kind: str
    severity: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.severity}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate falls over the run; milestones are epochs, for `multistep` only."""

    kind: str
    milestones: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(map(str, self.milestones))}" if self.milestones else self.kind


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on besides the method; `sensible` makes one."""

    data: str
    noise: Noise | None
    imbalance: Imbalance | None
    corrupt: Corrupt | None
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
    teacher: str | None
    params: tuple[tuple[str, str], ...]
    seed: int
    device: str
    deterministic: bool


Special = Noise | Imbalance | Corrupt | Schedule
Value = str | int | float | bool | Special | None


def flag(name: str) -> str:
    """The flag that sets a field."""
    return "--set" if name == "params" else f"--{name.replace('_', '-')}"


def sensible(data: str = "digits", optimizer: str = "sgd") -> Settings:
    """The settings that make sense for a data set and an optimizer."""
    recipe = datasets.find(data).recipe
    sgd = words.choice(optimizer, "--optimizer", OPTIMIZERS) == "sgd"
    return Settings(
        data=data,
        noise=None,
        imbalance=None,
        corrupt=None,
        validation=recipe.validation,
        clean_validation=0,
        model=recipe.model,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        lr=recipe.lr if sgd else recipe.adamw_lr,
        optimizer=optimizer,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay if sgd else recipe.adamw_weight_decay,
        schedule=_schedule(recipe.schedule, "--schedule"),
        warmup=0,
        clip=None,
        teacher=None,
        params=(),
        seed=0,
        device="auto",
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
        f"--noise {settings.noise}": settings.noise is not None
        and settings.noise.kind != "random"
        and row.goal != "classes",
    }
    for words_typed, wrong in asked.items():
        if wrong:
            kind = "images" if "corrupt" in words_typed else "classes"
            fail("T503", f"`{words_typed}` is about {kind}, and `{row.name}` has none", help="leave it out")


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
    words.choice(kind, flag, CORRUPTION_NAMES)
    if severity not in map(str, SEVERITIES):
        words.unreadable(word, flag, "a corruption and its severity, such as `fog:3`, from 1 to 5, or `none`")
    return Corrupt(kind, int(severity))


def _schedule(word: str, flag: str) -> Schedule:
    kind, _, rest = word.partition(":")
    words.choice(kind, flag, SCHEDULES)
    milestones = [words.whole(part.strip(), flag, 1) for part in rest.split(",")] if rest else []
    if bool(milestones) != (kind == "multistep") or milestones != sorted(set(milestones)):
        words.unreadable(word, flag, "`multistep:60,80` with rising epochs, or a name without epochs")
    return Schedule(kind, tuple(milestones))


def _model(word: str, _: str) -> str:
    if word not in (*MODEL_NAMES, "auto"):
        fail("T504", f"no model `{word}`", help=suggest(word, MODEL_NAMES))
    return word


def _clip(word: str, flag: str) -> float | None:
    return None if word == "none" else words.real(word, flag, "a positive gradient norm, or `none`", 0, inf)


def _positive(word: str, flag: str) -> float:
    return words.real(word, flag, "a number above 0", 0, inf)


def _not_negative(word: str, flag: str) -> float:
    return words.real(word, flag, "a number of at least 0", 0, inf, low_counts=True)


READERS: dict[str, Callable[[str, str], Value]] = {
    "data": lambda word, _: datasets.find(word).name,
    "noise": _noise,
    "imbalance": _imbalance,
    "corrupt": _corrupt,
    "validation": words.share,
    "clean_validation": lambda word, flag: words.whole(word, flag, 0),
    "model": _model,
    "epochs": lambda word, flag: words.whole(word, flag, 1),
    "batch_size": lambda word, flag: words.whole(word, flag, 1),
    "lr": _positive,
    "optimizer": lambda word, flag: words.choice(word, flag, OPTIMIZERS),
    "momentum": words.share,
    "weight_decay": _not_negative,
    "schedule": _schedule,
    "warmup": lambda word, flag: words.whole(word, flag, 0),
    "clip": _clip,
    "teacher": lambda word, _: None if word == "none" else word,
    "seed": lambda word, flag: words.whole(word, flag, 0),
    "device": lambda word, flag: words.choice(word, flag, DEVICES),
    "deterministic": lambda word, flag: words.choice(word, flag, ("on", "off")) == "on",
}
