"""How Hypothesis searches here.

By default every run tries the same examples, so a failure on one machine is a failure on all of them and a green run
stays green until the code changes. ``HYPOTHESIS_PROFILE=wander`` tries others each time, and many more of them; what
it finds is printed as a blob to paste into ``@reproduce_failure``.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

DEFAULT: Final = "steady"
_CALM = [HealthCheck.too_slow]  # no test may fail by the clock of a busy machine

settings.register_profile(
    DEFAULT, derandomize=True, database=None, deadline=None, print_blob=True, suppress_health_check=_CALM
)
settings.register_profile(
    "wander", max_examples=2_000, database=None, deadline=None, print_blob=True, suppress_health_check=_CALM
)


def load() -> None:
    chosen = os.environ.get("HYPOTHESIS_PROFILE", DEFAULT)
    settings.load_profile(chosen)
    if chosen == DEFAULT:
        # One value in twenty would be a constant of whatever sources this process has imported by then: others in each
        # worker, and others for a file alone than in a whole run.
        providers._get_local_constants = Constants  # noqa: SLF001 - nothing public says so; the version is locked, and a test holds it


def examples(times: float) -> int:
    """So many times as many examples as the profile tries of a simple property."""
    return int(settings().max_examples * times)
