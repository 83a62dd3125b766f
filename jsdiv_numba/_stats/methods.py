"""How a p-value or an interval is computed, as it is asked for."""

from typing import Any

import numpy as np

METHODS = "auto", "moments", "exact"


def resampling(method: Any) -> bool:
    """Return whether a method of a test is one of SciPy's objects; raise if it is none at all."""
    from scipy.stats import MonteCarloMethod, PermutationMethod

    if isinstance(method, str) and method in METHODS:
        return False
    if not isinstance(method, PermutationMethod | MonteCarloMethod):
        listed = ", ".join(map(repr, METHODS))
        raise ValueError(
            f"method is {method!r}; it must be one of {listed}, or a PermutationMethod or "
            "MonteCarloMethod of scipy.stats"
        )
    if getattr(method, "rvs", None) is not None:
        raise ValueError(
            "method has rvs; both samples are drawn again with the categories' totals as they "
            "are: pass rng alone"
        )
    check_resamples(method.n_resamples)
    return True


def check_bootstrap(method: Any) -> None:
    """Raise if a method of an interval is not the basic bootstrap of SciPy."""
    from scipy.stats import BootstrapMethod

    if not isinstance(method, BootstrapMethod):
        raise ValueError(f"method is {method!r}; it must be None or scipy.stats.BootstrapMethod")
    if str(method.method).lower() != "basic":
        raise ValueError(
            f"method is a BootstrapMethod of {method.method!r}; pass method='basic' to it: the "
            "percentiles of drawn samples lie above the divergence, which drawing adds to"
        )
    check_resamples(method.n_resamples)


def check_resamples(number: Any) -> None:
    """Raise if so many are no resamples."""
    kinds = int | float | np.number
    if not (isinstance(number, kinds) and number >= 1 and float(number).is_integer()):
        raise ValueError(f"n_resamples is {number!r}; it must be a positive whole number")


def generator(method: Any) -> np.random.Generator:
    """Return the random numbers that a method object of SciPy's brings.

    The attribute has had other names: `random_state` before SciPy 1.15, and both with an
    underscore since, https://docs.scipy.org/doc/scipy/reference/stats.html#resampling-methods.
    """
    own = vars(method)
    names = "_rng", "rng", "_random_state", "random_state"
    given = next((own[name] for name in names if own.get(name) is not None), None)
    if isinstance(given, np.random.RandomState):
        given = given.randint(2**31, size=8)
    return np.random.default_rng(given)
