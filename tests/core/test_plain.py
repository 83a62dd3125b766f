"""The short path of small calls: it returns, raises and warns as the general one does."""

import inspect
import warnings
from itertools import product

import numpy as np
import pytest

from jsdiv_numba import (
    EntropyLogitLoss,
    EntropyLoss,
    JSDivergenceLogitLoss,
    JSDivergenceLoss,
    KLDivergenceLogitLoss,
    KLDivergenceLoss,
    Loss,
    cdist,
    entropy,
    entropy_logit,
    jensenshannon,
    js_divergence,
    js_divergence_logit,
    kl_divergence,
    kl_divergence_logit,
    max_scalarise,
    mean_scalarise,
    meansq_scalarise,
    pdist,
    sum_scalarise,
    vnorm_scalarise,
)
from jsdiv_numba._core import pairwise, validation
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
OF_TWO = [
    js_divergence,
    jensenshannon,
    kl_divergence,
    js_divergence_logit,
    kl_divergence_logit,
]
OF_ONE = [entropy, entropy_logit]
FUNCTIONS = pytest.mark.parametrize("function", OF_TWO + OF_ONE, ids=lambda f: f.__name__)
LOSS_CLASSES = [
    JSDivergenceLoss,
    JSDivergenceLogitLoss,
    KLDivergenceLoss,
    KLDivergenceLogitLoss,
    EntropyLoss,
    EntropyLogitLoss,
]
LOSSES = pytest.mark.parametrize("loss", LOSS_CLASSES, ids=lambda loss: loss.__name__)
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])

OPTIONS = {
    "axis": [-1, 0, 1, 2, -2, None, (0,), (-1, 0), (), np.int64(-1), True, 1.0, "0", [0]],
    "keepdims": [True, False, 1, 0, np.True_, np.array([True, False])],
    "base": [None, 2, 10.0, np.float32(2), np.int8(3), 1, -1.0, np.nan, np.inf, "2"],
    "workers": [None, 1, 2, -1, np.int8(2), 0, -1000, 1.5, "1"],
    "reduce": [True, False, 1, 0],
}


class Subclass(np.ndarray):
    """Some array of another kind."""


def rows(*shape):
    return RNG.dirichlet(np.full(shape[-1], 0.5), shape[:-1])


def numbers(dtype):
    """Return pairs of arrays of all kinds of numbers."""
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    p, q = rows(3, 7), rows(3, 7)
    special = {
        "probabilities": [],
        "zeros": [(0, 0), (1, 3)],
        "signed zeros": [(0, -0.0)],
        "a negative number": [(3, -0.25)],
        "a NaN": [(2, np.nan)],
        "a NaN and a negative number": [(0, np.nan), (1, -1)],
        "+inf": [(2, np.inf)],
        "-inf": [(2, -np.inf)],
        "subnormals": [(i, 3 * tiny) for i in range(7)],
        "the largest": [(i, huge) for i in range(7)],
        "the largest and the smallest": [(0, huge), (1, tiny)],
    }
    for name, entries in special.items():
        given = p.astype(dtype), q.astype(dtype)
        for place, value in entries:
            for each in given:
                each[1, place] = value
        yield name, given
    yield "equal rows", (p.astype(dtype),) * 2
    yield "a row of zeros", (np.zeros((2, 3), dtype), np.ones((2, 3), dtype))


def shapes(dtype):
    """Return pairs of arrays of all shapes."""
    for first, second in [
        *(((7,), (7,)), ((1,), (1,)), ((2, 7), (2, 7)), ((2, 3, 7), (2, 3, 7)), ((4, 1), (4, 1))),
        *(((2, 7), (7,)), ((7,), (2, 7)), ((2, 3, 7), (7,)), ((2, 3, 7), (3, 7)), ((2, 7), (1, 7))),
        *(((2, 7), (2, 1)), ((2, 7), (1,)), ((2, 7), ()), ((), ()), ((0,), (0,)), ((0, 3), (0, 3))),
        *(
            ((3, 0), (3, 0)),
            ((2, 7), (2, 6)),
            ((7,), (6,)),
            ((2, 7), (3, 7)),
            ((40, 120),) * 2,
            ((150, 220),) * 2,
            ((2000, 2),) * 2,
        ),
    ]:
        given = tuple(RNG.random(shape).astype(dtype) for shape in (first, second))
        yield f"{first}, {second}", given


