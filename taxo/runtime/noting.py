"""A module that notes much in each call."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class Noting(nn.Module):
    """A module whose plain attributes are set as quickly as any object's."""

    def __setattr__(self, name: str, value: object) -> None:
        own = self.__dict__
        if name in own and not isinstance(value, nn.Parameter | nn.Module):
            own[name] = value  # torch would first look whether it is a part
        else:
            super().__setattr__(name, cast("Tensor | nn.Module", value))
