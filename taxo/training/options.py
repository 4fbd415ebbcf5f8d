"""The flags that `train` and `compare` share, each with the sentence that explains it; no torch here."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from taxo.training.archives import ROOT
from taxo.training.choices import (
    AUGMENTATIONS,
    CORRUPTION_NAMES,
    DEVICES,
    FURTHER_CORRUPTIONS,
    MODEL_NAMES,
    OPTIMIZERS,
    PRECISIONS,
)
from taxo.training.datasets import NAMES
from taxo.training.readers import READERS
from taxo.training.settings import Settings, flag, from_words


@dataclass(frozen=True, slots=True)
class Option:
    """One flag that sets one field of the settings."""

    name: str
    metavar: str
    help: str


OPTIONS = (
    Option("data", "NAME", f"the data set: {', '.join(NAMES)} (default: digits)"),
    Option("data_root", "DIR", f"where published data sets lie (default: {ROOT})"),
    Option(
        "noise",
        "KIND:SHARE",
        "wrong training labels: `pair:30%%` (c becomes c + 1), `random:20%%`, `asymmetric:10%%` (c becomes "
        "the class whose mean is nearest); `random` makes gross errors of a regression's targets, and stray "
        "points of an alignment's (default: none)",
    ),
    Option(
        "imbalance",
        "CURVE:RATIO",
        "a long tail of training classes: `exp:50` falls evenly to a fiftieth, `step:10` makes half of the "
        "classes small (default: none)",
    ),
    Option(
        "corrupt",
        "NAME:SEVERITY",
        f"corrupted training images, severity 1 to 5: {', '.join(CORRUPTION_NAMES)}; with "
        f"`pip install 'taxo[corruptions]'` also {', '.join(FURTHER_CORRUPTIONS)} (default: none)",
    ),
    Option("augment", "NAME", f"how training images vary: {', '.join(AUGMENTATIONS)} (default: by data set)"),
    Option("validation", "SHARE", "share of the training data kept for validation (default: 10%%)"),
    Option(
        "clean_validation",
        "N",
        "training samples set apart with right labels, for methods that learn on held-out data (default: 0)",
    ),
    Option(
        "model",
        "NAME",
        f"auto, {', '.join(MODEL_NAMES)}, one of torchvision's, or for texts huggingface:PATH "
        "(default: by data set)",
    ),
    Option("epochs", "N", "passes over the training data (default: by data set)"),
    Option("batch_size", "N", "samples per step (default: by data set)"),
    Option("lr", "RATE", "the highest learning rate (default: by data set and optimizer)"),
    Option("optimizer", "NAME", f"{' or '.join(OPTIMIZERS)} (default: sgd)"),
    Option("momentum", "SHARE", "momentum of sgd, first beta of adamw (default: 0.9)"),
    Option("weight_decay", "RATE", "weight decay (default: by data set and optimizer)"),
    Option("schedule", "NAME", "cosine, linear, constant or multistep:60,80 (default: cosine)"),
    Option("warmup", "EPOCHS", "epochs in which the learning rate rises to its height (default: 0)"),
    Option("clip", "NORM", "largest gradient norm (default: none)"),
    Option("accumulate", "K", "parts in which a batch goes through the model, to save memory (default: 1)"),
    Option("ema", "DECAY", "average the weights over the updates, and measure those (default: none)"),
    Option("init", "FILE", "begin with the weights of a file, or of a run folder (default: none)"),
    Option("freeze", "GLOB", "weights that stay as they are, such as `stem.*,layer1.*` (default: none)"),
    Option("teacher", "RUN", "a run folder, whose best weights are the teacher of methods that need one"),
    Option("device", "NAME", f"{', '.join(DEVICES)} (default: auto)"),
    Option("precision", "BITS", f"of forward passes: {', '.join(PRECISIONS)} (default: 32)"),
    Option("workers", "N", "threads that read image files, while a step is computed (default: 0)"),
)


def add_run_options(parser: ArgumentParser) -> None:
    """Add every flag that a run understands."""
    settings = parser.add_argument_group("settings")
    for option in OPTIONS:
        settings.add_argument(flag(option.name), dest=option.name, metavar=option.metavar, help=option.help)
    settings.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set a parameter of the method; may be repeated",
    )
    settings.add_argument(
        "--compile", action="store_const", const="on", help="compile the model by torch.compile"
    )
    settings.add_argument(
        "--cuda-graph",
        action="store_const",
        const="on",
        help="record the step, attacks included, as CUDA graphs and replay it: faster for small models",
    )
    settings.add_argument(
        "--no-cuda-graph",
        dest="cuda_graph",
        action="store_const",
        const="off",
        help="do not, where a resumed run did",
    )
    settings.add_argument(
        "--deterministic",
        action="store_const",
        const="on",
        help="only deterministic kernels: slower, and repeatable on a GPU too",
    )
    settings.add_argument(
        "--download", action="store_true", help="get the data set first, if it is not there"
    )
    settings.add_argument("--config", metavar="FILE", help="flags in TOML; those that are typed win")
    _add_output_options(parser)


def _add_output_options(parser: ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--output", metavar="DIR", help="the run folder (default: runs/<time>-<method>)")
    output.add_argument(
        "--resume",
        metavar="RUN",
        nargs="?",
        const="",
        help="go on with the run in this folder; without a folder, with the latest one",
    )
    output.add_argument("--dry-run", action="store_true", help="show settings and cost, and write nothing")
    output.add_argument("--quiet", action="store_true", help="no progress, only the result")
    output.add_argument(
        "--json",
        action="store_true",
        help="the result as JSON; progress goes to stderr, of `train` as a line of JSON for each epoch",
    )


def add_train_options(parser: ArgumentParser) -> None:
    """Add the flag of one run only: its seed."""
    parser.add_argument("--seed", metavar="N", help="seed of split, noise, weights and order (default: 0)")


def add_compare_options(parser: ArgumentParser) -> None:
    """Add the flags of a comparison only: how many seeds, which values, and what else is measured.

    Its `--noise` may be a list.
    """
    parser.add_argument("--seeds", metavar="N", help="runs per method, with seeds 0 to N - 1 (default: 5)")
    parser.add_argument(
        "--sweep",
        dest="sweeps",
        metavar="NAME=VALUES",
        action="append",
        default=[],
        help="run methods that have this parameter once for each value, as in `lam=0.1,0.2`; may be repeated",
    )
    parser.add_argument(
        "--storage",
        metavar="DIR",
        help="a folder that workers share: the same command on each does what nobody else does yet",
    )
    parser.add_argument(
        "--evaluate",
        metavar="QUESTIONS",
        help="further columns, of what `taxo evaluate` answers, such as "
        "`attack(eps: 8/255), corruptions, tail` (default: none)",
    )


def add_tune_options(parser: ArgumentParser) -> None:
    """Add the flags of a search only: how many trials, runs in each, and where they are kept."""
    parser.add_argument("--seed", metavar="N", help="the first seed of a trial's runs (default: 0)")
    parser.add_argument("--seeds", metavar="N", help="runs per trial (default: 1)")
    parser.add_argument(
        "--trials", metavar="N", help="how many trials, those of other workers too (default: 30)"
    )
    parser.add_argument(
        "--storage",
        metavar="FILE|URL",
        help="where trials are kept: a journal file or a database of Optuna's, which workers may share "
        "(default: study.journal in the output folder)",
    )


def add_evaluate_options(parser: ArgumentParser) -> None:
    """Add the flags of an evaluation."""
    parser.add_argument("--weights", metavar="WHICH", default="last", help="last or best (default: last)")
    parser.add_argument(
        "--baseline", metavar="RUN", help="a run on the same data, for errors relative to its"
    )
    parser.add_argument("--device", metavar="NAME", help=f"{', '.join(DEVICES)} (default: the run's)")
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def add_data_options(parser: ArgumentParser) -> None:
    """Add the flags of the list of data sets."""
    parser.add_argument("--data-root", metavar="DIR", default=ROOT, help=f"(default: {ROOT})")
    parser.add_argument("--download", action="store_true", help="get the data set, if it is not there")
    parser.add_argument("--json", action="store_true", help="the list as JSON")


def given_words(namespace: Namespace) -> dict[str, str]:
    """What the user typed for each field of the settings, fields left out if not typed."""
    typed = {name: getattr(namespace, name, None) for name in READERS}
    return {name: str(word) for name, word in typed.items() if word is not None}


def settings_from(namespace: Namespace) -> Settings:
    """The settings that a parsed command line asks for."""
    return from_words(given_words(namespace), list(namespace.assignments))
