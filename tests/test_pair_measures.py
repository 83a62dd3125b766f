"""Pairs of rows in other measures: the skewed divergence, and the Kullback-Leibler divergence."""

import numpy as np
import pytest
from mpmath import workdps
from scipy import sparse

from jsdiv_numba import (
    cdist,
    js_divergence,
    kl_divergence,
    kneighbors,
    kneighbors_graph,
    pdist,
    radius_neighbors,
    radius_neighbors_graph,
)
from jsdiv_numba._core.pair_metric import metric_of
from jsdiv_numba._neighbors import search as searching
from jsdiv_numba.neighbors import JensenShannonNeighbors
from tests import cases, oracle

PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
PAIR_ERROR = {np.float64: 1e-11, np.float32: 1e-4}
DIGITS = {1e-200: 450}
"""What tells such a weight's rest from 1."""

LEAST = {np.float64: 1e-200, np.float32: 1e-20}
WEIGHTS = (0.0, 1e-9, 0.1, 0.3, 0.5, 0.77, 1 - 1e-9, 1.0)
WEIGHTED = [{"weight": 0.2, "metric": metric} for metric in ("jensenshannon", "js_divergence")]
OTHERS = [*WEIGHTED, {"weight": 0.999}, {"metric": "kl_divergence"}]
MEASURES = pytest.mark.parametrize("options", OTHERS, ids=str)


def rng():
    return np.random.default_rng(12)


def rows_of(number, length, filled=1.0, dtype=np.float64):
    """Rows of which some are equal, in proportion, or nearly equal, and the last is empty."""
    rows = rng().gamma(1.0, size=(number, length)) * (rng().random((number, length)) < filled)
    rows[2::5] = rows[:1] * 4
    rows[3::5] = rows[1:2] * (1 + 1e-6 * rng().standard_normal((len(rows[3::5]), length)))
    rows[-1] = 0
    return rows.astype(dtype)


def message_of(error, function, *arguments, **options):
    with pytest.raises(error) as caught:
        function(*arguments, **options)
    assert caught.type is error
    return str(caught.value)


def relative_error(value, exact):
    """The error beyond one unit of the smallest subnormal number."""
    if exact in (0, np.inf):
        return 0.0 if value == exact else np.inf
    subnormal = float(np.finfo(value.dtype).smallest_subnormal)
    return float(max(abs(value - exact) - subnormal, 0) / exact)


def pairs_of_kinds(dtype, number):
    """Pairs of every kind whose sums are not 0, and how many digits tell their divergence."""
    generator = rng()
    for kind, draw in cases.ROWS.items():
        for _ in range(number):
            P, Q = draw(generator, dtype)
            if P.any() and Q.any():
                yield P, Q, 700 if kind in ("mixed_scales", "scaled") else 60


class TestAccuracy:
    @PRECISIONS
    def test_of_the_skewed_divergence_for_weights_of_every_size(self, dtype):
        generator = rng()
        for P, Q, digits in pairs_of_kinds(dtype, 12):
            weight = generator.choice([*WEIGHTS, LEAST[dtype], generator.random()])
            with workdps(max(digits, DIGITS.get(weight, 0))):
                exact = oracle.skewed_divergence_normalised(P, Q, float(dtype(weight)))
                pair = cdist(P[None], Q[None], "js_divergence", weight=float(dtype(weight)))[0, 0]
                assert relative_error(pair, exact) < PAIR_ERROR[dtype], (P, Q, weight)

    @PRECISIONS
    def test_of_the_kullback_leibler_divergence(self, dtype):
        for P, Q, digits in pairs_of_kinds(dtype, 12):
            with workdps(digits):
                exact = oracle.kl_divergence_normalised(P, Q)
                pair = cdist(P[None], Q[None], "kl_divergence")[0, 0]
                assert relative_error(pair, exact) < PAIR_ERROR[dtype], (P, Q)

    @pytest.mark.parametrize("weight", [None, 1e-200, 0.25])
    def test_of_sparse_rows_is_that_of_dense_ones(self, weight):
        given = {"metric": "kl_divergence"} if weight is None else {"weight": weight}
        for P, Q, digits in pairs_of_kinds(np.float64, 4):
            columns = np.sort(rng().choice(10_000, P.size, replace=False))
            places = np.repeat([0, 1], P.size), np.tile(columns, 2)
            both = sparse.csr_array((np.concatenate([P, Q]), places), shape=(2, 10_000))
            with workdps(max(digits, DIGITS.get(weight, 0))):
                if weight is None:
                    exact = oracle.kl_divergence_normalised(P, Q)
                else:
                    exact = oracle.skewed_divergence_normalised(P, Q, weight)
                value = cdist(both[:1], both[1:], **{"metric": "js_divergence", **given})[0, 0]
                assert relative_error(value, exact) < PAIR_ERROR[np.float64], (P, Q)

    @PRECISIONS
    @pytest.mark.parametrize("weight", [1e-3, 0.1, 0.6, 0.97])
    def test_holds_about_the_threshold(self, weight, dtype):
        """Against rows in float64, which are held to mpmath."""
        X = rng().dirichlet(np.full(300, 0.5), 60)
        sizes = 10.0 ** rng().uniform(-3, 0, (60, 1))
        Y = (X * np.exp(sizes * rng().standard_normal(X.shape))).astype(dtype)
        X = X.astype(dtype)
        exact = divided(X, Y, lambda P, Q: js_divergence(P, Q, weight=weight, keepdims=False))
        values = cdist(X, Y, "js_divergence", weight=weight).diagonal()
        np.testing.assert_allclose(values, exact, rtol=PAIR_ERROR[dtype])


