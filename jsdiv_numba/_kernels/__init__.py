"""Everything that Numba compiles for the CPU: no axes, no files, no threads, no errors.

Invalid input (a negative or infinite probability) gives NaN; the public
functions find out why and say so.
"""
