"""Data frames of every kind, which are what arrays are."""

import datetime
import decimal

import numpy as np
import pandas
import pyarrow as pa
import pytest

from jsdiv_numba._drift.frames import table_of_frame
from jsdiv_numba.drift import compare

pytest.importorskip("narwhals", reason="narwhals is not installed (extra: drift)")
RNG = np.random.default_rng(0)
N = 300
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(int(k)) for k in RNG.integers(0, 300, N)]
COLUMNS = {
    "float": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)),
    "integer": RNG.integers(0, 5, N),
    "bool": RNG.random(N) < 0.5,
    "text": RNG.choice(["a", "b", "c"], N).tolist(),
    "day": DAYS,
    "moment": [datetime.datetime(2024, 1, 1, int(k) % 24, int(k) % 60) for k in range(N)],
    "clock": [datetime.time(int(k) % 24) for k in range(N)],
    "decimal": [decimal.Decimal(int(k)) / 8 for k in RNG.integers(0, 999, N)],
    "list": [[1, 2]] * N,
}


def frames():
    yield "pandas", lambda: pandas.DataFrame(COLUMNS)
    yield "pyarrow", lambda: pa.table(COLUMNS)
    yield "polars", lambda: pytest.importorskip("polars").DataFrame(COLUMNS)
    yield "polars lazy", lambda: pytest.importorskip("polars").DataFrame(COLUMNS).lazy()
    yield "duckdb", duckdb_relation


def duckdb_relation():
    return pytest.importorskip("duckdb").from_arrow(pa.table(COLUMNS))


@pytest.mark.parametrize(("kind", "make"), list(frames()))
def test_a_frame_is_what_its_arrays_are(kind, make):
    other = {name: column[: N // 2] for name, column in COLUMNS.items()}
    found, expected = compare(make(), other), compare(COLUMNS, other)
    assert found.to_dict() == expected.to_dict()
    assert [c.kind for c in found] == [
        *("float", "integer", "boolean", "text", "time", "time", "clock", "float", "other"),
    ]


def test_a_relation_is_never_in_memory_whole(monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    query = "select sin(range * range) as x, 'k' || (range % 7) as c from range(300000)"
    relation, other = connection.sql(query), {"x": RNG.normal(size=N), "c": ["k1"] * N}
    found = table_of_frame("reference", relation)
    sizes = [batch["x"].size for batch in found.batches(["x"])]
    assert len(sizes) > 2
    rest = [batch["x"].size for batch in found.batches(["x"], start=sizes[0] + 5)]
    assert sum(rest) == 300_000 - sizes[0] - 5
    expected = compare(relation.to_arrow_table(), other).to_dict()
    monkeypatch.setattr("narwhals.LazyFrame.collect", None)
    assert compare(relation, other).to_dict() == expected


def test_a_relation_has_names_of_any_kind():
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    one = connection.sql("""select 1 as a, 2 as "A", 3 as "q""'.x", 4 as "select" """)
    result = compare(one, {"a": [1], "A": [2], "q\"'.x": [3], "select": [4]})
    assert [column.bins.labels for column in result] == [("1",), ("2",), ("3",), ("4",)]
    two = connection.sql("select 1 as a, 2 as a")
    with pytest.raises(ValueError, match=r"^reference has two columns 'a'$"):
        compare(two, {"a": [1]})
    nothing = connection.sql("select 1 as a where false")
    assert compare(nothing, nothing)["a"].note == "no values in both tables"


def test_what_pandas_alone_has():
    frame = pandas.DataFrame(
        {
            "categories": pandas.Categorical(["a", "b", None], categories=["b", "a", "unused"]),
            "numbers": pandas.Categorical([3, 1, 3]),
            "nullable": pandas.array([1, None, 3], dtype="Int64"),
            "mixed": [1, "a", None],
            7: [1.5, 2.5, np.nan],
            "zone": pandas.to_datetime(["2024-01-01 01:00", None, None]).tz_localize("Europe/Oslo"),
        }
    )
    result = compare(frame, frame)
    found = {column.column: (column.kind, column.bins.labels) for column in result}
    assert found["categories"] == ("text", ("a", "b"))
    assert found["numbers"] == ("text", ("3", "1"))
    assert found["nullable"][0] == "integer"
    assert found["mixed"] == ("text", ("1", "a"))
    assert found["7"][0] == "float"
    assert found["zone"] == ("time", ("2024",))
    assert [column.missing_current for column in result][-1] == pytest.approx(2 / 3)


def test_arrow_has_columns_of_runs():
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"])
    for column in (runs, pa.chunked_array([runs, runs])):
        found = compare(pa.table({"x": column}), {"x": ["a", "b"]})["x"]
        assert (found.kind, found.bins.labels) == ("text", ("a", "b"))


def test_two_columns_of_one_name_are_refused():
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ValueError, match=r"^reference: .*'a'"):
        compare(frame, {"a": [1]})
    with pytest.raises(ValueError, match=r"^reference has two columns '1'"):
        compare(pandas.DataFrame([[1, 2]], columns=[1, "1"]), {"a": [1]})
