"""Tests of jsdiv_numba.scheme: losses that pick their arguments, added up."""

import copy
import pickle
from collections import namedtuple
from dataclasses import dataclass
from operator import add, itemgetter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import (
    JSDivergenceLogitLoss,
    JSDivergenceLoss,
    Loss,
    LossApply,
    LossArgument,
    LossReturn,
    LossScheme,
    Terms,
    UnpackingLossArgument,
    js_divergence,
    mean_scalarise,
    meansq_scalarise,
    vnorm_scalarise,
)
from tests.differences import central

RNG = np.random.default_rng(6)
P, Q, R = RNG.dirichlet(np.ones(5), (3, 4))
A, B = RNG.normal(size=(2, 4, 5))

Named = namedtuple("Named", ["p", "q", "r", "a", "b", "label"])
ENTRIES = {"p": P, "q": Q, "r": R, "a": A, "b": B, "label": "first"}


@dataclass
class Held:
    p: Any
    q: Any
    r: Any
    a: Any
    b: Any
    label: str


HOLDERS = [dict, LossArgument, SimpleNamespace, Named, Held]
holders = pytest.mark.parametrize("holder", HOLDERS)


def squares(X):
    return np.square(X)


def squares_grad(X, *, cotangent):
    return squares(X), 2 * np.asarray(X) * cotangent


def near(nu=0.5, name="Near"):
    return JSDivergenceLoss(nu, name)


def near_of(p, q):
    return near()(p, q)


def logits(nu=2.0, name="Logits"):
    return JSDivergenceLogitLoss(nu, name, scalarisation=vnorm_scalarise())


def size(nu=0.1, name="Size"):
    return Loss(squares, mean_scalarise(), nu, name, grad=squares_grad)


def three_terms(apply=None):
    terms = [
        LossApply(near(), ("p", "q")),
        LossApply(near(-0.25, "Far"), ("p", "r")),
        LossApply(logits(), ["a", "b"]),
        LossApply(size(), "a"),
    ]
    return LossScheme(terms, apply)


def expected_total(p=P, q=Q, r=R, a=A, b=B):
    return near()(p, q) + near(-0.25)(p, r) + logits()(a, b) + size()(a)


def assert_same_terms(returned, expected):
    """But for the order in which a row's terms were added up."""
    (total, terms), (expected_total, expected_terms) = returned, expected
    np.testing.assert_allclose(total, expected_total, rtol=1e-14)
    assert terms.keys() == expected_terms.keys()
    for name, term in expected_terms.items():
        np.testing.assert_allclose(terms[name], term, rtol=1e-14)


def assert_gradients(grads, function, **inputs):
    """Compare with differences of a function of the inputs."""
    assert {name for name in grads if np.any(grads[name])} == set(inputs)
    for name, value in inputs.items():

        def at(x, name=name):
            return function(**{**inputs, name: x})

        np.testing.assert_allclose(grads[name], central(at, value), rtol=1e-6, atol=1e-9)


@holders
def test_terms_are_added_up(holder):
    total, terms = three_terms()(holder(**ENTRIES))
    np.testing.assert_allclose(total, expected_total(), rtol=1e-14)
    assert list(terms) == ["Near", "Far", "Logits", "Size"]
    assert terms["Near"] == LossReturn(near()(P, Q), 0.5)
    assert sum(value for value, _ in terms.values()) == total
    assert isinstance(terms, Terms)


@holders
def test_gradients_stand_where_the_arguments_do(holder):
    arg = holder(**ENTRIES)
    scheme = three_terms()
    returned, grads = scheme.value_and_grad(arg)
    assert_same_terms(returned, scheme(arg))
    assert isinstance(grads, LossArgument)
    assert list(grads) == ["p", "q", "r", "a", "b"]
    assert grads.p is grads["p"]
    assert_gradients(grads, expected_total, p=P, q=Q, r=R, a=A, b=B)


def test_positions():
    scheme = LossScheme(
        [LossApply(near(), (0, 1)), LossApply(size(), -1), LossApply(logits(), (1, 0))]
    )

    def total(p, q, x):
        return near()(p, q) + size()(x) + logits()(q, p)

    assert scheme(P, Q, A)[0] == total(P, Q, A)
    _, grads = scheme.value_and_grad(P, Q, A)
    assert isinstance(grads, tuple)
    assert_gradients(dict(zip("pqx", grads, strict=True)), total, p=P, q=Q, x=A)


