"""Tests of jsdiv_numba.scalarise: every map against hypercoil's, restated in NumPy."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jsdiv_numba import js_divergence, scalarise
from jsdiv_numba.scalarise import Scalarisation, selfwmean, wmean
from tests import hypercoil_reference as hypercoil

RNG = np.random.default_rng(20)
SCORES = RNG.uniform(0.01, 0.7, (3, 4, 5))

UNWEIGHTED = [
    ("sum_scalarise", {}),
    ("mean_scalarise", {}),
    ("meansq_scalarise", {}),
    ("max_scalarise", {}),
    ("norm_scalarise", {"p": 1}),
    ("norm_scalarise", {"p": 2, "force_vector_norm": True}),
    ("norm_scalarise", {"p": np.inf, "force_vector_norm": True}),
    ("vnorm_scalarise", {"p": 3}),
    ("selfwmean_scalarise", {}),
    ("selfwmean_scalarise", {"softmax_axis": True}),
    ("selfwmean_scalarise", {"softmax_axis": None}),
    ("selfwmean_scalarise", {"softmax_axis": 0}),
    ("selfwmean_scalarise", {"softmax_axis": (0, -1), "softmax_invert": True}),
    ("selfwmean_scalarise", {"softmax_invert": True}),
]
MATRIX_NORMS = [1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"]
NAMES = sorted({name for name, _ in UNWEIGHTED} | {"wmean_scalarise"})

maps = pytest.mark.parametrize(("name", "params"), UNWEIGHTED)


def both(name, **params):
    """Return the map of this library and hypercoil's."""
    return getattr(scalarise, name)(**params), getattr(hypercoil, name)(**params)


def assert_same(ours, theirs, dtype=np.float64):
    assert ours.dtype == dtype
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12 if dtype == np.float64 else 1e-6)


@st.composite
def scores_and_axes(draw, min_axes=1, max_axes=3):
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=4, max_side=5))
    elements = st.floats(0.01, 1.0)
    scores = draw(hnp.arrays(np.float64, shape, elements=elements))
    positive = draw(
        st.lists(st.integers(0, len(shape) - 1), min_size=min_axes, max_size=max_axes, unique=True)
    )
    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in positive]
    if len(signed) == 1 and draw(st.booleans()):
        return scores, signed[0]
    return scores, tuple(signed)


@maps
def test_default_axis(name, params):
    ours, theirs = both(name, **params)
    assert_same(ours(SCORES), theirs()(SCORES))


@maps
@settings(deadline=None, max_examples=25)
@given(case=scores_and_axes(max_axes=2), keepdims=st.booleans())
def test_any_axes(name, params, case, keepdims):
    scores, axis = case
    ours, theirs = both(name, axis=axis, keepdims=keepdims, **params)
    assert_same(ours(scores), theirs()(scores))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"norm_scalarise", "wmean_scalarise"}))
@settings(deadline=None, max_examples=25)
@given(case=scores_and_axes(min_axes=3), keepdims=st.booleans())
def test_three_axes(name, case, keepdims):
    scores, axis = case
    ours, theirs = both(name, axis=axis, keepdims=keepdims)
    assert_same(ours(scores), theirs()(scores))


@pytest.mark.parametrize("p", MATRIX_NORMS)
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (-1, 0)])
def test_matrix_norm_follows_the_order_of_the_axes(p, axis):
    ours, theirs = both("norm_scalarise", p=p, axis=axis)
    assert_same(ours(SCORES), theirs()(SCORES))


def test_matrix_norm_of_swapped_axes_differs():
    one_norm = scalarise.norm_scalarise(p=1, axis=(0, 1))(SCORES[0])
    assert one_norm != scalarise.norm_scalarise(p=1, axis=(1, 0))(SCORES[0])


