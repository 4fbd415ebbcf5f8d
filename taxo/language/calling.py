"""What a call gives: each option with its value, by name or by place."""

from __future__ import annotations

from collections.abc import Mapping

from taxo.language.syntax import Call, Expression
from taxo.language.vocabulary import Option


def given(call: Call, options: Mapping[str, Option]) -> dict[str, Expression]:
    """The options a call gives; those without a name fill the options in order."""
    order = iter(options)
    return {
        argument.name.text if argument.name else next(order, ""): argument.value
        for argument in call.arguments
    }
