"""The command ``jsdiv drift``: files, conditions, reports and exit codes."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from jsdiv_numba import cli
from jsdiv_numba.drift import compare

RNG = np.random.default_rng(0)


def table(n, shift):
    days = np.datetime64("2024-01-01") + RNG.integers(0, 90, n)
    return pa.table(
        {
            "age": RNG.normal(40 + 10 * shift, 10, n),
            "city": RNG.choice(["Oslo", "Rome"], n),
            "day": pa.array(days),
        }
    )


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, shift in (("before", 0), ("after", 1)):
        made = table(1000, shift)
        parquet.write_table(made, f"{name}.parquet")
        csv.write_csv(made, f"{name}.csv")


def test_it_prints_what_drifted(capsys):
    assert cli.main(["drift", "before.csv", "after.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines()[:2] == [
        "before.csv: a header; 3 columns, 1 of text",
        "after.csv: a header; 3 columns, 1 of text",
    ]
    lines = captured.out.splitlines()
    assert lines[0] == "1 of 3 columns drifted: age"
    assert lines[1].startswith("1,000 rows of reference against 1,000 of current; drift: q <= 0.01")
    assert lines[4].split()[:2] == ["age", "drift"]


def test_quiet_says_nothing_on_the_way(capsys):
    assert cli.main(["drift", "before.parquet", "after.parquet", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        (["q<0.01,divergence>0.02"], 3),
        (["q<0.01,divergence>0.6"], 0),
        (["divergence>0.6", "drift"], 3),
        ([], 0),
    ],
)
def test_conditions_make_it_fail(capsys, conditions, code):
    options = [part for text in conditions for part in ("--fail-on", text)]
    assert cli.main(["drift", "before.parquet", "after.parquet", "-q", *options]) == code
    said = capsys.readouterr().err
    assert said == (f"jsdiv: fails: {conditions[-1]}: age\n" if code else "")


def test_results_are_written_whole(capsys):
    expected = compare("before.parquet", "after.parquet")
    command = ["drift", "before.parquet", "after.parquet", "-q"]
    assert cli.main([*command, "-o", "r.json", "--report", "r.html"]) == 0
    assert json.loads(Path("r.json").read_text(encoding="utf-8")) == expected.to_dict()
    assert Path("r.html").read_text(encoding="utf-8") == expected.to_html()
    assert capsys.readouterr().out.splitlines()[-2:] == ["Wrote r.json", "Wrote r.html"]
    for name in ("r.csv", "r.parquet"):
        assert cli.main([*command, "-o", name]) == 0
    assert parquet.read_table("r.parquet")["p"].to_pylist() == [column.p for column in expected]
    assert csv.read_csv("r.csv")["column"].to_pylist() == ["age", "city", "day"]


def test_json_goes_to_stdout_and_all_else_to_stderr(capsys):
    assert cli.main(["drift", "before.parquet", "after.parquet", "-o", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["drifted"] == ["age"]
    assert "1 of 3 columns drifted: age" in captured.err


def test_groups(capsys):
    command = ["drift", "before.parquet", "after.parquet", "-q", "--by", "month(day)"]
    assert cli.main([*command, "-o", "r.csv", "--report", "r.html"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 of 3 groups by month(day) drifted"
    assert lines[3].split()[0] == "2024-01"
    assert csv.read_csv("r.csv").num_rows == 3 * 2
    assert cli.main([*command, "--against", "previous", "--fail-on", "drift"]) == 3
    assert capsys.readouterr().err == "jsdiv: fails: 2024-01: drift: age\n"


def test_columns_are_chosen(capsys):
    command = ["drift", "before.parquet", "after.parquet", "-q"]
    assert cli.main([*command, "--columns", "city,day"]) == 0
    assert capsys.readouterr().out.startswith("None of 2 columns drifted")
    assert cli.main([*command, "--exclude", "age"]) == 0
    assert capsys.readouterr().out.startswith("None of 2 columns drifted")
    assert cli.main([*command, "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 more: -n 3 shows all"


def test_a_question_mark_is_explained(capsys):
    for name, towns in {"few.csv": range(8), "also.csv": range(5, 14)}.items():
        Path(name).write_text("city,year\n" + "".join(f"Town {k},2024\n" for k in towns))
    assert cli.main(["drift", "few.csv", "also.csv", "-q"]) == 0
    *_, line, note = capsys.readouterr().out.splitlines()
    assert "? " in line
    assert note == "?: there are too few values for the interval"
    result = compare("few.csv", "also.csv")
    assert repr(result).splitlines()[-1] == note
    assert f"<p>{note}</p>" in result._repr_html_()


def test_one_table_comes_from_stdin(capsys, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(Path("after.csv").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert cli.main(["drift", "before.csv", "-", "--format", "csv", "-q"]) == 0
    assert capsys.readouterr().out.startswith("1 of 3 columns drifted: age")


def test_progress_counts_rows_twice(capsys):
    assert cli.main(["drift", "before.parquet", "after.parquet", "--log-json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["read", "read", "start", "stop"]
    assert (events[2]["total"], events[-1]["done"]) == (4000, 4000)


def test_a_profile_stands_in_for_the_reference(capsys):
    assert cli.main(["drift", "before.csv", "--save-profile", "p.json", "-q"]) == 0
    assert capsys.readouterr().out == "\nWrote p.json\n"
    assert cli.main(["drift", "p.json", "after.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("p.json: a profile of 1,000 rows, 3 columns\n")
    assert captured.out.startswith("1 of 3 columns drifted: age")
    assert cli.main(["drift", "before.csv", "after.csv", "--save-profile", "q.json", "-qn0"]) == 0
    assert capsys.readouterr().out.startswith("1 of 3 columns drifted: age")
    assert Path("q.json").read_bytes() == Path("p.json").read_bytes()


def test_profiles_are_added_up(capsys):
    for name in ("before", "after"):
        assert cli.main(["drift", f"{name}.csv", "--save-profile", f"{name}.json", "-q"]) == 0
    assert cli.main(["drift", "merge", "before.json", "after.json", "-o", "both.json"]) == 0
    assert cli.main(["drift", "both.json", "before.csv", "-qn0"]) == 0
    assert "2,000 rows of reference against 1,000 of current" in capsys.readouterr().out
    assert cli.main(["drift", "before.csv", "--save-profile", "c.json", "--columns", "city"]) == 0
    assert cli.main(["drift", "merge", "before.json", "c.json", "-o", "both.json"]) == 2
    message = "c.json: cannot be merged with before.json: only the first profile has column 'age'"
    assert capsys.readouterr().err.splitlines()[-1] == f"jsdiv: {message}"


def test_names_are_hashed_with_a_key(capsys):
    Path("key.txt").write_text("secret\n")
    command = ["drift", "before.csv", "--save-profile", "p.json", "-q", "--hash-categories"]
    assert cli.main([*command, "--hash-key", "key.txt"]) == 0
    assert "Oslo" not in Path("p.json").read_text()
    assert cli.main(["drift", "p.json", "after.csv", "-qn0", "--hash-key", "key.txt"]) == 0
    assert capsys.readouterr().out.splitlines()[2] == "1 of 3 columns drifted: age"
    assert cli.main(["drift", "p.json", "after.csv", "-q"]) == 2
    assert "are hashed with a key: give it, as hash_key or --hash-key" in capsys.readouterr().err
    Path("key.txt").write_text("other")
    assert cli.main(["drift", "p.json", "after.csv", "-q", "--hash-key", "key.txt"]) == 2
    assert capsys.readouterr().err == "jsdiv: p.json: names are hashed with another key\n"
    Path("key.txt").write_text("\n")
    assert cli.main(["drift", "p.json", "after.csv", "-q", "--hash-key", "key.txt"]) == 2
    assert "key.txt: empty, but it is to be the key of hashes" in capsys.readouterr().err


SAVING = ["--save-profile", "p.json", "--hash-categories", "--hash-key"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["before.csv", *SAVING, "p.json"], "p.json: is read as well; write to another file"),
        (
            ["before.csv", "after.csv", *SAVING, "k.html", "--report", "k.html"],
            "k.html: is read as well; write to another file",
        ),
        (
            ["before.csv", "after.csv", "-o", "./p.json", *SAVING[:2]],
            "p.json: --output and --save-profile: name two files",
        ),
        (["merge", "p.json", "p.json", "-o", "p.json"], "p.json: is read as well; write to ..."),
        (["parts", "after.csv", "-o", "parts/f.json"], "parts/f.json: lies in parts, which is ..."),
    ],
)
def test_no_output_takes_the_place_of_what_is_read_or_of_another(arguments, message, capsys):
    Path("parts").mkdir()
    for name in ("p.json", "k.html", "parts/0.parquet"):
        Path(name).write_text("secret")
    assert cli.main(["drift", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"jsdiv: {message.removesuffix('...')}")
    assert {Path(name).read_text() for name in ("p.json", "k.html")} == {"secret"}
    assert [path.name for path in Path("parts").iterdir()] == ["0.parquet"]


def test_a_profile_is_of_rows(capsys):
    Path("p.json").write_text("{}")
    assert cli.main(["drift", "p.json", "after.csv", "-q"]) == 2
    assert cli.main(["drift", "before.csv", "--save-profile", "p.json", "-q"]) == 0
    assert cli.main(["drift", "p.json", "--save-profile", "q.json", "-q"]) == 2
    assert cli.main(["drift", "before.csv", "p.json", "--by", "city", "-q"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "jsdiv: p.json: no profile: its \"format\" is not 'jsdiv drift profile'",
        "jsdiv: p.json: is a profile already; copy it, or name the table",
        "jsdiv: p.json: by is 'city', but current is a profile, which has no rows to group",
    ]


def test_what_has_been_counted_of_text_is_gone_on_from(capsys, monkeypatch):
    """Also where a column turned out to be another than its first rows."""
    lines = [
        "x,y",
        *(f"{k},{k % 7}" for k in range(2000)),
        "one,2.5",
        *(f"{k},1" for k in range(99)),
    ]
    Path("long.csv").write_text("\n".join(lines))
    assert cli.main(["drift", "long.csv", "long.csv", "-qo", "whole.json"]) == 0
    monkeypatch.setattr("jsdiv_numba.batch.run.stages.SECONDS", 0.0)
    monkeypatch.setattr("jsdiv_numba.batch.run.stages.SHARE", 0)
    monkeypatch.setattr("jsdiv_numba.batch.io.tables._BLOCK", 3000)
    command = ["drift", "long.csv", "long.csv", "-q", "-o", "part.json", "--resume"]
    for stop_at in (2500, 5000, 7000):
        with monkeypatch.context() as stopping:
            stopping.setattr("jsdiv_numba.batch.drift._Rows.advance", stopping_at(stop_at))
            assert cli.main(command) == 130
        assert Path("part.json.partial").is_dir()
        capsys.readouterr()
        assert cli.main([*command[:3], *command[4:], "--log-json"]) == 0
        events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        start, stop = (next(e for e in events if e["event"] == name) for name in ("start", "stop"))
        # All began anew each time when a column turned out to be another, after 2,000 rows.
        assert stop_at % 2000 - 50 < start["done"] <= stop_at % 2000 + 50
        assert stop["done"] >= 8400
        assert Path("part.json").read_bytes() == Path("whole.json").read_bytes()
        assert not Path("part.json.partial").exists()
    capsys.readouterr()


def stopping_at(most):
    """Return what is told of rows, and stops after so many."""
    read = 0

    def advance(_rows, count):
        nonlocal read
        read += count
        if read > most:
            raise KeyboardInterrupt

    return advance


@pytest.mark.parametrize("text", ["age,city,day\n", "age,city,day", '"age","city","day"\r\n'])
def test_a_header_alone_is_a_table_without_rows(text, capsys):
    Path("none.csv").write_text(text)
    assert cli.main(["drift", "before.csv", "none.csv", "-q"]) == 0
    assert capsys.readouterr().out.count("no values in the current table") == 3
    assert cli.main(["drift", "none.csv", "none.csv", "-q"]) == 0
    assert capsys.readouterr().out.count("no values in both tables") == 3
    assert cli.main(["drift", "none.csv", "--save-profile", "none.json", "-q"]) == 0
    assert cli.main(["drift", "none.json", "before.csv", "-qn0"]) == 0
    assert "0 rows of reference against 1,000 of current" in capsys.readouterr().out
