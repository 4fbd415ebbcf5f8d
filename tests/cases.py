"""How many cases the property tests try: a thousand as a rule, `TAXO_CASES` of them at night."""

import os

from hypothesis import settings

CASES = int(os.environ.get("TAXO_CASES", "1000"))


def cases(share: float) -> settings:
    """Settings for a test that tries a share of all cases."""
    return settings(max_examples=max(1, round(share * CASES)))
