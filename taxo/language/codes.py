"""The codes of what can be wrong with a specification; those of running it are in `run_codes.py`.

A new code is one row, and two examples under `docs/errors/examples/`; `make docs` writes its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    """What messages of one code have in common, for the code's page.

    `file` is what the example's file is called where that is not its method's name.
    """

    title: str
    why: str
    severity: Severity = "error"
    file: str | None = None


FAMILIES: dict[str, str] = {
    "T1": "Text",
    "T2": "Names and clauses",
    "T3": "Coordinates",
    "T4": "Run time",
    "T5": "Data and commands",
    "T6": "Training",
}

SPEC_CODES: dict[str, Code] = {
    "T101": Code(
        "unexpected text",
        "A word or sign cannot stand where it does. Most often something is misspelt, forgotten, or written "
        "as another language has it: options take a colon here, as in `steps: 10`. The hint lists what may "
        "stand there instead.",
    ),
    "T102": Code(
        "a clause is missing",
        "A perturbation says its direction, how it is inferred and its granularity; an inference says its "
        "goal, its solver and, for most solvers, a set to stay in. taxo fills in none of these, because "
        "each of them changes what the method is. Add what the hint spells out.",
    ),
    "T103": Code(
        "a clause or name is given twice",
        "Two things have one name, or one thing is said twice, and nobody could tell which of them counts. "
        "Names that mean something already, such as `C` or `exp`, are taken too. Rename one, or keep one.",
    ),
    "T104": Code(
        "text too large or too deep",
        "The text is longer, or its parts lie deeper inside one another, than any method needs; the bound "
        "keeps a hostile file from stopping your machine. A sum counts as one level for each of its terms. "
        "A function such as `entropy` or `l2` often says a long sum in one word.",
    ),
    "T105": Code(
        "the file's name is not the method's",
        "A method is found by the name of its file, so the two must agree. A copied file often keeps the "
        "old name inside. Rename the method or the file.",
        file="pushed_further.taxo",
    ),
    "T201": Code(
        "unknown name",
        "Something reads a name that nothing declares, or asks for a method that is not there. It may be "
        "misspelt, or its `param` line may be missing. Some names need no declaration: `C`, for one, is the "
        "number of classes. Declare yours, or take the one that the hint suggests.",
    ),
    "T202": Code(
        "declared, never used",
        "Nothing reads this declaration, so changing it would change nothing, and a search over its values "
        "would find only noise. Usually the clause that should read it was forgotten or names something "
        "else. Read it, or drop it.",
    ),
    "T203": Code(
        "a value downstream of its place",
        "The training computation is a line: weights, features, logits, labels, loss. A clause reads what "
        "lies before the place it acts on, and nothing that comes after it; what must be settled before the "
        "run, such as a number of steps, reads parameters only. The value of the unperturbed pass is always "
        "there: `clean.loss`.",
    ),
    "T204": Code(
        "wrong arguments",
        "A function, solver, set or distribution was given too many arguments, too few, or a name where it "
        "takes none. taxo does not guess what was left out: the length of a step, for one, decides how "
        "strong an attack is. Write what the hint asks for.",
    ),
    "T205": Code(
        "unknown word",
        "The word is not one that its place knows: each clause and each option has a few words of its own. "
        "The hint gives the nearest of them, or all.",
    ),
    "T206": Code(
        "a value outside its domain",
        "A number is not one that its place allows: it lies outside its parameter's domain, outside what an "
        "option takes, or arithmetic has no such number. Domains are there to catch slips such as `8` for "
        "`8 / 255`. Correct the value, or widen the domain if you meant it.",
    ),
    "T207": Code(
        "shapes do not fit",
        "A value does not have the shape that its place asks for, or two values have no axis in common. "
        "Logits are one number for each sample and class, a loss is one for each sample. `[y]` picks the "
        "label's entry of a row; `entropy`, `l1`, `l2` and `linf` make one number of it.",
    ),
    "T208": Code(
        "the unknown is missing or not the only one",
        "What an inference looks for is the one name in the form that nothing declares: the unknown. A name "
        "that has a value already, such as `u` for the logits, leaves the solver nothing to find. Put a new "
        "name into the form, and the same one into the penalty if there is one.",
    ),
    "T209": Code(
        "two clauses exclude each other",
        "Each of the two clauses would be fine alone, but both cannot hold. All samples share the weights, "
        "for one, so no condition on samples can choose where those are perturbed. taxo drops neither for "
        "you, because that would be another method.",
    ),
    "T210": Code(
        "not in this version",
        "The method is sound, and this version of taxo cannot run all of it yet. `taxo check` warns of it, "
        "and compiling stops there. The hint says what runs in that place.",
    ),
    "T211": Code(
        "needed, and not asked for",
        "Some values come from outside: a teacher, held-out data, several views of a sample. A method says "
        "so in `needs`, where a reader and the program that trains it look for them. Add the line that the "
        "hint spells out.",
    ),
    "T212": Code(
        "two owners of one thing",
        "Methods that are used together share one model, one batch and one step. Where two of them want the "
        "same thing for themselves, such as another head or a cut of the batch, the last one would win in "
        "silence. Both clauses are quoted; keep one of them.",
    ),
    "T214": Code(
        "a value that is not there then",
        "Predictions are made without labels, and gains are known between rounds only. A perturbation that "
        "acts at such a time cannot read what does not exist. Read something else, or act at another time.",
    ),
    "T215": Code(
        "a method that cannot be used",
        "`use` puts another method's perturbations here, so that one has to be sound, and must not use this "
        "one in turn. Run `taxo check` on the method that is named, or drop the line.",
    ),
    "T301": Code(
        "granularity coarser than derived",
        "Granularity says what shares one value: a single sample, its category, or the whole corpus. "
        "The form gives finer values than the clause claims: what reads the label differs by category, what "
        "reads logits differs by sample. Declare what the hint says, or change the form.",
    ),
    "T302": Code(
        "manner is not what the form says",
        "The form shows how its value is found. Without an unknown the manner is `prior` or `tuning`; with "
        "a penalty on the unknown it is `regularization`; within a bounded set alone it is `adversarial`. "
        "Change the word, or change the goal and the set.",
    ),
    "T303": Code(
        "direction contradicted",
        "`positive` claims that the loss falls, `negative` that it rises. taxo compares the claim with the "
        "goal or, where the form is fixed, tries it on random logits and labels. More than one sample in a "
        "hundred went the other way. Declare what the hint says, or look for a wrong sign.",
    ),
    "T304": Code(
        "labels leave the simplex",
        "A label is a distribution over the classes: no entry is negative, and they sum to one. The form "
        "takes some labels out of that, and their cross entropy would mean nothing. Moving a share of the "
        "label to another distribution, `a * (q - y)`, is always safe.",
    ),
    "T305": Code(
        "granularity finer than derived",
        "The clause claims a value for each sample or category, and the form gives one that more of them "
        "share. The method trains as it is; the note keeps you from thinking that it treats them apart. "
        "Declare the coarser word, or leave it.",
        severity="note",
    ),
    "T306": Code(
        "a pair worth a second thought",
        "Two methods of a composition work on one place in a way that may not be meant: one lowers the loss "
        "there and the other raises it, or one reads a label before the other has mixed it. Nothing is "
        "forbidden. Both clauses are quoted, so that you can decide.",
        "warning",
    ),
    "T307": Code(
        "the order of two methods matters",
        "One method reads a value that another one has just changed, so the two in the other order are "
        "another method. They act in the order in which they are written. Nothing has to be done.",
        "note",
    ),
}
