"""The work of each subcommand, from the files it reads to those it writes."""

from pathlib import Path

from jsdiv_numba.batch import report
from jsdiv_numba.batch.comparison import compare_pairs, compare_rows
from jsdiv_numba.batch.explanation import explain as explain_rows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.readers import read_rows
from jsdiv_numba.batch.writers import (
    MATRIX_SUFFIXES,
    PICTURE_SUFFIXES,
    check_destination,
    check_headings,
    write_table,
)


def pairwise(
    file: str,
    file2: str | None,
    quantity: Quantity,
    *,
    output: Path | None,
    plot: Path | None,
    workers: int | None,
    top: int,
) -> None:
    """Do what ``jsdiv pairwise`` does; the arguments are the command's."""
    sources = [file] if file2 is None else [file, file2]
    if output:
        check_destination(output, MATRIX_SUFFIXES, sources)
    if plot:
        check_destination(plot, PICTURE_SUFFIXES, sources)
    first = read_rows(file)
    second = first if file2 is None else read_rows(file2)
    if output:
        check_headings(output, [first.label_name, *second.labels])
    console = report.standard_output()
    with report.progress(f"{len(first):,} × {len(second):,} rows"):
        result = compare_pairs(first, second, quantity, workers)
    if output:
        labels = {first.label_name: first.labels}
        write_table(output, result.matrix, labels=labels, headings=second.labels)
    if plot:
        from jsdiv_numba.batch.picture import write_picture

        write_picture(plot, result)
    report.print_pairs(console, result, top)
    report.print_written(console, [output, plot])


def rows(p: str, q: str, quantity: Quantity, *, output: Path | None, top: int) -> None:
    """Do what ``jsdiv rows`` does; the arguments are the command's."""
    if output:
        check_destination(output, MATRIX_SUFFIXES, [p, q])
    result = compare_rows(read_rows(p), read_rows(q), quantity)
    if output:
        labels = {"p": result.first.labels, "q": result.second.labels}
        write_table(output, result.values, labels=labels, headings=[quantity.metric])
    console = report.standard_output()
    report.print_rows(console, result, top)
    report.print_written(console, [output])


def explain(
    file: str, row_a: str, row_b: str, quantity: Quantity, *, plot: Path | None, top: int
) -> None:
    """Do what ``jsdiv explain`` does; the arguments are the command's."""
    if plot:
        check_destination(plot, PICTURE_SUFFIXES, [file])
    explanation = explain_rows(read_rows(file), row_a, row_b, quantity, top)
    if plot:
        from jsdiv_numba.batch.bars import write_bars

        write_bars(plot, explanation)
    console = report.standard_output()
    report.print_explanation(console, explanation)
    report.print_written(console, [plot])
