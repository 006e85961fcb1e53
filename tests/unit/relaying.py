"""What lies behind the table's stream, as it is deployed: filters, the functions that follow, and the queues that the
relay fills, with who drains them.
"""

import json
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import pytest

from infra.catalogue import CATALOGUE, FromStream
from loyalty.runtime import outbound, relay
from loyalty.runtime.config import config

Run = Callable[[str, dict[str, Any]], Any]
FOLLOWERS: Final = {one.name: one.trigger for one in CATALOGUE if isinstance(one.trigger, FromStream)}
DRAINS: Final = tuple(relay.TAKES)


def run(function: str, event: dict[str, Any]) -> Any:
    """Call a function's handler."""
    return import_module(f"functions.{function}.handler").lambda_handler(event, None)


def messages(*bodies: str) -> dict[str, Any]:
    """What a function is called with for these messages; their ids are 0, 1, …"""
    return {
        "Records": [
            {"messageId": str(number), "eventSource": "aws:sqs", "body": body, "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


class Behind:
    """The stream's followers and the relay's queues. ``run`` calls a function, ``mix`` disorders what waits on a queue;
    ``sent`` counts messages by queue.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, run: Run = run, mix: Callable[[list[str]], object] = lambda _: None
    ) -> None:
        self.run = run
        self.mix = mix
        self.queues: dict[str, list[str]] = {name: [] for name in DRAINS}
        self.sent: Counter[str] = Counter()
        for name in DRAINS:
            monkeypatch.setenv(f"{name.upper()}_QUEUE_URL", name)
        config.cache_clear()
        monkeypatch.setattr(outbound, "send_all", self._send)

    def _send(self, queue: str, bodies: list[str]) -> int:
        self.queues[queue] += bodies
        self.sent[queue] += len(bodies)
        return 0

    def follow(self, records: list[dict[str, Any]], *names: str) -> None:
        """Deliver records of the stream, filtered, to those who follow it, and what comes of it, to the functions of
        these names or to all.
        """
        for function, trigger in FOLLOWERS.items():
            if not names or function in names or (function == "relay" and {*names} & {*DRAINS}):
                wanted = [one for one in records if _takes(trigger, one)]
                if wanted:
                    self.run(function, {"Records": wanted})
        self.drain(*names)

    def drain(self, *names: str) -> None:
        """Empty the queues, ten messages at a time. Those of the functions that are not asked for lose theirs."""
        for name in DRAINS:
            waiting, self.queues[name] = self.queues[name], []
            self.mix(waiting)
            if not names or name in names:
                for first in range(0, len(waiting), 10):
                    answer = self.run(name, messages(*waiting[first : first + 10]))
                    assert answer == {"batchItemFailures": []}, name


def _takes(trigger: FromStream, record: dict[str, Any]) -> bool:
    image = record["dynamodb"].get("NewImage")
    return image is not None and trigger.takes(record["eventName"], image["t"]["S"])


def order_message(pk: str) -> dict[str, Any]:
    """What `recover` is called with for an order."""
    return messages(json.dumps({"order": pk}))
