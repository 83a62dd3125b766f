"""Sparse rows in files: put in order a chunk at a time, as SciPy does it in memory."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from jsdiv_numba.batch.io import compressed
from jsdiv_numba.batch.io.compressed import (
    Entries,
    SparseTable,
    matrix_in_memory,
    open_matrix,
    starts_of,
    write_matrix,
)


def table_of(rows, columns, values, shape, step):
    def entries():
        for k in range(0, len(rows), step):
            yield Entries(*(np.asarray(each[k : k + step]) for each in (rows, columns, values)))

    return SparseTable("f", shape, np.dtype(np.float64), entries)


def on_disk(folder, table):
    path = folder / "first.npy"
    with path.open("w+b") as file:
        write_matrix(file, starts_of(path), table)
    return open_matrix(path, table, None)


entry = st.tuples(st.integers(0, 6), st.integers(0, 4), st.floats(-1, 1e6) | st.just(0.0))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(entry), st.integers(1, 9), st.booleans())
def test_entries_in_any_order_become_the_rows_that_scipy_makes(tmp_path, given, step, by_row):
    given = sorted(given, key=lambda each: each[0]) if by_row else given
    rows, columns, values = zip(*given, strict=True) if given else ((), (), ())
    rows, columns = np.array(rows, int), np.array(columns, int)
    table = table_of(rows, columns, np.array(values, float), (7, 5), step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "CHUNK", 4)
        found = on_disk(tmp_path, table)
    whole = table.in_memory()
    assert whole.has_canonical_format
    assert whole.data.all()
    parts = [found.rows(start, min(start + 2, 7)) for start in range(0, 7, 2)]
    for one, other in ((sparse.vstack(parts, format="csr"), whole), (found.rows(0, 7), whole)):
        np.testing.assert_array_equal(one.toarray(), other.toarray())
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.data, other.data)
    np.testing.assert_array_equal(found.starts, whole.indptr)


def test_no_more_than_a_chunk_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "CHUNK", 1000)
    largest = []

    def watched(entries, shape, dtype):
        parts = list(entries)
        largest.append(max(len(part.rows) for part in parts))
        return rows_of(parts, shape, dtype)

    rows_of = compressed.rows_of
    monkeypatch.setattr(compressed, "rows_of", watched)
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 300, 20_000), rng.integers(0, 500, 20_000)
    table = table_of(rows, columns, rng.random(20_000), (300, 500), 1000)
    found = on_disk(tmp_path, table)
    assert max(largest) <= 1000
    assert sum(largest) == 20_000
    np.testing.assert_array_equal(found.rows(0, 300).toarray(), table.in_memory().toarray())


def test_a_row_takes_what_its_longest_neighbours_do():
    matrix = sparse.csr_array(np.repeat([[0, 0, 0, 1], [1, 1, 1, 1]], [5000, 5000], axis=0))
    assert matrix_in_memory(matrix, "X").row_values == 1 + 3 * 4
