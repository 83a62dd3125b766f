"""Two samples of a table: what is found, in every kind of column and by every way in."""

import datetime
import decimal
import json
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet
from scipy.stats import false_discovery_control

from jsdiv_numba._drift import tables
from jsdiv_numba.drift import compare, profile
from jsdiv_numba.stats import js_test
from tests.oracle import js_divergence as exact

RNG = np.random.default_rng(0)
DAY = datetime.date(2024, 1, 1)


def normal(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, n)


def mixed_table(n, seed):
    """Return a table with a column of every kind, as Arrow."""
    rng = np.random.default_rng(seed)
    gone = rng.random(n) < 0.1
    zipf = rng.zipf(1.3, n) % 3000
    columns = {
        "float": pa.array(rng.normal(size=n), mask=gone),
        "zeros": pa.array(np.where(rng.random(n) < 0.5, 0.0, rng.exponential(1, n))),
        "integer": pa.array(rng.integers(0, 10**6, n), mask=gone),
        "few": pa.array(rng.integers(1, 13, n)),
        "bool": pa.array(rng.random(n) < 0.3, mask=gone),
        "text": pa.array([f"k{k}" for k in zipf], mask=gone),
        "date": pa.array([DAY + datetime.timedelta(int(k)) for k in rng.integers(0, 300, n)]),
    }
    return pa.table(columns)


def as_arrays(table):
    return {name: np.array(table[name].to_pylist(), object) for name in table.column_names}


def test_numbers_are_those_of_the_test_of_their_counts():
    result = compare({"x": normal(700)}, {"x": normal(300, 0.3, 1)})
    column = result["x"]
    test = js_test(column.bins.reference, column.bins.current)
    low, high = test.confidence_interval()
    assert (column.divergence, column.estimate, column.p) == (
        test.statistic,
        test.estimate,
        test.pvalue,
    )
    assert (column.low, column.high) == (low, high)
    assert column.distance == math.sqrt(column.divergence)
    assert (column.bins.reference.sum(), column.bins.current.sum()) == (700, 300)
    p, q = column.bins.shares
    assert column.divergence == pytest.approx(float(exact(p, q)), rel=1e-13)
    assert column.bins.contributions.sum() == pytest.approx(column.divergence, rel=1e-13)
    assert len(column.bins) == 20


def test_edges_are_values_that_have_equal_shares_of_both_samples_together():
    x, y = normal(1000), normal(1000, 0.5, 1)
    bins = compare({"x": x}, {"x": y})["x"].bins
    assert set((bins.reference + bins.current).tolist()) == {100}
    assert set(bins.lower[1:]) <= {*x, *y}
    assert (bins.upper[:-1] == bins.lower[1:]).all()
    counts = np.histogram(x, [-np.inf, *bins.lower[1:], np.inf])[0]
    assert counts.tolist() == bins.reference.tolist()


@pytest.mark.parametrize("outlier", [1e4, -1e4, math.inf, 1e308])
def test_an_outlier_does_not_hide_a_shift(outlier):
    """Half a standard deviation, which bins of equal width lose for one value of 10^4."""
    reference, current = {"x": normal(10_000)}, normal(1000, 0.5, 1)
    before = compare(reference, {"x": current})["x"]
    current[0] = outlier
    after = compare(reference, {"x": current})["x"]
    assert before.drift
    assert after.drift
    assert abs(after.divergence - before.divergence) <= math.log(2) / 1000


def test_q_are_adjusted_over_the_columns_that_were_tested():
    names = [f"c{k}" for k in range(20)]
    reference = {name: normal(100, seed=k) for k, name in enumerate(names)}
    current = {name: normal(100, k / 20, 100 + k) for k, name in enumerate(names)}
    result = compare({**reference, "nothing": [None] * 100}, current)
    p = [column.p for column in result if column.column != "nothing"]
    q = [column.q for column in result if column.column != "nothing"]
    np.testing.assert_array_equal(q, false_discovery_control(p))
    assert math.isnan(result["nothing"].q)


def test_a_column_is_flagged_if_it_is_both_certain_and_large():
    reference = {"x": normal(50_000)}
    slightly, much = {"x": normal(50_000, 0.05, 1)}, {"x": normal(50_000, 0.5, 2)}
    assert compare(reference, slightly)["x"].q < 1e-4
    assert not compare(reference, slightly)["x"].drift
    assert compare(reference, slightly, floor=1e-5)["x"].drift
    assert compare(reference, much)["x"].drift
    assert not compare(reference, {"x": normal(8, 0.5, 3)})["x"].drift


