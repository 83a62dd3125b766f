"""The two precisions: their types, their bit layout and the coefficients of their polynomials.

The coefficients are made by ``python -m tests.coefficients``; a test holds them to it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Precision:
    """What a formula needs to know of the floats it is compiled for."""

    Float: Any
    """The NumPy scalar type."""

    Int: Any
    """The integer type of the same width."""

    mantissa: int
    """Number of mantissa bits."""

    split: float
    """A ratio r is reduced to r·2^-k with k = floor(log2(r) + split), roughly. It is below 1, so
    that k = 0 for r = 1, and for what rounding makes of it."""

    lesser: tuple[float, ...]
    """(atanh(u) - u)/u³ in powers of u², for the smaller side's logarithm."""

    greater: tuple[float, ...]
    """The same, on the wider interval that the greater side's logarithm needs."""

    ratio: tuple[float, ...]
    """The same, for two numbers within a factor of 2 or a little more."""

    log2: tuple[float, ...]
    """log2(1 + f)/f in powers of f, where x·2^-k is 1 + f, or √2 times that."""

    finer_log2: tuple[float, ...]
    """The same with a smaller error, for the entropy of a single row: where few entries differ, it
    does not average out. Empty where the first has none that counts."""

    log2_origin: float
    """x·2^-k is from this to twice as much."""

    log2_in_halves: bool
    """Whether those beyond the middle, as bits count, are multiplied by √½: the logarithm of that
    is half an exponent."""

    near_term: tuple[float, ...]
    """The term of p and q over (p - q)²/(p + q), in powers of (p - q)²/(p + q)², up to ½. Empty
    where no device has a logarithm."""

    far_term: tuple[float, ...]
    """The term of x and 1 - x less ½·x·log(x), in powers of x, where the first does not serve."""

    exponential: tuple[float, ...]
    """(exp(r) - 1 - r)/r² in powers of r, |r| <= ln(2)/2."""

    power: tuple[float, ...]
    """(2^r - 1)/r in powers of r, |r| <= 1/2."""

    tiny: int
    """Two numbers below 2^tiny are scaled up before the formula sees them."""

    scale_up: int
    """By this power of two."""

    huge: int
    """If either is above 2^huge, both are scaled down by 2^-64."""

    trusted: int
    """A sum of terms above 2^trusted has lost nothing for want of scaling."""

    unit: int
    """Rows of weights are normalised to a sum of about 2^unit: so few entries need scaling."""

    weighed: int
    """A row whose sum is outside 2^-weighed .. 2^weighed is scaled before it is weighed."""

    pair_near: tuple[float, float]
    """A divergence from entropies, in nats, that is below the first number and the second times
    the larger row's largest entry, is computed again term by term: what is added to a lane after
    a large entry is rounded as that is."""

    pair_block: int
    """Elements of a pair that are added up in lanes before float64 takes over."""

    logit_cancelled: float
    """A divergence of logits from entropies that is below this, in nats, is computed again."""

    logit_near: float
    """And below this, from their differences."""

    lift: int
    """By this power of two are multiplied the probabilities of near-equal logits: those that are
    nothing beside others may be all that differ."""

    gradient_cancelled: float
    """Where no derivative in logits is larger than this times the largest probability, they are
    computed again from differences."""

    device_log2: int
    """By this power of two is multiplied what a device's kernels for pairs have as a logarithm."""

    device_gradient_cancelled: float
    """The same on a device, whose logarithm of a float32 is less accurate."""

    exp_min: float
    """Exponentials of numbers below this are taken as 0."""


