"""Tests of jsdiv_numba._losses.reductions: derivatives of scalarisations against differences."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jsdiv_numba import js_divergence, scalarise
from jsdiv_numba.scalarise import Scalarisation
from tests.differences import central

RNG = np.random.default_rng(8)
SHAPE = (3, 4, 2)
# Scores apart from each other and from 0, and unevenly, so that their sums are apart, too: no small
# step changes which is the largest.
SCORES = RNG.permutation(np.linspace(0.05, 0.9, 24) + RNG.uniform(0, 0.03, 24)).reshape(SHAPE)
SIGNED = SCORES * RNG.choice([-1, 1], SHAPE)

SMOOTH = [
    ("sum_scalarise", {}),
    ("mean_scalarise", {}),
    ("meansq_scalarise", {}),
    ("max_scalarise", {}),
    *(("vnorm_scalarise", {"p": p}) for p in (None, 1, 1.5, 2, 3, -1, -2.5, 0.5, np.inf, -np.inf)),
    *(("selfwmean_scalarise", {"gradpath": None, "softmax_axis": over}) for over in (False, True)),
    ("selfwmean_scalarise", {"gradpath": None, "softmax_axis": 0}),
    ("selfwmean_scalarise", {"gradpath": None, "softmax_axis": -1, "softmax_invert": True}),
    ("selfwmean_scalarise", {"gradpath": None, "softmax_invert": True}),
]
MATRIX_NORMS = [1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"]

smooth = pytest.mark.parametrize(("name", "params"), SMOOTH, ids=str)


def assert_derivative(scalarisation, scores, **call):
    value, grad = scalarisation.value_and_grad(scores, **call)
    assert value == scalarisation(scores, **call)
    expected = central(functools.partial(scalarisation, **call), scores)
    assert (grad.shape, grad.dtype) == (scores.shape, value.dtype)
    np.testing.assert_allclose(grad, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())


@smooth
@pytest.mark.parametrize("axis", [None, -1, (0, 2), (-1, 1), [1]], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_every_map_knows_its_derivative(name, params, axis, keepdims):
    scores = SCORES if name == "selfwmean_scalarise" else SIGNED
    inner = getattr(scalarise, name)(axis=axis, keepdims=keepdims, **params)
    # An outer map with unequal derivatives shows what goes to which place.
    assert_derivative(scalarise.vnorm_scalarise(p=3, axis=None, inner=inner), scores)


@smooth
@pytest.mark.parametrize("extreme", [np.inf, 1e300, 1e-300, np.nan])
def test_no_setting_for_floating_point_errors_matters(name, params, extreme):
    scalarisation = getattr(scalarise, name)(**{"axis": None, **params})
    with np.errstate(all="raise"):
        value, grad = scalarisation.value_and_grad(np.array([extreme, 0.5, 0.25]))
    assert grad.shape == (3,)
    np.testing.assert_equal(value, scalarisation([extreme, 0.5, 0.25]))


@pytest.mark.parametrize("p", MATRIX_NORMS)
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (-1, 0)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms(p, axis, keepdims):
    inner = scalarise.norm_scalarise(p=p, axis=axis, keepdims=keepdims)
    assert_derivative(scalarise.meansq_scalarise(inner=inner), SIGNED)


def test_a_matrix_norm_of_one_axis_is_a_vector_norm():
    assert_derivative(scalarise.sum_scalarise(inner=scalarise.norm_scalarise(p=3)), SIGNED)


@pytest.mark.parametrize("axis", [None, -1, (0, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_weighted_mean(axis, keepdims):
    axes = range(3) if axis is None else np.atleast_1d(axis)
    weight = RNG.uniform(0.5, 2, [SHAPE[one] for one in axes])
    inner = scalarise.wmean_scalarise(axis=axis, keepdims=keepdims)
    outer = scalarise.meansq_scalarise(inner=inner)
    assert_derivative(outer, SIGNED, scalarisation_weight=weight)
    held = scalarise.wmean_scalarise(axis=axis, keepdims=keepdims, weight=weight)
    np.testing.assert_array_equal(
        scalarise.meansq_scalarise(inner=held).value_and_grad(SIGNED)[1],
        outer.value_and_grad(SIGNED, weight)[1],
    )


def test_integer_weights():
    value, grad = scalarise.wmean_scalarise(weight=[1, 3]).value_and_grad([2.0, 6.0])
    assert value == 5.0
    np.testing.assert_array_equal(grad, [0.25, 0.75])


@pytest.mark.parametrize("softmax_axis", [False, True, -1, (0, 1)], ids=str)
@pytest.mark.parametrize("softmax_invert", [False, True])
@pytest.mark.parametrize("axis", [None, -1], ids=str)
def test_gradpath_divides_the_derivative_of_the_self_weighted_mean(
    softmax_axis, softmax_invert, axis
):
    def grad(gradpath):
        inner = scalarise.selfwmean_scalarise(
            axis=axis,
            gradpath=gradpath,
            softmax_axis=softmax_axis,
            softmax_invert=softmax_invert,
        )
        return scalarise.sum_scalarise(inner=inner).value_and_grad(SCORES)[1]

    np.testing.assert_allclose(grad("input") + grad("weight"), grad(None), rtol=1e-12, atol=1e-14)
    axes = axis if axis is None else (axis,)
    if softmax_axis is False:
        expected = SCORES / SCORES.sum(axis=axes, keepdims=True)
        np.testing.assert_allclose(grad("input"), expected, rtol=1e-14)
    else:
        assert np.all(grad("input") * (-1) ** softmax_invert > 0)


def test_self_weighted_mean_of_zeros():
    """Where every score is zero the value is that of equal weights, and so is its derivative."""
    for gradpath, expected in (("input", 0.25), ("weight", 0.0), (None, 0.25)):
        ours = scalarise.selfwmean_scalarise(gradpath=gradpath)
        value, grad = ours.value_and_grad(np.zeros(4))
        assert value == 0.0
        np.testing.assert_array_equal(grad, np.full(4, expected))


MAPS = st.sampled_from([case for case in SMOOTH if case[0] != "selfwmean_scalarise"])


@settings(deadline=None, max_examples=60)
@example(
    maps=(("max_scalarise", {}), ("sum_scalarise", {}), ("max_scalarise", {})),
    axes=(-1, -1),
    keepdims=False,
)
@given(
    maps=st.tuples(MAPS, MAPS, MAPS),
    axes=st.tuples(st.sampled_from([-1, 0, (0, 1), None]), st.sampled_from([-1, 0, None])),
    keepdims=st.booleans(),
)
def test_compositions(maps, axes, keepdims):
    """Each map is followed along its own axes, whatever the ones around it leave."""
    outer_axis = axes[1] if keepdims else 0
    made = None
    for (name, params), axis in zip(maps, (axes[0], outer_axis, None), strict=True):
        made = getattr(scalarise, name)(inner=made, axis=axis, keepdims=keepdims, **params)
    if keepdims:
        made = scalarise.sum_scalarise(inner=made)
    assert_derivative(made, SCORES)


@pytest.mark.parametrize(
    ("scalarisation", "scores", "expected"),
    [
        (scalarise.max_scalarise(), [1.0, 3.0, 3.0, 0.0], [0, 0.5, 0.5, 0]),
        (scalarise.vnorm_scalarise(p=np.inf), [1.0, -3.0, 3.0, 0.0], [0, -0.5, 0.5, 0]),
        (scalarise.vnorm_scalarise(p=-np.inf), [1.0, -1.0, 3.0, 3.0], [0.5, -0.5, 0, 0]),
        (
            scalarise.norm_scalarise(p=1, axis=None),
            [[1.0, 2], [-2.0, 1]],
            [[0.5, 0.5], [-0.5, 0.5]],
        ),
        (
            scalarise.norm_scalarise(p=-np.inf, axis=None),
            [[2.0, 1], [1, 2]],
            [[0.5, 0.5], [0.5, 0.5]],
        ),
        (scalarise.norm_scalarise(p=2, axis=None), [[3.0, 0], [0, 3]], [[0.5, 0], [0, 0.5]]),
        (scalarise.norm_scalarise(p=-2, axis=None), [[3.0, 0], [0, 3]], [[0.5, 0], [0, 0.5]]),
    ],
)
def test_equal_extremes_share(scalarisation, scores, expected):
    np.testing.assert_allclose(scalarisation.value_and_grad(scores)[1], expected, atol=1e-15)


@pytest.mark.parametrize("p", [None, 0.5, 1, 2, 3, np.inf, -np.inf, -1])
def test_a_corner_at_zero_has_derivative_zero(p):
    if p != -1:  # whose value at 0 NumPy warns of
        value, grad = scalarise.vnorm_scalarise(p=p).value_and_grad(np.zeros(3))
        assert value == 0.0
        np.testing.assert_array_equal(grad, np.zeros(3))
    if p not in {-1, -np.inf}:
        _, grad = scalarise.vnorm_scalarise(p=p).value_and_grad([0.0, 2.0])
        assert grad[0] == 0.0
        np.testing.assert_allclose(grad[1], 1.0, rtol=1e-14)


@pytest.mark.parametrize("p", MATRIX_NORMS)
def test_a_matrix_of_zeros_has_derivative_zero(p):
    _, grad = scalarise.norm_scalarise(p=p, axis=None).value_and_grad(np.zeros((2, 3)))
    np.testing.assert_array_equal(grad, np.zeros((2, 3)))


def test_the_number_of_scores_that_are_not_zero_is_flat():
    _, grad = scalarise.vnorm_scalarise(p=0).value_and_grad([0.0, 2.0])
    np.testing.assert_array_equal(grad, [0.0, 0.0])


@smooth
def test_nan_is_passed_on(name, params):
    scores = SCORES.copy()
    scores[1, 2, 1] = np.nan
    value, grad = getattr(scalarise, name)(axis=None, **params).value_and_grad(scores)
    assert np.isnan(value)
    linear = name in {"sum_scalarise", "mean_scalarise"} or params.get("p") == 1
    assert np.isnan(grad[1, 2, 1]) or linear


@smooth
def test_float32_is_computed_in_float64_and_returned_in_float32(name, params):
    scores = SCORES.astype(np.float32)
    ours = scalarise.meansq_scalarise(inner=getattr(scalarise, name)(axis=-1, **params))
    value, grad = ours.value_and_grad(scores)
    assert (value.dtype, grad.dtype) == (np.float32, np.float32)
    wide = ours.value_and_grad(scores.astype(np.float64))[1]
    np.testing.assert_allclose(grad, wide, rtol=1e-6)


@pytest.mark.parametrize("scores", [[1, 2], np.array([1, 0], np.int8), [True, False], 3.0])
def test_scores_may_be_whatever_a_call_takes(scores):
    value, grad = scalarise.meansq_scalarise().value_and_grad(scores)
    assert value == scalarise.meansq_scalarise()(scores)
    np.testing.assert_array_equal(grad, 2 * np.asarray(scores, float) / np.size(scores))


def test_no_scores():
    value, grad = scalarise.sum_scalarise().value_and_grad([])
    assert (value, grad.shape) == (0.0, (0,))


def test_the_derivative_can_be_written_to():
    for name, params in SMOOTH:
        _, grad = getattr(scalarise, name)(axis=None, **params).value_and_grad(SCORES)
        grad += 1


def test_a_factor_is_pulled_back_without_rounding_to_float32():
    _, vjp = scalarise.mean_scalarise().value_and_vjp(np.ones(3, np.float32))
    np.testing.assert_array_equal(vjp(0.1), np.full(3, 0.1 / 3))


def quantile_grad(scores, cotangent, q, axis):
    """Return the derivative of a quantile that is one of the scores."""
    here = scores == np.quantile(scores, q, axis=axis, keepdims=True)
    return np.expand_dims(cotangent, axis) * here


def test_a_callable_of_your_own_may_bring_its_derivative():
    median = Scalarisation(np.quantile, grad=quantile_grad, q=0.5, axis=0)
    assert_derivative(scalarise.meansq_scalarise(inner=median), SCORES)
    root = Scalarisation(np.sqrt, grad=lambda scores, g: g / (2 * np.sqrt(scores)), inner=median)
    assert_derivative(scalarise.mean_scalarise(inner=root), SCORES)


def test_the_weight_of_a_call_reaches_its_derivative():
    own = Scalarisation(
        lambda scores, weight: np.sum(scores * weight),
        grad=lambda scores, cotangent, weight: cotangent * np.asarray(weight),
        weight=[1.0, 2.0],
    )
    np.testing.assert_array_equal(own.value_and_grad([1.0, 1.0])[1], [1, 2])
    np.testing.assert_array_equal(own.value_and_grad([1.0, 1.0], [4.0, 5.0])[1], [4, 5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: scalarise.mean_scalarise(inner=np.sqrt).value_and_grad([0.5]),
            TypeError,
            (
                "Scalarisation(sqrt) has no derivative; use a map of jsdiv_numba.scalarise, or "
                "give it one, Scalarisation(reduce, grad=f), where f(scores, cotangent) returns "
                "the cotangent times the derivative, in the shape of the scores"
            ),
        ),
        (
            lambda: scalarise.mean_scalarise(axis=-1).value_and_grad(SCORES),
            ValueError,
            (
                "Scalarisation(mean, axis=-1, keepdims=False) leaves an array of shape (3, 4), "
                "and only a scalar has a gradient; reduce the rest, for example with "
                "sum_scalarise(inner=...)"
            ),
        ),
        (
            lambda: Scalarisation(np.max, grad=lambda scores, g: g).value_and_grad([1.0, 2.0]),
            ValueError,
            (
                "grad of Scalarisation(max) returned an array of shape (); it must have the "
                "scores' shape (2,)"
            ),
        ),
        (
            lambda: Scalarisation(np.max, grad=3),
            TypeError,
            "grad is 3; it must be callable, or None",
        ),
        (
            lambda: scalarise.mean_scalarise().value_and_grad([1.0], [1.0]),
            TypeError,
            (
                "scalarisation_weight was given, but Scalarisation(mean, axis=None, "
                "keepdims=False) takes no weight; use wmean_scalarise, alone or as inner="
            ),
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_scores_are_not_changed():
    scores = SCORES.copy()
    scores.flags.writeable = False
    for (name, params), axis in itertools.product(SMOOTH, (None, -1)):
        inner = getattr(scalarise, name)(axis=axis, **params)
        scalarise.sum_scalarise(inner=inner).value_and_grad(scores)
    np.testing.assert_array_equal(scores, SCORES)


def test_a_reduced_function_is_what_it_was():
    P, Q = RNG.dirichlet(np.ones(4), (2, 3))
    reduced = scalarise.max_scalarise()(js_divergence)
    assert reduced(P, Q) == js_divergence(P, Q).max()


@pytest.mark.parametrize("make", [scalarise.mean_scalarise, scalarise.meansq_scalarise])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_mean_of_no_scores_is_nan_without_a_warning(make, dtype):
    value, grad = make().value_and_grad(np.empty((0, 3), dtype))
    assert (value.dtype, grad.shape) == (dtype, (0, 3))
    assert np.isnan(value)
    np.testing.assert_array_equal(make(axis=0)(np.empty((0, 3), dtype)), np.full(3, np.nan, dtype))
    np.testing.assert_array_equal(make(axis=1)(np.empty((0, 3), dtype)), np.empty(0, dtype))


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_no_scores_have_no_maximum(shape):
    with pytest.raises(ValueError, match="have no maximum") as caught:
        scalarise.max_scalarise(axis=-1)(np.empty(shape))
    axis = (len(shape) - 1,)
    assert str(caught.value) == (
        f"scores of shape {shape} have no maximum over axis {axis}: there are none"
    )


@pytest.mark.parametrize("p", [2, "nuc", 1])
def test_axes_may_be_an_array(p):
    for axis in ((0, 1), (-1, 0)):
        given = np.array(axis)
        made = scalarise.norm_scalarise(p=p, axis=given)
        expected = scalarise.norm_scalarise(p=p, axis=axis)(SIGNED)
        given[:] = 7
        np.testing.assert_array_equal(made(SIGNED), expected)
    kept = scalarise.mean_scalarise(axis=np.array([2, 0]))(SCORES)
    np.testing.assert_array_equal(kept, scalarise.mean_scalarise(axis=(0, 2))(SCORES))
