"""Damaged files of every format, of which nothing may come but errors of the package's own."""
