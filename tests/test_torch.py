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


# PyTorch 2.13's forward mode warns of a function of its own that it uses.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("transform", ["jacfwd", "hessian"])
@each
def test_forward_mode_is_an_error(name, transform):
    function = getattr(bridge, name)
    with pytest.raises(RuntimeError, match="only once, and in reverse mode"):
        getattr(torch.func, transform)(lambda p: function(p, Q).sum())(P)


@each
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (P.to("meta"), Q),
            TypeError,
            r"^P is on the device meta; this computes on the CPU and on CUDA devices: pass P\.cpu",
        ),
        (
            (P, Q.numpy()),
            TypeError,
            "^Q is a ndarray; pass a torch.Tensor, or use the function of the same name in",
        ),
        ((P, Q[..., :3]), ValueError, "do not broadcast"),
        ((P, Q.to(torch.complex64)), TypeError, "Q has dtype complex64"),
        ((P.to(torch.float8_e5m2), Q), TypeError, r"^P has dtype torch.float8_e5m2; pass P.float"),
        ((P[0].to_sparse(), Q), TypeError, r"^P is sparse, of torch.sparse_coo; pass P.to_dense"),
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
    with pytest.raises(TypeError, match="weight is a NoneType; pass a number, or a tensor of one"):
        ours(p, q, weight=None)


BATCHED = [
    ({}, (0, None)),
    ({}, (1, 1)),
    ({"axis": 0, "keepdims": False}, (None, 0)),
    ({"axis": None}, (0, 0)),
    ({"axis": None, "keepdims": False}, (0, None)),
    ({"reduce": False, "axis": (0, 1)}, (0, 0)),
]


@each
@pytest.mark.parametrize(("options", "in_dims"), BATCHED, ids=str)
def test_vmap_is_one_call_for_each_of_a_batch(name, options, in_dims):
    def function(p, q):
        return getattr(bridge, name)(p, q, **options)

    def of_each(dim, tensor):
        size = max(x.shape[d] for x, d in zip((P, Q), in_dims, strict=True) if d is not None)
        return [tensor] * size if dim is None else list(tensor.unbind(dim))

    pairs = list(zip(of_each(in_dims[0], P), of_each(in_dims[1], Q), strict=True))
    values = torch.func.vmap(function, in_dims)(P, Q)
    expected = torch.stack([function(p, q) for p, q in pairs])
    torch.testing.assert_close(values, expected, rtol=1e-14, atol=0)
    slope = torch.func.grad(lambda p, q: function(p, q).sum(), argnums=(0, 1))
    for found, exact in zip(
        torch.func.vmap(slope, in_dims)(P, Q),
        zip(*(slope(p, q) for p, q in pairs), strict=True),
        strict=True,
    ):
        torch.testing.assert_close(found, torch.stack(exact), rtol=1e-12, atol=1e-15)
    whole = torch.func.grad(lambda p: torch.func.vmap(function, in_dims)(p, Q).sum())(P)
    own = P.clone().requires_grad_()
    sum(
        function(p, q).sum()
        for p, q in zip(of_each(in_dims[0], own), of_each(in_dims[1], Q), strict=True)
    ).backward()
    torch.testing.assert_close(whole, own.grad, rtol=1e-12, atol=1e-15)


def test_vmap_of_vmap_and_of_fewer_dimensions():
    function = bridge.js_divergence
    rows = torch.func.vmap(torch.func.vmap(function), in_dims=(0, 0))(P, Q)
    torch.testing.assert_close(rows, function(P, Q), rtol=1e-14, atol=0)
    shared = torch.func.vmap(function, in_dims=(0, None))(P, Q[0, 0])
    torch.testing.assert_close(shared, function(P, Q[0, 0]), rtol=1e-14, atol=0)
    weighted = torch.func.vmap(lambda p, q: function(p, q, weight=0.2))(P, Q)
    torch.testing.assert_close(weighted, function(P, Q, weight=0.2), rtol=1e-14, atol=0)
    with pytest.raises(RuntimeError, match="weight differs within the batch"):
        torch.func.vmap(lambda p, w: function(p, Q[0], weight=w))(P, torch.tensor([0.1, 0.2]))


