"""The chapters of the reference: which tables each holds, and what is said before their words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the vocabulary in the reference."""

    table: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """One page of the reference."""

    name: str
    title: str
    sections: tuple[Section, ...]


CHAPTERS = (
    Chapter(
        "clauses",
        "Clauses",
        (
            Section(
                "clause",
                "Words of the grammar",
                "These words hold a text together. They are reserved: no parameter can have such a name.",
            ),
        ),
    ),
    Chapter(
        "coordinates",
        "Coordinates",
        (
            Section("target", "Targets", "What a perturbation is added to: `perturb TARGET by ...`."),
            Section("site", "Sites", "A narrower place within a target: `perturb TARGET at SITE by ...`."),
            Section(
                "direction",
                "Directions",
                "What a perturbation does to the loss. It is a claim, and the compiler checks it.",
            ),
            Section(
                "manner",
                "Manners",
                "How a perturbation comes by its values: `infer MANNER ...`. The form has to show the same.",
            ),
            Section(
                "granularity",
                "Granularities",
                "What shares one value. `param` and `state` have one too: `per GRANULARITY`.",
            ),
            Section("goal", "Goals", "What an inference is after: `infer adversarial GOAL e ...`."),
            Section("phase", "Phases", "When a perturbation acts: `during PHASE`."),
            Section("round", "Rounds", "Where a perturbation is found rarely: `every ROUND`."),
            Section("amendment", "Amendments", "What becomes of the samples found: `every round AMENDMENT`."),
            Section(
                "norm",
                "Norms",
                "Which statistics batch norms take in the passes of an inference or a branch: `norm NORM`.",
            ),
        ),
    ),
    Chapter(
        "declarations",
        "Declarations",
        (
            Section(
                "scale",
                "Scales",
                "How an interval of a parameter is searched: `param NAME = e in [e, e] SCALE`.",
            ),
            Section("need", "Needs", "What a method asks for: `needs NEED, NEED`."),
            Section("held-out set", "Held-out sets", "Data to choose on: `infer meta minimize e on SET`."),
            Section(
                "objective",
                "Objectives",
                "What the loss is before anything is perturbed: `loss OBJECTIVE`. Without this line it is "
                "the cross entropy.",
            ),
            Section("distribution", "Distributions", "`draw NAME ~ DISTRIBUTION per SCOPE like e`."),
            Section("scope of a draw", "Scopes of a draw", "How often a draw is made: `per SCOPE`."),
            Section(
                "form of a state",
                "Forms of a state",
                "What a state may be made of, beside any expression: `state NAME per category = FORM`.",
            ),
            Section("period", "Periods", "How often a state is updated: `every PERIOD`."),
            Section("order", "Orders", "Whether a step reads a state with its own batch in it."),
            Section("batch", "Batches", "Which batch a branch is a copy of: `branch on BATCH weight e`."),
        ),
    ),
    Chapter(
        "values",
        "Values",
        (
            Section(
                "value",
                "Values that every method can read",
                "A name is its value at the moment when the perturbation acts, and nobody reads it before.",
            ),
        ),
    ),
    Chapter(
        "functions",
        "Functions",
        (
            Section("function", "Functions of expressions", "Their arguments have no names."),
            Section("group", "Groups", "What samples may be members of: `e in GROUP`."),
        ),
    ),
    Chapter(
        "solvers",
        "Solvers and sets",
        (
            Section("solver", "Solvers", "How an unknown is found: `via SOLVER`."),
            Section("set", "Sets", "Where an unknown stays: `within SET, SET`. A comma intersects them."),
            Section(
                "optimizer", "Optimizers", "How what is learned on held-out data moves: `optimizer: ...`."
            ),
            Section("hessian", "Hessians", "How the inverse of a Hessian is applied: `hessian: ...`."),
        ),
    ),
)
