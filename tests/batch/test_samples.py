"""``--test``: what of the divergence of counts is more than chance."""

import csv

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from jsdiv_numba import cli, jensenshannon
from jsdiv_numba.stats import cdist_test, js_test, pdist_test

COUNTS = np.array([[30, 10, 5, 2], [28, 13, 4, 3], [5, 12, 20, 9], [6, 15, 24, 7]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("counts.csv", COUNTS)
    return tmp_path


def write(name, counts):
    lines = [["row", *"abcd"], *([f"r{i}", *row] for i, row in enumerate(counts.tolist()))]
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)


def read(name):
    with open(name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(lines, column):
    return np.array([float(line[column]) for line in lines])


def run(*arguments):
    assert cli.main([*arguments, "--quiet"]) == 0


@pytest.mark.usefixtures("folder")
def test_pairs_have_a_line_each():
    run("pairwise", "counts.csv", "--test", "-o", "out.csv", "--metric", "js_divergence")
    lines, expected = read("out.csv"), pdist_test(COUNTS)
    assert [(line["label_i"], line["label_j"]) for line in lines] == [
        (f"r{i}", f"r{j}") for i in range(4) for j in range(i + 1, 4)
    ]
    np.testing.assert_allclose(numbers(lines, "js_divergence"), expected.statistic, rtol=1e-12)
    np.testing.assert_array_equal(numbers(lines, "p"), expected.pvalue)
    np.testing.assert_array_equal(numbers(lines, "q"), false_discovery_control(expected.pvalue))
    np.testing.assert_array_equal(numbers(lines, "corrected"), np.maximum(expected.estimate, 0))


@pytest.mark.usefixtures("folder")
def test_pairs_of_two_files_in_bits():
    write("others.csv", COUNTS[:2] + 1)
    run("pairwise", "counts.csv", "others.csv", "--test", "--base", "2", "-o", "out.parquet")
    run("pairwise", "counts.csv", "others.csv", "--test", "--base", "2", "-o", "out.csv")
    lines, expected = read("out.csv"), cdist_test(COUNTS, COUNTS[:2] + 1, base=2)
    assert [line["label_j"] for line in lines] == ["r0", "r1"] * 4
    distances = np.sqrt(np.maximum(expected.estimate, 0)).ravel()
    np.testing.assert_array_equal(numbers(lines, "corrected"), distances)
    pvalues = expected.pvalue.ravel()
    np.testing.assert_array_equal(numbers(lines, "q"), false_discovery_control(pvalues))


@pytest.mark.usefixtures("folder")
def test_rows_have_a_line_each():
    write("others.csv", COUNTS[::-1])
    run("rows", "counts.csv", "others.csv", "--match", "position", "--test", "-o", "out.csv")
    lines, expected = read("out.csv"), js_test(COUNTS, COUNTS[::-1])
    np.testing.assert_array_equal(numbers(lines, "p"), expected.pvalue)
    np.testing.assert_array_equal(numbers(lines, "q"), false_discovery_control(expected.pvalue))
    plain = jensenshannon(COUNTS, COUNTS[::-1], axis=1)
    np.testing.assert_allclose(numbers(lines, "jensenshannon"), plain, rtol=1e-12)


@pytest.mark.usefixtures("folder")
def test_what_is_printed(capsys):
    run("pairwise", "counts.csv", "--test")
    heading, first, *_ = capsys.readouterr().out.split("All pairs")[1].splitlines()
    assert heading.split() == ["√nats", "corrected", "p", "q"]
    expected = pdist_test(COUNTS)
    distance, pvalue = np.sqrt(expected.statistic[-1]), expected.pvalue[-1]
    assert first.split()[:5] == ["r2", "r3", f"{distance:.4f}", "0.0000", f"{pvalue:.4f}"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("other", "told"), [("r1", "no more"), ("r2", "more")])
def test_a_sentence_explains(capsys, other, told):
    run("explain", "counts.csv", "r0", other, "--test")
    sentence = capsys.readouterr().out.splitlines()[-1]
    expected = js_test(COUNTS[0], COUNTS[int(other[1])])
    assert sentence == (
        f"The difference is {told} than chance (p = {expected.pvalue:.2g}): samples of 47 and "
        f"{COUNTS[int(other[1])].sum()} from one distribution are at {expected.null_mean:.4f} ± "
        f"{expected.null_std:.4f} nats. Without that, the divergence is "
        f"{max(expected.estimate, 0):.4f}."
    )


@pytest.mark.usefixtures("folder")
def test_missing_rows_are_left_out():
    counts = COUNTS.astype(object)
    counts[1, 2] = "NA"
    write("missing.csv", counts)
    run("pairwise", "missing.csv", "--missing", "nan", "--test", "-o", "out.csv")
    lines = read("out.csv")
    known = numbers([line for line in lines if "r1" not in line.values()], "q")
    np.testing.assert_array_equal(
        known, false_discovery_control(pdist_test(COUNTS[[0, 2, 3]]).pvalue)
    )


OF_TWO = ["rows", "counts.csv", "others.csv", "--match", "position"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "arguments", [["pairwise", "counts.csv"], OF_TWO, ["pairwise", *OF_TWO[1:3]]]
)
@pytest.mark.parametrize(
    "more", [["--tile", "1"], ["--tile", "3", "--base", "2"], ["--memory", "1MB"]]
)
def test_tiles_change_no_byte(arguments, more):
    write("others.csv", COUNTS[::-1] + 1)
    base = more[2:]
    run(*arguments, "--test", "-o", "memory.csv", *base)
    run(*arguments, "--test", "-o", "tiles.csv", *more)
    assert read("tiles.csv") == read("memory.csv")
    assert len(read("tiles.csv")) in {4, 6, 16}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("wanted", [["-k", "2"], ["--max-distance", "2"]])
def test_neighbours_are_tested(wanted):
    run("neighbors", "counts.csv", *wanted, "--test", "-o", "near.csv", "--tile", "3")
    lines = read("near.csv")
    i, j = ([int(line[name][1:]) for line in lines] for name in ("row", "neighbor"))
    expected = js_test(COUNTS[i], COUNTS[j])
    assert len(lines) == (8 if wanted[0] == "-k" else 12)
    np.testing.assert_allclose(numbers(lines, "jensenshannon"), np.sqrt(expected.statistic))
    np.testing.assert_array_equal(numbers(lines, "p"), expected.pvalue)
    np.testing.assert_array_equal(numbers(lines, "q"), false_discovery_control(expected.pvalue))
    corrected = np.sqrt(np.maximum(expected.estimate, 0))
    np.testing.assert_array_equal(numbers(lines, "corrected"), corrected)


@pytest.mark.usefixtures("folder")
def test_of_a_row_that_is_no_distribution_nothing_is_known():
    counts = COUNTS.copy()
    counts[1] = 0
    write("zero.csv", counts)
    more = ["--test", "--on-bad", "nan", "--tile", "2"]
    run("pairwise", "zero.csv", *more, "-o", "pairs.csv")
    run("neighbors", "zero.csv", *more, "-k", "3", "-o", "near.csv")
    good = COUNTS[[0, 2, 3]]
    known = [line for line in read("pairs.csv") if "r1" not in line.values()]
    others = [line for line in read("pairs.csv") if "r1" in line.values()]
    expected = false_discovery_control(pdist_test(good).pvalue)
    np.testing.assert_array_equal(numbers(known, "q"), expected)
    assert {line[name] for line in others for name in ("p", "q", "corrected")} == {"nan"}
    absent = [line for line in read("near.csv") if line["row"] == "r1"]
    assert [(line["neighbor"], line["q"]) for line in absent] == [("", "nan")] * 3
    assert read("pairs.csv.bad.csv") == read("near.csv.bad.csv")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["pairwise", "shares.csv", "--test"],
            "shares.csv, row 1, column 'b': 0.5 is no count; --test compares counts: whole numbers",
        ),
        (["rows", "counts.csv", "shares.csv", "--test"], "shares.csv, row 1, column 'b': 0.5"),
        (["explain", "shares.csv", "r0", "r1", "--test"], "shares.csv, row 1, column 'b': 0.5"),
        (
            ["pairwise", "counts.csv", "--test", "-o", "out.npy"],
            "out.npy: unknown extension '.npy'",
        ),
        (
            ["pairwise", "shares.csv", "--test", "-o", "out.csv", "--tile", "1"],
            "shares.csv, row 1, column 'b': 0.5 is no count",
        ),
        (
            ["neighbors", "counts.csv", "shares.csv", "-k", "1", "--test", "-o", "out.csv"],
            "shares.csv, row 1, column 'b': 0.5 is no count",
        ),
        (
            ["neighbors", "counts.csv", "-k", "1", "--test", "-o", "out.npy"],
            "out.npy: unknown extension '.npy'",
        ),
        (
            ["pairwise", "counts.csv", "--test", "--reduce", "min", "-o", "out.csv"],
            "--test and --reduce: all pairs are tested; one of them, not both",
        ),
        (
            ["pairwise", "counts.csv", "--test", "--max-distance", "1", "-o", "out.csv"],
            '--test and --max-distance: all pairs are tested; "jsdiv neighbors" takes both',
        ),
    ],
)
def test_what_cannot_be_tested(capsys, arguments, line):
    shares = COUNTS.astype(float)
    shares[1, 1] = 0.5
    write("shares.csv", shares)
    assert cli.main(arguments) == 2
    assert f"jsdiv: {line}" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_rows_without_fractions_can_be_explained():
    shares = COUNTS.astype(float)
    shares[3, 1] = 0.5
    write("shares.csv", shares)
    run("explain", "shares.csv", "r0", "r1", "--test")
