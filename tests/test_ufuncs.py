"""The compiled ufuncs, used on their own as any NumPy ufunc is."""

import threading
import time
from operator import attrgetter

import numpy as np
import pytest

from jsdiv_numba import (
    entropy_sum,
    entropy_sum_logit,
    entropy_term,
    js_sum,
    js_sum_logit,
    js_term,
    kl_sum,
    kl_sum_logit,
    kl_term,
    ufuncs,
)
from tests import cases
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(7, 0.5), (2, 4, 3))
P[P < 0.05] = 0
TERMS_OF_TWO, SUMS_OF_TWO = (js_term, kl_term), (js_sum, js_sum_logit, kl_sum, kl_sum_logit)
SUMS = pytest.mark.parametrize("ufunc", SUMS_OF_TWO, ids=lambda u: u.__name__)
ALL = pytest.mark.parametrize("ufunc", TERMS_OF_TWO + SUMS_OF_TWO, ids=lambda u: u.__name__)
OF_ONE = pytest.mark.parametrize(
    "ufunc", [entropy_term, entropy_sum, entropy_sum_logit], ids=lambda u: u.__name__
)
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])


@ALL
def test_they_are_ufuncs_of_two_precisions(ufunc):
    assert type(ufunc) is np.ufunc
    assert ufunc.types == ["ff->f", "dd->d"]
    assert (ufunc.nin, ufunc.nout) == (2, 1)
    assert ufunc.__name__ in ufuncs.__all__


def test_signatures():
    assert {ufunc.signature for ufunc in SUMS_OF_TWO} == {"(n),(n)->()"}
    assert entropy_sum.signature == entropy_sum_logit.signature == "(n)->()"


@pytest.mark.parametrize("module", [ufuncs], ids=["ufuncs"])
def test_names_are_listed_and_others_are_attribute_errors(module):
    assert set(module.__all__) <= set(dir(module))
    message = "module 'jsdiv_numba.ufuncs' has no attribute 'js_product'"
    with pytest.raises(AttributeError, match=message):
        attrgetter("js_product")(module)


def test_a_ufunc_is_built_once():
    assert ufuncs.js_sum is js_sum
    assert ufuncs.built("js_sum", ("float64",)) is ufuncs.built("js_sum", ("float64",))


def test_one_is_the_terms_of_the_other():
    np.testing.assert_allclose(js_sum(P, Q), js_term(P, Q).sum(axis=-1), rtol=1e-14)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("f8", "f8"), "f8"),
        (("f4", "f4"), "f4"),
        (("f4", "f8"), "f8"),
        (("f2", "f2"), "f4"),
        (("f4", "i8"), "f8"),
        (("i8", "i8"), "f8"),
        ((">f8", "<f8"), "f8"),
        ((">f4", ">f4"), "f4"),
    ],
)
@ALL
def test_dtypes_are_promoted_as_numpy_does(ufunc, dtypes, expected):
    first, second = (np.array([0, 1, 3], dtype) for dtype in dtypes)
    result = ufunc(first, second)
    assert result.dtype == expected
    reference = ufunc(np.array([0.0, 1, 3], expected), np.array([0.0, 1, 3], expected))
    np.testing.assert_array_equal(result, reference)


@ALL
@pytest.mark.parametrize("values", [[1j], ["a"], np.array([1.0], object), np.longdouble([1])])
def test_other_dtypes_are_type_errors(ufunc, values):
    with pytest.raises(TypeError, match="not supported for the input types"):
        ufunc(values, [1.0])


@SUMS
def test_axis_and_keepdims(ufunc):
    expected = ufunc(P, Q)
    first, second = np.moveaxis(P, -1, 0), np.moveaxis(Q, -1, 0)
    np.testing.assert_array_equal(ufunc(first, second, axis=0), expected)
    kept = ufunc(first, second, axis=0, keepdims=True)
    np.testing.assert_array_equal(kept, expected[np.newaxis])
    np.testing.assert_array_equal(ufunc(P, second, axes=[-1, 0, ()]), expected)


