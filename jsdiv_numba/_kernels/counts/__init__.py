"""Kernels for rows of counts: what chance alone makes of the divergence of two samples."""
