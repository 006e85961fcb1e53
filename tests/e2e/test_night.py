"""A night as it is deployed: the state machine, its map, and the functions it calls."""

import time
from datetime import UTC, datetime
from typing import Any

from cli import night
from infra.local import deploy
from loyalty.ledger.chain import Chain
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import Timer
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.e2e.test_batches import Enrol, kinds
from tests.e2e.test_story import cause, earlier
from tests.patience import eventually

PROGRAM = "alpha"


def ended(stack: Stack) -> dict[str, Any]:
    """A night of the programme, to its end."""
    return night.execute(Deployed(stack), PROGRAM, pause=0.2)


class Deployed:
    """The stack of these tests, as commands see AWS."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def client(self, service: str) -> Any:
        return deploy.client(self._stack.place, service)

    def output(self, name: str) -> str:
        return self._stack.outputs[name]


def test_a_night_writes_down_what_has_expired_once(stack: Stack, operator: Api, enrol: Enrol) -> None:
    member = enrol()
    chain, began = Chain(PROGRAM, member, "points"), int(time.time()) + 1
    earlier(stack).adjust(chain, 70, began + 1, "for a second", cause(began), began)
    store = TimerStore(stack.table)
    eventually(lambda: PROGRAM in dict(store.programs()))
    eventually(lambda: time.time() > began + 1)
    # The stream arms it for tomorrow, for today may be over; the test does not wait so long.
    today = datetime.now(UTC).toordinal()
    store.put(Timer(chain, "expiry", today))

    assert ended(stack)["status"] == "SUCCEEDED"
    assert kinds(operator, member)[-1] == "expired"
    assert today <= store.marks(PROGRAM)["expiry"] <= datetime.now(UTC).toordinal(), "midnight may have come"
    assert operator.get(f"/v1/members/{member}/balance").expect(200)["balance"]["available"] == 0

    entries = kinds(operator, member)
    assert ended(stack)["status"] == "SUCCEEDED"
    assert kinds(operator, member) == entries
    assert operator.get(f"/v1/members/{member}/verification").expect(200)["ok"]
