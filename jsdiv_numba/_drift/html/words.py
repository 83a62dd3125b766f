"""Small pieces of text and names that the page's parts share."""


def anchor(number: int) -> str:
    """Return the address of a column's card within the page."""
    return f"c{number}"


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
