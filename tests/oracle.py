"""What the answers are: mpmath in 60 digits, on the very floats that were passed.

Ten thousand times as many are computed in a fifth of the time by python-flint, `in_balls`: its
numbers know how far off they may be at most.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import repeat
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 60

RADIUS = 1e-19
"""An error that is known to so much is known."""


class TooFewDigitsError(ArithmeticError):
    """An answer is not known well enough."""


_number: Any = mpf


@contextmanager
def in_balls(digits: int) -> Iterator[None]:
    """Compute with python-flint's numbers of so many digits, which may be too few."""
    global _number
    from flint import arb, ctx

    _number, before = arb, ctx.dps
    ctx.dps = digits
    try:
        yield
    finally:
        _number, ctx.dps = mpf, before


def number(value: Any) -> Any:
    """Return a number as it is, in the arithmetic that is used."""
    return _number(value)


def log(x: Any) -> Any:
    return mpmath.log(x) if isinstance(x, mpf) else x.log()


def exp(x: Any) -> Any:
    return mpmath.exp(x) if isinstance(x, mpf) else x.exp()


def sqrt(x: Any) -> Any:
    if isinstance(x, mpf):
        return mpmath.sqrt(x)
    # The root of a ball about 0 is no number, as long as any of it is negative.
    return x.sqrt() if x > 0 or x == 0 else type(x)(0, x.abs_upper().sqrt())


def known(error: Any) -> float:
    """Return an error as a float."""
    if not isinstance(error, mpf) and not error.rad() < RADIUS and not error == math.inf:
        raise TooFewDigitsError
    return float(error)


def _exact(values: Iterable[float]) -> list[Any]:
    return [number(float(v)) for v in values]


def _exact_or_mpf(values) -> list[Any]:
    return [v if isinstance(v, mpf | type(number(0))) else number(float(v)) for v in values]


def _exact_pairs(p, q) -> Iterable[tuple[Any, Any]]:
    return zip(_exact(p), _exact(q), strict=True)


def _term(p: Any, q: Any) -> Any:
    s = p + q
    half = number(1) / 2
    return sum((half * x * log(2 * x / s) for x in (p, q) if x != 0), number(0))


