"""The settings that data sets are trained with unless the user says otherwise; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings a data set is trained with unless the user says otherwise."""

    model: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    momentum: float = 0.9
    adamw_lr: float = 2e-3
    adamw_weight_decay: float = 1e-2
    schedule: str = "cosine"
    validation: float = 0.1
    augment: str = "none"


TABLE = Recipe(model="mlp", epochs=100, batch_size=32, lr=0.02, weight_decay=5e-4)
DIGITS = Recipe(model="cnn", epochs=60, batch_size=64, lr=0.02, weight_decay=5e-4)
GREY = Recipe(model="cnn", epochs=30, batch_size=64, lr=0.1, weight_decay=5e-4)
PATCHES = Recipe(model="cnn", epochs=20, batch_size=64, lr=0.02, weight_decay=5e-4)
# each point meets the nearest of its batch, so that a batch is all of them
POINTS = Recipe(model="rigid", epochs=200, batch_size=150, lr=0.1, weight_decay=0.0, validation=0.0)
MNIST = replace(GREY, batch_size=128)
COLOUR = Recipe(
    model="preact_resnet18", epochs=200, batch_size=128, lr=0.1, weight_decay=5e-4, augment="flip_crop"
)
NUMBERS = replace(COLOUR, augment="none")  # a flipped 2 is none
OBJECTS = replace(COLOUR, epochs=90, model="resnet18", weight_decay=1e-4, batch_size=256)
PLANE = replace(TABLE, epochs=60)
TEXTS = Recipe(model="bilstm", epochs=10, batch_size=32, lr=0.5, weight_decay=0.0, adamw_lr=1e-3)
