"""One tile: read, computed, and sent elsewhere."""

import pickle
import threading
import time

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.sources import open_array, open_npy
from jsdiv_numba.batch.jobs.tasks import BandTask, MatrixTask, RowTask
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.executor import StoppedError, Threads, stop_here_if_asked
from jsdiv_numba.batch.run.task import compute_tile
from jsdiv_numba.batch.run.tiling import Grid, Tile
from jsdiv_numba.distance import cdist, jensenshannon
from tests.limits import HANGING

RNG = np.random.default_rng(0)
X, Y = RNG.dirichlet(np.ones(7), 11), RNG.dirichlet(np.ones(7), 5)
DISTANCE = Quantity("jensenshannon")
WHOLE = Tile(0, 0, 11, 0, 11)


def source(values, name="X"):
    return open_array(values, name)


def matrix_of(tasks, shape):
    matrix = np.full(shape, -1.0)
    for result in Threads(2).results(compute_tile, tasks):
        i, j = result.tile.i_start, result.tile.j_start
        matrix[i : i + len(result.values), j : j + result.values.shape[1]] = result.values
    return matrix


@pytest.mark.parametrize("quantity", [DISTANCE, Quantity("js_divergence", 2.0)])
def test_tiles_are_parts_of_the_matrix(quantity):
    tiles = Grid(11, 5, 4, 3).tiles()
    tasks = [MatrixTask(tile, source(X), source(Y), quantity, False) for tile in tiles]
    expected = cdist(X, Y, quantity.metric, base=quantity.base)
    np.testing.assert_array_equal(matrix_of(tasks, (11, 5)), expected)


def test_tiles_of_one_file_leave_out_what_is_below_the_diagonal():
    tiles = Grid(11, 11, 4, 4, upper=True).tiles()
    tasks = [MatrixTask(t, source(X), source(X), DISTANCE, False, symmetric=True) for t in tiles]
    matrix = matrix_of(tasks, (11, 11))
    computed = matrix >= 0
    np.testing.assert_array_equal(matrix[computed], cdist(X, X)[computed])
    assert computed[np.triu_indices(11)].all()
    assert not computed.all()


def test_a_task_is_pickled_with_all_it_needs(tmp_path):
    np.save(tmp_path / "x.npy", X)
    file = open_npy(tmp_path / "x.npy", "x.npy")
    task = MatrixTask(Tile(3, 2, 5, 1, 4), file, file, DISTANCE, False, symmetric=True)
    pickled = pickle.dumps((compute_tile, task))
    assert len(pickled) < 2000
    function, again = pickle.loads(pickled)
    result = pickle.loads(pickle.dumps(function(again)))
    assert result.tile.number == 3
    np.testing.assert_array_equal(result.values, cdist(X[2:5], X[1:4]))


@pytest.mark.parametrize("step", [1, 3, 11])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_band_keeps_the_close_pairs(step, symmetric):
    full = cdist(X, X)
    bound = float(np.median(full))
    task = BandTask(
        Tile(0, 2, 7, 0, 11),
        source(X),
        source(X),
        DISTANCE,
        False,
        step=step,
        symmetric=symmetric,
        max_distance=bound,
    )
    result = compute_tile(task)
    close = [
        (i, j)
        for i in range(2, 7)
        for j in range(11)
        if full[i, j] <= bound and (i < j or not symmetric)
    ]
    assert list(map(tuple, result.pairs.tolist())) == close
    np.testing.assert_array_equal(result.values, [full[pair] for pair in close])


@pytest.mark.parametrize("step", [1, 4, 11])
@pytest.mark.parametrize("reduce", ["mean", "min", "max"])
def test_a_band_reduced(step, reduce):
    task = BandTask(
        Tile(0, 3, 9, 0, 11), source(X), source(X), DISTANCE, False,
        step=step, symmetric=True, reduce=reduce,
    )  # fmt: skip
    full = cdist(X, X)
    expected = [getattr(np.delete(full[i], i), reduce)() for i in range(3, 9)]
    np.testing.assert_allclose(compute_tile(task).values, expected, rtol=1e-15)
    task = BandTask(
        Tile(0, 0, 11, 0, 5), source(X), source(Y), DISTANCE, False, step=step, reduce=reduce
    )
    expected = getattr(cdist(X, Y), reduce)(axis=1)
    np.testing.assert_allclose(compute_tile(task).values, expected, rtol=1e-15)


BAD = X.copy()
BAD[4, 2], BAD[9] = -0.5, 0.0


def test_a_bad_row_is_an_error_that_names_it():
    message = "X, row 4, column 2: negative value -0.5; a distribution has no negative values"
    for kind in (MatrixTask, RowTask):
        with pytest.raises(FileError) as error:
            compute_tile(kind(WHOLE, source(BAD), source(X), DISTANCE, False))
        assert str(error.value) == message


def test_bad_rows_become_nan_and_are_listed():
    full = cdist(X, X)
    full[[4, 9]] = np.nan
    for symmetric in (True, False):
        other = BAD if symmetric else X
        expected = full.copy()
        if symmetric:
            expected[:, [4, 9]] = np.nan
        task = MatrixTask(WHOLE, source(BAD), source(other), DISTANCE, True, symmetric=symmetric)
        result = compute_tile(task)
        np.testing.assert_array_equal(result.values, expected)
        assert [fault.row for fault in result.faults] == [4, 9]
    task = BandTask(
        WHOLE, source(X), source(BAD), DISTANCE, True, step=3, symmetric=False, reduce="max"
    )
    expected = np.delete(cdist(X, X), [4, 9], axis=1).max(axis=1)
    np.testing.assert_array_equal(compute_tile(task).values, expected)
    result = compute_tile(RowTask(WHOLE, source(BAD), source(X), DISTANCE, True))
    assert np.flatnonzero(np.isnan(result.values)).tolist() == [4, 9]
    assert [fault.row for fault in result.faults] == [4, 9]


@pytest.mark.parametrize(("metric", "power"), [("jensenshannon", 1), ("js_divergence", 2)])
def test_row_by_row(metric, power):
    shifted = np.roll(X, 1, axis=0)
    tile = Tile(0, 3, 10, 0, 1)
    result = compute_tile(RowTask(tile, source(X), source(shifted), Quantity(metric, 2.0), False))
    expected = jensenshannon(X[3:10], shifted[3:10], 2, axis=1)
    np.testing.assert_array_equal(result.values, expected if power == 1 else expected * expected)


def test_a_run_that_is_stopped_stops_the_tasks_at_work():
    begun, ended = threading.Event(), []

    def work(task):
        if task == "fails":
            begun.wait(HANGING)
            raise RuntimeError
        begun.set()
        try:
            for _ in range(60_000):
                stop_here_if_asked()
                time.sleep(0.001)
        except StoppedError:
            ended.append("stopped")

    with pytest.raises(RuntimeError):
        list(Threads(2).results(work, ["fails", "goes on"]))
    assert ended == ["stopped"]
    stop_here_if_asked()
