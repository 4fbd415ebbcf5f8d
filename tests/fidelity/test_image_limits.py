"""The limits in which a method on images becomes another one."""

from __future__ import annotations

import pytest
import torch

from tests.fidelity.nets import NETS, close
from tests.fidelity.test_limits import run

LIMITS = [
    ("fgsm", "pgd_at(steps: 1, step: 8/255, start: zero)", "pgd_at(steps: 1, step: 4/255, start: zero)"),
    ("mixed_adversarial(eps: 0, eps_sample: 8/255)", "fgsm", "mixed_adversarial"),
    ("interpolated_at(eps: 0)", "mixup", "interpolated_at"),
    ("adversarial_label_smoothing_at", "pgd_at+label_smoothing", "pgd_at"),
    ("adversarial_label_smoothing_at(lam: 0)", "pgd_at", "adversarial_label_smoothing_at"),
    ("adversarial_label_smoothing_at(eps: 0)", "label_smoothing", "adversarial_label_smoothing_at"),
]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "same", "other"), LIMITS, ids=[row[0] for row in LIMITS])
def test_a_limit_is_another_method(spec: str, same: str, other: str, net: str):
    found = run(spec, net)
    close(found, run(same, net), atol=1e-12)
    assert not torch.allclose(found[-1], run(other, net)[-1], atol=1e-9)
