"""What is computed of a pair of rows, and which kernels do."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._kernels.records import Side, Weighing
from . import validation
from .metric import METRICS, named
from .validation import EQUAL


class Kernels(NamedTuple):
    """The routines for a measure."""

    pairs: str
    sparse_pairs: str
    search: str


_KERNELS = {
    "js": Kernels("pairs", "sparse_pairs", "search_neighbors"),
    "skewed": Kernels("skewed_pairs", "sparse_skewed_pairs", "search_skewed_neighbors"),
    "kl": Kernels("kl_pairs", "sparse_kl_pairs", "search_kl_neighbors"),
}


def side_of(weight: float) -> Side:
    """Return what a kernel is told of the row of a pair that has a weight."""
    share = 2.0 * weight
    return Side(weight, -0.5 * share * math.log2(share) if share else 0.0)


@dataclass(frozen=True)
class Metric:
    """A distance or divergence of two rows, in a unit.

    `name`: one of `METRICS`. `log_base`: what divides a divergence in nats. `weight`: that of the
    second row.
    """

    name: str = "js_divergence"
    log_base: float = 1.0
    weight: float = EQUAL

    @property
    def root(self) -> bool:
        """Whether this is the root of a divergence."""
        return self.name == "jensenshannon"

    @property
    def factor(self) -> float:
        """What a divergence in nats is multiplied by."""
        return 1.0 / self.log_base

    @property
    def measure(self) -> str:
        """What is added up over a pair of rows."""
        if self.name == "kl_divergence":
            return "kl"
        return "js" if self.weight == EQUAL else "skewed"

    def computed_in(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the precision in which values of a dtype are computed.

        As the logarithm of a ratio has no bound, float32 cannot add up that of many.
        """
        return np.dtype(np.float64) if self.measure == "kl" else dtype

    @property
    def kernels(self) -> Kernels:
        """The routines that compute it."""
        return _KERNELS[self.measure]

    @property
    def is_symmetric(self) -> bool:
        """Whether two rows have the same value either way."""
        return self.measure == "js"

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both rows' weights, ½ where one is 0: then nothing depends on them."""
        if self.weight in (0.0, 1.0):
            return side_of(EQUAL), side_of(EQUAL)
        return side_of(1.0 - self.weight), side_of(self.weight)

    @cached_property
    def weighing(self) -> Weighing:
        """What kernels take of the weights."""
        return Weighing(side_of(1.0 - self.weight), side_of(self.weight), self.most)

    @property
    def most(self) -> float:
        """What no divergence exceeds, in nats: the entropy of the weights."""
        return math.inf if self.measure == "kl" else sum(_entropies(self.weight))

    @property
    def multiple(self) -> float:
        """Which multiple of the Jensen-Shannon divergence it has at least."""
        if self.measure == "js":
            return 1.0
        least = 1.0 if self.measure == "kl" else min(_entropies(self.weight))
        return 2.0 / math.log(2.0) * least


def _entropies(weight: float) -> tuple[float, float]:
    """Return -w·log(w) of a weight, and of what it leaves of 1."""
    if weight in (0.0, 1.0):
        return 0.0, 0.0
    return -weight * math.log(weight), -(1.0 - weight) * math.log1p(-weight)


@lru_cache(64)
def _metric(name: str, log_base: float, weight: float) -> Metric:
    return Metric(name, log_base, weight)


def metric_of(metric: Any, base: float | None, weight: Any = EQUAL) -> Metric:
    """Return what the arguments of public functions ask for, or raise."""
    name = named(metric, METRICS)
    number = EQUAL if weight is EQUAL else weight_of_pairs(weight)
    if name == "kl_divergence" and number != EQUAL:
        raise ValueError(
            f"weight is {weight!r}; metric='kl_divergence' takes none: leave it out, or see "
            "metric='js_divergence'"
        )
    return _metric(name, validation.log_base(base) or 1.0, number)


def weight_of_pairs(weight: Any) -> float:
    """Return the weight that all pairs have, between 0 and 1."""
    checked = validation.as_weight(weight)
    if checked.ndim:
        raise ValueError(f"weight has shape {checked.shape}; all pairs have one: pass a number")
    return float(checked)
