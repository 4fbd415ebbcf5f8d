"""Seeds."""

from __future__ import annotations

import torch

from taxo.training.seeds import generator, number


def test_every_purpose_and_seed_has_its_own_stream():
    assert len({number(seed, purpose) for seed in range(20) for purpose in ("test", "noise", "order")}) == 60
    assert not torch.equal(
        torch.rand(3, generator=generator(0, "a")), torch.rand(3, generator=generator(0, "b"))
    )


def test_the_streams_are_the_same_in_every_process():
    assert number(0, "noise") == 2875539411
