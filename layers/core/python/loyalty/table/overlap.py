"""Two requests on their way at the same time, without a second thread: the second is sent before the answer to the
first is read.
"""

from collections.abc import Callable
from functools import cache
from threading import local
from time import monotonic
from typing import Any, Final, TypeVar

LEAST_S: Final = 0.5
"""So long an answer is waited for at least, when all of its time went by with what was done meanwhile: it is there by
then, or is not to come.
"""

_A = TypeVar("_A")
_B = TypeVar("_B")


class _Meanwhile:
    """What is to be done while an answer is on its way, and what came of it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self.begun = False
        self.answer: Any = None
        self.error: Exception | None = None

    def do(self) -> None:
        self.begun = True
        try:
            self.answer = self._act()
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked raises it, and not the connection in between
            self.error = error


class _Pending(local):
    """What is to be done in this thread, the next one last."""

    def __init__(self) -> None:
        self.acts: list[_Meanwhile] = []


_pending = _Pending()


@cache
def _pools(clock: Callable[[], float]) -> dict[str, type]:
    """Of connections, by scheme; ``clock`` counts seconds. Made when a client is there, for what they stand on costs
    much to import.
    """
    from botocore.awsrequest import (
        AWSHTTPConnection,
        AWSHTTPConnectionPool,
        AWSHTTPSConnection,
        AWSHTTPSConnectionPool,
    )

    class Overlapping:
        """A connection whose request is sent by the time that its answer is asked for, and from when on it is waited
        for: two that are not answered cost the time of one.
        """

        timeout: Any

        def getresponse(self) -> Any:
            if _pending.acts:
                sent = clock()
                _pending.acts.pop().do()
                if self.timeout is not None:
                    self.timeout = max(LEAST_S, self.timeout - (clock() - sent))
            return super().getresponse()  # type: ignore[misc] # of the connection that this is mixed into

    class Connection(Overlapping, AWSHTTPConnection):  # type: ignore[misc] # botocore has no types
        pass

    class SecureConnection(Overlapping, AWSHTTPSConnection):  # type: ignore[misc] # as above
        pass

    class Pool(AWSHTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(AWSHTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}


def overlapping(client: Any, clock: Callable[[], float] = monotonic) -> None:
    """Let requests of this botocore client be answered while the next is sent: see ``overlapped``."""
    manager = client._endpoint.http_session._manager  # noqa: SLF001 - no public way leads there; botocore is locked, and a test holds that two requests are on their way at once
    manager.pool_classes_by_scheme = _pools(clock)


def overlapped(first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
    """Both results. ``second`` runs, whole, as soon as the first request of ``first`` is on its way; where that goes
    through a client that knows of no overlapping, it runs after ``first``. An error of ``first`` is raised before one
    of ``second``; a ``second`` that had not begun by then is not run.
    """
    meanwhile = _Meanwhile(second)
    _pending.acts.append(meanwhile)
    try:
        answer = first()
    finally:
        if not meanwhile.begun:
            _pending.acts.remove(meanwhile)
    if not meanwhile.begun:
        meanwhile.do()
    if meanwhile.error is not None:
        raise meanwhile.error
    return answer, meanwhile.answer
