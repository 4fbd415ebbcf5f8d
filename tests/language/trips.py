"""The ways a method can be written down and read again."""

from taxo.catalog import parse
from taxo.language.layout import formatted
from taxo.language.method import Method
from taxo.laws.rebuilding import rebuilt, sayable


def survives(method: Method) -> None:
    """Text, JSON and builder all give the same method back."""
    text = str(method)
    again = [parse(text), Method.from_json(method.to_json())]
    again += [rebuilt(method)] if sayable(method) else []
    for one in again:
        assert one == method
        assert hash(one) == hash(method)
        assert str(one) == text
        assert one.to_json() == method.to_json()
    assert formatted(again[0], text) == text
