"""How a kernel is compiled: intrinsics, passes, object code."""
