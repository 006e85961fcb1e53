"""A circuit breaker for one provider in one running copy. Pure: time is an argument, in seconds.

Closed, everything passes. After ``FAILURES`` in a row, or as soon as the provider names a time, it opens: nothing
passes until that is over. Then it is half open: one request passes, and its outcome closes it or opens it for longer.
A copy sends one message at a time, and what it knows dies with it; between copies the provider's own limits stand.
"""

from typing import Final, Literal

from loyalty.channels.channel import Channel, Outcome, Sending

FAILURES: Final = 5
OPEN_S: Final = 30
"""How long it stays open first; twice as long every time that the trial fails."""
MOST_OPEN_S: Final = 600
"""Never longer, whatever the provider asked for: somebody may have raised a limit."""
OPEN: Final = "open"
"""Code of a message that was held back."""


class Breaker:
    """``wait`` before a request, ``saw`` after it."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0
        self._length = OPEN_S

    def state(self, now: int) -> Literal["closed", "open", "half-open"]:
        if not self._until:
            return "closed"
        return "open" if now < self._until else "half-open"

    def wait(self, now: int) -> int:
        """0 when a request may pass, else the seconds until one may."""
        return self._until - now if self.state(now) == "open" else 0

    def saw(self, outcome: Outcome, now: int) -> None:
        """Learn of what passed. A refusal is an answer, and says that the provider works."""
        if outcome.kind not in ("later", "doubtful"):
            self._failures, self._until, self._length = 0, 0, OPEN_S
            return
        self._failures += 1
        if outcome.retry_after_s:
            self._until = now + min(outcome.retry_after_s, MOST_OPEN_S)
        elif self._until:  # the trial failed
            self._length = min(2 * self._length, MOST_OPEN_S)
            self._until = now + self._length
        elif self._failures >= FAILURES:
            self._until = now + self._length


class Guarded:
    """A channel behind a breaker: what the breaker holds back is ``later`` and costs no request."""

    def __init__(self, channel: Channel, breaker: Breaker) -> None:
        self._channel = channel
        self._breaker = breaker

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def reported(self) -> str:
        return self._channel.reported

    def send(self, sending: Sending, now: int) -> Outcome:
        wait = self._breaker.wait(now)
        if wait:
            return Outcome("later", code=OPEN, retry_after_s=wait)
        outcome = self._channel.send(sending, now)
        self._breaker.saw(outcome, now)
        return outcome
