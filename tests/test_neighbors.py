"""Neighbours: the same as brute force in float64 finds, ties and near-ties included."""

import math
import pickle
import threading
from functools import cache

import mpmath
import numpy as np
import pytest
from numpy.random import Generator

from jsdiv_numba import (
    cdist,
    kneighbors,
    kneighbors_graph,
    neighbors,
    radius_neighbors,
    radius_neighbors_graph,
    set_workers,
)
from jsdiv_numba._core import pairwise
from jsdiv_numba._core.pair_metric import metric_of
from jsdiv_numba._kernels.codegen.precision import FLOAT64
from jsdiv_numba._kernels.compilation import compiled
from jsdiv_numba._kernels.pairwise import blocking, bounds, matmul
from jsdiv_numba._kernels.pairwise.measures import JS
from jsdiv_numba._kernels.pairwise.pairs import pair_kernels
from jsdiv_numba._neighbors import search as searching

SHAPES = [(40, 1), (90, 3), (700, 16), (1100, 64), (300, 250)]


def _rows(rng: Generator, number: int, length: int, concentration: float) -> np.ndarray:
    rows = rng.dirichlet(np.full(length, concentration), number)
    rows[np.isnan(rows).any(axis=1)] = 1
    return rows


def _ordinary(rng: Generator, number: int, length: int) -> np.ndarray:
    return _rows(rng, number, length, 1.0)


def _concentrated(rng: Generator, number: int, length: int) -> np.ndarray:
    return _rows(rng, number, length, 0.1)


def _sparse(rng: Generator, number: int, length: int) -> np.ndarray:
    rows = _rows(rng, number, length, 0.05)
    rows[(rows < 0.01) & (rows.max(axis=1, keepdims=True) > 0.1)] = 0
    return rows