def test_without_apply_every_term_has_every_argument():
    scheme = LossScheme([near(), near(2.0, "Twice")])
    np.testing.assert_allclose(scheme(P, Q)[0], 2.5 * JSDivergenceLoss()(P, Q), rtol=1e-14)
    _, (grad, _) = scheme.value_and_grad(P, Q)
    np.testing.assert_allclose(
        grad, 2.5 * JSDivergenceLoss().value_and_grad(P, Q)[1][0], rtol=1e-14
    )


def test_one_array_has_one_gradient():
    _, grad = LossScheme([size(), size(3.0, "More")]).value_and_grad(A)
    np.testing.assert_allclose(grad, 3.1 * 2 * A / A.size, rtol=1e-14)


def test_an_argument_may_be_picked_more_than_once():
    loss = Loss(js_divergence, mean_scalarise())
    _, grad = LossApply(loss, ("p", "p")).value_and_grad({"p": P})
    np.testing.assert_allclose(grad.p, 0.0, atol=1e-17)
    _, grad = LossScheme([LossApply(size(), 0), LossApply(size(1.0, "More"), 0)]).value_and_grad(A)
    np.testing.assert_allclose(grad, 1.1 * 2 * A / A.size, rtol=1e-14)


@pytest.mark.parametrize("nu", [0, -0.0])
def test_a_term_without_strength_is_not_computed(nu):
    def fail(*args, **params):
        raise AssertionError

    off = Loss(fail, fail, nu, "Off", grad=fail)
    scheme = LossScheme([LossApply(off, fail), off_scheme(nu, fail), LossApply(near(), ("p", "q"))])
    total, terms = scheme({"p": P, "q": Q})
    assert total == near()(P, Q)
    assert terms["Off"] == terms["Inner"] == LossReturn(0.0, 0.0)
    (again, _), grads = scheme.value_and_grad({"p": P, "q": Q})
    np.testing.assert_allclose(again, total, rtol=1e-14)
    assert_gradients(grads, near_of, p=P, q=Q)


def off_scheme(nu, fail):
    return LossScheme([Loss(fail, fail, nu, "Inner")], apply=fail)


def test_a_schedule_switches_terms_on_and_off():
    scheme = three_terms()
    for loss in ("Near", "Far", "Logits"):
        scheme[loss].nu = 0
    total, terms = scheme(ENTRIES)
    assert total == size()(A)
    assert [nu for _, nu in terms.values()] == [0, 0, 0, 0.1]
    _, grads = scheme.value_and_grad(ENTRIES)
    assert list(grads) == ["p", "q", "r", "a", "b"]
    assert not any(np.any(grads[name]) for name in "pqrb")
    scheme["Near"].nu = 0.5
    assert scheme(ENTRIES)[0] == near()(P, Q) + size()(A)


def test_all_terms_off_and_no_terms():
    for scheme in (LossScheme(), LossScheme([near(0)])):
        assert scheme(P, Q)[0] == 0.0
        (total, _), (grad, _) = scheme.value_and_grad(P, Q)
        assert total == 0.0
        np.testing.assert_array_equal(grad, np.zeros(P.shape))


PARTS = {"left": {"p": P, "q": Q}, "right": SimpleNamespace(p=R, q=Q), "both": LossArgument(a=A)}


def nested_scheme():
    return LossScheme(
        [
            LossScheme([LossApply(near(name="Left"), ("p", "q"))], apply="left"),
            LossApply(
                LossScheme([LossApply(near(name="Right"), ("p", "q")), LossApply(size(), "p")]),
                lambda arg: arg["right"],
            ),
            LossApply(size(name="Deep"), lambda arg: arg["both"].a),
        ]
    )


def test_nested_schemes():
    total, terms = nested_scheme()(PARTS)
    expected = near()(P, Q) + near()(R, Q) + size()(R) + size()(A)
    np.testing.assert_allclose(total, expected, rtol=1e-14)
    assert list(terms) == ["Left", "Right", "Size", "Deep"]


def test_gradients_of_nested_schemes():
    _, grads = nested_scheme().value_and_grad(PARTS)
    _, (left, _) = near().value_and_grad(P, Q)
    np.testing.assert_array_equal(grads.left.p, left)
    _, (right_p, right_q) = near().value_and_grad(R, Q)
    np.testing.assert_allclose(grads.right.p, right_p + size().value_and_grad(R)[1], rtol=1e-14)
    np.testing.assert_array_equal(grads.right.q, right_q)
    np.testing.assert_array_equal(grads.both.a, size().value_and_grad(A)[1])


