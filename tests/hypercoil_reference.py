"""hypercoil's losses restated in NumPy: what the names of this library mean.

The divergences keep hypercoil's machine epsilon inside the logarithms, so they agree with
an exact divergence to a few epsilon per element only. A scalarisation here is what it is in
hypercoil, a function of a function. Axes may be negative throughout, and a self-weighted
mean may leave axes; hypercoil restricts both.
"""

import numpy as np


def js_divergence(P, Q, *, axis=-1, keepdims=True, reduce=True, key=None):
    P, Q = np.asarray(P), np.asarray(Q)
    M = (P + Q) / 2
    terms = (_kl_terms(P, M) + _kl_terms(Q, M)) / 2
    return terms.sum(axis=axis, keepdims=keepdims) if reduce else terms


def js_divergence_logit(P, Q, *, axis=-1, keepdims=True, reduce=True, key=None):
    over = -1 if axis is None else axis
    return js_divergence(
        softmax(P, over), softmax(Q, over), axis=axis, keepdims=keepdims, reduce=reduce
    )


def kl_divergence(P, Q, *, axis=-1, keepdims=True, reduce=True, key=None):
    terms = _kl_terms(np.asarray(P), np.asarray(Q))
    return terms.sum(axis=axis, keepdims=keepdims) if reduce else terms


def kl_divergence_logit(P, Q, *, axis=-1, keepdims=True, reduce=True, key=None):
    P, Q = softmax(P, axis), softmax(Q, axis)
    terms = P * np.log(P / Q)
    return terms.sum(axis=axis, keepdims=keepdims) if reduce else terms


def entropy(X, *, axis=-1, keepdims=True, reduce=True, key=None):
    X = np.asarray(X)
    terms = -X * np.log(X + np.finfo(X.dtype).eps)
    return terms.sum(axis=axis, keepdims=keepdims) if reduce else terms


def entropy_logit(X, *, temperature=1.0, axis=-1, keepdims=True, reduce=True, key=None):
    probabilities = softmax(np.asarray(X) / temperature, axis)
    return entropy(probabilities, axis=axis, keepdims=keepdims, reduce=reduce)


def _kl_terms(P, Q):
    eps = np.finfo(P.dtype).eps
    return (P + eps) * np.log((P + eps) / (Q + eps))


def softmax(X, axis=None):
    X = np.asarray(X)
    exponential = np.exp(X - X.max())
    return exponential / exponential.sum(axis=axis, keepdims=True)


def wmean(X, weight, *, axis=None, keepdims=False):
    X, weight = np.asarray(X), np.asarray(weight)
    axes = _positive(axis, X.ndim)
    assert weight.ndim == len(axes)
    for kept in sorted(set(range(X.ndim)) - axes):
        weight = np.expand_dims(weight, kept)
    return _ratio(weight * X, weight, tuple(axes), keepdims)


def selfwmean(X, *, axis=None, keepdims=False, softmax_axis=False, softmax_invert=False):
    X = np.asarray(X)
    if softmax_axis is False:
        return _ratio(X * X, X, axis, keepdims)
    X = -X if softmax_invert else X
    weight = softmax(X, None if softmax_axis is True else softmax_axis)
    return _ratio(weight * X, weight, axis, keepdims)


def _ratio(weighted, weight, axis, keepdims):
    return weighted.sum(axis, keepdims=keepdims) / weight.sum(axis, keepdims=keepdims)


def _positive(axis, ndim):
    axes = range(ndim) if axis is None else np.atleast_1d(axis).astype(int)
    return {int(one) % ndim for one in axes}


def identity(X, *, key=None):
    return X


def sum_scalarise(*, inner=None, axis=None, keepdims=False, key=None):
    return _map(inner, lambda X: np.sum(X, axis=axis, keepdims=keepdims))


def mean_scalarise(*, inner=None, axis=None, keepdims=False, key=None):
    return _map(inner, lambda X: np.mean(X, axis=axis, keepdims=keepdims))


def meansq_scalarise(*, inner=None, axis=None, keepdims=False, key=None):
    return _map(inner, lambda X: np.mean(X**2, axis=axis, keepdims=keepdims))


def max_scalarise(*, inner=None, axis=None, keepdims=False, key=None):
    return _map(inner, lambda X: np.max(X, axis=axis, keepdims=keepdims))


def norm_scalarise(*, p=2, force_vector_norm=False, axis=-1, inner=None, keepdims=False, key=None):
    def norm(X):
        if not force_vector_norm:
            return np.linalg.norm(X, ord=p, axis=axis, keepdims=keepdims)
        axes = sorted(_positive(axis, X.ndim))
        flat = np.moveaxis(X, axes, range(len(axes)))
        flat = flat.reshape(-1, *flat.shape[len(axes) :])
        result = np.linalg.norm(flat, ord=p, axis=0)
        return np.expand_dims(result, axes) if keepdims else result

    return _map(inner, norm)


def vnorm_scalarise(*, p=2, axis=-1, inner=None, keepdims=False, key=None):
    return norm_scalarise(p=p, force_vector_norm=True, axis=axis, inner=inner, keepdims=keepdims)


def wmean_scalarise(*, inner=None, axis=None, keepdims=False, key=None):
    def scalarisation(f=identity):
        def reduced(*args, scalarisation_weight, **kwargs):
            X = (inner or _same)(f)(*args, **kwargs)
            return wmean(X, scalarisation_weight, axis=axis, keepdims=keepdims)

        return reduced

    return scalarisation


def selfwmean_scalarise(
    *, inner=None, softmax_axis=False, softmax_invert=False, axis=None, keepdims=False, key=None
):
    def reduce(X):
        return selfwmean(
            X,
            axis=axis,
            keepdims=keepdims,
            softmax_axis=softmax_axis,
            softmax_invert=softmax_invert,
        )

    return _map(inner, reduce)


def _map(inner, reduce):
    def scalarisation(f=identity):
        return lambda *args, **kwargs: reduce((inner or _same)(f)(*args, **kwargs))

    return scalarisation


def _same(f):
    return f
