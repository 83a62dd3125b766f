"""What is computed between two rows, in which unit."""

import math
from dataclasses import dataclass

from jsdiv_numba._core.metric import SYMMETRIC

_NAMES = dict(zip(SYMMETRIC, ("Jensen–Shannon distance", "Jensen–Shannon divergence"), strict=True))
_UNITS = {None: "nats", 2.0: "bits", 10.0: "hartleys"}


@dataclass(frozen=True)
class Quantity:
    """The Jensen-Shannon distance or divergence of two rows, each divided by its sum.

    Examples
    --------
    >>> Quantity("jensenshannon", base=2.0).unit
    '√bits'
    >>> round(Quantity("js_divergence").maximum, 4)
    0.6931
    """

    metric: str
    """The distance (a metric), or the divergence, which is its square. {"jensenshannon",
    "js_divergence"}."""
    base: float | None = None  # base of the logarithms, above 1; by default e

    @property
    def is_distance(self) -> bool:
        """Whether this is the square root of the divergence."""
        return self.metric == "jensenshannon"

    @property
    def name(self) -> str:
        """The quantity in words."""
        return _NAMES[self.metric]

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
        divergence = math.log(2.0) / (1.0 if self.base is None else math.log(self.base))
        return math.sqrt(divergence) if self.is_distance else divergence