FLOAT32 = Precision(
    Float=np.float32,
    Int=np.int32,
    mantissa=23,
    split=1 - 2.0**-10,
    lesser=(
        0.333333202,
        0.200037788,
        0.141183221,
        0.134257619,
    ),
    greater=(
        0.333333202,
        0.200037788,
        0.141183221,
        0.134257619,
    ),
    ratio=(
        0.333333084,
        0.200061555,
        0.140520238,
        0.138691775,
    ),
    log2=(
        1.44273128,
        -0.72137937,
        0.478318763,
        -0.358407149,
        0.333442517,
        -0.279868659,
    ),
    finer_log2=(
        1.44269398,
        -0.721346559,
        0.481025171,
        -0.360788338,
        0.284507621,
        -0.23680827,
        0.252390373,
        -0.222111681,
    ),
    log2_origin=2 / 3,
    log2_in_halves=False,
    near_term=(
        0.250000011,
        0.0416645629,
        0.0167326231,
        0.00817010678,
        0.00957815355,
        -0.00654447203,
        0.0141312259,
    ),
    far_term=(
        0.346573595,
        -0.500001448,
        0.250078296,
        0.0818703989,
        0.0525075704,
    ),
    exponential=(
        0.499997488,
        0.166666308,
        0.0418338711,
        0.00835720971,
    ),
    power=(
        0.693147181,
        0.240223488,
        0.0555038099,
        0.00966638785,
        0.00133813217,
    ),
    tiny=-70,
    scale_up=60,
    huge=100,
    trusted=-76,
    unit=30,
    weighed=60,
    pair_near=(0.04, 0.13),
    pair_block=512,
    logit_cancelled=0.05,
    logit_near=1e-3,
    lift=60,
    gradient_cancelled=4e-3,
    device_log2=0,
    device_gradient_cancelled=1e-2,
    exp_min=-87.0,
)

FLOAT64 = Precision(
    Float=np.float64,
    Int=np.int64,
    mantissa=52,
    split=0.5,
    lesser=(
        0.33333333333333469,
        0.19999999999665958,
        0.14285714418745088,
        0.11111091295820481,
        0.090923102474684521,
        0.076417241274440431,
        0.075604195259036956,
    ),
    greater=(
        0.33333333333333482,
        0.19999999999780883,
        0.14285714338242668,
        0.11111106283054642,
        0.090911304581474116,
        0.076866386163380115,
        0.067511642687800508,
        0.051613474636624964,
        0.08435372057917079,
    ),
    ratio=(
        0.33333333333333313,
        0.20000000000031124,
        0.14285714277774455,
        0.11111111893446614,
        0.090908700950298864,
        0.076934188338841571,
        0.066475254022934452,
        0.060840928671385875,
        0.040069240466520038,
        0.088525438058774381,
    ),
    log2=(
        1.4426950408891827,
        -0.72134752045000964,
        0.48089834679534074,
        -0.36067375700272792,
        0.28853904333421321,
        -0.24044980679014692,
        0.20609674834996019,
        -0.1802813933997922,
        0.16032113417225433,
        -0.14647074577381143,
        0.13527423715039568,
        -0.090252754676052057,
    ),
    finer_log2=(),
    log2_origin=0.8535533905932737,  # (1 + √½)/2: both halves are alike
    log2_in_halves=True,
    near_term=(),
    far_term=(),
    exponential=(
        0.5,
        0.16666666666666671,
        0.04166666666666667,
        0.0083333333333261294,
        0.0013888888888883744,
        0.00019841269874840769,
        2.4801587325562126e-5,
        2.7557255374658742e-6,
        2.7557273624866476e-7,
        2.5105227636551759e-8,
        2.0914694560351592e-9,
    ),
    power=(
        0.69314718055994531,
        0.24022650695910071,
        0.055504108664821627,
        0.0096181291076284795,
        0.0013333558146406436,
        0.00015403530393370716,
        1.5252733841601815e-5,
        1.3215486808727858e-6,
        1.0178057064573359e-7,
        7.0548972926916273e-9,
        4.4558220250149151e-10,
        2.5729344553786754e-11,
    ),
    tiny=-900,
    scale_up=128,
    huge=960,
    trusted=-930,
    unit=200,
    weighed=500,
    pair_near=(1.5e-3, 8e-3),
    pair_block=1024,
    logit_cancelled=4e-3,
    logit_near=1e-7,
    lift=0,
    gradient_cancelled=1e-3,
    device_log2=52,
    device_gradient_cancelled=1e-3,
    exp_min=-707.0,
)
