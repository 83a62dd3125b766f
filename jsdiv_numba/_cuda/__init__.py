"""Everything that is compiled for CUDA, and what calls it; `jsdiv_numba.cuda` is its face."""
