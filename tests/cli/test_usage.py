"""Words that make no command end in an error with a hint, whatever is wrong with them."""

from __future__ import annotations

import pytest

from taxo.cli import main


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("trian plain", "no command `trian`", "did you mean `train`?"),
        ("train plain --dta digits", "`taxo train` has no flag `--dta`", "did you mean `--data`?"),
        ("train plain --epoch 3", "`taxo train` has no flag `--epoch`", "did you mean `--epochs`?"),
        ("compare plain --seed=3", "`taxo compare` has no flag `--seed`", "did you mean `--seeds`?"),
        ("train plain --epochs", "`--epochs`: expected one argument", "`taxo train --help`"),
        ("train plain mixpert", "what to do with `mixpert`", "`taxo train --help`"),
        ("list --manner priory", "`--manner` cannot be `priory`", "did you mean `prior`?"),
        ("show", "METHOD is missing", "`taxo show --help`"),
        ("--verbose", "`taxo` has no flag `--verbose`", "--version"),
    ],
)
def test_what_cannot_be_read_is_said(
    words: str, said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith("error[T503]: ")
    assert said in err
    assert hint in err
