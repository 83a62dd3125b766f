"""Small pieces of text and names that the page's parts share."""

from html import escape


def anchor(number: int) -> str:
    """Return the address of a column's card within the page."""
    return f"c{number}"


def name_of(text: str, nothing: str = "(no name)") -> str:
    """Return a name as HTML, whatever is in it; one to be read from the right turns nothing else.

    Examples
    --------
    >>> name_of("a < b_1"), name_of(" ")
    ('<bdi>a &lt; b_<wbr>1</bdi>', '<i>(no name)</i>')
    """
    if not text.strip():
        return f"<i>{nothing}</i>"
    # Where a line may end, if it has to within a name.
    return f"<bdi>{escape(text).replace('_', '_<wbr>')}</bdi>"


def label_of(text: str) -> str:
    """Return the name of a bin or category as HTML."""
    return name_of(text, "(empty)")


def counted_columns(number: int) -> str:
    """Return how many columns there are."""
    return f"{number:,} column" if number == 1 else f"{number:,} columns"


def coordinate(value: float) -> str:
    """Return a number of a picture, short.

    Examples
    --------
    >>> coordinate(12.0), coordinate(3.14159), coordinate(0.0)
    ('12', '3.14', '0')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
