"""The words of the taxonomy: targets and sites, the four coordinates, and the words of clauses."""

from __future__ import annotations

from taxo.language.vocabulary.rows import (
    Grain,
    Need,
    Objective,
    Option,
    Place,
    Shape,
    Site,
    Target,
    Word,
)

TARGETS: dict[str, Target] = {
    "features": Target("the model's input", Place.FEATURES, "x", Shape.X),
    "logits": Target("the model's output", Place.LOGITS, "u", Shape.ROW),
    "labels": Target("the distribution the loss compares with", Place.LABELS, "y", Shape.ROW),
    "loss": Target("the loss of each sample", Place.LOSS, "loss", Shape.SAMPLE),
    "weights": Target("every trainable parameter", Place.WEIGHTS, "w", Shape.W),
}

SITES: dict[str, Site] = {
    "raw": Site("the input before its random augmentation", "features", Place.FEATURES, "x", Shape.X),
    "z": Site("the head's input", "features", Place.INNER, "z", Shape.Z),
    "embedding": Site("the embedded text", "features", Place.INNER, "h", Shape.INNER),
    "p": Site("the predicted distribution", "labels", Place.LABELS, "p", Shape.ROW),
}

DIRECTIONS: dict[str, str] = {
    "positive": "lowers the loss",
    "negative": "raises the loss",
    "mixed": "lowers the loss of some samples and raises that of others",
}

MANNERS: dict[str, str] = {
    "prior": "fixed by prior knowledge",
    "tuning": "a parameter with a domain, chosen on held-out data",
    "regularization": "an unknown held back by a penalty",
    "meta": "an unknown chosen for the loss on held-out data",
    "adversarial": "an unknown held inside a bounded set",
}

GRAINS: dict[str, Grain] = {"corpus": Grain.CORPUS, "category": Grain.CATEGORY, "sample": Grain.SAMPLE}
GRAIN_MEANINGS: dict[str, str] = {
    "corpus": "all samples share one value",
    "category": "the samples of a class share one value",
    "sample": "every sample has a value of its own",
}
GOALS: dict[str, str] = {"minimize": "look for the smallest value", "maximize": "look for the largest value"}
SCOPES: dict[str, str] = {"sample": "one draw per sample", "batch": "one draw per batch"}
GROUPS: dict[str, str] = {"top": "the share of the batch with the largest values"}

HELD: dict[str, Word] = {
    "validation": Word("data that training never sees, given from outside"),
    "guide": Word(
        "a fresh share of the training data, set aside each round",
        {"share": Option("the share of the training data", least=0.0, most=1.0)},
    ),
}

PHASES: dict[str, str] = {
    "training": "acts in training only, as it does where nothing is said",
    "eval": "acts on predictions only",
    "always": "acts in training and on predictions",
}
PERIODS: dict[str, str] = {
    "step": "at every step, as where nothing is said",
    "epoch": "at the end of every epoch",
    "round": "at the end of every round",
}
ORDERS: dict[str, str] = {
    "before": "updated with this batch before it is read",
    "after": "updated with this batch after it is read, as where nothing is said",
}
ROUNDS: dict[str, str] = {"round": "once between two rounds of training, on the data set"}
AMENDS: dict[str, str] = {
    "append": "amended samples join the data",
    "replace": "amended samples take the place of their originals",
}
NORMS: dict[str, str] = {
    "frozen": "running statistics, not updated",
    "batch": "the batch's statistics, running ones not updated",
    "update": "the batch's statistics, running ones updated",
    "auxiliary": "second norms of the branch's own",
}
SCALES: dict[str, str] = {
    "log": "values are spread evenly over the orders of magnitude, not over the interval"
}
ORIGINS: dict[str, Word] = {
    "carry": Word(
        "the previous batch",
        {"view": Option("which of its views", default=1.0, least=1, most=64, whole=True)},
    ),
}

_COUNT = Option("how many", least=1, most=4096, whole=True)

NEEDS: dict[str, Need] = {
    "teacher": Need("another model of the same classes", module=True),
    "validation": Need("a loader of held-out data"),
    "generator": Need("a model that makes inputs", module=True),
    "prior": Need("one number per class, given from outside"),
    "corruption": Need(
        "a corruption of the input",
        {
            "name": Option("which corruption", free=True),
            "severity": Option("how strong, from 1 to 5", least=1, most=5, whole=True),
        },
    ),
    "views": Need("several augmented views of every sample", {"count": _COUNT}, owns="views"),
    "outputs": Need("another number of logits than classes", {"count": _COUNT}, owns="head"),
    "rounds": Need("several rounds of training", {"count": _COUNT}, owns="rounds"),
    "replays": Need("several steps on every batch", {"count": _COUNT}, owns="replays"),
    "cosine_head": Need(
        "logits that are scaled cosines of z and the head's rows",
        {"scale": Option("what the cosines are multiplied by")},
        owns="head",
    ),
}

OBJECTIVES: dict[str, Objective] = {
    "cross_entropy": Objective("the cross entropy of logits and labels", compares=True),
    "bce": Objective("one binary cross entropy per class"),
    "hinge": Objective(
        "the largest violation of a margin",
        {"margin": Option("the margin", default=1.0)},
    ),
    "mse": Objective("the squared error, summed over the outputs"),
    "kmeans": Objective(
        "the squared distance to the nearest centre",
        {
            "clusters": Option(
                "how many centres; as many as classes where nothing is said", default=0.0, whole=True
            )
        },
    ),
    "icp": Objective("the squared distance to the nearest point"),
}

CLAUSES: dict[str, str] = {
    "method": "begins a method: its name, a title and what it does",
    "cite": "the paper it comes from",
    "null": "the parameters' values where the method is the plain loss",
    "needs": "what is given from outside",
    "loss": "the base objective, and penalties added to it; the loss of each sample, as a value or target",
    "split": "cuts the batch into parts with draws and unknowns of their own",
    "use": "puts another method's perturbations here",
    "param": "a number, word or network that a user may set, tune or learn",
    "per": "what shares one value",
    "draw": "a random value, seeded and resumable",
    "like": "the value whose shape a draw takes",
    "let": "a name for an expression",
    "state": "a value kept and updated in training, without a gradient",
    "every": "how often a state is updated, or a perturbation found",
    "from": "a state's first value",
    "branch": "a weighted copy of the batch with perturbations of its own",
    "on": "which data: the held-out set of a goal or direction, or the batch of a branch",
    "weight": "the branch's share of each sample's loss",
    "norm": "which statistics the inner passes' batch norms take",
    "perturb": "adds its form to a value of the training computation",
    "at": "the site within the target",
    "by": "the form of the perturbation",
    "where": "the samples, or the times, that are perturbed",
    "during": "whether it acts in training, on predictions, or both",
    "direction": "whether it lowers or raises the loss: a claim that is checked",
    "infer": "how the unknown is found",
    "over": "the parameters that an inference finds",
    "within": "the sets that the unknown stays in; a comma intersects them",
    "via": "the solver",
    "granularity": "what shares one value of the perturbation",
    "minimize": "looks for the smallest value",
    "maximize": "looks for the largest value",
    "in": "the domain of a parameter, or membership of a group",
    "if": "chooses between two values",
    "else": "the value where a condition does not hold",
    "and": "both conditions",
    "or": "one condition at least",
    "not": "the opposite of a condition",
}