def test_a_loss_may_wrap_a_scheme():
    wrapped = LossApply(LossScheme([LossApply(near(), ("p", "q"))]), "left")
    returned, grads = wrapped.value_and_grad(PARTS)
    assert_same_terms(returned, wrapped(PARTS))
    np.testing.assert_array_equal(grads.left.q, near().value_and_grad(P, Q)[1][1])
    assert not np.any(grads.right.p)
    assert wrapped.nu is None
    assert wrapped.name == "LossScheme"


SELECTORS = {
    "attributes": lambda arg: (arg.p, arg.q),
    "keywords": lambda arg: UnpackingLossArgument(Q=arg.q, P=arg.p),
    "keywords and settings": lambda arg: UnpackingLossArgument(Q=arg.q, P=arg.p, base=None),
}


@pytest.mark.parametrize("apply", SELECTORS.values(), ids=SELECTORS)
def test_functions_that_pick_need_no_derivative(apply):
    loss = LossApply(near(), apply)
    value, grads = loss.value_and_grad(LossArgument(**ENTRIES))
    assert loss(LossArgument(**ENTRIES)) == near()(P, Q)
    np.testing.assert_allclose(value, near()(P, Q), rtol=1e-14)
    assert_gradients(grads, near_of, p=P, q=Q)


@pytest.mark.parametrize("apply", SELECTORS.values(), ids=SELECTORS)
def test_a_scheme_may_be_given_keywords(apply):
    """Its losses take them by name, as in hypercoil."""
    back = JSDivergenceLoss(0.3, "Back")
    terms = [near(), LossApply(back, lambda Q, P, **_: UnpackingLossArgument(P=Q, Q=P))]
    if apply is SELECTORS["attributes"]:
        terms[1] = LossApply(back, (1, 0))
    arg = LossArgument(**ENTRIES)
    returned, grads = LossScheme(terms, apply=apply).value_and_grad(arg)
    by_names = LossScheme([LossApply(near(), ("p", "q")), LossApply(back, ("q", "p"))])
    expected, exact = by_names.value_and_grad(arg)
    assert_same_terms(returned, expected)
    np.testing.assert_array_equal(grads.p, exact.p)
    np.testing.assert_array_equal(grads.q, exact.q)


def test_functions_of_several_arguments():
    loss = LossApply(near(), lambda p, q, scale: (q, p))
    _, (grad_p, grad_q, grad_scale) = loss.value_and_grad(P, Q, 3.0)
    _, (expected_q, expected_p) = near().value_and_grad(Q, P)
    np.testing.assert_array_equal(grad_p, expected_p)
    np.testing.assert_array_equal(grad_q, expected_q)
    assert grad_scale == 0.0


def test_keywords_go_to_a_function_and_otherwise_to_the_loss():
    loss = LossApply(size(), lambda arg, scale: arg * scale)
    np.testing.assert_allclose(loss(A, scale=2.0), 4 * size()(A), rtol=1e-14)
    np.testing.assert_allclose(
        LossScheme([LossApply(near(), ("p", "q"))])(ENTRIES, base=2)[0],
        near()(P, Q) / np.log(2),
        rtol=1e-14,
    )


def test_a_function_that_computes_brings_its_derivative():
    def shifted(arg, by=1.0):
        return arg["p"] * arg["q"] + by

    def shifted_vjp(cotangent, arg, by=1.0):
        return {"p": cotangent * arg["q"], "q": cotangent * arg["p"]}

    scheme = LossScheme([LossApply(size(), shifted, vjp=shifted_vjp)])
    _, grads = scheme.value_and_grad({"p": P, "q": Q}, by=0.5)
    assert_gradients(grads, lambda p, q: size()(p * q + 0.5), p=P, q=Q)


def test_the_derivative_of_a_function_that_returns_several():
    loss = LossApply(
        logits(), lambda a, b: (a + b, a - b), vjp=lambda gs, a, b: (gs[0] + gs[1], gs[0] - gs[1])
    )
    _, grads = loss.value_and_grad(A, B)
    assert_gradients(
        dict(zip("ab", grads, strict=True)), lambda a, b: logits()(a + b, a - b), a=A, b=B
    )


def test_the_derivative_of_a_function_above_a_scheme():
    scheme = LossScheme(
        [LossApply(near(), ("x", "y"))],
        apply=lambda arg: LossArgument(x=arg["p"] ** 2, y=arg["q"]),
        vjp=lambda g, arg: {"p": 2 * arg["p"] * g.x, "q": g.y, "r": None},
    )
    _, grads = scheme.value_and_grad({"p": P, "q": Q, "r": R})
    np.testing.assert_array_equal(grads.r, np.zeros(R.shape))
    assert_gradients(grads, lambda p, q: near()(p**2, q), p=P, q=Q)