@pytest.mark.parametrize(
    ("ufunc", "arrays"), [(js_term, (P, Q)), (kl_term, (P, Q)), (entropy_term, (P,))]
)
@PRECISIONS
def test_where(ufunc, arrays, dtype):
    arrays = [array.astype(dtype) for array in arrays]
    expected = ufunc(*arrays)
    for mask in (RNG.random(P.shape) < 0.5, RNG.random(P.shape[-1]) < 0.5, True, False):
        out = np.full(P.shape, 7, dtype)
        assert ufunc(*arrays, where=mask, out=out) is out
        np.testing.assert_array_equal(out, np.where(mask, expected, dtype(7)))
    every_second = np.full((*P.shape, 2), 7, dtype)
    ufunc(*arrays, where=P > Q, out=every_second[..., 0])
    np.testing.assert_array_equal(every_second[..., 0], np.where(P > Q, expected, dtype(7)))
    np.testing.assert_array_equal(every_second[..., 1], 7)


@SUMS
def test_sums_have_no_where_as_numpys_generalised_ufuncs_have_none(ufunc):
    for generalised in (ufunc, np.matmul):
        with pytest.raises(TypeError, match="unexpected keyword argument 'where'"):
            generalised(P, P, where=True)


@ALL
def test_arguments_broadcast(ufunc):
    expected = ufunc(P, np.broadcast_to(Q[0, 0], P.shape))
    np.testing.assert_array_equal(ufunc(P, Q[0, 0]), expected)
    np.testing.assert_array_equal(ufunc(P.tolist(), Q[:1, :1]), expected)


def test_scalars():
    assert js_term(1.0, 0.0) == pytest.approx(np.log(2) / 2, rel=1e-15)
    assert js_sum([1.0, 0.0], [0.0, 1.0]).shape == ()


@SUMS
def test_core_dimensions_must_agree(ufunc):
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        ufunc(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="does not have enough dimensions"):
        ufunc(1.0, 2.0)


@SUMS
def test_empty_rows_are_equal(ufunc):
    np.testing.assert_array_equal(ufunc(np.ones((2, 0)), np.ones((2, 0))), [0, 0])
    assert ufunc(np.ones((0, 3)), np.ones((0, 3))).shape == (0,)


