"""Reading a page as a browser would, strictly: what it shows, and what it asks of other places."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr"}
ALONE = {"path", "rect", "circle"}  # of SVG: without content they end themselves
LOADING = {"src", "href", "xlink:href", "data", "action", "poster", "srcset"}


class Page(HTMLParser):
    """The tags of a page, which must nest; `texts` by the tag around them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.pictures: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a script in {name}"
            if name in LOADING:
                (self.pictures if (value or "").startswith("data:image/png;base64,") else self.asked).append(
                    value or ""
                )
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag in VOID | ALONE
        assert not {name for name, _ in attrs} & LOADING

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def of(self, tag: str) -> list[str]:
        """The texts right inside a tag."""
        return [text for inside, text in self.texts if inside == tag]


def whole(text: str) -> Page:
    """A page that holds all it shows: nothing of it is loaded from elsewhere, and nothing runs."""
    page = Page(text)
    assert page.asked == []
    assert not {"script", "iframe", "link", "object", "embed", "form"} & set(page.tags)
    assert not re.search(r"url\(|@import|http-equiv=\"refresh\"", text)
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"""=(["'])[^"']*\b(nan|inf)\b[^"']*\1""", text)
    return page
