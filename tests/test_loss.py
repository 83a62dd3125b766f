"""Tests of jsdiv_numba.loss: scores, scalarisations and multipliers put together."""

import copy
import functools
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import (
    EntropyLogitLoss,
    EntropyLoss,
    JSDivergenceLogitLoss,
    JSDivergenceLoss,
    KLDivergenceLogitLoss,
    KLDivergenceLoss,
    Loss,
    js_divergence,
    js_divergence_logit,
    max_scalarise,
    mean_scalarise,
    meansq_scalarise,
    norm_scalarise,
    scalarise,
    selfwmean_scalarise,
    sum_scalarise,
    vnorm_scalarise,
    wmean,
    wmean_scalarise,
)
from tests import hypercoil_reference as hypercoil
from tests.differences import central

RNG = np.random.default_rng(4)
P, Q = RNG.dirichlet(np.ones(6), (2, 3, 4))
A, B = RNG.normal(size=(2, 3, 4, 6))


class Case(NamedTuple):
    loss_class: type[Loss]
    score: Callable[..., Any]
    reference: Callable[..., Any]
    arrays: tuple[np.ndarray, np.ndarray]


BOTH = pytest.mark.parametrize(
    "case",
    [
        Case(JSDivergenceLoss, js_divergence, hypercoil.js_divergence, (P, Q)),
        Case(JSDivergenceLogitLoss, js_divergence_logit, hypercoil.js_divergence_logit, (A, B)),
    ],
    ids=["probabilities", "logits"],
)
EACH = pytest.mark.parametrize("loss_class", [JSDivergenceLoss, JSDivergenceLogitLoss])
MAPS = [
    sum_scalarise,
    mean_scalarise,
    meansq_scalarise,
    max_scalarise,
    norm_scalarise,
    vnorm_scalarise,
    selfwmean_scalarise,
]


def assert_near(ours, theirs):
    """Compare with hypercoil's formulas, which are exact to some machine epsilons only."""
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@BOTH
def test_default_is_the_mean(case):
    assert case.loss_class()(*case.arrays) == np.mean(case.score(*case.arrays))
    assert_near(
        case.loss_class()(*case.arrays), hypercoil.mean_scalarise()(case.reference)(*case.arrays)
    )


@BOTH
@settings(deadline=None, max_examples=50)
@given(
    scalarisation=st.sampled_from([made.__name__ for made in MAPS]),
    params=st.fixed_dictionaries(
        {
            "axis": st.sampled_from([-1, 1, (0, 2), (-1, -2), 0]),
            "keepdims": st.booleans(),
            "reduce": st.booleans(),
        }
    ),
    nu=st.floats(-10, 10),
)
def test_any_settings(case, scalarisation, params, nu):
    ours, theirs = (getattr(module, scalarisation)(axis=0) for module in (scalarise, hypercoil))
    loss = case.loss_class(nu, scalarisation=ours, **params)
    assert_near(loss(*case.arrays), nu * theirs(case.reference)(*case.arrays, **params))


@BOTH
def test_axis_may_be_a_list(case):
    listed, plain = case.loss_class(axis=[2, 0]), case.loss_class(axis=(0, 2))
    assert listed(*case.arrays) == plain(*case.arrays)


@BOTH
def test_axis_none_scores_everything(case):
    expected = case.reference(*case.arrays, axis=None, keepdims=False)
    assert_near(case.loss_class(axis=None)(*case.arrays), expected)


@EACH
def test_inputs_broadcast_and_may_be_lists(loss_class):
    rows = [[0.5, 0.5], [0.25, 0.75]]
    pairs = [loss_class()(rows[0], rows[0]), loss_class()(rows[0], rows[1])]
    assert loss_class()(rows[0], rows) == np.mean(pairs)
    assert pairs[0] == 0.0
    assert pairs[1] > 0.0


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nu", [2, 0.5, np.float64(0.5), np.float32(2), Fraction(1, 2)])
def test_result_is_a_scalar_of_the_dtype_of_the_scores(loss_class, dtype, nu):
    result = loss_class(nu)(P.astype(dtype), Q.astype(dtype))
    assert type(result) is dtype
    assert float(result) > 0


