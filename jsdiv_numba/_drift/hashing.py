"""Names of categories that are kept as a hash, with a key or without."""

import hashlib
from typing import NamedTuple

_BYTES = 16
_TEST = "jsdiv drift"


class Hashing(NamedTuple):
    """How names are hashed: by BLAKE2b, with a key if there is one."""

    key: bytes | None = b""
    """None where it is not known."""

    told: str = ""
    """The check that a file has."""

    def of(self, name: str) -> str:
        """Return the hash of a name.

        Examples
        --------
        >>> Hashing().of("Oslo")
        'b15c03b0f7d542c56cdb1e39ec347458'
        """
        if self.key is None:
            raise ValueError(
                "names of categories are hashed with a key: give it, as hash_key or --hash-key"
            )
        text = name.encode("utf-8", "surrogatepass")
        # Of a long key its hash, as in HMAC.
        key = self.key if len(self.key) <= 64 else hashlib.blake2b(self.key).digest()
        return hashlib.blake2b(text, digest_size=_BYTES, key=key).hexdigest()

    @property
    def check(self) -> str:
        """What tells one key from another."""
        return self.told or self.of(_TEST)


def shown(hashed: str) -> str:
    """Return what a category is called whose name nobody knows."""
    return f"#{hashed[:12]}"
