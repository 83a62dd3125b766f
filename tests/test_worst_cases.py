"""The inputs of which results were worst among ten thousand of a kind, on any processor."""

from itertools import groupby
from pathlib import Path

import pytest
from mpmath import mp

from benchmarks import accuracy

FILE = Path(__file__).with_name("worst_cases.csv")
"""What ``python -m benchmarks.accuracy --output`` has kept: a case is drawn again by its number."""

KEPT = [worst for _, worst in accuracy.read([FILE])]


@pytest.mark.parametrize(
    "worst",
    [list(group) for _, group in groupby(KEPT, lambda worst: (worst.path.name, worst.kind))],
    ids=lambda group: f"{group[0].path.name}, {group[0].kind}",
)
def test_what_was_worst_is_within_its_bound(worst):
    with mp.workdps(150):
        for each in worst:
            errors = each.path.errors(*each.pair)
            assert max(errors, default=0) <= each.bound, (each.dtype, each.seed, each.case)
