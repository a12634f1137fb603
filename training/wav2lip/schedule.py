"""How much each loss weighs at which step: said in YAML, and kept in the checkpoint where it depends on what was seen.

The reference raises the weight of the expert's loss once, when the held-out loss falls under a threshold that many
trainings never reach, and forgets about it when it is resumed.
"""

from itertools import pairwise

from pydantic import Field, field_validator

from scraping import stage


class Weight(stage.Settings):
    """A line through [step, weight] points, flat before the first and after the last.

    With `below`, its steps are counted from when the held-out sync loss is first seen below, and it is 0 until then.
    """

    points: list[tuple[int, float]] = Field(min_length=1)
    below: float | None = Field(gt=0)

    @field_validator("points")
    @classmethod
    def _in_order(cls, points: list[tuple[int, float]]) -> list[tuple[int, float]]:
        if points[0][0] < 0 or any(first[0] >= second[0] for first, second in pairwise(points)):
            raise ValueError("the steps of the points must grow")
        if any(not 0 <= weight < 1 for _, weight in points):
            raise ValueError("weights lie in 0 to 1: what they leave is that of the pictures' difference")
        return points

    def at(self, step: int) -> float:
        for (first, low), (second, high) in pairwise([(-1, self.points[0][1]), *self.points]):
            if step <= second:
                return low + (high - low) * max(0, step - first) / (second - first)
        return self.points[-1][1]

    @property
    def highest(self) -> float:
        return max(weight for _, weight in self.points)


class Schedule:
    """A weight over a training; `state_dict` is the step at which its points began to count."""

    def __init__(self, weight: Weight) -> None:
        self.weight = weight
        self.begun: int | None = 0 if weight.below is None else None

    def at(self, step: int) -> float:
        return 0.0 if self.begun is None else self.weight.at(step - self.begun)

    def observe(self, step: int, sync_loss: float) -> None:
        """Hear a held-out sync loss: the first one below the threshold begins it."""
        if self.begun is None and sync_loss < self.weight.below:
            self.begun = step

    def state_dict(self) -> dict:
        return {"begun": self.begun}

    def load_state_dict(self, state: dict) -> None:
        self.begun = state["begun"]
