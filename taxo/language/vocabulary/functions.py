"""The functions of expressions, the forms of states, and the distributions of draws."""

from __future__ import annotations

from taxo.language.vocabulary.rows import NUMBERS, Distribution, Function, Option, Place, Result, Shape, Word

LOGITS, DISTRIBUTION = "logits", "a distribution"
_ANY = float("-inf")
_NUMBER = (Shape.SCALAR,)
_ROWS = (Shape.ROW, Shape.TABLE, Shape.CLASS)
_PARTS = tuple(shape for shape in NUMBERS if shape is not Shape.SCALAR)


def _alike(meaning: str, flat: bool = False) -> Function:
    """A function of each entry of one value."""
    return Function(meaning, (None,), Result.SAME, flat=flat)


def _reducing(meaning: str, second: str) -> Function:
    """A function of one value over its axes, or of the entries of two."""
    return Function(f"{meaning}; of two: {second}", (None, None), Result.SAME, 1, Result.REDUCED)


FUNCTIONS: dict[str, Function] = {
    "exp": _alike("the exponential"),
    "log": _alike("the natural logarithm"),
    "sqrt": _alike("the square root"),
    "abs": _alike("the absolute value"),
    "sign": _alike("-1, 0 or 1", flat=True),
    "floor": _alike("the largest whole number that is not larger", flat=True),
    "relu": _alike("the value where it is positive, else 0"),
    "sigmoid": _alike("1 / (1 + exp(-e))"),
    "sin": _alike("the sine"),
    "cos": _alike("the cosine"),
    "acos": _alike("the angle of a cosine, which is clamped to where a gradient exists"),
    "stop": _alike("the value, without its gradient", flat=True),
    "softmax": Function(
        "the softmax over the classes", (_ROWS,), Result.SAME, kinds=(LOGITS,), gives=DISTRIBUTION
    ),
    "entropy": Function("the entropy of each row", (_ROWS,), Result.CLASSLESS, kinds=(DISTRIBUTION,)),
    "argmax": Function("the class of the largest entry", (_ROWS,), Result.CLASSLESS, flat=True),
    "argmin": Function("the class of the smallest entry", (_ROWS,), Result.CLASSLESS, flat=True),
    "onehot": Function(
        "the distribution that is sure of a class, such as an `argmax` or a number; `y` is one already",
        ((Shape.SAMPLE, Shape.SCALAR),),
        Shape.ROW,
        flat=True,
        gives=DISTRIBUTION,
    ),
    "ce": Function(
        "the cross entropy of logits and a distribution",
        ((Shape.ROW,), (Shape.ROW,)),
        Shape.SAMPLE,
        kinds=(LOGITS, DISTRIBUTION),
    ),
    "kl": Function(
        "the Kullback-Leibler divergence of two distributions, the first one's mean log ratio",
        ((Shape.ROW,), (Shape.ROW,)),
        Shape.SAMPLE,
        kinds=(DISTRIBUTION, DISTRIBUTION),
    ),
    "sum": _reducing("the sum over all axes but the batch", "their sum"),
    "mean": _reducing("the mean over all axes but the batch", "their mean"),
    "max": _reducing("the largest entry over all axes but the batch", "the larger one"),
    "min": _reducing("the smallest entry over all axes but the batch", "the smaller one"),
    "mean_batch": Function("the mean over the batch", (None,), Result.POOLED),
    "quantile": Function(
        "the value below which a share of the batch lies",
        ((Shape.SAMPLE,), _NUMBER),
        Shape.SCALAR,
        limits=((0.0, 1.0),),
    ),
    "l1": Function("the sum of absolute values of each sample's part", (_PARTS,), Result.REDUCED),
    "l2": Function("the Euclidean norm of each sample's part", (_PARTS,), Result.REDUCED),
    "linf": Function("the largest absolute value of each sample's part", (_PARTS,), Result.REDUCED),
    "lp": Function(
        "the norm of order p of each sample's part",
        (_PARTS, _NUMBER),
        Result.REDUCED,
        limits=((1.0, float("inf")),),
    ),
    "quadratic": Function(
        "for a label a and a class c, (W[c] - W[a]) M[a] (W[c] - W[a])",
        ((Shape.VECTORS,), (Shape.MATRICES, Shape.MATRIX, Shape.VECTORS)),
        Shape.TABLE,
    ),
    "mlp": Function(
        "a learned network of one hidden layer: its numbers in, hidden and out",
        (_NUMBER, _NUMBER, _NUMBER),
        Shape.NETWORK,
    ),
    "warp": Function("the input moved along a motion field", ((Shape.X,), (Shape.FIELD,)), Shape.X),
    "lid": Function(
        "the local intrinsic dimension over a number of neighbours", ((Shape.Z,), _NUMBER), Shape.SCALAR
    ),
    "reach": Function(
        "the step along a direction that has a length after clipping to [0, 1]",
        ((Shape.X,), (Shape.X,), (Shape.SAMPLE, Shape.SCALAR)),
        Shape.X,
    ),
    "cosine": Function(
        "the cosine of a feature vector and those of each class, the mean of several",
        ((Shape.Z,), (Shape.VECTORS, Shape.PROTOTYPES)),
        Shape.ROW,
        place=Place.INNER,
    ),
    "named": Function(
        "whether the parameter's name fits a pattern", ((Shape.WORD,),), Shape.TRUTH, only="weights"
    ),
    "h": Function("the output of a named module", ((Shape.WORD,),), Shape.INNER, place=Place.INNER),
    "view": Function(
        "one of the augmented views, counted from 0",
        (_NUMBER,),
        Shape.X,
        needs="views",
        place=Place.FEATURES,
    ),
}

