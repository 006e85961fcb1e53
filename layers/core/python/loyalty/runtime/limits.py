"""A client's share of one running copy of a function.

Kept in memory, so it costs no round trip; what all copies together let through is bounded by the gateway's own
throttling.
"""

from math import ceil
from typing import Final

MOST_BUCKETS: Final = 10_000
"""So many callers are remembered; then all begin anew."""


class Limiter:
    """A token bucket a caller: ``rate`` requests a second, twice that in a burst."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, client: str, rate: int, moment: float) -> int:
        """0 when the request may go on, else the seconds until the next may; a rate of 0 is no limit. ``moment`` in
        seconds.
        """
        if rate <= 0:
            return 0
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
        tokens, last = self._buckets.get(client, (2.0 * rate, moment))
        tokens = min(2.0 * rate, tokens + max(0.0, moment - last) * rate)
        if tokens < 1:
            self._buckets[client] = (tokens, moment)
            return max(1, ceil((1 - tokens) / rate))
        self._buckets[client] = (tokens - 1, moment)
        return 0
