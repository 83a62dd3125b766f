"""What holds for every input: the properties of the divergence and of how it is computed."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jsdiv_numba import js_divergence, js_divergence_logit, js_sum, js_sum_logit, js_term
from tests.strategies import (
    Pair,
    logit_pairs,
    logits,
    pairs_of,
    probability_pairs,
    simplices,
)

every_input = settings(deadline=None, max_examples=60)
either = st.one_of(
    st.tuples(st.just(js_divergence), probability_pairs(smallest=0)),
    st.tuples(st.just(js_divergence_logit), logit_pairs(smallest=0)),
)
either_in_rows = st.one_of(
    st.tuples(st.just(js_divergence), pairs_of(simplices, rows=(5,))),
    st.tuples(st.just(js_divergence_logit), pairs_of(logits, rows=(5,))),
)


@every_input
@given(either)
def test_symmetric_to_the_last_bit(drawn):
    divergence, (P, Q) = drawn
    for reduce in (True, False):
        there, back = divergence(P, Q, reduce=reduce), divergence(Q, P, reduce=reduce)
        assert there.tobytes() == back.tobytes()


@every_input
@given(either)
def test_between_0_and_ln_2(drawn):
    divergence, (P, Q) = drawn
    eps = np.finfo(P.dtype).eps
    value = divergence(P, Q, keepdims=False)
    assert 0 <= value <= np.log(2) * (1 + 8 * eps)
    assert not np.signbit(value)
    terms = divergence(P, Q, reduce=False)
    assert (terms >= 0).all()
    assert not np.signbit(terms).any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [2, 3, 33, 1000])
def test_disjoint_rows_are_at_ln_2_and_not_above(n, dtype):
    """Though nothing adds up to more, rounding might."""
    rng = np.random.default_rng(n)
    A, B = (rng.exponential(3) * rng.standard_normal((2, 200, n))).astype(dtype)
    first = np.arange(n) < rng.integers(1, n, (200, 1))
    A[first] = B[~first] = -np.inf
    p, q = (np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True, dtype=float) for x in (A, B))
    of_logits = js_divergence_logit(A, B)
    of_probabilities = js_divergence(p.astype(dtype), q.astype(dtype))
    np.testing.assert_allclose(of_logits, np.log(2), rtol={8: 1e-10, 4: 1e-4}[A.itemsize])
    assert of_logits.max() <= dtype(np.log(2))
    np.testing.assert_allclose(of_probabilities, np.log(2), rtol=8 * np.finfo(dtype).eps)


@every_input
@given(either)
def test_equal_rows_are_exactly_0(drawn):
    divergence, (P, _) = drawn
    assert divergence(P, P.copy(), keepdims=False) == 0
    assert not divergence(P, P.copy(), reduce=False).any()


@every_input
@given(probability_pairs())
def test_rows_that_differ_are_not_0(pair):
    P, Q = pair
    smallest = np.finfo(P.dtype).tiny ** 0.25
    apart = (np.abs(P - Q) > smallest).any()
    assert (js_divergence(P, Q, keepdims=False) > 0) >= apart


@every_input
@given(pairs_of(simplices, rows=(3,)))
def test_the_root_obeys_the_triangle_inequality(pair):
    a, b, c = pair.P[0], pair.Q[0], pair.P[1]
    ab, bc, ac = (
        np.sqrt(js_divergence(*two, keepdims=False).astype(float))
        for two in ((a, b), (b, c), (a, c))
    )
    rounding = 1 + 8 * float(np.finfo(a.dtype).eps)
    assert ac <= (ab + bc) * rounding


@every_input
@given(either, st.randoms(use_true_random=False))
def test_the_order_of_the_categories_does_not_matter(drawn, random):
    divergence, (P, Q) = drawn
    order = random.sample(range(P.size), P.size)
    tolerance = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-10}[P.dtype]
    if divergence is js_divergence:
        tolerance = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 2e-14}[P.dtype]
    np.testing.assert_allclose(
        divergence(P[order], Q[order]), divergence(P, Q), rtol=tolerance, atol=1e-37
    )


@every_input
@given(probability_pairs(), st.integers(-60, 60))
def test_a_power_of_two_scales_the_divergence_exactly(pair, exponent):
    """As long as nothing is subnormal."""
    P, Q = (np.where(x < 1e-10, 0, x).astype(x.dtype) for x in pair)
    scale = P.dtype.type(2.0**exponent)
    scaled = js_divergence(P * scale, Q * scale, reduce=False)
    np.testing.assert_array_equal(scaled, js_divergence(P, Q, reduce=False) * scale)


@every_input
@given(probability_pairs(smallest=7))
def test_merging_categories_never_separates(pair):
    """The data-processing inequality."""
    P, Q = (np.asarray(x, np.float64) for x in pair)
    merged = [np.append(x[2:], x[0] + x[1]) for x in (P, Q)]
    before, after = js_divergence(P, Q), js_divergence(*merged)
    assert after <= before * (1 + 1e-13) + 1e-31


@every_input
@given(either_in_rows, st.integers(0, 5), st.integers(1, 5))
@example((js_divergence, Pair(np.eye(5), np.ones((5, 5)) / 5)), 2, 1)
def test_slicing_changes_no_bit(drawn, start, length):
    divergence, (P, Q) = drawn
    part = slice(start, start + length)
    for reduce in (True, False):
        whole = divergence(P, Q, reduce=reduce)
        for p, q in ((P[part], Q[part]), (P[part].copy(), Q[part].copy())):
            assert divergence(p, q, reduce=reduce).tobytes() == whole[part].tobytes()


LARGE = {
    "rows": ((700, 611), -1),
    "columns": ((611, 700), 0),
    "middle": ((7, 300, 101), 1),
    "two axes": ((70, 300, 11), (0, 2)),
    "everything": ((70, 5001), None),
    "one long row": (((1 << 21) + 77,), -1),
    "few long rows": ((2, (1 << 20) + 5), -1),
    "long columns": (((1 << 20) + 5, 2), 0),
}
LARGE_LOGITS = {name: case for name, case in LARGE.items() if "long" not in name}
CALLS = [
    pytest.param(divergence, *case, id=f"{divergence.__name__}, {name}")
    for divergence, table in ((js_divergence, LARGE), (js_divergence_logit, LARGE_LOGITS))
    for name, case in table.items()
]


@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.parametrize(("divergence", "shape", "axis"), CALLS)
def test_workers_change_no_bit(divergence, shape, axis, reduce):
    P, Q = np.random.default_rng(0).random((2, *shape), np.float32)
    alone = divergence(P, Q, axis=axis, reduce=reduce, workers=1)
    for workers in (2, 3, 8):
        shared = divergence(P, Q, axis=axis, reduce=reduce, workers=workers)
        assert shared.tobytes() == alone.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 40, 1030])
def test_a_row_of_logits_has_the_bits_that_it_has_alone(n, dtype):
    """Its largest is found beside the row before, which may be far from 0, NaN or impossible."""
    rng = np.random.default_rng(n)
    A, B = rng.normal(scale=3, size=(2, 9, 2 * n)).astype(dtype)
    A += np.array([0, 20_000, -1e6, 0, 3e38, 0, -3e38, 1, 0], dtype)[:, np.newaxis]
    A[3, 0], B[5, -2:], A[7, : 2 * n - 2] = np.nan, np.nan, -np.inf
    for rows in (np.s_[:, :n], np.s_[:, ::2], np.s_[::-1, ::-1]):
        P, Q = A[rows], B[rows]
        alone = [js_sum_logit(p, q) for p, q in zip(P, Q, strict=True)]
        together = js_sum_logit(P, Q)
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(together, js_sum_logit(P.copy(), Q.copy()))


@pytest.mark.parametrize("divergence", [js_divergence, js_divergence_logit])
def test_chunks_of_rows_have_the_bits_of_the_whole(divergence):
    P, Q = np.random.default_rng(1).random((2, 3000, 97))
    whole = divergence(P, Q)
    for size in (1, 7, 1000):
        for start in range(0, 3000, 500 + size):
            part = slice(start, start + size)
            assert divergence(P[part].copy(), Q[part]).tobytes() == whole[part].tobytes()


@pytest.mark.parametrize("divergence", [js_divergence, js_divergence_logit])
@pytest.mark.parametrize("n", [7, 1000, 5000])
def test_chunks_of_columns_have_the_bits_of_the_whole(divergence, n):
    """But for a single column, which is added up as a row."""
    P, Q = np.random.default_rng(2).random((2, n, 300))
    whole = divergence(P, Q, axis=0)
    for size in (2, 7, 100):
        for start in range(0, 300 - size, 50 + size):
            part = np.s_[:, start : start + size]
            for p, q in ((P[part], Q[part]), (P[part].copy(), Q[part].copy())):
                assert divergence(p, q, axis=0).tobytes() == whole[part].tobytes()


@pytest.mark.parametrize("divergence", [js_divergence, js_divergence_logit])
@pytest.mark.parametrize("shape", [(3, 97), (97, 3), (2, 5000)])
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_arrays_lie_in_memory_changes_no_bit(divergence, shape, axis, dtype):
    P, Q = np.random.default_rng(3).random((2, *shape)).astype(dtype)
    Q[:, ::2] = P[:, ::2]
    expected = divergence(P, Q, axis=axis)
    for first, second in product((0, 1, 3, 8), (0, 2, 5)):
        memory = np.zeros((2, P.size + 8), dtype)
        p = memory[0, first : first + P.size].reshape(shape)
        q = memory[1, second : second + Q.size].reshape(shape)
        p[...], q[...] = P, Q
        assert divergence(p, q, axis=axis).tobytes() == expected.tobytes()


@every_input
@given(either)
def test_the_function_has_the_bits_of_its_ufunc(drawn):
    divergence, (P, Q) = drawn
    ufunc = js_sum if divergence is js_divergence else js_sum_logit
    assert divergence(P, Q, keepdims=False).tobytes() == ufunc(P, Q).tobytes()
    if ufunc is js_sum:
        assert divergence(P, Q, reduce=False).tobytes() == js_term(P, Q).tobytes()
