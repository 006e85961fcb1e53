"""What an alert means to the rest of the world. Pure: the event follows from its entry alone."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.churn.alert import ALERTED, Outlook, Reason, Watch, reason
from loyalty.ids import located
from loyalty.ledger.chain import Entry
from loyalty.ledger.views import iso

VERSION: Final = 1
RISK_DETECTED: Final = "churn.risk_detected"


class ReasonText(Struct, frozen=True):
    """Why, in words."""

    en: str
    zh: str


class RiskEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A member is thought to be leaving. Chances, purchases and their value (minor units) are those of the next
    ``days`` days from the day of the alert; they are missing where the programme has no parameters yet.
    """

    version: int = VERSION
    id: str
    program: str
    member: str
    wallet: str
    entry: str
    number: int
    recorded_at: str
    days: int
    silent_days: int
    purchases: Annotated[int, Meta(description="Purchases so far that stand")]
    reason: ReasonText
    alive: Annotated[float, Meta(description="Chance to buy at all again")] | UnsetType = UNSET
    returns: Annotated[float, Meta(description="Chance to buy within ``days`` of the last purchase")] | UnsetType = (
        UNSET
    )
    expected_purchases: float | UnsetType = UNSET
    expected_value: int | UnsetType = UNSET
    parameters: Annotated[int, Meta(description="Version of the parameters that this is by")] | UnsetType = UNSET


def risks_of(entry: Entry) -> list[tuple[str, RiskEvent]]:
    """(type, detail) of an alert; nothing for any other entry."""
    if entry.kind != ALERTED:
        return []
    chain, detail, state = entry.chain, entry.detail, entry.state
    entry_id = located("ent", chain.account, chain.wallet, entry.number)
    watch = Watch(detail["threshold"], detail["by"], detail["days"], detail["onboarding"])
    seen = Outlook(
        watch.horizon_days,
        detail.get("alive"),
        detail.get("returns"),
        detail.get("purchases"),
        None,
        detail.get("value"),
    )
    why: Reason = reason(state, watch, seen, detail["day"])
    event = RiskEvent(
        id=f"{chain.program}:{entry_id}:{RISK_DETECTED}",
        program=chain.program,
        member=chain.account,
        wallet=chain.wallet,
        entry=entry_id,
        number=entry.number,
        recorded_at=iso(entry.recorded),
        days=watch.horizon_days,
        silent_days=detail["day"] - state.last,
        purchases=state.purchases,
        reason=ReasonText(why.en, why.zh),
        alive=detail.get("alive", UNSET),
        returns=detail.get("returns", UNSET),
        expected_purchases=detail.get("purchases", UNSET),
        expected_value=detail.get("value", UNSET),
        parameters=detail.get("parameters", UNSET),
    )
    return [(RISK_DETECTED, event)]
