"""The flags."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pytest

from taxo.language.errors import TaxoError
from taxo.training.choices import Noise
from taxo.training.options import (
    OPTIONS,
    add_compare_options,
    add_run_options,
    add_train_options,
    settings_from,
)
from taxo.training.readers import READERS
from taxo.training.settings import sensible


def parse(*words: str) -> Namespace:
    parser = ArgumentParser()
    add_run_options(parser)
    add_train_options(parser)
    return parser.parse_args(words)


def test_nothing_typed_is_what_is_sensible():
    assert settings_from(parse()) == sensible()


def test_flags_reach_the_settings():
    settings = settings_from(
        parse("--noise", "pair:0.3", "--batch-size", "7", "--set", "a=1", "--set", "b=2%", "--seed", "3")
    )
    assert settings.noise == Noise("pair", 0.3)
    assert (settings.batch_size, settings.seed, settings.params) == (7, 3, (("a", "1"), ("b", "2%")))
    assert settings_from(parse("--deterministic")).deterministic
    assert settings_from(parse("--cuda-graph")).cuda_graph
    assert not settings_from(parse("--cuda-graph", "--no-cuda-graph")).cuda_graph


def test_a_mistake_names_the_flag():
    with pytest.raises(TaxoError, match=r"`--batch-size` cannot be `many`"):
        settings_from(parse("--batch-size", "many"))


def test_every_setting_has_a_flag():
    switches = {"compile", "cuda_graph", "deterministic"}
    assert {option.name for option in OPTIONS} | {"seed"} | switches == READERS.keys()


def test_resume_may_name_no_run():
    assert parse().resume is None
    assert parse("--resume").resume == ""
    assert parse("--resume", "runs/a").resume == "runs/a"


def test_help_can_be_printed(capsys: pytest.CaptureFixture[str]):
    parser = ArgumentParser()
    add_run_options(parser)
    add_compare_options(parser)
    parser.print_help()
    assert "pair:30%" in capsys.readouterr().out
