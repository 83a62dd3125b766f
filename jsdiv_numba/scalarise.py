"""The reductions of a loss's scores: maps from an array to a scalar that compose.

A loss scores many pairs of rows; a scalarisation makes one number of the scores. Every
map here reduces an array, turns a function of arrays into one that returns the reduced
result, and stacks on another map given as ``inner=``.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._core.validation import FLOATS, Axis, FloatArray, as_real, normalise_axes, result_dtype
from ._losses.reductions import (
    GradPath,
    fitted,
    maximum,
    maximum_grad,
    mean,
    mean_grad,
    mean_square,
    mean_square_grad,
    norm,
    norm_grad,
    own_weight,
    selfwmean_grad,
    softmax,
    softmax_axes,
    total,
    total_grad,
    weighted_mean,
    wmean_grad,
)

__all__ = [
    "Scalarisation",
    "max_scalarise",
    "mean_scalarise",
    "meansq_scalarise",
    "norm_scalarise",
    "selfwmean",
    "selfwmean_scalarise",
    "sum_scalarise",
    "vnorm_scalarise",
    "wmean",
    "wmean_scalarise",
]

Reduction: TypeAlias = Callable[..., Any]
Scores: TypeAlias = Reduction | npt.ArrayLike | None


class Scalarisation:
    """A reduction of scores that works on arrays and on functions, and composes.

    Parameters
    ----------
    reduce : callable
        Called as ``reduce(scores, **params)`` with an array of float32 or float64;
        returns the reduced scores.
    inner : callable, optional
        What is applied to the scores first: a Scalarisation, or any callable from an
        array to an array.
    grad : callable, optional
        The derivative of ``reduce``, for `value_and_grad`. Called as
        ``grad(scores, cotangent, **params)``, where the cotangent is the derivative of what
        follows and has the shape of the reduced scores, it returns the derivative with respect to
        the scores, in their shape.
    linear : bool
        Whether ``grad`` takes no more of the scores than their shape, as the derivative of a
        mean. The scores of a loss are then computed only once, beside their derivatives.
    **params
        Keyword arguments of ``reduce`` and ``grad``. One that is named ``weight`` is replaced
        by the ``scalarisation_weight`` of a call.

    Attributes
    ----------
    reduce, inner, grad, params
        As given; ``inner`` is a Scalarisation or None.
    takes_weight : bool
        Whether a call may pass ``scalarisation_weight``.
    linear : bool
        As given, of the whole composition.

    Notes
    -----
    The result has the dtype of the scores: float32 for float32 and float16, float64 for
    float64, integers and bool. A 0-d result is a NumPy scalar.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba.scalarise import Scalarisation
    >>> upper = Scalarisation(np.quantile, q=0.75)
    >>> float(upper([0.1, 0.2, 0.3, 0.4, 0.5]))
    0.4

    Given a function, it returns the function whose result is reduced:

    >>> largest_gap = Scalarisation(np.max)(np.subtract)
    >>> float(largest_gap([3.0, 5.0], [1.0, 1.0]))
    4.0

    With its derivative it can be optimised:

    >>> distance = Scalarisation(np.sqrt, grad=lambda scores, g: g / (2 * np.sqrt(scores)))
    >>> value, grad = sum_scalarise(inner=distance).value_and_grad([0.25, 0.0625])
    >>> float(value), grad
    (0.75, array([1., 2.]))
    """

    def __init__(
        self,
        reduce: Reduction,
        *,
        inner: Reduction | None = None,
        grad: Reduction | None = None,
        linear: bool = False,
        **params: Any,
    ) -> None:
        if not callable(reduce):
            raise TypeError(f"reduce is {reduce!r}; it must be callable")
        if grad is not None and not callable(grad):
            raise TypeError(f"grad is {grad!r}; it must be callable, or None")
        self.reduce = reduce
        self.grad = grad
        self.inner = None if inner is None else as_scalarisation(inner, "inner")
        self.params = params
        self._linear = linear

    @property
    def linear(self) -> bool:
        """Whether the derivative of this composition depends on no more than the scores' shape."""
        return self._linear and (self.inner is None or self.inner.linear)

    @property
    def shows_nan(self) -> bool:
        """Whether the result has a NaN if any of the scores is one."""
        return self.inner is None and self.reduce in _SHOWING_NAN

    def at_once(self, scores: FloatArray) -> Any:
        """Reduce an array of floats where this map takes no weight and has no other inside."""
        result = self.reduce(scores, **self.params)
        return result if type(result) is np.ndarray else scores.dtype.type(result)

    @property
    def takes_weight(self) -> bool:
        """Whether this map, or one inside it, has a parameter named ``weight``."""
        return "weight" in self.params or (self.inner is not None and self.inner.takes_weight)

    def __call__(
        self,
        scores: Scores = None,
        /,
        *,
        scalarisation_weight: npt.ArrayLike | None = None,
    ) -> Any:
        """Reduce an array, or make a function's result reduced.

        Parameters
        ----------
        scores : array_like of real numbers, or callable, optional
            What to reduce. A callable gives a function that passes every argument on but
            ``scalarisation_weight`` and reduces the result; without scores, that function
            takes the scores themselves.
        scalarisation_weight : array_like, optional
            The weight of every weighted mean in this composition, in place of the one
            that it was made with.

        Returns
        -------
        scalar, ndarray or callable
            The reduced scores, or the function that returns them.

        Raises
        ------
        TypeError
            If the scores are not real numbers, if a weight is given and no map takes one,
            or if a weighted mean has none.
        """
        if type(scores) is np.ndarray:
            return self._reduced(scores, scalarisation_weight)
        given = _identity if scores is None else scores
        if callable(given):
            return self._after(given, scalarisation_weight)
        return self._reduced(given, scalarisation_weight)

    def value_and_grad(
        self, scores: npt.ArrayLike, scalarisation_weight: npt.ArrayLike | None = None
    ) -> tuple[Any, FloatArray]:
        """Reduce an array to a scalar, and differentiate it with respect to each score.

        Parameters
        ----------
        scores : array_like of real numbers
            What to reduce.
        scalarisation_weight : array_like, optional
            As in a call.

        Returns
        -------
        value : scalar
            As the call returns it.
        grad : ndarray
            The derivative of the value, in the shape of the scores and the dtype of the value.

        Raises
        ------
        TypeError
            If a callable in the composition has no derivative, or as a call does.
        ValueError
            If the result is not a scalar, or a derivative not of the shape of its scores.

        Notes
        -----
        Equal extremes share the derivative of a maximum or of a norm that is one, as in JAX.
        At 0, where a norm has a corner, its derivative is taken as 0.
        """
        value, vjp = self.value_and_vjp(scores, scalarisation_weight)
        grad = vjp(1.0)
        return value, np.array(grad, dtype=value.dtype)

    def value_and_vjp(
        self, scores: npt.ArrayLike, scalarisation_weight: npt.ArrayLike | None = None
    ) -> tuple[Any, Callable[[float], FloatArray]]:
        """Reduce an array to a scalar, and return what takes a factor back to the scores.

        Parameters
        ----------
        scores, scalarisation_weight
            As in `value_and_grad`.

        Returns
        -------
        value : scalar
            As the call returns it.
        vjp : callable
            From a number to the number times the derivative of the value, in float64. The
            array may be a read-only view.
        """
        steps = self._steps()
        for step in steps:
            if step.grad is None:
                raise TypeError(
                    f"{step!r} has no derivative; use a map of jsdiv_numba.scalarise, or give "
                    "it one, Scalarisation(reduce, grad=f), where f(scores, cotangent) returns "
                    "the cotangent times the derivative, in the shape of the scores"
                )
        if scalarisation_weight is not None:
            self._require_a_weighted_mean()
        before = []
        value: Any = scores
        for step in steps:
            before.append(_real(value, "scores"))
            value = step._of(before[-1], scalarisation_weight)
        if np.ndim(value):
            raise ValueError(
                f"{self!r} leaves an array of shape {value.shape}, and only a scalar has a "
                "gradient; reduce the rest, for example with sum_scalarise(inner=...)"
            )

        def vjp(factor: float) -> FloatArray:
            cotangent = np.asarray(factor, np.float64)
            for step, entered in zip(reversed(steps), reversed(before), strict=True):
                cotangent = step._vjp(entered, cotangent, scalarisation_weight)
            return cotangent

        return value, vjp

    def __repr__(self) -> str:
        settings = self.params if self.inner is None else {**self.params, "inner": self.inner}
        shown = "".join(f", {name}={value!r}" for name, value in settings.items())
        return f"Scalarisation({getattr(self.reduce, '__name__', repr(self.reduce))}{shown})"

    def _after(self, function: Reduction, weight: npt.ArrayLike | None) -> Reduction:
        def reduced(
            *args: Any, scalarisation_weight: npt.ArrayLike | None = weight, **kwargs: Any
        ) -> Any:
            return self._reduced(function(*args, **kwargs), scalarisation_weight)

        return reduced

    def _reduced(self, scores: Any, weight: npt.ArrayLike | None) -> Any:
        if weight is not None:
            self._require_a_weighted_mean()
        if self.inner is None:
            return self._of(_real(scores, "scores"), weight)
        for step in self._steps():
            scores = step._of(_real(scores, "scores"), weight)
        return scores

    def _of(self, scores: FloatArray, weight: npt.ArrayLike | None) -> Any:
        settings = self._settings(weight) if "weight" in self.params else self.params
        result = self.reduce(scores, **settings)
        kind = scores.dtype.type
        if type(result) is kind or type(result) is np.float64:
            return kind(result)
        if callable(result):
            raise TypeError(
                f"{self!r} returned a function; a scalarisation is given the array of scores "
                "and returns the reduced array or scalar"
            )
        return _real(result, "result of the scalarisation").astype(scores.dtype)[()]

    def _vjp(
        self, scores: FloatArray, cotangent: FloatArray, weight: npt.ArrayLike | None
    ) -> FloatArray:
        assert self.grad is not None
        grad = np.asarray(self.grad(scores, cotangent, **self._settings(weight)))
        if grad.shape != scores.shape:
            raise ValueError(
                f"grad of {self!r} returned an array of shape {grad.shape}; it must have the "
                f"scores' shape {scores.shape}"
            )
        return grad

    def _steps(self) -> list["Scalarisation"]:
        """Return the maps of the composition in the order in which they are applied."""
        return [*(self.inner._steps() if self.inner is not None else ()), self]

    def _require_a_weighted_mean(self) -> None:
        if not self.takes_weight:
            raise TypeError(
                f"scalarisation_weight was given, but {self!r} takes no weight; "
                "use wmean_scalarise, alone or as inner="
            )

    def _settings(self, weight: npt.ArrayLike | None) -> dict[str, Any]:
        if "weight" not in self.params:
            return self.params
        settings = self.params if weight is None else {**self.params, "weight": weight}
        if settings["weight"] is None:
            raise TypeError(
                "the weighted mean has no weight; give one to the map, "
                "wmean_scalarise(weight=w), or to the call, loss(P, Q, scalarisation_weight=w)"
            )
        return settings


