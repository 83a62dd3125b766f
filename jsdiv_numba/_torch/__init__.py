"""What `jsdiv_numba.torch` is made of."""