def test_missing_values_are_tested_apart():
    rng = np.random.default_rng(0)
    reference = {"x": np.where(rng.random(2000) < 0.05, np.nan, rng.normal(size=2000))}
    current = {"x": np.where(rng.random(2000) < 0.4, np.nan, rng.normal(size=2000))}
    column = compare(reference, current)["x"]
    assert not column.values_drift
    assert column.missing_drift
    assert column.drift
    counts = [np.isnan(table["x"]).sum() for table in (reference, current)]
    test = js_test([counts[0], 2000 - counts[0]], [counts[1], 2000 - counts[1]])
    assert column.missing_p == test.pvalue
    assert (column.missing_reference, column.missing_current) == tuple(c / 2000 for c in counts)
    assert column.n_current == 2000 - counts[1]


def test_categories_come_and_go():
    reference = {"c": ["a"] * 50 + ["b"] * 30 + ["old"] * 5}
    current = {"c": ["a"] * 50 + ["b"] * 30 + ["new"] * 7 + ["newer"]}
    column = compare(reference, current)["c"]
    assert (column.new, column.vanished) == (("new", "newer"), ("old",))
    assert column.bins.labels == ("a", "b", "new", "old", "newer")
    assert column.bins.reference.tolist() == [50, 30, 0, 5, 0]
    months = compare({"m": [1, 2] * 50}, {"m": [2, 3] * 50})["m"]
    assert (months.new, months.vanished) == (("3",), ("1",))


def test_the_long_tail_is_one_category_that_says_so():
    rng = np.random.default_rng(0)
    reference, current = ({"c": rng.zipf(1.2, 3000).astype(str)} for _ in range(2))
    column = compare(reference, current, categories=30)["c"]
    assert len(column.bins) == 31
    values = {*reference["c"], *current["c"]}
    assert column.bins.rest == len(values) - 30
    assert column.bins.labels[-1] == f"{len(values) - 30:,} other categories"
    assert (column.bins.reference.sum(), column.bins.current.sum()) == (3000, 3000)
    assert column.how == "30 categories and a rest"


def test_identifiers_that_go_on_are_no_drift():
    before, after = ([f"id{k:06}" for k in range(a, a + 3000)] for a in (0, 3000))
    column = compare({"id": before}, {"id": after})["id"]
    assert not column.drift
    assert "identifier" in column.note


UNUSUAL = {
    "nothing": [None, float("nan")],
    "constant": [1, 1],
    "one": ["a", "a"],
    "mixed": [1, "a"],
    "nested": [[1], {"a": 2}],
    "bytes": [b"\xff", b"a"],
    "infinite": [math.inf, -math.inf],
    "huge": [10**400, 1],
    "decimals": [decimal.Decimal(1), decimal.Decimal("Infinity")],
    "dates": [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
    "moments": [datetime.datetime.max, None],
    "clocks": [datetime.time.min, datetime.time.max],
    "zones": [
        datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5))),
        datetime.datetime(9999, 12, 31, 23, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
    ],
    "NumPy's durations": [np.timedelta64(1, "D"), np.timedelta64("NaT")],
    "durations": [datetime.timedelta.max, datetime.timedelta.min],
    "floats and dates": [1.5, DAY],
    "complex": [1j, 2j],
    "objects": [object(), int],
    "surrogates": ["\ud800", "a"],
    "booleans": [True, False],
    "whole floats": [1.0, 2.0],
}


@pytest.mark.parametrize("second", UNUSUAL)
@pytest.mark.parametrize("first", UNUSUAL)
def test_no_column_raises_whatever_it_holds(first, second):
    result = compare({"x": UNUSUAL[first] * 20}, {"x": UNUSUAL[second] * 20})
    column = result["x"]
    assert 0 <= column.p <= 1 or (math.isnan(column.p) and column.note)
    assert repr(result)
    json.loads(result.to_json())
    if first == second:
        assert not column.drift


def test_tables_without_rows_or_of_one_row_do_not_raise():
    for reference, current in (([], []), ([1.0], []), ([], ["a"]), ([1.0], [2.0])):
        column = compare({"x": reference}, {"x": current})["x"]
        assert not column.drift
        assert column.n_reference == len(reference)


def test_what_one_table_lacks_is_a_line():
    result = compare({"a": [1, 2], "b": [1, 2]}, {"b": [1, 2], "c": [1, 2]})
    assert [column.column for column in result] == ["a", "b", "c"]
    assert [column.absent for column in result] == ["current", "", "reference"]
    assert result["a"].note == "only in the reference"
    assert result.summary == "None of 3 columns drifted; only in current: c; only in reference: a"


def test_kinds_that_differ_are_compared_as_text_and_said():
    column = compare({"x": [1, 2] * 50}, {"x": ["1", "2"] * 50})["x"]
    assert (column.kind, column.divergence) == ("text", 0.0)
    assert column.note == "integer in the reference, text now: compared as text"


