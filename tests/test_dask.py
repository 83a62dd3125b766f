"""Dask arrays in any chunks: the NumPy functions' bits and errors, and nothing computed early."""

import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

import jsdiv_numba
import jsdiv_numba.dask as lazy
from jsdiv_numba._core import blocks, validation

DOCS = Path(__file__).parents[1] / "docs"
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHAPE = 5, 4, 7
AXES = (-1, 0, 1, (0, 1), (0, 2), (1, 2), None)
BESIDE = ((5, 4, 7), (4, 7), (5, 1, 7), (7,), (5, 4, 1), (1, 4, 7), (1,), ())


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def same_bits(result, expected):
    """Assert that a lazy result has a NumPy result's shape, dtype and bits, as it had promised."""
    assert isinstance(result, da.Array)
    computed = np.asarray(result.compute())
    expected = np.asarray(expected)
    assert result._meta.ndim == computed.ndim
    assert result.dtype == computed.dtype == expected.dtype
    assert computed.shape == expected.shape
    assert np.isnan(sum(result.shape)) or result.shape == expected.shape
    assert computed.tobytes() == np.ascontiguousarray(expected).tobytes()


def rows(shape, dtype, seed=0):
    return np.random.default_rng(seed).random(shape).astype(dtype)


@st.composite
def chunked(draw, shape):
    """Cuts of each axis, some of them in one place: chunks may be empty."""
    return tuple(
        tuple(np.diff([0, *sorted(draw(st.lists(st.integers(0, n), max_size=4))), n]))
        for n in shape
    )


@st.composite
def calls(draw):
    dtype = draw(st.sampled_from([np.float32, np.float64, np.float16, np.int64]))
    beside = draw(st.sampled_from(BESIDE))
    P, Q = rows(SHAPE, np.float64, 1) * 50, rows(beside, np.float64, 2) * 50
    P, Q = P.astype(dtype), Q.astype(draw(st.sampled_from([dtype, np.float64])))
    as_dask = [da.from_array(X, chunks=draw(chunked(X.shape))) for X in (P, Q)]
    if draw(st.booleans()):
        as_dask[1] = Q
    return (P, Q), as_dask, draw(st.sampled_from(AXES)), draw(st.booleans())


@DTYPES
@pytest.mark.parametrize("number", [0.25, 1, True])
def test_a_number_of_pythons_decides_no_dtype(dtype, number):
    P = rows((5, 4), dtype)
    lazily = da.from_array(P, chunks=2)
    for name in ("js_divergence", "jensenshannon"):
        eager, of_dask = getattr(jsdiv_numba, name), getattr(lazy, name)
        same_bits(of_dask(lazily, number, axis=1), eager(P, number, axis=1))
        same_bits(of_dask(number, lazily, axis=1), eager(number, P, axis=1))
    same_bits(
        lazy.js_divergence(lazily, np.float64(0.5)), jsdiv_numba.js_divergence(P, np.array(0.5))
    )


@settings(deadline=None, max_examples=40)
@given(calls(), st.sampled_from([None, 2]), st.sampled_from([{}, {"weight": 0.2}]))
def test_any_chunks_give_the_same_bits(call, base, weight):
    arrays, as_dask, axis, keepdims = call
    options = {"axis": axis, "base": base} | weight
    kept = options | {"keepdims": keepdims}
    for name in ("js_divergence", "js_divergence_logit"):
        function, of_dask = getattr(jsdiv_numba, name), getattr(lazy, name)
        same_bits(of_dask(*as_dask, **kept), function(*arrays, **kept))
        terms = of_dask(*as_dask, reduce=False, **options)
        same_bits(terms, function(*arrays, reduce=False, **options))
    if not weight:
        same_bits(lazy.jensenshannon(*as_dask, **kept), jsdiv_numba.jensenshannon(*arrays, **kept))


