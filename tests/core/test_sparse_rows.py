"""Measures of sparse rows: what they are of the dense rows, and nothing of the dense ones' size."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

import jsdiv_numba as js
from tests import oracle

PAIRS = {
    "js_divergence": js.js_divergence,
    "skewed": partial(js.js_divergence, weight=0.2),
    "base": partial(js.js_divergence, base=2),
    "kl_divergence": js.kl_divergence,
    "normalised KL": partial(js.kl_divergence, normalise=True),
    "jensenshannon": partial(js.jensenshannon, axis=1, keepdims=True),
}


def some_rows(seed, filled=0.1, shape=(40, 300)):
    rng = np.random.default_rng(seed)
    rows = rng.random(shape) * (rng.random(shape) < filled)
    rows[3] = 0
    return rows


P, Q = some_rows(0), some_rows(1)
Q[5], Q[3] = P[5], 0


KL_ERROR = 1e-13
"""Its terms have signs: what is promised is relative to the difference of the sums, too."""


def agree(found, expected, atol=0.0):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.allclose(found, expected, rtol=1e-14, atol=atol, equal_nan=True)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "of",
    [
        lambda p, q: (sparse.csr_array(p), sparse.csc_matrix(q)),
        lambda p, q: (sparse.coo_array(p), q),
        lambda p, q: (p, sparse.csr_matrix(q)),
        lambda p, q: (sparse.csr_array(p), q[7]),
        lambda p, q: (sparse.csr_array(p), sparse.csr_array(q[7:8])),
    ],
    ids=["both", "P", "Q", "a dense row", "a sparse row"],
)
def test_they_are_what_dense_rows_are(name, of):
    function, (p, q) = PAIRS[name], of(P, Q)
    dense = [each.toarray() if sparse.issparse(each) else each for each in (p, q)]
    agree(function(p, q), np.asarray(function(*dense)), KL_ERROR * name.lower().count("kl"))


@pytest.mark.parametrize("settings_", [{}, {"base": 2}, {"normalise": True}, {"keepdims": False}])
def test_entropies_are_what_dense_rows_have(settings_):
    with np.errstate(invalid="ignore"):
        agree(js.entropy(sparse.csr_array(P), **settings_), js.entropy(P, **settings_))


def test_columns_are_compared_where_the_axis_says_so():
    p, q = sparse.csr_array(P), sparse.csr_array(Q)
    agree(js.js_divergence(p, q, axis=0), js.js_divergence(P, Q, axis=0))
    agree(js.jensenshannon(p, q), js.jensenshannon(P, Q))


@pytest.mark.parametrize("weight", [0.3, np.linspace(0.01, 0.99, 40)[:, None]])
def test_weights_are_those_of_the_rows(weight):
    found = js.js_divergence(sparse.csr_array(P), sparse.csr_array(Q), weight=weight)
    agree(found, js.js_divergence(P, Q, weight=weight))


def test_a_wrong_weight_is_named_where_it_was_passed():
    weight = np.full((40, 1), 0.5)
    weight[33] = 1.5
    with pytest.raises(ValueError, match=r"weight\[33, 0\] is 1\.5; a weight must be between"):
        js.js_divergence(sparse.csr_array(P), sparse.csr_array(Q), weight=weight)
    with pytest.raises(ValueError, match=r"weight is 2; a weight must be between"):
        js.js_divergence(sparse.csr_array(P), sparse.csr_array(Q), weight=2)


@pytest.mark.parametrize("out", [None, np.empty((1, 1), np.float16)])
def test_no_setting_for_floating_point_errors_matters(out):
    p, q = np.float32([[3e38, 3e38, 0]]), np.float32([[0, 3e38, 3e38]])
    with np.errstate(all="raise"):
        found = js.js_divergence(sparse.csr_array(p), sparse.csr_array(q), out=out, base=1.01)
    assert found == np.inf


def test_float32_stays_float32():
    p, q = P.astype("f4"), Q.astype("f4")
    found = js.js_divergence(sparse.csr_array(p), sparse.csr_array(q))
    assert found.dtype == np.float32
    assert np.allclose(found, js.js_divergence(p, q), rtol=1e-6, atol=0)


def test_out_is_written_to():
    out = np.empty((40, 1))
    assert js.js_divergence(sparse.csr_array(P), Q, out=out) is out
    agree(out, js.js_divergence(P, Q))


@pytest.mark.parametrize(("name", "value"), [("base", -1), ("workers", 0)])
def test_what_is_refused_is_refused_of_no_rows_too(name, value):
    none = sparse.csr_array((0, 3))
    for measure, inputs in ((js.js_divergence, [none] * 2), (js.entropy, [none])):
        assert measure(*inputs).shape == (0, 1)
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            measure(*inputs, **{name: value})


_VALUES = st.sampled_from([0.0, 0.0, 0.25, 1e-9, 0.25 + 1e-9, 3.0])
_MATRIX = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(float, shape, elements=_VALUES)] * 2)
)


@given(_MATRIX)
@settings(deadline=None)
def test_any_rows_are_as_accurate_as_dense_ones(pair):
    found = js.js_divergence(*map(sparse.csr_array, pair), keepdims=False)
    for value, p, q in zip(found, *pair, strict=True):
        exact = oracle.js_divergence(p, q)
        assert abs(value - exact) <= 1e-14 * exact


def test_no_bit_depends_on_the_other_rows():
    p, q = sparse.csr_array(P), sparse.csr_array(Q)
    whole = js.js_divergence(p, q)
    for i in range(0, 40, 7):
        assert js.js_divergence(p[[i]], q[[i]])[0] == whole[i]


def test_nothing_is_as_large_as_the_dense_rows():
    rows = sparse.random_array((2000, 10**6), density=1e-5, rng=np.random.default_rng(0)).tocsr()
    js.js_divergence(rows[:2], rows[:2])
    tracemalloc.start()
    js.js_divergence(rows, rows[::-1])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2e7  # the dense rows have 16 GB each


@pytest.mark.parametrize("top", [3, None])
@pytest.mark.parametrize("labels", [None, [f"word {i}" for i in range(300)]])
@pytest.mark.parametrize("normalise", [False, True])
def test_contributions_are_those_of_the_dense_row(top, labels, normalise):
    settings_ = {"labels": labels, "normalise": normalise}
    found = js.contributions(sparse.csr_array(P[[0]]), Q[0], top=top, **settings_)
    expected = js.contributions(P[0], Q[0], top=top or len(found), **settings_)
    assert found.labels == expected.labels
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.signs, expected.signs)
    assert np.allclose(found.values, expected.values, rtol=1e-13, atol=0)
    assert found.others == expected.others
    assert np.isclose(found.total, expected.total, rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float32])
def test_contributions_have_the_dtype_of_those_of_dense_rows(dtype):
    p, q = np.array([[1, 0, 1], [1, 1, 0]]).astype(dtype)
    for other in (q.tolist(), sparse.csr_array([q])):
        found = js.contributions(sparse.csr_array([p]), other)
        expected = js.contributions(p, np.asarray(other) if isinstance(other, list) else q)
        assert found.values.dtype == expected.values.dtype
        assert found.total == expected.total
    with pytest.raises(ValueError, match=r"and Q of shape \(2,\) have different numbers"):
        js.contributions(sparse.csr_array([p]), [0.5, 0.5])


S = sparse.csr_array(P)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: js.js_divergence(S, S[:3]), r"P of shape \(40, 300\) and Q of shape \(3, 300\)"),
        (lambda: js.js_divergence(S, S[:, :9]), "do not have equal numbers of rows, or one, and c"),
        (lambda: js.js_divergence(S, S, reduce=False), "of sparse rows there are only sums"),
        (lambda: js.js_divergence(S, S, axis=None), "axis is None; of sparse rows it must be 1"),
        (lambda: js.entropy(S, axis=True), "axis is True; of sparse rows it must be 1 or -1"),
        (lambda: js.entropy(S, axis=2), "axis is 2; of sparse rows it must be 1 or -1"),
        (lambda: js.kl_divergence(S, -S), r"Q\[0, \d+\] is -0.\d+; probabilities must be finite"),
        (lambda: js.js_divergence(S, S, weight=[0.1, 0.2]), r"weight of shape \(2,\) does not"),
        (lambda: js.js_divergence(S, S, out=np.empty(3)), r"out has shape \(3,\)"),
        (
            lambda: js.contributions(S, S),
            r"P has shape \(40, 300\); it must be 1-d or have",
        ),
        (lambda: js.contributions(S[[0]], P[0, :9]), "have different numbers of categories"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