@pytest.mark.parametrize("axis", [None, -1, (0, 2)])
def test_norm_of_no_order_is_the_root_of_the_sum_of_squares(axis):
    np.testing.assert_allclose(
        scalarise.norm_scalarise(p=None, axis=axis)(SCORES),
        np.sqrt(np.sum(SCORES**2, axis=axis)),
        rtol=1e-14,
    )


@settings(deadline=None, max_examples=50)
@given(case=scores_and_axes(), keepdims=st.booleans(), data=st.data())
def test_weighted_mean(case, keepdims, data):
    scores, axis = case
    reduced = sorted(np.atleast_1d(axis) % scores.ndim)
    shape = tuple(scores.shape[one] for one in reduced)
    weight = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(0.1, 2)))
    expected = hypercoil.wmean(scores, weight, axis=axis, keepdims=keepdims)
    assert_same(wmean(scores, weight, axis, keepdims), expected)
    ours, theirs = both("wmean_scalarise", axis=axis, keepdims=keepdims)
    assert_same(
        ours(scores, scalarisation_weight=weight),
        theirs()(scores, scalarisation_weight=weight),
    )
    held = scalarise.wmean_scalarise(axis=axis, keepdims=keepdims, weight=weight)
    assert_same(held(scores), expected)


def test_weighted_mean_agrees_with_numpy():
    weight = RNG.uniform(size=4)
    np.testing.assert_allclose(
        wmean(SCORES, weight, axis=-2), np.average(SCORES, axis=1, weights=weight), rtol=1e-14
    )


def test_weight_dimensions_follow_the_array_not_the_order_of_axis():
    weight = RNG.uniform(size=(3, 5))
    np.testing.assert_array_equal(
        wmean(SCORES, weight, axis=(-1, 0)), wmean(SCORES, weight, axis=(0, 2))
    )


def test_negative_weights_are_allowed():
    assert wmean([1.0, 2.0], [-1.0, 2.0]) == 3.0


@pytest.mark.parametrize("name", ["wmean", "selfwmean"])
def test_plain_functions_without_axes_return_a_scalar(name):
    extra = {"weight": np.ones_like(SCORES)} if name == "wmean" else {}
    assert isinstance(getattr(scalarise, name)(SCORES, **extra), np.float64)


@settings(deadline=None, max_examples=50)
@given(
    case=scores_and_axes(),
    keepdims=st.booleans(),
    softmax_axis=st.sampled_from([False, True, None, 0, -1, (0, 2)]),
    softmax_invert=st.booleans(),
)
def test_self_weighted_mean(case, keepdims, softmax_axis, softmax_invert):
    scores, axis = case
    options = {"softmax_axis": softmax_axis, "softmax_invert": softmax_invert}
    assert_same(
        selfwmean(scores, axis, keepdims, **options),
        hypercoil.selfwmean(scores, axis=axis, keepdims=keepdims, **options),
    )


@pytest.mark.parametrize("gradpath", ["input", "weight", None])
def test_gradpath_leaves_the_value(gradpath):
    assert selfwmean(SCORES, gradpath=gradpath) == selfwmean(SCORES)
    assert scalarise.selfwmean_scalarise(gradpath=gradpath)(SCORES) == selfwmean(SCORES)


def test_softmax_of_large_scores_is_stable():
    assert selfwmean([1e4, 2e4, -1e4], softmax_axis=-1) == 2e4
    assert selfwmean([1e4, 2e4, -1e4], softmax_axis=-1, softmax_invert=True) == 1e4


def test_softmax_zero_is_an_axis_not_false():
    scores = np.array([[0.0, 5.0], [1.0, 1.0]])
    assert selfwmean(scores, softmax_axis=0) != selfwmean(scores, softmax_axis=False)


def test_self_weighted_mean_of_zeros_is_zero():
    np.testing.assert_array_equal(selfwmean([[0.0, 0.0], [1.0, 3.0]], axis=1), [0.0, 2.5])
    assert scalarise.selfwmean_scalarise()(np.zeros(4)) == 0.0


