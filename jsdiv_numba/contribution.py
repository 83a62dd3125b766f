"""Which categories make a divergence, and on which side each of them has more."""

import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from operator import index
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._core import alignment, validation
from ._core.evaluate import evaluate
from ._core.measures import NORMALISED, PROBABILITIES
from ._core.sparse import any_sparse, of_dtype
from ._core.sparse_rows import as_one_row, columns_of, side_by_side
from ._core.validation import FloatArray

__all__ = ["Contribution", "Contributions", "contributions"]

Side = Literal["P", "Q", "="]

_SIDES: dict[int, Side] = {1: "P", -1: "Q", 0: "="}
_LINES = 10

PART = 1 << 15
"""Values that are looked at together."""


class Contribution(NamedTuple):
    """What one category adds to a divergence: a row of `Contributions`.

    Parameters
    ----------
    label : object
        The category's label, or its index where there are no labels.
    value : float
        Its part of the divergence.
    share : float
        That part over the whole.
    side : {"P", "Q", "="}
        Which of the two has more of it.

    Examples
    --------
    >>> from jsdiv_numba import contributions
    >>> largest = contributions([0.5, 0.5], [1.0, 0.0], labels=["heads", "tails"])[0]
    >>> largest.label, largest.side, f"{largest.share:.1%}"
    ('tails', 'P', '80.3%')
    """

    label: Any
    value: Any
    share: Any
    side: Side


@dataclass(frozen=True, eq=False, repr=False)
class Contributions:
    """The parts of a divergence, largest first; `contributions` makes them.

    It can be read by column, in the arrays below, and by row: indexing and
    iterating give a `Contribution`. Two are equal if all their numbers are.

    Parameters
    ----------
    labels : tuple, length k
        The categories' labels, or their indices where they have none.
    indices : ndarray of int, shape (k,)
        Where they stand in the distributions.
    values : ndarray of float32 or float64, shape (k,)
        Their parts of the divergence, none of them negative.
    signs : ndarray of int, shape (k,)
        1 where P has more, -1 where Q has more, 0 where they are equal.
    rest : float
        What all other categories add.
    others : int
        The number of those.
    total : float
        The divergence.

    Examples
    --------
    >>> from jsdiv_numba import contributions
    >>> parts = contributions([0.5, 0.5, 0.0], [0.2, 0.3, 0.5], labels="abc", top=2)
    >>> parts.labels, parts.indices, parts.signs
    (('c', 'a'), array([2, 0]), array([-1,  1]))
    >>> (parts.signs * parts.values).round(4)
    array([-0.1733,  0.0332])
    >>> [part.side for part in parts]
    ['Q', 'P']
    """

    labels: tuple[Any, ...]
    indices: NDArray[np.intp]
    values: FloatArray
    signs: NDArray[np.intp]
    rest: Any
    others: int
    total: Any

    @property
    def shares(self) -> FloatArray:
        """Each value over the total, shape (k,); 0 where that is 0."""
        return np.asarray(self._share(self.values))

    def _share(self, value: Any) -> Any:
        return value / (self.total or 1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contributions):
            return NotImplemented
        if (self.labels, self.others) != (other.labels, other.others):
            return False
        if self.values.dtype != other.values.dtype:
            return False
        # Where a probability is NaN, so are the total and a value.
        return all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in ("indices", "values", "signs", "rest", "total")
        )

    def __hash__(self) -> int:
        return hash((self.indices.tobytes(), self.others))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> Contribution:
        value = self.values[i]
        side = _SIDES[int(self.signs[i])]
        return Contribution(self.labels[i], value, self._share(value), side)

    def __iter__(self) -> Iterator[Contribution]:
        sides = map(_SIDES.__getitem__, self.signs.tolist())
        return map(Contribution, self.labels, self.values, self.shares, sides)

    def __repr__(self) -> str:
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = "".join(
            f"\n  {label:<{widths[0]}}  {value:>{widths[1]}}  {share:>{widths[2]}}  {side}".rstrip()
            for label, value, share, side in lines
        )
        return self._caption() + table

    def _repr_html_(self) -> str:
        """Return the contributions as an HTML table, for notebooks."""
        rows = "".join(
            f"<tr><th>{escape(label)}</th><td>{value}</td><td>{share}</td><td>{side}</td></tr>"
            for label, value, share, side in self._lines()
        )
        head = "<tr><th>category</th><th>part</th><th>share</th><th>more in</th></tr>"
        caption = f"<caption>{escape(self._caption())}</caption>"
        return f"<table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table>"

    def _caption(self) -> str:
        count = len(self) + self.others
        noun = "category" if count == 1 else "categories"
        return f"Contributions of {count} {noun} to a divergence of {self.total:.4g}"

    def _lines(self) -> list[tuple[str, str, str, str]]:
        """Return what is shown of the largest, and of all others together."""
        shown = [self[i] for i in range(min(len(self), _LINES))]
        lines: list[tuple[str, str, str, str]] = [
            (str(part.label), f"{part.value:.4g}", f"{part.share:.1%}", part.side) for part in shown
        ]
        others = len(self) - len(shown) + self.others
        if others:
            rest = self.rest + self.values[len(shown) :].sum()
            noun = "other" if others == 1 else "others"
            lines.append((f"{others} {noun}", f"{rest:.4g}", f"{self._share(rest):.1%}", ""))
        return lines


