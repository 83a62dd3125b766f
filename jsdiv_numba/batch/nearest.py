"""The nearest rows of each row of a file, from the files that are read to the one written."""

from pathlib import Path

import numpy as np

from jsdiv_numba.batch import report
from jsdiv_numba.batch.comparison import require_same_columns
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.readers import read_rows
from jsdiv_numba.batch.writers import check_destination, write_table

SUFFIXES = (".parquet", ".csv", ".tsv")


def nearest(
    file: str,
    file2: str | None,
    quantity: Quantity,
    *,
    number: int,
    output: Path,
    workers: int | None,
) -> None:
    """Do what ``jsdiv neighbors`` does; the arguments are the command's."""
    from jsdiv_numba.neighbors import kneighbors

    check_destination(output, SUFFIXES, [file] if file2 is None else [file, file2])
    first = read_rows(file)
    second = first if file2 is None else read_rows(file2)
    require_same_columns(first, second)
    others = len(second) - (file2 is None)
    if number > others:
        raise FileError(f"{second.source}: {number} neighbours of a row are wanted of {others}")
    console = report.standard_output()
    with report.progress(f"{len(first):,} × {len(second):,} rows"):
        values, indices = kneighbors(
            first.values,
            None if file2 is None else second.values,
            number,
            metric=quantity.metric,
            base=quantity.base,
            workers=workers,
        )
    labels = {
        first.label_name: np.repeat(np.asarray(first.labels, object), number).tolist(),
        "neighbor": np.asarray(second.labels, object)[indices.ravel()].tolist(),
    }
    write_table(output, values.ravel(), labels=labels, headings=[quantity.metric])
    report.print_written(console, [output])
