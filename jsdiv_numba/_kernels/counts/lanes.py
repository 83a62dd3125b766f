"""Categories side by side: where what is known of each is, while it is computed.

Up to LANES are computed together. A vector has a row of LANES numbers for each thing that is known
of them. A lane's results do not depend on the others: where it has ended, others add 0 to it. Each
function reads and writes memory of its own, and is kept out of its caller, so that its loop over
lanes is vectors.
"""

from ..codegen.intrinsics import item, larger, njit_reassoc
from .columns import ORDERS

LANES = 16
"""Categories that are computed together."""

WIDTH = 8
"""A multiple of which they are: one of the widest vectors."""

COUNTS, WEIGHTS, VALUES = range(3)
"""Vectors of `nodes`, with a row for each node: c, w and f."""

TOTALS, KNOWN, SUMS, OTHER_SUMS, FITTED, SHARES = range(6)
DEGREE, OTHER_DEGREE, POLYNOMIAL = range(6, 9)
"""Vectors of `lanes`; there are three of the last."""

VECTORS = POLYNOMIAL + 3

TOTAL, REST, EXPECTED, MODE, STEP, INVERSE, DEVIATION = range(7)
"""Rows of KNOWN: t, n2 - t, E c, the likeliest c, h, and the standard deviation of c."""

WHOLE, OF_F, OF_X, OF_XX, OF_XF = range(5)
"""Rows of the first sums, of w times 1, f, x = c - E c, x² and x·f."""

SCALE, INTERCEPT, GRADIENT, VARIANCE = range(4)
"""Rows of FITTED: what makes weights add up to 1, E f, the slope of f in x, and E x²."""

OF_RRR, OF_RRU, OF_UUU, OF_RR = range(4)
"""Rows of the second sums, of w times r³, r²·u, u³ and r²; u is x in standard deviations."""

OF_R = OF_RR - 1
"""So many rows before those of w·r·u^k, k >= 2."""

FACTOR, MIDDLE, BESIDE, INVERSE_NEXT = range(4)
"""Rows of DEGREE: the square of what other categories see of it, and the recurrence."""

ROWS = OF_R + ORDERS + 2
"""Rows of a vector of `lanes`: the second sums are the most."""


@njit_reassoc
def largest(lanes, at, values):
    """Return the largest of a row's numbers, or 0."""
    found = 0.0
    for lane in range(at, at + lanes):
        found = larger(item(values, lane), found)
    return found
