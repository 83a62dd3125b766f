"""What a test returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .intervals import ConfidenceInterval, check_level

Interval = Callable[[float, Any], tuple[Any, Any]]
"""Given a confidence level and a method, both ends."""


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