def test_one_pair_of_rows():
    assert isinstance(JSDivergenceLoss()(P[0, 0], Q[0, 0]), float)


def test_reduce_false_leaves_the_terms_to_the_scalarisation():
    loss = JSDivergenceLoss(reduce=False, scalarisation=sum_scalarise())
    total = JSDivergenceLoss(scalarisation=sum_scalarise())
    np.testing.assert_allclose(loss(P, Q), total(P, Q), rtol=1e-14)
    loss.scalarisation = max_scalarise()
    assert loss(P, Q) == np.max(js_divergence(P, Q, reduce=False)) < total(P, Q)


def test_keepdims_moves_the_axes_that_the_scalarisation_sees():
    loss = JSDivergenceLoss(keepdims=True, scalarisation=max_scalarise(axis=-2))
    np.testing.assert_array_equal(loss(P, Q), js_divergence(P, Q).max(axis=-2))
    loss.keepdims = False
    np.testing.assert_array_equal(loss(P, Q), js_divergence(P, Q)[..., 0].max(axis=-2))


def test_a_scalarisation_may_leave_axes():
    result = JSDivergenceLoss(2.0, scalarisation=mean_scalarise(axis=-1))(P, Q)
    np.testing.assert_array_equal(result, 2 * js_divergence(P, Q)[..., 0].mean(axis=-1))


@pytest.mark.parametrize("made", MAPS)
def test_maps_can_be_given_uncalled(made):
    loss, uncalled = JSDivergenceLoss(scalarisation=made()), JSDivergenceLoss(scalarisation=made)
    np.testing.assert_array_equal(uncalled(P, Q), loss(P, Q))


