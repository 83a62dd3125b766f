"""Tests of jsdiv_numba._losses.pytree: what losses look at, as hypercoil's arguments are used."""

import copy
import pickle
from operator import attrgetter

import numpy as np
import pytest

from jsdiv_numba.scheme import LossArgument, UnpackingLossArgument

BOTH = pytest.mark.parametrize("kind", [LossArgument, UnpackingLossArgument])
GIVEN = {"name": "prior", "order": 0, "dtype": int, "doc": "What is tested"}


@BOTH
def test_an_argument_is_a_mapping_with_attributes(kind):
    arg = kind(x=1, items=2)
    assert dict(**arg) == {"x": 1, "items": 2}
    assert (arg.x, arg["items"], len(arg)) == (1, 2, 2)
    assert callable(arg.items)
    assert repr(arg) == f"{kind.__name__}(x=1, items=2)"
    for twin in (copy.copy(arg), copy.deepcopy(arg), pickle.loads(pickle.dumps(arg))):
        assert type(twin) is kind
        assert twin == arg
    with pytest.raises(KeyError):
        arg["y"]


@BOTH
def test_an_attribute_that_is_no_entry_is_none_but_a_protocol_is_not_there(kind):
    arg = kind(**GIVEN)
    assert arg.prior is None
    assert arg.dtype is int
    with pytest.raises(AttributeError, match=f"^'{kind.__name__}' object has no attribute '__a"):
        attrgetter("__array__")(arg)


@BOTH
def test_entries_stay_what_they_are(kind):
    arg = kind(**GIVEN)
    message = (
        f"entries of a {kind.__name__} stay what they are; make another one, such as "
        "LossArgument.add(arg, order=...)"
    )
    with pytest.raises(AttributeError) as caught:
        arg.order = 1
    assert str(caught.value) == message
    with pytest.raises(TypeError, match="does not support item assignment"):
        arg["order"] = 1
    assert arg == kind(**GIVEN)


@BOTH
def test_arguments_are_made_of_others(kind):
    arg = kind(**GIVEN)
    others = {name: value for name, value in GIVEN.items() if name != "name"}
    assert kind.all_except(arg, "name") == kind(**others)
    assert kind.all_except(arg, "name", "nothing") == kind(**others)
    assert kind.replaced(arg, name="other") == kind(**others, name="other")
    assert list(kind.replaced(arg, order=1)) == list(GIVEN)
    assert kind.swap(arg, "name", kind="flat") == kind(**others, kind="flat")
    assert kind.swap(arg, "name", order=1) == kind(**{**others, "order": 1})
    assert kind.swap(GIVEN) == kind.all_except(GIVEN) == kind.replaced(GIVEN) == arg
    for made in (kind.all_except(arg), kind.replaced(arg), kind.swap(arg)):
        assert type(made) is kind
    assert arg == kind(**GIVEN)


@BOTH
def test_what_hypercoil_passes_over_when_it_replaces(kind):
    arg = kind(**GIVEN)
    replaced = kind.replaced(arg, name="other", order=None, nothing=1)
    assert dict(replaced) == {**GIVEN, "name": "other"}
    assert kind.replaced(arg, order=0, doc="").doc == ""


@BOTH
def test_of_two_that_are_added_the_second_wins(kind):
    arg = kind(**GIVEN)
    both = arg + LossArgument(name="other", dtype=float)
    assert dict(both) == {**GIVEN, "name": "other", "dtype": float}
    assert dict(kind.add(arg, name="other", rabbit=3)) == {**GIVEN, "name": "other", "rabbit": 3}
    assert type(both) is type(kind.add(arg)) is LossArgument
    with pytest.raises(TypeError, match="unsupported operand"):
        arg + GIVEN


@BOTH
def test_equal_up_to_entries_of_none(kind):
    arg = kind(**GIVEN)
    assert kind.add(arg, rabbit=None) == arg == {**GIVEN, "rabbit": None}
    assert arg != kind.add(arg, rabbit=0)
    assert arg != kind.all_except(arg, "order")
    assert arg != list(GIVEN.items())
    with pytest.raises(TypeError, match="unhashable"):
        hash(arg)


def test_equal_arrays():
    def argument(values):
        return LossArgument(x=np.array(values), inner=LossArgument(y=np.array(values)))

    assert argument([1.0, 2.0]) == argument([1.0, 2.0])
    assert argument([1.0, 2.0]) != argument([1.0, 3.0])
    assert argument([1.0, 2.0]) != argument([1.0])
    assert LossArgument(x=np.zeros(2)) != LossArgument()
