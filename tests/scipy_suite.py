"""SciPy's own tests of this metric, with our functions in the place of SciPy's.

``python -m tests.scipy_suite`` runs them and prints, as JSON, how each one went.
SciPy's tests bring a configuration of pytest and of hypothesis with them, which
is why they have a process of their own.
"""

import json
from collections.abc import Iterator
from inspect import signature
from unittest.mock import patch

from scipy.spatial import distance
from scipy.spatial.tests import test_distance as suite

import jsdiv_numba

METRIC = "jensenshannon"


def tests() -> Iterator[tuple]:
    """Yield each test of this metric, or of every metric: its name, its function and its class."""
    for name, value in vars(suite).items():
        found = vars(value) if name.startswith("Test") else {name: value}
        owner = value if name.startswith("Test") else None
        for key, function in found.items():
            if key.startswith("test_") and (
                METRIC in key or "metric" in signature(function).parameters
            ):
                yield (f"{name}.{key}" if owner else name), function, owner


def replaced(name: str, position: int, **options):
    """Return a function that answers for this metric as we do, and for others as SciPy does.

    A callable metric, which may be our `jensenshannon`, and "test_jensenshannon",
    SciPy's formula in Python, are among the others.
    """
    ours, theirs = getattr(jsdiv_numba, name), getattr(distance, name)

    def dispatch(*arguments, **keywords):
        metrics = [keywords.get("metric"), *arguments[position : position + 1]]
        if METRIC in metrics:
            return ours(*arguments, **keywords, **options)
        return theirs(*arguments, **keywords)

    return dispatch


def outcome(function, owner) -> str:
    arguments = {"metric": METRIC} if "metric" in signature(function).parameters else {}
    instance = () if owner is None else (owner(),)
    try:
        for test in instance:
            getattr(test, "setup_method", lambda: None)()
        function(*instance, **arguments)
    # What pytest raises for "did not raise" and for "skipped" is no Exception.
    except BaseException as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return "passed"


def outcomes(options: dict, data: dict) -> dict[str, str]:
    functions = {
        "cdist": replaced("cdist", 2, **options),
        "pdist": replaced("pdist", 1, **options),
        METRIC: jsdiv_numba.jensenshannon,
    }
    with patch.multiple(suite, **functions), patch.dict(suite.eo, data):
        return {name: outcome(function, owner) for name, function, owner in tests()}


def main() -> None:
    integers = "random-int-data"
    double = {"dtype": "float64"}
    variants = {
        "unchanged": outcomes({}, {}),
        "in double precision": outcomes(double, {}),
        "not negative": outcomes(double, {integers: abs(suite.eo[integers])}),
    }
    print(json.dumps(variants))


if __name__ == "__main__":
    main()