@pytest.mark.parametrize(
    ("scalarisation", "expected"),
    [
        (np.max, np.max),
        (np.median, np.median),
        (lambda scores: scores[0, 0], lambda scores: scores[0, 0]),
        (lambda scores: float(scores.sum()), np.sum),
        (lambda scores: np.asarray(scores.min()), np.min),
        (functools.partial(np.quantile, q=0.9), lambda scores: np.quantile(scores, 0.9)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_callable_is_a_scalarisation(scalarisation, expected, dtype):
    first, second = P.astype(dtype), Q.astype(dtype)
    result = JSDivergenceLoss(scalarisation=scalarisation)(first, second)
    assert type(result) is dtype
    np.testing.assert_allclose(
        result, expected(js_divergence(first, second, keepdims=False)), rtol=1e-6
    )


@pytest.mark.parametrize("scalarisation", [wmean_scalarise(), wmean_scalarise])
def test_weight_at_the_call(scalarisation):
    weight = RNG.uniform(size=(3, 4))
    loss = JSDivergenceLoss(3.0, scalarisation=scalarisation)
    expected = 3 * wmean(js_divergence(P, Q, keepdims=False), weight)
    assert loss(P, Q, scalarisation_weight=weight) == expected
    reference = hypercoil.wmean_scalarise()(hypercoil.js_divergence)
    assert_near(
        loss(P, Q, scalarisation_weight=weight),
        3 * reference(P, Q, keepdims=False, scalarisation_weight=weight),
    )


def test_weight_in_the_map_and_at_the_call():
    held, given_at_call = [1, 0, 0], [0, 0, 1]
    inner = wmean_scalarise(axis=0, weight=held)
    loss = JSDivergenceLoss(scalarisation=max_scalarise(inner=inner))
    scores = js_divergence(P, Q, keepdims=False)
    assert loss(P, Q) == scores[0].max()
    assert loss(P, Q, scalarisation_weight=given_at_call) == scores[2].max()
    assert loss(P, Q) == scores[0].max()


def test_nu_schedule():
    loss = JSDivergenceLoss()
    base = loss(P, Q)
    for nu in np.linspace(-1, 1, 5):
        loss.nu = nu
        assert loss(P, Q) == nu * base
        assert loss.nu == nu
        assert isinstance(loss.nu, float)


def test_attributes_can_change_between_calls():
    loss = JSDivergenceLoss()
    loss.axis, loss.reduce, loss.scalarisation = 0, False, np.max
    assert loss(P, Q) == js_divergence(P, Q, axis=0, reduce=False).max()
    loss.score, loss.reduce, loss.name = js_divergence_logit, True, "Other"
    assert loss(A, B) == js_divergence_logit(A, B, axis=0).max()
    assert repr(loss) == "[ν = 1.0]Other"


def test_attributes_are_what_was_given():
    scalarisation = max_scalarise()
    loss = JSDivergenceLoss(
        2, "Drift", axis=[0, 1], keepdims=True, reduce=False, scalarisation=scalarisation, key=1
    )
    assert vars(loss).keys() >= {"name", "axis", "keepdims", "reduce", "scalarisation", "score"}
    assert (loss.nu, loss.name, loss.axis) == (2.0, "Drift", [0, 1])
    assert (loss.keepdims, loss.reduce) == (True, False)
    assert loss.scalarisation is scalarisation
    assert loss.score is js_divergence


@EACH
def test_defaults(loss_class):
    loss = loss_class()
    assert (loss.nu, loss.axis, loss.keepdims, loss.reduce) == (1.0, -1, False, True)


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (JSDivergenceLoss(), "[ν = 1.0]JSDivergence"),
        (JSDivergenceLogitLoss(), "[ν = 1.0]JSDivergenceLogit"),
        (JSDivergenceLoss(2), "[ν = 2.0]JSDivergence"),
        (JSDivergenceLogitLoss(0.25, "Logits"), "[ν = 0.25]Logits"),
        (Loss(js_divergence, np.max), "[ν = 1.0]JsDivergenceLoss"),
        (Loss(np.subtract, np.max, -1), "[ν = -1.0]SubtractLoss"),
        (Loss(functools.partial(js_divergence, axis=0), np.max), "[ν = 1.0]JsDivergenceLoss"),
        (Loss(np.vectorize(abs), np.max, name="Mine"), "[ν = 1.0]Mine"),
        (Loss(max_scalarise(), np.max), "[ν = 1.0]ScalarisationLoss"),
    ],
)
def test_names(loss, shown):
    assert repr(loss) == shown


def test_base_class_passes_its_arguments_to_the_score():
    loss = Loss(js_divergence, sum_scalarise(), 2.0)
    assert loss(P, Q=Q, axis=0) == 2 * js_divergence(P, Q, axis=0).sum()


@pytest.mark.parametrize(
    "score", [np.subtract, lambda X, Y: X - Y, functools.partial(np.add, -A), np.hypot]
)
def test_scores_without_a_key(score):
    arguments = (B,) if isinstance(score, functools.partial) else (A, B)
    loss = Loss(score, meansq_scalarise())
    np.testing.assert_allclose(loss(*arguments), np.mean(score(*arguments) ** 2), rtol=1e-14)


def test_key_reaches_the_score_only_when_given():
    received = []

    def score(X, **params):
        received.append(params)
        return X

    loss = Loss(score, np.max)
    loss(A)
    loss(A, key=None)
    loss(A, key=5)
    assert received == [{}, {}, {"key": 5}]


@BOTH
def test_divergence_losses_accept_a_key(case):
    assert case.loss_class(key=0)(*case.arrays, key=0) == case.loss_class()(*case.arrays)


def test_score_params_of_the_call_reach_the_score():
    nats, bits = (JSDivergenceLoss()(P, Q, base=base) for base in (None, 2))
    np.testing.assert_allclose(bits, nats / np.log(2), rtol=1e-14)


def test_a_loss_can_score_with_a_reduced_function():
    score = max_scalarise(axis=-1)(js_divergence)
    loss = Loss(score, mean_scalarise())
    assert loss(P, Q, keepdims=False) == js_divergence(P, Q)[..., 0].max(axis=-1).mean()


@EACH
@pytest.mark.parametrize("made", [*MAPS, lambda: np.max, lambda: max_scalarise])
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss))]
)
def test_losses_can_be_copied_and_pickled(loss_class, made, duplicate):
    loss = loss_class(0.5, "Drift", axis=1, scalarisation=mean_scalarise(inner=made()))
    twin = duplicate(loss)
    assert twin(P, Q) == loss(P, Q)
    assert repr(twin) == repr(loss)
    twin.nu = 3
    assert loss.nu == 0.5