@pytest.mark.parametrize("name", ["js_divergence", "kl_divergence_logit", "entropy"])
def test_compiled_functions_keep_the_call_in_one_graph(name):
    def loss(*inputs):
        return (2 * getattr(bridge, name)(*(x + 0.5 for x in inputs), keepdims=False)).mean()

    inputs = (P,) if name == "entropy" else (P, Q)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*inputs), loss(*inputs), rtol=1e-14, atol=0)
    slopes = []
    for function in (compiled, loss):
        p = P.clone().requires_grad_()
        function(p, *inputs[1:]).backward()
        slopes.append(p.grad)
    torch.testing.assert_close(*slopes, rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", ["js_divergence", "entropy"])
def test_compiled_for_any_size(name):
    """Where PyTorch's compiler takes numbers, an equal weight among them, for what may change."""
    compiled = torch.compile(
        getattr(bridge, name), fullgraph=True, backend="aot_eager", dynamic=True
    )
    for size in (1, 2):
        inputs = (P[:size],) if name == "entropy" else (P[:size], Q[:size])
        torch.testing.assert_close(
            compiled(*inputs), getattr(bridge, name)(*inputs), rtol=0, atol=0
        )


@pytest.mark.parametrize(
    ("name", "options"), [("js_divergence", {}), ("js_divergence_logit", {"axis": None})]
)
def test_a_compiled_vmap(name, options):
    def function(p, q):
        return getattr(bridge, name)(p, q, **options)

    batched = torch.func.vmap(function, in_dims=(0, None))
    compiled = torch.compile(batched, fullgraph=True, backend="aot_eager")
    found = []
    for call in (batched, compiled):
        p, q = P.clone().requires_grad_(), Q[0].clone().requires_grad_()
        value = call(p, q)
        value.sum().backward()
        found.append((value, p.grad, q.grad))
    torch.testing.assert_close(*found, rtol=1e-14, atol=0)


class TestModules:
    def test_reductions(self):
        rows = bridge.js_divergence(P, Q, keepdims=False)
        expected = {
            "none": rows,
            "mean": rows.mean(),
            "sum": rows.sum(),
            "batchmean": rows.sum() / len(P),
        }
        for reduction, value in expected.items():
            loss = bridge.JSDivergenceLoss(reduction)
            torch.testing.assert_close(loss(P, Q), value, rtol=1e-15, atol=0)

    def test_logarithms_are_those_of_probabilities(self):
        p, q = (x / x.sum(-1, keepdim=True) for x in (P, Q))
        p[0, 0, 0], p[0, 0, 1] = 0, p[0, 0, 0] + p[0, 0, 1]
        value = bridge.JSDivergenceLoss("sum")(p, q)
        for log_input in (False, True):
            for log_target in (False, True):
                loss = bridge.JSDivergenceLoss("sum", log_input=log_input, log_target=log_target)
                given = p.log() if log_input else p, q.log() if log_target else q
                torch.testing.assert_close(loss(*given), value, rtol=1e-12, atol=0)
        logits = bridge.JSDivergenceLogitLoss("sum")(p.log() + 3, q.log())
        torch.testing.assert_close(logits, value, rtol=1e-12, atol=0)

    def test_arguments_are_those_of_the_functions(self):
        loss = bridge.JSDivergenceLogitLoss("none", axis=1, weight=0.2, base=2, workers=1)
        expected = bridge.js_divergence_logit(P, Q, axis=1, weight=0.2, base=2, keepdims=False)
        assert torch.equal(loss(P, Q), expected)
        assert repr(loss) == ("JSDivergenceLogitLoss(reduction='none', axis=1, weight=0.2, base=2)")

    def test_weights_move_with_the_module_and_are_no_parameters(self):
        weights = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=torch.float64)
        loss = bridge.JSDivergenceLoss("none", weight=weights, log_input=True)
        assert not list(loss.parameters())
        assert not loss.state_dict()
        assert [name for name, _ in loss.named_buffers()] == ["weights"]
        assert repr(loss) == (
            "JSDivergenceLoss(reduction='none', axis=-1, weight=<of shape (2, 3)>, log_input=True)"
        )
        p, q = (x / x.sum(-1, keepdim=True) for x in (P, Q))
        expected = bridge.js_divergence(p, q, weight=weights, keepdims=False)
        torch.testing.assert_close(loss(p.log(), q), expected, rtol=1e-12, atol=0)

    def test_a_module_learns_within_a_model(self):
        model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(-1))
        loss = bridge.JSDivergenceLoss("batchmean")
        target = torch.softmax(P[0].float() @ torch.randn(4, 3), -1)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        first = loss(model(P[0].float()), target).item()
        for _ in range(50):
            optimiser.zero_grad()
            value = loss(model(P[0].float()), target)
            value.backward()
            optimiser.step()
        assert value.item() < first / 2

    def test_other_reductions_are_refused(self):
        rule = "reduction is 'max'; it must be one of 'none', 'mean', 'batchmean', 'sum'"
        with pytest.raises(ValueError, match=rule):
            bridge.JSDivergenceLoss("max")


