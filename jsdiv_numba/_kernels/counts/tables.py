"""The exact tail of the divergence of a small table: all tables of the same margins, in bulk.

Tables are filled category by category. A part of them whose smallest divergence reaches the
observed one counts as a whole, one whose largest does not is left out: both are known beforehand,
by the number of observations that are left for the first sample (Mehta and Patel 1983).
"""

import numpy as np

from ..codegen.intrinsics import item, maximum, minimum, njit_no_refcount, set_item
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas

SLACK = 1e-11
"""How much less, relatively, is as much: tables of the same divergence, added up otherwise."""


def table_tails():
    """Return the routine `table_tails`."""
    fill, bounds, walk = _fill(), _bounds(), _walk()

    def tails(a, b, n_a, n_b, i_of, j_of, observed, room, out):
        """Write P(divergence >= observed[k]) of the pairs of rows i_of[k] of a and j_of[k] of b."""
        for k in range(i_of.size):
            i, j = i_of[k], j_of[k]
            n1, n2 = n_a[i], n_b[j]
            if n1 == 0.0 or n2 == 0.0:
                out[k] = np.nan
                continue
            first = np.intp(n1)
            x, y = (b[j], a[i]) if n2 < n1 else (a[i], b[j])
            if n2 < n1:
                n1, n2, first = n2, n1, np.intp(n2)
            number = fill(x, y, n1, n2, room)
            bounds(number, first, room)
            tail = walk(number, first, observed[k] * (1.0 - SLACK), room)
            out[k] = minimum(tail / room.paths[0, first], 1.0)

    return tails


def _fill():
    term = scalar_formulas(FLOAT64).term

    @njit_no_refcount
    def fill(a, b, n1, n2, room):
        """Write the categories' totals, what is left after each, and their terms; return how many.

        Those of `totals[:, 1]` are of this and all later categories.
        """
        totals, terms = room.totals, room.terms
        number = 0
        for k in range(a.size):
            t = item(a, k) + item(b, k)
            if t == 0:
                continue
            totals[number, 0] = t
            for c in range(t + 1):
                terms[number, c] = term(c / n1, (t - c) / n2)
            number += 1
        left = 0
        totals[number, 1] = 0
        for k in range(number - 1, -1, -1):
            left += totals[k, 0]
            totals[k, 1] = left
        return number

    return fill


def _bounds():
    @njit_no_refcount
    def bounds(number, first, room):
        """Write how many ways lead on from each place, and the divergences that they may add."""
        totals, terms = room.totals, room.terms
        paths, least, most = room.paths, room.least, room.most
        for s in range(first + 1):
            paths[number, s] = 1.0 if s == 0 else 0.0
            least[number, s] = most[number, s] = 0.0
        for k in range(number - 1, -1, -1):
            t, left, after = totals[k, 0], totals[k, 1], totals[k + 1, 1]
            ways = 1.0
            for s in range(first + 1):
                paths[k, s] = ways if s <= left else 0.0
                ways *= (left - s) / (s + 1.0)
                lowest, highest = np.inf, -np.inf
                for c in range(max(0, s - after), min(t, s) + 1):
                    lowest = minimum(lowest, terms[k, c] + least[k + 1, s - c])
                    highest = maximum(highest, terms[k, c] + most[k + 1, s - c])
                least[k, s], most[k, s] = lowest, highest

    return bounds


def _walk():
    @njit_no_refcount
    def walk(number, first, threshold, room):
        """Return in how many ways the threshold is reached.

        A place has the category, what is left for the first sample, the divergence so far
        and in how many ways it is reached; those that are still to be looked at are a stack.
        """
        totals, terms, places = room.totals, room.terms, room.places
        paths, least, most = room.paths, room.least, room.most
        tail, height = 0.0, 1
        places[0, 0], places[0, 1], places[0, 2], places[0, 3] = 0.0, first, 0.0, 1.0
        while height > 0:
            height -= 1
            k, s = np.intp(places[height, 0]), np.intp(places[height, 1])
            so_far, ways = places[height, 2], places[height, 3]
            if so_far + least[k, s] >= threshold:
                tail += ways * paths[k, s]
                continue
            if so_far + most[k, s] < threshold or k == number:
                continue
            t, after = totals[k, 0], totals[k + 1, 1]
            lowest, highest = max(0, s - after), min(t, s)
            choices = 1.0
            for c in range(1, lowest + 1):
                choices *= (t - c + 1.0) / c
            for c in range(lowest, highest + 1):
                set_item(places[height], 0, float(k + 1))
                set_item(places[height], 1, float(s - c))
                set_item(places[height], 2, so_far + terms[k, c])
                set_item(places[height], 3, ways * choices)
                height += 1
                choices *= (t - c) / (c + 1.0)
        return tail

    return walk
