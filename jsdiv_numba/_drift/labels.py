"""What bins are called: with as few digits as tell the edges apart."""

import numpy as np

from .values import Array


def interval_labels(cuts: Array, alone: Array, *, whole: bool) -> tuple[str, ...]:
    """Return names of the bins between cuts, and of the cuts that are bins themselves.

    Examples
    --------
    >>> interval_labels(np.array([0.0, 1.5]), np.array([True, False]), whole=False)
    ('below 0', '0', 'above 0, below 1.5', '1.5 and more')
    >>> interval_labels(np.array([3, 10]), np.array([False, False]), whole=True)
    ('below 3', '3 to 9', '10 and more')
    """
    whole = whole and bool(np.isfinite(cuts.astype(np.float64)).all())
    names = shortest(cuts, whole=whole)
    labels = [f"below {names[0]}"]
    for k, name in enumerate(names):
        last = k == len(names) - 1
        if alone[k]:
            labels.append(name)
        begin = f"above {name}" if alone[k] else name
        if last:
            labels.append(begin if alone[k] else f"{name} and more")
        elif whole:
            labels.append(_whole(int(cuts[k]) + bool(alone[k]), int(cuts[k + 1]) - 1))
        elif alone[k]:
            labels.append(f"{begin}, below {names[k + 1]}")
        else:
            labels.append(f"{name} to {names[k + 1]}")
    return tuple(labels)


def _whole(first: int, last: int) -> str:
    if first > last:
        # Where a sample has whole numbers only, and not all others are.
        return f"between {last} and {first}"
    return str(first) if first == last else f"{first} to {last}"


def shortest(cuts: Array, *, whole: bool) -> list[str]:
    """Return numbers as text, with as few digits as all need to differ."""
    if whole:
        return [str(int(cut)) for cut in cuts]
    for digits in range(3, 17):
        names = [f"{cut:.{digits}g}" for cut in cuts]
        if len(set(names)) == len(names):
            return names
    return [repr(float(cut)) for cut in cuts]