def _duplicates(rng: Generator, number: int, length: int) -> np.ndarray:
    return _ordinary(rng, -(-number // 8), length)[rng.permutation(number) // 8]


def _permuted(rng: Generator, number: int, length: int) -> np.ndarray:
    """Rows of the same entries in another order: many distances that differ by rounding alone."""
    return rng.permuted(np.repeat(_ordinary(rng, 1, length), number, axis=0), axis=1)


def _near_ties(rng: Generator, number: int, length: int) -> np.ndarray:
    """Rows about one centre whose distances differ less than the products' rounding."""
    factors = 1 + 1e-7 * rng.standard_normal((number, length))
    return _ordinary(rng, 1, length) * factors


def _at_the_bound(rng: Generator, number: int, length: int) -> np.ndarray:
    """Disjoint rows and halves of them: JS is ln 2·H² to the last bit, which prunes best."""
    rows = np.zeros((number, length))
    rows[np.arange(number), rng.integers(length, size=number)] = 1
    rows[np.arange(number), rng.integers(length, size=number)] += 1
    return rows


def _all_but_equal(rng: Generator, number: int, length: int) -> np.ndarray:
    """Rows about one centre, from as near as floats can be to far."""
    separations = 10.0 ** rng.uniform(-17, -1, (number, 1))
    return _ordinary(rng, 1, length) * (1 + separations * rng.standard_normal((number, length)))


def _clusters(rng: Generator, number: int, length: int) -> np.ndarray:
    """Rows that are all but equal to some others, and far from their common mean."""
    centres = _ordinary(rng, 5, length)[rng.integers(5, size=number)]
    return centres * (1 + 1e-8 * rng.standard_normal((number, length)))


def _counts(rng: Generator, number: int, length: int) -> np.ndarray:
    counts = rng.poisson(2 * _rows(rng, number, length, 0.3) * length)
    counts[:, 0] += 1
    return counts


def _float32(rng: Generator, number: int, length: int) -> np.ndarray:
    return (1000 * _concentrated(rng, number, length)).astype(np.float32)


def _scaled(rng: Generator, number: int, length: int) -> np.ndarray:
    return _ordinary(rng, number, length) * 10.0 ** rng.uniform(-290, 290, (number, 1))


KINDS = [
    _ordinary,
    _concentrated,
    _sparse,
    _duplicates,
    _permuted,
    _near_ties,
    _all_but_equal,
    _clusters,
    _at_the_bound,
    _counts,
    _float32,
    _scaled,
]


def _sorted(distances: np.ndarray, own: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return all distances and indices in order: by distance, then by index, NaN last."""
    indices = np.broadcast_to(np.arange(distances.shape[1]), distances.shape)
    if own:
        others = ~np.eye(len(distances), dtype=bool)
        shape = len(distances), -1
        distances, indices = distances[others].reshape(shape), indices[others].reshape(shape)
    order = np.lexsort((indices, distances))
    return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)


def _check(X: np.ndarray, Y: np.ndarray | None, n_neighbors: int, **options: object) -> None:
    brute = cdist(X, X if Y is None else Y, dtype=np.float64, **options)
    distances, indices = _sorted(brute, own=Y is None)
    found = kneighbors(X, Y, n_neighbors, **options)
    np.testing.assert_array_equal(found[1], indices[:, :n_neighbors])
    np.testing.assert_array_equal(found[0], distances[:, :n_neighbors], strict=True)
    radius = float(np.nanquantile(distances[:, n_neighbors // 2], 0.3))
    within = radius_neighbors(X, Y, radius, **options)
    for i, row in enumerate(distances):
        size = np.count_nonzero(row <= radius)
        np.testing.assert_array_equal(within[1][i], indices[i, :size])
        np.testing.assert_array_equal(within[0][i], row[:size])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_neighbours_are_those_of_brute_force(kind, shape):
    rng = np.random.default_rng([*shape, KINDS.index(kind)])
    rows = kind(rng, *shape)
    queries, others = rows[: shape[0] // 5], rows[shape[0] // 5 :]
    _check(rows, None, 7)
    _check(queries, others, 5)
    _check(others[:9], rows, len(rows) // 2, metric="js_divergence", base=2)


SEARCHED_OR_NOT = pytest.mark.parametrize("few", [0, searching.FEW_PAIRS], ids=["search", "all"])


@SEARCHED_OR_NOT
@pytest.mark.parametrize("kind", KINDS)
def test_of_few_rows_all_pairs_are_computed(kind, few, monkeypatch):
    monkeypatch.setattr(searching, "FEW_PAIRS", few)
    rows = kind(np.random.default_rng(KINDS.index(kind)), 64, 6)
    _check(rows, None, 5)
    _check(rows[:7], rows, 20, metric="js_divergence", base=2)
    _check(rows[:3], rows.repeat(4, axis=0), 9)
    _check(rows[:1], rows, 1)
    _check(rows[:2], None, 1)


@SEARCHED_OR_NOT
def test_of_two_wrong_matrices_the_second_is_named(few, monkeypatch):
    monkeypatch.setattr(searching, "FEW_PAIRS", few)
    rows, called = np.ones((5, 3)), []
    rows[3, 1] = -1
    with pytest.raises(ValueError, match=r"Y\[3, 1\] is -1.0"):
        kneighbors(rows, rows, 2)
    with pytest.raises(ValueError, match=r"X\[3, 1\] is -1.0"):
        kneighbors(rows, n_neighbors=2)
    with pytest.raises(ValueError, match="workers is 0"):
        kneighbors(np.ones((5, 3)), n_neighbors=2, workers=0)
    kneighbors(np.ones((5, 3)), n_neighbors=2, progress=lambda *pairs: called.append(pairs))
    assert called[-1] == (25, 25)


@SEARCHED_OR_NOT
def test_ties_at_the_last_place_go_to_the_first_rows(few, monkeypatch):
    monkeypatch.setattr(searching, "FEW_PAIRS", few)
    rows = np.array([[3, 1, 0], [1, 3, 0], [2, 2, 0], [3, 1, 0], [0, 0, 1], [3, 1, 0]])
    _, indices = kneighbors([[1, 1, 0]], rows, 3)
    assert indices.tolist() == [[2, 0, 1]]
    assert kneighbors(rows, n_neighbors=2, return_distance=False).tolist()[0] == [3, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_in_narrow_tiles_are_the_same(kind, monkeypatch):
    monkeypatch.setattr(searching, "TILE_WIDTH", 1)
    monkeypatch.setattr(searching, "QUERIES", 64)
    rows = kind(np.random.default_rng(KINDS.index(kind)), 1000, 6)
    _check(rows, None, 4)


@pytest.mark.parametrize("refined", [False, True])
def test_both_bounds_leave_every_pair_that_they_must(refined):
    """For pairs of all kinds, the products reach what their own values ask for."""
    rng = np.random.default_rng(5)
    for kind in KINDS:
        rows = kind(rng, 60, 33)
        value = cdist(rows, rows, "js_divergence", dtype=np.float64)
        product, limit = _product_and_limit(rows, value, refined)
        assert np.all(product >= limit), kind


@pytest.mark.parametrize("separation", [1e-1, 1e-6, 1e-9, 1e-11])
def test_the_second_bound_leaves_little_more(separation):
    """However near rows are, those that are 4 % farther than is wanted are left out."""
    rng = np.random.default_rng(6)
    rows = _ordinary(rng, 1, 33) * (1 + separation * rng.uniform(-1, 1, (60, 33)))
    value = cdist(rows, rows, "js_divergence", dtype=np.float64)
    product, limit = _product_and_limit(rows, 0.96 * value, True)
    assert np.all((product < limit)[~np.eye(60, dtype=bool)])


def _product_and_limit(rows, value, refined):
    """Return products of all pairs, and what they have to reach for these values."""
    population = searching.Population("rows", rows, metric_of("js_divergence", None))
    (among,) = population.chunks(1)
    queries = population.described("rows", rows, 0, len(rows))
    product = _unpacked(queries.roots)[:60] @ _unpacked(among.roots)[:60].T
    if refined:
        harmonics = queries.harmonics(True), among.harmonics(True)
        product += _unpacked(harmonics[0])[:60] @ _unpacked(harmonics[1])[:60].T
    length, half = rows.shape[1], queries.halves.sum(axis=0)[:, None]
    margins = blocking.margin(length), blocking.resolution(length)
    nats = population.metric
    limit = bounds.limit_of.py_func(value, nats, bounds.WEIGHTS[refined], half, *margins)
    return product, limit


def _unpacked(panels: np.ndarray) -> np.ndarray:
    return np.moveaxis(panels, 1, 2).reshape(-1, panels.shape[1])


@pytest.mark.parametrize("length", [2, 50])
def test_vectors_are_as_exact_as_is_claimed_before_they_are_centred(length):
    """Against the first row as the centre, near-equal rows keep the digits they differ in."""
    rng = np.random.default_rng(length)
    first = _concentrated(rng, 1, length)
    rows = first * (1 + 1e-12 * rng.standard_normal((20, length)))
    population = searching.Population("first", first, metric_of("js_divergence", None))
    queries = population.described("rows", rows, 0, len(rows))
    scale = math.sqrt(bounds.SECOND / bounds.FIRST)
    for panels, vector in (
        (queries.roots, _exact_roots),
        (queries.harmonics(True), lambda row: scale * _exact_harmonics(row)),
    ):
        vectors = _unpacked(panels)[: len(rows), :-1].astype(np.float64)
        expected = np.array([(vector(row) - vector(first[0])).astype(float) for row in rows])
        error = np.linalg.norm(vectors - expected, axis=1)
        size = np.linalg.norm(expected, axis=1)
        assert np.all(error <= blocking.resolution(length) / 2 + 2.0**-24 * size)


def _exact_roots(row: np.ndarray) -> np.ndarray:
    with mpmath.workdps(40):
        p = [mpmath.mpf(float(x)) for x in row]
        total = mpmath.fsum(p)
        return np.array([mpmath.sqrt(x / total) for x in p])


def _exact_harmonics(row: np.ndarray) -> np.ndarray:
    """Return them as the kernel turns them, all by one angle: entries are scaled."""
    with mpmath.workdps(40):
        roots, scale = _exact_roots(row), mpmath.mpf(2) ** (row.size.bit_length() - 1)
        angles = [mpmath.mpf(bounds.FREQUENCY) * mpmath.log(root**2 * scale) for root in roots]
        along = [root * mpmath.cos(angle) for root, angle in zip(roots, angles, strict=True)]
        across = [root * mpmath.sin(angle) for root, angle in zip(roots, angles, strict=True)]
        return np.array(along + across)


def test_the_second_bound_holds_everywhere():
    """U - K >= 0, as in docs/mathematics.md, at x = ω/2 and with K'' = K - sech x."""
    first, second, turn = bounds.FIRST, bounds.SECOND, 2 * bounds.FREQUENCY
    step = 1e-3
    x = np.arange(0, 8 + step, step)
    K = x * np.exp(-x) + np.cosh(x) * np.log1p(np.exp(-2 * x))
    slope_of_K = np.sinh(x) * np.log(2 * np.cosh(x)) - x * np.cosh(x)
    excess = first + second * np.cos(turn * x) - K
    slope = -turn * second * np.sin(turn * x) - slope_of_K
    curvature = -(turn**2) * second * np.cos(turn * x) - K + 1 / np.cosh(x)
    np.testing.assert_allclose(np.gradient(excess, step)[1:-1], slope[1:-1], atol=1e-6)
    np.testing.assert_allclose(np.gradient(slope, step)[1:-1], curvature[1:-1], atol=1e-6)
    # It begins at 0, level, and curves upwards: the third derivative is below 2 in size.
    start = x <= 0.05
    assert abs(excess[0]) < 1e-15
    assert slope[0] == 0
    assert curvature[start].min() > 2 * step / 2
    # Then it stays above what it may lose between two points: its curvature is below 1.3 in size.
    assert (excess - abs(slope) * step / 2 - 1.3 * step**2 / 8)[~start].min() > 0
    # From there on K, which falls, is below the lowest of U.
    assert slope_of_K[-1] < 0
    assert K[-1] < first - second


@pytest.mark.parametrize("depth", [1, 7, 64, 191, 192, 193, 500])
def test_a_product_in_tiles_is_within_the_error_that_is_claimed(depth):
    rng = np.random.default_rng(depth)
    number, width = 3 * matmul.PANEL, 2 * matmul.WIDTH
    a, b = (np.sqrt(_ordinary(rng, n, depth)).astype(np.float32) for n in (number, width))
    tile = np.full((number, 2 * width), np.nan, np.float32)
    multiply = _callable_multiply()
    for add in (False, True):
        panels = _panels(a, matmul.PANEL), _panels(b, matmul.WIDTH)
        multiply(*panels, 0, 2, tile, width, add)
    exact = 2 * (a.astype(np.float64) @ b.astype(np.float64).T)
    assert np.isnan(tile[:, :width]).all()
    assert np.abs(tile[:, width:] - exact).max() <= 2 * blocking.margin(depth)


def _panels(rows: np.ndarray, height: int) -> np.ndarray:
    panels = rows.reshape(-1, height, rows.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(panels)


@cache
def _callable_multiply():
    from jsdiv_numba._kernels.codegen.dispatch import callable_from_python

    @callable_from_python
    def multiply(a, b, first, panels, tile, column, add):
        matmul.multiply_panels(a, b, first, panels, tile, column, add)

    return multiply


def test_distances_have_the_bits_of_cdist_because_both_link_one_compiled_sum():
    """Loops are vectorised where they are compiled: once, for one signature."""
    compiled("pairs", "float64")
    compiled("search_neighbors", "float64")
    shared = pair_kernels(FLOAT64, JS)
    assert len(shared.entropy_sums.signatures) == 1
    assert len(shared.divergence.signatures) == 1


@SEARCHED_OR_NOT
def test_rows_that_cannot_be_normalised_come_last(few, monkeypatch):
    monkeypatch.setattr(searching, "FEW_PAIRS", few)
    rng = np.random.default_rng(3)
    rows = _ordinary(rng, 30, 5)
    rows[[2, 11]] = 0
    rows[7, 3] = np.nan
    _check(rows, None, 29)
    _check(rows, rows[5:], 25)
    distances, indices = kneighbors(rows, n_neighbors=28)
    assert np.isnan(distances[2]).all()
    assert indices[2].tolist() == [j for j in range(30) if j != 2][:28]
    assert [row.size for row in radius_neighbors(rows, radius=1)[1]][:4] == [26, 26, 0, 26]
    distances, indices = kneighbors(np.zeros((4, 3)), n_neighbors=3)
    assert np.isnan(distances).all()
    assert indices.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


@pytest.mark.parametrize("kind", [_ordinary, _duplicates, _at_the_bound])
def test_so_many_neighbours_that_all_pairs_are_computed(kind, monkeypatch):
    monkeypatch.setattr(searching, "BLOCK_PAIRS", 3000)
    rows = kind(np.random.default_rng(13), 200, 5).astype(np.float64)
    rows[[3, 150]] = 0
    rows[70, 2] = np.nan
    for number in (64, 198, 199):
        _check(rows, None, number, base=10, metric="js_divergence")
    _check(rows[:30], rows[20:], 180)
    rows[7, 1] = -1
    with pytest.raises(ValueError, match=r"X\[7, 1\] is -1.0"):
        kneighbors(rows, n_neighbors=150)


@pytest.mark.parametrize("own", [False, True])
def test_rows_in_chunks_have_the_same_neighbours(own, monkeypatch):
    monkeypatch.setattr(searching, "CHUNK_BYTES", 1)
    monkeypatch.setattr(searching, "PREPARED_ELEMENTS", 1000)
    rng = np.random.default_rng(4)
    rows = _duplicates(rng, 1300, 12)
    rows[1200] = 0
    _check(rows, None if own else rows[:1000], 9)


def test_more_pairs_than_there_is_room_for_at_a_time(monkeypatch):
    monkeypatch.setattr(searching, "QUERIES", 16)
    rows = _ordinary(np.random.default_rng(6), 1500, 4)
    within = radius_neighbors(rows[:40], rows, radius=np.inf)
    distances, indices = _sorted(cdist(rows[:40], rows))
    np.testing.assert_array_equal(np.stack(within[1]), indices)
    np.testing.assert_array_equal(np.stack(within[0]), distances)


def test_the_number_of_workers_changes_nothing():
    rows = _concentrated(np.random.default_rng(7), 900, 20)
    expected, within = kneighbors(rows, workers=1), radius_neighbors(rows, workers=1)
    for workers in (2, 5):
        with set_workers(workers):
            for one, other in zip(expected, kneighbors(rows), strict=True):
                np.testing.assert_array_equal(one, other)
            for one, other in zip(within, radius_neighbors(rows), strict=True):
                np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_pairs_and_may_stop_the_search(workers):
    rows = _ordinary(np.random.default_rng(8), 500, 6)
    seen = []
    kneighbors(rows, progress=lambda *counts: seen.append(counts), workers=workers)
    assert [total for _, total in seen] == [500 * 500] * len(seen)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (500 * 500, 500 * 500)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        radius_neighbors(rows, progress=stop, workers=workers)
    assert threading.active_count() < 50


def test_graphs_hold_the_neighbours_and_distances_of_0():
    rows = np.repeat(_ordinary(np.random.default_rng(9), 20, 6), 2, axis=0)
    distances, indices = kneighbors(rows, n_neighbors=3)
    graph = kneighbors_graph(rows, n_neighbors=3)
    assert graph.shape == (40, 40)
    np.testing.assert_array_equal(graph.indices.reshape(40, 3), indices)
    np.testing.assert_array_equal(graph.data.reshape(40, 3), distances)
    assert graph.data.reshape(40, 3)[:, 0].tolist() == [0.0] * 40
    assert set(kneighbors_graph(rows, n_neighbors=3, mode="connectivity").data) == {1.0}
    within = radius_neighbors(rows[:7], rows, 0.2)
    graph = radius_neighbors_graph(rows[:7], rows, 0.2)
    assert graph.shape == (7, 40)
    np.testing.assert_array_equal(graph.indices, np.concatenate(within[1]))
    np.testing.assert_array_equal(graph.data, np.concatenate(within[0]))


@pytest.mark.parametrize("queries", [0, 3])
def test_nothing_found_and_nothing_asked(queries):
    rows = np.eye(4)
    distances, indices = radius_neighbors(rows[:queries] + 1e-3, rows, 0.0)
    assert distances.shape == indices.shape == (queries,)
    assert [row.tolist() for row in indices] == [[]] * queries
    assert kneighbors(rows[:queries], rows, 2)[1].shape == (queries, 2)


def test_the_class_keeps_its_rows_and_finds_the_same():
    rng = np.random.default_rng(11)
    rows, queries = _concentrated(rng, 300, 10), _concentrated(rng, 20, 10)
    search = neighbors.JensenShannonNeighbors(4, radius=0.3, base=2).fit(rows)
    for copy in (search, pickle.loads(pickle.dumps(search))):
        for X in (None, queries):
            given = (rows, None) if X is None else (queries, rows)
            expected = kneighbors(*given, 4, base=2)
            for one, other in zip(copy.kneighbors(X), expected, strict=True):
                np.testing.assert_array_equal(one, other)
            within = radius_neighbors(*given, 0.3, base=2)
            for one, other in zip(copy.radius_neighbors(X), within, strict=True):
                np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))
    assert (search.radius_neighbors_graph(mode="connectivity").data == 1).all()
    assert search.kneighbors(queries, 2, return_distance=False).shape == (20, 2)


def test_its_graph_holds_each_fitted_row_as_its_own_neighbour():
    rows = _ordinary(np.random.default_rng(12), 50, 8)
    search = neighbors.JensenShannonNeighbors(3)
    graph = search.fit_transform(rows)
    assert graph.indices.reshape(50, 4)[:, 0].tolist() == list(range(50))
    np.testing.assert_array_equal(graph.toarray(), search.transform(rows).toarray())
    search.mode = "connectivity"
    assert search.transform(rows).nnz == 150


def test_a_small_search_does_not_wait_for_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed before they are compiled has the same bits, and an end."""
    rows, asked = _ordinary(np.random.default_rng(5), 150, 6), list[str]()
    monkeypatch.setattr(searching, "is_at_hand", lambda *_: False)
    monkeypatch.setattr(
        searching, "_before_compiling", searching._Budget(2 * 150 * 150 * pairwise.LANES)
    )
    found = searching.kernel
    monkeypatch.setattr(searching, "kernel", lambda name: asked.append(name) or found(name))
    first = kneighbors(rows, n_neighbors=4)
    kneighbors(rows, n_neighbors=4)
    assert not asked
    for ours, before in zip(kneighbors(rows, n_neighbors=4), first, strict=True):
        np.testing.assert_array_equal(ours, before)
    assert "search_neighbors" in asked