class TestDevices:
    """Tensors on a device are handed to `jsdiv_numba.cuda` as they are; here it is stood in for."""

    @pytest.fixture
    def called(self, monkeypatch):
        from jsdiv_numba import cuda
        from jsdiv_numba._torch import operators

        calls = []

        def on_device(name):
            def function(*tensors, **options):
                assert all(isinstance(x, torch.Tensor) for x in tensors)
                calls.append(name)
                options.pop("workers")
                for constant in ("cotangent", "weight"):
                    if constant in options:
                        assert isinstance(options[constant], torch.Tensor)
                        options[constant] = options[constant].numpy()
                found = getattr(jsdiv_numba, name)(*(x.numpy() for x in tensors), **options)
                return (
                    tuple(map(torch.from_numpy, found))
                    if "_grad" in name
                    else torch.from_numpy(found)
                )

            return function

        for name in cuda.__all__:
            if name.startswith("js_divergence"):
                monkeypatch.setattr(cuda, name, on_device(name))
        monkeypatch.setattr(operators, "_is_on_cpu", lambda _tensor: False)
        return calls

    @pytest.mark.parametrize("weight", [0.5, 0.2])
    @pytest.mark.parametrize("name", ["js_divergence", "js_divergence_logit"])
    def test_values_and_derivatives_are_computed_there(self, called, name, weight):
        p = P.clone().requires_grad_()
        value = getattr(bridge, name)(p, Q, keepdims=False, base=2, weight=weight)
        value.sum().backward()
        assert called == [name, f"{name}_grad"]
        expected = getattr(jsdiv_numba, f"{name}_grad")(
            P.numpy(), Q.numpy(), keepdims=False, base=2, weight=weight
        )
        np.testing.assert_allclose(value.detach().numpy(), expected[0], rtol=1e-14)
        np.testing.assert_allclose(p.grad.numpy(), expected[1], rtol=1e-14)

    def test_what_is_not_there_is_said(self, called):
        rule = "^P is on the device cpu, where kl_divergence with these arguments is not there"
        with pytest.raises(TypeError, match=rule):
            bridge.kl_divergence(P, Q)
        assert not called

    def test_tensors_are_on_one_device(self):
        other = P.to("meta")
        with pytest.raises(TypeError, match=r"^Q is on the device meta; this computes on"):
            bridge.js_divergence(P, other)
