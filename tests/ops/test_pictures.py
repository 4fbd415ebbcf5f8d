"""What is a picture, and what is none."""

import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.ops.pictures import motionless, pictures


def test_a_field_over_pictures():
    field = motionless(torch.ones(3, 1, 4, 5, dtype=torch.bfloat16))
    assert field.shape == (3, 2, 4, 5)
    assert field.dtype == torch.float32
    assert not field.any()


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 5), (3, 1, 2, 4, 5)])
def test_columns_are_no_pictures(shape: tuple[int, ...]):
    with pytest.raises(TaxoError, match=r"pictures are needed") as raised:
        pictures(torch.zeros(shape))
    assert raised.value.diagnostics[0].code == "T412"
