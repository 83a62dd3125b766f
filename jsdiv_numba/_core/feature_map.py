"""Features whose squared distances are divergences: cosines of logarithms, and square roots.

``python -m tests.feature_map`` derives the coefficients, and proves their errors.
"""

from collections.abc import Iterator
from math import fsum, log, sqrt
from typing import NamedTuple

import numpy as np

from .validation import FloatArray


class FeatureMap(NamedTuple):
    """The features of an entry p: √(a₀p), then √(aⱼp)·cos(λⱼ·log p) and √(aⱼp)·sin(λⱼ·log p)."""

    frequencies: tuple[float, ...]  # λⱼ
    weights: tuple[float, ...]  # aⱼ; with a₀ they add up to ln 2
    error: float  # the largest relative error of a divergence, rounded up

    @property
    def first_weight(self) -> float:
        """The weight of the first feature."""
        return fsum([log(2.0), *(-weight for weight in self.weights)])

    @property
    def number(self) -> int:
        """How many features an entry has."""
        return 1 + 2 * len(self.weights)

    def features(self, entries: FloatArray) -> Iterator[FloatArray]:
        """Yield each feature of positive float64 numbers."""
        roots, logs = np.sqrt(entries), np.log(entries)
        yield sqrt(self.first_weight) * roots
        for frequency, weight in zip(self.frequencies, self.weights, strict=True):
            amplitudes, angles = sqrt(weight) * roots, frequency * logs
            yield amplitudes * np.cos(angles)
            yield amplitudes * np.sin(angles)


MAPS = {
    1: FeatureMap((0.5463791,), (0.2442533,), 0.015186),
    2: FeatureMap((0.3806156, 0.9800625), (0.3104896, 0.0324561), 0.0022334),
    3: FeatureMap((0.3164673, 0.7224063, 1.3605254), (0.3227143, 0.0637570, 0.0059433), 0.00047562),
}
"""By the number of cosines."""