@settings(deadline=None, max_examples=40)
@given(calls(), st.sampled_from([{}, {"weight": 0.2}]))
def test_long_sums_are_added_up_from_the_same_pieces(call, weight):
    arrays, as_dask, axis, keepdims = call
    options = {"axis": axis, "keepdims": keepdims, "base": 2} | weight
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROW_PIECE", 3)
        patch.setattr(blocks, "COLUMN_PIECE", 2)
        patch.setattr(validation, "are_plain", lambda *_: False)  # which are short
        same_bits(
            lazy.js_divergence(*as_dask, **options), jsdiv_numba.js_divergence(*arrays, **options)
        )


@DTYPES
@pytest.mark.parametrize(
    ("shape", "chunks", "axis"),
    [
        ((2, (1 << 21) + 5), (2, 700_000), -1),
        ((3000, 3), (100, 2), 0),
        ((2, 1100, 1000), (2, 500, 300), (1, 2)),
    ],
    ids=["rows", "columns", "several axes"],
)
def test_long_sums_of_real_pieces(shape, chunks, axis, dtype):
    P, Q = rows(shape, dtype, 1), rows(shape, dtype, 2)
    result = lazy.js_divergence(da.from_array(P, chunks=chunks), da.from_array(Q), axis=axis)
    same_bits(result, jsdiv_numba.js_divergence(P, Q, axis=axis))


def test_a_long_sum_is_not_put_into_one_chunk():
    P = da.ones((1 << 24, 2), chunks=(1 << 20, 2))
    graph = lazy.js_divergence(P, P, axis=0).__dask_graph__()
    sizes = [layer for name, layer in graph.layers.items() if name.startswith("rechunk")]
    assert all(len(layer) <= 32 for layer in sizes)
    total = lazy.js_divergence(P, P / 2, axis=0).compute()
    np.testing.assert_allclose(total, (1 << 24) * jsdiv_numba.js_divergence([1.0], [0.5])[0])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_memory_order_of_blocks_changes_no_bit(order, axis):
    P, Q = rows((40, 30), np.float64, 1), rows((40, 30), np.float64, 2)
    laid_out = [da.from_array(np.asarray(X, order=order), chunks=(7, 9)) for X in (P, Q)]
    same_bits(lazy.js_divergence(*laid_out, axis=axis), jsdiv_numba.js_divergence(P, Q, axis=axis))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_empty_arrays(shape, axis):
    P = np.ones(shape)
    same_bits(
        lazy.js_divergence(da.asarray(P), P, axis=axis), jsdiv_numba.js_divergence(P, P, axis=axis)
    )


def matrices(dtype):
    A, B = rows((57, 13), dtype, 1), rows((31, 13), dtype, 2)
    A[3], B[5], B[7, 2] = 0, A[7], np.nan
    return A, B


@DTYPES
@pytest.mark.parametrize("metric", ["jensenshannon", "js_divergence"])
@pytest.mark.parametrize("chunk_size", ["128MiB", "1kiB", "300B"])
@pytest.mark.parametrize("chunks", [-1, 1, 5, (30, 7)], ids=str)
def test_pairs_in_any_chunks_give_the_same_bits(chunks, chunk_size, metric, dtype):
    A, B = matrices(dtype)
    options = {"metric": metric, "base": 3}
    with dask.config.set({"array.chunk-size": chunk_size}):
        as_dask = da.from_array(A, chunks=chunks)
        same_bits(lazy.cdist(as_dask, B, **options), jsdiv_numba.cdist(A, B, **options))
        same_bits(lazy.cdist(B, as_dask, dtype="f4"), jsdiv_numba.cdist(B, A, dtype="f4"))
        same_bits(lazy.pdist(as_dask, **options), jsdiv_numba.pdist(A, **options))


@pytest.mark.parametrize("number", range(5))
def test_few_rows(number):
    X = rows((number, 3), np.float64)
    with dask.config.set({"array.chunk-size": "20B"}):
        same_bits(lazy.pdist(da.from_array(X, chunks=-1)), jsdiv_numba.pdist(X))
        same_bits(lazy.cdist(X, X[:2]), jsdiv_numba.cdist(X, X[:2]))