@maps
def test_nan_is_passed_on(name, params):
    scores = SCORES.copy()
    scores[1, 2, 3] = np.nan
    reduced = getattr(scalarise, name)(**params, **_all_axes(name, params))(scores)
    assert np.isnan(reduced)


def _all_axes(name, params):
    matrix = name == "norm_scalarise" and not params.get("force_vector_norm")
    return {"inner": np.ravel, "axis": 0} if matrix else {"axis": None}


@maps
def test_maps_make_a_function_reduced(name, params):
    ours, theirs = both(name, **params)
    P, Q = RNG.dirichlet(np.ones(6), (2, 3, 4))
    reduced, expected = ours(js_divergence), theirs(js_divergence)
    assert_same(reduced(P, Q, keepdims=False), expected(P, Q, keepdims=False))
    assert_same(reduced(P, Q=Q, axis=0, key=7), expected(P, Q=Q, axis=0, key=7))


def test_call_time_weight_does_not_reach_the_function():
    received = {}

    def score(scores, **params):
        received.update(params)
        return scores

    weight = RNG.uniform(size=5)
    reduced = scalarise.wmean_scalarise(axis=-1)(score)
    result = reduced(SCORES, scale=2, scalarisation_weight=weight)
    np.testing.assert_array_equal(result, wmean(SCORES, weight, axis=-1))
    assert received == {"scale": 2}


def test_weight_given_with_the_function_is_kept_and_can_be_overridden():
    reduced = scalarise.wmean_scalarise()(np.abs, scalarisation_weight=[1, 0])
    assert reduced([-1.0, -2.0]) == 1.0
    assert reduced([-1.0, -2.0], scalarisation_weight=[0, 1]) == 2.0


@maps
def test_without_scores_a_map_is_the_reduced_identity(name, params):
    ours, theirs = both(name, **params)
    assert_same(ours()(SCORES), theirs()(SCORES))
    assert_same(ours()(SCORES, key=3), theirs()(SCORES, key=3))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"wmean_scalarise"}))
def test_maps_can_be_used_uncalled(name):
    factory = getattr(scalarise, name)
    np.testing.assert_array_equal(factory(SCORES), factory()(SCORES))
    np.testing.assert_array_equal(factory(np.abs)(-SCORES), factory()(SCORES))
    mean_of = scalarise.mean_scalarise(inner=factory)
    assert mean_of(SCORES) == scalarise.mean_scalarise(inner=factory())(SCORES)


def test_weighted_mean_can_be_used_uncalled():
    weight = RNG.uniform(size=SCORES.shape)
    expected = wmean(SCORES, weight)
    assert scalarise.wmean_scalarise(SCORES, weight=weight) == expected
    nested = scalarise.max_scalarise(inner=scalarise.wmean_scalarise)
    assert nested(SCORES, scalarisation_weight=weight) == expected


@pytest.mark.parametrize("outer", sorted({name for name, _ in UNWEIGHTED}))
@pytest.mark.parametrize("inner", sorted({name for name, _ in UNWEIGHTED}))
@pytest.mark.parametrize("keepdims", [False, True])
def test_compositions_two_deep(outer, inner, keepdims):
    ours, theirs = (
        getattr(module, outer)(inner=getattr(module, inner)(axis=-1, keepdims=keepdims), axis=1)
        for module in (scalarise, hypercoil)
    )
    assert_same(ours(SCORES), theirs()(SCORES))
    P, Q = RNG.dirichlet(np.ones(6), (2, 3, 4))
    assert_same(ours(js_divergence)(P, Q), theirs(js_divergence)(P, Q))


def test_three_deep():
    ours, theirs = (
        module.sum_scalarise(
            inner=module.meansq_scalarise(axis=0, inner=module.max_scalarise(axis=(1,)))
        )
        for module in (scalarise, hypercoil)
    )
    assert_same(ours(SCORES), theirs()(SCORES))


