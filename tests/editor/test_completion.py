"""The words that may stand at a place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taxo.catalog import shipped, source_of
from taxo.editor.completion import Offer, complete
from taxo.editor.document import Document
from taxo.editor.recogniser import item_types
from taxo.editor.statements import DECLARING, unknowns
from taxo.editor.tokens import is_word, start, tokens
from taxo.language.lexer import keywords
from taxo.language.vocabulary import (
    DIRECTIONS,
    DISTRIBUTIONS,
    FUNCTIONS,
    GRAINS,
    GROUPS,
    HELD,
    MANNERS,
    NEEDS,
    NORMS,
    OBJECTIVES,
    OPTIMIZERS,
    ORDERS,
    ORIGINS,
    PASSES,
    PERIODS,
    PHASES,
    REGIONS,
    ROUNDS,
    SCALES,
    SCOPES,
    SITES,
    SOLVERS,
    STATE_FORMS,
    TARGETS,
    VALUES,
)
from tests.editor.words import OPTION_WORDS

Marked = Callable[[str], tuple[Document, int]]
HEAD = "method mine\nparam eps = 1 in {0, 1}\nlet twice = 2 * eps\n"
BLOCK = HEAD + "perturb features by d {\n  where loss > 0\n  "
CLEAN = set(PASSES["clean"].values)
ITEMS = {word for word, terminal in keywords().items() if terminal in item_types()} - {"method"}


def offers(place: tuple[Document, int]) -> dict[str, Offer]:
    return {offer.label: offer for offer in complete(*place).offers}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("|", {"method"}),
        ("method |", set()),
        ("method mine |", ITEMS),
        (f"{HEAD}perturb |", set(TARGETS)),
        (f"{HEAD}perturb fea|", set(TARGETS)),
        (f"{HEAD}perturb | by d {{ }}", set(TARGETS)),
        ("perturb |", set(TARGETS)),
        (f"{HEAD}perturb features |", {"at", "by"}),
        (f"{HEAD}perturb weights at |", {"eps", "twice", *SITES}),
        (f"{HEAD}null |", {"eps", "twice"}),
        (f"{HEAD}null eps = 0, |", {"eps", "twice"}),
        (f"{BLOCK}direction |", set(DIRECTIONS)),
        (f"{BLOCK}direction |\n  granularity sample\n}}", set(DIRECTIONS)),
        (f"{BLOCK}infer |", set(MANNERS)),
        (f"{BLOCK}granularity |", set(GRAINS)),
        (f"{BLOCK}granularity sample + |", set(GRAINS)),
        (f"{BLOCK}infer adversarial maximize loss within |", set(REGIONS)),
        (f"{BLOCK}infer adversarial maximize loss within linf(1), |", set(REGIONS)),
        (f"{BLOCK}infer adversarial maximize loss within linf(1), box via |", set(SOLVERS)),
        (f"{HEAD}draw xi ~ |", set(DISTRIBUTIONS)),
        (f"{HEAD}draw xi ~ normal(0, 1) per |", set(SCOPES)),
        (f"{HEAD}let hard = loss in |", set(GROUPS)),
        (f"{HEAD}let hard = clean.|", CLEAN),
        (f"{HEAD}let hard = clean.lo|", CLEAN),
        (f"{HEAD}let hard = teacher.|", set(PASSES["teacher"].values)),
        (f"{HEAD}needs |", set(NEEDS)),
        (f"{HEAD}needs teacher, |", set(NEEDS)),
        (f"{HEAD}use plain\nuse |", set(shipped())),
        (f"{HEAD}param net per |", set(GRAINS)),
        (f"{HEAD}state seen per |", set(GRAINS)),
        (f"{HEAD}state seen per sample = 1 every |", set(PERIODS)),
        (f"{HEAD}branch left on |", set(ORIGINS)),
        (f"{HEAD}branch left weight 1 norm |", {"eps", *NORMS}),
        (f"{HEAD}infer meta over |", {"eps", "twice"}),
        (f"{HEAD}infer meta over eps minimize loss on |", set(HELD)),
        (f"{BLOCK}direction positive on |", set(HELD)),
        (f"{BLOCK}during |", set(PHASES)),
        (f"{BLOCK}every |", set(ROUNDS)),
        (f"{BLOCK}norm |", {"eps", *NORMS}),
        (f"{HEAD}param other = 1 in [0, 1] |", {*ITEMS, *SCALES}),
        (f"{HEAD}param other = 1 in {{0, 1}} |", ITEMS),
        (f"{HEAD}param weight = 1\nlet norm = 2\nnull |", {"eps", "twice", "weight", "norm"}),
        (f"{HEAD}branch weight 1 {{ }}\nnull |", {"eps", "twice"}),
        (f"{HEAD}param |", set()),
        (f"{HEAD}let |", set()),
        (f"{HEAD}let a = 5|", set()),
        (f"{HEAD}let a = 5e|", set()),
        (f"{HEAD}# about |", set()),
        (f'{HEAD}cite "Yao |', set()),
        (f'{HEAD}cite "Yao |"', set()),
    ],
)
def test_the_words_of_a_place(text: str, words: set[str], marked: Marked):
    assert set(offers(marked(text))) == words


def test_an_expression_offers_functions_values_and_names(marked: Marked):
    found = offers(marked(f"{HEAD}let a = |"))
    assert set(found) == {"not", "eps", "twice", "a", *FUNCTIONS, *VALUES}
    assert found["eps"].detail == "param"
    assert found["ce"].snippet == "ce(${1}, ${2})"


@pytest.mark.parametrize("rest", ["= |", "= batch in {batch, |", "= | in {batch, update}"])
def test_a_parameter_may_stand_for_a_word(rest: str, marked: Marked):
    words = {*NORMS, *OPTION_WORDS, *OPTIMIZERS}
    assert words | {"eps", *FUNCTIONS, *VALUES} <= set(offers(marked(f"{HEAD}param other {rest}")))
    assert not words - {*FUNCTIONS, *VALUES} & set(offers(marked(f"{HEAD}let other = |")))


def test_a_states_order_may_follow_its_value(marked: Marked):
    for rest in ("= eps", "= loss", "= eps every epoch"):
        assert set(ORDERS) < set(offers(marked(f"{HEAD}state seen per sample {rest} |")))


def test_a_state_has_forms_of_its_own(marked: Marked):
    found = offers(marked(f"{HEAD}state seen per sample = |"))
    assert set(STATE_FORMS) < set(found)
    assert found["ema"].snippet == "ema(${1})"
    found = offers(marked(f"{HEAD}state seen per sample = ema(p, |)"))
    assert found["decay"].sort == "option"


def test_a_base_objective_is_one_that_is_known(marked: Marked):
    assert set(OBJECTIVES) < set(offers(marked(f"{HEAD}loss |")))
    assert not set(OBJECTIVES) & set(offers(marked(f"{HEAD}let a = loss + |")))


def test_an_option_of_a_family_offers_its_calls(marked: Marked):
    text = BLOCK + "infer meta minimize loss on validation via lookahead(lr: lr, optimizer: |"
    found = [offer for offer in offers(marked(text)).values() if offer.sort == "word"]
    assert [(offer.label, offer.snippet) for offer in found] == [
        ("sgd", "sgd(${1:lr})"),
        ("adam", "adam(${1:lr})"),
    ]
    assert offers(marked(f"{text[:-1]}adam(|"))["lr"].sort == "option"


def test_a_function_that_has_its_brackets_gets_no_others(marked: Marked):
    assert offers(marked(f"{HEAD}let a = lo|(eps)"))["log"].snippet is None


def test_what_follows_an_expression_is_offered_behind_it(marked: Marked):
    found = set(offers(marked(f"{HEAD}let a = eps |")))
    assert found == ITEMS | {"and", "or", "if", "in"}
    assert "loss" not in offers(marked(f"{HEAD}needs teacher(eps |"))


@pytest.mark.parametrize("rest", ["", "\n  granularity sample\n}", "\n}\nlet a = 1"])
def test_the_goal_may_read_the_unknown(rest: str, marked: Marked):
    found = offers(marked(f"{BLOCK}infer regularization minimize loss + |{rest}"))
    assert found["d"].detail == "the unknown"


def test_another_item_may_not(marked: Marked):
    assert "v" not in offers(marked(f"{HEAD}perturb loss by v\nlet a = |"))
    assert "d" not in offers(marked(f"{BLOCK}}}\nlet a = |"))


def test_a_solver_comes_with_holes_for_what_it_needs(marked: Marked):
    found = offers(marked(f"{BLOCK}infer adversarial maximize loss within box via |"))
    assert found["pgd"].snippet == "pgd(steps: ${1}, step: ${2})"
    assert found["linearized"].snippet is None


def test_the_options_of_a_call_are_those_not_given_yet(marked: Marked):
    text = BLOCK + "infer adversarial maximize loss within box via pgd(|, start: zero)\n}"
    found = [offer for offer in offers(marked(text)).values() if offer.sort == "option"]
    assert [(offer.label, offer.snippet) for offer in found][:2] == [
        ("steps", "steps: ${1}"),
        ("step", "step: ${1}"),
    ]
    assert "start" not in {offer.label for offer in found}


def test_an_option_that_has_its_colon_gets_no_other(marked: Marked):
    text = BLOCK + "infer adversarial maximize loss within box via pgd(st|: 2"
    assert offers(marked(text))["steps"].snippet is None


def test_an_option_offers_its_words(marked: Marked):
    text = BLOCK + "infer adversarial maximize loss within box via pgd(steps: 2, start: |"
    found = offers(marked(text))
    assert {name for name, offer in found.items() if offer.sort == "word"} == set(
        SOLVERS["pgd"].options["start"].words
    )
    assert "eps" in found
    assert "epochs" not in found


def test_another_method_is_one_that_is_there(tmp_path: Path):
    (tmp_path / "near.taxo").write_text("method near")
    text = "method mine use "
    found = complete(Document(text, tmp_path / "mine.taxo"), len(text)).offers
    assert {offer.label for offer in found} == {"near", *shipped()}


def test_what_is_replaced_is_the_word_up_to_the_cursor(marked: Marked):
    found = complete(*marked("method mine\npert|urb loss"))
    assert (found.start, found.end) == (12, 16)


def test_modules_that_are_asked_for_may_be_found(marked: Marked):
    text = "method mine\nneeds teacher, prior\nparam t = 1\ninfer meta over |"
    found = {offer.label for offer in complete(*marked(text)).offers}
    assert {"teacher", "t"} <= found
    assert not {"generator", "prior"} & found


@pytest.mark.parametrize("unfinished", [False, True], ids=["whole", "unfinished"])
@pytest.mark.parametrize("name", shipped())
def test_every_word_of_every_method_is_offered_where_it_stands(name: str, unfinished: bool):
    text = source_of(name).text
    document = Document(text)
    new = {str(token) for item in document.items for token in unknowns(item, document.declared)}
    before = ""
    for token in tokens(text):
        if is_word(token) and before not in DECLARING | {"METHOD"} and str(token) not in new:
            seen = Document(text[: start(token)]) if unfinished else document
            known, yet = ({*one.declared, *one.words} for one in (document, seen))
            declared_later = str(token) in known - yet
            assert declared_later or str(token) in offers((seen, start(token))), (token, start(token))
        before = token.type
