"""What carries the word out. Programs that use it import this module."""

from torch import Tensor
from torch.nn import functional


def softplus(e: Tensor) -> Tensor:
    """A smooth relu."""
    return functional.softplus(e)
