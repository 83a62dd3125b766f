"""What is behind `jsdiv_numba.stats`: counts, what chance makes of them, p-values, intervals."""
