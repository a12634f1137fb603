"""Short names for what is drawn from one generator."""

import numpy as np

from inference.figure.shading import linear


class Draw:
    """Short names for what is drawn from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tone = np.zeros(3)  # of the skin, once drawn

    def colour(self, choices: tuple[str, ...]) -> str:
        """Pick a cloth's colour that nobody takes for skin."""
        apart = [c for c in choices if np.abs(np.sqrt(linear(c)) - np.sqrt(self.tone)).max() > 0.27]
        return self.pick(apart or ("#2d2f3a",))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def skewed(self, low: float, high: float, power: float) -> float:
        return float(low + (high - low) * self.rng.random() ** power)

    def near(self, spread: float, limit: float) -> float:
        return float(np.clip(self.rng.normal(0, spread), -limit, limit))

    def pick(self, choices: object, weights: list[float] | None = None) -> object:
        options = list(choices)
        share = None if weights is None else np.array(weights, float) / np.sum(weights)
        return options[int(self.rng.choice(len(options), p=share))]