def js_terms(p, q) -> list[Any]:
    """Terms of the divergence of two rows of probabilities, in nats."""
    return [_term(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def total(terms, *rows, **options) -> Any:
    """Sum of what a function gives for one row or two, each distinct column computed once."""
    pairs = np.empty(np.size(rows[0]), complex)
    pairs.real, pairs.imag = rows[0], rows[-1]
    distinct, number = np.unique(pairs, return_counts=True)
    columns = (distinct.real, distinct.imag)[: len(rows)]
    return repeated(terms(*columns, **options), map(int, number))


def js_divergence(p, q) -> Any:
    """Divergence of two rows of probabilities, in nats, not normalised."""
    return total(js_terms, p, q)


def _log_ratio_term(p: Any, q: Any) -> Any:
    if p == 0:
        return number(0)
    return p * log(p / q) if q != 0 else number(math.inf)


def kl_terms(p, q) -> list[Any]:
    """Terms of the Kullback-Leibler divergence of two rows of probabilities, in nats."""
    return [_log_ratio_term(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def _skewed_term(x: Any, y: Any, weight: Any) -> Any:
    beta = number(weight)
    alpha = 1 - beta
    m = alpha * x + beta * y
    parts = (w * _log_ratio_term(z, m) for w, z in ((alpha, x), (beta, y)) if w != 0)
    return sum(parts, number(0))


def _skewed_slope(x: Any, y: Any, weight: Any) -> Any:
    beta = number(weight)
    alpha = 1 - beta
    edge = number(-math.inf) if y != 0 and alpha != 0 and beta != 0 else number(0)
    return alpha * log(x / (alpha * x + beta * y)) if x != 0 and alpha != 0 else edge


def skewed_terms(p, q, weight: Any) -> list[Any]:
    """Terms of the skewed divergence, the weight being that of q."""
    return [_skewed_term(x, y, weight) for x, y in _exact_pairs(p, q)]


def skewed_slopes(p, q, weight: Any) -> list[Any]:
    """Derivatives of the skewed divergence in p, where the other weight is that of q."""
    return [_skewed_slope(x, y, weight) for x, y in _exact_pairs(p, q)]


def shares(weights) -> list[Any]:
    """Weights divided by their sum, unrounded."""
    exact = _exact(weights)
    return [x / sum(exact) for x in exact]


def log_ratios_to_mean(column, weights: list[Any]) -> list[Any]:
    """log(p/m) of one category of several distributions; 0 where all that count are equal."""
    exact = _exact_or_mpf(column)
    counted = [x for x, w in zip(exact, weights, strict=True) if w != 0]
    if all(x == counted[0] for x in counted):
        return [number(0)] * len(exact)
    m = sum(w * x for w, x in zip(weights, exact, strict=True))
    return [log(x / m) if x != 0 else number(-math.inf) for x in exact]


def term_of_many(column, weights: list[Any]) -> Any:
    """Term of one category of several distributions, with weights that add up to 1."""
    logs = log_ratios_to_mean(column, weights)
    parts = zip(weights, _exact_or_mpf(column), logs, strict=True)
    return sum((w * x * ratio for w, x, ratio in parts if w != 0 and x != 0), number(0))


def gradient_of_many_logit(columns, weights: list[Any], cotangents) -> list[list[Any]]:
    """Derivatives in the logits of each distribution of the terms' weighted sum."""
    numbers = _exact(cotangents)
    logs = [log_ratios_to_mean(column, weights) for column in columns]
    gradients = []
    for i, weight in enumerate(weights):
        p = [column[i] for column in columns]
        slopes = [
            weight * c * own[i] if x != 0 and weight != 0 else number(0)
            for c, own, x in zip(numbers, logs, p, strict=True)
        ]
        gradients.append(_through_softmax(p, slopes))
    return gradients


def row_sum(row) -> Any:
    """Sum of a row, each distinct number multiplied once."""
    numbers, counts = np.unique(row, return_counts=True)
    return repeated(_exact(numbers), map(int, counts))


def gap(p, q) -> Any:
    """The magnitude of the difference of two rows' sums."""
    return abs(row_sum(p) - row_sum(q))


def kl_terms_logit(a, b, counts: Iterable[int] = repeat(1)) -> list[Any]:
    """Terms of the Kullback-Leibler divergence of the softmaxes of two rows, in nats."""
    return [
        _log_ratio_term(x, y) for x, y in zip(softmax(a, counts), softmax(b, counts), strict=True)
    ]


def entropy_terms(p) -> list[Any]:
    """Terms of the entropy of a row of probabilities, in nats."""
    return [-_log_ratio_term(x, number(1)) for x in _exact(p)]


def entropy_terms_logit(a, counts: Iterable[int] = repeat(1)) -> list[Any]:
    """Terms of the entropy of the softmax of a row of logits, in nats."""
    return [-_log_ratio_term(x, number(1)) for x in softmax(a, counts)]


def normalised(row) -> list[Any]:
    """A row divided by its sum, unrounded."""
    exact = _exact(row)
    total = sum(exact)
    return [x / total for x in exact]


def js_terms_normalised(p, q) -> list[Any]:
    """Terms of the divergence of two rows that are first normalised, without rounding between."""
    return [_term(x, y) for x, y in zip(normalised(p), normalised(q), strict=True)]


def are_proportional(p, q) -> bool:
    """Whether two rows are the same once they are normalised."""
    most = int(np.argmax(p))
    x, y = float(p[most]), float(q[most])
    columns = zip(p.tolist(), q.tolist(), strict=True)
    return all(
        (a == x and b == y) or Fraction(a) * Fraction(y) == Fraction(b) * Fraction(x)
        for a, b in columns
    )


def js_divergence_normalised(p, q) -> Any:
    """Divergence of two rows that are first normalised, without rounding between."""
    of_p, of_q = row_sum(p), row_sum(q)
    return total(lambda x, y: [_term(a / of_p, b / of_q) for a, b in _exact_pairs(x, y)], p, q)


def skewed_divergence_normalised(p, q, weight: Any) -> Any:
    """Skewed divergence of two rows that are first normalised, without rounding between."""
    of_p, of_q = row_sum(p), row_sum(q)
    terms = (_skewed_term(x / of_p, y / of_q, weight) for x, y in _exact_pairs(p, q))
    return sum(terms, number(0))


def kl_divergence_normalised(p, q) -> Any:
    """Kullback-Leibler divergence of two rows that are first normalised, without rounding."""
    of_p, of_q = row_sum(p), row_sum(q)
    terms = (_log_ratio_term(x / of_p, y / of_q) for x, y in _exact_pairs(p, q))
    return sum(terms, number(0))


def softmax(row, counts: Iterable[int] = repeat(1)) -> list[Any]:
    """Probabilities of a row of logits, unrounded, each of them standing `counts` times."""
    finite = [number(float(v)) if np.isfinite(v) else None for v in row]
    top = max(v for v in finite if v is not None)
    exponentials = [number(0) if v is None else exp(v - top) for v in finite]
    total = sum(count * e for count, e in zip(counts, exponentials, strict=False))
    return [e / total for e in exponentials]


def js_terms_logit(a, b, counts: Iterable[int] = repeat(1)) -> list[Any]:
    """Terms of the divergence of the softmaxes of two rows of logits, in nats."""
    return [_term(x, y) for x, y in zip(softmax(a, counts), softmax(b, counts), strict=True)]


def js_divergence_logit(a, b) -> Any:
    """Divergence of the softmaxes of two rows of logits, in nats."""
    return sum(js_terms_logit(a, b), number(0))


def _slope(p: Any, q: Any) -> Any:
    if p != 0:
        return log(2 * p / (p + q)) / 2
    return number(-math.inf) if q != 0 else number(0)


def js_slopes(p, q) -> list[Any]:
    """Derivatives in p of the terms of two rows of probabilities, 0 where both are 0."""
    return [_slope(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def js_gradient_logit(a, b, weights: Iterable[float] = repeat(1)) -> list[Any]:
    """Derivatives in a of the terms' weighted sum, of the softmaxes of two rows of logits."""
    p = softmax(a)
    slopes = [
        number(float(weight)) * _slope(x, y) if x != 0 else number(0)
        for weight, x, y in zip(weights, p, softmax(b), strict=False)
    ]
    return _through_softmax(p, slopes)


def skewed_terms_logit(a, b, weight: Any, counts: Iterable[int] = repeat(1)) -> list[Any]:
    """Terms of the skewed divergence of the softmaxes of two rows, the weight being that of b."""
    pairs = zip(softmax(a, counts), softmax(b, counts), strict=True)
    return [_skewed_term(x, y, weight) for x, y in pairs]


def skewed_gradient_logit(a, b, weight: Any, weights: Iterable[float] = repeat(1)) -> list[Any]:
    """Derivatives in a of its terms' weighted sum; the other weight is that of b."""
    p = softmax(a)
    slopes = [
        number(float(own)) * _skewed_slope(x, y, weight) if x != 0 else number(0)
        for own, x, y in zip(weights, p, softmax(b), strict=False)
    ]
    return _through_softmax(p, slopes)


def kl_slopes(p, q) -> tuple[list[Any], list[Any]]:
    """Derivatives in p and in q of the terms of two rows of positive probabilities."""
    ratios = [x / y for x, y in zip(_exact(p), _exact(q), strict=True)]
    return [log(ratio) + 1 for ratio in ratios], [-ratio for ratio in ratios]


def entropy_slopes(p) -> list[Any]:
    """Derivatives of the terms of a row of positive probabilities."""
    return [-log(x) - 1 for x in _exact(p)]


def _through_softmax(p: list[Any], slopes: list[Any]) -> list[Any]:
    mean = sum((x * slope for x, slope in zip(p, slopes, strict=True)), number(0))
    return [x * (slope - mean) for x, slope in zip(p, slopes, strict=True)]


def kl_gradient_logit(
    a, b, weights: Iterable[float] = repeat(1)
) -> tuple[list[Any] | None, list[Any]]:
    """Derivatives in a and in b of the terms' weighted sum, of the softmaxes of two rows.

    None for those in a where the sum is infinite.
    """
    p, q = softmax(a), softmax(b)
    weights = [number(float(weight)) for weight, _ in zip(weights, p, strict=False)]
    parts = list(zip(weights, p, q, strict=True))
    total = sum((weight * x for weight, x, _ in parts), number(0))
    in_b = [y * total - weight * x for weight, x, y in parts]
    if any(weight != 0 and x != 0 and y == 0 for weight, x, y in parts):
        return None, in_b
    slopes = [
        weight * (log(x / y) + 1) if weight != 0 and x != 0 else number(0) for weight, x, y in parts
    ]
    return _through_softmax(p, slopes), in_b


def entropy_gradient_logit(a, weights: Iterable[float] = repeat(1)) -> list[Any]:
    """Derivatives of the terms' weighted sum, of the softmax of a row of logits."""
    p = softmax(a)
    slopes = [
        -number(float(weight)) * (log(x) + 1) if x != 0 else number(0)
        for weight, x in zip(weights, p, strict=False)
    ]
    return _through_softmax(p, slopes)


def repeated(terms: list[Any], counts: Iterable[int]) -> Any:
    """Sum of terms of which each stands `counts` times: the oracle of a long row."""
    return sum((count * term for count, term in zip(counts, terms, strict=True)), number(0))


def relative_error(computed, exact: Any) -> float:
    """Relative error, beyond what the rounding of a subnormal result costs; NaN for NaN."""
    return error_of(computed, exact, abs(exact))


def error_of(computed, exact: Any, scale: Any) -> float:
    """The same as part of a scale."""
    dtype = np.asarray(computed).dtype
    if np.isnan(computed):
        return float("nan")
    difference = abs(number(float(computed)) - exact)
    unavoidable = number(float(np.finfo(dtype).smallest_subnormal))
    if difference <= unavoidable:
        return 0.0
    return known(difference / scale) if scale != 0 else _of_nothing(scale)


def _of_nothing(scale: Any) -> float:
    if scale == 0:
        return float("inf")
    raise TooFewDigitsError


def error_of_largest(computed, exact: list[Any]) -> float:
    """Largest error of a row's derivatives in logits, relative to the largest of them."""
    if np.isnan(computed).any():
        return float("nan")
    errors = [abs(number(float(one)) - other) for one, other in zip(computed, exact, strict=True)]
    # Exponentials that are all but subnormal count as 0, and not all digits are here.
    tiny = float(np.finfo(computed.dtype).tiny)
    unavoidable = max(1e9 * tiny, min(1e-40, mpf(10) ** (20 - mp.dps)))
    scale = max(map(abs, exact)) + number(unavoidable)
    return max(known(error / scale) for error in errors)
