"""What the command prints: the rows that are closest and farthest."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jsdiv_numba.batch.explain import Explanation
from jsdiv_numba.batch.format import counted, printable, shown
from jsdiv_numba.batch.in_memory import Pairwise, RowByRow
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.engine import Summary
from jsdiv_numba.batch.samples import HEADINGS, Tested, Verdict
from jsdiv_numba.batch.show.extremes import Pair, closest, farthest

_LABEL_LIMIT = 48
LEVEL = 0.05
"""A p-value up to this is called more than chance."""

# A pipe has no width: rich would assume 80 columns, and cut the labels to fit.
_UNLIMITED = 100_000


def standard_console(*, stderr: bool = False) -> Console:
    """Return a console that fits a terminal, and gives a pipe or a file whole lines."""
    console = Console(highlight=False, stderr=stderr)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def print_pairs(console: Console, result: Pairwise, top: int) -> None:
    """Print the closest and the farthest pairs."""
    first, second = result.first, result.second
    count = result.pair_count
    sizes = _size(first) if result.of_one_file else f"{_size(first)}; {_size(second)}"
    _print_summary(console, f"{sizes}; {counted(count, 'pair')}", result.quantity)
    which = {"upper": result.symmetric, "own": not result.of_one_file}
    for title, pairs in _sections("pairs", result.matrix, count, top, **which):
        table = _table(title, result.quantity, 2, result.tested)
        for i, j in pairs:
            labels = first.labels[i], second.labels[j]
            _add(table, labels, result.matrix[i, j], _of_test(result.tested, (i, j)))
        _print_table(console, table)


def print_rows(console: Console, result: RowByRow, top: int) -> None:
    """Print the rows that are closest to, and farthest from, their counterparts."""
    sides = [result.first, result.second]
    _print_summary(console, "; ".join(map(_size, sides)), result.quantity)
    if result.first.labels == result.second.labels:
        sides = sides[:1]
    values = result.values[:, np.newaxis]
    for title, pairs in _sections("rows", values, len(values), top, upper=False):
        table = _table(title, result.quantity, len(sides), result.tested)
        for i, _ in pairs:
            labels = [side.labels[i] for side in sides]
            _add(table, labels, result.values[i], _of_test(result.tested, i))
        _print_table(console, table)


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print the columns that make the divergence of two rows, and what the others add."""
    quantity, parts = explanation.quantity, explanation.parts
    first, second = (shown(label, _LABEL_LIMIT) for label in explanation.labels)
    _print_summary(console, f"{_size(explanation.rows)}; {first} against {second}", quantity)
    table = _table("Column", quantity, label_columns=2)
    table.columns[1].header = "More in"
    for heading in ("share", first, second):
        table.add_column(Text(heading), justify="right", overflow="fold", min_width=7)
    for part, has in zip(explanation.named, explanation.proportions.T, strict=False):
        more = [_percentage(part.share), *map(_percentage, has)]
        _add(table, (str(part.label), explanation.more_in(part)), part.value, more)
    if explanation.others:
        noun = "other" if explanation.others == 1 else "others"
        share = _percentage(parts.rest / (parts.total or 1))
        _add(table, (f"{explanation.others:,} {noun}", ""), parts.rest, [share])
    _add(table, ("All", ""), parts.total, ["100%" if parts.total else "0%"])
    _print_table(console, table)


def print_verdict(console: Console, verdict: Verdict, quantity: Quantity) -> None:
    """Print a sentence: whether the difference of two rows is more than chance."""
    n1, n2 = verdict.sizes
    mean, deviation = verdict.by_chance
    told = "more" if verdict.pvalue <= LEVEL else "no more"
    console.print()
    console.print(
        f"The difference is {told} than chance (p = {verdict.pvalue:.2g}): samples of {n1:,} and "
        f"{n2:,} from one distribution are at {_figure(mean)} ± {_figure(deviation)} "
        f"{quantity.unit}. Without that, the divergence is {_figure(verdict.corrected)}."
    )


def _percentage(proportion: float) -> str:
    """Return a proportion in a form that shows whether it is zero."""
    if 0 < proportion < 5e-5:
        return "<0.01%"
    return f"{proportion:.2%}" if proportion else "0%"


def _size(rows: LabelledRows) -> str:
    n, m = rows.values.shape
    return f"{printable(rows.source)}: {counted(n, 'row')} × {counted(m, 'column')}"


def _print_summary(console: Console, sizes: str, quantity: Quantity) -> None:
    console.print(Text(sizes))
    console.print(
        f"{quantity.name} in {quantity.unit}: "
        f"0 for equal rows, {quantity.maximum:.4f} for rows with nothing in common"
    )


def _sections(
    noun: str, matrix: NDArray[np.floating[Any]], count: int, top: int, **which: bool
) -> list[tuple[str, list[Pair]]]:
    if not count or not top:
        return []
    if count <= 2 * top:
        return [(f"All {noun}", closest(matrix, count, **which))]
    return [
        (f"Closest {noun}", closest(matrix, top, **which)),
        (f"Farthest {noun}", farthest(matrix, top, **which)),
    ]


def _of_test(tested: Tested | None, place: Any) -> list[str]:
    return [] if tested is None else [_figure(column[place]) for column in tested.columns]


def _table(
    title: str, quantity: Quantity, label_columns: int, tested: Tested | None = None
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(title, overflow="fold")
    for _ in range(label_columns - 1):
        table.add_column(overflow="fold")
    table.add_column(quantity.unit, justify="right", no_wrap=True)
    for heading in () if tested is None else HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, labels: Iterable[str], value: float, more: Iterable[str] = ()) -> None:
    # Text, because a label in brackets is no markup.
    table.add_row(*(Text(shown(label, _LABEL_LIMIT)) for label in labels), _figure(value), *more)


def _figure(value: float) -> str:
    return f"{value:.4f}" if value == 0 or value >= 1e-3 else f"{value:.2e}"


def _print_table(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def print_written(console: Console, paths: Iterable[Path | None]) -> None:
    """Print which files were written; None stands for one that was not asked for."""
    written = [path for path in paths if path is not None]
    if written:
        console.print()
    for path in written:
        console.print(Text(f"Wrote {printable(str(path))}"))


def print_summary(console: Console, summary: Summary) -> None:
    """Print what was done in tiles."""
    line = f"Compared in {counted(summary.tiles, 'tile')}"
    if summary.resumed:
        line += f", {summary.resumed:,} of them by an earlier run"
    if summary.bad_rows:
        line += f"; {counted(summary.bad_rows, 'row')} of no distribution gave NaN"
    console.print(Text(line))


def print_stopped(output: Path) -> None:
    """Print, on stderr, how to go on with a run that was stopped."""
    line = f"jsdiv: {printable(str(output))}: stopped; the same command with --resume goes on"
    Console(stderr=True, soft_wrap=True).print(Text(line))


def progress(message: str, *, quiet: bool = False) -> AbstractContextManager[object]:
    """Return a context in which a terminal shows that work is going on, unless it is `quiet`."""
    if quiet:
        return nullcontext()
    return Console(stderr=True).status(Text(f"Comparing {message}"))
