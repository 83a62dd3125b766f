"""What distinguishes one measure from another: its ufuncs, its check, its names."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import validation


@dataclass(frozen=True)
class Measure:
    """What distinguishes one divergence from another."""

    total: str
    """The ufunc that gives a row's divergence."""

    terms: str | None
    """The ufunc that gives its terms, if it has any."""

    columns: str | None
    """The ufunc that gives the divergences of many columns, if there is one."""

    gradient: str | None
    """The ufunc that gives the derivatives, if there is one, times a number for each element."""

    by_row: bool
    """Whether an element's part depends on its whole row."""

    check: Callable[..., None]
    """Called with the inputs once a NaN came out: raises if one of them is invalid."""

    in_pieces: bool = True
    """Whether a row may be added up in pieces: no cancellation between them loses any digits."""

    total_with_gradient: str | None = None
    """The ufunc that gives both of a row at once, if there is one; its numbers are one a row."""

    parts: tuple[str, str] | None = None
    """Other ufuncs for the pieces of a row and of columns, if their sums may cancel: they give
    what rounding left of each, too."""

    names: tuple[str, ...] = ("P", "Q")
    """What the function calls its inputs."""

    root: bool = False
    """Whether the square root is returned."""

    skewed: "Measure | None" = None
    """The one whose ufuncs take a weight of each input after these, if there is one."""


SKEWED = Measure(
    total="js_sum_skewed",
    terms="js_term_skewed",
    columns="js_sum_skewed_columns",
    gradient="js_gradient_skewed",
    by_row=False,
    check=validation.check_probabilities,
)


PROBABILITIES = replace(
    SKEWED,
    total="js_sum",
    terms="js_term",
    columns="js_sum_columns",
    gradient="js_gradient",
    total_with_gradient="js_sum_with_gradient",
    skewed=SKEWED,
)


SKEWED_LOGITS = Measure(
    total="js_sum_logit_skewed",
    terms="js_term_logit_skewed",
    columns=None,
    gradient="js_gradient_logit_skewed",
    by_row=True,
    check=validation.check_logits,
    in_pieces=False,
)


LOGITS = replace(
    SKEWED_LOGITS,
    total="js_sum_logit",
    terms="js_term_logit",
    gradient="js_gradient_logit",
    total_with_gradient="js_sum_with_gradient_logit",
    skewed=SKEWED_LOGITS,
)


KL_PROBABILITIES = Measure(
    total="kl_sum",
    terms="kl_term",
    columns="kl_sum_columns",
    gradient="kl_gradient",
    by_row=False,
    check=validation.check_probabilities,
    parts=("kl_parts", "kl_parts_columns"),
)


KL_LOGITS = replace(
    LOGITS,
    total="kl_sum_logit",
    terms="kl_term_logit",
    gradient="kl_gradient_logit",
    total_with_gradient=None,
    skewed=None,
)


ENTROPY_PROBABILITIES = Measure(
    total="entropy_sum",
    terms="entropy_term",
    columns="entropy_sum_columns",
    gradient="entropy_gradient",
    by_row=False,
    check=validation.check_probabilities,
    names=("X",),
)


ENTROPY_LOGITS = replace(
    LOGITS,
    total="entropy_sum_logit",
    terms="entropy_term_logit",
    gradient="entropy_gradient_logit",
    total_with_gradient=None,
    skewed=None,
    names=("X",),
)


NORMALISED = Measure(
    total="js_sum_normalised",
    terms="js_signed_term_normalised",
    columns=None,
    gradient=None,
    by_row=True,
    check=validation.check_probabilities,
    in_pieces=False,
)


DISTANCE = replace(NORMALISED, terms=None, names=("p", "q"), root=True)
