"""How work is cut, by the memory that each tile takes."""

import numpy as np
import pytest

from jsdiv_numba import batch
from jsdiv_numba.batch.jobs.neighbors import NeighborJob
from jsdiv_numba.batch.run.tiling import Grid, search_step, share
from tests import batch_files


def test_tiles_cover_every_pair_once():
    for grid in (Grid(7, 5, 3, 2), Grid(7, 7, 3, 3, upper=True), Grid(1, 1, 9, 9)):
        count = np.zeros((grid.rows, grid.columns), int)
        for tile in grid.tiles():
            count[tile.i_start : tile.i_stop, tile.j_start : tile.j_stop] += 1
        expected = np.ones_like(count)
        if grid.upper:
            expected[3:, :3] = expected[6:, 3:6] = 0
        np.testing.assert_array_equal(count, expected)
        assert len(list(grid.tiles())) == len(grid)


@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_tiles_at_work_and_those_that_are_held_share_what_may_be_used(others):
    for workers in (1, 2, 7):
        assert share(10**8, workers, others) * (workers + others) == pytest.approx(0.75e8)
    assert share(10**8, 3) == share(10**8, 3, others=2)


def test_a_search_has_all_that_tiles_at_work_may_use(tmp_path, monkeypatch):
    steps = []
    task = NeighborJob._task

    def watched(*arguments, step, **more):
        steps.append(step)
        return task(*arguments, step=step, **more)

    monkeypatch.setattr(NeighborJob, "_task", watched)
    X, memory = batch_files.rows(3000), 1_000_000
    batch.neighbors(X, out=tmp_path / "n.npy", memory=memory, workers=2)
    assert set(steps) == {search_step(7, 8, 0.75 * 0.75 * memory / 2)}
    assert steps[0] < len(X)
