"""Make the coefficients of the kernels' polynomials: ``python -m tests.coefficients``.

In 60 digits. Each is the interpolant at Chebyshev nodes, within a small factor of the best
polynomial of its degree, rounded once to the precision that uses it.
"""

from collections.abc import Callable

from mpmath import atanh, cos, exp, expm1, linspace, log, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 60

MARGIN = mpf("1e-4")
"""Rounding may put an argument just outside its interval."""


def atanh_tail(t: mpf) -> mpf:
    """(atanh(u) - u)/u³ at t = u²."""
    if t < mpf("1e-15"):
        return mpf(1) / 3 + t / 5
    u = sqrt(t)
    return (atanh(u) - u) / u**3


def exp_tail(r: mpf) -> mpf:
    """(exp(r) - 1 - r)/r²."""
    if abs(r) < mpf("1e-15"):
        return mpf(1) / 2 + r / 6
    return (exp(r) - 1 - r) / r**2


def power_tail(r: mpf) -> mpf:
    """(2^r - 1)/r."""
    return expm1(r * log(2)) / r if r else log(2)


def log2_ratio(f: mpf) -> mpf:
    """log2(1 + f)/f."""
    return log(1 + f) / (f * log(2))


def near_term(w: mpf) -> mpf:
    """The term of p and q with p + q = 1 and (p - q)² = w, over w."""
    if w < mpf("1e-20"):
        return mpf(1) / 4 + w / 24
    z = sqrt(w)
    return ((1 + z) * log(1 + z) + (1 - z) * log(1 - z)) / (4 * w)


def far_term(x: mpf) -> mpf:
    """The term of x and 1 - x, less ½·x·log(x)."""
    return (x * log(2) + (1 - x) * log(2 * (1 - x))) / 2


def interpolant(function: Callable[[mpf], mpf], nodes: list[mpf]) -> list[mpf]:
    """Coefficients, lowest power first, of the interpolant at some nodes."""
    powers = matrix([[node**j for j in range(len(nodes))] for node in nodes])
    return list(lu_solve(powers, matrix([function(node) for node in nodes])))


def chebyshev_nodes(low: mpf, high: mpf, number: int) -> list[mpf]:
    """Nodes of an interval a little wider than low .. high."""
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    angles = [pi * (2 * i + 1) / (2 * number) for i in range(number)]
    return [(low + high) / 2 + (high - low) / 2 * cos(angle) for angle in angles]


def worst_error(
    function: Callable[[mpf], mpf], low: mpf, high: mpf, coefficients: list[mpf]
) -> mpf:
    """Largest absolute error over the interval."""
    return max(
        abs(sum(c * x**j for j, c in enumerate(coefficients)) - function(x))
        for x in linspace(low, high, 400)
    )


def lesser_interval(split: float) -> tuple[mpf, mpf]:
    """Range of u² for the smaller side: see `Precision.split`.

    The exponent is read off the bits, which are a logarithm up to 0.0861, so
    the reduced ratio r lies in 2^(-split-0.0861) .. 2^(1-split+0.0861).
    """
    bound = mpf("0.08608")
    ends = [mpf(2) ** (-split - bound), mpf(2) ** (1 - split + bound)]
    return mpf(0), max(((r - 1) / (r + 1)) ** 2 for r in ends)


def log2_interval(origin: float, in_halves: bool) -> tuple[mpf, mpf]:
    """Range of f: see `Precision.log2_origin` and `log2_in_halves`."""
    low, high = mpf(origin), 2 * mpf(origin)
    if not in_halves:
        return low - 1, high - 1
    middle = high - mpf(1) / 2  # as bits count, from below 1 to above
    root_half = sqrt(mpf(1) / 2)
    return min(low, middle * root_half) - 1, max(middle, high * root_half) - 1


LOG2_FLOAT32 = log2_interval(2 / 3, in_halves=False)
LOG2_FLOAT64 = log2_interval(0.8535533905932737, in_halves=True)
GREATER_INTERVAL = (mpf(0), mpf(1) / 9)
EXPONENTIAL_INTERVAL = (-log(2) / 2, log(2) / 2)
POWER_INTERVAL = (-mpf(1) / 2, mpf(1) / 2)
RATIO_INTERVAL = lesser_interval(1)

POLYNOMIALS = {
    # Between 1/2 and 1 the bits tell exactly which ratio it is, and 1/9 is ((1/2 - 1)/(1/2 + 1))².
    ("FLOAT32", "lesser"): (atanh_tail, GREATER_INTERVAL, 4),
    ("FLOAT32", "greater"): (atanh_tail, GREATER_INTERVAL, 4),
    ("FLOAT32", "ratio"): (atanh_tail, RATIO_INTERVAL, 4),
    ("FLOAT32", "log2"): (log2_ratio, LOG2_FLOAT32, 6),
    ("FLOAT32", "finer_log2"): (log2_ratio, LOG2_FLOAT32, 8),
    ("FLOAT32", "exponential"): (exp_tail, EXPONENTIAL_INTERVAL, 4),
    ("FLOAT32", "power"): (power_tail, POWER_INTERVAL, 5),
    ("FLOAT32", "near_term"): (near_term, (mpf(0), mpf(1) / 2), 7),
    ("FLOAT32", "far_term"): (far_term, (mpf(0), (1 - sqrt(mpf(1) / 2)) / 2), 5),
    ("FLOAT64", "lesser"): (atanh_tail, lesser_interval(0.5), 7),
    ("FLOAT64", "greater"): (atanh_tail, GREATER_INTERVAL, 9),
    ("FLOAT64", "ratio"): (atanh_tail, RATIO_INTERVAL, 10),
    ("FLOAT64", "log2"): (log2_ratio, LOG2_FLOAT64, 12),
    ("FLOAT64", "exponential"): (exp_tail, EXPONENTIAL_INTERVAL, 11),
    ("FLOAT64", "power"): (power_tail, POWER_INTERVAL, 12),
}


def coefficients(precision: str, name: str) -> list[mpf]:
    """Compute one polynomial of the table, lowest power first."""
    function, (low, high), terms = POLYNOMIALS[precision, name]
    if function is log2_ratio:
        # f times this polynomial then interpolates log2(1 + f), and that at f = 0 anyway.
        nodes = sorted(chebyshev_nodes(low, high, terms + 1), key=abs)
        return interpolant(function, nodes[1:])
    return interpolant(function, chebyshev_nodes(low, high, terms))


if __name__ == "__main__":
    for (precision, name), (function, (low, high), _) in POLYNOMIALS.items():
        made = coefficients(precision, name)
        error = mp.nstr(worst_error(function, low, high, made), 2)
        interval = f"{mp.nstr(low, 4)} .. {mp.nstr(high, 4)}"
        print(f"{precision}.{name}  # worst error {error} over {interval}")
        digits = 9 if precision == "FLOAT32" else 17
        print("".join(f"        {mp.nstr(c, digits)},\n" for c in made))