def same_neighbours(found, expected):
    """Assert that lazy neighbours are those of a NumPy function, in two arrays of fields."""
    for result, right in zip(dask.compute(*found), expected, strict=True):
        assert result.shape == right.shape
        assert result.dtype == right.dtype
        if right.dtype != object:
            assert result.tobytes() == right.tobytes()
            continue
        for row, of_row in zip(result, right, strict=True):
            assert row.dtype == of_row.dtype
            assert row.tobytes() == of_row.tobytes()


@st.composite
def searches(draw):
    """Rows, many of them equal and some undefined, and the same in chunks; the others, or None."""
    both, in_chunks = [], []
    for seed, number in enumerate(draw(st.tuples(st.integers(2, 20), st.integers(1, 20)))):
        rng = np.random.default_rng(seed)
        matrix = rng.integers(0, 4, (number, 3)).astype(draw(st.sampled_from(["f4", "f8"])))
        matrix[rng.random(number) < 0.1] = np.nan
        both.append(matrix)
        in_chunks.append(da.from_array(matrix, chunks=draw(chunked(matrix.shape))))
    if draw(st.booleans()):
        both[1] = in_chunks[1] = None
    return both, in_chunks, draw(st.sampled_from(["1B", "1kiB", "4kiB", "128MiB"]))


@settings(deadline=None, max_examples=60)
@given(searches(), st.data())
def test_neighbours_in_any_chunks_are_the_same(search, data):
    (X, Y), in_chunks, chunk_size = search
    most = len(X) - 1 if Y is None else len(Y)
    number, radius = data.draw(st.integers(1, most)), data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    options = {"metric": data.draw(st.sampled_from(["jensenshannon", "js_divergence"])), "base": 2}
    with dask.config.set({"array.chunk-size": chunk_size}):
        nearest = lazy.kneighbors(*in_chunks, number, **options)
        within = lazy.radius_neighbors(*in_chunks, radius, **options)
    assert nearest[0].shape == nearest[1].shape == (len(X), number)
    same_neighbours(nearest, jsdiv_numba.kneighbors(X, Y, number, **options))
    same_neighbours(within, jsdiv_numba.radius_neighbors(X, Y, radius, **options))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_neighbours_of_many_parts_are_merged_some_at_a_time(scheduler):
    X = rows((300, 6), np.float64)
    with dask.config.set({"array.chunk-size": "4kiB", "scheduler": scheduler}):
        found = lazy.kneighbors(da.from_array(X, chunks=(40, 4)), n_neighbors=7)
        layers = {key[0] for key in dict(found[0].__dask_graph__())}
        assert any("-merge-0" in name for name in layers)
        same_neighbours(found, jsdiv_numba.kneighbors(X, n_neighbors=7))
        indices = lazy.kneighbors(X, n_neighbors=7, return_distance=False)
        same_bits(indices, jsdiv_numba.kneighbors(X, n_neighbors=7, return_distance=False))
        indices = lazy.radius_neighbors(X, radius=0.3, return_distance=False)
        expected = jsdiv_numba.radius_neighbors(X, radius=0.3, return_distance=False)
        same_neighbours([indices], [expected])


def test_tasks_of_neighbours_are_few_and_small():
    X = da.zeros((800_000, 64), chunks=(8_000, 64), dtype="f4")
    with dask.config.set({"array.chunk-size": "18MiB"}):
        distances, _ = lazy.kneighbors(X, n_neighbors=10)
    graph = dict(distances.__dask_graph__())
    parts = [key for key in graph if key[0].endswith("-part")]
    assert len(parts) == 100 * 100
    assert len(graph) < 1.2 * len(parts)
    assert max(len(pickle.dumps(task)) for task in graph.values()) < 6_000


def _never(*arguments, **options):
    raise AssertionError("computed")


def test_nothing_is_computed_before_it_is_asked_for():
    def read(block_id=None):
        raise AssertionError("read")

    X = da.map_blocks(read, chunks=((3, 3), (2, 2)), meta=np.empty((0, 0)))
    with dask.config.set(scheduler=_never):
        results = [
            *(lazy.js_divergence(X, X, axis=axis) for axis in (0, 1, None)),
            lazy.js_divergence_logit(X, X, axis=None),
            lazy.jensenshannon(X, X),
            lazy.cdist(X, X),
            lazy.pdist(X),
            *lazy.kneighbors(X),
            *lazy.radius_neighbors(X),
        ]
    assert all(isinstance(result, da.Array) for result in results)


