"""How long tests wait for others: long enough for a machine that stands still for minutes, for how soon something
comes is not what they try. Who waits in vain learns it a little later.
"""

import time
from collections.abc import Callable
from typing import Final

ANSWER_S: Final = 300.0
"""For one answer to one request."""
AWAITED_S: Final = 900.0
"""For what others do meanwhile, by queues, streams and processes."""


def eventually(true: Callable[[], object], pause_s: float = 0.1) -> None:
    """Return once it is true, looked at again and again; AssertionError when it never is."""
    until = time.monotonic() + AWAITED_S
    while not true():
        assert time.monotonic() < until, f"it does not become true within {AWAITED_S:.0f} s"
        time.sleep(pause_s)
