"""Text models of Hugging Face, by name or folder; transformers is loaded only where one is asked for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from taxo.language.errors import fail
from taxo.training.written import LONGEST

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray
    from torch import nn

KIND = "huggingface"


def is_named(model: str) -> bool:
    """Whether a model's name says that it is one of Hugging Face's."""
    return model.partition(":")[:2] == (KIND, ":")


def check(model: str) -> None:
    """T504 for a name that says nothing, and where transformers is not installed."""
    if not _place(model):
        fail("T504", f"`{model}` names no model", help=f"give a folder or a name, as in `{KIND}:PATH`")
    if find_spec("transformers") is None:
        fail("T504", f"`{model}` needs transformers", help="pip install 'taxo[text]'")


def tokens(model: str, texts: Sequence[str]) -> NDArray[int64]:
    """Texts as the model's own tokens, a row each, filled up with the token that stands for nothing."""
    import numpy

    with _loading(model) as library:
        tokenizer = library.AutoTokenizer.from_pretrained(_place(model))
    if tokenizer.pad_token_id is None:
        fail("T504", f"the tokenizer of `{model}` fills up no texts", help="set its `pad_token`, and save it")
    longest = min(LONGEST, tokenizer.model_max_length)
    read = tokenizer([*texts], padding=True, truncation=True, max_length=longest)
    return numpy.array(read["input_ids"], dtype=numpy.int64)


def model(name: str, classes: int) -> nn.Module:
    """The model with its weights, and with a head for so many classes: a new one unless its own fits."""
    from taxo.training.attentive import Masked

    with _loading(name) as library:
        found = library.AutoModelForSequenceClassification.from_pretrained(
            _place(name), num_labels=classes, ignore_mismatched_sizes=True
        )
    if found.config.pad_token_id is None:
        fail("T504", f"`{name}` does not say which token stands for nothing", help="set its `pad_token_id`")
    return Masked(found, found.config.pad_token_id)


def _place(model: str) -> str:
    return model.partition(":")[2]


@contextmanager
def _loading(model: str) -> Generator[Any]:
    """transformers, without its talk; what it cannot load is an error that names the model."""
    library = import_module("transformers")
    spoken = library.logging.get_verbosity()
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    try:
        yield library
    except (OSError, ValueError, KeyError) as error:
        _missing(model, error)
    finally:
        library.logging.set_verbosity(spoken)


def _missing(model: str, error: Exception) -> NoReturn:
    said = str(error).strip().splitlines()
    hint = "give a folder with a saved model and its tokenizer, or a name that can be downloaded"
    fail("T504", f"`{model}` cannot be loaded: {said[0] if said else type(error).__name__}", help=hint)
