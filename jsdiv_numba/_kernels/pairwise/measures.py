"""The measures that pairs of rows have: each another summand of the same loops."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..codegen.intrinsics import njit_inline
from ..codegen.precision import Precision
from ..rows.pair_summands import (
    PairSummand,
    js_pair_summand,
    kl_pair_summand,
    skewed_pair_summand,
)


class PairMeasure(NamedTuple):
    """What is computed of a pair of rows."""

    summand_of: Callable[[Precision], PairSummand]

    by_entropies: bool
    """Whether a pair costs one logarithm an element, given the entropy of each row."""

    beside_of: Callable[[Precision], Any]
    """What makes of a `Weighing` what the summand takes beside two entries."""


def _no_weights(_: Precision) -> Any:
    @njit_inline
    def beside_of(_):
        return ()

    return beside_of


def _both_weights(precision: Precision) -> Any:
    Float = precision.Float

    @njit_inline
    def beside_of(weighing):
        return Float(weighing.p.weight), Float(weighing.q.weight)

    return beside_of


JS = PairMeasure(js_pair_summand, by_entropies=True, beside_of=_no_weights)
SKEWED = PairMeasure(skewed_pair_summand, by_entropies=True, beside_of=_both_weights)
KL = PairMeasure(lambda _: kl_pair_summand(), by_entropies=False, beside_of=_no_weights)
