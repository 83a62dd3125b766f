"""The recurrence of the orthonormal polynomials under hypergeometric weights, which are Hahn's.

For x = c - E c it is x·h_j = a_j+1·h_j+1 + b_j·h_j + a_j·h_j-1.
"""

from ..codegen.intrinsics import njit_no_refcount


@njit_no_refcount
def centre(j, total):
    """Return b_j, but for what `skew` returns."""
    return j * (total + 1.0 - j) / ((total - 2.0 * j) * (total + 2.0 - 2.0 * j))


@njit_no_refcount
def skew(t, n1, n2):
    return ((n1 + n2 - 2.0 * t) / (n1 + n2)) * (n2 - n1)


@njit_no_refcount
def square(j, n1, n2):
    """Return a_j², j >= 1, over (t - j + 1)·(n1 + n2 - t - j + 1); 0 if it is the last."""
    total = n1 + n2
    if n1 < j or n2 < j or total + 1.0 - 2.0 * j <= 0.0:
        return 0.0
    down = (total + 2.0 - j) / ((total + 3.0 - 2.0 * j) * (total + 2.0 - 2.0 * j))
    up = j / ((total + 2.0 - 2.0 * j) * (total + 1.0 - 2.0 * j))
    return (down * (n1 - j + 1.0)) * (up * (n2 - j + 1.0))