@pytest.mark.parametrize("as_table", [dict, pa.table])
def test_times_of_a_zone_and_of_none_are_compared_as_in_utc_and_said(as_table):
    naive = [datetime.datetime(2024, 1, 1 + k % 20, 23, 30) for k in range(100)]
    zone = datetime.timezone(datetime.timedelta(hours=1))
    zoned = [moment.replace(tzinfo=zone) + datetime.timedelta(hours=1) for moment in naive]
    samples = [as_table({"t": column}) for column in (naive, zoned)]
    column = compare(*samples)["t"]
    assert (column.kind, column.divergence) == ("time", 0.0)
    assert column.note == (
        "time in the reference, time with a zone now: compared as if both were in UTC"
    )
    assert compare(samples[1], samples[0])["t"].note.startswith(
        "time with a zone in the reference, "
    )
    assert compare(samples[1], samples[1])["t"].note == ""
    # Which of them a profile is of is not known.
    assert compare(profile(samples[1]), samples[1])["t"].note == ""
    text = compare(samples[1], {"t": ["noon"] * 100})["t"]
    assert text.note.startswith("time with a zone in the reference, text now: compared as text")


def test_batches_change_no_bit(monkeypatch):
    first, second = (as_arrays(mixed_table(2000, seed)) for seed in (1, 2))
    whole = compare(first, second, by="few").to_json()
    monkeypatch.setattr(tables, "ROWS", 77)
    assert compare(first, second, by="few").to_json() == whole


def test_files_and_frames_are_what_arrays_are(tmp_path):
    """Also where the sample has not all rows."""
    made = [mixed_table(40_000, seed) for seed in (1, 2)]
    expected = compare(*map(as_arrays, made)).to_dict()
    for name, table in zip("ab", made, strict=True):
        parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=7000)
        (tmp_path / name).mkdir()
        parquet.write_table(table[:13], tmp_path / name / "1.parquet")
        parquet.write_table(table[13:], tmp_path / name / "2.parquet")
        csv.write_csv(table, tmp_path / f"{name}.csv")
        feather.write_feather(table, tmp_path / f"{name}.feather")
    for suffix in (".parquet", "", ".feather"):
        paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
        assert compare(*paths).to_dict() == expected
    assert compare(*made).to_dict() == expected
    texts = compare(*(tmp_path / f"{name}.csv" for name in "ab"))
    for column, wanted in zip(texts, expected["columns"], strict=True):
        assert column.to_dict()["bins"]["reference"] == wanted["bins"]["reference"]
        assert column.p == wanted["p"]


def test_groups_are_compared_with_the_reference_or_with_the_one_before():
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-15") + np.repeat([0, 31, 62], 400)
    x = rng.normal(np.repeat([0, 2, 2], 400), 1)
    reference, current = {"x": rng.normal(size=400), "day": days[:400]}, {"x": x, "day": days}
    series = compare(reference, current, by="month(day)")
    assert series.groups == ("2024-01", "2024-02", "2024-03")
    assert series.drifted == ("2024-02", "2024-03")
    assert [column.column for column in series["2024-02"]] == ["x"]
    steps = compare(reference, current, by="month(day)", against="previous")
    assert steps.drifted == ("2024-02",)
    assert steps["2024-03"].reference == "2024-02"
    assert [result.rows_current for result in series] == [400, 400, 400]
    direct = js_test(series["2024-02"]["x"].bins.reference, series["2024-02"]["x"].bins.current)
    assert series["2024-02"]["x"].p == direct.pvalue


def test_groups_of_a_column_come_in_order():
    table = {"x": np.arange(6.0), "g": [10, 9, None, 10, 9, 2]}
    assert compare(table, table, by="g").groups == ("2", "9", "10", "missing")
    table["g"] = ["b", "a", None, "b", "a", "10"]
    assert compare(table, table, by="g").groups == ("10", "a", "b", "missing")


