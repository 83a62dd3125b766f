"""Conditions that make a pipeline fail."""

import re

import numpy as np
import pytest

from jsdiv_numba._drift.conditions import condition
from jsdiv_numba.drift import compare

RNG = np.random.default_rng(0)
RESULT = compare(
    {"same": RNG.normal(size=500), "moved": RNG.normal(size=500), "gone": np.ones(500)},
    {"same": RNG.normal(size=500), "moved": RNG.normal(2, 1, 500), "none": [None] * 500},
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("q<0.01,divergence>0.02", ["moved"]),
        ("drift", ["moved"]),
        ("absent", ["gone", "none"]),
        ("absent, n_reference > 0", ["gone"]),
        ("missing_current >= 1", ["none"]),
        ("p<=1", ["same", "moved"]),
        ("estimate<-1", []),
        ("bins != 0, drift == 0", ["same", "gone"]),
    ],
)
def test_a_condition_holds_of_columns(text, names):
    assert [column.column for column in condition(text).failing(RESULT)] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q<", "'q<': no comparison such as q<0.01"),
        ("q<x", "'q<x': 'x' is no number"),
        ("q<nan", "'q<nan': 'nan' is no number"),
        ("p<0.1,,", "'': no comparison such as q<0.01"),
        ("size>1", "'size>1': no field 'size'; there are drift, absent, divergence, "),
    ],
)
def test_what_is_no_condition_says_so(text, message):
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}"):
        condition(text)
