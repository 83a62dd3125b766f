"""The accuracy contract, against mpmath on the very floats that were passed."""

from itertools import product

import numpy as np
import pytest
from mpmath import isinf, mp, mpf

from jsdiv_numba import (
    entropy,
    entropy_logit,
    entropy_logit_grad,
    js_divergence,
    js_divergence_logit,
    kl_divergence,
    kl_divergence_logit,
    kl_divergence_logit_grad,
)
from tests import cases, oracle

CASES = 200
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ROW_ERROR = {np.float64: 1e-14, np.float32: 1e-6}
LOGIT_ERROR = {np.float64: 1e-10, np.float32: 1e-4}


def worst_error(divergence, pair, terms):
    """Return the worst error of the sum and of any term, relative to the divergence."""
    exact = sum(terms, mpf(0))
    computed = divergence(*pair, reduce=False)
    errors = [oracle.relative_error(divergence(*pair, keepdims=False), exact)]
    for one, term in zip(computed, terms, strict=True):
        errors.append(oracle.relative_error(one, term) * (float(term / exact) if term else 1.0))
    return np.max(errors)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_rows_and_elements(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        pair = cases.ROWS[kind](rng, dtype)
        error = worst_error(js_divergence, pair, oracle.js_terms(*pair))
        assert error < ROW_ERROR[dtype], pair


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_logits(kind, dtype):
    rng = np.random.default_rng(2)
    for _ in range(CASES):
        pair = cases.LOGITS[kind](rng, dtype)
        error = worst_error(js_divergence_logit, pair, oracle.js_terms_logit(*pair))
        assert error < LOGIT_ERROR[dtype], pair


def scaled_error(computed, exact, scale):
    """Return an error relative to a scale, beyond that of a subnormal result."""
    error = abs(mpf(float(computed)) - exact) - float(np.finfo(computed.dtype).smallest_subnormal)
    return float(error / scale) if error > 0 else 0.0


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_kl_rows_and_elements(kind, dtype):
    """Relative to KL + 2·|Σp - Σq|, which is a relative error where the sums are equal."""
    rng = np.random.default_rng(1)
    for _ in range(CASES // 4):
        p, q = cases.ROWS[kind](rng, dtype)
        if rng.random() < 0.5:
            p = np.where(q == 0, 0, p)
        terms = oracle.kl_terms(p, q)
        exact = sum(terms, mpf(0))
        computed = kl_divergence(p, q, keepdims=False)
        in_columns = kl_divergence(np.stack([p, p], 1), np.stack([q, q], 1), axis=0)[0, 0]
        for one in (computed, in_columns):
            if isinf(exact):
                assert one == np.inf
            else:
                scale = abs(exact) + 2 * oracle.gap(p, q)
                assert scaled_error(one, exact, scale) < ROW_ERROR[dtype], (p, q)
        for one, term in zip(kl_divergence(p, q, reduce=False), terms, strict=True):
            if isinf(term):
                assert one == np.inf
            else:
                assert oracle.relative_error(one, term) < ROW_ERROR[dtype], (p, q)


@PRECISIONS
@pytest.mark.parametrize("separation", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("length", [2, 33, 1000])
def test_kl_of_near_equal_rows_with_equal_sums(length, separation, dtype):
    """Where q is p with its entries exchanged, only terms of second order are left."""
    rng = np.random.default_rng(2)
    smallest = max(separation, cases.EPSILON[dtype])
    for _ in range(3):
        half = rng.random(length) + 0.1
        p = np.concatenate([half, half * (1 + smallest * rng.standard_normal(length))])
        p = (p / p.sum()).astype(dtype)
        q = np.concatenate([p[length:], p[:length]])
        for first, second in ((p, q), (p[::-1], q[::-1])):
            exact = sum(oracle.kl_terms(first, second), mpf(0))
            columns = [np.stack([x, x], 1) for x in (first, second)]
            for computed in (
                kl_divergence(first, second, keepdims=False),
                kl_divergence(*columns, axis=0)[0, 0],
            ):
                assert computed >= 0
                assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype]


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_kl_of_logits(kind, dtype):
    rng = np.random.default_rng(2)
    with mp.workdps(150):
        for _ in range(CASES // 4):
            a, b = cases.LOGITS[kind](rng, dtype)
            terms = oracle.kl_terms_logit(a, b)
            exact, largest = sum(terms, mpf(0)), max(map(abs, terms))
            total = kl_divergence_logit(a, b, keepdims=False)
            if isinf(exact):
                assert total == np.inf
                continue
            assert oracle.relative_error(total, exact) < LOGIT_ERROR[dtype], (a, b)
            for one, term in zip(kl_divergence_logit(a, b, reduce=False), terms, strict=True):
                assert scaled_error(one, term, largest or 1) < LOGIT_ERROR[dtype], (a, b)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_entropy_of_rows_and_elements(kind, dtype):
    """Relative to the sum of magnitudes, which for probabilities is the entropy."""
    rng = np.random.default_rng(1)
    for _ in range(CASES // 4):
        for p in cases.ROWS[kind](rng, dtype):
            terms = oracle.entropy_terms(p)
            exact, scale = sum(terms, mpf(0)), sum(map(abs, terms))
            for computed in (
                entropy(p, keepdims=False),
                entropy(np.stack([p, p], 1), axis=0)[0, 0],
            ):
                assert scaled_error(computed, exact, scale) < ROW_ERROR[dtype], p
            for one, term in zip(entropy(p, reduce=False), terms, strict=True):
                assert oracle.relative_error(one, term) < ROW_ERROR[dtype], p


PEAKED = (1, 10, 30, 36, 37, 40, 80, 90, 103, 300, 700, 740, 1000)
"""How far the largest logit is above the others."""


@PRECISIONS
@pytest.mark.parametrize("kind", [*cases.LOGITS, "peaked"])
def test_entropy_of_logits(kind, dtype):
    rng = np.random.default_rng(2)
    rows = (
        [np.array([height, 0, -1, -np.inf], dtype) for height in PEAKED]
        if kind == "peaked"
        else [row for _ in range(CASES // 4) for row in cases.LOGITS[kind](rng, dtype)]
    )
    with mp.workdps(900 if kind == "peaked" else 150):
        for a in rows:
            terms = oracle.entropy_terms_logit(a)
            exact = sum(terms, mpf(0))
            total = entropy_logit(a, keepdims=False)
            assert oracle.relative_error(total, exact) < LOGIT_ERROR[dtype], a
            for one, term in zip(entropy_logit(a, reduce=False), terms, strict=True):
                assert scaled_error(one, term, exact or 1) < LOGIT_ERROR[dtype], a


@pytest.mark.parametrize("spread", [1e-5, 1e-3, 0.1, 0.5, 1, 10, 30])
def test_float32_elements_of_every_ratio(spread):
    """A million of them, against the float64 that the other tests hold to mpmath."""
    rng = np.random.default_rng(3)
    P = (10 ** rng.uniform(-3, 3, 1_000_000)).astype(np.float32)
    Q = (P * np.exp(-spread * rng.exponential(size=P.size))).astype(np.float32)
    exact = js_divergence(P.astype(np.float64), Q, reduce=False)
    np.testing.assert_allclose(js_divergence(P, Q, reduce=False), exact, rtol=1e-6, atol=0)


def extremes(dtype):
    limits = np.finfo(dtype)
    smallest, largest = limits.smallest_subnormal, limits.max
    fractions = np.array([1, 0.999, 0.5, 0.49, 0.25, 0.24, 1e-6], dtype)
    small = np.array([0, smallest, 3 * smallest, limits.tiny / 2, limits.tiny, 3 * limits.tiny])
    middle = np.array([limits.eps**3, 1e-10, 1, 1e10])
    return np.concatenate([small, middle, fractions * largest]).astype(dtype)


@PRECISIONS
def test_elements_at_the_ends_of_the_range(dtype):
    for p, q in product(extremes(dtype), repeat=2):
        exact = oracle.js_divergence([p], [q])
        for computed in (js_divergence(p, q), js_divergence(p, q, reduce=False)):
            assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype], (p, q, computed)


@PRECISIONS
def test_an_ordinary_element_hides_no_error_at_the_ends_of_the_range(dtype):
    for p, q in product(extremes(dtype), repeat=2):
        rows = np.array([[p, 0.5], [q, 0.25]], dtype)
        exact = oracle.js_divergence(*rows)
        computed = js_divergence(*rows, keepdims=False)
        assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype], (p, q, computed)


@PRECISIONS
@pytest.mark.parametrize("scale", [0.99, 0.5, 0.3, 0.2, 1e-3])
def test_near_equal_elements_at_the_upper_end(dtype, scale):
    limits = np.finfo(dtype)
    rows = np.array([[limits.max * scale, 1], [limits.max * scale * (1 - 8 * limits.eps), 0.5]])
    rows = rows.astype(dtype)
    computed, exact = js_divergence(*rows, keepdims=False), oracle.js_divergence(*rows)
    assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype]


LONG = [5_000, 1_000_000, (1 << 20) + 3]
"""The last is added up in pieces."""


def long_rows(rng, length, distinct):
    """Return which of a few distinct elements stands where, in runs, and how often each does."""
    index = np.sort(rng.integers(0, distinct, length))
    return index, [int(count) for count in np.bincount(index, minlength=distinct)]


@PRECISIONS
@pytest.mark.parametrize("distinct", [1, 2, 100])
@pytest.mark.parametrize("length", LONG)
def test_long_rows(length, distinct, dtype):
    """Equal elements are the hardest: their rounding errors do not cancel."""
    rng = np.random.default_rng(4)
    index, counts = long_rows(rng, length, distinct)
    for separation in 10.0 ** rng.uniform(np.log10(cases.EPSILON[dtype]), 0, 8):
        P = (rng.random(distinct) / length).astype(dtype)
        Q = (P * (1 + separation * rng.uniform(-1, 1, distinct))).astype(dtype)
        exact = oracle.repeated(oracle.js_terms(P, Q), counts)
        columns = [np.stack([x, x], axis=1)[index] for x in (P, Q)]
        for computed in (
            js_divergence(P[index], Q[index], keepdims=False),
            js_divergence(*columns, axis=0)[0, 0],
        ):
            assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype], (P, Q)


@PRECISIONS
@pytest.mark.parametrize("length", LONG)
def test_long_rows_of_kl_and_entropy(length, dtype):
    rng = np.random.default_rng(4)
    index, counts = long_rows(rng, length, 100)
    for separation in 10.0 ** rng.uniform(np.log10(cases.EPSILON[dtype]), 0, 4):
        P = (rng.random(100) / length).astype(dtype)
        Q = (P * (1 + separation * rng.uniform(-1, 1, 100))).astype(dtype)
        exact = oracle.repeated(oracle.kl_terms(P, Q), counts)
        gap = oracle.repeated(
            [mpf(float(p)) - mpf(float(q)) for p, q in zip(P, Q, strict=True)], counts
        )
        columns = [np.stack([x, x], axis=1)[index] for x in (P, Q)]
        for computed in (
            kl_divergence(P[index], Q[index], keepdims=False),
            kl_divergence(*columns, axis=0)[0, 0],
        ):
            scale = abs(exact) + 2 * abs(gap)
            assert scaled_error(computed, exact, scale) < ROW_ERROR[dtype], (P, Q)
        exact = oracle.repeated(oracle.entropy_terms(P), counts)
        for computed in (entropy(P[index], keepdims=False), entropy(columns[0], axis=0)[0, 0]):
            assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype], P


@PRECISIONS
@pytest.mark.parametrize("exponent", [-1, 1])
@pytest.mark.parametrize("length", [1_000, 100_000])
def test_long_rows_at_the_ends_of_the_scale(length, exponent, dtype):
    scale = dtype(10.0 ** (exponent * cases.SCALE[dtype]))
    for p, q in ([1 / 7, 1 / 9], [1 / 3, 0], [0.1, 0.1001]):
        element = np.array([[p], [q]], dtype) * scale
        rows = np.repeat(element, length, axis=1)
        exact = oracle.repeated(oracle.js_terms(*element), [length])
        computed = js_divergence(*rows, keepdims=False)
        assert oracle.relative_error(computed, exact) < ROW_ERROR[dtype], (p, q)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([-np.inf, 26.14145851135254], [-25.78423309326172, 61.24646759033203]),
        ([37.93162536621094, -54.038944244384766], [38.06263732910156, -54.012386322021484]),
        ([0, -60, -1], [5, -56, 4]),
    ],
)
def test_float32_logits_that_differ_where_next_to_nothing_is(a, b):
    a, b = np.float32(a), np.float32(b)
    exact, computed = oracle.js_divergence_logit(a, b), js_divergence_logit(a, b, keepdims=False)
    assert 0 < computed < 1e-24
    assert oracle.relative_error(computed, exact) < 1e-4
    assert js_divergence_logit(a, b, reduce=False).sum() == pytest.approx(computed, 1e-4, 3e-45)
    skewed = js_divergence_logit(a, b, weight=0.3, keepdims=False)
    assert oracle.relative_error(skewed, sum(oracle.skewed_terms_logit(a, b, 0.3))) < 1e-4


