"""What the whole suite shares."""

import os
from importlib.util import find_spec

from hypothesis import HealthCheck, settings

# On a slow or busy machine an example takes any time, and so does it to draw one.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" and find_spec("numba_cuda"):
    from tests import simulator

    simulator.install()

# Of these, one imports SciPy's tests, whose marks are not ours, the others what few have.
collect_ignore = ["device_code.py", "scipy_suite.py", "simulator.py", "device_calls.py"]
