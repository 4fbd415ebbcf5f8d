"""The shipped methods as coordinates."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from taxo.catalog import library_of, load
from taxo.language.compose import expanded
from taxo.language.coordinates import derive, probed
from taxo.language.method import Method, Perturbation
from taxo.language.probe import probe
from taxo.language.scope import Scope
from taxo.resources import methods_folder

SOME = 0.01  # of the samples


def path_of(stem: str) -> Path:
    return methods_folder() / f"{stem}.taxo"


def text_of(stem: str) -> str:
    return path_of(stem).read_text(encoding="utf-8")


@cache
def method_of(stem: str) -> Method:
    """The shipped method of that name."""
    return load(stem)


@dataclass(frozen=True)
class Shown:
    """The coordinates of one perturbation, as words."""

    target: str
    direction: str
    manner: str
    granularity: str

    @classmethod
    def of(cls, line: str) -> "Shown":
        """The coordinates of a line such as `labels · mixed · prior · sample`."""
        return cls(*line.split(" · "))

    def __str__(self) -> str:
        return f"{self.target} · {self.direction} · {self.manner} · {self.granularity}"


def scenes(stem: str) -> Iterator[tuple[Perturbation, Scope]]:
    method = expanded(method_of(stem), library_of(None))
    for item in method.perturbations():
        yield item, Scope(method)


def declared(stem: str) -> list[Shown]:
    """What a method says of its perturbations; one that says no manner has that of what finds its names."""
    found: list[Shown] = []
    for item, scope in scenes(stem):
        covering = dict.fromkeys(scope.found[name].manner.text for name in scope.covered(item))
        against = f" on {item.against}" if item.against else ""
        found.append(
            Shown(
                item.target.text,
                f"{item.direction}{against}",
                item.infer.manner.text or " + ".join(covering),
                " + ".join(map(str, item.granularity)),
            )
        )
    return found


def derived(stem: str) -> list[Shown]:
    """What the forms of a method show; `?` where they imply no direction."""
    found: list[Shown] = []
    for item, scope in scenes(stem):
        shown = derive(item, scope)
        grain = shown.granularity.name.lower()
        found.append(Shown(item.target.text, shown.direction or "?", shown.manner, grain))
    return found


def verdicts(stem: str) -> list[str]:
    """What random logits and labels say of the directions of a method's fixed forms."""
    words = {(True, True): "mixed", (True, False): "negative", (False, True): "positive"}
    tried = [probe(item, scope) for item, scope in scenes(stem) if probed(item, scope)]
    return [words.get((one.raised > SOME, one.lowered > SOME), "nothing") for one in tried]
