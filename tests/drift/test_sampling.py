"""A sample of rows: uniform, and the same whatever the batches."""

import numpy as np
import pytest

from jsdiv_numba._drift.arrays import values_of_array
from jsdiv_numba._drift.sampling import RowSample, priorities


def sampled(steps, rows=5000, size=300, seed=0):
    """Sample the numbers of the rows of two tables, read in steps."""
    sample = RowSample(["n", "t"], seed, size)
    for side, step in enumerate(steps):
        for start in range(0, rows, step):
            numbers = np.arange(start, min(start + step, rows)) + side * rows
            batch = {"n": values_of_array(numbers), "t": values_of_array([*map(str, numbers)])}
            sample.see(side, start, len(numbers), batch)
    return sample.values("n", "integer").data, sample.values("t", "text")


@pytest.mark.parametrize("steps", [(1, 7), (5000, 5000), (123, 4999)])
def test_batches_do_not_change_which_rows_are_taken(steps):
    numbers, texts = sampled(steps)
    assert sorted(numbers) == sorted(sampled((1000, 1000))[0])
    assert len(numbers) == 300
    assert [int(texts.categories[code]) for code in texts.data] == numbers.tolist()


def test_another_seed_takes_other_rows():
    assert sorted(sampled((999, 999))[0]) != sorted(sampled((999, 999), seed=1)[0])


def test_rows_of_both_tables_are_taken_alike():
    numbers = np.concatenate([sampled((5000, 5000), seed=seed)[0] for seed in range(40)])
    # 12,000 rows: three standard deviations are 164.
    assert abs((numbers < 5000).sum() - 6000) < 164
    assert abs(numbers.mean() - 4999.5) < 3 * 10_000 / np.sqrt(12 * 12_000)


def test_fewer_rows_are_all_taken():
    assert sorted(sampled((10, 10), rows=100)[0]) == list(range(200))


def test_numbers_are_those_of_their_place():
    whole = priorities(3, 1, 0, 100)
    assert (priorities(3, 1, 40, 60) == whole[40:]).all()
    assert len(set(whole) | set(priorities(3, 0, 0, 100)) | set(priorities(4, 1, 0, 100))) == 300
