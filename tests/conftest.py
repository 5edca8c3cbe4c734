"""How far hypothesis looks: as far as there is time for, or further on request.

``HYPOTHESIS_PROFILE=thorough make test`` takes many minutes.
"""

from __future__ import annotations

import os

from hypothesis import settings

# A deadline for each example would only measure how busy the machine is.
settings.register_profile(
    "quick",
    deadline=None,
    print_blob=True,
    max_examples=50,
    stateful_step_count=80,
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
