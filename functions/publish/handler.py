"""Tell the rest of the world what the ledger has done (outbox), and note how far it has told.

Trigger: the table's stream: new entries and members, moves between segments, how messages and campaigns fare, budgets.
Output: events on the bus, the published head of each chain. Failure: the batch is delivered again; an event's id
follows from its entry, so whoever gets it twice knows it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from loyalty.campaigns import events as campaigns
from loyalty.campaigns.store import told_of_item
from loyalty.churn.events import risks_of
from loyalty.ledger.events import CHANGED, ENROLLED, MemberEvent, events_of
from loyalty.ledger.store import entry_of_item
from loyalty.members.store import member_of_item
from loyalty.notifications import events as messages
from loyalty.notifications.store import news_of_item
from loyalty.rules.events import exhausted
from loyalty.rules.leases import budget_of_item
from loyalty.runtime.batch import serve_stream
from loyalty.runtime.outbound import publish
from loyalty.runtime.wiring import heads
from loyalty.segments import events as audience
from loyalty.segments.store import moves_of_item
from loyalty.table import keys
from loyalty.tiers.events import tier_events
from loyalty.timers.events import expiring_of


def tell(items: list[dict[str, Any]], now: int) -> dict[str, int]:
    del now
    events: list[tuple[str, str]] = []
    newest = {}
    for item in items:
        if item[keys.TYPE] == keys.type_entry:
            entry = entry_of_item(item)
            newest[entry.chain] = entry
        events += [(kind, msgspec.json.encode(detail).decode()) for kind, detail in _told(item)]
    publish(events)
    for entry in newest.values():
        heads().publish(entry)
    return {"events": len(events), "chains": len(newest)}


def _told(item: dict[str, Any]) -> Sequence[tuple[str, msgspec.Struct]]:
    """(type, detail) of what an item is news of."""
    kind = item[keys.TYPE]
    if kind == keys.type_entry:
        entry = entry_of_item(item)
        return [*events_of(entry), *expiring_of(entry), *risks_of(entry), *tier_events(entry)]
    if kind == keys.type_member:
        return [_member(item)]
    if kind == keys.type_audience:
        return audience.events_of(*moves_of_item(item))
    if kind == keys.type_message:
        return messages.events_of(*news_of_item(item))
    if kind == keys.type_budget:
        return exhausted(item[keys.PK].split("#", 1)[0], item[keys.SK], budget_of_item(item))
    if kind == keys.type_told:
        return [campaigns.event_of(told_of_item(item))]
    return []


def _member(item: dict[str, Any]) -> tuple[str, MemberEvent]:
    """A member is new, or was changed; what about it is nobody's but who may read it."""
    program = item[keys.PK].split("#", 1)[0]
    member = member_of_item(item)
    new = member.version == 1
    what = ENROLLED if new else CHANGED
    name = f"{program}:{member.id}:{what}" if new else f"{program}:{member.id}:{what}:{member.version}"
    return what, MemberEvent(id=name, program=program, member=member.id, kind=member.kind)


lambda_handler = serve_stream("publish", tell)
