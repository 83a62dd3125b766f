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
            ["pairwise", "counts.csv", "--test", "-o", "out.csv", "--tile", "1"],
            "--test: compares in memory, without --tile",
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
