"""Methods whose parts read one another, thousands of times or in circles, are answered within a second."""

from pathlib import Path

import pytest

from tests.language.answers import in_time
from tests.language.doors import doors, refused

LET, STATE, PARAM = "let a{} = {}", "state a{} per corpus = {}", "param a{} = {}"
DRAW, LIKE = "draw a{} ~ normal({}, 1) per batch", "draw a{} ~ normal(0, 1) per sample like {}"
ACTING = " perturb {} by {} {{ direction {} infer prior granularity sample }}"


def chain(item: str, first: str, each: str, count: int) -> str:
    """Items that each read the one before."""
    later = (item.format(i + 1, each.format(i)) for i in range(count))
    return " ".join([item.format(0, first), *later])


def circle(item: str, each: str, count: int) -> str:
    """Items that each read the one before, and the first one the last."""
    return " ".join(item.format(i, each.format((i - 1) % count)) for i in range(count))


def branch(number: int, form: str) -> str:
    """A branch of a name with one perturbation."""
    return f" branch a{number} weight 1 {{{ACTING.format('logits', form, 'mixed')} }}"


def acting(items: str, form: str, target: str = "logits", direction: str = "mixed") -> str:
    """A method of these items and one perturbation."""
    return f"method m {items}{ACTING.format(target, form, direction)}"


def doubling(first: str, each: str, count: int, form: str, target: str = "logits", above: str = "") -> str:
    """A method of lets that each read the one before twice."""
    return acting(f"{above} {chain(LET, first, each, count)}", form, target)


LEARNED = " infer meta over net minimize loss on guide(5%) via lookahead(lr: 1)"
ENTANGLED = {
    "lets that double": doubling("u", "a{0} + a{0}", 40, "a40"),
    "lets that double in weights": doubling("w", "a{0} + a{0}", 40, "a40", "weights"),
    "lets that double and act": acting(chain(LET, "u / 9", "a{0} + a{0}", 22), "a22", direction="positive"),
    "lets that double on the simplex": doubling("p", "a{0} / 2 + a{0} / 2", 20, "0.1 * (a20 - y)", "labels"),
    "lets that double in bounds": doubling("sigmoid(lr)", "a{0} * a{0}", 24, "a24 * (p - y)", "labels"),
    "lets that double in choices": doubling("u", "a{0} if a{0} > 0 else a{0}", 24, "a24"),
    "lets that double in conditions": doubling("loss > 1", "a{0} and a{0}", 40, "1 if a40 else 0", "loss"),
    "lets that double in a network": doubling(
        "clean.loss", "net(a{0}) + net(a{0})", 30, "a30", "loss", "param net = mlp(1, 2, 1)"
    )
    + LEARNED,
    "lets that double for a state": doubling(
        "mean_batch(loss)", "a{0} + a{0}", 40, "s * u", above="state s per corpus = a40"
    ),
    "lets that double for a weight": f"method m {chain(LET, 'clean.loss', 'a{0} + a{0}', 40)}"
    " branch all weight a40 { }",
    "lets in a long chain": acting(chain(LET, "u", "a{}", 800), "a800"),
    "lets in a circle": acting("let a = b let b = a", "a"),
    "lets in a large circle": acting(circle(LET, "a{}", 500), "a0"),
    "a let that is itself": acting("let a = a", "a"),
    "parameters in a circle": acting("param a = b param b = a", "a * u"),
    "a parameter that is itself": acting("param a = a", "a * u"),
    "parameters in a large circle": acting(circle(PARAM, "a{}", 500), "a0 * u"),
    "a draw like itself": acting("draw a ~ normal(0, 1) per sample like a", "a"),
    "draws in a circle": acting(circle(DRAW, "a{}", 250), "a0 * u"),
    "draws like one another": acting(circle(LIKE, "a{}", 200), "a0"),
    "a branch that reads itself": "method m" + branch(0, "a0.u"),
    "a method that uses itself": "method m use m",
    "a method used often": "method m " + "use plain " * 800,
    "methods that are not there": "method m " + " ".join(f"use no{i}" for i in range(800)),
}
# What a document or call cannot know without other methods.
OF_OTHERS = {"a method that uses itself", "a method used often", "methods that are not there"}


@pytest.mark.parametrize("name", ENTANGLED)
def test_an_entangled_method_is_an_error(name: str, tmp_path: Path):
    for door in doors(ENTANGLED[name], tmp_path, name in OF_OTHERS):
        refused(door)


# These are long or odd, and mean something.
LONG = {
    "states in a chain": acting(chain(STATE, "mean_batch(loss)", "a{0} + a{0}", 300), "a300 * u"),
    "states in a circle": acting(circle(STATE, "a{0} + a{0}", 300), "a0 * u"),
    "parameters in a chain": acting(chain(PARAM, "1", "a{0} + a{0}", 500), "a500 * u"),
    "draws in a chain": acting(chain(DRAW, "0", "a{}", 250), "a250 * u"),
    "draws like others": acting(chain(LIKE, "u", "a{}", 250), "a250"),
    "draws that double": acting(chain(DRAW, "0", "a{0} + a{0}", 40), "a40 * u"),
    "draws like sums of others": acting(
        "draw a0 ~ normal(0, 1) per sample like u draw a1 ~ normal(0, 1) per sample like u "
        + " ".join(LIKE.format(i + 2, f"a{i} + a{i + 1}") for i in range(60)),
        "a61",
    ),
    "many branches": "method m " + " ".join(f"branch b{i} weight 1 {{ }}" for i in range(300)),
    "branches that read others": "method m"
    + branch(0, "u")
    + "".join(branch(i + 1, f"a{i}.u - u") for i in range(100)),
    "lets that all are read": f"method m {chain(LET, 'u', 'a{}', 45)}"
    + "".join(ACTING.format("logits", f"a{i}", "mixed") for i in range(46)),
    "many methods": "method m use label_smoothing use logit_adjustment use polyloss use logpert use pgd_at",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_method_is_answered_in_time(name: str, tmp_path: Path):
    for door in doors(LONG[name], tmp_path, others=False):
        in_time(door)
