"""Settings: read, checked, written, read back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from taxo.language.errors import TaxoError
from taxo.training.choices import MODEL_NAMES, NOISE_KINDS, Noise, Schedule
from taxo.training.models import MODELS
from taxo.training.noise import KINDS
from taxo.training.readers import READERS
from taxo.training.settings import Settings, change, from_json, from_words, sensible, to_json


def test_words_become_values():
    settings = from_words(
        {"noise": "pair:30%", "schedule": "multistep:3,5", "epochs": "8", "clip": "1", "validation": "0.2"},
        ["eta=4", "pro=45%"],
    )
    assert settings.noise == Noise("pair", 0.3)
    assert settings.schedule == Schedule("multistep", (3, 5))
    assert (settings.epochs, settings.clip, settings.validation) == (8, 1.0, 0.2)
    assert settings.params == (("eta", "4"), ("pro", "45%"))


def test_what_is_sensible_depends_on_the_optimizer():
    assert from_words({"optimizer": "adamw"}, []).lr != sensible().lr
    assert from_words({"optimizer": "adamw", "lr": "0.5"}, []).lr == 0.5


def test_model_auto_is_the_data_sets_own():
    assert change(replace(sensible(), model="mlp"), {"model": "auto"}).model == sensible().model


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("data", "digit", "T501.*no data set `digit`.*\n.*did you mean `digits`"),
        ("model", "resnet", "T504.*no model `resnet`.*\n.*did you mean `resnet20`"),
        ("noise", "pairs:30%", "T503.*`--noise` cannot be `pairs`.*\n.*did you mean `pair`"),
        ("noise", "0.3", "T503.*`--noise` cannot be `0.3`.*\n.*pair:30%"),
        ("noise", "pair:130%", "T503.*`--noise` cannot be `130%`"),
        ("optimizer", "sdg", "did you mean `sgd`"),
        ("schedule", "multistep", "T503.*`multistep`.*\n.*multistep:60,80"),
        ("schedule", "multistep:5,3", "rising epochs"),
        ("schedule", "cosine:5", "a name without epochs"),
        ("schedule", "multistep:5,900", "goes beyond `--epochs"),
        ("warmup", "900", "leaves nothing of `--epochs"),
        ("lr", "0", "`--lr` cannot be `0`.*\n.*above 0"),
        ("weight_decay", "-1", "`--weight-decay` cannot be `-1`"),
        ("momentum", "1", "`--momentum` cannot be `1`"),
        ("clip", "0", "positive gradient norm"),
        ("device", "gpu", "`--device` cannot be `gpu`"),
    ],
)
def test_a_word_that_cannot_be_read(name: str, word: str, message: str):
    with pytest.raises(TaxoError, match=message):
        from_words({name: word}, [])


@pytest.mark.parametrize("share", [0.3, 0.07, 1 / 3, 0.1 + 0.2, 1e-7])
def test_noise_reads_back(share: float):
    noise = Noise("random", share)
    assert from_words({"noise": str(noise)}, []).noise == noise


def test_json_reads_back():
    settings = from_words(
        {
            "noise": "random:1/3",
            "schedule": "multistep:2",
            "clip": "0.1",
            "lr": "1e-7",
            "deterministic": "on",
        },
        ["eps=8/255", "steps=3"],
    )
    assert from_json(json.loads(json.dumps(to_json(settings)))) == settings
    assert from_json(to_json(sensible())) == sensible()


@pytest.mark.parametrize("name", ["lr", "params"])
def test_json_of_another_version_is_refused(name: str):
    plain = to_json(sensible())
    del plain[name]
    with pytest.raises(TaxoError, match=r"T507"):
        from_json(plain)


def test_every_field_can_be_read_and_every_word_is_known_where_it_acts():
    assert READERS.keys() | {"params"} == set(Settings.__slots__)
    assert tuple(MODELS) == MODEL_NAMES
    assert tuple(KINDS) == NOISE_KINDS