def divided(X, Y, function):
    P, Q = (rows.astype(np.longdouble) for rows in (X, Y))
    P, Q = (rows / rows.sum(axis=1, keepdims=True) for rows in (P, Q))
    return function(P.astype(float), Q.astype(float))


class TestKullbackLeibler:
    def test_is_of_the_second_from_the_first(self):
        P, Q = rng().dirichlet(np.ones(9), (2, 4))
        expected = kl_divergence(P[:, None], Q[None], keepdims=False, base=2)
        np.testing.assert_allclose(cdist(P, Q, "kl_divergence", base=2), expected, rtol=1e-12)
        np.testing.assert_allclose(cdist(3 * P, Q / 7, "KL_Divergence", base=2), expected)

    @PRECISIONS
    def test_is_infinite_where_the_second_alone_has_none(self, dtype):
        P = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 5]], dtype)
        values = cdist(P, P, "kl_divergence")
        assert values.dtype == dtype
        assert np.isinf(values).tolist() == [
            [False, True, True],
            [True, False, True],
            [False, True, False],
        ]
        assert values.diagonal().tolist() == [0, 0, 0]
        np.testing.assert_allclose(values[2, 0], np.log(2), rtol=1e-6)

    def test_is_finite_where_floats_of_a_quotient_end(self):
        P, Q = np.array([[1.0, 1.0]]), np.array([[1e300, 1e-300]])
        expected = -np.log(2) + 0.5 * 600 * np.log(10)
        for q in (Q, sparse.csr_array(Q)):
            value = cdist(P, q, "kl_divergence")[0, 0]
            np.testing.assert_allclose(value, expected, rtol=1e-14)
        assert cdist(Q, P, "kl_divergence")[0, 0] == pytest.approx(np.log(2))

    def test_has_no_weight(self):
        message = message_of(ValueError, cdist, [[1]], [[1]], "kl_divergence", weight=0.3)
        assert message == (
            "weight is 0.3; metric='kl_divergence' takes none: leave it out, or see "
            "metric='js_divergence'"
        )
        assert cdist([[1]], [[1]], "kl_divergence", weight=0.5) == 0