@PRECISIONS
@pytest.mark.parametrize("distinct", [2, 100])
@pytest.mark.parametrize("length", LONG)
def test_long_rows_of_logits(length, distinct, dtype):
    rng = np.random.default_rng(5)
    index, counts = long_rows(rng, length, distinct)
    for separation in 10.0 ** rng.uniform(np.log10(cases.LOGIT_EPSILON[dtype]), 0.5, 4):
        A = (2 * rng.standard_normal(distinct)).astype(dtype)
        B = (A + separation * rng.standard_normal(distinct)).astype(dtype)
        computed = js_divergence_logit(A[index], B[index], keepdims=False)
        exact = oracle.repeated(oracle.js_terms_logit(A, B, counts), counts)
        assert oracle.relative_error(computed, exact) < LOGIT_ERROR[dtype], (A, B)


EXTREME_LOGITS = {
    "opposite ends": ([1e308, -1e308, 0], [-1e308, 1e308, 1]),
    "one end": ([1e308, -1e308, 0], [1e308, -1e308, 1]),
    "shifted to the other end": ([1e308, 1e308], [-1e308, -1e308]),
    "shifted by 1e300": ([1e300, 1e300, -np.inf], [0, 0, -np.inf]),
    "far apart": ([0, -690], [0, -700]),
    "one category": ([3], [7]),
    "one category, at the ends": ([1e308], [-1e308]),
    "the same zeros": ([0, -np.inf, -np.inf], [1, -np.inf, -np.inf]),
    "other zeros": ([0, -np.inf], [-np.inf, 0]),
    "a small probability and a zero": ([0, -np.inf, 1], [0, -600, 1]),
}


