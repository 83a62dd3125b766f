"""Lines of JSON that betray damage: each has a digest of itself and of all before it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any


def _plain(number: Any) -> int | float | bool:
    """Return a number of NumPy's, or its array of one, as Python's."""
    plain = number.item()
    # A longdouble's is one.
    return plain if isinstance(plain, int | float) else float(plain)


_LINE = re.compile(rb'(.*), "check": "([0-9a-f]{16})"\}')


class DamagedError(Exception):
    """A line that is not what was written, or not where.

    `line`: which one, counted from 1.
    """

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is damaged")
        self.line = line


class Records:
    """Objects, a line each, of a file that is only ever added to.

    A line that is changed, left out, repeated or moved shows in its digest or in that of
    the next. Lines that are missing at the end do not, as after a loss of power.

    Examples
    --------
    >>> before = Records()
    >>> lines = [before.line({"tile": 0}), before.line({"tile": 1})]
    >>> lines[0]
    b'{"tile": 0, "check": "5aae13c5975ac151"}'
    >>> list(Records().read(lines))
    [{'tile': 0}, {'tile': 1}]
    >>> list(Records().read(lines[1:]))
    Traceback (most recent call last):
        ...
    jsdiv_numba.batch.run.records.DamagedError: line 1 is damaged
    """

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=8)

    def line(self, record: Mapping[str, Any]) -> bytes:
        """Return the line of the next object, which has to have an entry.

        The line comes without its end.
        """
        text = json.dumps(record, default=_plain).encode()[:-1]
        return b'%s, "check": "%s"}' % (text, self._check(text))

    def read(self, lines: Iterable[bytes]) -> list[dict[str, Any]]:
        """Return the objects of lines, the next line being that of the next object."""
        found = []
        for number, line in enumerate(lines, 1):
            parts = _LINE.fullmatch(line)
            if parts is None or parts[2] != self._check(parts[1]):
                raise DamagedError(number)
            found.append(json.loads(parts[1] + b"}"))
        return found

    def _check(self, text: bytes) -> bytes:
        self._digest.update(b"%d:%s" % (len(text), text))
        return self._digest.hexdigest().encode()
