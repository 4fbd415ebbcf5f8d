"""Methods are found by name, by path, and as variants."""

import subprocess
import sys
from pathlib import Path

import pytest

from taxo.catalog import load, outline, parse, shipped, source_of
from taxo.language.errors import TaxoError
from taxo.language.method import Method
from taxo.language.syntax import Name, Number
from taxo.variants import variant

TEXT = (
    "method mine param lam = 0.5 in [0, 1] perturb loss by lam * loss {{ {} infer prior granularity corpus }}"
)


def message(reference: str | Path) -> str:
    with pytest.raises(TaxoError) as raised:
        load(reference)
    return str(raised.value)


def values(method: Method) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for param in method.params:
        if isinstance(param.default, Number):
            found[param.name.text] = param.default.value
        if isinstance(param.default, Name):
            found[param.name.text] = param.default.text
    return found


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "c++ (old)" / "mine.taxo"
    path.parent.mkdir()
    path.write_text(TEXT.format("direction negative"), encoding="utf-8")
    return path


def test_every_shipped_method_loads():
    assert len(shipped()) >= 9
    for stem in shipped():
        assert load(stem).name.text == stem


def test_an_outline_is_the_method():
    for stem in shipped():
        assert outline(stem) == load(stem)


def test_listing_takes_no_numpy():
    listing = "from taxo.catalog import outline, shipped; [outline(name) for name in shipped()]"
    question = f"import sys; {listing}; print('numpy' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.check_output([sys.executable, "-c", question], cwd=root, text=True) == "False\n"


def test_a_path(mine: Path):
    assert load(mine).name.text == "mine"
    assert load(str(mine)) == load(mine)
    assert values(load(f"{mine}(lam: 25%)")) == {"lam": 0.25}


def test_a_variant():
    assert values(load("mixpert(eps: 0, pro: 45%)"))["pro"] == 0.45
    assert values(load(" pgd_at (start: zero, steps: 3) ")) == {"steps": 3, "start": "zero"}
    assert load("polyloss()") == load("polyloss")
    assert load("polyloss(eps: 1)") == load("polyloss")
    assert load("logit_adjustment(tau: 0)").params[0].default == Number(0.0)
    assert load("logpert(lam: inf)").params[0].default == Name("inf")


def test_a_variant_by_values():
    polyloss = load("polyloss")
    assert variant(polyloss, {}) is polyloss
    assert variant(polyloss, {"eps": 2}) == variant(polyloss, {"eps": "2"}) == load("polyloss(eps: 2)")
    assert variant(load("logpert"), {"lam": float("inf")}).params[0].default == Name("inf")


def test_a_file_that_lies_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.taxo").write_text("method mine\n")
    for typed in ("mine", "mine.tax"):
        assert "a file is given by its path: `mine.taxo`" in message(typed)
    assert "`taxo list` shows them" in message("nothing_of_the_kind")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("polylos", "did you mean `polyloss`?"),
        ("", "no method is called ``"),
        ("plain(a: 1)", "`plain` has no parameters"),
        ("polyloss(epss: 1)", "<method>:1:10: error[T403]: `polyloss` has no parameter `epss`"),
        ("polyloss(epss: 1)", "did you mean `eps`?"),
        ("polyloss(1)", "write `polyloss(name: value)`"),
        ("polyloss(eps: 1, eps: 2)", "`eps` is set twice"),
        ("polyloss(eps: 9)", "  1 | polyloss(eps: 9)\n    |               ^"),
        ("polyloss(eps: 9)", "`eps` is 9, outside [0, 4]"),
        ("polyloss(eps: word)", "`eps` is a number, not `word`"),
        ("polyloss(eps: 1", "the text ends too early"),
        ("polyloss(eps: 1) again", "unexpected `again`"),
        ("pgd_at(start: unifrom)", "did you mean `uniform`?"),
        ("pgd_at(start: 3)", "`start` is a word, not `3`"),
        ("pgd_at(steps: 0)", "`steps` is 0, not a whole number from 1 to 10,000"),
        ("sam(rho: -1)", "`radius` is -1, not a number of 0 or more"),
        ("mixpert(pro: 200%)", "the share `pro` is 200%, not from 0% to 100%"),
        ("sam+sam", "`sam` is used twice"),
        ("sam+plian", "did you mean `plain`?"),
        ("nowhere/mine.taxo", "no such file or directory"),
    ],
)
def test_what_cannot_be_loaded(reference: str, expected: str):
    assert expected in message(reference)


def test_a_file_of_another_name(mine: Path):
    other = mine.rename(mine.with_name("yours.taxo"))
    assert "the file is called `yours`, its method `mine`" in message(other)


def test_a_file_that_is_wrong_says_where(mine: Path):
    mine.write_text(TEXT.format("direction positive"), encoding="utf-8")
    assert message(mine).startswith(f"{mine}:1:")
    assert "T303" in message(mine)


def test_a_byte_order_mark_is_no_text(mine: Path):
    mine.write_bytes(b"\xef\xbb\xbf" + mine.read_bytes())
    assert load(mine).name.text == "mine"


def test_errors_of_a_text_quote_its_name():
    with pytest.raises(TaxoError, match=r"^spec:1:1: error\[T101\]: unexpected `metod`"):
        parse("metod m", "spec")


def test_shipped_sources_are_called_by_their_stem():
    assert source_of("sam").name == "sam.taxo"