def kinds(dtype):
    """Return pairs that are held in memory in all ways, and things that are no plain arrays."""
    p, q = rows(3, 7).astype(dtype), rows(3, 7).astype(dtype)
    for name, layout in LAYOUTS.items():
        yield f"{name}, rows", (layout(p), layout(q))
        yield f"{name}, second of two", (p, layout(q))
        yield f"{name}, one row", (layout(p[0]), layout(q[0]))
    yield "another dtype", (p, q.astype(np.float64 if dtype is np.float32 else np.float32))
    for other in (np.float16, np.int8, np.bool_, np.longdouble, np.complex128, object):
        yield np.dtype(other).name, (p.astype(other), q.astype(other))
    yield "lists", (p.tolist(), q.tolist())
    yield "a list and an array", (p.tolist(), q)
    yield "a ragged list", ([[1.0], [1.0, 2.0]], q)
    yield "text", ("abc", q)
    yield "subclass", (p.view(Subclass), q.view(Subclass))
    yield "subclass second", (p, q.view(Subclass))
    yield "matrix", (np.matrix(p), np.matrix(q))
    yield "nothing masked", (np.ma.array(p), np.ma.array(q))
    yield "something masked", (np.ma.array(p, mask=p > 0.3), q)
    yield "described dtype", (p.astype(np.dtype(dtype, metadata={"unit": "nats"})), q)
    yield "scalars", (p[0, 0], q[0, 0])
    yield "one array twice", (p, p)
    yield "overlapping", (p.ravel()[:-1], p.ravel()[1:])


@pytest.fixture
def general(monkeypatch):
    """Return what calls a function on the general path."""

    def call(function, *arrays, **options):
        with monkeypatch.context() as patch:
            for name in ("are_plain", "are_plain_columns"):
                patch.setattr(validation, name, lambda *_: False)
            return outcome(function, *arrays, **options)

    return call


@pytest.fixture
def in_blocks(monkeypatch):
    """Return what calls `cdist` or `pdist` as if there were many pairs."""

    def call(function, *arrays, **options):
        with monkeypatch.context() as patch:
            patch.setattr(pairwise, "FEW_ELEMENTS", -1)
            return outcome(function, *arrays, **options)

    return call