def contributions(
    P: Any,
    Q: Any,
    *,
    top: int | None = None,
    labels: Iterable[Any] | None = None,
    base: float | None = None,
    normalise: bool = False,
) -> Contributions:
    r"""Categories that make a Jensen-Shannon divergence, largest part first.

    .. math::

        \mathrm{JS}(P \| Q) = \sum_i t(p_i, q_i), \qquad
        t(p, q) = \tfrac12 \Big[ p \log \frac{2 p}{p + q} + q \log \frac{2 q}{p + q} \Big] \ge 0

    Parameters
    ----------
    P, Q : array_like, shape (n,), mapping or Series
        Probabilities of two distributions over the same categories. Finite and
        not negative; 0·log 0 is 0. Mappings, `collections.Counter` among them, are
        aligned by their keys, Series of pandas by their index: a category that one of
        them does not have is 0 there.
    top : int, optional
        How many categories to name; what the others add is kept as one number.
        None names all.
    labels : iterable of length n, optional
        What the categories are called; by default the keys or the index that they were
        aligned by, else their indices.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    normalise : bool, default False
        Whether each distribution is first divided by its sum, as counts need.

    Returns
    -------
    Contributions
        Labels, indices, values and signs of the categories, those with equal
        values in the order of their indices; the rest; and the total. The values
        have dtype float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    ValueError
        If a probability is negative or infinite, an input is not 1-d, lengths
        differ, a label comes twice in one of two that differ, `labels` is given to
        mappings, or `top` or `base` is wrong.
    TypeError
        If an input is not real, or only one of the two is a mapping.

    See Also
    --------
    js_divergence : the total; with ``reduce=False``, the values of many rows.

    Notes
    -----
    The total is `js_divergence` of the same arguments to the last bit, and with
    `normalise` the square of `jensenshannon`, before the root is taken. The
    values add up to it exactly: the sum of them and of the rest, without
    rounding on the way as `math.fsum` takes it, rounds to the total. Terms that
    are each rounded do not always do so by themselves. Where they do not, the
    largest of them are moved by a few units in the last place, which is within
    the error that they have.

    Categories with a NaN come first, and have a NaN for their value; so is the
    total then.

    Examples
    --------
    >>> from jsdiv_numba import contributions, js_divergence
    >>> spring = [0.50, 0.30, 0.15, 0.05]
    >>> autumn = [0.40, 0.10, 0.30, 0.20]
    >>> parts = contributions(spring, autumn, labels=["sun", "cloud", "rain", "fog"], top=3)
    >>> parts
    Contributions of 4 categories to a divergence of 0.06578
      cloud     0.02616  39.8%  P
      fog       0.02409  36.6%  Q
      rain      0.01274  19.4%  Q
      1 other  0.002784   4.2%

    Counts by their keys:

    >>> from collections import Counter
    >>> contributions(Counter("abracadabra"), Counter("barbarian"), normalise=True, top=2)
    Contributions of 7 categories to a divergence of 0.1467
      i         0.03851  26.2%  Q
      n         0.03851  26.2%  Q
      5 others  0.06972  47.5%
    """
    if any_sparse(P, Q):
        return _of_sparse(P, Q, top=top, labels=labels, base=base, normalise=normalise)
    own = None
    if labels is None:
        P, Q, own = alignment.joined(("P", "Q"), (P, Q))
    elif isinstance(P, Mapping) or isinstance(Q, Mapping):
        raise ValueError("labels is given, but mappings bring theirs: their keys")
    given, (P, Q) = (P, Q), (_one_distribution("P", P), _one_distribution("Q", Q))
    alignment.check_labels(("P", "Q"), given)
    if P.size != Q.size:
        raise ValueError(
            f"P of shape {P.shape} and Q of shape {Q.shape} have different numbers of categories"
        )
    names = _checked_labels(own if labels is None else labels, P.size)
    top = P.size if top is None else _checked_top(top)

    def part_of(reduce: bool) -> Any:
        measure = NORMALISED if normalise else PROBABILITIES
        return evaluate(measure, (P, Q), -1, False, reduce, base=base, out=None, workers=None)

    total, values = part_of(reduce=True), part_of(reduce=False)
    signs = _signs(values, 0) if normalise else _signs(P, Q)
    np.abs(values, out=values)
    order = _descending(values)
    values, signs = values[order], signs[order]
    _make_add_up(values, total, signs != 0)
    if (values[1:] > values[:-1]).any():
        # A value of 0 that may be moved stood after one that may not.
        again = _descending(values)
        order, values, signs = order[again], values[again], signs[again]
    rest = _rounded_sum(values[top:])
    entries = np.append(values[:top], rest)
    entries = _adding_up(entries, total)
    shown = order[:top].copy()
    return Contributions(
        labels=tuple(map(names.__getitem__, _numbers(shown))),
        indices=shown,
        values=entries[:-1],
        signs=signs[:top].astype(np.intp),
        rest=entries[-1],
        others=max(order.size - top, 0),
        total=total,
    )


