"""Contributions: the parts of one divergence, which add up to it exactly."""

import copy
import math
import pickle
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import cdist, contributions, js_divergence
from tests import cases, oracle
from tests.strategies import LAYOUTS, probability_pairs

PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
KINDS = pytest.mark.parametrize("kind", cases.ROWS)
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
P = np.array([0.5, 0.3, 0.2, 0.0])
Q = np.array([0.2, 0.3, 0.1, 0.4])


def exact_sum(parts):
    """Return what values and rest add up to, rounded once to their dtype."""
    return parts.values.dtype.type(math.fsum([*parts.values.tolist(), float(parts.rest)]))


def total_of(p, q, base=None):
    return js_divergence(p, q, keepdims=False, base=base)


def test_the_largest_part_stands_first():
    parts = contributions(P, Q, labels=["a", "b", "c", "d"])
    assert parts.labels == ("d", "a", "c", "b")
    assert parts.indices.tolist() == [3, 0, 2, 1]
    assert parts.signs.tolist() == [-1, 1, 1, 0]
    np.testing.assert_allclose(parts.values, js_divergence(P, Q, reduce=False)[parts.indices])
    assert (parts.rest, parts.others, parts.total) == (0, 0, total_of(P, Q))


def test_what_is_beyond_the_top_is_one_number():
    every = contributions(P, Q)
    parts = contributions(P, Q, top=1)
    assert (parts.labels, parts.others) == ((3,), 3)
    assert parts.rest == pytest.approx(every.values[1:].sum(), rel=1e-15)
    assert exact_sum(parts) == parts.total == every.total


@pytest.mark.parametrize("top", [0, 1, 3, 4, 5, np.int8(2)])
def test_any_top(top):
    parts = contributions(P, Q, top=top)
    assert len(parts) == len(parts.values) == len(parts.signs) == min(top, 4)
    assert len(parts) + parts.others == 4
    assert exact_sum(parts) == parts.total


def test_it_is_a_sequence_of_rows():
    parts = contributions(P, Q, labels="abcd", top=2)
    assert [part.label for part in parts] == ["d", "a"]
    assert [part.side for part in parts] == ["Q", "P"]
    assert list(parts) == [parts[0], parts[1]]
    assert parts[-1] == parts[1]
    np.testing.assert_array_equal([part.value for part in parts], parts.values)
    np.testing.assert_array_equal([part.share for part in parts], parts.shares)
    np.testing.assert_allclose(parts.shares, parts.values / parts.total)
    with pytest.raises(IndexError):
        parts[2]


@PRECISIONS
@KINDS
def test_parts_add_up_exactly_and_are_as_accurate_as_their_sum(kind, dtype):
    rng = np.random.default_rng(1)
    for base in [None, 2.0, 10.0] * 30:
        p, q = cases.ROWS[kind](rng, dtype)
        parts = contributions(p, q, base=base, top=rng.choice([None, 0, 1, 5]))
        assert parts.values.dtype == dtype
        assert parts.total == total_of(p, q, base)
        assert exact_sum(parts) == parts.total
        assert (np.diff(parts.values) <= 0).all()
        assert min(parts.values.min(initial=0), parts.rest) >= 0
        exact = oracle.js_terms(p, q)
        divisor = math.log(base or math.e)
        for part, i in zip(parts, parts.indices, strict=True):
            assert part.label == i
            assert part.side == ("P" if p[i] > q[i] else "Q" if q[i] > p[i] else "=")
            error = abs(float(part.value) - float(exact[i] / divisor))
            assert error <= max(ERROR[dtype] * parts.total, 8 * np.finfo(dtype).smallest_subnormal)


