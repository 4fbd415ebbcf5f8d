"""Methods by name: the shipped ones, those in files, and variants of either."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from taxo.language.check import check, errors, verify
from taxo.language.compose import expanded
from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.lexer import LONGEST_TEXT
from taxo.language.method import Method, Use
from taxo.language.parser import parse_method, parse_reference
from taxo.language.source import Source
from taxo.language.spelling import likeliest, listed, shortened
from taxo.language.syntax import Word
from taxo.language.uses import DEEPEST_USE, Library
from taxo.plugins import added_methods
from taxo.resources import methods_folder
from taxo.variants import given, split_reference, split_values, variant

MOST_BYTES = 4 * LONGEST_TEXT
COMPOSED = "<method>"


def shipped() -> list[str]:
    """The names of the methods that come with taxo and with the packages that add to it."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    """The files of methods that can be called by name."""
    own = {path.stem: path for path in methods_folder().iterdir() if path.suffix == ".taxo"}
    return added_methods() | own


def examine(
    source: Source, stem: str | None = None, library: Library | None = None
) -> tuple[Method, list[Diagnostic]]:
    """The method of a text and everything found in it; raises where it is no method at all.

    `library` knows the methods that it can use (None: those of its folder, and the shipped ones).
    """
    parsed = parse_method(source)
    method = parsed.method
    misread = [finding.span for finding in parsed.findings]
    meant = check(method, parsed.lost, library or library_of(source.folder))
    findings = parsed.findings + [one for one in meant if one.code != "T202" or one.span not in misread]
    if stem is not None and method.name.text != stem:
        message = f"the file is called `{stem}`, its method `{method.name}`"
        findings.append(Diagnostic("T105", message, method.name.span, f"did you mean `{stem}`?"))
    return method, sorted(findings, key=lambda one: one.span.start if one.span else -1)


def look(reference: str) -> tuple[Method, list[Diagnostic]]:
    """The method behind a shipped name or a path, and everything found in it."""
    return examine(source_of(reference), Path(reference).stem)


def library_of(folder: Path | None, users: tuple[str, ...] = ()) -> Library:
    """The methods that a method in a folder can use: its neighbours, then the shipped ones.

    `users` are those on whose behalf one is looked for: none of them can be used again.
    """

    def near() -> list[str]:
        return sorted(path.stem for path in folder.glob("*.taxo")) if folder is not None else []

    def known() -> list[str]:
        return sorted({*near(), *shipped()})

    def method(name: str) -> Method:
        if name in users:
            fail("T215", f"`{name}` uses itself")
        if len(users) >= DEEPEST_USE:
            fail("T104", f"methods use one another deeper than {DEEPEST_USE}", None, "use fewer at once")
        found = folder if folder is not None and name in near() else None
        source = source_of(str(found / f"{name}.taxo") if found else name)
        return _sound(*examine(source, None, library_of(found, (*users, name))))

    return Library(cache(known), cache(method))


def library_for(method: Method) -> Library:
    """The methods that a method can use, by the place of its text."""
    return library_of(method.span.source.folder if method.span else None)


def whole(method: Method) -> Method:
    """The method with what it uses written out."""
    return expanded(method, library_for(method))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def parse(text: str, name: str = "<text>", folder: Path | None = None) -> Method:
    """The checked method that a text spells.

    >>> text = "method quiet perturb loss by -loss / 2 { direction positive infer prior granularity sample }"
    >>> parse(text).name.text
    'quiet'

    What it uses is looked for in `folder`, if one is given, and among the shipped methods.
    Raises `TaxoError` with every error of the text.
    """
    return _sound(*examine(Source(name, text, folder)))


def source_of(reference: str) -> Source:
    """The text behind a shipped name or a path."""
    path = Path(reference)
    if path.suffix == ".taxo":
        return _file(path)
    if reference not in shipped():
        fail("T201", f"no method is called `{shortened(reference)}`", None, _hint(reference))
    return Source(f"{reference}.taxo", _files()[reference].read_text(encoding="utf-8"))


def _hint(reference: str) -> str:
    """What may have been meant: a file that lies here, a shipped name, or any of them."""
    if reference and Path(f"{Path(reference).stem}.taxo").is_file():
        return f"a file is given by its path: `{Path(reference).stem}.taxo`"
    near = likeliest(reference, shipped())
    return f"did you mean {listed(near)}?" if near else "`taxo list` shows them; a file ends in `.taxo`"


def _file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        fail("T201", f"`{shortened(path)}` cannot be read: {why}", None, "check the path")
    except ValueError:
        fail("T201", f"`{shortened(path)}` is no path", None, "check the path")
    if len(data) > MOST_BYTES:
        fail("T104", f"`{path}` is larger than {MOST_BYTES:,} bytes", None, "a method is a page, not a book")
    try:
        # A byte order mark, which some editors write, is no part of the text.
        return Source(str(path), data.decode("utf-8-sig"), path.resolve().parent)
    except UnicodeDecodeError as error:
        fail("T101", f"`{path}` is not UTF-8 text: byte {error.start}", None, "save it as UTF-8")


def load(reference: str | Path) -> Method:
    """The checked method of a shipped name, a path, a variant such as `mixpert(eps: 0)`, or a composition.

    >>> str(load("polyloss(eps: 2)").params[0].default.value)
    '2.0'
    >>> load("polyloss+damp(sigma: 0.1)").name.text
    'polyloss_damp'

    Raises `TaxoError` where there is none, or where it is wrong.
    """
    text = str(reference).strip()
    name, values = split_values(text)
    parts = split_reference(text)
    if len(parts) > 1 and not _is_file(name):
        return _composed(parts)
    method = _sound(*look(name))
    return variant(method, given(f"{method.name}{values}", method), library_for(method)) if values else method


def _composed(parts: list[str]) -> Method:
    """The method that uses each of the parts, in their order."""
    names = [split_values(part) for part in parts]
    sources = {name: source_of(name) for name, _ in names}
    folders = {source.folder: name for name, source in sources.items() if source.folder}
    if len(folders) > 1:
        first, second = list(folders.values())[:2]
        fail("T503", f"`{first}` and `{second}` lie in different folders", None, "put the files side by side")
    folder = next(iter(folders), None)
    text = "+".join(Path(name).stem + values for name, values in names)
    calls = parse_reference(text, Source(COMPOSED, text, folder))
    uses = tuple(Use(method=call, span=call.span) for call in calls)
    stems = [use.method.name.text for use in uses]
    summary = f"{', then '.join(stems)}."
    name = Word("_".join(stems), span=uses[0].span)
    method = Method(name=name, summary=summary, clauses=uses, span=uses[0].span)
    return verify(method, library_of(folder))


def outline(name: str) -> Method:
    """A shipped method as its text declares it, not checked: enough to list it, and quicker."""
    parsed = parse_method(source_of(name))
    return _sound(parsed.method, parsed.findings)


def _sound(method: Method, findings: Sequence[Diagnostic]) -> Method:
    wrong = errors(findings)
    if wrong:
        raise TaxoError(wrong)
    return method
