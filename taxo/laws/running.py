"""The laws about a step that runs: in parts, after an interruption, at its price, and after an error."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from taxo.compiler import Plan
from taxo.laws.reasons import coupled
from taxo.laws.subject import Subject, batch_norm
from taxo.laws.toys import pieces
from taxo.laws.verdict import Verdict, decided, exempt
from taxo.laws.watch import (
    Numbers,
    changed,
    counted,
    difference,
    equal,
    failing_at,
    footprint,
    tensors,
    train,
    update,
    weights,
)
from taxo.runtime.step import Step

PARTS = 4
ROUNDING = 1e-8
STEPS = 4
MOST_FAILURES = 4


def accumulate(subject: Subject) -> Verdict:
    """The gradient of a batch is the mean of the gradients of its parts."""
    reason = coupled(subject.method) or batch_norm(subject.net())
    if reason is not None:
        return exempt(reason)
    exact = replace(subject, real=torch.float64)
    whole = _gradients(exact, 1)
    apart = difference(_gradients(exact, PARTS), whole)
    return decided(apart < ROUNDING, f"{PARTS} parts against the whole: {apart:.1e} apart")


def _gradients(subject: Subject, parts: int) -> Numbers:
    """The loss of a batch and its gradients, as means over equal parts."""
    step = subject.step()
    found: list[Numbers] = []
    for piece in pieces(subject.batch(0), parts):
        loss = step(*piece)
        slopes = torch.autograd.grad(loss, weights(step.model), materialize_grads=True)
        found.append([loss.detach(), *slopes])
    return [torch.stack(same).mean(0) for same in zip(*found, strict=True)]


def resume(subject: Subject) -> Verdict:
    """Stopped at a random step, saved and loaded into a step with another past, it goes on as if never."""
    whole = subject.step()
    expected = train(subject, whole, range(STEPS))
    stop = random.Random(subject.method.name.text).randrange(1, STEPS)
    found, second = resumed(subject, stop)
    if not equal(found, expected):
        return decided(False, f"resumed after step {stop}, it is off by {difference(found, expected):.1e}")
    if not equal(list(tensors(second)), list(tensors(whole))):
        return decided(False, f"resumed after step {stop}, another state is left at the end")
    return decided(True, f"resumed after step {stop} of {STEPS}, the same bit for bit")


def resumed(subject: Subject, stop: int) -> tuple[Numbers, Step]:
    """The numbers of some steps, by a second step from `stop` on; and that step."""
    first = subject.step()
    found = train(subject, first, range(stop))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = subject.step(subject.net(seed=9), seed=6)
    update(second, subject.batch(7))  # has lived before
    second.load_state_dict(torch.load(file, weights_only=True))
    return found + train(subject, second, range(stop, STEPS)), second


def cost(subject: Subject) -> Verdict:
    """The model runs forwards and backwards as often, and on as many rows, as the plan says."""
    step = subject.step()
    step(*subject.batch(1))  # what is carried from batch to batch is there from the second on
    teacher = nn.Identity() if step.teaching is None else step.teaching[0]
    with counted(step.model) as passes, counted(teacher) as lessons:
        step(*subject.batch(0)).backward()
    rows = subject.rows
    seen = (passes.forward_rows, passes.backward_rows, lessons.forward_rows, lessons.backward_rows)
    counts = [sum(one) / rows for one in seen]
    planned = step.plan.forwards, step.plan.backwards, *step.plan.of_teacher
    # a share of the batch is rounded to whole samples
    slack = _partial(step.plan) / rows / 2 + 1e-9
    # passes that wait for their time may be missing
    least = -slack if not any(one.timed for one in step.plan.passes) else -max(planned)
    held = all(least <= found - said <= slack for found, said in zip(counts, planned, strict=True))
    said = "" if held else f", the plan says {_passes_of(planned)}"
    return decided(held, _passes_of(counts) + said)


def _passes_of(counts: Sequence[float]) -> str:
    """The passes of a model, and those of its teacher if there are any."""
    forwards, backwards, *taught = counts
    more = f", and {taught[0]:.4g} F + {taught[1]:.4g} B of the teacher" if any(taught) else ""
    return f"{forwards:.4g} F + {backwards:.4g} B{more}"


def _partial(plan: Plan) -> int:
    """How many passes run on a share of the batch."""
    return sum(one.count for one in plan.passes if one.share < 1)


def clean_exit(subject: Subject) -> Verdict:
    """No hook, mode or gradient is left on anything after a step, an exception or Ctrl-C."""
    tried = 0
    for event, left in _exits(subject):
        tried += 1
        if left:
            return decided(False, f"{event} leaves {left} changed")
    return decided(True, f"nothing is left after {tried} steps and errors")


def _exits(subject: Subject) -> Iterator[tuple[str, str]]:
    """The ways out of a step, and what each leaves behind."""
    for mode in (True, False):
        step = subject.step().train(mode)
        before = footprint(step)
        step(*subject.batch(0))
        yield f"a step in {'training' if mode else 'evaluation'}", _left(step, before)
    with counted(step.model) as passes:
        subject.step(step.model)(*subject.batch(0))
    total = len(passes.forward_rows)
    for number in random.Random(0).sample(range(total), min(total, MOST_FAILURES)):
        for error in (Failure(), KeyboardInterrupt()):
            kind = "Ctrl-C" if isinstance(error, KeyboardInterrupt) else "an error"
            yield f"{kind} in pass {number + 1} of {total}", after_error(subject, number, error)


class Failure(Exception):
    """What is raised in the middle of a step to see what it leaves behind."""


def after_error(subject: Subject, number: int, error: BaseException) -> str:
    """What an error in one of the passes leaves behind; empty if nothing."""
    step = subject.step()
    before = footprint(step)
    inner = [module for module in step.model.modules() if not isinstance(module, nn.Sequential)][-1]
    handle = inner.register_forward_pre_hook(failing_at(number, error))
    try:
        step(*subject.batch(0))
        return "an error swallowed, and everything"
    except (Failure, KeyboardInterrupt):
        pass
    finally:
        handle.remove()
    left = _left(step, before)
    return left or ("" if bool(step(*subject.batch(1)).isfinite()) else "the next loss")


def _left(step: Step, before: dict[str, object]) -> str:
    # running statistics are no parameters, and a training step moves them
    return changed(before, footprint(step))
