"""What the answers are: mpmath in 60 digits, on the very floats that were passed."""

from collections.abc import Iterable
from itertools import repeat

import numpy as np
from mpmath import exp, log, mp, mpf

mp.dps = 60


def _exact(values: Iterable[float]) -> list[mpf]:
    return [mpf(float(v)) for v in values]


def _exact_or_mpf(values) -> list[mpf]:
    return [v if isinstance(v, mpf) else mpf(float(v)) for v in values]


def _exact_pairs(p, q) -> Iterable[tuple[mpf, mpf]]:
    return zip(_exact(p), _exact(q), strict=True)


def _term(p: mpf, q: mpf) -> mpf:
    s = p + q
    half = mpf(1) / 2
    return sum((half * x * log(2 * x / s) for x in (p, q) if x), mpf(0))


def js_terms(p, q) -> list[mpf]:
    """Terms of the divergence of two rows of probabilities, in nats."""
    return [_term(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def total(terms, *rows, **options) -> mpf:
    """Sum of what a function gives for rows, each distinct column computed once."""
    columns, number = np.unique(np.stack(rows), axis=1, return_counts=True)
    return repeated(terms(*columns, **options), map(int, number))


def js_divergence(p, q) -> mpf:
    """Divergence of two rows of probabilities, in nats, not normalised."""
    return total(js_terms, p, q)


def _log_ratio_term(p: mpf, q: mpf) -> mpf:
    if not p:
        return mpf(0)
    return p * log(p / q) if q else mpf("inf")


def kl_terms(p, q) -> list[mpf]:
    """Terms of the Kullback-Leibler divergence of two rows of probabilities, in nats."""
    return [_log_ratio_term(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def _skewed_term(x: mpf, y: mpf, weight: float | mpf) -> mpf:
    beta = mpf(weight)
    alpha = 1 - beta
    m = alpha * x + beta * y
    parts = (w * _log_ratio_term(z, m) for w, z in ((alpha, x), (beta, y)) if w)
    return sum(parts, mpf(0))


def _skewed_slope(x: mpf, y: mpf, weight: float | mpf) -> mpf:
    beta = mpf(weight)
    alpha = 1 - beta
    edge = mpf("-inf") if y and alpha and beta else mpf(0)
    return alpha * log(x / (alpha * x + beta * y)) if x and alpha else edge


def skewed_terms(p, q, weight: float | mpf) -> list[mpf]:
    """Terms of the skewed divergence, the weight being that of q."""
    return [_skewed_term(x, y, weight) for x, y in _exact_pairs(p, q)]


def skewed_slopes(p, q, weight: float | mpf) -> list[mpf]:
    """Derivatives of the skewed divergence in p, where the other weight is that of q."""
    return [_skewed_slope(x, y, weight) for x, y in _exact_pairs(p, q)]


def shares(weights) -> list[mpf]:
    """Weights divided by their sum, unrounded."""
    exact = _exact(weights)
    return [x / sum(exact) for x in exact]


def log_ratios_to_mean(column, weights: list[mpf]) -> list[mpf]:
    """log(p/m) of one category of several distributions; 0 where all that count are equal."""
    exact = _exact_or_mpf(column)
    if len({x for x, w in zip(exact, weights, strict=True) if w}) == 1:
        return [mpf(0)] * len(exact)
    m = sum(w * x for w, x in zip(weights, exact, strict=True))
    return [log(x / m) if x else mpf("-inf") for x in exact]


def term_of_many(column, weights: list[mpf]) -> mpf:
    """Term of one category of several distributions, with weights that add up to 1."""
    logs = log_ratios_to_mean(column, weights)
    parts = zip(weights, _exact_or_mpf(column), logs, strict=True)
    return sum((w * x * ratio for w, x, ratio in parts if w and x), mpf(0))


def gradient_of_many_logit(columns, weights: list[mpf], cotangents) -> list[list[mpf]]:
    """Derivatives in the logits of each distribution of the terms' weighted sum."""
    numbers = _exact(cotangents)
    logs = [log_ratios_to_mean(column, weights) for column in columns]
    gradients = []
    for i, weight in enumerate(weights):
        p = [column[i] for column in columns]
        slopes = [
            weight * c * own[i] if x and weight else mpf(0)
            for c, own, x in zip(numbers, logs, p, strict=True)
        ]
        gradients.append(_through_softmax(p, slopes))
    return gradients


def gap(p, q) -> mpf:
    """The magnitude of the difference of two rows' sums."""
    return abs(sum(_exact(p), mpf(0)) - sum(_exact(q), mpf(0)))


def kl_terms_logit(a, b, counts: Iterable[int] = repeat(1)) -> list[mpf]:
    """Terms of the Kullback-Leibler divergence of the softmaxes of two rows, in nats."""
    return [
        _log_ratio_term(x, y) for x, y in zip(softmax(a, counts), softmax(b, counts), strict=True)
    ]


def entropy_terms(p) -> list[mpf]:
    """Terms of the entropy of a row of probabilities, in nats."""
    return [-_log_ratio_term(x, mpf(1)) for x in _exact(p)]


def entropy_terms_logit(a, counts: Iterable[int] = repeat(1)) -> list[mpf]:
    """Terms of the entropy of the softmax of a row of logits, in nats."""
    return [-_log_ratio_term(x, mpf(1)) for x in softmax(a, counts)]


def normalised(row) -> list[mpf]:
    """A row divided by its sum, unrounded."""
    exact = _exact(row)
    total = sum(exact)
    return [x / total for x in exact]


def js_terms_normalised(p, q) -> list[mpf]:
    """Terms of the divergence of two rows that are first normalised, without rounding between."""
    return [_term(x, y) for x, y in zip(normalised(p), normalised(q), strict=True)]


def js_divergence_normalised(p, q) -> mpf:
    """Divergence of two rows that are first normalised, without rounding between."""
    of_p, of_q = (sum(_exact(row), mpf(0)) for row in (p, q))
    return total(lambda x, y: [_term(a / of_p, b / of_q) for a, b in _exact_pairs(x, y)], p, q)


def softmax(row, counts: Iterable[int] = repeat(1)) -> list[mpf]:
    """Probabilities of a row of logits, unrounded, each of them standing `counts` times."""
    finite = [mpf(float(v)) if np.isfinite(v) else None for v in row]
    top = max(v for v in finite if v is not None)
    exponentials = [mpf(0) if v is None else exp(v - top) for v in finite]
    total = sum(count * e for count, e in zip(counts, exponentials, strict=False))
    return [e / total for e in exponentials]


def js_terms_logit(a, b, counts: Iterable[int] = repeat(1)) -> list[mpf]:
    """Terms of the divergence of the softmaxes of two rows of logits, in nats."""
    return [_term(x, y) for x, y in zip(softmax(a, counts), softmax(b, counts), strict=True)]


def js_divergence_logit(a, b) -> mpf:
    """Divergence of the softmaxes of two rows of logits, in nats."""
    return sum(js_terms_logit(a, b), mpf(0))


def _slope(p: mpf, q: mpf) -> mpf:
    if p:
        return log(2 * p / (p + q)) / 2
    return mpf("-inf") if q else mpf(0)


def js_slopes(p, q) -> list[mpf]:
    """Derivatives in p of the terms of two rows of probabilities, 0 where both are 0."""
    return [_slope(x, y) for x, y in zip(_exact(p), _exact(q), strict=True)]


def js_gradient_logit(a, b, weights: Iterable[float] = repeat(1)) -> list[mpf]:
    """Derivatives in a of the terms' weighted sum, of the softmaxes of two rows of logits."""
    p = softmax(a)
    slopes = [
        mpf(float(weight)) * _slope(x, y) if x else mpf(0)
        for weight, x, y in zip(weights, p, softmax(b), strict=False)
    ]
    return _through_softmax(p, slopes)


def skewed_terms_logit(a, b, weight: float | mpf, counts: Iterable[int] = repeat(1)) -> list[mpf]:
    """Terms of the skewed divergence of the softmaxes of two rows, the weight being that of b."""
    pairs = zip(softmax(a, counts), softmax(b, counts), strict=True)
    return [_skewed_term(x, y, weight) for x, y in pairs]


def skewed_gradient_logit(
    a, b, weight: float | mpf, weights: Iterable[float] = repeat(1)
) -> list[mpf]:
    """Derivatives in a of its terms' weighted sum; the other weight is that of b."""
    p = softmax(a)
    slopes = [
        mpf(float(own)) * _skewed_slope(x, y, weight) if x else mpf(0)
        for own, x, y in zip(weights, p, softmax(b), strict=False)
    ]
    return _through_softmax(p, slopes)


def kl_slopes(p, q) -> tuple[list[mpf], list[mpf]]:
    """Derivatives in p and in q of the terms of two rows of positive probabilities."""
    ratios = [x / y for x, y in zip(_exact(p), _exact(q), strict=True)]
    return [log(ratio) + 1 for ratio in ratios], [-ratio for ratio in ratios]


def entropy_slopes(p) -> list[mpf]:
    """Derivatives of the terms of a row of positive probabilities."""
    return [-log(x) - 1 for x in _exact(p)]


def _through_softmax(p: list[mpf], slopes: list[mpf]) -> list[mpf]:
    mean = sum((x * slope for x, slope in zip(p, slopes, strict=True)), mpf(0))
    return [x * (slope - mean) for x, slope in zip(p, slopes, strict=True)]


def kl_gradient_logit(
    a, b, weights: Iterable[float] = repeat(1)
) -> tuple[list[mpf] | None, list[mpf]]:
    """Derivatives in a and in b of the terms' weighted sum, of the softmaxes of two rows.

    None for those in a where the sum is infinite.
    """
    p, q = softmax(a), softmax(b)
    weights = [mpf(float(weight)) for weight, _ in zip(weights, p, strict=False)]
    parts = list(zip(weights, p, q, strict=True))
    total = sum((weight * x for weight, x, _ in parts), mpf(0))
    in_b = [y * total - weight * x for weight, x, y in parts]
    if any(weight and x and not y for weight, x, y in parts):
        return None, in_b
    slopes = [weight * (log(x / y) + 1) if weight and x else mpf(0) for weight, x, y in parts]
    return _through_softmax(p, slopes), in_b


def entropy_gradient_logit(a, weights: Iterable[float] = repeat(1)) -> list[mpf]:
    """Derivatives of the terms' weighted sum, of the softmax of a row of logits."""
    p = softmax(a)
    slopes = [
        -mpf(float(weight)) * (log(x) + 1) if x else mpf(0)
        for weight, x in zip(weights, p, strict=False)
    ]
    return _through_softmax(p, slopes)


def repeated(terms: list[mpf], counts: Iterable[int]) -> mpf:
    """Sum of terms of which each stands `counts` times: the oracle of a long row."""
    return sum((count * term for count, term in zip(counts, terms, strict=True)), mpf(0))


def relative_error(computed, exact: mpf) -> float:
    """Relative error, beyond what the rounding of a subnormal result costs; NaN for NaN."""
    dtype = np.asarray(computed).dtype
    if np.isnan(computed):
        return float("nan")
    difference = abs(mpf(float(computed)) - exact)
    unavoidable = mpf(float(np.finfo(dtype).smallest_subnormal))
    if difference <= unavoidable:
        return 0.0
    return float(difference / abs(exact)) if exact else float("inf")


def error_of_largest(computed, exact: list[mpf]) -> float:
    """Largest error of a row's derivatives in logits, relative to the largest of them."""
    errors = [abs(mpf(float(one)) - other) for one, other in zip(computed, exact, strict=True)]
    # Exponentials that are all but subnormal count as 0, and not all digits are here.
    tiny = float(np.finfo(computed.dtype).tiny)
    unavoidable = max(1e9 * tiny, min(1e-40, mpf(10) ** (20 - mp.dps)))
    return float(max(errors) / (max(map(abs, exact)) + unavoidable))