TILES = {"array.chunk-size": "64kiB"}


def test_tasks_of_ten_thousand_tiles_are_few_and_small():
    with dask.config.set(TILES):
        X = da.zeros((9_000, 100), chunks=(90, 100), dtype="f4")
        result = lazy.cdist(X, X)
    assert result.numblocks == (100, 100)
    graph = dict(result.__dask_graph__())
    assert len(graph) <= 10_000 + 2 * 100
    (task,) = (task for key, task in graph.items() if key == (result.name, 99, 99))
    assert len(pickle.dumps(task)) < 1_500


def test_tasks_of_condensed_pairs_are_few_and_small():
    with dask.config.set(TILES):
        X = da.zeros((9_000, 100), chunks=(90, 100), dtype="f4")
        result = lazy.pdist(X)
    pairs = 9_000 * 8_999 // 2
    sizes = np.array(result.chunks[0])
    assert sizes.sum() == pairs
    assert sizes.max() * 4 <= 64 * 1024
    assert len(sizes) < 1.5 * pairs * 4 / (64 * 1024)
    graph = dict(result.__dask_graph__())
    tiles = sum(key[0].endswith(("-rectangle", "-triangle")) for key in graph)
    assert len(graph) < 1.2 * tiles + 6 * len(sizes)
    assert max(len(pickle.dumps(task)) for task in graph.values()) < 6_000


def test_a_task_carries_no_compiled_function():
    X = da.ones((4, 3), chunks=2)
    searches = lazy.kneighbors(X, n_neighbors=2)[0], lazy.radius_neighbors(X)[0]
    for result in (lazy.js_divergence(X, X), lazy.cdist(X, X), lazy.pdist(X), *searches):
        for task in dict(result.__dask_graph__()).values():
            assert not re.search(rb"\bnumba\.", pickle.dumps(task))


def unknown(X, chunks):
    """Return a Dask array that does not know how many rows its chunks have."""
    longer = np.repeat(X, 2, axis=0)
    keep = da.from_array(np.arange(len(longer)) % 2 == 0, chunks=chunks)
    return da.from_array(longer, chunks=(chunks, 3))[keep]


def test_chunks_of_unknown_numbers_of_rows():
    X, Y = rows((9, 7), np.float64, 1), rows((4, 7), np.float64, 2)
    of_x, of_y = unknown(X, 4), unknown(Y, 3)
    assert np.isnan(of_x.shape[0])
    same_bits(lazy.js_divergence(of_x, of_x + 1), jsdiv_numba.js_divergence(X, X + 1))
    same_bits(
        lazy.js_divergence(of_x, Y[0], keepdims=False),
        jsdiv_numba.js_divergence(X, Y[0], keepdims=False),
    )
    same_bits(
        lazy.js_divergence_logit(of_x, Y[:1], axis=1), jsdiv_numba.js_divergence_logit(X, Y[:1])
    )
    same_bits(lazy.cdist(of_x, of_y), jsdiv_numba.cdist(X, Y))
    same_bits(lazy.cdist(Y, of_x), jsdiv_numba.cdist(Y, X))
    same_neighbours(lazy.kneighbors(of_x, Y, 2), jsdiv_numba.kneighbors(X, Y, 2))
    same_neighbours(lazy.radius_neighbors(of_x, Y, 0.3), jsdiv_numba.radius_neighbors(X, Y, 0.3))
    of_x.compute_chunk_sizes()
    same_bits(lazy.pdist(of_x), jsdiv_numba.pdist(X))


