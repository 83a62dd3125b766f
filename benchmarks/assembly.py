"""What the innermost loops of compiled kernels consist of, read from x86's and ARM's assembly."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

BYTES = {"zmm": 64, "ymm": 32, "xmm": 16}
"""Of x86's vector registers."""

MOVES = re.compile(
    r"v?mov|vbroadcast|vextract|vinsert|v?pinsr|dup|ldr|ldp|ldur|str|stp|stur|ld1|st1"
)
X86_ARITHMETIC = re.compile(r"v(fn?m(?:add|sub)\d+|mul|div)([ps])([sd])")
ARM_PRODUCTS = {
    *("fmul", "fnmul", "fmla", "fmls", "fnmla", "fnmls", "fmad", "fmsb", "fnmad", "fnmsb"),
    *("fmadd", "fmsub", "fnmadd", "fnmsub"),
}
ARM_QUOTIENTS = {"fdiv", "fdivr"}
OF_INTEGERS = re.compile(r"vcvtdq2ps|scvtf(\.\w+)?\s+[vz]")
ARRANGEMENTS = {"4s": 4, "2d": 2, "2s": 2, "s": 4, "d": 2}
"""ARM's vectors by their lanes, those of SVE ("z0.d") as if they had 128 bits."""

ONE_BY_ONE = re.compile(
    r"vcvtt?(?:u?si2s[sd]|s[sd]2u?si)|vpextr|vpinsr"  # x86
    r"|(?:scvtf|ucvtf|fcvtz[su])\s+[wxsd]\d|umov|smov|mov(?:\.[ds])?\s+[wx]\d+, v"
)
"""A number converted by itself, or one taken out of a vector or put into it."""

POWERS_OF_TWO = {1, 2, 4, 8, 16, 32}
CALL = re.compile(r"(?:callq?|blr?)\s")
STACK = re.compile(r"\(%r[sb]p|\[(?:sp|x29)[,\]]")
JUMP = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.?L\w+)$")
LABEL = re.compile(r"(\.?L\w+):")


class Shape(NamedTuple):
    """What tells a loop from others: how often it multiplies and divides for an element."""

    products: int
    """Multiplications, those of multiply-adds included."""

    quotients: int = 0

    chains: int = 1
    """There may be one more for each further chain that a polynomial is split into."""

    conversions: int | None = None
    """How often it makes floats of int32, where that tells it from another."""


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop, and how many elements one turn of it serves."""

    instructions: tuple[str, ...]
    vectors: int
    """Vectors of elements."""

    lanes: int
    """Elements of a vector; 1 where numbers are computed one by one."""

    @property
    def per_element(self) -> float:
        """Instructions an element."""
        return len(self.instructions) / (self.vectors * self.lanes)

    @property
    def operations(self) -> Counter[str]:
        """Arithmetic instructions on vectors, by their names."""
        floating = (line.split()[0] for line in self.instructions if is_on_vectors(line))
        return Counter(name for name in floating if not MOVES.match(name))

    @property
    def per_vector(self) -> float:
        """Arithmetic instructions for each vector of elements, and so operations an element."""
        return self.operations.total() / self.vectors

    @property
    def one_by_one(self) -> int:
        """Numbers that are converted, or moved to or from a vector, by themselves."""
        return sum(bool(ONE_BY_ONE.match(line)) for line in self.instructions)

    @property
    def calls(self) -> int:
        """Calls of functions."""
        return sum(bool(CALL.match(line)) for line in self.instructions)

    @property
    def on_stack(self) -> float:
        """Instructions an element that read or write the stack."""
        number = sum(bool(STACK.search(line)) for line in self.instructions)
        return number / (self.vectors * self.lanes)

    def __str__(self) -> str:
        mix = sorted(self.operations.items(), key=lambda item: -item[1])
        names = ", ".join(f"{count / self.vectors:g} {name}" for name, count in mix)
        return f"{self.per_vector:g} operations on vectors of {self.lanes} numbers: {names}"


def is_on_vectors(instruction: str) -> bool:
    """Whether an instruction's operands are in vector registers, of SIMD or of single numbers."""
    return bool(re.search(r"%[xyz]mm|\.(?:4s|2d|2s|16b)|\bz\d+\.|\b[sdq]\d", instruction))


def hot_loop(assembly: str, shape: Shape) -> Loop | None:
    """Return the innermost loop of a shape that serves most elements a turn, of vectors if any.

    Of several the shortest: a rare path may have the same loop, with others around it. None where
    there is none, as where a loop is no longer what the shape says.
    """
    lines = assembly.splitlines()
    loops = (loop_of(lines[start:stop], shape) for start, stop in innermost(lines))
    found = [loop for loop in loops if loop is not None]
    return max(
        found, key=lambda loop: (loop.vectors * loop.lanes, -len(loop.instructions)), default=None
    )


def loop_of(lines: list[str], shape: Shape) -> Loop | None:
    """Return a loop if it has a shape."""
    instructions = tuple(" ".join(line.split()) for line in lines if re.match(r"\s+[a-z]", line))
    products = [lanes for line in instructions if (lanes := lanes_of(line, division=False))]
    quotients = [lanes for line in instructions if (lanes := lanes_of(line, division=True))]
    if len({*products, *quotients}) != 1:
        return None
    conversions = sum(bool(OF_INTEGERS.match(line)) for line in instructions)
    for each in range(shape.products, shape.products + shape.chains):
        vectors, rest = divmod(len(products), each)
        if shape.conversions not in (None, conversions / max(vectors, 1)):
            continue
        if rest or vectors not in POWERS_OF_TWO or len(quotients) != vectors * shape.quotients:
            continue
        return Loop(instructions, vectors, products[0])
    return None


def lanes_of(instruction: str, division: bool) -> int:
    """Return how many numbers are multiplied or divided at once; 0 if that is not what is done."""
    name, _, operands = instruction.partition(" ")
    if x86 := X86_ARITHMETIC.fullmatch(name):
        if (x86[1] == "div") != division:
            return 0
        itemsize = {"s": 4, "d": 8}[x86[3]]
        width = next(size for register, size in BYTES.items() if register in operands)
        return 1 if x86[2] == "s" else width // itemsize
    base, _, arrangement = name.partition(".")
    if base not in (ARM_QUOTIENTS if division else ARM_PRODUCTS):
        return 0
    found = re.search(r"v\d+\.(4s|2d|2s)|z\d+\.([sd])", operands)
    arrangement = arrangement or (found and (found[1] or found[2])) or ""
    return ARRANGEMENTS.get(arrangement, 1)


def innermost(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where loops that have no others in them begin and end."""
    labels = {label[1]: i for i, line in enumerate(lines) if (label := LABEL.match(line))}
    loops = set()
    for i, line in enumerate(lines):
        jump = JUMP.match(line.strip())
        if jump and labels.get(jump[1], i) < i:
            loops.add((labels[jump[1]], i + 1))
    for start, stop in sorted(loops):
        if not any((start, stop) != (a, b) and start <= a and b <= stop for a, b in loops):
            yield start, stop
