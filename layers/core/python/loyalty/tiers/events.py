"""Events about tiers. Pure; an entry's events follow from its moves, and hold nothing personal."""

from datetime import date
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ids import located
from loyalty.ledger.chain import Entry
from loyalty.ledger.events import VERSION
from loyalty.ledger.views import iso
from loyalty.tiers.course import ASSIGNED, DOWNGRADED, RENEWED, UPGRADED, WARNED

TYPES: Final = {
    UPGRADED: "tier.upgraded",
    DOWNGRADED: "tier.downgraded",
    WARNED: "tier.downgrade_warned",
    RENEWED: "tier.renewed",
    ASSIGNED: "tier.renewed",
}
"""Event by the reason of a move."""


class TierEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A tier was reached, lost, kept, or is about to be lost. ``tier`` is the one held from then on and ``was`` the one
    before, missing for none; days in the programme's time zone. ``until`` is the last day of what is given by hand, or
    of what will be lost.
    """

    version: int = VERSION
    id: str
    program: str
    member: str
    wallet: str
    entry: str
    number: int
    since: str
    recorded_at: str
    tier: str | UnsetType = UNSET
    was: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    manual: bool = False


def tier_events(entry: Entry) -> list[tuple[str, TierEvent]]:
    """(type, detail) of each change of the tier that an entry made, in order."""
    chain = entry.chain
    id_ = located("ent", chain.account, chain.wallet, entry.number)
    found = []
    was = entry.detail["tier"][0] if "tier" in entry.detail else ""
    for place, (why, op, *rest) in enumerate(entry.moves):
        if op != "g":
            continue
        tier, since, until, manual = rest
        event = TYPES[why]
        detail = TierEvent(
            id=f"{chain.program}:{id_}:{event}:{place}",
            program=chain.program,
            member=chain.account,
            wallet=chain.wallet,
            entry=id_,
            number=entry.number,
            since=date.fromordinal(since).isoformat(),
            recorded_at=iso(entry.recorded),
            tier=tier or UNSET,
            was=was or UNSET,
            until=date.fromordinal(until).isoformat() if until else UNSET,
            manual=bool(manual),
        )
        found.append((event, detail))
        was = tier
    return found
