"""Kernels over all pairs of rows, and the search for near ones."""
