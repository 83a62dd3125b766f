"""What the whole suite shares."""

# A program of its own, for its own process: it imports SciPy's tests, whose marks are not ours.
collect_ignore = ["scipy_suite.py"]
