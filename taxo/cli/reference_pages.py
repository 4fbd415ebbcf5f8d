"""The reference of the language: a page for each chapter, with an entry and an example for every word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from taxo.cli.reference_chapters import CHAPTERS, Chapter, Section
from taxo.cli.word_entries import entry
from taxo.cli.word_examples import examples
from taxo.language.vocabulary import TABLES

FOLDER = "docs/language"
BACK = "[All words](README.md) · [How the language works](../language.md)"
LEFT_OUT = (
    "Examples are parts of methods. `...` stands for the clauses that they are not about: `direction mixed`, "
    "`infer prior` and `granularity sample` would do.\n"
)


def reference_pages() -> dict[str, str]:
    """The page of every chapter, and the index of all words."""
    made = {f"{FOLDER}/{chapter.name}.md": page(chapter) for chapter in CHAPTERS}
    return {f"{FOLDER}/README.md": "\n".join(_index()), **made}


def page(chapter: Chapter) -> str:
    """The text of one chapter's page."""
    return "\n".join((f"# {chapter.title}\n", LEFT_OUT, *map(_section, chapter.sections), f"{BACK}\n"))


def _section(section: Section) -> str:
    words = (word_text(section.table, word) for word in _words(section))
    return "\n".join((f"## {section.title}\n", f"{section.text}\n", *words))


def _words(section: Section) -> list[str]:
    """The words of a table; those that a plug-in adds have no example, and no place here."""
    return [word for word in TABLES[section.table] if (section.table, word) in examples()]


def word_text(table: str, word: str) -> str:
    """The entry of one word, with its example."""
    meaning, *facts = entry(TABLES[table][word])
    return "\n".join(
        (f"### `{word}`\n", f"{meaning}\n", *facts, *([""] if facts else []), _example(table, word))
    )


def _example(table: str, word: str) -> str:
    return f"```taxo\n{examples()[table, word]}\n```\n"


def entry_on(page: str, section: Section, word: str) -> str:
    """The entry of a word on the page of its chapter, without its heading."""
    below = page.partition(f"\n## {section.title}\n")[2].partition(f"\n### `{word}`\n")[2]
    return re.split(r"^##|^\[All words", below, maxsplit=1, flags=re.MULTILINE)[0].strip("\n")


def _index() -> Iterator[str]:
    yield "# The words of the language\n"
    yield "Every word, with its meaning, its options and an example; `taxo explain pgd` prints one."
    yield "Who is new here reads [how the language works](../language.md) first.\n"
    for chapter in CHAPTERS:
        yield f"## {chapter.title}\n"
        anchors = Counter({_anchor(chapter.title, Counter()): 1})
        for section in chapter.sections:
            _anchor(section.title, anchors)
            links = [f"[`{word}`]({chapter.name}.md#{_anchor(word, anchors)})" for word in _words(section)]
            yield f"{section.title}: {' '.join(links)}\n"


def _anchor(heading: str, seen: Counter[str]) -> str:
    """How a link names a heading: those of one name are numbered."""
    plain = heading.lower().replace(" ", "-")
    seen[plain] += 1
    return plain if seen[plain] == 1 else f"{plain}-{seen[plain] - 1}"
