"""What is computed between two rows, in which unit."""

import math
from dataclasses import dataclass

_NAMES = {
    "jensenshannon": "Jensen–Shannon distance",
    "js_divergence": "Jensen–Shannon divergence",
    "kl_divergence": "Kullback–Leibler divergence",
}
EQUAL = 0.5
"""The weight of the second of two rows that count alike."""

_UNITS = {None: "nats", 2.0: "bits", 10.0: "hartleys"}


@dataclass(frozen=True)
class Quantity:
    """A distance or divergence of two rows, each divided by its sum.

    Examples
    --------
    >>> Quantity("jensenshannon", base=2.0).unit
    '√bits'
    >>> round(Quantity("js_divergence").maximum, 4)
    0.6931
    """

    metric: str
    """The distance (a metric), the divergence, which is its square, or that of the second row from
    the first. {"jensenshannon", "js_divergence", "kl_divergence"}."""
    base: float | None = None  # base of the logarithms, above 1; by default e
    weight: float = EQUAL  # of the second row

    @property
    def is_symmetric(self) -> bool:
        """Whether two rows have the same value either way."""
        return self.metric != "kl_divergence" and self.weight == EQUAL

    @property
    def is_distance(self) -> bool:
        """Whether this is the square root of the divergence."""
        return self.metric == "jensenshannon"

    @property
    def name(self) -> str:
        """The quantity in words."""
        weight = "" if self.weight == EQUAL else f" of weight {self.weight:g}"
        return f"{_NAMES[self.metric]}{weight}"

    @property
    def unit(self) -> str:
        """The unit of the values, for example ``√nats``."""
        unit = _UNITS.get(self.base)
        if unit is None:
            unit = (
                f"(base-{self.base:g} units)" if self.is_distance else f"base-{self.base:g} units"
            )
        return f"√{unit}" if self.is_distance else unit

    @property
    def maximum(self) -> float:
        """The value between two rows that have nothing in common."""
        if self.metric == "kl_divergence":
            return math.inf
        most = sum(-w * math.log(w) for w in (self.weight, 1.0 - self.weight) if w)
        divergence = most / (1.0 if self.base is None else math.log(self.base))
        return math.sqrt(divergence) if self.is_distance else divergence
