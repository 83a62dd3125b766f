"""Profiles: counts that stand in for a table, are saved, and add up."""

import json
import re

import numpy as np
import pytest
from pyarrow import parquet

from jsdiv_numba.drift import Profile, compare, profile
from tests.test_drift import UNUSUAL, as_arrays, mixed_table, normal

FEW = {"x": [1.5, 2.5, None] * 20, "c": ["Oslo", "Rome", None] * 20}


@pytest.fixture(scope="module")
def tables():
    return [as_arrays(mixed_table(20_000, seed)) for seed in (1, 2)]


@pytest.fixture(scope="module")
def profiles(tables):
    return [profile(table) for table in tables]


def again(found, key=None):
    return Profile.from_json(found.to_json(), hash_key=key)


def test_it_stands_in_for_the_table(tables, profiles):
    shifted = dict(tables[1])
    shifted["few"] = shifted["few"] + 1
    shifted["float"] = np.array([None if x is None else x + 0.5 for x in shifted["float"]])
    for current in (tables[1], shifted):
        expected = compare(tables[0], current)
        for found in (compare(profiles[0], current), compare(profiles[0], profile(current))):
            assert [c.column for c in found.drifted] == [c.column for c in expected.drifted]
            for column, wanted in zip(found, expected, strict=True):
                assert (column.kind, column.n_reference, column.missing_reference) == (
                    *(wanted.kind, wanted.n_reference, wanted.missing_reference),
                )
                assert column.estimate == pytest.approx(wanted.estimate, abs=5e-4, rel=0.03)
                assert (column.p < 0.01) is (wanted.p < 0.01)
        assert (found.rows_reference, found.rows_current) == (20_000, 20_000)
        assert expected["text"].to_dict()["bins"] == found["text"].to_dict()["bins"]
    there = sum(x is not None for x in tables[1]["float"])
    assert compare(tables[0], profiles[1])["float"].n_current == there


def test_a_file_holds_all_of_it(profiles, tmp_path):
    for k, found in enumerate(profiles):
        found.save(tmp_path / f"{k}.json")
        assert Profile.load(tmp_path / f"{k}.json").to_json() == found.to_json()
    loaded = compare(tmp_path / "0.json", tmp_path / "1.json")
    assert loaded.to_json() == compare(*profiles).to_json()


def test_files_and_batches_change_no_byte(tmp_path, profiles):
    parquet.write_table(mixed_table(20_000, 1), tmp_path / "a.parquet", row_group_size=700)
    assert profile(tmp_path / "a.parquet").to_json() == profiles[0].to_json()


def test_profiles_add_up_in_any_order(profiles):
    third = profile(as_arrays(mixed_table(500, 3)))
    first, second = profiles
    whole = first.merge(second, third)
    assert whole.rows == 40_500
    assert whole.to_json() == third.merge(first).merge(second).to_json()
    assert whole.to_json() == again(first).merge(second.merge(again(third))).to_json()
    alone = compare(whole, whole)
    for column in alone:
        assert column.divergence == 0.0


def test_what_was_added_up_is_the_profile_of_all(tables, profiles):
    both = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    other = as_arrays(mixed_table(3000, 7))
    found, expected = compare(profiles[0].merge(profiles[1]), other), compare(profile(both), other)
    for column, wanted in zip(found, expected, strict=True):
        assert column.p == pytest.approx(wanted.p, abs=0.2)
        assert column.n_reference == wanted.n_reference
    for name in ("few", "text", "bool", "date"):
        assert found[name].to_dict()["bins"] == expected[name].to_dict()["bins"]


@pytest.mark.parametrize("second", ["nothing", "one", "mixed", "nested", "dates", "booleans"])
@pytest.mark.parametrize("first", UNUSUAL)
def test_no_column_raises_whatever_it_holds(first, second):
    for one, two in ((first, second), (second, first), (first, first)):
        reference, current = ({"x": UNUSUAL[name] * 20} for name in (one, two))
        kept = again(profile(reference))
        for found in (compare(kept, current), compare(reference, profile(current))):
            column = found["x"]
            assert 0 <= column.p <= 1 or (np.isnan(column.p) and column.note)
            assert not (column.drift and one == two)
            json.loads(found.to_json())
            assert repr(found)


