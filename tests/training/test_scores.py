"""What a run is measured by, against the numbers written out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from taxo.training.measures import ACCURACY, EXPLAINED, PURITY, measure_of
from taxo.training.run import Run, prepare
from taxo.training.scores import scores
from taxo.training.settings import change, sensible

SPECS = {
    "least_squares": "loss mse",
    "clusters": "loss kmeans",
    "alignment": "loss icp",
}


@pytest.fixture
def spec(tmp_path: Path):
    """The path of a method that is nothing but its base objective."""

    def write(name: str) -> str:
        path = tmp_path / f"{name}.taxo"
        path.write_text(f'method {name}\n  "A base objective"\n  "Nothing is perturbed."\n{SPECS[name]}\n')
        return str(path)

    return write


def measured(run: Run, name: str) -> list[float | None]:
    data = run.data
    measure = measure_of(run.settings.data, run.settings.model)
    assert measure.name == name
    return scores(run.step, (data.train, data.validation, data.test), measure)


def test_accuracies_are_counted_in_pieces(monkeypatch: pytest.MonkeyPatch):
    run = prepare("plain", change(sensible(), {"model": "linear", "validation": "0"}))
    data = run.data
    whole = scores(run.step, (data.train, data.validation, data.test))
    monkeypatch.setattr("taxo.training.scores.EVALUATION_BATCH", 100)
    assert scores(run.step, (data.train, data.validation, data.test)) == whole
    hits = run.step.predict(data.train.x).argmax(1) == data.train.y
    assert whole == [
        pytest.approx(float(hits.double().mean())),
        None,
        pytest.approx(
            float((run.step.predict(data.test.x).argmax(1) == data.test.y).to(torch.float64).mean())
        ),
    ]


def test_explained_is_one_less_the_errors_over_the_spread(spec):
    settings = change(sensible("diabetes"), {"validation": "0"})
    run = prepare(spec("least_squares"), settings)
    train, validation, test = measured(run, "R²")
    assert validation is None
    for found, split in ((train, run.data.train), (test, run.data.test)):
        u, y = run.step.predict(split.x)[:, 0].tolist(), split.y[:, 0].tolist()
        mean = sum(y) / len(y)
        wrong = sum((a - b) ** 2 for a, b in zip(u, y, strict=True))
        assert found == pytest.approx(1 - wrong / sum((b - mean) ** 2 for b in y), rel=1e-5)


@pytest.mark.parametrize("classes", [3, 7])
def test_purity_names_each_cluster_by_its_commonest_training_label(spec, classes: int):
    settings = change(sensible("iris"), {"model": "centres"})
    text = spec("clusters")
    Path(text).write_text(Path(text).read_text().replace("kmeans", f"kmeans({classes})"))
    run = prepare(text, settings)
    assert run.step.predict(run.data.test.x).shape[1] == classes
    clusters, labels = run.step.predict(run.data.train.x).argmax(1), run.data.train.y
    names = {
        cluster: Counter(labels[clusters == cluster].tolist()).most_common(1)[0][0]
        for cluster in clusters.unique().tolist()
    }
    train, _, test = measured(run, "purity")
    for found, split in ((train, run.data.train), (test, run.data.test)):
        got = run.step.predict(split.x).argmax(1).tolist()
        hits = [names.get(cluster, 0) == y for cluster, y in zip(got, split.y.tolist(), strict=True)]
        assert found == pytest.approx(sum(hits) / len(hits))


def test_how_a_value_is_said():
    assert (ACCURACY.said(0.5), ACCURACY.heading) == ("50.0%", "%")
    assert (PURITY.said(0.5), PURITY.heading) == ("purity 50.0%", "purity %")
    assert (EXPLAINED.said(-0.25), EXPLAINED.heading) == ("R² -0.250", "R²")