@pytest.mark.parametrize("kind", ["ordinary", "sparse", "near_equal", "disjoint", "scaled"])
def test_normalised_parts(kind):
    rng = np.random.default_rng(2)
    for _ in range(30):
        p, q = cases.ROWS[kind](rng, np.float64)
        p *= rng.uniform(0.01, 100)
        if not (p.any() and q.any()):
            continue
        parts = contributions(p, q, normalise=True)
        assert parts.total == pytest.approx(
            float(oracle.js_divergence_normalised(p, q)), rel=1e-10, abs=1e-32
        )
        assert exact_sum(parts) == parts.total
        x, y, exact = oracle.normalised(p), oracle.normalised(q), oracle.js_terms_normalised(p, q)
        for part, i in zip(parts, parts.indices, strict=True):
            approximately = pytest.approx(float(exact[i]), rel=1e-10, abs=1e-12 * parts.total)
            assert part.value == approximately
            if part.value > 1e-12 * parts.total:
                assert part.side == ("P" if x[i] > y[i] else "Q")


def test_normalised_rows_that_are_nearly_equal_keep_their_digits():
    """Dividing by the sums first would leave nothing but rounding errors."""
    p = np.array([3.0, 7.0, 11.0])
    q = 3 * p + [3e-10, 0, -3e-10]
    parts = contributions(p, q, normalise=True)
    assert parts.labels == (0, 2, 1)
    assert parts.signs[:2].tolist() == [-1, 1]
    assert parts.values[2] < 1e-10 * parts.total
    exact = float(oracle.js_divergence_normalised(p, q))
    assert parts.total == pytest.approx(exact, rel=1e-10)
    assert 1e-24 < exact < 1e-20


def test_proportional_counts_have_no_parts_once_normalised():
    parts = contributions([1, 2, 7], [3, 6, 21], normalise=True)
    assert (parts.total, parts.values.tolist(), parts.signs.tolist()) == (0, [0] * 3, [0] * 3)
    assert contributions([1, 2, 7], [3, 6, 21]).total > 1


@pytest.mark.parametrize("normalise", [False, True])
def test_it_is_the_same_with_the_sides_swapped(normalise):
    rng = np.random.default_rng(3)
    p, q = rng.dirichlet(np.ones(97), size=2)
    one, other = contributions(p, q, normalise=normalise), contributions(q, p, normalise=normalise)
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.signs, -other.signs)


@settings(deadline=None, max_examples=60)
@given(probability_pairs(), st.none() | st.integers(0, 100))
def test_values_and_rest_always_round_to_the_divergence(pair, top):
    parts = contributions(*pair, top=top)
    assert exact_sum(parts) == parts.total == total_of(*pair)
    assert sorted([*parts.indices.tolist()]) == sorted(set(parts.indices.tolist()))
    assert len(parts) + parts.others == pair.P.size


def test_where_equal_values_have_to_differ_their_order_stays():
    """Seven equal terms do not add up to the rounded divergence by themselves."""
    moved = 0
    for n in range(2, 40):
        parts = contributions(np.full(n, 1 / n), np.full(n, 0.9 / n))
        assert exact_sum(parts) == parts.total
        assert parts.indices.tolist() == list(range(n))
        assert np.ptp(parts.values) <= 2 * np.spacing(parts.values[0])
        moved += np.ptp(parts.values) > 0
    assert moved


def test_equal_distributions():
    parts = contributions(P, P, top=2)
    assert (parts.total, parts.rest, parts.shares.tolist()) == (0, 0, [0, 0])
    assert parts.labels == (0, 1)
    assert [part.side for part in parts] == ["=", "="]


def test_no_categories():
    parts = contributions([], [])
    assert (len(parts), parts.total, parts.rest, list(parts)) == (0, 0, 0, [])
    assert repr(parts) == "Contributions of 0 categories to a divergence of 0"


@pytest.mark.parametrize("normalise", [False, True])
def test_a_nan_comes_first_and_makes_the_total_nan(normalise):
    parts = contributions([0.5, np.nan, 0.5], [0.5, 0.1, 0.4], top=2, normalise=normalise)
    assert np.isnan(parts.total)
    assert np.isnan(parts.values[0])
    assert parts.labels[0] == (0 if normalise else 1)


def test_a_row_that_cannot_be_normalised_is_nan():
    assert np.isnan(contributions([0, 0], [1, 2], normalise=True).total)
    assert contributions([0, 0], [1, 2]).total == total_of([0, 0], [1, 2])


