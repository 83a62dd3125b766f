"""The search for neighbours: rows in chunks, queries in blocks that threads share."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._core import pairwise, validation
from .._core.pair_metric import Metric
from .._core.progress import Progress, counting
from .._core.threads import get_workers, run_blocks
from .._core.validation import FloatArray
from .._kernels.load import is_at_hand, routine
from .._kernels.pairwise import blocking
from .._kernels.pairwise.blocking import sizes
from .._kernels.records import DescribedRows, Filled, Found, Queries, Scratch, Side, Unit

CHUNK_BYTES = 1 << 28
"""Of normalised rows that all queries meet before the next are prepared. Their roots and
harmonics take as much again, and a half."""

QUERIES = 192
"""Queries that one thread takes at a time."""

PREPARED_ELEMENTS = 1 << 18
"""Elements of the rows that one call prepares."""

SAMPLE = 128
"""Rows whose mean is the centre, from which all vectors are measured."""

SAMPLE_ELEMENTS = 1 << 20
"""Elements of the rows of the sample."""

TILE_WIDTH = 12
"""Squares of products, side by side, that a row's limit is set for: the more, the sharper it is."""

ALL_FROM, ALL_ABOVE = 64, 1 / 16
"""Neighbours, and their share of the rows: if so many are wanted, all pairs are computed."""

FEW_PAIRS = 1 << 12
"""Nor are bounds worth their cost for so few pairs."""

COLD_ELEMENTS = 1 << 24
"""Pairs times columns that a process computes before it compiles the kernels of a search: within
some 20 ms it has the results of small ones, for which it would compile for more than a second."""

BLOCK_PAIRS = 1 << 20
"""Where all pairs are computed, so many are at a time."""

SHORT = 128
"""Values of so few rows are put in order as a whole."""

EVEN = Side(0.5, 0.0)
"""Rows times twice this weight are as they are."""

NO_PANELS = np.empty((0, 0, 0), np.float32)
NO_QUERY = -(1 << 62)

_making = threading.Lock()


def kernel(name: str) -> Callable[..., int]:
    """Return a kernel of the search."""
    return routine(name, "float64")


