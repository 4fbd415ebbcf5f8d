"""Tables and texts that people write."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import written
from taxo.training.data import UNKNOWN, Split, known_words

TABLE = "a, label ,b\n1,no,2\n3,yes,4.5\n-1e3,no,0\n"


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.tsv"])
def test_a_table_with_classes(tmp_path: Path, name: str):
    file = put(tmp_path / name, TABLE if name.endswith("csv") else TABLE.replace(",", "\t"))
    raw = written.table(file)
    assert written.goal_of(file) == "classes"
    assert numpy.asarray(raw.x).tolist() == [[1, 2], [3, 4.5], [-1000, 0]]
    assert (raw.y.tolist(), raw.classes) == ([0, 1, 0], 2)


def test_classes_that_are_numbers_keep_their_order(tmp_path: Path):
    rows = "".join(f"{label},{label}\n" for label in (10, 9, 2))
    assert written.table(put(tmp_path / "a.csv", f"label,x\n{rows}")).y.tolist() == [2, 1, 0]


def test_a_table_with_a_target(tmp_path: Path):
    raw = written.table(put(tmp_path / "a.csv", 'x,target\n1,"2.5"\n2,-3\n'))
    assert written.goal_of(tmp_path / "a.csv") == "targets"
    assert raw.y.tolist() == [[2.5], [-3]]
    assert raw.classes == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "T502.*the columns `a`, `b`.*\n.*call one column `label`"),
        ("label,target\n1,2\n", "T502.*not clear"),
        ("label,x,x\n1,2,3\n", "two columns are called `x`"),
        ("label,x\n1,2\n3\n", "line 3 has 1 cells, and there are 2"),
        ("label,x\n1,2\n3,much\n", "line 3: `much` in column `x` is no number"),
        ("label,x\n1,2\n1,3\n", "every row has the label `1`"),
        ("label,x\n\n", "it has no rows"),
        ("", "the columns nothing, and"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, message: str):
    with pytest.raises(TaxoError, match=message):
        written.table(put(tmp_path / "a.csv", text))


def test_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"label,x\n\xff\xfe,1\n")
    with pytest.raises(TaxoError, match=r"T502.*cannot be read"):
        written.table(tmp_path / "a.csv")


def test_texts_are_numbers_of_words(tmp_path: Path):
    raw = written.texts(put(tmp_path / "a.csv", 'label,text\nbad,"A bad, bad film."\ngood,Good film\n'))
    # film, bad: twice; a , . good: once, in the order in which they came
    numbers = {"bad": 1, "film": 2, "a": 3, ",": 4, ".": 5, "good": 6}
    said = [["a", "bad", ",", "bad", "film", "."], ["good", "film"]]
    assert numpy.asarray(raw.x).tolist() == [
        [numbers[word] for word in text] + [0] * (6 - len(text)) for text in said
    ]
    assert (raw.y.tolist(), raw.classes) == ([0, 1], 2)


def test_texts_need_their_columns(tmp_path: Path):
    with pytest.raises(TaxoError, match=r"T502.*`label`, `words`.*\n.*`label` and `text`"):
        written.texts(put(tmp_path / "a.csv", "label,words\n1,a\n"))


def split(*rows: list[int]) -> Split:
    y = torch.arange(len(rows))
    return Split(torch.tensor(rows), y, y, y)


def test_words_are_known_from_the_training_texts():
    train, test = split([3, 3, 7, 0], [7, 3, 5, 0]), split([3, 5, 9, 7])
    parts = known_words((train, test))
    # 3 came three times, 7 twice, 5 once; 9 never
    assert parts[0].x.tolist() == [[2, 2, 3, 0], [3, 2, UNKNOWN, 0]]
    assert parts[1].x.tolist() == [[2, UNKNOWN, UNKNOWN, 3]]