@pytest.mark.parametrize(("outer_axis", "inner_axis"), [(-1, (0, 1)), (None, -2)])
def test_weight_reaches_an_inner_weighted_mean(outer_axis, inner_axis):
    weight = RNG.uniform(size=np.array(SCORES.shape)[np.atleast_1d(inner_axis)])
    ours, theirs = (
        module.mean_scalarise(inner=module.wmean_scalarise(axis=inner_axis), axis=outer_axis)
        for module in (scalarise, hypercoil)
    )
    assert_same(
        ours(SCORES, scalarisation_weight=weight), theirs()(SCORES, scalarisation_weight=weight)
    )
    assert_same(
        ours(np.abs)(-SCORES, scalarisation_weight=weight),
        theirs(np.abs)(-SCORES, scalarisation_weight=weight),
    )


def test_weight_reaches_an_outer_weighted_mean():
    weight = RNG.uniform(size=(3, 4))
    ours, theirs = (
        module.wmean_scalarise(inner=module.max_scalarise(axis=-1))
        for module in (scalarise, hypercoil)
    )
    assert_same(
        ours(SCORES, scalarisation_weight=weight), theirs()(SCORES, scalarisation_weight=weight)
    )


def test_nested_weighted_means_hold_their_own_weights():
    inner_weight, outer_weight = RNG.uniform(size=5), RNG.uniform(size=(3, 4))
    nested = scalarise.wmean_scalarise(
        inner=scalarise.wmean_scalarise(axis=-1, weight=inner_weight), weight=outer_weight
    )
    assert nested(SCORES) == wmean(wmean(SCORES, inner_weight, axis=-1), outer_weight)


def test_call_time_weight_reaches_every_weighted_mean():
    square = SCORES[:, :3, 0]
    weight = RNG.uniform(size=3)
    nested = scalarise.wmean_scalarise(inner=scalarise.wmean_scalarise(axis=0))
    expected = wmean(wmean(square, weight, axis=0), weight)
    assert nested(square, scalarisation_weight=weight) == expected


def test_call_time_weight_comes_first_and_is_not_remembered():
    held = scalarise.wmean_scalarise(weight=[1, 0])
    assert held([0.25, 0.75], scalarisation_weight=[0, 1]) == 0.75
    assert held([0.25, 0.75]) == 0.25


def test_inner_may_be_any_callable():
    assert scalarise.sum_scalarise(inner=np.sqrt)([4.0, 9.0]) == 5.0
    assert scalarise.max_scalarise(inner=lambda scores: -scores)([4.0, 9.0]) == -4.0


def test_own_scalarisation():
    median = Scalarisation(np.quantile, q=0.5, axis=-1, inner=np.square)
    np.testing.assert_array_equal(median(SCORES), np.quantile(SCORES**2, 0.5, axis=-1))


def test_own_weighted_scalarisation_takes_the_call_time_weight():
    def weighted_sum(scores, weight):
        return np.sum(scores * weight)

    own = Scalarisation(weighted_sum, weight=[1.0, 2.0])
    assert own([1.0, 1.0]) == 3.0
    assert own([1.0, 1.0], scalarisation_weight=[4.0, 5.0]) == 9.0


@pytest.mark.parametrize("axis", [[0, 2], np.int64(1), (np.int32(-1), 0)])
def test_axis_is_whatever_counts_as_ints(axis):
    plain = tuple(int(one) for one in axis) if np.ndim(axis) else int(axis)
    np.testing.assert_array_equal(
        scalarise.mean_scalarise(axis=axis)(SCORES), SCORES.mean(axis=plain)
    )
    np.testing.assert_array_equal(
        scalarise.vnorm_scalarise(axis=axis)(SCORES), scalarise.vnorm_scalarise(axis=plain)(SCORES)
    )