def sum_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Sum of the scores.

    Parameters
    ----------
    scores : array_like of real numbers, or callable, optional
        Given, the map is applied to it at once.
    inner : callable, optional
        The map that is applied first.
    axis : int, sequence of ints, or None
        Axes of the scores, as ``inner`` leaves them, to reduce; None is all of
        them.
    keepdims : bool
        Whether these axes stay, with length 1.
    key : object, optional
        Accepted for compatibility with hypercoil and ignored.

    Returns
    -------
    Scalarisation
        The map; or, when ``scores`` is given, what the map makes of them.

    Raises
    ------
    TypeError, ValueError
        If ``axis`` is not made of ints, or out of range for the scores.

    Examples
    --------
    >>> from jsdiv_numba import sum_scalarise
    >>> float(sum_scalarise()([[0.5, 0.25], [0.0, 0.125]]))
    0.875
    """
    return _made(scores, total, total_grad, inner, key, linear=True, axis=axis, keepdims=keepdims)


def mean_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Mean of the scores; the default of every loss.

    Parameters
    ----------
    scores, inner, axis, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Examples
    --------
    The mean over the columns of each column's maximum:

    >>> from jsdiv_numba import max_scalarise, mean_scalarise
    >>> float(mean_scalarise(inner=max_scalarise(axis=0))([[0.5, 0.25], [0.0, 0.75]]))
    0.625
    """
    return _made(scores, mean, mean_grad, inner, key, linear=True, axis=axis, keepdims=keepdims)