def _of_sparse(P: Any, Q: Any, *, labels: Iterable[Any] | None, **settings: Any) -> Contributions:
    """Return the contributions of the categories that either has an entry in."""
    rows = [as_one_row("P", P), as_one_row("Q", Q)]
    if rows[0].width != rows[1].width:
        raise ValueError(
            f"P of shape {np.shape(P)} and Q of shape {np.shape(Q)} have different numbers of "
            "categories"
        )
    columns = columns_of(rows)
    names = _checked_labels(labels, rows[0].width)
    dtype = validation.result_dtype(of_dtype(P), of_dtype(Q))
    dense = side_by_side(rows, np.zeros(1, np.intp), columns.size)
    p, q = (row[0].astype(dtype, copy=False) for row in dense)
    found = contributions(p, q, labels=[names[i] for i in columns.tolist()], **settings)
    others = rows[0].width - len(found)
    return replace(found, indices=columns[found.indices], others=others)


def _one_distribution(name: str, values: Any) -> FloatArray:
    array = validation.as_real(name, values)
    if array.ndim != 1:
        raise ValueError(
            f"{name} has shape {array.shape}; "
            "it must be 1-d, one distribution: pass one row of each"
        )
    return array


def _checked_labels(labels: Iterable[Any] | None, count: int) -> Sequence[Any]:
    if labels is None:
        return range(count)
    if not isinstance(labels, Iterable):
        raise TypeError(f"labels is {labels!r}; it must be a sequence, a label for each category")
    names = labels if isinstance(labels, list | tuple) else list(labels)
    if len(names) != count:
        raise ValueError(f"labels has length {len(names)}; there are {count} categories")
    return names


def _checked_top(top: Any) -> int:
    try:
        checked = index(top)
    except TypeError:
        checked = -1
    if checked < 0:
        raise ValueError(f"top is {top!r}; it must be an integer, 0 or above, or None for all")
    return checked


