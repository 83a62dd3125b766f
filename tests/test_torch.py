"""Tests of jsdiv_numba.torch: what PyTorch sees is what NumPy sees."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import jsdiv_numba
from jsdiv_numba import torch as bridge

RNG = np.random.default_rng(12)
SHAPE = (2, 3, 4)
P, Q = torch.from_numpy(RNG.uniform(0.1, 1, (2, *SHAPE)))
DIVERGENCES = [name for name in bridge.__all__ if "divergence" in name]
each = pytest.mark.parametrize("name", DIVERGENCES)
entropies = pytest.mark.parametrize("name", ["entropy", "entropy_logit"])
settings = pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": 1},
        {"axis": [0, -1], "keepdims": False},
        {"axis": None},
        {"axis": None, "keepdims": False},
        {"reduce": False, "axis": (0, 2)},
        {"base": 2, "workers": 1, "key": 0},
    ],
    ids=str,
)


@each
@settings
@pytest.mark.parametrize("second", [SHAPE, (4,), (3, 1)], ids=str)
def test_values_and_derivatives(name, options, second):
    ours, theirs = getattr(bridge, name), getattr(jsdiv_numba, name)
    p, q = P.clone().requires_grad_(), torch.from_numpy(RNG.uniform(0.1, 1, second))
    q.requires_grad_()
    value = ours(p, q, **options)
    expected = theirs(P.numpy(), q.detach().numpy(), **options)
    np.testing.assert_array_equal(value.detach().numpy(), expected)
    assert gradcheck(lambda p, q: ours(p, q, **options), (p, q))


@entropies
@settings
def test_entropies_and_their_derivatives(name, options):
    p = P.clone().requires_grad_()
    if name == "entropy_logit":
        options = {**options, "temperature": 0.5}
    value = getattr(bridge, name)(p, **options)
    expected = getattr(jsdiv_numba, name)(P.numpy(), **options)
    np.testing.assert_array_equal(value.detach().numpy(), expected)
    assert gradcheck(lambda p: getattr(bridge, name)(p, **options), (p,))


@entropies
def test_entropies_follow_the_same_rules(name):
    function = getattr(bridge, name)
    half = torch.tensor([0.5, 0.25], dtype=torch.float16, requires_grad=True)
    value = function(half)
    value.backward()
    assert (value.dtype, half.grad.dtype) == (torch.float32, torch.float16)
    assert not function(P).requires_grad
    with pytest.raises(TypeError, match=r"^X is a ndarray; pass a torch\.T"):
        function(P.numpy())
    with pytest.raises(ValueError, match=r"^X\[0\] is inf"):
        function(torch.full((2,), torch.inf))


@each
def test_the_derivative_is_the_librarys(name):
    grad = getattr(jsdiv_numba, f"{name}_grad")
    p, q = (x.float().requires_grad_() for x in (P, Q[0]))
    cotangent = torch.from_numpy(RNG.normal(size=(2, 3, 1)).astype(np.float32))
    getattr(bridge, name)(p, q).backward(cotangent)
    arrays = p.detach().numpy(), q.detach().numpy()
    _, *expected = grad(*arrays, cotangent=cotangent.numpy())
    for tensor, array in zip((p, q), expected, strict=True):
        assert tensor.grad.dtype == torch.float32
        np.testing.assert_array_equal(tensor.grad.numpy(), array)


@each
@pytest.mark.parametrize(
    ("dtype", "returned"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
    ],
    ids=str,
)
def test_dtypes(name, dtype, returned):
    p = torch.tensor([0.5, 0.25, 0.25], dtype=dtype, requires_grad=True)
    value = getattr(bridge, name)(p, torch.tensor([0.25, 0.5, 0.25], dtype=dtype))
    value.backward()
    assert (value.dtype, p.grad.dtype) == (returned, dtype)


@each
def test_integers_are_constants(name):
    p = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
    value = getattr(bridge, name)(p, torch.tensor([1, 0]))
    value.backward()
    assert torch.isfinite(p.grad).any()


@each
def test_layouts(name):
    function = getattr(bridge, name)
    value = function(P.transpose(0, 2), Q.transpose(0, 2), axis=0)
    torch.testing.assert_close(value, function(P, Q).transpose(0, 2), rtol=1e-14, atol=0)


@each
def test_no_graph_where_none_is_wanted(name):
    assert not getattr(bridge, name)(P, Q).requires_grad
    with torch.no_grad():
        assert not getattr(bridge, name)(P.clone().requires_grad_(), Q).requires_grad


@each
def test_functional_transforms(name):
    function = getattr(bridge, name)
    grad, value = torch.func.grad_and_value(lambda p: function(p, Q).sum())(P)
    p = P.clone().requires_grad_()
    function(p, Q).sum().backward()
    assert torch.equal(grad, p.grad)
    assert torch.equal(value, function(P, Q).sum())


def test_a_model_learns():
    """Logits that are pulled to a target by an optimiser of PyTorch's."""
    target = torch.tensor([2.0, 0.0, -1.0])
    logits = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        bridge.js_divergence_logit(logits, target).sum().backward()
        optimiser.step()
    torch.testing.assert_close(
        torch.softmax(logits.detach(), 0), torch.softmax(target, 0), atol=1e-2, rtol=0
    )


@each
def test_a_second_derivative_is_an_error(name):
    p = P.clone().requires_grad_()
    (grad,) = torch.autograd.grad(getattr(bridge, name)(p, Q).sum(), p, create_graph=True)
    with pytest.raises(RuntimeError, match="can be differentiated only once"):
        grad.sum().backward()


@each
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (P.to("meta"), Q),
            TypeError,
            "^P is on the device meta; this computes on the CPU: pass P.cpu()",
        ),
        (
            (P, Q.numpy()),
            TypeError,
            "^Q is a ndarray; pass a torch.Tensor, or use the function of the same name in",
        ),
        ((P, Q[..., :3]), ValueError, "do not broadcast"),
        ((P, Q.to(torch.complex64)), TypeError, "Q has dtype complex64"),
        ((P, torch.full((4,), torch.inf)), ValueError, r"Q\[0\] is inf"),
    ],
)
def test_errors(name, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(bridge, name)(*arguments)


@pytest.mark.parametrize("name", ["js_divergence", "js_divergence_logit"])
@pytest.mark.parametrize(
    "weight", [0.1, np.linspace(0.1, 1, 6).reshape(2, 3, 1)], ids=["one", "rows"]
)
def test_a_weight(name, weight):
    ours, theirs = getattr(bridge, name), getattr(jsdiv_numba, name)
    p, q = P.clone().requires_grad_(), Q[0].clone().requires_grad_()
    expected = theirs(P.numpy(), Q[0].numpy(), weight=weight)
    for given in (weight, torch.as_tensor(weight, dtype=torch.float64)):
        value = ours(p, q, weight=given)
        np.testing.assert_array_equal(value.detach().numpy(), expected)
    assert gradcheck(lambda p, q: ours(p, q, weight=weight), (p, q))
    with pytest.raises(TypeError, match=r"^weight requires a gradient; .* pass weight\.detach\(\)"):
        ours(p, q, weight=torch.tensor(0.1, requires_grad=True))
    with pytest.raises(ValueError, match="weight is 2; a weight must be between 0 and 1"):
        ours(p, q, weight=2)
