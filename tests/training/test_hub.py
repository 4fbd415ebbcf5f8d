"""Text models of Hugging Face: their own tokens, a head that fits the classes, perturbed like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from taxo.cli import main
from taxo.language.errors import TaxoError
from taxo.training import hub
from taxo.training.readers import check_model

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "a", "very")


EMBEDDED = """
method embedded
  "Adversarial words."
perturb features at embedding by d {
  direction   negative
  infer       adversarial maximize loss within l2(0.01) via linearized
  granularity sample
}
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small model with its tokenizer, as `save_pretrained` leaves them; its head is for five classes."""
    transformers = pytest.importorskip("transformers")
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    place = tmp_path / "saved"
    transformers.BertTokenizer(str(tmp_path / "vocab.txt"), model_max_length=12).save_pretrained(place)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(WORDS), num_labels=5, **sizes)
    transformers.BertForSequenceClassification(config).save_pretrained(place)
    return place


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "films.csv"
    rows = [
        f"{word},a{' very' * (number % 3)} {word} film" for number in range(20) for word in ("good", "bad")
    ]
    file.write_text("\n".join(["label,text", *rows]))
    return file


def test_texts_become_the_models_own_tokens(saved: Path) -> None:
    rows = hub.tokens(f"huggingface:{saved}", ["good film", "a very bad film, unheard of"])
    named = [[WORDS[number] for number in row] for row in rows.tolist()]
    assert named[0][:4] == ["[CLS]", "good", "film", "[SEP]"]
    assert set(named[0][4:]) == {"[PAD]"}
    assert named[1][:6] == ["[CLS]", "a", "very", "bad", "film", "[UNK]"]
    assert rows.shape[1] <= 12


def test_what_stands_behind_a_text_does_not_count(saved: Path) -> None:
    model = hub.model(f"huggingface:{saved}", 2).eval()
    short = torch.tensor([[2, 4, 6, 3]])
    long = torch.cat([short, torch.zeros(1, 3, dtype=torch.long)], 1)
    assert model(short).shape == (1, 2)
    torch.testing.assert_close(model(short), model(long))


@pytest.mark.parametrize("method", ["plain", "mixpert", "embedded"])
def test_a_model_of_theirs_trains(method: str, saved: Path, texts: Path, tmp_path: Path) -> None:
    spec = tmp_path / "embedded.taxo"
    spec.write_text(EMBEDDED)
    name = str(spec) if method == "embedded" else method
    model = ["--model", f"huggingface:{saved}", "--optimizer", "adamw", "--lr", "1e-2", "--batch-size", "4"]
    run = tmp_path / "run"
    assert main(["train", name, "--data", f"text:{texts}", *model, "--quiet", "--output", str(run)]) == 0
    said = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert said[-1]["test_accuracy"] > 0.9
    assert main(["evaluate", str(run), "calibration"]) == 0


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(TaxoError, match="names no model"):
        check_model("huggingface:")
    with pytest.raises(TaxoError, match="cannot be loaded"):
        hub.model(f"huggingface:{tmp_path}", 2)


def test_images_are_no_texts(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "plain", "--model", f"huggingface:{saved}", "--epochs", "1", "--quiet"]) == 2
    assert "reads texts" in capsys.readouterr().err


def test_without_transformers_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)
    with pytest.raises(TaxoError, match="needs transformers"):
        check_model("huggingface:some/model")