def test_a_divergence_beyond_the_largest_float():
    parts = contributions(np.full(8, 3e38, np.float32), np.zeros(8, np.float32), top=3)
    assert (parts.total, parts.rest) == (np.inf, np.inf)
    assert np.isfinite(parts.values).all()
    parts = contributions(np.full(8, 1.7e308), np.zeros(8), top=3, base=1000)
    assert parts.total == np.inf


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    expected = contributions(P, Q)
    parts = contributions(LAYOUTS[layout](P), LAYOUTS[layout](Q))
    np.testing.assert_array_equal(parts.values, expected.values)


@pytest.mark.parametrize("normalise", [False, True])
def test_integers_are_float64(normalise):
    p, q = np.array([3, 0, 9], np.uint8), np.array([1, 5, 3], np.uint8)
    parts = contributions(p, q, normalise=normalise)
    assert parts.values.dtype == np.float64
    assert dict(zip(parts.labels, parts.signs.tolist(), strict=True)) == {0: 1, 1: -1, 2: 1}
    if normalise:
        assert parts.total == pytest.approx(cdist([p], [q], "js_divergence")[0, 0], rel=1e-15)


def test_what_is_shown():
    parts = contributions(P, Q, labels=["spring", "summer", "autumn", "winter"], top=3)
    assert repr(parts).splitlines() == [
        "Contributions of 4 categories to a divergence of 0.1803",
        "  winter     0.1386  76.9%  Q",
        "  spring    0.03321  18.4%  P",
        "  autumn   0.008495   4.7%  P",
        "  1 other         0   0.0%",
    ]


