"""How every number is taken: all contenders in turn, after a warm-up, and the median of it."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

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


def seconds_per_call(contender: Contender, clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    for _ in range(contender.calls):
        contender.call()
    return (clock() - start) / contender.calls


class Timing(NamedTuple):
    """What is taken for the time of a call."""

    clock: Callable[[], float] = time.perf_counter
    typical: Callable[[Sequence[float]], float] = statistics.median


MEDIAN = Timing()
LEAST_OF_CPU = Timing(time.process_time, min)
"""For what may run beside other work: the time that all threads of this process have computed."""


def median_seconds(contenders: Sequence[Contender], timing: Timing = MEDIAN) -> dict[str, float]:
    """Return the time of one call of each, by default the median, all sampled in turn.

    Whatever else slows the machine down for a while slows all of them down.
    """
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.call()
    for turn in range(max(contender.repeats for contender in contenders)):
        for contender in contenders:
            if turn < contender.repeats:
                samples[contender.name].append(seconds_per_call(contender, timing.clock))
    return {name: timing.typical(times) for name, times in samples.items()}


def throughputs(contenders: Sequence[Contender], timing: Timing = MEDIAN) -> dict[str, float]:
    """Return the work that each does in a second."""
    seconds = median_seconds(contenders, timing)
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