@pytest.mark.parametrize("second", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("first", LAYOUTS.values(), ids=LAYOUTS)
@ALL
@PRECISIONS
@pytest.mark.parametrize("n", [1, 33])
def test_layout_changes_no_bit(ufunc, first, second, dtype, n):
    p, q = RNG.random((2, 3, n)).astype(dtype)
    np.testing.assert_array_equal(ufunc(first(p), second(q)), ufunc(p, q))


OUTS = {
    "contiguous": np.zeros,
    "every second element": lambda shape: np.zeros((*shape[:-1], 2 * shape[-1]))[..., ::2],
    # In the middle of a block, so that a kernel that ignores the strides stays within it.
    "reversed": lambda shape: np.zeros(4 * np.prod(shape))[
        2 * np.prod(shape) - 1 : np.prod(shape) - 1 : -1
    ].reshape(shape),
    "Fortran order": lambda shape: np.zeros(shape, order="F"),
    "a corner": lambda shape: np.zeros([n + 3 for n in shape])[tuple(slice(n) for n in shape)],
    "byte-swapped": lambda shape: np.zeros(shape, ">f8"),
    "float32": lambda shape: np.zeros(shape, np.float32),
}


@pytest.mark.parametrize("make", OUTS.values(), ids=OUTS)
@ALL
def test_out(ufunc, make):
    expected = ufunc(P, Q)
    out = make(expected.shape)
    assert ufunc(P, Q, out=out) is out
    np.testing.assert_array_equal(out, expected.astype(out.dtype))


@pytest.mark.parametrize("step", [1, 2, 3])
@ALL
def test_out_in_one_dimension(ufunc, step):
    """NumPy then hands the strides to the kernel as they are."""
    p, q = P.reshape(-1, 7), Q.reshape(-1, 7)
    p, q = (p.ravel(), q.ravel()) if ufunc in TERMS_OF_TWO else (p, q)
    expected = ufunc(p, q)
    whole = np.full(step * expected.size, -1.0)
    ufunc(p, q, out=whole[::step])
    np.testing.assert_array_equal(whole[::step], expected)
    assert sum(whole == -1) == whole.size - expected.size


@ALL
def test_out_may_be_an_input(ufunc):
    p, expected = P.copy(), ufunc(P, Q)
    out = p if ufunc in TERMS_OF_TWO else p[..., 0]
    ufunc(p, Q, out=out)
    np.testing.assert_array_equal(out, expected)


@PRECISIONS
@pytest.mark.parametrize("kind", [*cases.ROWS, *cases.LOGITS])
def test_valid_input_gives_no_warning(kind, dtype):
    """Which pytest would turn into an error."""
    rng = np.random.default_rng(1)
    rows = kind in cases.ROWS
    make = cases.ROWS[kind] if rows else cases.LOGITS[kind]
    for _ in range(30):
        p, q = make(rng, dtype)
        for ufunc in [js_term, js_sum] if rows else [js_sum_logit]:
            assert np.isfinite(ufunc(p, q)).all()
            assert not np.signbit(ufunc(p, q)).any()


@PRECISIONS
@pytest.mark.parametrize("fraction", [1, 0.5, 0.3, 0.25, 1e-3])
@pytest.mark.parametrize("ufunc", [js_term, js_sum], ids=lambda u: u.__name__)
def test_the_largest_numbers_give_no_warning(ufunc, fraction, dtype):
    p = np.array([fraction * np.finfo(dtype).max, 0], dtype)
    for q in (p * 0, p / 2, p):
        assert np.isfinite(ufunc(p, q)).all()


INVALID = [-1, -np.finfo(np.float32).smallest_subnormal, np.inf, -np.inf, np.nan, -np.nan]


@PRECISIONS
@pytest.mark.parametrize("other", [0, 0.5, np.inf, np.nan])
@pytest.mark.parametrize("invalid", INVALID)
def test_invalid_probabilities_give_nan(invalid, other, dtype):
    p, q = np.array([[invalid, 0.5], [other, 0.5]], dtype)
    with np.errstate(invalid="ignore"):
        for first, second in ((p, q), (q, p)):
            np.testing.assert_array_equal(np.isnan(js_term(first, second)), [True, False])
            assert np.isnan(js_sum(first, second))
            assert np.isnan(js_sum(np.tile(first, 3000), np.tile(second, 3000)))


@PRECISIONS
@pytest.mark.parametrize("row", [[np.nan, 0], [-np.nan, 0], [np.inf, 0], [-np.inf, -np.inf]])
def test_invalid_logits_give_nan(row, dtype):
    row, other = np.array([row, [0, 1]], dtype)
    with np.errstate(invalid="ignore"):
        assert np.isnan(js_sum_logit(row, other))
        assert np.isnan(js_sum_logit(other, row))
        assert np.isnan(js_sum_logit(row, row))


@PRECISIONS
def test_minus_zero_is_zero(dtype):
    p, q = np.array([[-0.0, 0.0, -0.0, 1], [0.0, -0.0, -0.0, 1]], dtype)
    for result in (js_term(p, q), js_sum(p, q)):
        np.testing.assert_array_equal(np.signbit(result), False)
        np.testing.assert_array_equal(result, 0)


@OF_ONE
def test_ufuncs_of_one_input(ufunc):
    assert type(ufunc) is np.ufunc
    assert ufunc.types == ["f->f", "d->d"]
    assert ufunc.__name__ in ufuncs.__all__
    assert ufunc(P.astype(np.float16)).dtype == np.float32


@OF_ONE
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@PRECISIONS
@pytest.mark.parametrize("n", [1, 33])
def test_layout_of_one_input_changes_no_bit(ufunc, layout, dtype, n):
    p = RNG.random((3, n)).astype(dtype)
    np.testing.assert_array_equal(ufunc(layout(p)), ufunc(p))


@OF_ONE
@pytest.mark.parametrize("make", OUTS.values(), ids=OUTS)
def test_out_of_one_input(ufunc, make):
    expected = ufunc(P)
    out = make(expected.shape)
    assert ufunc(P, out=out) is out
    np.testing.assert_array_equal(out, expected.astype(out.dtype))


def test_the_family_s_sums_are_those_of_its_terms():
    np.testing.assert_allclose(kl_sum(P, Q), kl_term(P, Q).sum(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(entropy_sum(P), entropy_term(P).sum(axis=-1), rtol=1e-14)


@PRECISIONS
@pytest.mark.parametrize("invalid", INVALID)
@pytest.mark.parametrize("other", [0, 0.5, np.inf, np.nan])
def test_invalid_probabilities_give_nan_in_the_family(invalid, other, dtype):
    """Also beside a category that makes the divergence infinite."""
    p, q = np.array([[invalid, 0.5, 0.5], [other, 0.5, 0]], dtype)
    with np.errstate(all="ignore"):
        for first, second in ((p, q), (q, p)):
            assert np.isnan(kl_term(first, second)[0])
            assert np.isnan(kl_sum(first, second))
            assert np.isnan(kl_sum(np.tile(first, 3000), np.tile(second, 3000)))
        assert np.isnan(entropy_term(p)[0])
        assert np.isnan(entropy_sum(p))


@PRECISIONS
@pytest.mark.parametrize("row", [[np.nan, 0], [-np.nan, 0], [np.inf, 0], [-np.inf, -np.inf]])
def test_invalid_logits_give_nan_in_the_family(row, dtype):
    row, other = np.array([row, [0, -np.inf]], dtype)
    with np.errstate(all="ignore"):
        for first, second in ((row, other), (other, row), (row, row)):
            assert np.isnan(kl_sum_logit(first, second))
        assert np.isnan(entropy_sum_logit(row))


@PRECISIONS
def test_zeros_of_the_family_are_positive(dtype):
    p = np.array([-0.0, 0.0, 1, 1], dtype)
    for result in (kl_term(p, abs(p)), kl_sum(p, p), entropy_term(p), entropy_sum(p)):
        np.testing.assert_array_equal(np.signbit(result), False)
        np.testing.assert_array_equal(result, 0)
    np.testing.assert_array_equal(kl_term(p, p[::-1]), [0, 0, np.inf, np.inf])


@pytest.mark.parametrize(
    ("name", "shape", "others"),
    [
        ("js_sum_logit", (1, 1 << 22), ()),
        ("js_sum_logit", (400, 1 << 14), ()),
        ("js_sum_columns", (2000, 500), ()),
        ("js_sum_many", (3, 1 << 22), (np.full(3, 1 / 3),)),
    ],
)
def test_other_threads_run_beside_few_results(name, shape, others):
    # NumPy itself releases the GIL only where there are more results than 500.
    ufunc = ufuncs.built(name, ("float64",))
    # Of subnormal numbers, none is computed in the loops: it takes a while.
    rows = np.full(shape, 5e-324)
    operands = [rows, *others] if others else [rows, rows]
    # Where other programs have every processor, this thread may wait while the other one runs.
    assert any(seen_while_it_runs(ufunc, operands) >= 3 for _ in range(50))


def seen_while_it_runs(ufunc, operands):
    """Return how often this thread is seen to run within a call of another.

    That may be once if the call keeps the GIL: before it takes that along.
    """
    called, begun_and_done = threading.Event(), []

    def call():
        called.set()
        begun_and_done.append(time.perf_counter())
        ufunc(*operands)
        begun_and_done.append(time.perf_counter())

    thread = threading.Thread(target=call)
    thread.start()
    called.wait()
    seen = []
    while thread.is_alive():
        time.sleep(0.0005)
        seen.append(time.perf_counter())
    begun, done = begun_and_done
    return sum(begun < moment < done for moment in seen)
