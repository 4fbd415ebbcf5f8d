"""What the laws are tried on: every shipped method, some at other values, and pairs of them."""

from __future__ import annotations

import os
import random

import pytest

import taxo
from taxo.laws.pairs import pairs

SHIPPED = tuple(taxo.methods())
VARIANTS = (
    "damp(parts: 4)",
    'damp(sites: "*.weight")',
    "label_smoothing(lam: 0.4)",
    "logpert(lam: 1, eta: 0.8)",
    "mixpert(clean_share: 40%)",
    "mixpert(eps: 8/255)",
    "mixpert(eps: 8/255, pro: 0%)",
    "mixpert(eps: 8/255, pro: 45%)",
    "mixpert(eps: 8/255, clean_share: 40%)",
    "mixpert(eta: 0, eps: 8/255, clean_share: 40%)",
    "pgd_at(start: zero, steps: 3)",
    "sam(rho: 0.6)",
)
ALL = os.environ.get("TAXO_LAWS") == "all"
SOME = 12
ONCE_BROKEN = (  # pairs that once broke a law: by names, passes, labels, gradients, what is learned
    "augmix+d2l",
    "dlb+selfpaced_logpert",
    "dac+interpolated_at",
    "adversarial_label_smoothing+dac",
    "mixpert_adaptive+arcface",
    "hard_bootstrapping+reg_pert",
    "augmix+sam",
    "meta_logpert+multiview_robust",
    "autobalance+svm",
)
# what torch.compile itself says
TORCHS_OWN = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def legal_pairs() -> list[str]:
    """The pairs to try: always the same sample, or at `make laws` all, in both orders where it counts."""
    legal = [one for one in pairs(SHIPPED) if not one.refused]
    if not ALL:
        return [*ONCE_BROKEN, *(one.name for one in random.Random(0).sample(legal, SOME))]
    turned = [f"{one.second}+{one.first}" for one in legal if "T307" in one.codes]
    return [*(one.name for one in legal), *turned]


PAIRS = legal_pairs()
