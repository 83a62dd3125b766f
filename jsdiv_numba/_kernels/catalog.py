"""What kernels there are, and what they take: all that can be known of them without Numba."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .records import (
    Block,
    CategoryRoom,
    CompressedRows,
    DescribedRows,
    Filled,
    Found,
    PaddedRows,
    Queries,
    Scratch,
    Side,
    TableRoom,
    Unit,
    Values,
    Weighing,
)

DTYPES = "float32", "float64"
CODES = {"float32": "f", "float64": "d"}
"""NumPy's characters for them."""

NAMES = {code: name for name, code in CODES.items()}
"""Their names: `dtype.name` takes as long as the rest of a small call."""


SHORT = 16
"""Rows of at most so many elements have ufuncs of their own, which compute many at once."""


class Ufunc(NamedTuple):
    """A NumPy ufunc: an elementwise one if its signature names no dimensions."""

    signature: str
    """NumPy's, of a generalised ufunc."""

    types: str
    """NumPy's characters for the operands, with ``T`` for the dtype it is compiled for."""

    dtypes: tuple[str, ...] = DTYPES

    in_rows: bool = False
    """Whether its kernel takes all rows at once, with one dimension more: what surrounds a row
    would take longer than a short one."""

    @property
    def is_elementwise(self) -> bool:
        """Whether it takes and gives single elements."""
        return not any(self.dimensions)

    @property
    def inputs(self) -> int:
        """How many of the operands are inputs."""
        return self.types.index("->")

    @property
    def dimensions(self) -> list[tuple[str, ...]]:
        """The core dimensions of each operand, the inputs' first."""
        inputs, outputs = self.signature.split("->")
        return [
            tuple(filter(None, operand.strip("(),").split(",")))
            for side in (inputs, outputs)
            for operand in side.split("),(")
        ]

    @property
    def returned(self) -> list[int]:
        """Which operands a kernel returns: single numbers, but of all rows at once."""
        results = range(self.inputs, len(self.dimensions))
        return [] if self.in_rows else [i for i in results if not self.dimensions[i]]

    def codes(self, dtype: str) -> str:
        """Return the operands' types for one dtype, in NumPy's characters."""
        return self.types.replace("->", "").replace("T", CODES[dtype])


class Routine(NamedTuple):
    """A kernel that is no ufunc.

    Its arguments are written as Cython writes typed memoryviews, with NumPy's
    characters for the types: ``d[:,::1]`` is a C-contiguous matrix of float64, ``T`` the
    dtype it is compiled for. Those of a record come together.
    """

    arguments: tuple[str | type[tuple[Any, ...]], ...]
    result: str = ""
    dtypes: tuple[str, ...] = DTYPES

    @property
    def each(self) -> list[Any]:
        """The arguments one by one, records whole."""
        texts = ([each] if not isinstance(each, str) else each.split() for each in self.arguments)
        return [argument for some in texts for argument in some]

    def of(self, dtype: str) -> tuple[str, ...]:
        """Return the arguments for one dtype, those of records one by one."""
        return tuple(
            kind.replace("T", CODES[dtype]) for each in self.arguments for kind in kinds_of(each)
        )


def fields_of(record: Any) -> list[Any]:
    """Return the fields of a record: other records, and how others are written."""
    annotated = record.__annotations__.values()
    return [each if hasattr(each, "_fields") else each.__metadata__[0] for each in annotated]


def kinds_of(argument: Any) -> Iterator[str]:
    """Yield how all that an argument consists of is written."""
    if isinstance(argument, str):
        yield from argument.split()
    else:
        for field in fields_of(argument):
            yield from kinds_of(field)


_TO_SCALAR, _TO_SCALAR_OF_ONE = Ufunc("(n),(n)->()", "TT->T"), Ufunc("(n)->()", "T->T")
_SUM = Ufunc("(n),(n)->()", "TT->T", in_rows=True)
_TO_ROW, _TO_ROW_OF_ONE = Ufunc("(n),(n)->(n)", "TT->T"), Ufunc("(n)->(n)", "T->T")
_TO_COLUMNS = Ufunc("(n,m),(n,m)->(m)", "TT->T")
_GRADIENT = Ufunc("(),(),()->(),()", "TTT->TT")
_ROW_GRADIENT = Ufunc("(n),(n),(n)->(n),(n)", "TTT->TT")
_SUM_WITH_GRADIENT = Ufunc("(n),(n),(n)->(),(n),(n)", "TTT->TTT")

