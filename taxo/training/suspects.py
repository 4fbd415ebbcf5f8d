"""The samples that a perturbation moves farthest: where labels may be wrong."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from taxo.training.data import Split
from taxo.training.inspection import Inspection, Touched
from taxo.training.tensors import numbers


@dataclass(frozen=True, slots=True)
class Suspect:
    """A training sample: its place there and in the data set, its label, how far it is moved.

    `wrong` says whether its label was made wrong; None where nobody knows. `text` is its text, if it is one,
    or the file that it was read from.
    """

    row: int
    origin: int
    label: str
    size: float
    wrong: bool | None
    clean: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The samples of one perturbation, those moved farthest first."""

    key: str
    suspects: tuple[Suspect, ...]

    @property
    def known(self) -> bool:
        """Whether it is known which labels are wrong."""
        return any(suspect.wrong for suspect in self.suspects)

    def precision(self, count: int) -> float:
        """The share of wrong labels among the first so many."""
        return sum(bool(suspect.wrong) for suspect in self.suspects[:count]) / count

    def recall(self, count: int) -> float:
        """The share of all wrong labels that is among the first so many."""
        return self.precision(count) * count / max(1, sum(bool(suspect.wrong) for suspect in self.suspects))

    def first(self, share: float) -> int:
        """How many samples a share of them is, one at least."""
        return max(1, round(share * len(self.suspects)))


def ranking(found: Inspection, touched: Touched, train: Split, texts: Sequence[str] = ()) -> Ranking:
    """The samples by how far a perturbation moves them; none made wrong: nobody knows which are."""
    noisy = bool(train.flipped.any())
    order = touched.sizes.argsort(descending=True, stable=True).cpu()
    rows = found.rows[order]
    picked = train.rows(rows.to(train.y.device))
    columns = zip(
        [int(row) for row in rows],
        [int(origin) for origin in picked.origin.cpu()],
        numbers(picked.y.flatten(1)[:, 0] if picked.y.dim() > 1 else picked.y),
        numbers(picked.clean.flatten(1)[:, 0] if picked.clean.dim() > 1 else picked.clean),
        numbers(touched.sizes.cpu()[order]),
        [bool(flag) for flag in picked.flipped.cpu()],
        strict=True,
    )
    return Ranking(
        touched.key,
        tuple(
            Suspect(
                row,
                origin,
                f"{label:g}",
                size,
                wrong if noisy else None,
                f"{clean:g}",
                texts[int(origin)] if texts else "",
            )
            for row, origin, label, clean, size, wrong in columns
        ),
    )


def to_csv(rankings: Sequence[Ranking], told_as: str = "text") -> str:
    """Every sample of every ranking; `index` is its row in the data set, `wrong` empty where unknown.

    The last column has what is told of each sample: its text, or its file.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["perturbation", "rank", "index", "training_row", "label", "size", "wrong"]
    told = any(one.text for ranking in rankings for one in ranking.suspects)
    writer.writerow(head + [told_as] * told)
    for one in rankings:
        for rank, suspect in enumerate(one.suspects, 1):
            wrong = "" if suspect.wrong is None else int(suspect.wrong)
            facts = (suspect.origin, suspect.row, suspect.label, f"{suspect.size:.6g}", wrong)
            writer.writerow([one.key, rank, *facts, *[suspect.text] * told])
    return text.getvalue()
