"""Words as they are shown: labels printable and not too long, nouns counted."""

from unicodedata import bidirectional

_ELLIPSIS = "…"


def shown(label: str, limit: int) -> str:
    """Return `label` fit to be printed in at most `limit` characters.

    The middle is left out, because labels that share a beginning often differ at
    the end. What a terminal would act upon rather than show becomes ``�``.

    Examples
    --------
    >>> shown("Danish", 10)
    'Danish'
    >>> shown("Norwegian (Bokmål)", 10)
    'Norwe…mål)'
    """
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in label)
    if len(printable) <= limit:
        return printable
    tail = (limit - 1) // 2
    return printable[: limit - 1 - tail] + _ELLIPSIS + printable[-tail:]


def printable(text: str) -> str:
    r"""Return `text` with escapes for what a terminal would act upon, or cannot show.

    Nothing is left out, so that a file can be found by its name.

    Examples
    --------
    >>> print(printable("a\nb.csv"))
    a\nb.csv
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


_LEFT_TO_RIGHT, _ISOLATE, _END = "\u200e", "\u2068", "\u2069"


def in_a_row(*words: str) -> str:
    """Return words after one another from left to right, whatever the direction of each.

    Examples
    --------
    >>> in_a_row("Danish", "against", "Polish")
    'Danish against Polish'
    """
    if not any(bidirectional(c) in {"R", "AL"} for word in words for c in word):
        return " ".join(words)
    return _LEFT_TO_RIGHT + " ".join(f"{_ISOLATE}{word}{_END}" for word in words)


def counted(count: int, noun: str) -> str:
    """Return how many there are of something.

    `noun`: of what; its plural takes an s.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