@pytest.mark.parametrize(("A", "B"), EXTREME_LOGITS.values(), ids=EXTREME_LOGITS)
def test_extreme_logits(A, B):
    exact = oracle.js_divergence_logit(A, B)
    computed = js_divergence_logit(A, B, keepdims=False)
    assert oracle.relative_error(computed, exact) < LOGIT_ERROR[np.float64]
    assert worst_error(js_divergence_logit, (A, B), oracle.js_terms_logit(A, B)) < 1e-10


EXTREME_PAIRS = {
    **EXTREME_LOGITS,
    "a category that is not there": ([-1.7e308, -np.inf], [1.7e308, 3]),
    "a part of the largest float": ([0, 0, 0, 0], [1e308, 1e308, 1e308, -1e308]),
    "no less than a float apart": ([2, -np.inf, 1, -1], [0, -1, 1.7976931348623157e308, 0]),
}


def extreme(logits, dtype):
    """Return the same logits at the ends of a precision's range."""
    if dtype is np.float64:
        return np.array(logits)
    limits = np.finfo(dtype)
    scaled = [
        x / 1.7976931348623157e308 * float(limits.max) if abs(x) > 1e38 else x for x in logits
    ]
    return np.array([x if np.isfinite(x) else -np.inf for x in scaled], dtype)


