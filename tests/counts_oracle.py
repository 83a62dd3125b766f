"""What the divergence of two samples is by chance: all tables, and sums in many digits."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

from mpmath import log, mp, mpf, sqrt

mp.dps = 60

ORDERS = 7
"""Degrees above the first that the kernel looks at."""


def term(c: int, t: int, n1: int, n2: int) -> mpf:
    """The term of a category with c of t observations in the first sample."""
    p, q = mpf(c) / n1, mpf(t - c) / n2
    half = mpf(1) / 2
    return sum((half * x * log(2 * x / (p + q)) for x in (p, q) if x), mpf(0))


def divergence(a: Sequence[int], b: Sequence[int]) -> mpf:
    """The divergence of two samples."""
    n1, n2 = sum(a), sum(b)
    return sum((term(x, x + y, n1, n2) for x, y in zip(a, b, strict=True)), mpf(0))


def tables(totals: Sequence[int], size: int) -> list[tuple[Fraction, mpf]]:
    """The probability and the divergence of each table with these margins."""
    rest = sum(totals) - size
    every = Fraction(math.comb(sum(totals), size))
    terms = [[term(c, t, size, rest) for c in range(t + 1)] for t in totals]
    found = []
    for counts in itertools.product(*(range(t + 1) for t in totals)):
        if sum(counts) == size:
            ways = math.prod(map(math.comb, totals, counts))
            value = sum((row[c] for row, c in zip(terms, counts, strict=True)), mpf(0))
            found.append((ways / every, value))
    return found


def moments_of_tables(totals: Sequence[int], size: int) -> tuple[mpf, mpf, mpf]:
    """Mean, variance and third central moment over all tables."""
    weighted = [(mpf(w.numerator) / w.denominator, value) for w, value in tables(totals, size)]
    mean = sum(w * value for w, value in weighted)
    second, third = (sum(w * (value - mean) ** k for w, value in weighted) for k in (2, 3))
    return mean, second, third


def tail_of_tables(totals: Sequence[int], size: int, observed: mpf) -> Fraction:
    """The probability of a divergence that is at least the observed one."""
    least = observed * (1 - mpf(10) ** -20)
    return sum((w for w, value in tables(totals, size) if value >= least), Fraction(0))


class Cell:
    """Moments of a category's term, with hypergeometric weights."""

    def __init__(self, t: int, n1: int, n2: int) -> None:
        total = n1 + n2
        mean = mpf(t) * n1 / total
        spread = 14 * math.sqrt(t * n1 * n2 * (total - t)) / total / math.sqrt(total - 1) + 60
        low = max(0, t - n2, math.floor(mean - spread))
        counts = range(low, min(t, n1, math.ceil(mean + spread)) + 1)
        weights, w = [], mpf(1)
        for c in counts:
            weights.append(w)
            w *= mpf((n1 - c) * (t - c)) / ((c + 1) * (n2 - t + c + 1))
        whole = sum(weights)
        self.w = [w / whole for w in weights]
        self.x = [c - mean for c in counts]
        values = [term(c, t, n1, n2) for c in counts]
        self.t, self.share = t, mpf(t) / total
        self.mean = self.sum(values)
        self.linear = self.sum([x * x for x in self.x])
        products = [(f - self.mean) * x for f, x in zip(values, self.x, strict=True)]
        self.slope = self.sum(products) / self.linear if self.linear else mpf(0)
        self.r = [f - self.mean - self.slope * x for f, x in zip(values, self.x, strict=True)]
        self.shared = self._shared(total, min(t, total - t, n1, n2))

    def sum(self, values: list[mpf]) -> mpf:
        """The expectation of a function of c."""
        return sum((w * v for w, v in zip(self.w, values, strict=True)), mpf(0))

    def moment(self, of_r: int, of_x: int) -> mpf:
        """The expectation of powers of what a line leaves, and of c less its mean."""
        pairs = zip(self.r, self.x, strict=True)
        return self.sum([r**of_r * x**of_x for r, x in pairs])

    def _shared(self, total: int, highest: int) -> list[mpf]:
        """Coefficients of orthonormal polynomials, times their correlation's root."""
        basis = [[mpf(1)] * len(self.x)]
        found = []
        for degree in range(1, min(highest, ORDERS + 1) + 1):
            column = [x * p for x, p in zip(self.x, basis[-1], strict=True)]
            for other in basis:
                part = self.sum([c * o for c, o in zip(column, other, strict=True)])
                column = [c - part * o for c, o in zip(column, other, strict=True)]
            norm = sqrt(self.sum([c * c for c in column]))
            basis.append([c / norm for c in column])
            if degree > 1:
                factor = mpf(math.comb(self.t, degree)) / math.comb(total - self.t, degree)
                products = [r * p for r, p in zip(self.r, basis[-1], strict=True)]
                found.append(self.sum(products) * sqrt(factor))
        return found + [mpf(0)] * (ORDERS - len(found))


def moments(totals: Sequence[int], n1: int, n2: int) -> tuple[mpf, mpf, mpf]:
    """Mean, variance and third central moment as docs/mathematics.md defines them."""
    total = n1 + n2
    known = {t: Cell(t, n1, n2) for t in set(totals) if t}
    cells = [known[t] for t in totals if t]
    slope = sum(cell.t * cell.slope for cell in cells) / total
    variance = sum(cell.moment(2, 0) for cell in cells)
    linear = sum(cell.t * (cell.slope - slope) ** 2 for cell in cells)
    variance += linear * n1 * n2 / mpf(total * (total - 1))
    for j in range(ORDERS):
        parts = [cell.shared[j] for cell in cells]
        variance += (-1) ** j * (sum(parts) ** 2 - sum(part**2 for part in parts))
    return sum(cell.mean for cell in cells), variance, _third(cells, slope)


def _third(cells: list[Cell], slope: mpf) -> mpf:
    third = cubes = first = second = mpf(0)
    for cell in cells:
        d, rest = cell.slope - slope, 1 - cell.share
        third += cell.moment(3, 0) + 3 * d * cell.moment(2, 1) + d**3 * cell.moment(0, 3)
        if cell.linear:
            third += 3 * d * d * cell.moment(1, 2) / rest**2
            curve = cell.moment(1, 2) / (2 * cell.linear * rest)
            first += curve * cell.share
            second += curve**2 * cell.share
            cubes += curve**3 * (1 - 3 * cell.share - rest**3)
    return third + 8 * (cubes + 3 * second * first - first**3)
