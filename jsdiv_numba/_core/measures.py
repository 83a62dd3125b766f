"""What distinguishes one measure from another: its ufuncs, its check, its names."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from .._kernels.catalog import SHORT
from . import validation

MANY = 24
"""Short rows are computed together from this number on: fewer take as long one by one."""


class Ufuncs(NamedTuple):
    """The names of a measure's ufuncs, None for each that there is not."""

    total: str
    """Of a row."""

    terms: str | None = None
    """Of an element or, if its part depends on that, of its whole row."""

    gradient: str | None = None
    """The derivatives, times a number for each element."""

    columns: str | None = None
    """Totals of many columns."""

    total_with_gradient: str | None = None
    """Both of a row at once; its numbers are one a row."""

    parts: tuple[str, str] | None = None
    """Of pieces of a row and of columns whose sums may cancel: what rounding left of each, too."""

    short_total: str | None = None
    """Of many rows that are short, with the same bits; NaN where `total` is to be asked."""

    def total_of(self, length: int, elements: int) -> str:
        """Return the name of the total for so many elements in rows of a length."""
        are_few = elements < MANY or elements < MANY * length
        if are_few or length > SHORT or self.short_total is None:
            return self.total
        return self.short_total


@dataclass(frozen=True)
class Measure:
    """What distinguishes one divergence from another."""

    ufuncs: Ufuncs

    by_row: bool
    """Whether an element's part depends on its whole row."""

    check: Callable[..., None]
    """Called with the inputs once a NaN came out: raises if one of them is invalid."""

    in_pieces: bool = True
    """Whether a row may be added up in pieces: no cancellation between them loses any digits."""

    names: tuple[str, ...] = ("P", "Q")
    """What the function calls its inputs."""

    root: bool = False
    """Whether the square root is returned."""

    skewed: "Measure | None" = None
    """The one whose ufuncs take a weight of each input after these, if there is one."""


SKEWED = Measure(
    Ufuncs("js_sum_skewed", "js_term_skewed", "js_gradient_skewed", "js_sum_skewed_columns"),
    by_row=False,
    check=validation.check_probabilities,
)
PROBABILITIES = replace(
    SKEWED,
    ufuncs=Ufuncs(
        "js_sum",
        "js_term",
        "js_gradient",
        "js_sum_columns",
        "js_sum_with_gradient",
        short_total="js_sum_short",
    ),
    skewed=SKEWED,
)
SKEWED_LOGITS = Measure(
    Ufuncs("js_sum_logit_skewed", "js_term_logit_skewed", "js_gradient_logit_skewed"),
    by_row=True,
    check=validation.check_logits,
    in_pieces=False,
)
LOGITS = replace(
    SKEWED_LOGITS,
    ufuncs=Ufuncs(
        "js_sum_logit",
        "js_term_logit",
        "js_gradient_logit",
        total_with_gradient="js_sum_with_gradient_logit",
    ),
    skewed=SKEWED_LOGITS,
)
KL_PROBABILITIES = Measure(
    Ufuncs(
        "kl_sum",
        "kl_term",
        "kl_gradient",
        "kl_sum_columns",
        parts=("kl_parts", "kl_parts_columns"),
    ),
    by_row=False,
    check=validation.check_probabilities,
)
KL_LOGITS = replace(
    LOGITS,
    ufuncs=Ufuncs("kl_sum_logit", "kl_term_logit", "kl_gradient_logit"),
    skewed=None,
)
ENTROPY_PROBABILITIES = Measure(
    Ufuncs("entropy_sum", "entropy_term", "entropy_gradient", "entropy_sum_columns"),
    by_row=False,
    check=validation.check_probabilities,
    names=("X",),
)
ENTROPY_LOGITS = replace(
    KL_LOGITS,
    ufuncs=Ufuncs("entropy_sum_logit", "entropy_term_logit", "entropy_gradient_logit"),
    names=("X",),
)
NORMALISED = Measure(
    Ufuncs(
        "js_sum_normalised",
        "js_signed_term_normalised",
        short_total="js_sum_normalised_short",
    ),
    by_row=True,
    check=validation.check_probabilities,
    in_pieces=False,
)
DISTANCE = replace(
    NORMALISED,
    ufuncs=Ufuncs("js_sum_normalised", short_total="js_sum_normalised_short"),
    names=("p", "q"),
    root=True,
)