def outcome(function, *arrays, **options):
    """Return all that can be seen of a call: its result or error, and what it warned of."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = function(*arrays, **options)
        except Exception as error:
            return type(error), str(error), [str(each.message) for each in warned]
    described = type(found), found.dtype, found.shape, found.tobytes()
    if isinstance(found, np.ndarray):
        flags = found.flags
        described += flags.owndata, flags.c_contiguous, flags.writeable, flags.aligned
        described += (found.base is None,)
    return *described, [str(each.message) for each in warned]


def arrays_for(function, given):
    return given if function in OF_TWO else given[:1]


def takes(function, options):
    names = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in names}


def assert_same(general, function, name, given, **options):
    arrays = arrays_for(function, given)
    options = takes(function, options)
    before = [np.array(array, copy=True) for array in arrays if isinstance(array, np.ndarray)]
    short, expected = outcome(function, *arrays, **options), general(function, *arrays, **options)
    assert short == expected, (name, options)
    after = [array for array in arrays if isinstance(array, np.ndarray)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@DTYPES
@FUNCTIONS
@pytest.mark.parametrize("inputs", [numbers, shapes, kinds])
@pytest.mark.filterwarnings("ignore:.*matrix subclass:PendingDeprecationWarning")
def test_inputs(function, inputs, dtype, general):
    for name, given in inputs(dtype):
        for axis, keepdims, reduce in product((-1, 0), (True, False), (True, False)):
            settings = {"axis": axis, "keepdims": keepdims, "reduce": reduce}
            assert_same(general, function, name, given, **settings)
        assert_same(general, function, name, given, base=2)


@DTYPES
@FUNCTIONS
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)], ids=str)
def test_options(function, shape, dtype, general):
    given = rows(*shape).astype(dtype), rows(*shape).astype(dtype)
    wrong = given[0], -given[1]
    for option, values in OPTIONS.items():
        for value, arrays in product(values, (given, wrong)):
            assert_same(general, function, option, arrays, **{option: value})
    # Of two wrong arguments, both paths name the same.
    for workers, base, axis in product((None, 0), (None, 1), (-1, 5)):
        both = {"workers": workers, "base": base, "axis": axis}
        assert_same(general, function, "both", wrong, **both)


@DTYPES
@FUNCTIONS
@pytest.mark.parametrize("do", ["raise", "warn", "call", "ignore"])
def test_what_numpy_does_of_floating_point_exceptions(function, do, dtype, general):
    called = []
    with np.errstate(all=do, call=lambda *arguments: called.append(arguments)):
        for name, given in numbers(dtype):
            for base, reduce in product((None, 10), (True, False)):
                assert_same(general, function, name, given, base=base, reduce=reduce)
        assert np.geterr() == dict.fromkeys(("divide", "over", "under", "invalid"), do)
    assert not called


def test_the_short_path_is_taken(monkeypatch):
    """So that the other tests here compare two paths, not one with itself."""
    monkeypatch.setattr(validation, "as_real", None)
    for function in OF_TWO + OF_ONE:
        for name, given in numbers(np.float64):
            if name in ("probabilities", "zeros", "equal rows"):
                arrays = arrays_for(function, given)
                assert np.isfinite(function(*arrays, axis=-1)).all() or "kl" in function.__name__


def without_nan(scores):
    return np.nanmax(scores, initial=0)


SCALARISATIONS = [
    mean_scalarise(),
    sum_scalarise(),
    max_scalarise(),
    meansq_scalarise(),
    mean_scalarise(axis=0),
    max_scalarise(axis=-1, keepdims=True),
    sum_scalarise(inner=max_scalarise(axis=0)),
    vnorm_scalarise(p=np.inf),
    without_nan,
    np.max,
]


@DTYPES
@LOSSES
@pytest.mark.parametrize("inputs", [numbers, shapes, kinds])
@pytest.mark.filterwarnings("ignore:.*matrix subclass:PendingDeprecationWarning")
def test_losses(loss, inputs, dtype, general):
    for name, given in inputs(dtype):
        for scalarisation in SCALARISATIONS if inputs is numbers else SCALARISATIONS[:1]:
            of = loss(nu=0.1, scalarisation=scalarisation)
            arrays = given[: len(of._measure.names)]
            assert outcome(of, *arrays) == general(of, *arrays), (name, scalarisation)


@DTYPES
@LOSSES
def test_settings_and_arguments_of_losses(loss, dtype, general):
    wide = rows(3, 7).astype(dtype), rows(3, 7).astype(dtype)
    for settings in (
        *({"axis": axis} for axis in (-1, 0, 1, None, (0, 1))),
        *({"keepdims": True}, {"reduce": False}),
        *([{"weight": 0.5}, {"weight": 0.1}] if loss is JSDivergenceLoss else []),
    ):
        of = loss(**settings)
        arrays = wide[: len(of._measure.names)]
        assert outcome(of, *arrays) == general(of, *arrays), settings
    of = loss()
    for arguments in (
        *({"key": 1}, {"scalarisation_weight": [1.0, 2.0, 3.0]}, {"base": 2}, {"axis": 0}),
        *({"workers": 0}, {"unknown": 1}),
    ):
        assert outcome(of, *arrays, **arguments) == general(of, *arrays, **arguments), arguments
    for wrong in (arrays[:-1], (*arrays, arrays[0])):
        assert outcome(of, *wrong) == general(of, *wrong)
    of.score = lambda *given, **_: np.full((3, 1), len(given))
    assert of(*arrays) == len(arrays)


def test_the_short_path_of_losses_is_taken(monkeypatch):
    monkeypatch.setattr(Loss, "_settings", None)
    for name, given in numbers(np.float64):
        for of in [loss() for loss in LOSS_CLASSES if name in ("probabilities", "equal rows")]:
            assert np.isfinite(of(*given[: len(of._measure.names)]))


@DTYPES
@pytest.mark.parametrize("inputs", [numbers, shapes, kinds])
@pytest.mark.filterwarnings("ignore:.*matrix subclass:PendingDeprecationWarning")
def test_few_pairs_are_as_those_of_blocks(inputs, dtype, in_blocks):
    for name, (a, b) in inputs(dtype):
        for options in ({}, {"metric": "js_divergence", "base": 2}, {"dtype": np.float32}):
            for function, arrays in (cdist, (a, b)), (cdist, (a, a)), (pdist, (a,)):
                found = outcome(function, *arrays, **options)
                assert found == in_blocks(function, *arrays, **options), (name, options)


@DTYPES
@pytest.mark.parametrize("function", [cdist, pdist], ids=lambda f: f.__name__)
def test_options_of_few_pairs(function, dtype, in_blocks):
    given = rows(5, 7).astype(dtype), rows(6, 7).astype(dtype)
    wrong = given[0], -given[1]
    options = {
        **{name: OPTIONS[name] for name in ("base", "workers")},
        "metric": ["js", "JensenShannon", "js_divergence", "cosine", None, ["js"]],
        "dtype": [None, np.float32, "float64", np.float16, int],
        "out": [np.empty((5, 6), dtype), np.empty((5, 6), np.float16), np.empty((2, 2)), [[0.0]]],
    }
    number = 1 if function is pdist else 2
    for option, values in options.items():
        for value, arrays in product(values, (given, wrong)):
            found = outcome(function, *arrays[:number], **{option: value})
            assert found == in_blocks(function, *arrays[:number], **{option: value}), option


def test_the_kernel_of_few_pairs_is_called(monkeypatch):
    monkeypatch.setattr(pairwise, "Comparison", None)
    assert cdist(rows(5, 7), rows(6, 7)).shape == (5, 6)
    monkeypatch.setattr(pairwise, "as_rows", None)
    assert cdist(rows(5, 7), rows(6, 7), base=10, workers=2).shape == (5, 6)
