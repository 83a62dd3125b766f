"""A limit that tells what hangs from what is slow."""

HANGING = 1800
"""Seconds: many times what anything in the tests takes that waits for another process or thread.

A machine may be slow, and busy with other things; what compiles takes minutes there. Nothing else
may be said of how long something takes.
"""
