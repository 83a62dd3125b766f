"""What the innermost loop of a compiled kernel consists of, read from its assembly."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

WIDTHS = {"zmm": 64, "ymm": 32, "xmm": 16}
MOVES = ("vmov", "vbroadcast", "vextract", "vinsert")
ONE_A_LOGARITHM = ("vcvtdq2ps", "vcvtqq2pd")
"""The exponent of a float becomes a float itself: once for each element's logarithm."""


@dataclass(frozen=True)
class Loop:
    """The arithmetic of a vectorised loop."""

    arithmetic: Counter[str]
    width: int
    """Bytes of its vectors."""

    @property
    def vectors(self) -> int:
        """Vectors of elements that one turn of the loop serves."""
        return sum(n for name, n in self.arithmetic.items() if name.startswith(ONE_A_LOGARITHM))

    @property
    def per_vector(self) -> float:
        """Vector operations for each vector of elements, and so operations an element."""
        return self.arithmetic.total() / self.vectors

    def __str__(self) -> str:
        mix = sorted(self.arithmetic.items(), key=lambda item: -item[1])
        names = ", ".join(f"{count / self.vectors:g} {name}" for name, count in mix)
        return f"{self.per_vector:g} operations on vectors of {8 * self.width} bits: {names}"


def hot_loop(assembly: str) -> Loop | None:
    """Return the innermost loop with the most fused multiply-adds on vectors.

    None where the processor's assembly is not x86's, or has no such loop.
    """
    lines = assembly.splitlines()
    loops = [_loop(lines[start:stop]) for start, stop in _innermost(lines)]
    vectorised = [loop for loop in loops if loop.vectors]
    return max(vectorised, key=_fused, default=None)


def _fused(loop: Loop) -> int:
    return sum(n for name, n in loop.arithmetic.items() if re.match(r"vfn?m(add|sub)\d+p", name))


def _innermost(lines: list[str]) -> Iterator[tuple[int, int]]:
    labels = {line.split(":")[0]: i for i, line in enumerate(lines) if re.match(r"\.?\w+:", line)}
    jumps = {i: re.match(r"\s+j\w+\s+(\.?\w+)$", line) for i, line in enumerate(lines)}
    loops = [
        (labels[jump[1]], i + 1) for i, jump in jumps.items() if jump and labels.get(jump[1], i) < i
    ]
    for start, stop in loops:
        if not any((start, stop) != (a, b) and start <= a and b <= stop for a, b in loops):
            yield start, stop


def _loop(lines: list[str]) -> Loop:
    instructions = [line.split() for line in lines if re.match(r"\s+v", line)]
    names = (name for name, *_ in instructions if not name.startswith(MOVES))
    text = "".join(lines)
    width = max((size for name, size in WIDTHS.items() if name in text), default=0)
    return Loop(Counter(names), width)
