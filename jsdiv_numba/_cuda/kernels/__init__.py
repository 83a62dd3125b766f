"""What Numba compiles for a device."""