UFUNCS = {
    "js_term": Ufunc("(),()->()", "TT->T"),
    "js_gradient": _GRADIENT,
    "js_sum": _SUM,
    # Of short rows: NaN where the one without this name's end is to be asked.
    "js_sum_short": _SUM,
    "js_sum_normalised_short": _SUM,
    "js_sum_columns": _TO_COLUMNS,
    "js_sum_normalised": _SUM,
    "js_signed_term_normalised": _TO_ROW,
    "js_sum_logit": _SUM,
    "js_term_logit": _TO_ROW,
    "js_sum_with_gradient": _SUM_WITH_GRADIENT,
    "js_sum_with_gradient_logit": _SUM_WITH_GRADIENT,
    "js_gradient_logit": _ROW_GRADIENT,
    # The last two inputs are the weights of the first two.
    "js_term_skewed": Ufunc("(),(),(),()->()", "TTTT->T"),
    "js_gradient_skewed": Ufunc("(),(),(),(),()->(),()", "TTTTT->TT"),
    "js_sum_skewed": Ufunc("(n),(n),(),()->()", "TTTT->T", in_rows=True),
    "js_sum_skewed_columns": Ufunc("(n,m),(n,m),(m),(m)->(m)", "TTTT->T"),
    "js_sum_logit_skewed": Ufunc("(n),(n),(),()->()", "TTTT->T"),
    "js_term_logit_skewed": Ufunc("(n),(n),(),()->(n)", "TTTT->T"),
    "js_gradient_logit_skewed": Ufunc("(n),(n),(n),(),()->(n),(n)", "TTTTT->TT"),
    "js_sum_many": Ufunc("(k,n),(k)->()", "Td->T"),
    "js_term_many": Ufunc("(k,n),(k)->(n)", "Td->T"),
    "js_added_many": Ufunc("(k,n),(k)->(k)", "Td->T"),
    "js_gradient_many": Ufunc("(k,n),(k),(n)->(k,n)", "TdT->T"),
    "js_sum_many_logit": Ufunc("(k,n),(k)->()", "Td->T"),
    "js_term_many_logit": Ufunc("(k,n),(k)->(n)", "Td->T"),
    "js_gradient_many_logit": Ufunc("(k,n),(k),(n)->(k,n)", "TdT->T"),
    "kl_term": Ufunc("(),()->()", "TT->T"),
    "kl_gradient": _GRADIENT,
    "kl_gradient_logit": _ROW_GRADIENT,
    "kl_sum": _SUM,
    "kl_sum_columns": _TO_COLUMNS,
    # Sums, and what their rounding left.
    "kl_parts": Ufunc("(n),(n)->(),()", "TT->dd"),
    "kl_parts_columns": Ufunc("(n,m),(n,m)->(m),(m)", "TT->dd"),
    "parts_added_up": Ufunc("(n),(n)->()", "dd->d", ("float64",)),
    "kl_sum_logit": _TO_SCALAR,
    "kl_term_logit": _TO_ROW,
    "entropy_term": Ufunc("()->()", "T->T"),
    # The second input is the cotangent.
    "entropy_gradient": Ufunc("(),()->()", "TT->T"),
    "entropy_gradient_logit": _TO_ROW,
    "entropy_sum": Ufunc("(n)->()", "T->T", in_rows=True),
    "entropy_sum_columns": Ufunc("(n,m)->(m)", "T->T"),
    "entropy_sum_logit": _TO_SCALAR_OF_ONE,
    "entropy_term_logit": _TO_ROW_OF_ONE,
}

_PAIRS = PaddedRows, PaddedRows, Block, "p", Values, Weighing, "? ? T[:,:]"

_FEW_PAIRS = ("T[:,:] T[:,:] d[::1] T[:,:]",)

_SPARSE_PAIRS = Routine(
    (CompressedRows, CompressedRows, Block, Values, Weighing, "d[:,:]"), "", ("float64",)
)

# After the rows, the halves of the squares of a's vectors.
_SEARCH = Routine(
    (DescribedRows, DescribedRows, "d[:,::1]", Queries, Unit, Weighing, Found, Scratch, Filled),
    "?",
    ("float64",),
)

ROUTINES = {
    # At last, whether the rows of a and of b are to be prepared.
    "pairs": Routine(_PAIRS, "?"),
    "pairs_by_shared_columns": Routine(_PAIRS, "?", ("float64",)),
    "skewed_pairs": Routine(_PAIRS, "?"),
    "skewed_pairs_by_shared_columns": Routine(_PAIRS, "?", ("float64",)),
    "kl_pairs": Routine(_PAIRS, "?", ("float64",)),
    "few_pairs": Routine(_FEW_PAIRS, "i"),
    "few_pairs_by_shared_columns": Routine(_FEW_PAIRS, "i", ("float64",)),
    "count_entries": Routine(("d[:,:] p[::1] d[::1]",), "", ("float64",)),
    "compress_rows": Routine(("d[:,:] p[::1] i[::1] d[::1]",), "", ("float64",)),
    "prepare_sparse": Routine((CompressedRows, "p p d"), "?", ("float64",)),
    "sparse_pairs": _SPARSE_PAIRS,
    "sparse_skewed_pairs": _SPARSE_PAIRS,
    "sparse_kl_pairs": _SPARSE_PAIRS,
    # The first are the bits of float16.
    "widen_float16": Routine(("h[:,:] f[:,:]",), "", ("float32",)),
    "transpose_matrices": Routine(("T[:,:,:] T[:,:,:]",)),
    "place_values": Routine(("d[:,::1] p[::1] p[::1] ? p p d[:,:]",), "", ("float64",)),
    "prepare_neighbors": Routine((PaddedRows, "p p p", Side), "?", ("float64",)),
    # At last, whether they are queries, and whether their harmonics are wanted.
    "describe_rows": Routine(
        ("d[:,::1] f[:,:,::1] d[::1] d[::1] p p p d d ? ?",), "", ("float64",)
    ),
    "search_neighbors": _SEARCH,
    "search_neighbors_by_shared_columns": _SEARCH,
    "search_skewed_neighbors": _SEARCH,
    "search_skewed_neighbors_by_shared_columns": _SEARCH,
    "search_kl_neighbors": _SEARCH,
    # Two matrices of counts and the sums of their rows, the pairs, where `counts.pairs` works,
    # and the result.
    "count_pairs": Routine(
        ("p[:,::1] p[:,::1] d[::1] d[::1] p[::1] p[::1]", CategoryRoom, "d[:,::1]"),
        "",
        ("float64",),
    ),
    # The same, with the observed divergences after the pairs.
    "table_tails": Routine(
        ("p[:,::1] p[:,::1] d[::1] d[::1] p[::1] p[::1] d[::1]", TableRoom, "d[::1]"),
        "",
        ("float64",),
    ),
}

KERNELS: dict[str, Ufunc | Routine] = {**UFUNCS, **ROUTINES}
