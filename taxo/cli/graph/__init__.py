"""Pictures of methods: one picture of each, and a writer for each format."""

from __future__ import annotations

from collections.abc import Callable

from taxo.cli.graph.dot import dot
from taxo.cli.graph.drawing import draw
from taxo.cli.graph.mermaid import mermaid
from taxo.cli.graph.picture import Picture
from taxo.cli.graph.svg import svg

FORMATS: dict[str, Callable[[Picture], str]] = {".svg": svg, ".mmd": mermaid, ".dot": dot}

__all__ = ["FORMATS", "Picture", "draw", "mermaid"]
