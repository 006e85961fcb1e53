"""Post the purchases and returns of tills that were offline.

Trigger: the ingest queue; a message holds many items: {program, client, store, items[]}. Output: the messages to
deliver again. Failure: an item that can never be posted goes alone to the dead-letter queue with its reason, its
neighbours are posted; a message that met a passing fault is delivered again, and what it had posted is not posted
twice.
"""

import json
from collections.abc import Iterator
from typing import Any

from loyalty.earning.intake import Sender, retriable
from loyalty.errors import Invalid, Problem
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.clock import moment
from loyalty.runtime.outbound import set_aside
from loyalty.runtime.wiring import intake

Message = dict[str, Any]


def post(body: str, now: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    try:
        message, sender = read(body)
    except (ValueError, KeyError, TypeError):
        problem = Invalid("REQUEST_INVALID", "The message must be {program, client, store, items[]}", field="message")
        set_aside({"body": body}, problem)
        return {"set_aside": 1}
    passing: Problem | None = None
    now = moment(sender.program, now)
    for item in purchases_first(message["items"]):
        try:
            outcome = intake().take(sender, item, now)
        except Problem as problem:
            if retriable(problem):
                passing = problem
                continue
            set_aside({**message, "items": [item]}, problem)
            outcome = "set_aside"
        counts[outcome] = counts.get(outcome, 0) + 1
    if passing is not None:
        raise passing
    return counts


def read(body: str) -> tuple[Message, Sender]:
    """The message and who sent it; ValueError, KeyError or TypeError when it has not the shape of one."""
    message = json.loads(body)
    sender = Sender(message["program"], message["client"], message.get("store", ""))
    if not all(isinstance(part, str) for part in (sender.program, sender.client, sender.store)):
        raise TypeError("program, client and store are text")
    if not isinstance(message["items"], list):
        raise TypeError("items is a list")
    return message, sender


def purchases_first(items: list[Any]) -> Iterator[Any]:
    """In an order in which a return most likely finds its purchase; one that does not, waits."""
    yield from sorted(items, key=lambda item: isinstance(item, dict) and item.get("type") == "return")


lambda_handler = serve_queue("ingest", post)
