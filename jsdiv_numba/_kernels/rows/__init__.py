"""Kernels over rows of probabilities."""