def meansq_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Mean of the squared scores, which weighs large scores more.

    Parameters
    ----------
    scores, inner, axis, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Examples
    --------
    >>> from jsdiv_numba import meansq_scalarise
    >>> float(meansq_scalarise()([0.5, 1.0]))
    0.625
    """
    return _made(scores, mean_square, mean_square_grad, inner, key, axis=axis, keepdims=keepdims)


def max_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Largest of the scores: the worst row decides.

    Parameters
    ----------
    scores, inner, axis, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Examples
    --------
    >>> from jsdiv_numba import max_scalarise
    >>> float(max_scalarise()([[0.5, 0.25], [0.0, 0.75]]))
    0.75
    """
    return _made(scores, maximum, maximum_grad, inner, key, axis=axis, keepdims=keepdims)


def norm_scalarise(
    scores: Scores = None,
    /,
    *,
    p: float | str | None = 2,
    force_vector_norm: bool = False,
    axis: Axis = -1,
    inner: Reduction | None = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Norm of the scores along an axis, or of matrices of scores.

    Parameters
    ----------
    p : float, str or None
        Order of the norm, as ``ord`` of :func:`numpy.linalg.norm`; inf is the largest
        absolute value, None the root of the sum of squares over any number of axes.
    force_vector_norm : bool
        Take the norm of the vector of all scores on the axes, however many axes there are.
    axis : int, sequence of ints, or None
        The last by default. Two axes give the norm of the matrices that they span, rows
        first, unless ``force_vector_norm``; None spans all axes.
    scores, inner, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Raises
    ------
    TypeError, ValueError
        If ``axis`` is not made of ints, or out of range for the scores, if three axes or
        more are given for a matrix norm, or if the norm has no order ``p``.

    Notes
    -----
    For p = 2, two axes give the spectral norm, the largest singular value; the root of the
    sum of squares is ``p="fro"`` or ``force_vector_norm=True``.

    Examples
    --------
    >>> from jsdiv_numba import norm_scalarise
    >>> norm_scalarise()([[3.0, 4.0], [5.0, 12.0]])
    array([ 5., 13.])
    >>> float(norm_scalarise(p=1, axis=(0, 1))([[3.0, 4.0], [5.0, 12.0]]))
    16.0
    >>> float(norm_scalarise(p=1, axis=(0, 1), force_vector_norm=True)([[3.0, 4.0], [5.0, 12.0]]))
    24.0
    """
    return _made(
        scores,
        norm,
        norm_grad,
        inner,
        key,
        p=p,
        force_vector_norm=force_vector_norm,
        axis=axis,
        keepdims=keepdims,
    )


def vnorm_scalarise(
    scores: Scores = None,
    /,
    *,
    p: float | None = 2,
    axis: Axis = -1,
    inner: Reduction | None = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Vector norm of the scores on one or more axes.

    This is :func:`norm_scalarise` with ``force_vector_norm=True``.

    Parameters
    ----------
    p : float or None
        Order of the norm; inf is the largest absolute value.
    axis : int, sequence of ints, or None
        The axes whose scores make one vector, the last by default; None is all of them.
    scores, inner, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Examples
    --------
    >>> from jsdiv_numba import vnorm_scalarise
    >>> float(vnorm_scalarise(p=1, axis=None)([[3.0, 4.0], [5.0, 12.0]]))
    24.0
    """
    return norm_scalarise(
        scores,
        p=p,
        force_vector_norm=True,
        axis=axis,
        inner=inner,
        keepdims=keepdims,
        key=key,
    )


def wmean_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    weight: npt.ArrayLike | None = None,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Weighted mean of the scores.

    Parameters
    ----------
    weight : array_like of real numbers, optional
        One dimension for each averaged axis, in the order of the axes in the scores, and
        of their lengths. A call may give it instead, as ``scalarisation_weight``, which
        comes before this one.
    scores, inner, axis, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Raises
    ------
    TypeError
        If there is no weight, neither here nor in the call.
    ValueError
        If the weight does not fit the scores, or sums to zero.

    See Also
    --------
    wmean : the same as a plain function.

    Notes
    -----
    A composition of several weighted means passes ``scalarisation_weight`` to every one of
    them; give each its own ``weight`` where they differ.

    Examples
    --------
    >>> from jsdiv_numba import wmean_scalarise
    >>> float(wmean_scalarise(weight=[1, 0, 1])([0.25, 0.5, 0.75]))
    0.5
    >>> wmean_scalarise(axis=0)([[0.0, 0.5], [1.0, 0.75]], scalarisation_weight=[3, 1])
    array([0.25  , 0.5625])
    """
    held = None if weight is None else _real(weight, "weight")
    return _made(
        scores,
        wmean,
        wmean_grad,
        inner,
        key,
        linear=True,
        weight=held,
        axis=axis,
        keepdims=keepdims,
    )


def selfwmean_scalarise(
    scores: Scores = None,
    /,
    *,
    inner: Reduction | None = None,
    axis: Axis = None,
    gradpath: GradPath = "input",
    softmax_axis: Axis | bool = False,
    softmax_invert: bool = False,
    keepdims: bool = False,
    key: object = None,
) -> Any:
    """Mean of the scores, weighted by themselves: a soft maximum.

    Parameters
    ----------
    gradpath : {'input', 'weight', None}
        What a derivative goes through: the scores that are averaged, the weights made of
        them, or both. It has no influence on the value.
    softmax_axis : bool, int, sequence of ints, or None
        False: the scores are their own weights. Otherwise the weights are the softmax of
        the scores over these axes; True and None are all of them.
    softmax_invert : bool
        Negate the scores before the softmax and the mean; without a softmax, do nothing.
    scores, inner, axis, keepdims, key
        As for `sum_scalarise`.

    Returns
    -------
    Scalarisation or scalar
        As for `sum_scalarise`.

    Raises
    ------
    ValueError
        If ``gradpath`` is none of the three, or the weights sum to zero.

    See Also
    --------
    selfwmean : the same as a plain function, with notes on its meaning.

    Examples
    --------
    >>> from jsdiv_numba import selfwmean_scalarise
    >>> float(selfwmean_scalarise()([0.25, 0.75]))
    0.625
    """
    return _made(
        scores,
        selfwmean,
        selfwmean_grad,
        inner,
        key,
        axis=axis,
        keepdims=keepdims,
        gradpath=_checked_gradpath(gradpath),
        softmax_axis=softmax_axis if isinstance(softmax_axis, bool) else checked_axis(softmax_axis),
        softmax_invert=softmax_invert,
    )


def wmean(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
) -> Any:
    """Weighted mean over one or more axes, Σ w·x / Σ w.

    Parameters
    ----------
    input : array_like of real numbers
        What is averaged.
    weight : array_like of real numbers
        One dimension for each averaged axis, in the order of the axes in the input, and of
        their lengths. Negative weights are allowed.
    axis : int, sequence of ints, or None
        Axes to average over; None is all of them.
    keepdims : bool
        Whether the averaged axes stay, with length 1.

    Returns
    -------
    scalar or ndarray
        float32 for float32 or float16 input, otherwise float64.

    Raises
    ------
    TypeError
        If the input or the weight is not made of real numbers.
    ValueError
        If ``axis`` is out of range, or the weight does not fit the axes or sums to zero.

    Notes
    -----
    A weight does not broadcast: a length of 1 where the input has more would be counted
    once in Σ w, but many times in Σ w·x.

    Examples
    --------
    >>> from jsdiv_numba import wmean
    >>> float(wmean([0.5, 0.25, 1.0], [1, 0, 1]))
    0.75
    >>> wmean([[0.5, 0.25, 1.0], [0.0, 0.5, 0.5]], [1, 0, 1], axis=1)
    array([0.75, 0.25])
    """
    scores = _real(input, "input")
    axes = normalise_axes(axis, scores.ndim)
    weight = fitted(_real(weight, "weight"), scores.shape, axes)
    return weighted_mean(scores, weight, axes, keepdims, "weight")


def selfwmean(
    input: npt.ArrayLike,
    axis: Axis = None,
    keepdims: bool = False,
    gradpath: GradPath = "input",
    softmax_axis: Axis | bool = False,
    softmax_invert: bool = False,
) -> Any:
    """Mean of an array over one or more axes, weighted by the array itself or its softmax.

    Parameters
    ----------
    input : array_like of real numbers
        What is averaged.
    axis : int, sequence of ints, or None
        Axes to average over; None is all of them.
    keepdims : bool
        Whether the averaged axes stay, with length 1.
    gradpath : {'input', 'weight', None}
        What a derivative goes through: the input, the weights made of it, or both. It has
        no influence on the value.
    softmax_axis : bool, int, sequence of ints, or None
        False: the input is its own weight, Σ x² / Σ x. Otherwise the weight is the softmax
        of the input over these axes; True and None are all of them.
    softmax_invert : bool
        Negate the input before the softmax and the mean; without a softmax, do nothing.

    Returns
    -------
    scalar or ndarray
        float32 for float32 or float16 input, otherwise float64.

    Raises
    ------
    TypeError
        If the input is not made of real numbers.
    ValueError
        If an axis is out of range, ``gradpath`` is none of the three, or the weights sum to
        zero though they are not all zero.

    Notes
    -----
    With a softmax this is close to the maximum when the largest input stands out. With
    ``softmax_invert`` it is, as in hypercoil, close to *minus* the minimum, because the
    negated input is also what is averaged; a loss that should fall with its smallest score
    takes a negative ``nu``.

    Where every input is zero the mean is 0, its limit for non-negative input, so that
    a perfect fit has a loss.

    Examples
    --------
    >>> from jsdiv_numba import selfwmean
    >>> float(selfwmean([0.25, 0.75]))
    0.625
    >>> round(float(selfwmean([0.0, 30.0], softmax_axis=-1)), 6)
    30.0
    >>> round(float(selfwmean([10.0, 40.0], softmax_axis=-1, softmax_invert=True)), 6)
    -10.0
    """
    _checked_gradpath(gradpath)
    scores = _real(input, "input")
    axes = normalise_axes(axis, scores.ndim)
    over = softmax_axes(softmax_axis, scores.ndim)
    if over is None:
        return weighted_mean(scores, own_weight(scores, axes), axes, keepdims, "input")
    if softmax_invert:
        scores = -scores
    return weighted_mean(scores, softmax(scores, over), axes, keepdims, "softmax of the input")


def as_scalarisation(reduction: Any, argument: str) -> Scalarisation:
    """Make a Scalarisation of whatever callable reduces an array.

    Parameters
    ----------
    reduction : callable
        A Scalarisation, one of this module's maps uncalled (``max_scalarise``), or any
        other callable from an array to a scalar or an array (``np.max``).
    argument : str
        The argument's name, for the error.

    Returns
    -------
    Scalarisation
        The reduction itself where it is one.

    Raises
    ------
    TypeError
        If the reduction cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba.scalarise import as_scalarisation
    >>> float(as_scalarisation(np.max, "scalarisation")([0.25, 0.5]))
    0.5
    """
    if isinstance(reduction, Scalarisation):
        return reduction
    if any(reduction is factory for factory in _MAPS):
        made: Scalarisation = reduction()
        return made
    if not callable(reduction):
        raise TypeError(
            f"{argument} is {reduction!r}; it must be a callable from an array to a scalar, "
            "such as mean_scalarise() or np.max"
        )
    return Scalarisation(reduction)


def _identity(scores: Any, *, key: object = None) -> Any:
    del key  # every hypercoil score takes one
    return scores


def checked_axis(axis: Axis) -> Axis:
    """Return the axis, if there can be an array that has it; raise as for one otherwise."""
    normalise_axes(axis, _MOST_DIMENSIONS)
    # An array could be changed later.
    return tuple(axis.tolist()) if isinstance(axis, np.ndarray) and axis.ndim else axis


def _made(
    scores: Scores,
    reduce: Reduction,
    grad: Reduction,
    inner: Reduction | None,
    key: object,
    *,
    axis: Axis,
    **params: Any,
) -> Any:
    del key  # none of the maps draws at random
    scalarisation = Scalarisation(reduce, inner=inner, grad=grad, axis=checked_axis(axis), **params)
    return scalarisation if scores is None else scalarisation(scores)


def _checked_gradpath(gradpath: GradPath) -> GradPath:
    if gradpath not in ("input", "weight", None):
        raise ValueError(f"gradpath is {gradpath!r}; it must be 'input', 'weight' or None")
    return gradpath


def _real(values: Any, name: str) -> FloatArray:
    if type(values) is np.ndarray and values.dtype in FLOATS:
        return values
    array = as_real(name, values)
    return array.astype(result_dtype(array), copy=False)


_SHOWING_NAN = {total, mean, mean_square, maximum}

_MOST_DIMENSIONS = 64  # of a NumPy array

_MAPS = (
    sum_scalarise,
    mean_scalarise,
    meansq_scalarise,
    max_scalarise,
    norm_scalarise,
    vnorm_scalarise,
    wmean_scalarise,
    selfwmean_scalarise,
)