class TestSkewed:
    @pytest.mark.parametrize("weight", WEIGHTS)
    def test_is_the_divergence_of_rows(self, weight):
        P, Q = rng().dirichlet(np.ones(40), (2, 12))
        expected = js_divergence(P[:, None], Q[None], weight=weight, keepdims=False)
        values = cdist(P, Q, "js_divergence", weight=weight)
        np.testing.assert_allclose(values, expected, rtol=1e-11, atol=0)
        np.testing.assert_allclose(cdist(P, Q, weight=weight), np.sqrt(expected), rtol=1e-11)

    @PRECISIONS
    @pytest.mark.parametrize("weight", WEIGHTS[1:-1])
    def test_of_disjoint_rows_is_the_entropy_of_the_weights(self, weight, dtype):
        P, Q = np.array([[1, 2, 0, 0]], dtype), np.array([[0, 0, 0, 3]], dtype)
        most = -weight * np.log(weight) - (1 - weight) * np.log1p(-weight)
        values = cdist(P, Q, "js_divergence", weight=weight)
        np.testing.assert_allclose(values, [[most]], rtol=PAIR_ERROR[dtype])
        assert values[0, 0] <= dtype(most)

    def test_of_swapped_rows_has_the_other_weight(self):
        X, Y = rows_of(20, 30, 0.6), rows_of(12, 30)
        for weight in (0.25, 0.875):
            back = cdist(Y, X, weight=1 - weight)
            np.testing.assert_array_equal(cdist(X, Y, weight=weight), back.T)

    @pytest.mark.parametrize("filled", [0.3, 1.0])
    def test_of_half_is_the_same_to_the_last_bit(self, filled):
        X = rows_of(60, 40, filled)
        for weight in (0.5, np.float64(0.5), np.array(0.5)):
            assert cdist(X, X, weight=weight).tobytes() == cdist(X, X).tobytes()
            assert pdist(X, weight=weight).tobytes() == pdist(X).tobytes()

    def test_without_one_of_both_is_zero_or_nan(self):
        X = rows_of(12, 20)
        for weight in (0, 1):
            values = cdist(X, X, weight=weight)
            assert not values[:-1, :-1].any()
            assert np.isnan(values[-1]).all()
            assert np.isnan(values[:, -1]).all()

    @pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan, np.inf])
    def test_has_a_weight_between_0_and_1(self, weight):
        rule = f"weight is {weight}; a weight must be between 0 and 1"
        for function in (pdist, kneighbors, radius_neighbors):
            assert message_of(ValueError, function, [[1, 1]] * 9, weight=weight) == rule
        assert message_of(ValueError, cdist, [[1]], [[1]], weight=weight) == rule

    def test_has_one_weight(self):
        rule = "weight has shape (2,); all pairs have one: pass a number"
        assert message_of(ValueError, cdist, [[1]], [[1]], weight=[0.1, 0.2]) == rule


@MEASURES
@PRECISIONS
@pytest.mark.parametrize("filled", [0.2, 1.0])
class TestPairs:
    def test_are_the_same_in_any_way(self, options, dtype, filled):
        X = rows_of(90, 40, filled, dtype)
        values = cdist(X, X, **options)
        assert values.dtype == dtype
        np.testing.assert_array_equal(values, cdist(X, X.copy(), **options))
        np.testing.assert_array_equal(values, cdist(X, X, workers=3, **options))
        np.testing.assert_array_equal(values[:7], cdist(X[:7], X, **options))
        np.testing.assert_array_equal(values[:, 3:4], cdist(X, X[3:4], **options))
        np.testing.assert_array_equal(values, cdist(X, X, out=np.empty((90, 90), dtype), **options))
        above = values[np.triu_indices(90, 1)]
        np.testing.assert_array_equal(pdist(X, **options), above)
        out = np.empty(above.size, dtype)
        np.testing.assert_array_equal(pdist(X, out=out, **options), above)
        assert not values.diagonal()[:-1].any()
        assert np.isnan(values[-1]).all()
        assert np.isnan(values[:, -1]).all()
        assert (values[:-1, :-1] >= 0).all()

    def test_up_to_a_value_are_those(self, options, dtype, filled):
        X = rows_of(50, 40, filled, dtype)
        values = cdist(X, X, **options)
        most = float(np.nanmedian(values[np.isfinite(values)]))
        found = cdist(X, X, max_distance=most, **options)
        assert found.dtype == dtype
        places = np.nonzero(values <= most)
        np.testing.assert_array_equal(found.tocoo().coords, places)
        np.testing.assert_array_equal(found.data, values[places])

    def test_of_sparse_rows_are_those_of_dense_ones(self, options, dtype, filled):
        X = rows_of(50, 40, filled, dtype)
        C = sparse.csr_array(X)
        np.testing.assert_allclose(
            cdist(C, C, **options), cdist(X.astype(float), X, **options), rtol=PAIR_ERROR[dtype]
        )
        np.testing.assert_array_equal(
            pdist(C, **options), cdist(C, X, **options)[np.triu_indices(50, 1)]
        )


def in_order(values, own):
    """All values of each row and their columns, in order: by value, then by column, NaN last."""
    values = values.astype(np.float64)
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    if own:
        others, shape = ~np.eye(len(values), dtype=bool), (len(values), -1)
        values, columns = values[others].reshape(shape), columns[others].reshape(shape)
    order = np.lexsort((columns, values))
    return np.take_along_axis(values, order, 1), np.take_along_axis(columns, order, 1)


