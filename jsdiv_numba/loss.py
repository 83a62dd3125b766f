"""Losses: a score of two arrays, made a scalar and multiplied by ``nu``."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._core.evaluate import unchecked_totals
from ._core.many import shape_of_many
from ._core.measures import (
    ENTROPY_LOGITS,
    ENTROPY_PROBABILITIES,
    KL_LOGITS,
    KL_PROBABILITIES,
    LOGITS,
    PROBABILITIES,
    Measure,
)
from ._core.validation import EQUAL, Axis, as_weight, scores_shape
from .divergence import (
    js_divergence,
    js_divergence_logit,
    js_divergence_many,
    js_divergence_many_logit,
    kl_divergence,
    kl_divergence_logit,
)
from .entropies import entropy, entropy_logit
from .gradient import (
    entropy_grad,
    entropy_logit_grad,
    js_divergence_grad,
    js_divergence_logit_grad,
    js_divergence_many_grad,
    js_divergence_many_logit_grad,
    kl_divergence_grad,
    kl_divergence_logit_grad,
)
from .scalarise import Reduction, Scalarisation, as_scalarisation, checked_axis, mean_scalarise

__all__ = [
    "EntropyLogitLoss",
    "EntropyLoss",
    "JSDivergenceLogitLoss",
    "JSDivergenceLoss",
    "KLDivergenceLogitLoss",
    "KLDivergenceLoss",
    "Loss",
]


class Loss:
    """A score, a scalarisation of it, and a multiplier.

    Called with the arguments of the score, it returns ::

        nu * scalarisation(score(...))

    Parameters
    ----------
    score : callable
        Takes the arguments of the call and returns an array of real numbers.
    scalarisation : callable
        From an array to a scalar: a map of :mod:`jsdiv_numba.scalarise`, or any other
        callable such as ``np.max``.
    nu : float
        Multiplier of the loss.
    name : str, optional
        Made of the score's name by default: ``js_divergence`` gives ``JsDivergenceLoss``.
    grad : callable, optional
        The derivative of the score, for `value_and_grad`. Called with the arguments of the
        score and ``cotangent=``, the derivative of the loss in the scores and of their shape,
        it returns a tuple: the scores, then the derivative of the loss in each input. The
        derivatives of this library's scores are known.
    key : object, optional
        Accepted for compatibility with hypercoil and ignored.

    Attributes
    ----------
    score, scalarisation, nu, name, grad
        As given. Each may be set between calls; the next call uses it.
    loss : callable
        The scalarisation of the score, without the multiplier, of the arguments of the score.

    Raises
    ------
    TypeError
        If the score, the scalarisation or ``grad`` cannot be called, ``nu`` is not a real
        number, or the name is not a string.
    ValueError
        If ``nu`` is NaN or infinite.

    Notes
    -----
    Losses compare by identity. They can be copied, and pickled as far as their score and
    scalarisation can: a lambda cannot.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import Loss, meansq_scalarise
    >>> mse = Loss(np.subtract, meansq_scalarise(), nu=0.5, name="HalfMSE")
    >>> mse
    [ν = 0.5]HalfMSE
    >>> float(mse([1.0, 2.0], [1.0, 4.0]))
    1.0

    A score of your own can be optimised once it brings its derivative:

    >>> def subtract_grad(X, Y, *, cotangent):
    ...     return np.subtract(X, Y), cotangent, -cotangent
    >>> mse.grad = subtract_grad
    >>> value, (grad_X, grad_Y) = mse.value_and_grad([3.0, 2.0], [1.0, 4.0])
    >>> grad_X, grad_Y
    (array([ 1., -1.]), array([-1.,  1.]))
    """

    def __init__(
        self,
        score: Callable[..., Any],
        scalarisation: Reduction,
        nu: float = 1.0,
        name: str | None = None,
        *,
        grad: Callable[..., Any] | None = None,
        key: object = None,
    ) -> None:
        del key  # nothing here draws at random
        if not callable(score):
            raise TypeError(f"score is {score!r}; it must be a callable that returns an array")
        if grad is not None and not callable(grad):
            raise TypeError(f"grad is {grad!r}; it must be a callable, or None")
        if not isinstance(name, str | None):
            raise TypeError(f"name is {name!r}; it must be a string or None")
        as_scalarisation(scalarisation, "scalarisation")
        self.score = score
        self.grad = grad
        self.scalarisation = scalarisation
        self.nu = nu
        self.name = _default_name(score) if name is None else name

    @property
    def nu(self) -> float:
        """Multiplier of the loss; set it between calls for a schedule."""
        return self._nu

    @nu.setter
    def nu(self, nu: float) -> None:
        try:
            finite = math.isfinite(nu)
        except TypeError:
            raise TypeError(f"nu is {nu!r}; it must be a real number") from None
        except OverflowError:
            raise ValueError("nu is an integer beyond the largest float64") from None
        if not finite:
            raise ValueError(f"nu is {nu!r}; it must be finite")
        self._nu = float(nu)

    @property
    def loss(self) -> Callable[..., Any]:
        """The scalarisation of the score: what is multiplied, of the arguments of the score."""
        loss: Callable[..., Any] = as_scalarisation(self.scalarisation, "scalarisation")(self.score)
        return loss

    def __call__(
        self,
        *args: Any,
        key: object = None,
        scalarisation_weight: npt.ArrayLike | None = None,
        **params: Any,
    ) -> Any:
        """Evaluate the loss.

        Parameters
        ----------
        *args, **params
            Arguments of the score.
        key : object, optional
            Passed to the score, if it is not None.
        scalarisation_weight : array_like, optional
            Weight of a weighted mean; see :func:`~jsdiv_numba.wmean_scalarise`.

        Returns
        -------
        scalar or ndarray
            A NumPy scalar of the dtype of the scores, unless the scalarisation leaves axes.

        Raises
        ------
        TypeError
            If a weight is given to a scalarisation that takes none, or is missing.
        ValueError
            If the weight does not fit the scores.
        """
        if key is None and scalarisation_weight is None and not params:
            value = self._at_once(args)
            if value is not None:
                return value
        scores = self.score(*args, **self._settings(key, params))
        reduce = as_scalarisation(self.scalarisation, "scalarisation")
        return self._nu * reduce(scores, scalarisation_weight=scalarisation_weight)

    def value_and_grad(
        self,
        *inputs: Any,
        key: object = None,
        scalarisation_weight: npt.ArrayLike | None = None,
        **params: Any,
    ) -> tuple[Any, Any]:
        """Evaluate the loss, and differentiate it with respect to each input.

        Parameters
        ----------
        *inputs, **params
            Arguments of the score.
        key, scalarisation_weight
            As in a call.

        Returns
        -------
        value : scalar
            What a call returns.
        grad : ndarray or tuple of ndarray
            The derivative of the value in each input of the score, in the shape of the input:
            a tuple for a score of several inputs, and an array for a score of one.

        Raises
        ------
        TypeError
            If the derivative of the score or of a callable in the scalarisation is not known,
            or as a call does.
        ValueError
            If the scalarisation leaves axes, or as a call does.

        Examples
        --------
        >>> from jsdiv_numba import JSDivergenceLogitLoss
        >>> loss = JSDivergenceLogitLoss(nu=2.0)
        >>> value, (grad_P, grad_Q) = loss.value_and_grad([1.0, 0.0], [0.0, 0.0])
        >>> print(f"{value:.6f}", grad_P.round(6), grad_Q.round(6))
        0.057071 [ 0.104083 -0.104083] [-0.117654  0.117654]
        """
        grad = self._score_grad()
        settings = self._settings(key, params)
        reduce = as_scalarisation(self.scalarisation, "scalarisation")
        shape = self._scores_shape(inputs, settings) if reduce.linear else None
        # What is linear has the same derivative for all scores of this shape.
        scores = self.score(*inputs, **settings) if shape is None else np.broadcast_to(0.0, shape)
        value, vjp = reduce.value_and_vjp(scores, scalarisation_weight)
        result = grad(*inputs, cotangent=vjp(self.nu), **settings)
        if not isinstance(result, tuple) or len(result) < 2:
            raise TypeError(
                f"grad of {self!r} returned a {type(result).__name__}; it must return a tuple: "
                "the scores, then the derivative with respect to each input"
            )
        scores, *grads = result
        if shape is not None:
            value = reduce(scores, scalarisation_weight=scalarisation_weight)
        return self.nu * value, tuple(grads) if len(grads) > 1 else grads[0]

    def __repr__(self) -> str:
        return f"[ν = {self.nu}]{self.name}"

    def _at_once(self, _inputs: tuple[Any, ...]) -> Any:
        """Return the loss of small inputs that need no preparation, where that is known."""
        return None

    def _settings(self, key: object, params: dict[str, Any]) -> dict[str, Any]:
        if key is not None:
            params = {**params, "key": key}
        own = self._score_params()
        return dict(**own, **params) if params else own

    def _score_params(self) -> dict[str, Any]:
        return {}

    def _scores_shape(
        self, inputs: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[int, ...] | None:
        """Return the shape that the scores will have; None where it is not known."""
        if self.grad is None:
            for score, _, shape_of in _DERIVATIVES:
                if score is self.score:
                    return shape_of(*inputs, **settings)
        return None

    def _score_grad(self) -> Callable[..., Any]:
        if self.grad is not None:
            return self.grad
        for score, grad, _ in _DERIVATIVES:
            if score is self.score:
                return grad
        raise TypeError(
            f"the score of {self!r} has no known derivative; give it one, Loss(score, ..., "
            "grad=f), where f(*inputs, cotangent=g, **params) returns the scores and, for each "
            "input, the derivative of what g is the derivative of"
        )


class _ScoreLoss(Loss):
    """What the losses of this module share: the arguments that all their scores take."""

    _own_score: Callable[..., Any]
    _own_name: str
    _measure: Measure

    def __init__(
        self,
        nu: float = 1.0,
        name: str | None = None,
        *,
        axis: Axis = -1,
        keepdims: bool = False,
        reduce: bool = True,
        scalarisation: Reduction | None = None,
        key: object = None,
    ) -> None:
        del key  # as in Loss
        scalarisation = mean_scalarise() if scalarisation is None else scalarisation
        name = self._own_name if name is None else name
        super().__init__(self._own_score, scalarisation, nu, name)
        self.axis = checked_axis(axis)
        self.keepdims = keepdims
        self.reduce = reduce

    def _score_params(self) -> dict[str, Any]:
        return {"axis": self.axis, "keepdims": self.keepdims, "reduce": self.reduce}

    def _at_once(self, inputs: tuple[Any, ...]) -> Any:
        reduction, measure = self.scalarisation, self._measure
        if type(reduction) is not Scalarisation:
            return None
        plain = (
            self.reduce
            and not self.keepdims
            and getattr(self, "weight", EQUAL) is EQUAL
            and self.score is self._own_score
            and reduction.shows_nan
            and len(inputs) == len(measure.names)
        )
        scores = unchecked_totals(measure, inputs, self.axis) if plain else None
        if scores is None:
            return None
        value = reduction.at_once(scores)
        # A NaN may come of invalid inputs, of which the score has something to say.
        return None if value.ndim or math.isnan(value) else self._nu * value


class _WeightedScoreLoss(_ScoreLoss):
    """A loss whose score takes the weight of the second of its inputs."""

    def __init__(
        self,
        nu: float = 1.0,
        name: str | None = None,
        *,
        axis: Axis = -1,
        keepdims: bool = False,
        reduce: bool = True,
        weight: Any = EQUAL,
        scalarisation: Reduction | None = None,
        key: object = None,
    ) -> None:
        super().__init__(
            nu, name, axis=axis, keepdims=keepdims, reduce=reduce, scalarisation=scalarisation
        )
        as_weight(weight)
        self.weight = weight

    def _score_params(self) -> dict[str, Any]:
        params = super()._score_params()
        if self.weight is not EQUAL:
            params["weight"] = self.weight
        return params


class JSDivergenceLoss(_WeightedScoreLoss):
    """Jensen-Shannon divergence of two arrays of probabilities, as a loss in nats.

    Called ``loss(P, Q, *, key=None, scalarisation_weight=None)`` with two arrays that
    broadcast, it returns ::

        nu * scalarisation(½ KL(P‖M) + ½ KL(Q‖M)),    M = ½ (P + Q)

    With a weight π other than ½, KL(P‖M) and KL(Q‖M) count 1 - π and π, as P and Q do in M.

    Parameters
    ----------
    nu : float
        Multiplier of the loss.
    name : str, optional
        ``JSDivergence`` by default.
    axis : int, sequence of ints, or None
        Axes of P and Q that make up one distribution; None is all of them.
    keepdims : bool
        Whether the scores keep these axes, with length 1. It changes which axes a
        scalarisation with ``axis=`` sees.
    reduce : bool
        Whether the scores are divergences. If False they are the unsummed terms, one for
        each element of P and Q.
    weight : array_like
        The weight π of Q, between 0 and 1: one number, or one for each score. It may be an
        argument of the call instead.
    scalarisation : callable, optional
        From the scores to a scalar; the mean by default.
    key : object, optional
        Accepted for compatibility with hypercoil and ignored.

    Attributes
    ----------
    nu, name, axis, keepdims, reduce, weight, scalarisation, score
        As given. Each may be set between calls; the next call uses it.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: see :class:`Loss`.
    ValueError
        If ``nu`` is NaN or infinite, or a weight is not between 0 and 1.

    See Also
    --------
    js_divergence : the score: how zeros, NaN and unnormalised rows are treated.

    Examples
    --------
    >>> from jsdiv_numba import JSDivergenceLoss, max_scalarise
    >>> P = [[1.0, 0.0], [0.5, 0.5]]
    >>> Q = [[0.0, 1.0], [0.5, 0.5]]
    >>> loss = JSDivergenceLoss()
    >>> loss
    [ν = 1.0]JSDivergence
    >>> round(float(loss(P, Q)), 6)
    0.346574

    The worst row, at twice the strength:

    >>> loss.scalarisation, loss.nu = max_scalarise(), 2.0
    >>> round(float(loss(P, Q)), 6)
    1.386294

    A weight of Q near 0 makes it π·KL(Q‖P), all but a part of the order of π²:

    >>> loss = JSDivergenceLoss(weight=1e-9, nu=1e9)
    >>> round(float(loss([0.2, 0.8], [0.5, 0.5])), 6)
    0.223144
    """

    _own_score, _own_name = staticmethod(js_divergence), "JSDivergence"
    _measure = PROBABILITIES


class JSDivergenceLogitLoss(_WeightedScoreLoss):
    """Jensen-Shannon divergence of two arrays of logits, as a loss in nats.

    Called ``loss(P, Q, *, key=None, scalarisation_weight=None)`` with two arrays that
    broadcast, it returns ::

        nu * scalarisation(JS(softmax(P)‖softmax(Q)))

    With a weight π other than ½ it is the skewed divergence, as of `JSDivergenceLoss`.

    Parameters
    ----------
    name : str, optional
        ``JSDivergenceLogit`` by default.
    axis : int, sequence of ints, or None
        Axes of P and Q over which the softmax is taken and the terms are summed. None takes
        the softmax over the last axis and sums over all.
    weight : array_like
        The weight π of Q, between 0 and 1: one number, or one for each row. It may be an
        argument of the call instead.
    nu, keepdims, reduce, scalarisation, key
        As for `JSDivergenceLoss`, as are attributes and errors.

    See Also
    --------
    js_divergence_logit : the score: how shifts and infinite logits are treated.

    Examples
    --------
    >>> from jsdiv_numba import JSDivergenceLogitLoss
    >>> loss = JSDivergenceLogitLoss()
    >>> loss
    [ν = 1.0]JSDivergenceLogit

    Logits may be shifted by any constant:

    >>> float(loss([2.0, 0.0, -1.0], [102.0, 100.0, 99.0]))
    0.0

    Of a student's logits and a teacher's, whose distributions count 0.9 and 0.1:

    >>> loss = JSDivergenceLogitLoss(weight=0.1)
    >>> round(float(loss([2.0, 0.0, -1.0], [0.0, 1.0, 1.0])), 6)
    0.106128
    """

    _own_score, _own_name = staticmethod(js_divergence_logit), "JSDivergenceLogit"
    _measure = LOGITS


class KLDivergenceLoss(_ScoreLoss):
    """Kullback-Leibler divergence of two arrays of probabilities, as a loss in nats.

    Called ``loss(P, Q, *, key=None, scalarisation_weight=None)`` with two arrays that
    broadcast, it returns ::

        nu * scalarisation(KL(P‖Q))

    Parameters
    ----------
    name : str, optional
        ``KLDivergence`` by default.
    nu, keepdims, reduce, scalarisation, key, axis
        As for `JSDivergenceLoss`, as are attributes and errors.

    See Also
    --------
    kl_divergence : the score: how zeros, NaN and unnormalised rows are treated.

    Examples
    --------
    >>> from jsdiv_numba import KLDivergenceLoss
    >>> loss = KLDivergenceLoss()
    >>> loss
    [ν = 1.0]KLDivergence
    >>> P = [[1.0, 0.0], [0.5, 0.5]]
    >>> round(float(loss(P, [0.5, 0.5])), 6)
    0.346574

    A category that P has and Q rules out is infinitely wrong:

    >>> float(loss([0.5, 0.5], P))
    inf
    """

    _own_score, _own_name = staticmethod(kl_divergence), "KLDivergence"
    _measure = KL_PROBABILITIES


class KLDivergenceLogitLoss(_ScoreLoss):
    """Kullback-Leibler divergence of two arrays of logits, as a loss in nats.

    Called ``loss(P, Q, *, key=None, scalarisation_weight=None)`` with two arrays that
    broadcast, it returns ::

        nu * scalarisation(KL(softmax(P)‖softmax(Q)))

    Parameters
    ----------
    name : str, optional
        ``KLDivergenceLogit`` by default.
    axis : int, sequence of ints, or None
        Axes of P and Q over which the softmax is taken and the terms are summed; None is all
        of them.
    nu, keepdims, reduce, scalarisation, key
        As for `JSDivergenceLoss`, as are attributes and errors.

    See Also
    --------
    kl_divergence_logit : the score: how shifts and infinite logits are treated.

    Examples
    --------
    >>> from jsdiv_numba import KLDivergenceLogitLoss
    >>> loss = KLDivergenceLogitLoss(nu=0.5)
    >>> loss
    [ν = 0.5]KLDivergenceLogit
    >>> round(float(loss([2.0, 0.0, -1.0], [101.0, 100.0, 99.0])), 6)
    0.040777
    """

    _own_score, _own_name = staticmethod(kl_divergence_logit), "KLDivergenceLogit"
    _measure = KL_LOGITS


class EntropyLoss(_ScoreLoss):
    """Entropy of an array of probabilities, as a loss in nats.

    Called ``loss(X, *, key=None, scalarisation_weight=None)``, it returns ::

        nu * scalarisation(H(X))

    Parameters
    ----------
    name : str, optional
        ``Entropy`` by default.
    nu, axis, keepdims, reduce, scalarisation, key
        As for `JSDivergenceLoss`, as are attributes and errors.

    See Also
    --------
    entropy : the score: how zeros, NaN and unnormalised rows are treated.

    Examples
    --------
    >>> from jsdiv_numba import EntropyLoss
    >>> loss = EntropyLoss()
    >>> loss
    [ν = 1.0]Entropy
    >>> round(float(loss([[0.5, 0.5], [1.0, 0.0]])), 6)
    0.346574
    """

    _own_score, _own_name = staticmethod(entropy), "Entropy"
    _measure = ENTROPY_PROBABILITIES


class EntropyLogitLoss(_ScoreLoss):
    """Entropy of the softmax of an array of logits, as a loss in nats.

    Called ``loss(X, *, key=None, scalarisation_weight=None)``, it returns ::

        nu * scalarisation(H(softmax(X)))

    Parameters
    ----------
    name : str, optional
        ``EntropyLogit`` by default.
    axis : int, sequence of ints, or None
        Axes of X over which the softmax is taken and the terms are summed; None is all of
        them.
    nu, keepdims, reduce, scalarisation, key
        As for `JSDivergenceLoss`, as are attributes and errors.

    See Also
    --------
    entropy_logit : the score: how shifts and infinite logits are treated.

    Examples
    --------
    >>> from jsdiv_numba import EntropyLogitLoss
    >>> loss = EntropyLogitLoss()
    >>> loss
    [ν = 1.0]EntropyLogit
    >>> round(float(loss([1.0, 0.0])), 6)
    0.582203

    Other arguments of the score go into the call:

    >>> round(float(loss([1.0, 0.0], temperature=0.1)), 6)
    0.000499
    """

    _own_score, _own_name = staticmethod(entropy_logit), "EntropyLogit"
    _measure = ENTROPY_LOGITS


def _shape_of_two(
    P: Any, Q: Any, *, axis: Axis = -1, keepdims: bool = True, reduce: bool = True, **_: Any
) -> tuple[int, ...]:
    return scores_shape({"P": P, "Q": Q}, axis, keepdims, reduce)


def _shape_of_one(
    X: Any, *, axis: Axis = -1, keepdims: bool = True, reduce: bool = True, **_: Any
) -> tuple[int, ...]:
    return scores_shape({"X": X}, axis, keepdims, reduce)


def _shape_of_many(
    P: Any,
    *,
    axis: Axis = -1,
    over: int = 0,
    keepdims: bool = True,
    reduce: bool = True,
    **_: Any,
) -> tuple[int, ...]:
    return shape_of_many(P, axis, over, keepdims, reduce)


_DERIVATIVES: tuple[
    tuple[Callable[..., Any], Callable[..., Any], Callable[..., tuple[int, ...]]], ...
] = (
    (js_divergence, js_divergence_grad, _shape_of_two),
    (js_divergence_logit, js_divergence_logit_grad, _shape_of_two),
    (js_divergence_many, js_divergence_many_grad, _shape_of_many),
    (js_divergence_many_logit, js_divergence_many_logit_grad, _shape_of_many),
    (kl_divergence, kl_divergence_grad, _shape_of_two),
    (kl_divergence_logit, kl_divergence_logit_grad, _shape_of_two),
    (entropy, entropy_grad, _shape_of_one),
    (entropy_logit, entropy_logit_grad, _shape_of_one),
)
"""The scores whose derivative is known, and the shapes that they return."""


def _default_name(score: Callable[..., Any]) -> str:
    while isinstance(score, functools.partial):
        score = score.func
    name = getattr(score, "__name__", None)
    if name is None:
        return f"{type(score).__name__}Loss"
    return "".join(part.title() for part in name.split("_")) + "Loss"
