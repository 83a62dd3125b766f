"""The kernels that are no ufuncs, as `object_code.of_routine` takes them."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .codegen.precision import Precision
from .counts.pairs import count_pairs
from .counts.tables import table_tails
from .pairwise import bounds, pairs, placing, search, sparse
from .pairwise.measures import KL, SKEWED
from .rows.half_precision import widen_float16
from .rows.transposition import transpose_matrices


class Source(NamedTuple):
    """What makes a function for one precision, and whether it makes arrays."""

    function_of: Callable[[Precision], Any]
    makes_arrays: bool


_pairs = partial(pairs.pairs, by_shared_columns=True)
_few_pairs = partial(pairs.few_pairs, by_shared_columns=True)
_search = partial(search.search, by_shared_columns=True)

_SOURCES = {
    "pairs": Source(pairs.pairs, makes_arrays=True),
    "pairs_by_shared_columns": Source(_pairs, makes_arrays=True),
    "skewed_pairs": Source(lambda of: pairs.pairs(of, SKEWED), makes_arrays=True),
    "skewed_pairs_by_shared_columns": Source(lambda of: _pairs(of, SKEWED), makes_arrays=True),
    "kl_pairs": Source(lambda of: pairs.pairs(of, KL), makes_arrays=True),
    "few_pairs": Source(pairs.few_pairs, makes_arrays=True),
    "few_pairs_by_shared_columns": Source(_few_pairs, makes_arrays=True),
    "count_entries": Source(lambda _: sparse.count_entries(), makes_arrays=True),
    "compress_rows": Source(lambda _: sparse.compress_rows(), makes_arrays=True),
    "prepare_sparse": Source(lambda _: sparse.prepare_sparse(), makes_arrays=True),
    "sparse_pairs": Source(lambda _: sparse.sparse_pairs(), makes_arrays=True),
    "sparse_skewed_pairs": Source(lambda _: sparse.sparse_pairs(SKEWED), makes_arrays=True),
    "sparse_kl_pairs": Source(lambda _: sparse.sparse_pairs(KL), makes_arrays=True),
    "widen_float16": Source(lambda _: widen_float16(), makes_arrays=False),
    "transpose_matrices": Source(transpose_matrices, makes_arrays=False),
    "place_values": Source(lambda _: placing.place_values(), makes_arrays=False),
    "prepare_neighbors": Source(lambda _: bounds.preparation(), makes_arrays=True),
    "describe_rows": Source(lambda _: bounds.description(), makes_arrays=True),
    "search_neighbors": Source(lambda _: search.search(), makes_arrays=False),
    "search_neighbors_by_shared_columns": Source(lambda _: _search(), makes_arrays=False),
    "search_skewed_neighbors": Source(lambda _: search.search(SKEWED), makes_arrays=False),
    "search_skewed_neighbors_by_shared_columns": Source(
        lambda _: _search(SKEWED), makes_arrays=False
    ),
    "search_kl_neighbors": Source(lambda _: search.search(KL), makes_arrays=False),
    "count_pairs": Source(lambda _: count_pairs(), makes_arrays=False),
    "table_tails": Source(lambda _: table_tails(), makes_arrays=False),
}


def source_of(name: str, precision: Precision) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function of this name, of one dtype, and Numba's options for it."""
    source = _SOURCES[name]
    # What makes no arrays counts no references, which takes as long as a dozen elements of a row.
    return source.function_of(precision), {"_nrt": source.makes_arrays}