class _Budget:
    """What a process may spend on something, once."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, amount: int) -> bool:
        """Take an amount if it is left; return whether it was."""
        if amount > self.left:
            return False
        self.left -= amount
        return True


_before_compiling = _Budget(COLD_ELEMENTS)


class Neighbors(NamedTuple):
    """The neighbours of each query one after another: those of query i from ``starts[i]`` on."""

    starts: np.ndarray[Any, np.dtype[np.intp]]
    indices: np.ndarray[Any, np.dtype[np.intp]]
    values: FloatArray


class Centre:
    """The mean of some rows' vectors, from which those of all are measured.

    Any centre serves, but the bounds are the sharper the nearer it is.
    """

    def __init__(self, name: str, some: FloatArray, scale_exponent: int) -> None:
        self.scale_exponent = scale_exponent
        self._some = pairwise.unprepared(name, some, np.dtype(np.float64))
        kernel("prepare_neighbors")(self._some, 0, len(some), scale_exponent, EVEN)
        self.roots = self._mean(some.shape[1], are_harmonics=False)
        self._harmonics: FloatArray | None = None

    def harmonics(self) -> FloatArray:
        """Return the mean harmonics, which are computed when first wanted."""
        if self._harmonics is None:
            self._harmonics = self._mean(2 * len(self.roots), are_harmonics=True)
        return self._harmonics

    def _mean(self, length: int, *, are_harmonics: bool) -> FloatArray:
        mean, number = np.zeros(length), len(self._some.given)
        numbers = 0, number, self.scale_exponent, EVEN.weight, 0.0, True, are_harmonics
        kernel("describe_rows")(self._some.padded, NO_PANELS, np.empty(0), mean, *numbers)
        return mean


class Described:
    """Some rows, and what is known of them, as queries or as those among which to search."""

    def __init__(
        self, name: str, given: FloatArray, centre: Centre, side: Side, as_queries: bool
    ) -> None:
        self.rows = pairwise.unprepared(name, given, np.dtype(np.float64))
        self.panel = sizes().panel if as_queries else sizes().width
        self.margin = blocking.margin(given.shape[1])
        self.centre, self.side, self.as_queries = centre, side, as_queries
        self.halves = np.zeros((2, len(given)))
        """Of the squares of the roots, and of the harmonics, measured from the centre."""
        self.roots = self._panels(centre.roots)
        self._harmonics = NO_PANELS

    def __len__(self) -> int:
        return len(self.rows.given)

    def describe(self, start: int, stop: int) -> bool:
        """Fill in what is known of some of the rows; return whether one has a NaN."""
        which = start, stop, self.centre.scale_exponent, self.side
        with_nan = bool(kernel("prepare_neighbors")(self.rows, *which))
        roots = self.roots, self.halves[0], self.centre.roots
        self._fill(*roots, start, stop, are_harmonics=False)
        return with_nan

    def harmonics(self, wanted: bool) -> FloatArray:
        """Return the harmonics of all rows, which are made when first wanted."""
        with _making:
            if wanted and not self._harmonics.size:
                centre = self.centre.harmonics()
                harmonics = self._panels(centre)
                vectors = harmonics, self.halves[1], centre
                self._fill(*vectors, 0, len(self), are_harmonics=True)
                self._harmonics = harmonics
        return self._harmonics

    def _panels(self, centre: FloatArray) -> FloatArray:
        """Return memory for vectors, and an entry more."""
        return np.zeros((-(-len(self) // self.panel), len(centre) + 1, self.panel), np.float32)

    def _fill(
        self,
        panels: FloatArray,
        halves: FloatArray,
        centre: FloatArray,
        start: int,
        stop: int,
        *,
        are_harmonics: bool,
    ) -> None:
        numbers = start, stop, self.centre.scale_exponent, self.side.weight, self.margin
        which = self.as_queries, are_harmonics
        kernel("describe_rows")(self.rows.padded, panels, halves, centre, *numbers, *which)


class Population:
    """The rows among which neighbours are searched.

    `name`: the argument that they came from. `matrix`: one distribution a row, of at least
    one column: an array, or what makes one of some rows at a time. `metric`: what is wanted of
    each pair of a query and one of these.
    """

    def __init__(self, name: str, matrix: Any, metric: Metric) -> None:
        self.name, self.matrix, self.metric = name, matrix, metric
        self.scale_exponent = matrix.shape[1].bit_length() - 1
        """The power of two that brings the entries of a normalised row near 1."""
        self._keeps, self._kept = False, list[Described]()
        self._centre: Centre | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": [], "_centre": None}

    def measured_by(self, metric: Metric) -> "Population":
        """Return the same rows for a metric, with what is known of them where that serves it."""
        if metric == self.metric:
            return self
        other = Population(self.name, self.matrix, metric)
        other._keeps, other._centre = self._keeps, self._centre
        other._kept = self._kept if metric.sides == self.metric.sides else []
        return other

    def keep(self, workers: int | None) -> None:
        """Prepare all rows now, and keep what is known of them; a pickled copy does so again."""
        self._keeps, self._kept = True, list(self._prepared(workers))

    def chunks(self, workers: int | None) -> Iterator[Described]:
        """Yield all rows, some at a time."""
        if self._keeps and not self._kept:
            self.keep(workers)
        yield from self._kept or self._prepared(workers)

    def described(self, name: str, matrix: FloatArray, start: int, stop: int) -> Described:
        """Return what is known of some rows of a matrix as queries."""
        side = self.metric.sides[0]
        queries = Described(name, matrix[start:stop], self.centre(), side, as_queries=True)
        if queries.describe(0, stop - start):
            validation.check_probabilities(**{name: matrix})
        return queries

    def centre(self) -> Centre:
        """Return what the vectors of these rows and of queries are measured from."""
        with _making:
            if self._centre is None:
                number = max(1, min(SAMPLE, SAMPLE_ELEMENTS // self.matrix.shape[1]))
                some = self.matrix[:: -(-len(self.matrix) // number) or 1]
                self._centre = Centre(self.name, some, self.scale_exponent)
            return self._centre

    def _prepared(self, workers: int | None) -> Iterator[Described]:
        square = sizes().square
        length = self.matrix.shape[1]
        most = max(CHUNK_BYTES // (8 * length), 1)
        step = -(-most // square) * square
        for start in range(0, len(self.matrix), step):
            given = self.matrix[start : start + step]
            side = self.metric.sides[1]
            chunk = Described(self.name, given, self.centre(), side, as_queries=False)
            self._describe(chunk, workers)
            yield chunk

    def _describe(self, chunk: Described, workers: int | None) -> None:
        panels = max(1, PREPARED_ELEMENTS // self.matrix.shape[1] // chunk.panel)
        step = panels * chunk.panel
        with_nan = []

        def describe(start: int) -> None:
            if chunk.describe(start, min(start + step, len(chunk))):
                with_nan.append(start)

        run_blocks(describe, range(0, len(chunk), step), workers)
        if with_nan:
            validation.check_probabilities(**{self.name: self.matrix})


def all_are_computed(number: int, queries: int, others: int, metric: Metric) -> bool:
    """Whether bounds are not worth their cost for so many nearest of so many rows."""
    return queries * others <= FEW_PAIRS or are_many(number, others) or not metric.multiple


def are_many(number: int, others: int) -> bool:
    """Whether so many nearest of so many rows are found by sorting the values of all."""
    return number >= max(ALL_FROM, ALL_ABOVE * others)


class Search:
    """One call: the queries, and what is wanted of their neighbours.

    `population`: the rows among which to search. `queries`: the rows whose neighbours are
    wanted and the argument that they came from, or None for those of the population, of
    which none is its own neighbour. `workers`: number of threads. `progress`: called when
    a block is done.
    """

    def __init__(
        self,
        population: Population,
        queries: tuple[str, FloatArray] | None,
        *,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.population, self.metric, self.workers = population, population.metric, workers
        self.among_itself = queries is None
        given: tuple[str, Any] = queries or (population.name, population.matrix)
        self.name, self.matrix = given
        self._report = counting(progress, len(self.matrix) * len(population.matrix))

    def nearest(
        self, number: int, limits: FloatArray | None = None
    ) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.intp]]]:
        """Return the values and indices of the k nearest rows, in order.

        With `limits`, a value or inf for each query, rows farther than a query's limit may be
        missing: NaN, at index -1.
        """
        queries, others = len(self.matrix), len(self.population.matrix)
        if all_are_computed(number, queries, others, self.metric) or self._is_first():
            return self._nearest_of_all(number)
        shape, none = (len(self.matrix), number), blocking.NONE
        values, indices = np.full(shape, np.inf), np.full(shape, none, np.intp)
        if limits is not None:
            values[...] = limits[:, np.newaxis]
        undefined: list[int] = []

        def search(block: slice, queries: Described, chunk: Described, start: int) -> None:
            found = values[block], indices[block], 0.0
            for _ in self._searched(found, queries, chunk, self._own(block, start), start):
                raise AssertionError("a heap has no pairs to hand over")

        self._run(search, undefined, number + 1)
        values[indices == none] = np.inf
        values, indices = _sorted(values, indices)
        if limits is not None:
            beyond = (indices == none) & np.isfinite(limits)[:, np.newaxis]
            values[beyond], indices[beyond] = np.nan, -1
        self._fill(values, indices, undefined)
        return values, indices

    def _is_first(self) -> bool:
        """Whether the kernels of the search would be compiled for it, and it is small."""
        if not isinstance(self.population.matrix, np.ndarray):
            return False  # Rows that are made dense in parts are to be searched.
        length = max(self.matrix.shape[1], pairwise.LANES)
        elements = len(self.matrix) * len(self.population.matrix) * length
        name = self.metric.kernels.search
        return not is_at_hand(name, "float64") and _before_compiling.take(elements)

    def _nearest_of_all(self, number: int) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.intp]]]:
        """Return the k nearest rows from the values of all pairs."""
        __tracebackhide__ = True
        queries, others = len(self.matrix), len(self.population.matrix)
        values, indices = np.empty((queries, number)), np.empty((queries, number), np.intp)
        step = max(1, BLOCK_PAIRS // others)

        def run(first: int) -> None:
            __tracebackhide__ = True
            block = slice(first, min(first + step, queries))
            found = values[block], indices[block]
            own = np.arange(block.start, block.stop) if self.among_itself else None
            write_first(self._all_values(block), own, *found)
            self._report((block.stop - first) * others)

        run_blocks(run, range(0, queries, step), self.workers)
        return values, indices

    def _all_values(self, block: slice) -> FloatArray:
        """Return the values of some queries and all rows."""
        __tracebackhide__ = True
        name, all_rows, some = self.population.name, self.population.matrix, self.matrix[block]
        values, double = np.empty((len(some), len(all_rows))), np.dtype(np.float64)
        metric, alike = self.metric, self.among_itself and len(some) == len(all_rows)
        try:
            if alike and values.size <= FEW_PAIRS and metric.is_symmetric:
                rows, above = pairwise.suited(name, all_rows, double), np.zeros(values.shape)
                if pairwise.write_few(rows, rows, above, metric.root, metric.factor, above=True):
                    validation.check_probabilities(**{name: all_rows})
                return np.add(above, above.T, out=values)
            sets = (self.name, some), (name, all_rows)
            pairwise.write_pairs(*sets, values, double, metric, workers=1)
        except ValueError as error:
            found = error
        else:
            return values
        # What is wrong with an entry is said of the whole matrix, and of the population first.
        validation.check_probabilities(**{name: all_rows, self.name: self.matrix})
        raise found

    def within(self, radius: float) -> Neighbors:
        """Return the neighbours up to a value, each query's in order."""
        none = np.empty((QUERIES, 0)), np.empty((QUERIES, 0), np.intp)
        parts: dict[int, list[tuple[FloatArray, ...]]] = {}

        def search(block: slice, queries: Described, chunk: Described, start: int) -> None:
            own, found = self._own(block, start), parts.setdefault(block.start, [])
            found.extend(self._searched((*none, radius), queries, chunk, own, start))

        self._run(search, [], 0)
        return _joined(parts, len(self.matrix))

    def _own(self, block: slice, start: int) -> int:
        """Return which row of a chunk the first query is itself."""
        return block.start - start if self.among_itself else NO_QUERY

    def _run(
        self,
        search: Callable[[slice, Described, Described, int], None],
        undefined: list[int],
        most_undefined: int,
    ) -> None:
        """Search all chunks for the neighbours of all queries.

        Collects the first rows whose distances are NaN.
        """
        number, population = len(self.matrix), self.population
        panel = sizes().panel
        of_one = number // (panel * get_workers(self.workers)) + 1
        step = min(QUERIES, of_one * panel)
        start = 0
        for chunk in population.chunks(self.workers):
            nan = np.flatnonzero(np.isnan(chunk.rows.known[:, 3]))
            undefined.extend((nan[: most_undefined - len(undefined)] + start).tolist())

            def run(first: int, chunk: Described = chunk, start: int = start) -> None:
                last = min(first + step, number)
                queries = population.described(self.name, self.matrix, first, last)
                search(slice(first, last), queries, chunk, start)
                self._report((last - first) * len(chunk))

            run_blocks(run, range(0, number, step), self.workers)
            start += len(chunk)

    def _searched(
        self,
        found: tuple[FloatArray, FloatArray, float],
        queries: Described,
        chunk: Described,
        own: int,
        start: int,
    ) -> Iterator[tuple[FloatArray, ...]]:
        """Search a chunk; yield copies of what is within the radius whenever memory runs out."""
        wanted = found[0].shape[1]
        tile = self._tile(queries, chunk, wanted)
        places = 0 if wanted else tile.size
        pairs = np.empty(places, np.intp), np.empty(places, np.intp), np.empty(places)
        state = np.zeros(3, np.intp)
        state[blocking.LEFT] = -1
        limits, listed = np.empty(len(queries), np.float32), np.empty(tile.shape[1], np.intp)
        width = queries.rows.padded.shape[1]
        (filled_columns, terms), others = np.empty((2, width), np.intp), np.empty((3, width))
        filled = Filled(filled_columns, others[0], others[1], others[2], terms)
        best, places_of_best = np.empty(wanted), np.empty(wanted, np.intp)
        scratch = Scratch(tile, limits, listed, best, places_of_best)
        length, exponent = self.matrix.shape[1], self.population.scale_exponent
        which = Queries(len(queries), len(chunk), own, start, exponent)
        bounds, metric = (blocking.margin(length), blocking.resolution(length)), self.metric
        unit = Unit(metric.root, metric.factor, metric.multiple, *bounds)
        refined, search = False, kernel(self._kernel(queries, chunk))
        while state[blocking.TILE] * tile.shape[1] < len(chunk):
            a, b = (
                DescribedRows(each.rows, each.roots, each.harmonics(refined))
                for each in (queries, chunk)
            )
            wants = which, unit, metric.weighing, Found(*found, *pairs, state)
            refined = bool(search(a, b, queries.halves, *wants, scratch, filled))
            if state[blocking.FOUND]:
                yield tuple(array[: state[blocking.FOUND]].copy() for array in pairs)
                state[blocking.FOUND] = 0

    def _kernel(self, queries: Described, chunk: Described) -> str:
        """Return what the kernel that searches a chunk is called."""
        name, measure = self.metric.kernels.search, self.metric.measure
        if measure != "kl" and pairwise.some_share(queries.rows, chunk.rows):
            return name + pairwise.BY_SHARED_COLUMNS
        return name

    def _tile(self, queries: Described, chunk: Described, wanted: int) -> FloatArray:
        """Return memory for the products of all queries with some rows of a chunk."""
        most = -(-len(chunk) // sizes().square)
        width = min(TILE_WIDTH if wanted else 1, most) * sizes().square
        return np.empty((len(queries.roots) * sizes().panel, width), np.float32)

    def _fill(self, values: FloatArray, indices: FloatArray, undefined: list[int]) -> None:
        """Put rows at distance NaN, in their order, where there are not enough others."""
        for i in np.flatnonzero(indices[:, -1:].ravel() == blocking.NONE):
            missing = indices[i] == blocking.NONE
            others = range(len(self.population.matrix)) if missing.all() else undefined
            taken = [j for j in others if not (self.among_itself and j == i)][: missing.sum()]
            values[i, missing], indices[i, missing] = np.nan, taken


def _sorted(values: FloatArray, indices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each row in order: by value, then by index."""
    order = values.argsort(axis=1)
    ordered = np.take_along_axis(values, order, 1)
    equal = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    for i in np.flatnonzero(equal):
        order[i] = np.lexsort((indices[i], values[i]))
    return ordered, np.take_along_axis(indices, order, 1)


def write_first(
    values: FloatArray,
    own: np.ndarray[Any, np.dtype[np.integer[Any]]] | None,
    first: FloatArray,
    places: np.ndarray[Any, np.dtype[np.intp]],
) -> None:
    """Write the first values of each row and their places, in order, without that at `own`."""
    most = first.shape[1]
    if own is not None:
        # It comes before all others, which are NaN or at least 0.
        values[np.arange(len(values)), own] = -1.0
        most += 1
    places_of_first = _places_of_first(values, most)
    places[...] = places_of_first[:, most - first.shape[1] :]
    starts = np.arange(0, values.size, values.shape[1])
    np.take(values, places + starts[:, np.newaxis], out=first)


def _places_of_first(values: FloatArray, number: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return where the first values of each row are, in order."""
    if values.shape[1] <= SHORT:
        return values.argsort(axis=1, kind="stable")[:, :number]
    places = values.argpartition(number - 1, axis=1)[:, :number]
    first, places = _sorted(np.take_along_axis(values, places, 1), places)
    # Of equal ones at the end, the partition takes any; and NaN is not in order.
    clear = np.count_nonzero(values <= first[:, -1:], axis=1) == number
    for i in np.flatnonzero(~clear):
        places[i] = values[i].argsort(kind="stable")[:number]
    return places


def _joined(parts: dict[int, list[tuple[FloatArray, ...]]], number: int) -> Neighbors:
    """Return the pairs of all blocks of queries, each of which begins at its key, in order."""
    counts = np.zeros(number + 1, np.intp)
    indices, values = [np.empty(0, np.intp)], [np.empty(0)]
    for first in sorted(parts):
        if parts[first]:
            rows, *others = _in_order(*map(np.concatenate, zip(*parts.pop(first), strict=True)))
            of_each = np.bincount(rows)
            counts[first + 1 : first + 1 + len(of_each)] = of_each
            indices.append(others[0])
            values.append(others[1])
    return Neighbors(np.cumsum(counts), np.concatenate(indices), np.concatenate(values))


def _in_order(rows: FloatArray, columns: FloatArray, values: FloatArray) -> tuple[FloatArray, ...]:
    """Return pairs of a block in order: by row, value and column."""
    # So few bits are sorted in one pass.
    few = rows.astype(np.uint16)
    order = values.argsort()
    order = order[few[order].argsort(kind="stable")]
    row, value = few[order], values[order]
    if ((value[1:] == value[:-1]) & (row[1:] == row[:-1])).any():
        order = np.lexsort((columns, values, few))
    return few[order], columns[order], values[order]