@maps
@pytest.mark.parametrize(
    ("dtype", "returned"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.int8, np.float64),
        (np.uint64, np.float64),
        (bool, np.float64),
        (">f4", np.float32),
        (">f8", np.float64),
    ],
)
def test_dtype_of_the_result(name, params, dtype, returned):
    scores = np.array([[1, 0, 1], [1, 1, 1]], dtype)
    ours = getattr(scalarise, name)(**params, axis=-1)
    assert ours(scores).dtype == returned
    assert isinstance(scalarise.mean_scalarise(inner=ours)(scores), returned)


@maps
def test_float32_scores_are_reduced_in_float64(name, params):
    scores = RNG.uniform(0.1, 0.7, (1 << 14, 2)).astype(np.float32)
    ours = getattr(scalarise, name)(**params, axis=0)
    np.testing.assert_array_equal(ours(scores), ours(scores.astype(np.float64)).astype(np.float32))


def test_plain_functions_keep_float32():
    scores = SCORES.astype(np.float32)
    assert isinstance(selfwmean(scores), np.float32)
    assert wmean(scores, np.ones(5), axis=-1).dtype == np.float32


def test_float32_squares_do_not_overflow():
    scores = np.array([3e19] + [0] * 9, np.float32)
    np.testing.assert_allclose(scalarise.meansq_scalarise()(scores), 9e37, rtol=1e-6)


def test_integers_do_not_overflow():
    assert scalarise.meansq_scalarise()(np.array([100, -100], np.int8)) == 1e4
    assert scalarise.sum_scalarise()(np.array([127, 127], np.int8)) == 254.0


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"norm_scalarise", "vnorm_scalarise"}))
def test_one_score(name):
    extra = {"weight": 2.0} if name == "wmean_scalarise" else {}
    expected = 0.25 if name == "meansq_scalarise" else 0.5
    assert getattr(scalarise, name)(**extra)(0.5) == expected


@pytest.mark.parametrize("axis", [-1, None])
def test_norm_of_one_score_is_its_size(axis):
    assert scalarise.norm_scalarise(axis=axis)(-0.5) == 0.5
    assert scalarise.vnorm_scalarise(axis=axis)(-0.5) == 0.5


def test_no_scores():
    assert scalarise.sum_scalarise()([]) == 0.0
    assert scalarise.vnorm_scalarise()([]) == 0.0
    assert np.isnan(scalarise.mean_scalarise()([]))
    with pytest.raises(ValueError, match="have no maximum"):
        scalarise.max_scalarise()([])


def test_scores_are_not_changed():
    scores = SCORES.copy()
    scores.flags.writeable = False
    for name, params in UNWEIGHTED:
        getattr(scalarise, name)(**params)(scores)
    np.testing.assert_array_equal(scores, SCORES)


@maps
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_maps_can_be_copied_and_pickled(name, params, duplicate):
    ours = scalarise.max_scalarise(inner=getattr(scalarise, name)(**params))
    assert duplicate(ours)(SCORES) == ours(SCORES)


def test_weights_survive_pickling():
    ours = scalarise.wmean_scalarise(weight=[1, 3])
    assert pickle.loads(pickle.dumps(ours))([0.0, 1.0]) == 0.75