def test_the_key_reaches_the_scores():
    received = []

    def score(X, key=None):
        received.append(key)
        return X

    keyed = Loss(score, mean_scalarise(), name="Keyed")
    scheme = LossScheme([keyed, LossApply(Loss(score, mean_scalarise()), 0)])
    scheme(A, key=5)
    scheme(A)
    assert received == [5, 5, None, None]


def test_float32_stays_float32():
    (total, _), grads = LossScheme([near(), near(0, "Off")]).value_and_grad(
        P.astype(np.float32), Q.astype(np.float32)
    )
    assert total.dtype == np.float32
    assert {grad.dtype for grad in grads} == {np.dtype(np.float32)}


def test_arguments_that_no_term_uses():
    scheme = LossScheme([LossApply(size(), "a")])
    arg = {"a": A, "unused": P.astype(np.float32), "count": np.array([1, 2]), "names": ["x"], 3: Q}
    _, grads = scheme.value_and_grad(arg)
    assert list(grads) == ["a", "unused"]
    assert (grads.unused.shape, grads.unused.dtype) == (P.shape, np.float32)
    _, grads = LossScheme([LossApply(size(), 0)]).value_and_grad(A, P.astype(np.float32), 1)
    assert [grad.dtype for grad in grads] == [np.float64, np.float32, np.float64]
    assert not np.any(grads[1])


def test_a_list_has_a_gradient_once_it_is_picked():
    for arg in ({"x": [1.0, 2.0], "y": [3.0]}, SimpleNamespace(x=[1.0, 2.0], y=[3.0])):
        _, grads = LossScheme([LossApply(size(), "x")]).value_and_grad(arg)
        assert list(grads) == ["x"]
        np.testing.assert_allclose(grads.x, [0.1, 0.2], rtol=1e-14)


def test_circular_arguments_are_searched_once():
    arg = SimpleNamespace(a=A)
    arg.holder = SimpleNamespace(back=arg)
    _, grads = LossApply(size(), lambda arg: arg.a).value_and_grad(arg)
    np.testing.assert_array_equal(grads.a, size().value_and_grad(A)[1])


@settings(deadline=None, max_examples=40)
@given(
    nus=st.lists(st.sampled_from([0.0, 1.0, -2.0, 0.25]), min_size=1, max_size=5),
    splits=st.integers(0, 5),
)
def test_nesting_changes_nothing(nus, splits):
    terms = [LossApply(near(nu, str(i)), ("p", "q" if i % 2 else "r")) for i, nu in enumerate(nus)]
    flat = LossScheme(terms)
    nested = LossScheme([LossScheme(terms[:splits]), *terms[splits:]])
    (total, by_name), grads = flat.value_and_grad(ENTRIES)
    (nested_total, nested_names), nested_grads = nested.value_and_grad(ENTRIES)
    assert by_name == nested_names
    np.testing.assert_allclose(nested_total, total, rtol=1e-12, atol=1e-15)
    for name in grads:
        np.testing.assert_allclose(nested_grads[name], grads[name], rtol=1e-12, atol=1e-15)


def test_schemes_are_sequences_of_terms():
    first, second = LossScheme([near(), size()]), LossScheme([logits()])
    both = first + second
    assert len(both) == 3
    assert list(both) == [*first, *second]
    alone = logits()
    assert list(first + alone) == [*first, alone]
    selecting = LossScheme([logits()], apply="left")
    assert list(first + selecting) == [*first, selecting]
    assert both["Logits"] is second.loss[0]
    with pytest.raises(KeyError):
        itemgetter("Other")(both)
    with pytest.raises(TypeError, match="unsupported operand"):
        add(first, 1)


def test_repr():
    def sample(arg):
        return arg

    scheme = LossScheme(
        [
            near(),
            LossApply(logits(), ("a", "b")),
            LossScheme([LossApply(size(), 1), LossApply(size(name="Other"), sample)], apply="part"),
        ]
    )
    assert repr(scheme) == (
        "LossScheme([\n"
        "    [ν = 0.5]Near,\n"
        "    [ν = 2.0]Logits ← a, b,\n"
        "    LossScheme([\n"
        "        [ν = 0.1]Size ← 1,\n"
        "        [ν = 0.1]Other ← sample,\n"
        "    ]) ← part,\n"
        "])"
    )
    assert repr(LossScheme()) == "LossScheme([\n])"
    assert repr(LossApply(near())) == "[ν = 0.5]Near"


