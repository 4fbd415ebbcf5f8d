"""Expressions mean in the program what they say: random ones against Python's own reading of them."""

from __future__ import annotations

import ast
import random
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import taxo
from tests.fidelity.nets import CLASSES, COUNTS, SAMPLES, batch, close, mlp

ROWS = ("u", "p", "y", "clean.u", "stop(u)")
SAMPLE_VALUES = ("margin", "gradnorm", "clean.loss", "p[y]", "entropy(p)", "l2(u)", "r")
NUMBERS = ("C", "a", "b", "2", "0.5", "epoch", "N")


class Dice(random.Random):
    """Random expressions, as Python text in parentheses."""

    def value(self, depth: int) -> str:
        if depth == 0:
            return self.choice(self.choice([ROWS, SAMPLE_VALUES, NUMBERS]))
        kind = self.randrange(8)
        left, right = self.value(depth - 1), self.value(self.randrange(depth))
        if kind < 4:
            return f"({left} {'+-*+'[kind]} {right})"
        if kind == 4:
            return f"({left} / (1 + abs({right})))"
        if kind == 5:
            return self.choice([f"(-{left})", f"(-{left} ** 2)", f"((-{left}) ** 2)", f"(abs({left}) ** b)"])
        if kind == 6:
            return f"({left} if {self.condition(depth)} else {right})"
        return f"{self.choice(['relu', 'sigmoid', 'abs', 'stop', 'sign'])}({left})"

    def condition(self, depth: int) -> str:
        """A truth per sample, or of parameters alone."""
        one = f"({self.choice(SAMPLE_VALUES)} {self.choice('<>')} {self.choice(['0.8', 'a', 'margin'])})"
        other = self.choice(
            [f"(not {one})", "clean.correct", "(a > b)", f"({self.choice(SAMPLE_VALUES)} >= 0.3)"]
        )
        kind = self.randrange(5)
        return [one, other, f"({one} and {other})", f"({one} or {other})", "(b > a)"][kind]


def read(text: str, u: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """What Python makes of an expression, numbers per sample as columns [B, 1]."""
    label = functional.one_hot(y, CLASSES).double()
    p = u.softmax(1)
    margin = (u * label).sum(1) - (u - label * 1e9).amax(1)
    clean = SimpleNamespace(
        u=u.detach(),
        loss=functional.cross_entropy(u, y, reduction="none").detach()[:, None],
        correct=(margin >= 0)[:, None],
    )
    names: dict[str, object] = {
        "u": u,
        "p": p,
        "y": label,
        "clean": clean,
        "margin": margin[:, None],
        "r": r[:, None],
        "C": CLASSES,
        "N": SAMPLES,
        "a": 1.5,
        "b": 3.0,
        "epoch": 2,
        "own": (p * label).sum(1, keepdim=True),
        "gradnorm": (p - label).norm(dim=1)[:, None],
        "entropy": lambda e: -(e * e.log()).sum(1, keepdim=True),
        "l2": lambda e: e.norm(dim=1, keepdim=True),
        "relu": lambda e: torch.as_tensor(e).relu(),
        "sigmoid": lambda e: torch.as_tensor(e).double().sigmoid(),
        "sign": lambda e: torch.as_tensor(e).sign(),
        "stop": lambda e: torch.as_tensor(e).detach(),
        "abs": abs,
        "where": torch.where,
        "tensor": torch.as_tensor,
    }
    return eval(ast.unparse(Torch().visit(ast.parse(text, mode="eval"))), {}, names)


class Torch(ast.NodeTransformer):
    """Python's conditionals and truths as torch's, and `p[y]` by its own name."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        parts = [ast.unparse(self.visit(part)) for part in (node.test, node.body, node.orelse)]
        return ast.parse("where(tensor({}), tensor({}), tensor({}))".format(*parts), mode="eval").body

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        sign = " & " if isinstance(node.op, ast.And) else " | "
        parts = [f"tensor({ast.unparse(self.visit(part))})" for part in node.values]
        return ast.parse(sign.join(parts), mode="eval").body

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        inner = ast.unparse(self.visit(node.operand))
        text = f"~tensor({inner})" if isinstance(node.op, ast.Not) else f"-({inner})"
        return ast.parse(text, mode="eval").body

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return ast.Name("own")


@pytest.mark.parametrize("seed", range(80))
def test_random_expressions(seed: int):
    """Written with no more parentheses than Python needs, read by both."""
    text = ast.unparse(ast.parse(Dice(seed).value(3), mode="eval"))
    spelled = text.replace("**", "^")
    method = taxo.parse(
        "method m param a = 1.5 param b = 3 draw r ~ uniform(0, 1) per sample "
        f"perturb logits by 0 * a * b * r * N + 0.1 * sigmoid({spelled}) "
        "{ direction mixed infer prior granularity sample }"
    )
    model, (x, y, index) = mlp().double(), batch()
    step = taxo.compile(method, model, classes=CLASSES, samples=SAMPLES, class_counts=COUNTS, seed=seed)
    step.epoch.fill_(2)
    loss = step(x, y, index)
    r = torch.empty(8, dtype=torch.float64).uniform_(generator=torch.Generator().manual_seed(seed))
    u = model(x)
    expected = functional.cross_entropy(u + 0.1 * torch.as_tensor(read(text, u, y, r)).sigmoid(), y)
    close(loss, expected, 1e-10)
    weight = model.get_parameter("1.weight")
    (found,), (other,) = (torch.autograd.grad(one, weight) for one in (loss, expected))
    close(found, other, 1e-10)
