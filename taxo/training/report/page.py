"""A page that holds all it shows: its style, its pictures and its numbers; no torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

STYLE = files("taxo.training.report") / "style.css"


def page(title: str, summary: str, sections: Sequence[str]) -> str:
    """A whole page; it has no script, and asks nothing of any other place."""
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
    )
    body = "\n".join(section for section in sections if section)
    main = f"<main>\n<h1>{escape(title)}</h1>\n{paragraph(summary)}\n{body}\n</main>"
    return f"{head}<body>\n{main}\n</body>\n</html>\n"


def section(title: str, parts: Sequence[str], words: str = "") -> str:
    """A part of a page under its heading; nothing where there is nothing to show."""
    shown = [part for part in parts if part]
    if not shown:
        return ""
    figures = "\n".join(shown)
    return f"<section>\n<h2>{escape(title)}</h2>\n{paragraph(words)}{figures}\n</section>"


def side_by_side(figures: Sequence[str], small: bool = False) -> str:
    """Charts beside one another where the screen is wide enough, more of them if they are small."""
    shown = [one for one in figures if one]
    looks = "figures small" if small else "figures"
    return f'<div class="{looks}">\n{chr(10).join(shown)}\n</div>' if shown else ""


def paragraph(words: str) -> str:
    """A sentence or more."""
    return f"<p>{escape(words)}</p>\n" if words else ""


def tiles(numbers: Mapping[str, str]) -> str:
    """A few numbers that say how it went."""
    shown = "".join(
        f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for name, value in numbers.items()
    )
    return f'<dl class="tiles">{shown}</dl>' if shown else ""


def facts(found: Mapping[str, str]) -> str:
    """Names and values, one a line, folded away until somebody asks."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in found.items()
    )
    return f"<details><summary>All settings</summary><table class='facts'>{rows}</table></details>"


def listing(title: str, text: str) -> str:
    """A text as it stands in its file, folded away."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], bold: Sequence[Sequence[bool]] = ()) -> str:
    """A table, the first column of which is names."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>"
        + "".join(_cell(column, word, bool(bold) and bold[number][column]) for column, word in enumerate(row))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(column: int, word: str, bold: bool) -> str:
    shown = f"<b>{escape(word)}</b>" if bold else escape(word)
    return f"<th scope='row'>{shown}</th>" if column == 0 else f"<td>{shown}</td>"