_WHERE = Option("only of the samples where this holds", default="", condition=True)
_LAST = Option("of the last updates only, so many of them", default="", least=1, most=10_000, whole=True)

STATE_FORMS: dict[str, Word] = {
    "mean": Word("the mean of all that was seen", {"where": _WHERE, "last": _LAST}),
    "deviation": Word("the standard deviation of all that was seen", {"where": _WHERE, "last": _LAST}),
    "ema": Word(
        "the exponential moving average",
        {"decay": Option("the share of the old value that is kept", most=1.0)},
    ),
    "covariance": Word(
        "the covariance of all that was seen",
        {"diagonal": Option("variances only", words=("false", "true"), default="false")},
    ),
    "prototypes": Word(
        "per class, the feature vectors that have most others near them",
        {"count": Option("how many", least=1, most=1000, whole=True)},
    ),
}

_SHARE = Option("the probability of 1", most=1.0)

DISTRIBUTIONS: dict[str, Distribution] = {
    "normal": Distribution(
        "the normal distribution",
        {"mean": Option("the mean", least=_ANY), "deviation": Option("the standard deviation")},
    ),
    "uniform": Distribution(
        "all values between two ends alike",
        {"low": Option("the lower end", least=_ANY), "high": Option("the upper end", least=_ANY)},
    ),
    "beta": Distribution(
        "the beta distribution, from 0 to 1", {"a": Option("the pull to 1"), "b": Option("the pull to 0")}
    ),
    "bernoulli": Distribution("1 with a probability, else 0", {"share": _SHARE}),
    "truncated_normal": Distribution(
        "the normal distribution between two ends",
        {
            "mean": Option("the mean", least=_ANY),
            "deviation": Option("the standard deviation"),
            "low": Option("the lower end", least=_ANY),
            "high": Option("the upper end", least=_ANY),
        },
    ),
    "sphere": Distribution("a direction, of length 1", whole_row=True),
    "rectangle": Distribution(
        "1 inside a random rectangle of the picture, clipped at its border, else 0",
        {"area": Option("its share of the picture", most=1.0)},
        whole_row=True,
    ),
    "module": Distribution(
        "one of the modules that a pattern names, or the input",
        {"pattern": Option('a pattern of names, such as `"layer*"`', free=True)},
        result=Shape.SITE,
    ),
    "permutation": Distribution("an order of the batch", result=Shape.PERMUTATION),
}
