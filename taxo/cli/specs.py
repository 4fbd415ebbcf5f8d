"""The commands about specifications: list, show, check, fmt, emit, graph.

None of them imports torch but `check --deep`.
"""

from __future__ import annotations

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from taxo.catalog import library_for, load, look, outline, shipped, source_of, whole
from taxo.cli.catalogue import catalogue
from taxo.cli.deep import Judgement, judge, show
from taxo.cli.describe import show_text, unable
from taxo.cli.entries import entry
from taxo.cli.lattice import lattice, lattice_text
from taxo.cli.search import search
from taxo.compiler import compile_program
from taxo.compiler.standalone import standalone
from taxo.language.check import check, errors
from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.layout import formatted
from taxo.language.method import Method
from taxo.language.parser import parse_method
from taxo.language.spelling import phrase
from taxo.language.vocabulary import GRAINS, MANNERS, TARGETS
from taxo.training.commands import Subparsers, add_command

WIDTH = 100  # of a table where there is no terminal to ask
UNBOUNDED = 1_000_000
METHOD = "a shipped name, a path, or a variant such as 'NAME(parameter: value)'"


def register(subparsers: Subparsers) -> None:
    """Add the commands; each sets `handler` to a function from the namespace to an exit code."""
    listing = _add(subparsers, "list", "the shipped methods by their coordinates", run_list)
    words = "only methods with all these words in their name, summary, paper or coordinates"
    listing.add_argument("words", metavar="WORD", nargs="*", help=words)
    listing.add_argument("--target", choices=list(TARGETS), help="only methods that perturb this")
    listing.add_argument("--manner", choices=list(MANNERS), help="only methods that infer in this manner")
    listing.add_argument("--granularity", choices=list(GRAINS), help="only methods of this granularity")
    listing.add_argument("--lattice", action="store_true", help="as a table of coordinates, free places too")
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = _add(subparsers, "show", "what a method is, what it does in a step, and what that costs", run_show)
    show.add_argument("method", metavar="METHOD", help=METHOD)
    check = _add(subparsers, "check", "find every mistake in methods", run_check)
    check.add_argument("methods", metavar="METHOD", nargs="+", help=METHOD)
    check.add_argument("--json", action="store_true", help="print the findings as JSON, for editors")
    deep = "then try the laws on it, on a small model: resuming, costs, claims of directions and more"
    check.add_argument("--deep", action="store_true", help=deep)
    slow = "with --deep, also the laws that take longer: two processes, torch.compile"
    check.add_argument("--slow", action="store_true", help=slow)
    fmt = _add(subparsers, "fmt", "write methods in their canonical form", run_fmt)
    fmt.add_argument("methods", metavar="METHOD", nargs="+", help="a path, or a shipped name (printed)")
    fmt.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file would change")
    emit = _add(subparsers, "emit", "print the program that a method compiles to", run_emit)
    emit.add_argument("method", metavar="METHOD", help=METHOD)
    emit.add_argument("-o", "--output", metavar="FILE", help="write it to a file")
    emit.add_argument(
        "--standalone", action="store_true", help="with all that it calls: it needs torch alone"
    )
    _add(subparsers, "schema", "print the JSON schema of a method", run_schema)
    graph = _add(
        subparsers, "graph", "draw what a method perturbs, and what each perturbation reads", run_graph
    )
    graph.add_argument("method", metavar="METHOD", help=METHOD)
    graph.add_argument("-o", "--output", metavar="FILE", help="a file; its ending chooses .svg, .mmd or .dot")


def _add(subparsers: Subparsers, name: str, help: str, handler: Callable[[Namespace], int]) -> ArgumentParser:
    parser = add_command(subparsers, name, help, f"{help[0].upper()}{help[1:]}.")
    parser.set_defaults(handler=handler)
    return parser


def run_list(namespace: Namespace) -> int:
    """Run `taxo list`."""
    wanted = {"target": namespace.target, "manner": namespace.manner, "granularity": namespace.granularity}
    entries = search([entry(whole(outline(name))) for name in shipped()], namespace.words)
    kept = [
        one for one in entries if all(word is None or word in one.words(key) for key, word in wanted.items())
    ]
    cells = lattice(kept, wanted) if namespace.lattice else []
    if namespace.json:
        print(json.dumps([one.to_json() for one in cells or kept], indent=2))
    elif namespace.lattice:
        print(lattice_text(cells, kept, shutil.get_terminal_size((WIDTH, 24)).columns))
    else:
        # a line for each method, whole, for what reads them through a pipe
        print(catalogue(kept, shutil.get_terminal_size((UNBOUNDED, 24)).columns))
    return 0