def test_chunks_of_unknown_sizes_may_turn_out_empty():
    X, Y = rows((9, 7), np.float64, 1), rows((4, 7), np.float64, 2)
    kept = da.from_array(X, chunks=(3, 7))[da.from_array(np.arange(9) > 2, chunks=3)]
    columns = X[3:].T.copy()
    for name in ("js_divergence", "js_divergence_logit", "jensenshannon"):
        function, of_dask = getattr(jsdiv_numba, name), getattr(lazy, name)
        same_bits(of_dask(kept, Y[0], axis=1), function(X[3:], Y[0], axis=1))
        same_bits(of_dask(kept.T, kept.T + 1, axis=0), function(columns, columns + 1, axis=0))
    same_bits(lazy.cdist(kept, Y), jsdiv_numba.cdist(X[3:], Y))
    same_bits(lazy.cdist(Y, kept), jsdiv_numba.cdist(Y, X[3:]))
    same_neighbours(lazy.kneighbors(kept, Y, 2), jsdiv_numba.kneighbors(X[3:], Y, 2))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda X: lazy.js_divergence(X, X, axis=0), "P"),
        (lambda X: lazy.js_divergence(np.ones((9, 7)), X), "Q"),
        (lambda X: lazy.jensenshannon(X, X), "p"),
        (lazy.pdist, "X"),
        (lazy.kneighbors, "X"),
        (lambda Y: lazy.kneighbors(np.ones((9, 7)), Y), "Y"),
        (lazy.radius_neighbors, "X"),
    ],
)
def test_unknown_sizes_that_are_needed(call, name):
    with pytest.raises(
        ValueError, match=rf"^{name} has chunks of unknown size along axis 0; call "
    ):
        call(unknown(rows((9, 7), np.float64), 4))


RULE = "probabilities must be finite and not negative"


def _message(result):
    with pytest.raises(ValueError, match=r"\[") as raised:
        result.compute()
    return str(raised.value)


@pytest.mark.parametrize("chunks", [-1, 3, (1, 4, 2)], ids=str)
@pytest.mark.parametrize("axis", [*AXES, "terms"], ids=str)
@pytest.mark.parametrize("piece", [2, 1 << 20])
def test_an_invalid_entry_is_named_by_its_place_in_the_whole_array(
    axis, chunks, piece, monkeypatch
):
    monkeypatch.setattr(blocks, "ROW_PIECE", piece)
    monkeypatch.setattr(blocks, "COLUMN_PIECE", piece)
    monkeypatch.setattr(validation, "are_plain", lambda *_: False)
    options = {"reduce": False} if axis == "terms" else {"axis": axis}
    X = rows(SHAPE, np.float64)
    X[4, 3, 5] = -1
    invalid = da.from_array(X, chunks=chunks)
    assert (
        _message(lazy.js_divergence(invalid, X[:1] + 2, **options)) == f"P[4, 3, 5] is -1.0; {RULE}"
    )
    Q = np.full((4, 1), 0.5)
    Q[2] = np.inf
    message = _message(lazy.js_divergence(da.from_array(np.abs(X), chunks=chunks), Q, **options))
    assert message == f"Q[2, 0] is inf; {RULE}"


def test_other_functions_name_an_invalid_entry():
    X = rows((9, 7), np.float64)
    X[7, 6] = -np.inf
    invalid = da.from_array(X, chunks=2)
    message = f"[7, 6] is -inf; {RULE}"
    assert _message(lazy.jensenshannon(X + 1, invalid, axis=1)) in (f"p{message}", f"q{message}")
    with dask.config.set({"array.chunk-size": "120B"}):
        assert _message(lazy.cdist(np.abs(X[:3]), invalid)) == f"XB{message}"
        assert _message(lazy.pdist(invalid)) == f"X{message}"
        assert _message(lazy.kneighbors(invalid)[0]) == f"X{message}"
        assert _message(lazy.radius_neighbors(np.abs(X[:3]), invalid)[1]) == f"Y{message}"
    assert "Q[7, 6] is inf; logits may be" in _message(lazy.js_divergence_logit(X, -invalid))
    assert "of one of its blocks" in _message(lazy.cdist(unknown(X, 4), np.ones((1, 7))))


