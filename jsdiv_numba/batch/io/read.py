"""A file, whatever its format, as labelled rows in memory."""

from dataclasses import replace

from jsdiv_numba._core.sparse import is_sparse
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.formats import place_of, stream_rows
from jsdiv_numba.batch.io.options import DEFAULT, TableOptions
from jsdiv_numba.batch.io.roles import require_categories
from jsdiv_numba.batch.io.rows import (
    LabelledRows,
    collected,
    faults,
    require_distributions,
    without,
)


def read_rows(source: str, options: TableOptions = DEFAULT) -> LabelledRows:
    """Read the rows of a file.

    Leading columns of text, in the formats that can hold text, are the rows' labels.

    `source`: a file in a format that `jsdiv_numba.batch.io.formats` knows. An ``.npz`` file
    of several arrays is told which one as ``FILE.npz:name``. Raises `FileError` if the file
    cannot be read, or a row of it is no distribution. The message names the file, the place
    in it, and what stands there.
    """
    with reading(source):
        place = place_of(source, options)
        rows = collected(stream_rows(place, options), source)
    require_categories(source, rows.width, "")
    require_distributions(rows, nan=options.missing == "nan")
    if is_sparse(rows.values) and options.missing == "nan":
        # A row without entries has the distances of one with a NaN.
        missing = {found.row for found in faults(rows.values, source)}
        rows = replace(rows, values=without(rows.values, sorted(missing)))
    return rows