@PRECISIONS
@pytest.mark.parametrize(("A", "B"), EXTREME_PAIRS.values(), ids=EXTREME_PAIRS)
def test_extreme_logits_of_kl_and_entropy(A, B, dtype):
    A, B = extreme(A, dtype), extreme(B, dtype)
    with mp.workdps(700):
        for a, b in ((A, B), (B, A)):
            check_extreme_kl(a, b, dtype)
            exact = sum(oracle.entropy_terms_logit(a), mpf(0))
            computed, slopes = entropy_logit_grad(a, keepdims=False)
            assert entropy_logit(a, keepdims=False) == computed
            assert oracle.relative_error(computed, exact) < LOGIT_ERROR[dtype]
            error = oracle.error_of_largest(slopes, oracle.entropy_gradient_logit(a))
            assert error < LOGIT_ERROR[dtype]


def check_extreme_kl(a, b, dtype):
    """Hold a divergence, its terms and derivatives to mpmath, where they are floats at all."""
    terms, largest = oracle.kl_terms_logit(a, b), float(np.finfo(dtype).max)
    exact = sum(terms, mpf(0))
    computed, in_a, in_b = kl_divergence_logit_grad(a, b, keepdims=False)
    assert kl_divergence_logit(a, b, keepdims=False) == computed
    of_a, of_b = oracle.kl_gradient_logit(a, b)
    assert oracle.error_of_largest(in_b, of_b) < LOGIT_ERROR[dtype]
    if exact > largest:
        assert computed == np.inf
        return
    assert oracle.relative_error(computed, exact) < LOGIT_ERROR[dtype]
    assert oracle.error_of_largest(in_a, of_a) < LOGIT_ERROR[dtype]
    for one, term in zip(kl_divergence_logit(a, b, reduce=False), terms, strict=True):
        assert scaled_error(one, term, max(map(abs, terms)) or 1) < LOGIT_ERROR[dtype]


def test_the_smallest_logit_difference_is_seen():
    A = np.linspace(-3, 3, 50)
    B = A.copy()
    B[20] = np.nextafter(B[20], 4)
    exact = oracle.js_divergence_logit(A, B)
    assert 0 < exact < 1e-34
    assert oracle.relative_error(js_divergence_logit(A, B, keepdims=False), exact) < 1e-10
