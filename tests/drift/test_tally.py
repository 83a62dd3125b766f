"""Counts by category, also where there are too many of them."""

import numpy as np
import pytest

from jsdiv_numba._drift.arrays import values_of_array
from jsdiv_numba._drift.tally import CategoryTally
from jsdiv_numba._drift.values import converted

RNG = np.random.default_rng(0)
COLUMN = [None if k > 90 else f"c{k}" for k in RNG.zipf(1.5, 3000) % 100]
SIDES = RNG.integers(0, 2, 3000)


def tallied(most, step, sampled=()):
    tally = CategoryTally(sampled, 2, most)
    for start in range(0, len(COLUMN), step):
        part = slice(start, start + step)
        values = values_of_array(np.array(COLUMN[part], object))
        tally.add(converted(values, "text"), SIDES[part])
    return tally


@pytest.mark.parametrize("step", [1, 17, 3000])
def test_every_category_is_counted(step):
    tally = tallied(1000, step)
    for side in (0, 1):
        values = [value for value, of in zip(COLUMN, SIDES, strict=True) if of == side]
        for place, name in enumerate(tally.categories):
            assert tally.counts[side, place] == values.count(name)
        assert tally.missing[side] == values.count(None)
    assert not tally.folded
    assert tally.counts.sum() + tally.missing.sum() == 3000


@pytest.mark.parametrize("step", [1, 17, 3000])
def test_of_too_many_those_of_the_sample_are_counted_and_the_rest_as_one(step):
    tally, whole = tallied(20, step, ("c1", "c2", "c5")), tallied(1000, 3000)
    assert tally.folded
    assert tally.categories == ["c1", "c2", "c5"]
    exact = dict(zip(whole.categories, whole.counts.T.tolist(), strict=False))
    assert [exact[name] for name in tally.categories] == tally.counts.T.tolist()
    assert (tally.counts.sum(axis=1) + tally.rest == whole.counts.sum(axis=1)).all()
    assert (tally.missing == whole.missing).all()