def test_only_so_much_is_shown():
    lines = repr(contributions(np.arange(50.0), np.ones(50), top=40)).splitlines()
    assert len(lines) == 12
    assert lines[-1].split()[:2] == ["40", "others"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"P": [[0.5, 0.5]]}, r"P has shape \(1, 2\); it must be 1-d, one distribution"),
        ({"Q": 0.5}, r"Q has shape \(\); it must be 1-d, one distribution: pass one row of each"),
        ({"Q": [1.0]}, r"P of shape \(2,\) and Q of shape \(1,\) have different numbers of cat"),
        ({"Q": [0.5, -0.5]}, r"Q\[1\] is -0.5; probabilities must be finite and not negative"),
        ({"P": [np.inf, 0], "normalise": True}, r"P\[0\] is inf; probabilities must be finite"),
        ({"labels": "abc"}, "labels has length 3; there are 2 categories"),
        ({"top": -1}, "top is -1; it must be an integer, 0 or above, or None for all"),
        ({"top": 1.5}, "top is 1.5; it must be an integer"),
        ({"base": 1}, "base is 1; it must be a finite number above 1, or None for nats"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        contributions(**{"P": [0.5, 0.5], "Q": [0.2, 0.8], **arguments})


def test_no_setting_for_floating_point_errors_matters():
    rng = np.random.default_rng(8)
    with np.errstate(all="raise"):
        for _ in range(50):
            p, q = rng.integers(0, 3, (2, 20))
            parts = contributions(p, q, base=2, top=7)
            assert np.sum([*parts.values, parts.rest]) > 0


def test_labels_are_several():
    with pytest.raises(TypeError, match="labels is 5; it must be a sequence, a label for each"):
        contributions([0.5, 0.5], [0.2, 0.8], labels=5)


def test_text_is_refused():
    with pytest.raises(TypeError, match="P has dtype <U1"):
        contributions(["a"], [1.0])


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("largest", [0.5, np.nan])
def test_copies_are_equal(duplicate, dtype, largest):
    arrays = np.array([[largest, 0.25, 0.25], [0.125, 0.375, 0.5]], dtype)
    parts = contributions(*arrays, top=2, labels="abc")
    twin = duplicate(parts)
    assert twin == parts
    assert hash(twin) == hash(parts)
    assert contributions(*arrays, top=2, labels="abc") == parts


def test_different_contributions_are_not_equal():
    P, Q = [0.5, 0.25, 0.25], [0.125, 0.375, 0.5]
    parts = contributions(P, Q, top=2)
    others = [
        contributions(Q, P, top=2),
        contributions(P, Q),
        contributions(P, Q, top=2, base=2),
        contributions(P, Q, top=2, labels="abc"),
        contributions(np.float32(P), np.float32(Q), top=2),
        contributions([*P, 0], [*Q, 0], top=2),
        list(parts),
    ]
    assert parts not in others


WORDS = {"the": 5, "of": 3, "and": 1, "jazz": 2}
OTHERS = {"of": 2, "the": 9, "rock": 4}
UNION = ["the", "of", "and", "jazz", "rock"]
COUNTS = [[5, 3, 1, 2, 0], [9, 2, 0, 0, 4]]


@pytest.mark.parametrize("kind", [dict, Counter, lambda counts: pd.Series(counts, dtype=float)])
def test_labels_are_joined_and_what_is_absent_is_0(kind):
    parts = contributions(kind(WORDS), kind(OTHERS), normalise=True)
    assert parts == contributions(*COUNTS, labels=UNION, normalise=True)
    assert contributions(kind(OTHERS), kind(WORDS), normalise=True).total == parts.total


def test_series_in_another_order_are_aligned():
    first = pd.Series([0.5, 0.3, 0.2], index=["a", "b", "c"])
    second = pd.Series([0.6, 0.3, 0.1], index=["a", "b", "c"])
    assert contributions(first, second[["c", "a", "b"]]) == contributions(first, second)


def test_a_series_and_a_mapping_are_joined():
    assert contributions(pd.Series(WORDS), OTHERS) == contributions(*COUNTS, labels=UNION)


def test_one_series_names_the_categories_of_both():
    series = pd.Series([0.5, 0.5], index=["a", "b"])
    assert sorted(contributions(series, [0.2, 0.8]).labels) == ["a", "b"]
    assert sorted(contributions([0.2, 0.8], series, labels="xy").labels) == ["x", "y"]


def test_an_index_that_counts_is_none():
    with pytest.raises(ValueError, match="different numbers of categories"):
        contributions(pd.Series([0.5, 0.5]), pd.Series([0.5, 0.25, 0.25]))
    assert contributions(pd.Series([0.5, 0.5]), [0.2, 0.8]).labels == (0, 1)


def test_single_precision_stays_where_labels_are_joined():
    first = pd.Series([0.5, 0.5], index=["a", "b"], dtype="float32")
    second = pd.Series([0.5, 0.5], index=["b", "c"], dtype="float32")
    assert contributions(first, second).values.dtype == np.float32


@pytest.mark.parametrize(
    ("P", "Q", "arguments", "error", "message"),
    [
        ({"a": 1}, [1], {}, TypeError, "Q is a list without labels, and the other a mapping"),
        ([1], {"a": 1}, {}, TypeError, "P is a list without labels, and the other a mapping"),
        ({"a": 1}, {"a": 1}, {"labels": "a"}, ValueError, "labels is given, but mappings bring"),
        ({"a": "x"}, {"a": 1}, {}, TypeError, "P has dtype <U1"),
        ({"a": -1, "b": 2}, {"b": 1}, {}, ValueError, r"P\[0\] is -1"),
    ],
)
def test_labels_that_cannot_be_joined(P, Q, arguments, error, message):
    with pytest.raises(error, match=message):
        contributions(P, Q, **arguments)


def test_a_label_that_comes_twice_cannot_be_joined():
    twice = pd.Series([0.5, 0.5], index=["a", "a"])
    assert contributions(twice, twice).labels == ("a", "a")
    with pytest.raises(ValueError, match="Q has the label 'a' twice; add its values up first"):
        contributions({"a": 1}, twice)


def test_a_notebook_shows_the_same_as_a_table():
    parts = contributions([1, 2, 0], [2, 0, 1], labels=["<b>", "R&D", "c"], normalise=True, top=2)
    shown = parts._repr_html_()
    root = ElementTree.fromstring(shown)
    assert root.find("caption").text == repr(parts).splitlines()[0]
    cells = [[cell.text or "" for cell in row] for row in root.iter("tr")][1:]
    assert [" ".join(row).split() for row in cells] == [
        line.split() for line in repr(parts).splitlines()[1:]
    ]
    assert "R&amp;D" in shown
