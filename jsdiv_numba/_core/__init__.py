"""From arguments to kernels: what the public functions on arrays share."""
