"""What a step needs that learns from a teacher, or with one."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from taxo.language.errors import fail
from taxo.ops.guests import Guest
from taxo.runtime.known import Known
from taxo.runtime.line import Line
from taxo.runtime.sharded import is_sharded, refuse


class Teaching(Known):
    """The teacher's passes: on the batch itself there is one, until the teacher is another."""

    teacher: Guest

    def take_teacher(self, momentum: bool = False) -> None:
        """Learn the weights of the teacher, those that take gradients."""
        assert self.teaching is not None
        model, places = self.teaching
        self.teacher = Guest(model, momentum)
        self.teaching = (self.teacher, places)
        if not self.teacher.weights():
            hint = "thaw it, or a part of it: `teacher.requires_grad_()`"
            fail("T401", "the teacher is learned, and none of its weights takes gradients", None, hint)
        if any(map(is_sharded, model.parameters())):
            refuse("the teacher is learned", "leave the teacher whole", "the teacher's")

    def taught(self, x: Tensor, live: bool = False) -> Line:
        """The teacher's pass on an input, which gradients reach the teacher in where they are to."""
        (model, _), moment = self.teaching or (None, None), None
        if isinstance(model, Guest):
            live, moment = live or model.is_sought, model.moment
        number = next((number for number, view in enumerate(self.views) if view is x), None)
        if number is None or x.requires_grad:
            return super().taught(x, live)
        key = f"lesson on view {number}"  # no draw of a spec has that name
        found = cast("tuple[object, Line] | None", self._done.get(key))
        if found is None or found[0] is not moment:
            found = self._done[key] = moment, super().taught(x, live)
        return found[1]
