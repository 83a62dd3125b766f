"""Compiled kernels in files: the user's, and those that came with the package."""