def test_the_table_of_terms():
    terms = Terms(
        Fit=LossReturn(np.float32(0.1234567), 1.0),
        Regularisation=LossReturn(-2.5e-7, 1e-3),
        Off=LossReturn(0.0, 0.0),
    )
    assert terms.table().splitlines() == [
        "term                ν     value",
        "Fit                 1  0.123457",
        "Regularisation  0.001  -2.5e-07",
        "Off                 0         0",
        "total                  0.123456",
    ]
    assert Terms().table().splitlines() == ["term   ν  value", "total         0"]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_schemes_can_be_copied_and_pickled(duplicate):
    twin = duplicate(three_terms())
    assert twin(ENTRIES) == three_terms()(ENTRIES)
    assert repr(twin) == repr(three_terms())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: LossScheme([near(), np.log]),
            TypeError,
            (f"loss[1] is {np.log!r}; it must be a Loss, a LossApply or a LossScheme"),
        ),
        (
            lambda: LossApply(np.log),
            TypeError,
            f"loss is {np.log!r}; it must be a Loss or a LossScheme",
        ),
        (
            lambda: LossScheme([near(), LossScheme([LossApply(near(), "left")])]),
            ValueError,
            (
                "2 losses of the scheme are named 'Near'; give each a name of its own, such as "
                "JSDivergenceLoss(name=...)"
            ),
        ),
        (
            lambda: LossApply(near(), 0.5),
            TypeError,
            (
                "apply is 0.5; it must be a name, a position, a sequence of them, or a callable "
                "from the arguments to those of the loss"
            ),
        ),
        (
            lambda: LossApply(near(), ("p", 0.5)),
            TypeError,
            (
                "apply is ('p', 0.5); it must be a name, a position, a sequence of them, or a "
                "callable from the arguments to those of the loss"
            ),
        ),
        (
            lambda: LossApply(near(), "p", vjp=np.log),
            TypeError,
            f"vjp is {np.log!r}; it must be the derivative of an apply that is called",
        ),
        (
            lambda: LossApply(size(), "x")({"p": P, "q": Q}),
            TypeError,
            "apply picks 'x', but the entries of the argument are: 'p', 'q'",
        ),
        (
            lambda: LossApply(size(), "x")(A),
            TypeError,
            "apply picks 'x', but the entries of the argument are: none",
        ),
        (
            lambda: LossApply(size(), "x")(A, B),
            TypeError,
            (
                "apply picks 'x', which is an entry of one argument, of a call with 2; pick "
                "positions, or pass one mapping"
            ),
        ),
        (
            lambda: LossApply(size(), 2)(A, B),
            TypeError,
            "apply picks argument 2 of a call with 2",
        ),
        (
            lambda: LossScheme([JSDivergenceLoss(scalarisation=mean_scalarise(axis=0), axis=0)])(
                P[None], Q[None]
            ),
            ValueError,
            (
                "[ν = 1.0]JSDivergence is an array of shape (5,); a scheme adds up scalars, so the "
                "scalarisation must reduce every axis"
            ),
        ),
        (
            lambda: LossApply(size(), np.exp).value_and_grad(A),
            TypeError,
            (
                "the derivative of apply in [ν = 0.1]Size ← exp is not known, because what it "
                "returned is not one of the arguments, nor an entry of one; pick by name, as in "
                "apply=('P', 'Q'), or give its derivative as vjp="
            ),
        ),
        (
            lambda: LossApply(size(), lambda arg: arg["x"]).value_and_grad({"x": A, "y": A}),
            TypeError,
            (
                "the derivative of apply in [ν = 0.1]Size ← <lambda> is not known, because what it "
                "returned stands in several places of the arguments; pick by name, as in "
                "apply=('P', 'Q'), or give its derivative as vjp="
            ),
        ),
        (
            lambda: LossScheme(
                [LossScheme([near()])], apply=lambda p, q: UnpackingLossArgument(P=p, Q=q)
            ).value_and_grad(P, Q),
            TypeError,
            (
                "LossScheme([\n    [ν = 0.5]Near,\n]) is given keywords, of which it does not say "
                "which it takes; have the apply before it return a tuple or a LossArgument"
            ),
        ),
        (
            lambda: LossScheme([Loss(squares, meansq_scalarise())]).value_and_grad(A),
            TypeError,
            (
                "the score of [ν = 1.0]SquaresLoss has no known derivative; give it one, "
                "Loss(score, ..., grad=f), where f(*inputs, cotangent=g, **params) returns the "
                "scores and, for each input, the derivative of what g is the derivative of"
            ),
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_names_that_become_equal_are_found_at_the_call():
    scheme = three_terms()
    scheme["Far"].name = "Near"
    with pytest.raises(ValueError, match="2 losses of the scheme are named 'Near'"):
        scheme(ENTRIES)
