"""The calculus of shapes: what is left of axes that are joined, reduced, picked from or shared."""

from __future__ import annotations

from taxo.language.vocabulary import BY_AXES, Grain, Shape


def joined(left: Shape, right: Shape) -> Shape | None:
    """The shape of a sum of two; None where they do not fit.

    The smaller one is repeated along the axes it lacks; that is clear where the larger one has each once.
    """
    if left == right:
        return left
    small, large = sorted((left.axes or "", right.axes or ""), key=len)
    if left.axes is None or right.axes is None or not set(small) <= set(large):
        return None
    clear = len(set(large)) == len(large) and len(small) < len(large)
    return BY_AXES[large] if not small or clear else None


def multiplied(left: Shape, right: Shape) -> Shape | None:
    """The shape of a product of two: a number per sample times one per class is one for both."""
    if {left, right} == {Shape.SAMPLE, Shape.CLASS}:
        return Shape.ROW
    return joined(left, right)


def reduced(shape: Shape) -> Shape:
    """What is left where all axes but the batch are gone."""
    return Shape.SAMPLE if shape.per_sample else Shape.SCALAR


def pooled(shape: Shape) -> Shape | None:
    """What is left where the batch is gone."""
    return BY_AXES.get(shape.axes[1:]) if shape.axes and shape.per_sample else None


def picked(value: Shape, index: Shape) -> Shape | None:
    """What `value[index]` is: the label's entry, that of one class, or the batch in another order."""
    if value.axes is None:
        return None
    if index == Shape.PERMUTATION:
        return value if value.per_sample else None
    if index not in (Shape.ROW, Shape.SAMPLE, Shape.SCALAR):
        return None
    instead = "" if index == Shape.SCALAR else "B"
    if value.axes.startswith("C"):
        return BY_AXES.get(instead + value.axes[1:])
    return Shape.SAMPLE if value == Shape.ROW else None


def per_grain(shape: Shape, grain: Grain) -> Shape | None:
    """The shape of a value of this shape per sample, per class, or for all samples."""
    axes = shape.axes
    if axes is None:
        return None
    rest = axes[1:] if shape.per_sample else axes
    if grain == Grain.CORPUS:
        return BY_AXES.get(rest)
    first = "C" if grain == Grain.CATEGORY else "B"
    return shape if axes.startswith(first) and not shape.per_sample else BY_AXES.get(first + rest)