def run_show(namespace: Namespace) -> int:
    """Run `taxo show`."""
    print(show_text(load(namespace.method)))
    return 0


def run_check(namespace: Namespace) -> int:
    """Run `taxo check`: every method is looked at, whatever is wrong with the others."""
    findings: list[Diagnostic] = []
    judgements: list[Judgement] = []
    for reference in namespace.methods:
        found = _findings(reference)
        findings += found
        if not namespace.json:
            _report(reference, found)
        if namespace.deep and not errors(found):
            judged = list(judge(load(reference), namespace.slow))
            judgements += judged
            if not namespace.json:
                show(reference, judged, shutil.get_terminal_size((WIDTH, 24)).columns)
    if namespace.json:
        said = [finding.to_json() for finding in findings]
        laws = [one.to_json() for one in judgements]
        print(json.dumps({"findings": said, "laws": laws} if namespace.deep else said, indent=2))
    return int(bool(errors(findings)) or any(one.verdict.fails for one in judgements))


def _findings(reference: str) -> list[Diagnostic]:
    """What is wrong with a method; of a sound one, what this version cannot run of it."""
    try:
        if "(" in reference or "+" in reference:
            method = load(reference)
            found = check(method, library=library_for(method))
        else:
            method, found = look(reference)
        return found if errors(found) else [*found, *unable(method)]
    except TaxoError as error:
        return list(error.diagnostics)


def _report(reference: str, findings: list[Diagnostic]) -> None:
    for finding in findings:
        print(finding, file=sys.stderr if finding.severity == "error" else sys.stdout)
    wrong = sum(finding.severity == "error" for finding in findings)
    if not wrong:
        print(f"{reference}: fine")
    elif wrong > 1:
        print(f"{reference}: {wrong} errors", file=sys.stderr)


def run_fmt(namespace: Namespace) -> int:
    """Run `taxo fmt`: files are rewritten in place, shipped methods printed."""
    changed = [reference for reference in namespace.methods if _format(reference, namespace.check)]
    return int(namespace.check and bool(changed))


def _format(reference: str, check: bool) -> bool:
    """Bring one method into canonical form; true if it was in another."""
    source = source_of(reference)
    parsed = parse_method(source)
    if parsed.findings:
        raise TaxoError(parsed.findings)
    text = formatted(parsed.method, source.text)
    is_file = Path(reference).suffix == ".taxo"
    if not is_file and not check:
        print(text, end="")
    if text == source.text:
        return False
    if check:
        print(f"{reference} is not in canonical form")
    elif is_file:
        _write(Path(reference), text)
        print(f"{reference} rewritten")
    return True


def run_emit(namespace: Namespace) -> int:
    """Run `taxo emit`."""
    program = compile_program(whole(load(namespace.method)))
    text = standalone(program) if namespace.standalone else program.text
    if namespace.output is None:
        print(text, end="")
    else:
        _write(Path(namespace.output), text)
    return 0


def run_schema(_: Namespace) -> int:
    """Run `taxo schema`."""
    print(json.dumps(Method.model_json_schema(), indent=2))
    return 0


def run_graph(namespace: Namespace) -> int:
    """Run `taxo graph`: Mermaid text, or what the file's name asks for."""
    from taxo.cli.graph import FORMATS, draw, mermaid

    if namespace.output is None:
        print(mermaid(draw(whole(load(namespace.method)))), end="")
        return 0
    path = Path(namespace.output)
    if path.suffix not in FORMATS:
        known = phrase([f"`{path.stem}{suffix}`" for suffix in FORMATS])
        fail("T503", f"`{path}` is of no format that taxo draws", None, f"write {known}")
    _write(path, FORMATS[path.suffix](draw(whole(load(namespace.method)))))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fail("T506", f"`{path}` cannot be written: {reason}", None, "give another path")
