"""What the functions refuse, and what they say then."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.exceptions import AxisError
from scipy import sparse

import jsdiv_numba as js
from jsdiv_numba import cdist, jensenshannon, js_divergence, js_divergence_logit, pdist
from jsdiv_numba._core import validation

ROWS = np.full((2, 3), 0.25)
BOTH = pytest.mark.parametrize(
    "divergence", [js_divergence, js_divergence_logit], ids=["probabilities", "logits"]
)


def message_of(error, function, *arguments, **options):
    with pytest.raises(error) as caught:
        function(*arguments, **options)
    assert caught.type is error
    return str(caught.value)


REAL = "pass real numbers of at most 64 bits"
OBJECTS = f"P has dtype object; {REAL}, such as `.astype(float)`, once every entry is a number"
MASKED = (
    "P is a masked array with masked entries, which have no divergence; "
    "pass `.filled(0)`, or only the unmasked rows"
)
MAPPING = (
    "P is a dict; contributions takes mappings, elsewhere pass their values in one order, such as "
    "[counts[key] for key in keys]"
)
NOT_REAL = {
    "complex": ([1j], f"P has dtype complex128; {REAL}, such as `.real` or `abs()` of it"),
    "longdouble": (
        np.longdouble([1]),
        f"P has dtype {np.dtype(np.longdouble)}; {REAL}, such as `.astype(float)`",
    ),
    "text": ([["1", "a"]], f"P has dtype <U1; {REAL}, not text: P[0, 1] is 'a'"),
    "numbers as text": (["0.5", "1"], f"P has dtype <U3; {REAL}, such as `.astype(float)`"),
    "the name of a file": ("f.csv", f"P has dtype <U5; {REAL}, not text: P is 'f.csv'"),
    "bytes": (b"ab", f"P has dtype |S2; {REAL}, not text: P is b'ab'"),
    "dates": (
        np.array(["2020-01-01"], "M8[D]"),
        f"P has dtype datetime64[D]; {REAL}, for example `.astype(float)`",
    ),
    "structure": (
        np.zeros(1, [("a", "f8")]),
        f"P has dtype [('a', '<f8')]; {REAL}, for example `.astype(float)`",
    ),
    "fractions": ([Fraction(1, 2)], OBJECTS),
    "numbers that are too large": ([10**30], OBJECTS),
    "None": (None, "P is None; pass an array of real numbers"),
    "a column of text": (np.array([[1, "a"]], object), f"{OBJECTS}: P[0, 1] is 'a'"),
    "a missing number": (np.array([0.5, None]), f"{OBJECTS}: P[1] is None"),
    "generator": ((x for x in [1.0]), "P is a generator; pass an array of real numbers"),
    "set": ({0.5}, "P is a set; pass an array of real numbers"),
    "a fraction": (Fraction(1, 2), "P is a Fraction; pass an array of real numbers"),
    "dictionary": ({"a": 1}, MAPPING),
    "dictionaries": (
        [{"a": 1}],
        (
            "P has dtype object; pass real numbers of at most 64 bits, such as "
            "`pandas.DataFrame(...).fillna(0)` makes of dictionaries"
        ),
    ),
    "masked entries": (np.ma.array([1.0, 2.0], mask=[False, True]), MASKED),
}


@BOTH
@pytest.mark.parametrize(("values", "message"), NOT_REAL.values(), ids=NOT_REAL)
def test_what_is_not_real_is_a_type_error(divergence, values, message):
    assert message_of(TypeError, divergence, values, [1.0]) == message
    other = re.sub(r"\bP( has| is|\[)", r"Q\1", message)
    assert message_of(TypeError, divergence, [1.0], values) == other


@pytest.mark.parametrize("number", [2**64, 2**70, 10**300])
def test_an_integer_that_no_dtype_holds_is_a_number(number):
    expected = js_divergence(ROWS, float(number))
    np.testing.assert_array_equal(js_divergence(ROWS, number), expected)
    if number < 10**38:
        assert js_divergence(np.float32(ROWS), number).dtype == np.float32
    assert js_divergence(number, number) == 0


def test_an_integer_that_no_float_holds_is_an_error():
    message = "Q is an integer beyond the largest float64"
    assert message_of(ValueError, js_divergence, ROWS, 10**400) == message


def test_what_does_not_convert_itself_is_named():
    class Stubborn:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("use Tensor.to_dense() first")

    message = "Q is not an array: use Tensor.to_dense() first"
    assert message_of(TypeError, js_divergence, ROWS, Stubborn()) == message


@pytest.mark.parametrize("values", [sparse.csr_array(ROWS), sparse.coo_matrix(ROWS)], ids=type)
@pytest.mark.parametrize(
    "function", [js.js_divergence_logit, js.js_divergence_grad, js.js_divergence_logit_grad]
)
def test_sparse_rows_are_a_type_error_where_all_entries_matter(function, values):
    message = f"P is a {type(values).__name__}; make it dense with `.toarray()`"
    assert message_of(TypeError, function, values, [1.0]) == message
    assert message_of(TypeError, function, [1.0], values) == message.replace("P", "Q", 1)


FOREIGN = {
    "__dask_graph__": (
        "use the function of the same name in `jsdiv_numba.dask`, or `.compute()` it first"
    ),
    "__cuda_array_interface__": "it is on a GPU; use the same function of jsdiv_numba.cuda",
}


@BOTH
@pytest.mark.parametrize(("marker", "advice"), FOREIGN.items())
def test_arrays_of_other_libraries_are_not_copied_unasked(divergence, marker, advice):
    foreign = type("Foreign", (), {marker: lambda self: {}})()
    assert message_of(TypeError, divergence, foreign, [1.0]) == f"P is a Foreign; {advice}"


@BOTH
def test_arrays_of_other_libraries_that_hold_numpy_arrays_are_arrays(divergence):
    class Holder:
        def __dask_graph__(self):
            return None

        def __array__(self, dtype=None, copy=None):
            return ROWS

    np.testing.assert_array_equal(divergence(Holder(), ROWS), divergence(ROWS, ROWS))


@BOTH
def test_ragged_rows(divergence):
    message = message_of(ValueError, divergence, [[1, 2], [3]], [1.0])
    assert message.startswith("P is not an array: ")
    assert "inhomogeneous" in message


@BOTH
@pytest.mark.parametrize("axis", [-1, None])
def test_shapes_that_do_not_broadcast(divergence, axis):
    message = message_of(ValueError, divergence, np.ones((2, 3)), np.ones(4), axis=axis)
    assert message == "P of shape (2, 3) and Q of shape (4,) do not broadcast"


RANGE = "is out of bounds for array of dimension 2"
KIND = "it must be an integer, a sequence of integers or None"


@BOTH
@pytest.mark.parametrize(
    ("axis", "error", "message"),
    [
        (2, AxisError, f"axis 2 {RANGE}"),
        (-3, AxisError, f"axis -3 {RANGE}"),
        ((0, 5), AxisError, f"axis 5 {RANGE}"),
        (np.array([0, 5]), AxisError, f"axis 5 {RANGE}"),
        (10**30, AxisError, f"axis {10**30} {RANGE}"),
        ((1, 1), ValueError, "axis (1, 1) names a dimension twice"),
        ([0, -2], ValueError, "axis [0, -2] names a dimension twice"),
        (1.0, TypeError, f"axis is 1.0; {KIND}"),
        ("0", TypeError, f"axis is '0'; {KIND}"),
        ("", TypeError, f"axis is ''; {KIND}"),
        (b"\0", TypeError, f"axis is b'\\x00'; {KIND}"),
        (True, TypeError, f"axis is True; {KIND}"),
        ((0, False), TypeError, f"axis is False; {KIND}"),
        ((0, None), TypeError, f"axis is None; {KIND}"),
        ({0}, TypeError, f"axis is {{0}}; {KIND}"),
        (np.array([1.0]), TypeError, f"axis is np.float64(1.0); {KIND}"),
        (np.array([[0, 1]]), TypeError, f"axis is array([[0, 1]]); {KIND}"),
    ],
    ids=str,
)
def test_axis(divergence, axis, error, message):
    assert message_of(error, divergence, ROWS, ROWS, axis=axis) == message


@BOTH
@pytest.mark.parametrize("axis", [1, -2])
def test_axis_of_scalars(divergence, axis):
    with pytest.raises(AxisError) as caught:
        divergence(1, 2, axis=axis)
    assert (caught.value.axis, caught.value.ndim) == (axis, 0)


@BOTH
@pytest.mark.parametrize("axis", [(0, 1), (1,), (-1, 0), (), 1], ids=str)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_axes_as_an_array(divergence, axis, dtype):
    rows = np.arange(6.0).reshape(2, 3)
    given = np.array(axis, np.int64 if np.any(np.less(axis, 0)) else dtype)
    results = [divergence(rows, rows[::-1], axis=a, keepdims=False) for a in (axis, given)]
    np.testing.assert_array_equal(*results, strict=True)


@BOTH
@pytest.mark.parametrize(
    "base",
    [
        *(1, 1.0, 0, -2, 0.5, np.nan, np.inf, True, "2", 1j, [2], np.float64(1)),
        *(np.array(1.0), np.array([2.0]), np.array("2"), np.longdouble("nan"), np.longdouble(1)),
    ],
    ids=repr,
)
def test_base(divergence, base):
    message = message_of(ValueError, divergence, ROWS, ROWS, base=base)
    assert message == f"base is {base!r}; it must be a finite number above 1, or None for nats"


LARGE = np.longdouble(2) ** 2000


@BOTH
@pytest.mark.parametrize(
    ("base", "bits"),
    [
        *[(kind(8), 3) for kind in (int, float, np.array, np.float32, np.longdouble, np.uint8)],
        (np.array(8.0), 3),
        (2**2000, 2000),
        # Where a longdouble is a float64, both are what that has.
        (LARGE, 2000) if np.isfinite(LARGE) else (np.longdouble(8), 3),
        (np.nextafter(np.longdouble(1), 2), float(np.finfo(np.longdouble).eps) / np.log(2)),
    ],
    ids=repr,
)
def test_bases_of_every_kind(divergence, base, bits):
    in_bits = divergence(ROWS, [0.5, 0.25, 0.125], base=2)
    np.testing.assert_allclose(
        divergence(ROWS, [0.5, 0.25, 0.125], base=base), in_bits / bits, rtol=1e-14
    )


@BOTH
@pytest.mark.parametrize("number", [0.25, 1, True])
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
        (bool, np.float64),
    ],
)
def test_a_number_of_pythons_decides_no_dtype(divergence, number, dtype, expected):
    row = np.array([1, 0, 1], dtype)
    for pair, as_arrays in (
        ((row, number), (row, np.array(number, expected))),
        ((number, row), (np.array(number, expected), row)),
    ):
        np.testing.assert_array_equal(divergence(*pair), divergence(*as_arrays), strict=True)
        assert divergence(*pair).dtype == expected
    assert divergence(row, np.float64(number)).dtype == np.float64
    assert divergence(row, np.array(float(number))).dtype == np.float64
    assert divergence(number, number).dtype == np.float64


@BOTH
def test_a_number_of_pythons_that_the_dtype_does_not_hold(divergence):
    message = message_of(ValueError, divergence, np.ones(2, np.float32), 1e39)
    assert message == (
        "Q is 1e+39, which float32, the dtype of what it is compared with, does not hold; pass an "
        "array of float64"
    )
    assert divergence(np.ones(2, np.float32), 1e-50).dtype == np.float32


@BOTH
@pytest.mark.parametrize(
    ("workers", "message"),
    [
        (0, "workers is 0; it must be positive, or from -1 (every CPU) down to -3 (one CPU)"),
        (-4, "workers is -4; it must be positive, or from -1 (every CPU) down to -3 (one CPU)"),
        (1.5, "workers is 1.5; it must be an integer or None"),
        ("2", "workers is '2'; it must be an integer or None"),
    ],
)
@pytest.mark.parametrize("axis", [-1, None])
def test_workers(divergence, workers, message, axis, monkeypatch):
    monkeypatch.setattr("jsdiv_numba._core.threads.available_cpus", lambda: 3)
    assert message_of(ValueError, divergence, ROWS, ROWS, workers=workers, axis=axis) == message


OUTS = {
    "list": ([0.0], TypeError, "out is a list; it must be a NumPy array"),
    "scalar": (np.float64(0), TypeError, "out is a float64; it must be a NumPy array"),
    "shape": (np.empty(2), ValueError, "out has shape (2,); the result has shape (1,)"),
    "integer": (np.empty(1, int), TypeError, "out has dtype int64; the result is float64"),
    "bool": (np.empty(1, bool), TypeError, "out has dtype bool; the result is float64"),
    "complex": (np.empty(1, complex), TypeError, "out has dtype complex128; the result is float64"),
    "object": (np.empty(1, object), TypeError, "out has dtype object; the result is float64"),
    "text": (np.empty(1, "U9"), TypeError, "out has dtype <U9; the result is float64"),
    "read-only": (np.broadcast_to(0.0, 1), ValueError, "out is read-only"),
}


@BOTH
@pytest.mark.parametrize(("out", "error", "message"), OUTS.values(), ids=OUTS)
@pytest.mark.parametrize("axis", [-1, None])
def test_out(divergence, out, error, message, axis):
    assert message_of(error, divergence, ROWS[0], ROWS[0], out=out, axis=axis) == message


RULE = "probabilities must be finite and not negative"
INVALID = [-0.5, -1e-300, -5e-324, np.inf, -np.inf]


@pytest.mark.parametrize("value", INVALID)
@pytest.mark.parametrize("name", ["P", "Q"])
@pytest.mark.parametrize(
    "options", [{}, {"axis": 0}, {"axis": None}, {"reduce": False}, {"base": 2}], ids=str
)
def test_invalid_probabilities(value, name, options):
    arrays = {"P": ROWS.copy(), "Q": ROWS.copy()}
    arrays[name][1, 2] = value
    message = message_of(ValueError, js_divergence, **arrays, **options)
    assert message == f"{name}[1, 2] is {value}; {RULE}"


@pytest.mark.parametrize(
    ("P", "Q", "place"),
    [
        (-1, 0.5, "P is -1"),
        ([1, -2, -3], [1, 2, 3], "P[1] is -2"),
        (np.array([1, -2], np.int8), 1, "P[1] is -2"),
        (np.array([1, -2], np.float16), 1, "P[1] is -2.0"),
        (np.array([1, -2], ">f4"), 1, "P[1] is -2.0"),
        ([1, 2], [[0, 0], [-1, 0]], "Q[1, 0] is -1"),
        ([[np.nan, 1]], [[1, -1]], "Q[0, 1] is -1"),
        ([[np.inf, np.inf]], [[1, np.inf]], "P[0, 0] is inf"),
        ([[1, 2], [3, 4]], [np.nan, -np.inf], "Q[1] is -inf"),
        ([np.inf, 0], [np.inf, 1], "P[0] is inf"),
    ],
)
def test_the_first_invalid_probability_is_named(P, Q, place):
    assert message_of(ValueError, js_divergence, P, Q) == f"{place}; {RULE}"
    assert message_of(ValueError, js_divergence, P, Q, reduce=False) == f"{place}; {RULE}"


@pytest.mark.parametrize("length", [50, 5_000, 300_000, (1 << 20) + 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_invalid_probability_among_many_is_found(length, dtype):
    for place in (0, length // 2, length - 1):
        rows = np.full((2, length), 0.5, dtype)
        rows[1, place] = -np.finfo(dtype).smallest_subnormal
        message = message_of(ValueError, js_divergence, *rows)
        assert message == f"Q[{place}] is {rows[1, place]}; {RULE}"
        assert message_of(ValueError, js_divergence, *rows, reduce=False) == message


@pytest.mark.parametrize("axis", [-1, 0, None])
@pytest.mark.parametrize("reduce", [True, False])
def test_infinite_logits(axis, reduce):
    logits = ROWS.copy()
    logits[1, 0] = np.inf
    for arrays, name in (((logits, ROWS), "P"), ((-logits, logits), "Q")):
        message = message_of(ValueError, js_divergence_logit, *arrays, axis=axis, reduce=reduce)
        assert message == (
            f"{name}[1, 0] is inf; logits may be -inf, a probability of 0, but not +inf"
        )


def test_numbers_of_pandas_are_converted():
    table = pd.DataFrame({"a": [1, 2], "b": [3, None]}).astype({"a": "Int64", "b": "Float64"})
    np.testing.assert_array_equal(jensenshannon(table, [1.0, 3.0], axis=1), [0.0, np.nan])
    np.testing.assert_array_equal(js_divergence(table["a"], [1.0, 2.0]), [0.0])


@pytest.mark.parametrize("name", ["js", "JS", "JensenShannon"])
def test_the_distance_has_the_names_that_scipy_gives_it(name):
    np.testing.assert_array_equal(pdist(ROWS, name), pdist(ROWS))
    np.testing.assert_array_equal(cdist(ROWS, ROWS, name), cdist(ROWS, ROWS))
    np.testing.assert_array_equal(
        cdist(ROWS, ROWS, "JS_Divergence"), cdist(ROWS, ROWS, "js_divergence")
    )


class Tensor:
    """What a tensor of PyTorch's is, as far as it matters."""

    def __init__(self, values, dtype, requires_grad=False):
        self.values, self.dtype, self.requires_grad = np.float32(values), dtype, requires_grad

    def float(self):
        return Tensor(self.values, "torch.float32")

    def __array__(self, dtype=None, copy=None):
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


def test_tensors():
    P = [0.5, 0.5]
    expected = js_divergence(np.float32(P), np.float32([0.25, 0.75]))
    for dtype in ("torch.bfloat16", "torch.float32"):
        np.testing.assert_array_equal(
            js_divergence(Tensor(P, dtype), np.float32([0.25, 0.75])), expected
        )
    with pytest.raises(
        TypeError, match="P is a tensor that requires gradients; use the function of"
    ):
        js_divergence(Tensor(P, "torch.float32", requires_grad=True), P)


@pytest.mark.parametrize("kind", [int, float, np.float16, np.float32, np.int8, np.longdouble])
def test_a_bound_is_a_float_of_any_number(kind):
    assert validation.not_negative("radius", kind(2)) == 2.0
    assert validation.not_negative("radius", 10**400) == np.inf
