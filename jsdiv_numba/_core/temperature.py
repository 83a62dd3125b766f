"""Logits divided by a temperature."""

import math
from typing import Any

import numpy as np

from . import validation
from .validation import Axis, FloatArray


def scale_by_temperature(X: Any, axis: Axis, temperature: float) -> Any:
    """Return logits divided by a temperature, up to a constant for each distribution.

    The largest logit is subtracted first. Whatever constant was added to them all
    would else leave a rounding error of its size.
    """
    number = validation.real_number(temperature)
    if number is None or not 0 < number < math.inf:
        raise ValueError(f"temperature is {temperature!r}; it must be positive and finite")
    if number == 1.0:
        return X
    X = validation.as_real("X", X)
    axes = validation.normalise_axes(axis, X.ndim)
    validation.check_logits(X=X)
    logits: FloatArray = X.astype(validation.result_dtype(X), copy=False)
    if logits.size == 0:
        return logits
    with np.errstate(all="ignore"):
        logits = logits - logits.max(axis=axes, keepdims=True)
        logits /= validation.nearest_float(number, logits.dtype)
    return logits