def test_repr_tells_the_settings():
    nested = scalarise.max_scalarise(inner=Scalarisation(np.median, axis=-1), keepdims=True)
    assert repr(nested) == (
        "Scalarisation(maximum, axis=None, keepdims=True, inner=Scalarisation(median, axis=-1))"
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Scalarisation("max"),
            TypeError,
            "reduce is 'max'; it must be callable",
        ),
        (
            lambda: scalarise.max_scalarise(inner=3),
            TypeError,
            (
                "inner is 3; it must be a callable from an array to a scalar, such as "
                "mean_scalarise() or np.max"
            ),
        ),
        (
            lambda: scalarise.selfwmean_scalarise(gradpath="both"),
            ValueError,
            "gradpath is 'both'; it must be 'input', 'weight' or None",
        ),
        (
            lambda: selfwmean([1.0], gradpath="both"),
            ValueError,
            "gradpath is 'both'; it must be 'input', 'weight' or None",
        ),
        (
            lambda: scalarise.wmean_scalarise()([1.0]),
            TypeError,
            (
                "the weighted mean has no weight; give one to the map, wmean_scalarise(weight=w), "
                "or to the call, loss(P, Q, scalarisation_weight=w)"
            ),
        ),
        (
            lambda: scalarise.max_scalarise()([1.0], scalarisation_weight=[1.0]),
            TypeError,
            (
                "scalarisation_weight was given, but Scalarisation(maximum, axis=None, "
                "keepdims=False) takes no weight; use wmean_scalarise, alone or as inner="
            ),
        ),
        (
            lambda: scalarise.max_scalarise(inner=lambda X: len)([1.0]),
            TypeError,
            (
                "Scalarisation(<lambda>) returned a function; a scalarisation is given the array "
                "of scores and returns the reduced array or scalar"
            ),
        ),
        (
            lambda: wmean(SCORES, [1, 2, 3], axis=-1),
            ValueError,
            (
                "weight of shape (3,) does not fit scores of shape (3, 4, 5) averaged over axis "
                "(2,); it must have shape (5,)"
            ),
        ),
        (
            lambda: wmean(SCORES, [1, 2, 3]),
            ValueError,
            (
                "weight of shape (3,) does not fit scores of shape (3, 4, 5) averaged over axis "
                "(0, 1, 2); it must have shape (3, 4, 5)"
            ),
        ),
        (
            lambda: wmean(SCORES, [1], axis=0),
            ValueError,
            (
                "weight of shape (1,) does not fit scores of shape (3, 4, 5) averaged over axis "
                "(0,); it must have shape (3,)"
            ),
        ),
        (
            lambda: wmean([1.0, 2.0], [1, -1]),
            ValueError,
            "weight sums to 0 over axis (0,); a weighted mean needs weights with a non-zero sum",
        ),
        (
            lambda: selfwmean([1.0, -1.0]),
            ValueError,
            "input sums to 0 over axis (0,); a weighted mean needs weights with a non-zero sum",
        ),
        (
            lambda: scalarise.norm_scalarise(axis=None)(SCORES),
            ValueError,
            (
                "axis=None spans 3 axes of scores of shape (3, 4, 5), but a norm is of vectors or "
                "of matrices; give one or two axes, or force_vector_norm=True"
            ),
        ),
        (
            lambda: scalarise.vnorm_scalarise(p="fro")(SCORES),
            ValueError,
            "Invalid norm order 'fro' for vectors",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scalarise.mean_scalarise()(["a", "b"]), "^scores has dtype"),
        (lambda: scalarise.mean_scalarise()([1j]), "^scores has dtype"),
        (lambda: scalarise.mean_scalarise()([Fraction(1, 2)]), "^scores has dtype"),
        (lambda: Scalarisation(str)([1.0]), "^result of the scalarisation has dtype"),
        (lambda: wmean(["a", "b"], [1, 2]), "^input has dtype"),
        (lambda: selfwmean(["a", "b"]), "^input has dtype"),
        (lambda: wmean([1.0, 2.0], ["a", "b"]), "^weight has dtype"),
        (lambda: scalarise.wmean_scalarise(weight="heavy"), "^weight has dtype"),
        (lambda: scalarise.mean_scalarise(axis="rows"), "^axis is"),
        (lambda: scalarise.norm_scalarise(axis=(0, 0.5)), "^axis is"),
        (lambda: scalarise.selfwmean_scalarise(softmax_axis=0.5), "axis is 0.5"),
    ],
)
def test_common_checks_are_made(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [3, -4, (0, 5), (1, 1), (0, -3)])
def test_axis_out_of_range_or_repeated(name, axis):
    extra = {"scalarisation_weight": np.ones(3)} if name == "wmean_scalarise" else {}
    with pytest.raises(ValueError, match=r"^axis"):
        getattr(scalarise, name)(axis=axis)(SCORES, **extra)
