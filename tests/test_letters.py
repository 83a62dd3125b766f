"""The letters of European languages: the table, the script that counted it, its neighbours."""

import csv
import runpy
import string
from pathlib import Path

import numpy as np
import pytest

from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.distance import cdist

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


@pytest.fixture(scope="module")
def letters():
    return read_rows(str(EXAMPLES / "letters.csv"))


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(EXAMPLES / "count_letters.py"))


def test_there_are_languages_and_letters(letters):
    assert len(letters) >= 15
    assert len(set(letters.labels)) == len(letters)
    assert letters.label_name == "language"
    assert "".join(letters.columns[:26]) == string.ascii_lowercase
    assert set("åäæøéñçßðł") <= set(letters.columns)


def test_values_are_counts(letters):
    assert np.array_equal(letters.values, np.floor(letters.values))
    assert letters.values.sum(axis=1).min() > 50_000
    assert letters.values.any(axis=0).all()


def test_each_language_has_its_own_letters(letters, script):
    for word_list in script["WORD_LISTS"]:
        row = letters.values[letters.labels.index(word_list.language)]
        present = {c for c, count in zip(letters.columns, row, strict=True) if count}
        assert {*"abcdefghi", *word_list.letters} <= present


@pytest.mark.parametrize(
    ("language", "neighbours"),
    [
        ("Danish", {"Norwegian Bokmål", "Norwegian Nynorsk"}),
        ("Norwegian Bokmål", {"Norwegian Nynorsk", "Danish"}),
        ("Spanish", {"Galician", "Portuguese"}),
        ("Portuguese", {"Galician", "Spanish"}),
    ],
)
def test_neighbours_are_relatives(letters, language, neighbours):
    distances = cdist(letters.values, letters.values)[letters.labels.index(language)]
    nearest = np.argsort(distances)[1:3]
    assert {letters.labels[i] for i in nearest} == neighbours


def test_the_script_counts(tmp_path, script):
    for word_list in script["WORD_LISTS"]:
        words = f"Ab-{word_list.letters}\nB/E\n"
        (tmp_path / word_list.file).write_text(words, encoding=word_list.encoding)
    header, *lines = script["table"]([tmp_path / "missing", tmp_path])
    counts = {line[0]: dict(zip(header[1:], line[1:], strict=True)) for line in lines}
    assert list(counts) == [word_list.language for word_list in script["WORD_LISTS"]]
    assert [counts["Danish"][c] for c in "abeåæøñ"] == [1, 2, 0, 1, 1, 1, 0]
    assert "-" not in header


def test_the_script_names_the_package_of_a_missing_list(tmp_path, script):
    with pytest.raises(FileNotFoundError, match=r"catalan: .* Debian has it in wcatalan"):
        script["table"]([tmp_path])


def test_the_table_is_in_the_order_of_the_script(script):
    with (EXAMPLES / "letters.csv").open(newline="", encoding="utf-8") as file:
        languages = [line[0] for line in csv.reader(file)][1:]
    assert languages == [word_list.language for word_list in script["WORD_LISTS"]]