def test_columns_are_chosen():
    table = {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
    assert [c.column for c in compare(table, table, columns=["c", "a"])] == ["c", "a"]
    assert [c.column for c in compare(table, table, exclude=["b"])] == ["a", "c"]


def test_the_base_changes_units_alone():
    tables = {"x": normal(300)}, {"x": normal(300, 1, 1)}
    nats, bits = compare(*tables)["x"], compare(*tables, base=2)["x"]
    assert bits.divergence == pytest.approx(nats.divergence / math.log(2), rel=1e-14)
    assert bits.bins.contributions.sum() == pytest.approx(bits.divergence, rel=1e-13)
    assert bits.p == nats.p
    assert compare(*tables, base=2).unit == "bits"


@pytest.mark.parametrize("n", [50, 300])
def test_two_samples_of_one_distribution_are_told_apart_as_often_as_p_says(n):
    """Of 240 columns at .05, 12 are expected, and 25 or more come once in 2,000 times."""
    rng = np.random.default_rng(n)
    draws = {
        "normal": lambda m: rng.normal(size=m),
        "zeros": lambda m: np.where(rng.random(m) < 0.3, 0, rng.exponential(1, m)),
        "zipf": lambda m: (rng.zipf(1.4, m) % 500).astype(str),
        "whole": lambda m: rng.poisson(3, m),
    }
    p = []
    for draw in draws.values():
        reference = {f"{k}": draw(2000) for k in range(60)}
        p += [c.p for c in compare(reference, {f"{k}": draw(n) for k in range(60)})]
    assert sum(value <= 0.05 for value in p) < 25
    assert min(false_discovery_control(p)) > 1e-3


def test_frames_are_made_of_results():
    pytest.importorskip("narwhals")
    result = compare({"x": normal(100), "c": ["a"] * 100}, {"x": normal(100), "c": ["a"] * 100})
    frame = result.to_frame("pyarrow")
    assert frame["column"].to_pylist() == ["x", "c"]
    assert frame["p"].to_pylist() == [column.p for column in result]
    series = compare({"x": normal(100)}, {"x": normal(100), "g": [1, 2] * 50}, by="g")
    assert series.to_frame("pyarrow")["group"].to_pylist() == ["1", "2"]


def test_results_read_as_a_sequence_and_by_name():
    result = compare({"x": [1, 2], "y": [1, 2]}, {"x": [1, 2], "y": [1, 2]})
    assert result[0] is result["x"]
    assert len(result) == 2
    with pytest.raises(KeyError):
        result["z"]
    assert repr(result).splitlines()[0] == "None of 2 columns drifted"
    assert "<table>" in result._repr_html_()


ERRORS = [
    (({"x": [1]}, {"x": [1]}), {"columns": ["y"]}, "columns has 'y', which is no column of either"),
    (({"x": [1]}, {"x": [1]}), {"exclude": ["x"]}, "no column is left to compare"),
    (({"x": [1]}, {"x": [1]}), {"columns": []}, "no column is left to compare"),
    (({"x": [1]}, {"x": [1]}), {"seed": "a"}, "seed is 'a'; it must be a whole number, at least 0"),
    (({"x": [1]}, {"x": [1]}), {"seed": -1}, "seed is -1; it must be a whole number, at least 0"),
    (
        ({"x": [1]}, {"x": [1], "g": [[1]]}),
        {"by": "g"},
        "by is 'g'; column 'g' of current holds no numbers, times or text",
    ),
    (({"x": [1]}, {"x": [1]}), {"by": "month(y)"}, "by is 'month(y)'; current has no column 'y'"),
    (({"x": [1]}, {"x": [1]}), {"against": "next"}, "against is 'next'; it must be 'reference' or"),
    (({"x": [1]}, {"x": [1]}), {"bins": 1}, "bins is 1; it must be a whole number, at least 2"),
    (({"x": [1]}, {"x": [1]}), {"level": 0}, "level is 0; it must be between 0 and 1"),
    (({"x": [1]}, {"x": [1]}), {"floor": -1}, "floor is -1; it must be at least 0 and below 1"),
    (
        ({"x": [1], "y": [1, 2]}, {"x": [1]}),
        {},
        "reference['y'] has length 2, but reference['x'] has 1",
    ),
    (
        ({"x": np.ones((2, 2))}, {"x": [1]}),
        {},
        "reference['x'] has shape (2, 2); a column must be 1-d",
    ),
    (({1: [1], "1": [2]}, {"x": [1]}), {}, "reference has two columns '1'"),
]


@pytest.mark.parametrize(("tables", "options", "message"), ERRORS)
def test_wrong_arguments_say_what_is_wrong(tables, options, message):
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}"):
        compare(*tables, **options)


def test_a_column_that_groups_is_a_name():
    with pytest.raises(TypeError, match=r"^by is \['x'\]; it must be the name of a column"):
        compare({"x": [1]}, {"x": [1]}, by=["x"])


def test_numbers_may_be_of_numpy():
    rng = np.random.default_rng(0)
    tables = [{"x": rng.normal(size=200)} for _ in range(2)]
    options = {"bins": 5, "categories": 10, "seed": 2**40}
    of_numpy = {name: np.int64(value) for name, value in options.items()}
    assert compare(*tables, **of_numpy).to_dict() == compare(*tables, **options).to_dict()


@pytest.mark.parametrize("table", [5, {"x": "text"}, {"x": 5}, [[1, 2]]])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(TypeError, match=r"^reference"):
        compare(table, {"x": [1]})