def _signs(P: FloatArray, Q: FloatArray | int) -> NDArray[np.int8]:
    signs = np.greater(P, Q).view(np.int8)
    signs -= np.less(P, Q).view(np.int8)
    return signs


def _descending(values: FloatArray) -> NDArray[np.intp]:
    """Return the order of values from the largest on, NaN first, equal ones as they stand."""
    keys = np.negative(values)
    keys[np.isnan(keys)] = -np.inf
    return np.argsort(keys, kind="stable")


def _adding_up(values: FloatArray, total: Any) -> FloatArray:
    """Return values of any order whose sum is right; those that are 0 stay so."""
    if _adds_up(values, total):
        return values
    order = _descending(values)
    moved, result = values[order], np.empty_like(values)
    _make_add_up(moved, total, moved > 0)
    result[order] = moved
    return result


def _adds_up(values: FloatArray, total: Any) -> bool:
    return not np.isfinite(total) or _rounded_sum(values) == total


def _make_add_up(values: FloatArray, total: Any, movable: NDArray[np.bool]) -> None:
    """Move descending values so that their exact sum rounds to `total`; they stay in that order.

    Those that are movable are, from the largest on, moved by one unit in the last
    place, and again until the sum is right. That is soon: as long as it is wrong, half
    a unit of the total is missing at least, and no value has a greater unit than that.
    """
    while not _adds_up(values, total):
        missing = math.fsum(chain([float(total)], map(operator.neg, _numbers(values))))
        _move(values, movable, missing)


@np.errstate(all="ignore")
def _move(values: FloatArray, movable: NDArray[np.bool], missing: float) -> None:
    """Move as many as it takes to add what is missing, one at least."""
    left, number = abs(missing), 0
    for part in _parts(values, missing > 0):
        own = values[part]
        moved = np.nextafter(own, np.inf if missing > 0 else 0)
        units = np.abs(moved.astype(np.float64) - own)
        able = np.flatnonzero(movable[part] & (units > 0) & (units < 2 * abs(missing)))
        sums = np.cumsum(units[able])
        enough = int(np.searchsorted(sums, left, side="right"))
        chosen = able[: enough if number else max(enough, 1)]
        own[chosen] = moved[chosen]
        values[part] = own
        number += chosen.size
        if enough < able.size:
            return
        left -= sums[-1] if able.size else 0


def _parts(values: FloatArray, up: bool) -> Iterator[NDArray[np.intp]]:
    """Yield indices of descending values, in parts, from the largest on.

    Among equals, the first goes up and the last goes down.
    """
    start = 0
    while start < values.size:
        stop = min(start + PART, values.size)
        if up:
            yield np.arange(start, stop)
        elif stop == values.size:
            yield _last_first(values, np.arange(start, stop))
        elif (first := _first_equal(values, stop - 1, start)) > start:
            stop = first
            yield _last_first(values, np.arange(start, stop))
        else:
            stop = bisect_right(values, -values[start], key=operator.neg)
            for last in range(stop, start, -PART):
                yield np.arange(last - 1, max(last - PART, start) - 1, -1)
        start = stop


def _first_equal(values: FloatArray, i: int, lowest: int) -> int:
    """Return the first index, not below the lowest, of a value that is equal to one."""
    return max(bisect_left(values, -values[i], key=operator.neg), lowest)


def _last_first(values: FloatArray, part: NDArray[np.intp]) -> NDArray[np.intp]:
    order: NDArray[np.intp] = part[np.argsort(values[part], kind="stable")[::-1]]
    return order


def _numbers(values: NDArray[Any]) -> Iterator[Any]:
    """Yield the values as Python's numbers, which are made a few at a time."""
    starts = range(0, values.size, PART)
    return chain.from_iterable(values[i : i + PART].tolist() for i in starts)


@np.errstate(all="ignore")
def _rounded_sum(values: FloatArray) -> Any:
    return values.dtype.type(_exact_sum(values))


def _exact_sum(values: FloatArray) -> float:
    try:
        return math.fsum(_numbers(values))
    except OverflowError:
        return math.inf
