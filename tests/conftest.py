"""What the whole suite shares."""

# Programs of their own: one imports SciPy's tests, whose marks are not ours, one a compiler.
collect_ignore = ["device_code.py", "scipy_suite.py"]
