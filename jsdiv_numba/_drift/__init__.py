"""What is behind `jsdiv_numba.drift`: columns, bins, counts, what differs, and how it is shown."""
