"""Ways to damage a file, described so that an example can be drawn, kept and made smaller."""

import random
from typing import NamedTuple

INTERESTING = (
    *(b"\0", b"\xff", b"\x7f", b"\x80", b"\n", b"\r", b",", b"\t", b";", b'"', b"'", b"#", b" "),
    *(b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0"),
    *(b"-1", b"0", b"nan", b"inf", b"-inf", b"1e999", b"1e-400", b"9" * 30, b"0x1", b"1_0", b"--"),
    *(b"{}", b"[]", b"null", b"true", b'""', b"[[[[[[[[", b"((((((((", b"(1,)", b"()", b"(-1, 2)"),
    *(b"<f4", b">f8", b"|O", b"<U9", b"<c16", b"|b1", b"<i8", b"|V4", b"<M8[D]", b"float16"),
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"PAR1", b"ARROW1", b"\x93NUMPY", b"%%Matrix"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xb3\xbf", b"\xc3", b"\xe2\x80\xae", b"\x1b[31m"),
    *(b"shape", b"descr", b"True", b"chunk_shape", b"fill_value", b"coordinate", b"symmetric"),
)
KINDS = ("flip", "set", "insert", "overwrite", "delete", "cut", "repeat", "splice", "number")


class Mutation(NamedTuple):
    """One change.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    place : float
        Where, from 0 to 1.
    argument : int
        What, or how much.
    """

    kind: str
    place: float
    argument: int


def drawn(chance: random.Random) -> list[Mutation]:
    """Return some changes, mostly one."""
    count = min(1 + int(chance.expovariate(1.2)), 12)
    return [
        Mutation(chance.choice(KINDS), chance.random(), chance.randrange(1 << 16))
        for _ in range(count)
    ]


def mutated(data: bytes, mutations: list[Mutation], other: bytes) -> bytes:
    """Return `data` with all changes made; `other` is what is spliced in."""
    for mutation in mutations:
        data = _one(data, mutation, other)
    return data


def _one(data: bytes, mutation: Mutation, other: bytes) -> bytes:
    kind, place, argument = mutation
    at = int(place * (len(data) + 1))
    token = INTERESTING[argument % len(INTERESTING)]
    length = 1 + argument % 37
    if kind == "flip" and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << argument % 8]) + data[at + 1 :]
    if kind == "number":
        # A number of text in a place where one stands.
        digits = [i for i, byte in enumerate(data) if 48 <= byte < 58]
        if digits:
            at = digits[int(place * (len(digits) - 1))]
            return data[:at] + str(argument).encode() + data[at + 1 :]
    changed = {
        "set": data[:at] + bytes([argument % 256]) + data[at + 1 :],
        "insert": data[:at] + token + data[at:],
        "overwrite": data[:at] + token + data[at + len(token) :],
        "delete": data[:at] + data[at + length :],
        "cut": data[:at],
        "repeat": data[:at] + data[max(0, at - length) : at] * (1 + argument % 5) + data[at:],
        "splice": data[:at] + other[argument % (len(other) + 1) :],
    }
    return changed.get(kind, data)
