"""The command ``jsdiv cache``, and what the command says while kernels are compiled."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from jsdiv_numba.cache import CacheInfo

SILENCE = 1.0
"""Seconds that a kernel may take to compile before it is said."""

NOTICE = (
    "jsdiv: compiling for this processor, which later runs need not do again; "
    "`jsdiv cache build` does it for all at once\n"
)


class _Notice(logging.Handler):
    """Says once that compiling takes its time."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self.stream, self._timer = stream, threading.Timer(SILENCE, self._say)
        self._timer.daemon = True

    def _say(self) -> None:
        self.stream.write(NOTICE)
        self.stream.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Start to wait where a kernel is compiled, and stop where it is."""
        if self._timer.finished.is_set():
            return
        self._timer.cancel()
        if record.msg.startswith("compiling"):
            self._timer = threading.Timer(SILENCE, self._say)
            self._timer.daemon = True
            self._timer.start()


@contextmanager
def notice_of_compiling(stream: TextIO) -> Iterator[None]:
    """Say on a terminal, once, that kernels are being compiled."""
    log = logging.getLogger("jsdiv_numba")
    if not stream.isatty():
        yield
        return
    handler, level = _Notice(stream), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


@click.group(
    short_help="Where compiled kernels are kept; all of them ahead of time.",
    invoke_without_command=True,
)
@click.pass_context
def cache(context: click.Context) -> None:
    """Compiled kernels: what is kept on disk, so that later runs need not compile."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cache.command(short_help="Say where compiled kernels are, and how many.")
def info() -> None:
    """Say where compiled kernels are kept, how many there are, and for what."""
    from jsdiv_numba import cache as kernels

    click.echo(described(kernels.info()))


def described(found: CacheInfo) -> str:
    """Return what is known of the cache, a line each."""
    used = f"no: {found.unused_because}" if found.unused_because else "yes"
    lines = {
        "folder": str(found.folder or "-"),
        "used": used,
        "kernels": f"{found.kernels} of {found.all_kernels}, {found.bytes / 1e6:.1f} MB",
        "of other versions and processors": str(found.others),
        "processor": found.processor,
        "built in": found.built_in or "-",
        **{name: text for name, text in found.versions.items() if name != "format"},
        "sources": found.versions["sources"][:16],
    }
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name + ':':<{width}}{text}" for name, text in lines.items())


@cache.command(
    short_help="Compile all kernels now.",
    epilog="""\b
Examples:
  jsdiv cache build
  JSDIV_NUMBA_CACHE_DIR=/opt/kernels jsdiv cache build
  jsdiv cache build --target x86-64-v3 -o kernels""",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes to use.")
@click.option(
    "--target",
    metavar="LEVEL",
    help="Build for packages, for a level of processors: x86-64-v3 or x86-64-v4.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The folder for them, with --target."
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def build(*, workers: int | None, target: str | None, output: Path | None, quiet: bool) -> None:
    """Compile all kernels that are not there yet, on all CPUs.

    For images of containers, the nodes of a cluster and continuous integration.
    """
    from jsdiv_numba import cache as kernels

    if (target is None) != (output is None):
        raise click.UsageError("--target and --output go together.")
    progress = None if quiet else _show
    try:
        if target is not None and output is not None:
            number = kernels.build_for(target, output, workers=workers, progress=progress)
        else:
            number = kernels.build(workers=workers, progress=progress)
    except (RuntimeError, ValueError) as error:
        raise click.UsageError(f"{error}.") from error
    click.echo(f"Compiled {number} kernels into {output or kernels.info().folder}")


def _show(done: int, number: int) -> None:
    end = "\n" if done == number else ""
    click.echo(f"\r{done} of {number} kernels{end}", nl=False, err=True)


@cache.command(short_help="Remove all compiled kernels.")
def clear() -> None:
    """Remove the compiled kernels of all versions and processors, and nothing else."""
    from jsdiv_numba import cache as kernels

    click.echo(f"Removed {kernels.clear()} kernels")