def test_weighted_losses_can_be_pickled():
    loss = JSDivergenceLoss(scalarisation=wmean_scalarise(axis=0, weight=[1, 2, 3]))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(loss))(P, Q), loss(P, Q))


def test_losses_compare_by_identity():
    loss = same = JSDivergenceLoss()
    assert loss == same
    assert loss != JSDivergenceLoss()
    assert len({loss, JSDivergenceLoss(), loss}) == 2


@EACH
def test_empty_batch(loss_class):
    empty = np.empty((0, 5))
    assert loss_class(scalarisation=sum_scalarise())(empty, empty) == 0.0
    assert np.isnan(loss_class()(empty, empty))
    value, grads = loss_class().value_and_grad(empty, empty)
    assert np.isnan(value)
    assert [grad.shape for grad in grads] == [(0, 5), (0, 5)]


def test_nan_in_one_row_is_not_hidden():
    spoilt = P.copy()
    spoilt[0, 0, 0] = np.nan
    assert np.isnan(JSDivergenceLoss()(spoilt, Q))
    scores = JSDivergenceLoss(scalarisation=max_scalarise(axis=-1))(spoilt, Q)
    np.testing.assert_array_equal(np.isnan(scores), [True, False, False])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: JSDivergenceLoss("1"),
            TypeError,
            "nu is '1'; it must be a real number",
        ),
        (
            lambda: JSDivergenceLoss(1j),
            TypeError,
            "nu is 1j; it must be a real number",
        ),
        (
            lambda: JSDivergenceLoss(10**400),
            ValueError,
            "nu is an integer beyond the largest float64",
        ),
        (
            lambda: JSDivergenceLogitLoss(np.nan),
            ValueError,
            "nu is nan; it must be finite",
        ),
        (
            lambda: setattr(JSDivergenceLoss(), "nu", np.inf),
            ValueError,
            "nu is inf; it must be finite",
        ),
        (
            lambda: setattr(JSDivergenceLoss(), "nu", None),
            TypeError,
            "nu is None; it must be a real number",
        ),
        (
            lambda: JSDivergenceLoss(name=3),
            TypeError,
            "name is 3; it must be a string or None",
        ),
        (
            lambda: JSDivergenceLoss(scalarisation="mean"),
            TypeError,
            (
                "scalarisation is 'mean'; it must be a callable from an array to a scalar, such as "
                "mean_scalarise() or np.max"
            ),
        ),
        (
            lambda: Loss("js_divergence", np.max),
            TypeError,
            "score is 'js_divergence'; it must be a callable that returns an array",
        ),
        (
            lambda: Loss(js_divergence, None),
            TypeError,
            (
                "scalarisation is None; it must be a callable from an array to a scalar, such as "
                "mean_scalarise() or np.max"
            ),
        ),
        (
            lambda: JSDivergenceLoss()(P, Q, scalarisation_weight=[1]),
            TypeError,
            (
                "scalarisation_weight was given, but Scalarisation(mean, axis=None, "
                "keepdims=False) takes no weight; use "
                "wmean_scalarise, alone or as inner="
            ),
        ),
        (
            lambda: JSDivergenceLoss(scalarisation=np.max)(P, Q, scalarisation_weight=[1]),
            TypeError,
            (
                "scalarisation_weight was given, but Scalarisation(max) takes no weight; use "
                "wmean_scalarise, alone or as inner="
            ),
        ),
        (
            lambda: JSDivergenceLoss(scalarisation=wmean_scalarise())(P, Q),
            TypeError,
            (
                "the weighted mean has no weight; give one to the map, "
                "wmean_scalarise(weight=w), or to the call, loss(P, Q, scalarisation_weight=w)"
            ),
        ),
        (
            lambda: JSDivergenceLoss(scalarisation=wmean_scalarise(weight=[1, 2]))(P, Q),
            ValueError,
            (
                "weight of shape (2,) does not fit scores of shape (3, 4) averaged over axis "
                "(0, 1); it must have shape (3, 4)"
            ),
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
        (lambda: JSDivergenceLoss(axis="rows"), "^axis is"),
        (lambda: JSDivergenceLogitLoss(axis=(0, 1.5)), "^axis is"),
        (Loss(lambda: "high", np.max), "^scores has dtype"),
    ],
)
def test_common_checks_are_made(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_scalarisation_of_functions_is_told_apart():
    def of_functions(score):
        return lambda *args: score(*args).max()

    with pytest.raises(TypeError, match=r"of_functions.* returned a function"):
        JSDivergenceLoss(scalarisation=of_functions)(P, Q)


WEIGHT = RNG.uniform(0.5, 2, (3, 4))
FOLLOWED = pytest.mark.parametrize(
    ("scalarisation", "call"),
    [
        (sum_scalarise(), {}),
        (mean_scalarise(), {}),
        (meansq_scalarise(), {}),
        (max_scalarise(), {}),
        (vnorm_scalarise(axis=None), {}),
        (norm_scalarise(p="nuc", axis=None), {}),
        (selfwmean_scalarise(gradpath=None, softmax_axis=True), {}),
        (wmean_scalarise(weight=WEIGHT), {}),
        (wmean_scalarise(), {"scalarisation_weight": WEIGHT}),
        (mean_scalarise(inner=vnorm_scalarise(p=3, axis=0)), {}),
        (max_scalarise(inner=wmean_scalarise(axis=0)), {"scalarisation_weight": WEIGHT[:, 0]}),
        (mean_scalarise, {"base": 2, "key": 0, "workers": 1}),
    ],
)


def assert_gradient(loss, inputs, **call):
    value, grads = loss.value_and_grad(*inputs, **call)
    np.testing.assert_allclose(value, loss(*inputs, **call), rtol=1e-14, strict=True)
    for i, grad in enumerate(grads if isinstance(grads, tuple) else (grads,)):

        def at(x, i=i):
            return loss(*inputs[:i], x, *inputs[i + 1 :], **call)

        assert (grad.shape, grad.dtype) == (inputs[i].shape, np.float64)
        np.testing.assert_allclose(grad, central(at, inputs[i]), rtol=1e-6, atol=1e-9)


@BOTH
@FOLLOWED
def test_gradient_of_every_scalarisation(case, scalarisation, call):
    assert_gradient(case.loss_class(0.7, scalarisation=scalarisation), case.arrays, **call)


def in_two_passes(scalarisation):
    """Return the same composition, of maps that do not say that they are linear."""
    inner = scalarisation.inner and in_two_passes(scalarisation.inner)
    plain = {"inner": inner, "grad": scalarisation.grad, **scalarisation.params}
    return scalarise.Scalarisation(scalarisation.reduce, **plain)


LINEAR = [
    (sum_scalarise(), {}),
    (mean_scalarise(), {"base": 2}),
    (wmean_scalarise(), {"scalarisation_weight": WEIGHT}),
    (mean_scalarise(inner=wmean_scalarise(axis=0, weight=WEIGHT[:, 0])), {}),
    (sum_scalarise(inner=mean_scalarise(axis=-1, keepdims=True)), {"workers": 2}),
]


@pytest.mark.parametrize(("scalarisation", "call"), LINEAR)
@pytest.mark.parametrize(
    "loss_class", [JSDivergenceLoss, JSDivergenceLogitLoss, KLDivergenceLoss, EntropyLogitLoss]
)
def test_scores_that_no_derivative_depends_on_are_computed_once(loss_class, scalarisation, call):
    """And no bit of a derivative differs."""
    inputs = (P,) if loss_class is EntropyLogitLoss else (P, Q[:, :1])
    loss = loss_class(-0.7, scalarisation=in_two_passes(scalarisation))
    assert not loss.scalarisation.linear
    value, grads = loss.value_and_grad(*inputs, **call)
    loss.scalarisation = scalarisation
    assert scalarisation.linear
    with pytest.MonkeyPatch.context() as patch:
        for module in ("divergence", "entropies"):
            patch.setattr(f"jsdiv_numba.{module}.evaluate", None)  # what scores call
        once, once_grads = loss.value_and_grad(*inputs, **call)
        loss.scalarisation = in_two_passes(scalarisation)
        with pytest.raises(TypeError, match="NoneType"):
            loss.value_and_grad(*inputs, **call)
    assert type(once) is type(value)
    np.testing.assert_allclose(once, value, rtol=1e-14)
    for one, other in zip(once_grads, grads, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("axis", [-1, (0, 2), None], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("reduce", [False, True])
def test_the_shape_of_the_scores_is_known_before_they_are(axis, keepdims, reduce):
    settings = {"axis": axis, "keepdims": keepdims, "reduce": reduce}
    for loss_class, inputs in ((JSDivergenceLogitLoss, (A, B[0])), (EntropyLogitLoss, (A,))):
        loss = loss_class(scalarisation=mean_scalarise(), **settings)
        assert loss._scores_shape(inputs, settings) == np.shape(loss.score(*inputs, **settings))
        assert_gradient(loss, inputs)


def test_a_linear_scalarisation_of_ones_own():
    half = scalarise.Scalarisation(
        lambda scores: scores.sum() / 2,
        grad=lambda scores, cotangent: np.full(scores.shape, cotangent / 2),
        linear=True,
    )
    assert half.linear
    assert not max_scalarise().linear
    assert not mean_scalarise(inner=np.sqrt).linear
    assert_gradient(JSDivergenceLoss(scalarisation=half), (P, Q))


@pytest.mark.parametrize(
    ("loss", "inputs", "message"),
    [
        (JSDivergenceLoss(), (P, Q[..., :2]), "do not broadcast"),
        (JSDivergenceLoss(axis=5), (P, Q), "axis 5 is out of bounds"),
        (JSDivergenceLoss(), (P, -Q), r"^Q\[0, 0, 0\] is -"),
        (
            JSDivergenceLoss(scalarisation=mean_scalarise(axis=0)),
            (P, Q),
            "leaves an array of shape",
        ),
        (
            JSDivergenceLoss(scalarisation=wmean_scalarise(weight=[1])),
            (P, Q),
            "does not fit scores",
        ),
    ],
)
def test_errors_are_those_of_two_passes(loss, inputs, message):
    for scalarisation in (loss.scalarisation, in_two_passes(loss.scalarisation)):
        loss.scalarisation = scalarisation
        with pytest.raises(ValueError, match=message):
            loss.value_and_grad(*inputs)


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("reduce", [False, True])
def test_gradient_with_every_setting(case, axis, keepdims, reduce):
    loss = case.loss_class(
        -2.0,
        axis=axis,
        keepdims=keepdims,
        reduce=reduce,
        scalarisation=vnorm_scalarise(p=2, axis=None),
    )
    assert_gradient(loss, case.arrays)


@BOTH
def test_gradients_have_the_shapes_of_inputs_that_broadcast(case):
    first, second = case.arrays
    assert_gradient(case.loss_class(), (first[0, 0], second))
    assert_gradient(case.loss_class(), (first[:, :1], second[0]))


@BOTH
def test_float32_stays_float32(case):
    first, second = (array.astype(np.float32) for array in case.arrays)
    loss = case.loss_class(0.1, scalarisation=meansq_scalarise())
    value, grads = loss.value_and_grad(first, second)
    assert type(value) is np.float32
    assert value == loss(first, second)
    for grad, wide in zip(grads, loss.value_and_grad(*case.arrays)[1], strict=True):
        assert grad.dtype == np.float32
        np.testing.assert_allclose(grad, wide, rtol=1e-4, atol=1e-6 * np.abs(wide).max())


def test_gradient_follows_the_attributes():
    loss = JSDivergenceLoss()
    _, (before, _) = loss.value_and_grad(P, Q)
    loss.nu = 3.0
    np.testing.assert_allclose(loss.value_and_grad(P, Q)[1][0], 3 * before, rtol=1e-14)
    loss.score = js_divergence_logit
    assert_gradient(loss, (A, B))


def test_gradient_of_the_base_class():
    assert_gradient(Loss(js_divergence, meansq_scalarise()), (P, Q), axis=1, keepdims=False)


def test_inputs_may_be_given_by_name():
    _, by_name = JSDivergenceLoss().value_and_grad(P, Q=Q)
    for ours, expected in zip(by_name, JSDivergenceLoss().value_and_grad(P, Q)[1], strict=True):
        np.testing.assert_array_equal(ours, expected)


def log_ratio(X, Y):
    return np.log(X / Y)


def log_ratio_grad(X, Y, *, cotangent):
    return log_ratio(X, Y), cotangent / X, -cotangent / Y


def test_gradient_of_a_score_that_brings_its_own():
    loss = Loss(log_ratio, meansq_scalarise(), 0.5, grad=log_ratio_grad)
    assert_gradient(loss, (np.exp(A), np.exp(B)))


def test_one_input_has_one_gradient():
    loss = Loss(np.square, mean_scalarise(), grad=lambda X, cotangent: (X**2, cotangent * 2 * X))
    value, grad = loss.value_and_grad(P)
    assert value == loss(P)
    np.testing.assert_allclose(grad, 2 * P / P.size, rtol=1e-14)


def test_losses_with_a_derivative_can_be_pickled():
    loss = pickle.loads(pickle.dumps(Loss(log_ratio, mean_scalarise(), grad=log_ratio_grad)))
    assert_gradient(loss, (np.exp(A), np.exp(B)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Loss(log_ratio, mean_scalarise()).value_and_grad(P, Q),
            TypeError,
            (
                "the score of [ν = 1.0]LogRatioLoss has no known derivative; give it one, "
                "Loss(score, ..., grad=f), where f(*inputs, cotangent=g, **params) returns the "
                "scores and, for each input, the derivative of what g is the derivative of"
            ),
        ),
        (
            lambda: Loss(log_ratio, mean_scalarise(), grad="auto"),
            TypeError,
            "grad is 'auto'; it must be a callable, or None",
        ),
        (
            lambda: Loss(
                log_ratio, mean_scalarise(), grad=lambda X, Y, cotangent: X
            ).value_and_grad(P, Q),
            TypeError,
            (
                "grad of [ν = 1.0]LogRatioLoss returned a ndarray; it must return a tuple: the "
                "scores, then the derivative with respect to each input"
            ),
        ),
        (
            lambda: JSDivergenceLoss(scalarisation=np.max).value_and_grad(P, Q),
            TypeError,
            (
                "Scalarisation(max) has no derivative; use a map of jsdiv_numba.scalarise, or "
                "give it one, Scalarisation(reduce, grad=f), where f(scores, cotangent) returns "
                "the cotangent times the derivative, in the shape of the scores"
            ),
        ),
        (
            lambda: JSDivergenceLoss(scalarisation=max_scalarise(axis=-1)).value_and_grad(P, Q),
            ValueError,
            (
                "Scalarisation(maximum, axis=-1, keepdims=False) leaves an array of shape (3,), "
                "and only a scalar has a gradient; reduce the rest, for example with "
                "sum_scalarise(inner=...)"
            ),
        ),
    ],
)
def test_errors_of_gradients(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


POSITIVE = RNG.uniform(0.1, 1, (2, 3, 4, 6))


@pytest.mark.parametrize(
    ("loss_class", "inputs"),
    [
        (KLDivergenceLoss, POSITIVE),
        (KLDivergenceLogitLoss, (A, B)),
        (EntropyLoss, POSITIVE[:1]),
        (EntropyLogitLoss, (A,)),
    ],
)
def test_gradients_of_the_family(loss_class, inputs):
    loss = loss_class(0.7, axis=(0, -1), scalarisation=meansq_scalarise())
    assert_gradient(loss, tuple(inputs))


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, (0, 1)], ids=str)
@pytest.mark.parametrize(
    "scalarisation", [mean_scalarise(), max_scalarise, np.max, wmean_scalarise(weight=[[[1.0]]])]
)
def test_the_loss_without_its_multiplier_is_the_scalarisation_of_the_score(
    case, axis, scalarisation
):
    loss = case.loss_class(nu=0.3, axis=axis, keepdims=True)
    reference = scalarise.as_scalarisation(scalarisation, "")(case.score)
    loss.scalarisation = scalarisation
    if isinstance(scalarisation, scalarise.Scalarisation) and scalarisation.takes_weight:
        shape = np.shape(case.score(*case.arrays, axis=axis))
        weight = {"scalarisation_weight": RNG.uniform(0.5, 2, shape)}
    else:
        weight = {}
    value = loss.loss(*case.arrays, axis=axis, key=None, **weight)
    assert value == reference(*case.arrays, axis=axis, **weight)
    assert loss(*case.arrays, **weight) == 0.3 * value