def test_masked_entries_are_refused_when_they_are_found():
    X = da.ma.masked_less(da.from_array(rows((6, 4), np.float64), chunks=2), 0.5)
    for axis in (0, 1):
        with pytest.raises(TypeError, match=r"^P is a masked array with masked entries"):
            lazy.js_divergence(X, np.ones(4), axis=axis).compute()


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("js_divergence", (np.ones((2, 3)), np.ones(4)), {}),
        ("js_divergence", (np.ones((2, 3)), np.ones(3)), {"axis": 2}),
        ("js_divergence", (np.ones((2, 3)), np.ones(3)), {"axis": 1.5}),
        ("js_divergence_logit", (np.ones((2, 3)), np.ones(3)), {"base": 1}),
        ("js_divergence_logit", (np.ones((2, 3)), np.ones(3)), {"workers": 0}),
        ("js_divergence", (np.ones(3) * 1j, np.ones(3)), {}),
        ("jensenshannon", (np.ones(3), np.array(["a", "b", "c"])), {}),
        ("cdist", (np.ones(3), np.ones((2, 3))), {}),
        ("cdist", (np.ones((2, 4)), np.ones((2, 3))), {}),
        ("cdist", (np.ones((2, 3)), np.ones((2, 3)), "euclidean"), {}),
        ("pdist", (np.ones((2, 3)),), {"dtype": int}),
        ("pdist", (np.ones((2, 3)),), {"base": 0}),
        ("js_divergence", (np.ones((2, 3)), np.ones(3)), {"weight": -1}),
        ("js_divergence_logit", (np.ones((2, 3)), np.ones(3)), {"weight": "0.5"}),
        ("kneighbors", (np.ones((2, 3)), np.ones((2, 4))), {}),
        ("kneighbors", (np.ones((2, 3)), np.ones((2, 3)), 3), {}),
        ("kneighbors", (np.ones((2, 3)), None, 2), {}),
        ("kneighbors", (np.ones((2, 3)), None, 1.5), {}),
        ("kneighbors", (np.ones((2, 0)), None, 1), {}),
        ("kneighbors", (np.ones((2, 3)), None, 1), {"metric": "euclidean"}),
        ("radius_neighbors", (np.ones((2, 3)), None, -1), {}),
        ("radius_neighbors", (np.ones((2, 3)), None, 1), {"base": 1}),
    ],
)
@pytest.mark.parametrize("as_dask", [True, False])
def test_what_is_wrong_is_said_as_for_numpy_arrays_and_at_once(name, arguments, options, as_dask):
    def error(function, *given):
        with pytest.raises((TypeError, ValueError)) as raised:
            function(*given, **options)
        return raised.type, str(raised.value)

    expected = error(getattr(jsdiv_numba, name), *arguments)
    if as_dask and "not text" in expected[1]:
        # What is no number is not known before it is computed.
        advice = "q has dtype <U1; pass real numbers of at most 64 bits, such as `.astype(float)`"
        expected = TypeError, advice
    lazily = [da.from_array(a) if as_dask and isinstance(a, np.ndarray) else a for a in arguments]
    assert error(getattr(lazy, name), *lazily) == expected


def test_plain_functions_say_where_to_go():
    X = da.ones((4, 3))
    for name in lazy.__all__:
        arguments = [X] if name == "pdist" else [X, X]
        with pytest.raises(
            TypeError, match=r"use the function of the same name in `jsdiv_numba\.dask`"
        ):
            getattr(jsdiv_numba, name)(*arguments)
    with pytest.raises(TypeError, match=r"jsdiv_numba\.dask"):
        jsdiv_numba.JSDivergenceLoss()(np.ones((4, 3)), X)


def test_what_holds_a_dask_array_is_told_to_pass_it():
    X = xarray.DataArray(da.ones((4, 3)))
    with pytest.raises(TypeError, match=r"^P is a DataArray; pass its Dask array, `\.data`$"):
        lazy.js_divergence(X, X)
    assert lazy.js_divergence(X.data, X.data).compute().tolist() == [[0.0]] * 4


