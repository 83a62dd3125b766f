"""How every number is taken: all contenders in turn, after a warm-up, and the median of it."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

REPEATS = 7


@dataclass(frozen=True)
class Contender:
    """Something to time: one sample is `calls` calls, each of which does `work`."""

    name: str
    call: Callable[[], Any]
    work: float = 1.0
    calls: int = 1
    repeats: int = REPEATS


def progress(message: str) -> None:
    """Say on stderr what is being measured; stdout has the tables."""
    print(message, file=sys.stderr, flush=True)


def seconds_per_call(contender: Contender) -> float:
    start = time.perf_counter()
    for _ in range(contender.calls):
        contender.call()
    return (time.perf_counter() - start) / contender.calls


Typical = Callable[[Sequence[float]], float]


def median_seconds(
    contenders: Sequence[Contender], typical: Typical = statistics.median
) -> dict[str, float]:
    """Return the median time of one call of each, all sampled in turn.

    Whatever else slows the machine down for a while slows all of them down.
    """
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.call()
    for turn in range(max(contender.repeats for contender in contenders)):
        for contender in contenders:
            if turn < contender.repeats:
                samples[contender.name].append(seconds_per_call(contender))
    return {name: typical(times) for name, times in samples.items()}


def throughputs(
    contenders: Sequence[Contender], typical: Typical = statistics.median
) -> dict[str, float]:
    """Return the work that each does in a second, by its median time."""
    seconds = median_seconds(contenders, typical)
    return {contender.name: contender.work / seconds[contender.name] for contender in contenders}


def calls_for(call: Callable[[], Any], seconds: float) -> int:
    """Return how many calls take about this long."""
    call()
    once = seconds_per_call(Contender("", call, calls=3))
    return max(1, int(seconds / once))


class Threads:
    """Threads that take one part of a reference kernel's work after the other."""

    def __init__(self, number: int) -> None:
        self.number, self.pool = number, ThreadPoolExecutor(number)

    def run(self, part: Callable[[int], Any], parts: int) -> None:
        remaining = iter(range(parts))

        def work() -> None:
            for i in remaining:
                part(i)

        for done in [self.pool.submit(work) for _ in range(self.number)]:
            done.result()
