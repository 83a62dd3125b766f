"""What a test returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from .intervals import ConfidenceInterval, check_level

Interval = Callable[[float, Any], tuple[Any, Any]]
"""Given a confidence level and a method, both ends."""

_LINES = 10
"""So many tests of a batch are shown in a notebook, those of the smallest p-values."""


@dataclass(frozen=True, eq=False)
class JSTestResult:
    """The outcome of a test whether two samples come from one distribution.

    Attributes
    ----------
    statistic : float or ndarray
        The divergence of the samples as they are.
    pvalue : float or ndarray
        The probability of at least that if both samples come from one distribution.
    estimate : float or ndarray
        An estimate of the divergence of the distributions, by the estimator asked for. It is
        not cut off at 0: the mean of many is then right.
    null_mean, null_std : float or ndarray
        Mean and standard deviation of the statistic if both samples come from one distribution,
        given how often each category came in all.
    undersampled : bool or ndarray
        Whether there are too few observations for a confidence interval to be trusted; the
        p-value does not need more of them.
    """

    statistic: Any
    pvalue: Any
    estimate: Any
    null_mean: Any
    null_std: Any
    undersampled: Any
    _interval: Interval = field(repr=False)

    def confidence_interval(
        self, confidence_level: float = 0.95, method: Any = None
    ) -> ConfidenceInterval:
        """Confidence interval of the divergence of the distributions.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Between 0 and 1.
        method : scipy.stats.BootstrapMethod, optional
            Draws samples again, with ``method='basic'``. None takes the divergences from which
            the estimate is no more than so many standard errors away, in the way of Wilson's
            interval of a share: the variance grows from that by chance with the divergence.

        Returns
        -------
        ConfidenceInterval
            With fields `low` and `high`, between 0 and log 2.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1, the method is no basic bootstrap, or rows were
            permuted (`groups=`) and there is none.

        Notes
        -----
        Where `undersampled` is True, an interval may miss the divergence more often than its
        level says. docs/guide/samples.md has what was simulated.
        """
        return ConfidenceInterval(*self._interval(check_level(confidence_level), method))

    def _repr_html_(self) -> str:
        """Return the test, or those of the smallest p-values of many, as an HTML table."""
        names = list(self.__dataclass_fields__)[:-1]
        columns = [np.asarray(getattr(self, name)) for name in names]
        pvalue = columns[names.index("pvalue")]
        places = _smallest(pvalue, _LINES)
        indices = [f"axis {axis}" for axis in range(pvalue.ndim)]
        head = "".join(f"<th>{name}</th>" for name in [*indices, *names])
        lines = "".join(
            "<tr>"
            + "".join(f"<th>{k}</th>" for k in place)
            + "".join(f"<td>{_shown(column[place])}</td>" for column in columns)
            + "</tr>"
            for place in places
        )
        caption = f"<caption>{escape(_caption(pvalue))}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _smallest(values: Any, most: int) -> list[tuple[int, ...]]:
    """Return the places of the smallest values, NaN last, from the smallest on."""
    if not values.ndim:
        return [()]
    order = np.argsort(values, axis=None, kind="stable")[:most]
    return list(map(tuple, np.stack(np.unravel_index(order, values.shape), axis=-1).tolist()))


def _caption(pvalue: Any) -> str:
    if not pvalue.ndim:
        return "Do two samples come from one distribution?"
    shape = " × ".join(f"{length:,}" for length in pvalue.shape)
    small = int((pvalue <= 0.05).sum())
    shown = f", the {_LINES} of the smallest p-values" if pvalue.size > _LINES else ""
    return f"{shape} tests{shown}; p ≤ 0.05 in {small:,}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, np.floating) else str(value)