def test_xarray_applies_a_function_to_dask_arrays():
    rng = np.random.default_rng(3)
    counts = xarray.DataArray(rng.random((6, 5, 8)), dims=("day", "place", "category"))
    year = counts.mean("day")
    options = {"input_core_dims": [["category"], ["category"]], "dask": "parallelized"}
    distances = xarray.apply_ufunc(
        jsdiv_numba.jensenshannon,
        counts.chunk(day=2, place=3),
        year,
        kwargs={"axis": -1, "workers": 1},
        output_dtypes=[float],
        **options,
    )
    assert isinstance(distances.data, da.Array)
    assert distances.dims == ("day", "place")
    expected = jsdiv_numba.jensenshannon(counts.values, year.values, axis=-1)
    np.testing.assert_array_equal(distances.values, expected, strict=True)


def test_xarrays_of_numpy_arrays_are_arrays():
    X = xarray.DataArray(rows((4, 3), np.float64))
    np.testing.assert_array_equal(
        jsdiv_numba.js_divergence(X, X + 1), jsdiv_numba.js_divergence(X.values, X.values + 1)
    )


@pytest.mark.parametrize("name", lazy.__all__)
def test_signatures_are_those_of_the_numpy_functions(name):
    own = inspect.signature(getattr(lazy, name)).parameters
    given = dict(inspect.signature(getattr(jsdiv_numba, name)).parameters)
    for of_numpy_alone in ("max_distance", "out", "progress"):
        given.pop(of_numpy_alone, None)
    assert list(own) == list(given)
    assert all(own[key].default == given[key].default for key in own)
    assert all(own[key].kind == given[key].kind for key in own)


def test_every_function_is_in_the_reference():
    page = (DOCS / "api" / "dask.rst").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. autofunction:: jsdiv_numba\.dask\.(\w+)$", page, re.MULTILINE)
    assert sorted(described) == lazy.__all__


def test_without_dask_the_module_says_what_to_install():
    program = """
import sys
sys.modules["dask"] = None
try:
    import jsdiv_numba.dask
except ModuleNotFoundError as error:
    print(error.name, error, sep="; ")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == 'dask; jsdiv_numba.dask needs Dask: pip install "jsdiv_numba[dask]"\n'


@pytest.mark.parametrize("name", ["js_divergence", "js_divergence_logit"])
@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None])
@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 1, 7)], ids=str)
def test_weights_are_one_for_each_result(name, axis, shape):
    function, of_dask = getattr(jsdiv_numba, name), getattr(lazy, name)
    rng = np.random.default_rng(9)
    P, Q = rng.random((3, 5, 7)), rng.random(shape)
    as_dask = da.from_array(P, (2, 2, 3)), da.from_array(Q, (3, 2, 4))
    of_logits = name.endswith("logit")
    for keepdims in (True, False):
        options = {"axis": axis, "keepdims": keepdims, "base": 2}
        of_rows = {"axis": -1, "keepdims": True} if axis is None and of_logits else options
        weight = rng.random(np.shape(function(P, Q, **of_rows)))
        for some in (weight, weight[..., :1] if weight.ndim else float(weight)):
            same_bits(
                of_dask(*as_dask, weight=some, **options), function(P, Q, weight=some, **options)
            )
    of_terms = rng.random((3, 5, 1) if of_logits else (5, 7))
    if not of_logits or axis in (-1, None):
        options = {"reduce": False, "weight": of_terms, "axis": axis}
        same_bits(of_dask(*as_dask, **options), function(P, Q, **options))


def test_weights_that_fit_no_result_are_refused():
    P = da.ones((2, 3))
    with pytest.raises(ValueError, match=r"^weight of shape \(3,\) does not broadcast to the res"):
        lazy.js_divergence(P, P, keepdims=False, weight=[0.5, 0.2, 0.1])
    with pytest.raises(ValueError, match=r"weight is 2\.0; a weight must be between 0 and 1"):
        lazy.js_divergence(P, P, weight=2.0)
    with pytest.raises(TypeError, match="weight is a Dask array; weights are in memory here"):
        lazy.js_divergence(P, P, weight=P[..., :1])
    unknown = P[P[:, 0] > 0]
    with pytest.raises(ValueError, match="and how many results there are is unknown: pass one"):
        lazy.js_divergence(unknown, unknown, weight=[[0.5], [0.2]])