def check(X, Y, number, options):
    """Neighbours are those that brute force finds, to the last bit."""
    values, columns = in_order(cdist(X, X if Y is None else Y, **options), Y is None)
    near, places = kneighbors(X, Y, number, **options)
    np.testing.assert_array_equal(places, columns[:, :number])
    np.testing.assert_array_equal(near, values[:, :number])
    finite = values[np.isfinite(values)]
    radius = float(np.quantile(finite, 0.2))
    near, places = radius_neighbors(X, Y, radius, **options)
    for i, row in enumerate(values):
        size = np.count_nonzero(row <= radius)
        np.testing.assert_array_equal(near[i], row[:size])
        np.testing.assert_array_equal(places[i], columns[i, :size])


@MEASURES
class TestNeighbours:
    @pytest.mark.parametrize("shape", [(90, 3), (700, 16), (500, 64)])
    @pytest.mark.parametrize("concentration", [0.05, 1.0])
    def test_are_those_of_brute_force(self, options, shape, concentration):
        rows = rng().gamma(concentration, size=shape)
        rows[rows < 1e-3] = 0
        rows[::20] = rows[1]
        check(rows, None, 7, options)
        check(rows[:70], rows[20:], 5, {**options, "base": 2})

    def test_of_rows_about_one_centre_are_those_of_brute_force(self, options):
        separations = 10.0 ** rng().uniform(-12, -1, (600, 1))
        rows = 1 + separations * rng().random((600, 12))
        check(rows, None, 6, options)

    def test_of_few_rows_are_searched_as_well(self, options, monkeypatch):
        monkeypatch.setattr(searching, "FEW_PAIRS", 0)
        check(rows_of(64, 6), None, 5, options)
        check(rows_of(64, 6, 0.4), None, 3, options)

    def test_of_sparse_rows_are_those_of_dense_ones(self, options):
        X = rows_of(300, 40, 0.5)
        C = sparse.csr_array(X)
        for number in (5, 299):
            expected = in_order(cdist(C, C, **options), True)
            near, places = kneighbors(C, n_neighbors=number, **options)
            np.testing.assert_array_equal(places, expected[1][:, :number])
            np.testing.assert_array_equal(near, expected[0][:, :number])

    def test_are_in_graphs_and_of_the_estimator(self, options):
        X, Y = rows_of(200, 20, 0.8)[:-1], rows_of(90, 20)[:-1]
        near, places = kneighbors(X, Y, 4, **options)
        graph = kneighbors_graph(X, Y, 4, **options)
        np.testing.assert_array_equal(graph.data, near.ravel())
        np.testing.assert_array_equal(graph.indices, places.ravel())
        radius = float(np.median(near))
        within = radius_neighbors_graph(X, Y, radius, **options)
        for fitted in (Y, sparse.csr_array(Y)):
            search = JensenShannonNeighbors(4, radius=radius, **options).fit(fitted)
            np.testing.assert_array_equal(search.kneighbors(X)[1], places)
            np.testing.assert_allclose(
                search.radius_neighbors_graph(X).toarray(), within.toarray(), rtol=1e-11
            )


def test_the_estimator_takes_another_metric_after_fitting():
    X = rows_of(80, 12)[:-1]
    for rows in (X, sparse.csr_array(X)):
        search = JensenShannonNeighbors(3).fit(rows)
        for options in ({}, {"weight": 0.2}, {"metric": "kl_divergence", "weight": 0.5}):
            search.set_params(**options)
            near, _ = kneighbors(rows, n_neighbors=3, **options)
            np.testing.assert_array_equal(search.kneighbors()[0], near)


@pytest.mark.parametrize("metric", ["js_divergence", "kl_divergence"])
def test_each_measure_is_at_least_its_multiple_of_the_divergence(metric):
    """Which the search's bounds are made of; that no more holds, of some ratio of two numbers."""
    ratios = np.concatenate([[0], np.logspace(-300, 300, 4001)])
    P, Q = np.stack([ratios, 0 * ratios], 1), np.ones((len(ratios), 1)) * [1, 0]
    even = js_divergence(P, Q, reduce=False)[:, 0]
    for weight in (0.5,) if metric == "kl_divergence" else (1e-9, 0.2, 0.5, 0.9, 1 - 1e-6):
        wanted = metric_of(metric, None, weight)
        if metric == "kl_divergence":
            p, q = P[:, 0], Q[:, 0]
            terms = kl_divergence(P, Q, reduce=False)[:, 0] - p + q
        else:
            terms = js_divergence(P, Q, weight=weight, reduce=False)[:, 0]
        known = even > 0
        quotient = terms[known] / even[known]
        assert quotient.min() >= wanted.multiple * (1 - 1e-9)
        assert quotient.min() <= wanted.multiple * (1 + 1e-2)
