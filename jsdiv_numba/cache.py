"""Compiled kernels on disk: where they are, all of them ahead of time, and away with them.

A kernel is compiled when it is first needed, and kept for all later processes under a key of
everything that its code depends on: the package's sources, the versions of Numba, llvmlite, NumPy
and Python, the processor, and Numba's settings. No stale kernel can be found. The page
:doc:`/startup` says where they are kept and whom that place has to belong to.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ._core.threads import get_workers

__all__ = ["CacheInfo", "build", "build_for", "clear", "info"]

Progress = Callable[[int, int], object]
"""Called with the number of kernels that are done, and of all."""


class CacheInfo(NamedTuple):
    """Where compiled kernels are, and what for.

    Parameters
    ----------
    folder : pathlib.Path or None
        The folder of this version's kernels for this processor, which need not exist yet.
        None if the user has no place for caches.
    unused_because : str
        Why nothing is read from there or written to it; empty if it is used.
    kernels : int
        How many there are for this version and this processor.
    all_kernels : int
        How many the package has.
    bytes : int
        Their size.
    others : int
        How many there are for other versions and processors.
    processor : str
        LLVM's name of the processor that they are compiled for.
    built_in : str
        The level of processors for which this installation came with all kernels, so that
        none is compiled; empty if it came with none.
    versions : dict of str
        What has to be as it was when they were compiled.
    """

    folder: Path | None
    unused_because: str
    kernels: int
    all_kernels: int
    bytes: int
    others: int
    processor: str
    built_in: str
    versions: dict[str, str]


def info() -> CacheInfo:
    """Return where compiled kernels are kept, and how many there are.

    Returns
    -------
    CacheInfo
        A named tuple.

    Examples
    --------
    >>> from jsdiv_numba import cache
    >>> found = cache.info()
    >>> found.kernels <= found.all_kernels
    True
    """
    from ._kernels.cache import bundle
    from ._kernels.cache import folder as on_disk
    from ._kernels.cache.identity import versions
    from ._kernels.catalog import KERNELS
    from ._kernels.target import target

    places = on_disk.folders()
    own, others = [], 0
    if places is not None:
        every = [
            path for each in on_disk.versions_in(places[0]) for path in on_disk.kernels_in(each)
        ]
        own = [path for path in every if path.parent == places[-1]]
        others = len(every) - len(own)
    return CacheInfo(
        folder=places and places[-1],
        unused_because=_unused_because(places),
        kernels=len(own),
        all_kernels=sum(len(kernel.dtypes) for kernel in KERNELS.values()),
        bytes=sum(path.stat().st_size for path in own),
        others=others,
        processor=target().cpu,
        built_in=bundle.level() or "",
        versions=versions(),
    )


def _unused_because(places: tuple[Path, Path, Path] | None) -> str:
    from ._kernels.cache import folder as on_disk

    if not on_disk.is_on():
        return "JSDIV_NUMBA_CACHE switches it off"
    if places is None:
        return "the user has no home directory; set JSDIV_NUMBA_CACHE_DIR"
    try:
        untrusted = on_disk.distrusted(places)
    except FileNotFoundError:
        return ""  # it is made when the first kernel is compiled
    except OSError as error:
        return str(error)
    if untrusted is None:
        return ""
    return f"{untrusted} is another user's or may be written to by others: code is run from it"


def _unwritable_because(folder: Path | None) -> str:
    """Return why nothing can be put into a folder, or made where it will be."""
    for path in (folder, *folder.parents) if folder is not None else ():
        if os.path.exists(path):
            return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} cannot be written to"
    return ""


def build(
    *, workers: int | None = None, progress: Callable[[int, int], object] | None = None
) -> int:
    """Compile all kernels that are not there yet.

    For images of containers, the nodes of a cluster, and continuous integration.

    Parameters
    ----------
    workers : int, optional
        Number of processes. By default as many as this one may use CPUs.
    progress : callable, optional
        Called with the number of kernels that are done, and of all, after each.

    Returns
    -------
    int
        How many were compiled.

    Raises
    ------
    RuntimeError
        If a kernel cannot be compiled, or the cache is not used.

    Examples
    --------
    >>> from jsdiv_numba import cache
    >>> cache.build()  # doctest: +SKIP
    74
    """
    from ._kernels import build as builder

    found = info()
    reason = found.unused_because or _unwritable_because(found.folder)
    if reason:
        raise RuntimeError(f"compiled kernels cannot be kept: {reason}")
    return builder.build(get_workers(workers), progress)


def build_for(
    target: str,
    folder: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Compile all kernels for a level of processors, for packages to bring along.

    Parameters
    ----------
    target : str
        ``"x86-64-v3"`` (AVX2) or ``"x86-64-v4"`` (AVX-512).
    folder : pathlib.Path
        Where to put them. A package has them in ``jsdiv_numba/_kernels/built``, where the best
        level that the processor has is found, and then nothing is compiled.
    workers, progress
        As for `build`.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    ValueError
        If there is no such level.
    RuntimeError
        If a kernel cannot be compiled.

    Examples
    --------
    >>> from jsdiv_numba import cache
    >>> cache.build_for("x86-64-v3", "kernels")  # doctest: +SKIP
    74
    """
    from ._kernels import build as builder
    from ._kernels.target import LEVELS

    if target not in LEVELS:
        raise ValueError(f"target is {target!r}; it must be one of {', '.join(LEVELS)}")
    reason = _unwritable_because(Path(folder).absolute())
    if reason:
        raise RuntimeError(f"kernels cannot be built into {folder}: {reason}")
    into = builder.Bundle(target, Path(folder))
    return builder.build(get_workers(workers), progress, into)


def clear() -> int:
    """Remove the compiled kernels of all versions and processors, and nothing else.

    Returns
    -------
    int
        How many there were.

    Examples
    --------
    >>> from jsdiv_numba import cache
    >>> cache.clear()  # doctest: +SKIP
    74
    """
    from ._kernels.cache import folder as on_disk

    top = on_disk.root()
    return sum(map(on_disk.remove, on_disk.versions_in(top))) if top is not None else 0
