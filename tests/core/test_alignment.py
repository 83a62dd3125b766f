"""Tests of jsdiv_numba._core.alignment: what is labelled alike has to stand in the same order."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import jsdiv_numba as js
from jsdiv_numba import batch
from jsdiv_numba._core.alignment import check_labels
from jsdiv_numba.neighbors import JensenShannonNeighbors

VALUES = np.random.default_rng(0).dirichlet(np.ones(3), 4)
TABLE = pd.DataFrame(VALUES, columns=["a", "b", "c"], index=list("wxyz"))
OTHER = TABLE[["a", "c", "b"]]
MESSAGE = (
    "{} and {} have the same columns in another order: column 1 is 'b' in {} and 'c' in {}; bring "
    "them into one order"
)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (js.js_divergence, "PQ"),
        (js.js_divergence_logit, "PQ"),
        (js.kl_divergence, "PQ"),
        (js.js_divergence_grad, "PQ"),
        (lambda P, Q: js.js_divergence(P, Q, reduce=False), "PQ"),
        (js.JSDivergenceLoss(), "PQ"),
        (js.JSDivergenceLoss().value_and_grad, "PQ"),
        (js.jensenshannon, "pq"),
        (lambda p, q: js.jensenshannon(p, q, axis=1), "pq"),
        (js.cdist, ("XA", "XB")),
        (lambda X, Y: js.kneighbors(X, Y, 1), "XY"),
        (js.radius_neighbors, "XY"),
        (lambda *P: js.js_divergence_many(P), ("P[0]", "P[1]")),
    ],
)
def test_columns_in_another_order(call, names):
    with pytest.raises(ValueError, match="order") as caught:
        call(TABLE, OTHER)
    assert str(caught.value) == MESSAGE.format(*names, *names)
    call(TABLE, OTHER[TABLE.columns])
    call(TABLE, OTHER.to_numpy())
    call(TABLE, OTHER.set_axis(list("xyz"), axis=1))


@pytest.mark.parametrize("compared", [batch.pairwise, batch.rows, batch.neighbors])
def test_columns_of_tables_that_are_compared_in_tiles(compared, tmp_path):
    arguments = {"n_neighbors": 1} if compared is batch.neighbors else {}
    with pytest.raises(ValueError, match="order") as caught:
        compared(TABLE, OTHER, out=tmp_path / "d.npy", **arguments)
    names = "PQPQ" if compared is batch.rows else "XYXY"
    assert str(caught.value) == MESSAGE.format(*names)
    compared(TABLE, OTHER[TABLE.columns], out=tmp_path / "d.npy", **arguments)


def test_labels_that_are_summed_over():
    message = r"^P and Q have the same labels in another order: label 0 is 'w' in P and 'z' in Q; "
    with pytest.raises(ValueError, match=message):
        js.js_divergence(TABLE, TABLE[::-1], axis=0)
    with pytest.raises(ValueError, match=message):
        js.js_divergence(TABLE, TABLE[::-1], axis=None)
    with pytest.raises(ValueError, match=message):
        js.js_divergence(TABLE.a, TABLE.a[::-1])
    with pytest.raises(ValueError, match=r"^P and Q have the same labels .* 'b' in P and 'c' in Q"):
        js.js_divergence(TABLE, OTHER.iloc[0])
    with pytest.raises(ValueError, match=r"^P and Q have the same labels .* 'b' in P and 'c' in Q"):
        js.contributions(TABLE.iloc[0], OTHER.iloc[0], labels="xyz")
    # Of rows that are compared with each other, the order says which with which.
    expected = js.js_divergence(VALUES, VALUES[::-1])
    np.testing.assert_array_equal(js.js_divergence(TABLE, TABLE[::-1]), expected)


def columns_in(order):
    """Return what Polars' tables have, as far as it matters."""
    table = TABLE[order]
    return SimpleNamespace(__array__=table.__array__, columns=order)


@pytest.mark.parametrize(
    "kind",
    [
        lambda order: TABLE[order].to_xarray().to_dataarray().T,
        lambda order: pa.table(TABLE[order]),
        columns_in,
    ],
    ids=["xarray", "Arrow", "Polars"],
)
def test_other_tables(kind):
    one, other, same = kind(["a", "b", "c"]), kind(["a", "c", "b"]), kind(["a", "b", "c"])
    with pytest.raises(ValueError, match=r"^P and Q have the same .* 1 is 'b' in P and 'c' in Q;"):
        check_labels("PQ", [one, other])
    check_labels("PQ", [one, same])
    check_labels("PQ", [one, np.ones(3)])


def test_other_labels_and_those_of_other_lengths_are_no_error():
    one, two, many = (pd.Series(np.ones(n)) for n in (1, 2, 3))
    check_labels("PQR", [one, two, many])
    check_labels("PQ", [two, two.set_axis(["a", "b"])])
    check_labels("PQ", [two.set_axis(["a", "a"]), two.set_axis(["a", "b"])])
    with pytest.raises(ValueError, match="label 0 is 0 in P and 1 in R"):
        check_labels("PQR", [two, np.ones(2), two[::-1]])


def test_the_searcher_compares_with_what_it_was_fitted_to():
    search = JensenShannonNeighbors(1).fit(TABLE)
    with pytest.raises(ValueError, match="order"):
        search.kneighbors(OTHER)
    one, other = (
        TABLE[order].to_xarray().to_dataarray().T for order in (["a", "b", "c"], ["a", "c", "b"])
    )
    search = JensenShannonNeighbors(1).fit(one)
    search.kneighbors(one)
    with pytest.raises(ValueError, match=r"^the fitted X and X have .* column 1 is 'b' in"):
        search.kneighbors(other)
