"""The words that settings choose from, and the values that some of them stand for; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.training import words

MODEL_NAMES = (
    *("cnn", "mlp", "linear"),
    *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
    *("preact_resnet18", "wrn_28_10", "wrn_40_2", "vit_s_16", "bilstm"),
    *("centres", "rigid"),
)
NOISE_KINDS = ("pair", "random", "asymmetric")
IMBALANCE_KINDS = ("exp", "step")
CORRUPTION_NAMES = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("gaussian_blur", "defocus_blur", "motion_blur"),
    *("brightness", "contrast", "fog"),
)
FURTHER_CORRUPTIONS = (  # of a package, which is an extra
    *("glass_blur", "zoom_blur", "snow", "frost", "spatter"),
    *("elastic_transform", "pixelate", "jpeg_compression", "speckle_noise", "saturate"),
)
CORRUPTION_SETS = {"native": CORRUPTION_NAMES, "all": (*CORRUPTION_NAMES, *FURTHER_CORRUPTIONS)}
SEVERITIES = (1, 2, 3, 4, 5)
AUGMENTATIONS = ("none", "flip_crop", "randaugment", "autoaugment", "augmix")
PRECISIONS = ("32", "bf16", "16")
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "constant", "linear", "multistep")
DEVICES = ("auto", "cpu", "cuda")


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


Special = Noise | Imbalance | Corrupt | Schedule
Value = str | int | float | bool | Special | None
