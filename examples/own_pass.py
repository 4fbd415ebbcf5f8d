"""A compiler pass of your own: attacks of two steps at most, for a quick look at a slow method.

A pass is a function from method to method. It runs before taxo's own, so that what it changes is what is
planned and costed.
"""

import torch

import taxo
from taxo.language.syntax import Argument, Call, Number

MOST = 2.0


def shortened(call: Call) -> Call:
    """The solver with at most so many steps."""
    arguments = tuple(
        Argument(one.name, Number(MOST)) if one.name is not None and one.name.text == "steps" else one
        for one in call.arguments
    )
    return Call(call.name, arguments)


def short_attacks(method: taxo.Method) -> taxo.Method:
    """The method with every attack cut short."""
    clauses = []
    for clause in method.clauses:
        infer = getattr(clause, "infer", None)
        if infer is not None and infer.via is not None:
            infer = infer.model_copy(update={"via": shortened(infer.via)})
            clause = clause.model_copy(update={"infer": infer})
        clauses.append(clause)
    return method.model_copy(update={"clauses": tuple(clauses)})


model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
for passes in ([], [short_attacks]):
    step = taxo.compile("pgd_at", model, classes=10, passes=passes)
    step(torch.rand(8, 1, 8, 8), torch.zeros(8, dtype=torch.long)).backward()
    print(f"{len(passes)} passes of our own: a step costs {step.plan.cost}")
