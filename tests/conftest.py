"""What the whole suite shares."""

import os
import sys

if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
    # The simulator asks its threads again and again whether they wait, and keeps them from it.
    sys.setswitchinterval(1e-4)

# Programs of their own: one imports SciPy's tests, whose marks are not ours, one a compiler.
collect_ignore = ["device_code.py", "scipy_suite.py"]
