"""A word of its own for taxo: its row, and where the function lies. Nothing here imports torch."""

from taxo.language.vocabulary import Function, Result
from taxo.plugins import Op

SOFTPLUS = Op(
    "softplus",
    Function("a smooth relu: log(1 + exp(e))", shapes=(None,), result=Result.SAME),
    "taxo_softplus.ops:softplus",
)