def test_integers_floats_and_booleans_are_numbers():
    found = compare(profile({"x": [True, False] * 50}), {"x": [1, 0, 2, 1] * 25})
    assert found["x"].kind == "integer"
    assert found["x"].bins.reference.tolist() == [50, 50, 0]
    found = compare(profile({"x": [0, 1, 2**60] * 50}), {"x": [0.5, 1.0] * 50})
    assert found["x"].kind == "float"
    assert found["x"].bins.reference.sum() == 150


def test_numbers_that_are_text_now_are_a_line_that_says_so():
    column = compare(profile({"x": [1.5, 2.5] * 20}), {"x": ["a", "b"] * 20})["x"]
    assert (column.kind, np.isnan(column.p)) == ("other", True)
    assert column.note == "not compared: float in the reference, text now, and only counts of one"
    # Numbers of which the rows are there can become text.
    assert compare(profile({"x": ["1", "2"] * 20}), {"x": [1, 2] * 20})["x"].divergence == 0


def test_moments_are_counted_by_periods_that_are_not_too_many():
    start, step = np.datetime64("2024-01-01T00:00:00"), np.timedelta64(20, "m")
    few, many = start + np.arange(500) * step, start + np.arange(99_999) * step
    assert profile({"t": few}).to_dict()["columns"][0]["period"] == "second"
    hours = profile({"t": many}).to_dict()["columns"][0]
    assert (hours["period"], len(hours["periods"])) == ("day", 1389)
    assert hours["periods"]["2024-02-29"] == 72
    merged = profile({"t": few}).merge(profile({"t": many}))
    assert merged.to_dict()["columns"][0]["periods"]["2024-01-01"] == 144


def test_names_are_hashed():
    plain = profile(FEW)
    hashed = profile(FEW, hash_categories=True)
    keyed = profile(FEW, hash_categories=True, hash_key=b"secret")
    assert '"Oslo": 20' in plain.to_json()
    for found in (hashed, keyed):
        assert "Oslo" not in found.to_json()
    current = {"c": ["Oslo"] * 40 + ["Bern"] * 20}
    expected = compare(plain, current, columns=["c"])["c"]
    for found in (again(hashed), again(keyed, b"secret")):
        column = compare(found, current, columns=["c"])["c"]
        assert (column.p, column.divergence) == (expected.p, expected.divergence)
        assert column.new == ("Bern",)
        assert re.fullmatch(r"#[0-9a-f]{12}", column.vanished[0])
        names = {name for name in column.bins.labels if not name.startswith("#")}
        assert names == {"Oslo", "Bern"}
    assert compare(keyed, plain)["c"].divergence == 0


def test_a_key_is_needed_but_to_add_up():
    keyed = profile(FEW, hash_categories=True, hash_key=b"secret")
    unknown = again(keyed)
    assert unknown.merge(unknown).to_json() == keyed.merge(keyed).to_json()
    with pytest.raises(ValueError, match=r"hashed with a key: give it"):
        compare(unknown, FEW)
    with pytest.raises(ValueError, match=r"^names are hashed with another key$"):
        again(keyed, b"another")
    with pytest.raises(ValueError, match=r"^names of categories are not hashed alike$"):
        keyed.merge(profile(FEW))
    with pytest.raises(ValueError, match=r"that are not hashed alike$"):
        compare(keyed, profile(FEW, hash_categories=True))


def test_names_of_identifiers_are_not_kept():
    people = {"id": [f"person {k}" for k in range(500)], "c": ["a", "b"] * 250}
    found = profile(people)
    assert "person" not in found.to_json()
    column = compare(again(found), people)["id"]
    assert not column.drift
    assert "not compared by value" in column.note
    assert again(found).merge(found).to_dict()["columns"][0]["other"] == 1000


def test_no_number_is_kept_that_comes_few_times():
    x = normal(3000)
    text = profile({"x": x}).to_json()
    assert not [value for value in x if repr(float(value)) in text]


def test_what_one_profile_does_not_name_is_told_apart_in_neither():
    limited = profile({"c": ["a"] * 5 + ["b"] * 5}).to_dict()
    limited["columns"][0] |= {"categories": {"a": 5}, "other": 5}
    for merged in (
        Profile.from_dict(limited).merge(profile({"c": ["a", "b", "c"] * 10})),
        profile({"c": ["a", "b", "c"] * 10}).merge(Profile.from_dict(limited)),
    ):
        assert merged.to_dict()["columns"][0]["categories"] == {"a": 15}
        assert merged.to_dict()["columns"][0]["other"] == 25
    column = compare(Profile.from_dict(limited), {"c": ["a", "new"] * 10})["c"]
    assert column.new == ()
    assert column.bins.labels == ("a", "all other categories")


def test_two_samples_of_one_distribution_are_told_apart_as_often_as_p_says():
    """Of 240 columns at .05, 12 are expected, and 25 or more come once in 2,000 times."""
    rng = np.random.default_rng(5)
    draws = {
        "normal": lambda m: rng.normal(size=m),
        "zeros": lambda m: np.where(rng.random(m) < 0.3, 0, rng.exponential(1, m)),
        "zipf": lambda m: (rng.zipf(1.4, m) % 500).astype(str),
        "whole": lambda m: rng.poisson(3, m),
    }
    p = []
    for draw in draws.values():
        reference = profile({f"{k}": draw(2000) for k in range(60)})
        p += [c.p for c in compare(reference, {f"{k}": draw(50) for k in range(60)})]
    assert sum(value <= 0.05 for value in p) < 25


COLUMN = profile({"x": [1, 2, 2] * 10}).to_dict()["columns"][0]
DAMAGED = [
    ({"format": "another"}, "no profile: its \"format\" is not 'jsdiv drift profile'"),
    ({"version": 2}, '"version" is 2; this release reads version 1'),
    ({"rows": -1}, '"rows" is -1; it must be a whole number from 0 on'),
    ({"rows": 29}, "columns[0]: counts of 30 values, but there are 29 rows"),
    ({"hash": {}}, '"hash" has no "check"'),
    ({"columns": {}}, '"columns" is no list'),
    ({"columns": [COLUMN, COLUMN]}, "columns[1]: a second column 'x'"),
    ({"columns": [{}]}, 'columns[0]: "column" is no name'),
    ({"columns": [{**COLUMN, "kind": "number"}]}, "columns[0]: \"kind\" is 'number'; it must be"),
    ({"columns": [{**COLUMN, "edges": [2, 1, 3]}]}, 'columns[0]: "edges" are not in order'),
    ({"columns": [{**COLUMN, "edges": ["1", 2]}]}, 'columns[0]: "edges" is no list of integers'),
    ({"columns": [{**COLUMN, "edges": [1]}]}, 'columns[0]: "counts" is no list of 2 counts'),
    ({"columns": [{**COLUMN, "missing": None}]}, 'columns[0]: "missing" is None; it must be'),
    (
        {"columns": [{**COLUMN, "kind": "time", "period": "week"}]},
        "columns[0]: \"period\" is 'week'; it must be one of second, minute",
    ),
    (
        {"columns": [{**COLUMN, "kind": "time", "period": "day", "periods": {"1.2.": 1}}]},
        "columns[0]: \"periods\" has '1.2.', which is no day",
    ),
    ({"columns": [{**COLUMN, "kind": "text"}]}, "columns[0]: 'categories' is no object of counts"),
    (
        {"columns": [{**COLUMN, "kind": "boolean", "categories": {"yes": 30}, "other": 0}]},
        'columns[0]: "categories" are not False and True',
    ),
]


@pytest.mark.parametrize(("change", "message"), DAMAGED)
def test_what_is_no_profile_says_why(change, message, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**profile({"x": [1, 2, 2] * 10}).to_dict(), **change}))
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{path}: {message}')}"):
        Profile.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "5", '{"rows": ' + "9" * 5000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"^no profile: "):
        Profile.from_json(text)


def test_what_cannot_be_merged_says_why():
    table = profile({"x": [1, 2] * 10})
    with pytest.raises(ValueError, match=r"^only the other profile has column 'y'$"):
        table.merge(profile({"x": [1], "y": [1]}))
    with pytest.raises(
        ValueError, match=r"^column 'x' is integer in one profile, text in the other"
    ):
        table.merge(profile({"x": ["a"]}))


def test_wrong_arguments_say_what_is_wrong():
    kept = profile({"x": [1]})
    with pytest.raises(
        ValueError, match=r"^by is 'x', but current is a profile, which has no rows"
    ):
        compare({"x": [1]}, kept, by="x")
    with pytest.raises(TypeError, match=r"^table is a profile already$"):
        profile(kept)
    with pytest.raises(ValueError, match=r"^hash_key is bytes, and goes with hash_categories$"):
        profile({"x": [1]}, hash_key=b"a")
    with pytest.raises(ValueError, match=r"^columns has 'y', which is no column of the table;"):
        profile({"x": [1]}, columns=["y"])
