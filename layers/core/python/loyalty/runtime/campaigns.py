"""Campaigns put together: what they need of members, the ledger, contacts, messages, and of the state machine."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from loyalty.campaigns.runs import Machine, Runs
from loyalty.campaigns.service import Around, Campaigns
from loyalty.campaigns.store import CampaignStore
from loyalty.campaigns.touches import Known, Sources, Touches
from loyalty.earning.offers import budget_name
from loyalty.earning.store import OrderStore
from loyalty.errors import Corrupt, Refused, Unavailable
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.store import entry_of_item
from loyalty.notifications.message import Message
from loyalty.notifications.store import MessageStore, message_of_item, puts
from loyalty.rules.leases import BudgetStore, put_of
from loyalty.runtime import observability, wiring
from loyalty.runtime.config import config
from loyalty.table import keys
from loyalty.values import Rate

if TYPE_CHECKING:
    from loyalty.campaigns.touch import Action
    from loyalty.notifications.message import Handed, Notice
    from loyalty.table.writes import Put

PAGE: Final = 200
RETURNS_SECONDS: Final = 300
"""How long a running copy goes by what channels have brought."""
_returns: dict[str, tuple[float, dict[str, dict[str, int]]]] = {}
_REFUSED: Final = {
    "CAMPAIGN_BUDGET_EXHAUSTED": "budget",
    "OFFERS_LIMIT_REACHED": "offers",
    "ACCOUNT_FULL": "offers",
    "ACCOUNT_CLOSED": "closed",
}
"""What an offer is refused for that no second try would change, and how a way says it."""
_THOUSAND: Final = 1000


@cache
def store() -> CampaignStore:
    return CampaignStore(wiring.table())


@cache
def touches() -> Touches:
    return Touches(
        store(),
        Sources(
            policy=wiring.policy,
            contact_policy=wiring.contact_policy,
            known=_known,
            known_all=_known_all,
            together=wiring.table().together,
            member=lambda program, account: wiring.member_store().get(program, account),
            arm=lambda timer: wiring.timers().put(timer),
            give=_give,
            puts=puts,
            hand_on=_hand_on,
            heard=_heard,
            unreachable=_unreachable,
            ranked=_ranked,
            messages=_messages,
            tell=_tell,
        ),
    )


@cache
def runs() -> Runs:
    from loyalty.runtime.outbound import call_back, start_execution

    def start(name: str, given: dict[str, object]) -> None:
        start_execution(config().campaign_machine, name, given)

    def bought(program: str, counts: Mapping[str, int], part: int) -> None:
        gained = {channel: {"purchased": count} for channel, count in counts.items()}
        if gained:
            wiring.message_store().add_returns(program, part % keys.RETURN_PARTS, gained)

    machine = Machine(start, call_back)
    return Runs(store(), touches(), wiring.policy, wiring.contact_policy, _entries, machine, _point_cost, bought)


@cache
def campaigns() -> Campaigns:
    from loyalty.segments.store import SegmentStore

    budgets = BudgetStore(wiring.table())

    def segments(program: str) -> tuple[str, ...]:
        known, _ = SegmentStore(wiring.table()).segments(program)
        return tuple(one.id for one in known.segments) if known is not None else ()

    def budget(program: str, campaign: str, points: int) -> "Put":
        name = budget_name(campaign)
        return put_of(program, name, points, budgets.get(program, name))

    def spent(program: str, campaign: str) -> int:
        known = budgets.get(program, budget_name(campaign))
        return known.leased if known is not None else 0

    return Campaigns(store(), touches(), runs(), Around(wiring.policy, segments, budget, spent))


def _ranked(program: str, channels: tuple[str, ...]) -> tuple[str, ...]:
    """By figures of at most ``RETURNS_SECONDS`` ago."""
    from loyalty.notifications.choice import by_return

    moment = time.monotonic()
    known = _returns.get(program)
    if known is None or moment - known[0] > RETURNS_SECONDS:
        known = _returns[program] = (moment, wiring.message_store().returns(program))
    return by_return(channels, known[1])


def _known(program: str, account: str, now: int) -> Known | None:
    found = wiring.audiences().known(program, account, now)
    return None if found is None else Known(found.subject, found.standing, found.number)


def _known_all(program: str, accounts: Sequence[str], now: int) -> dict[str, Known]:
    wallet = wiring.policy(program).wallets[0]
    members, heads = wiring.table().together(
        lambda: wiring.member_store().many(program, accounts),
        lambda: wiring.ledger().store.heads(Chain(program, one, wallet) for one in accounts),
    )
    of_account = {chain.account: entry for chain, entry in heads.items()}
    found = wiring.audiences().known_all(program, members, of_account, now)
    return {name: Known(one.subject, one.standing, one.number) for name, one in found.items()}


def _messages(program: str, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Message]:
    items = wiring.table().batch_get(keys.message(program, *one) for one in named)
    return {(one.account, one.name): one for one in map(message_of_item, items.values())}


def _entries(chain: Chain, number: int) -> Iterator[Entry]:
    """What was written to a chain behind entry ``number``, oldest first."""
    after: str | None = keys.entry(number) if number else None
    while True:
        items, after = wiring.table().page(keys.chain(*chain), limit=PAGE, after=after, consistent=False)
        yield from (entry_of_item(item) for item in items)
        if after is None:
            return


def _give(program: str, account: str, action: "Action", now: int) -> str:
    """Give what a step offers, once; why it was refused, "" when it was given, now or before."""
    offer, offers = action.offer, wiring.offers()
    if offer is None:
        return ""
    try:
        if offer.kind == "points":
            budget = touches().of_version(program, action.campaign, action.version).budget
            offers.grant_points(
                program,
                account,
                action.reference,
                action.campaign,
                offer.numbers["points"],
                offer.numbers.get("expires_days"),
                budget_name(action.campaign) if budget is not None else "",
                now,
            )
        else:
            multiplier = Rate.of(offer.numbers["multiply"], _THOUSAND)
            offers.grant_multiplier(
                program,
                account,
                action.reference,
                action.campaign,
                multiplier,
                action.day,
                action.offer_until,
                now,
            )
    except Refused as problem:
        if problem.code not in _REFUSED:
            raise
        return _REFUSED[problem.code]
    return ""


def _hand_on(handed: "list[Handed]") -> None:
    """What the queue does not take now is found by whoever looks for what is due."""
    try:
        wiring.hand_on(handed)
    except Unavailable as error:
        observability.failure("hand_on", error)


def _heard(program: str, account: str) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
    """By way of a member, the steps whose messages were opened, and those whose links were followed."""
    found: dict[str, dict[str, set[str]]] = {"opened": {}, "clicked": {}}
    for message in MessageStore(wiring.table()).of_member(program, account):
        for fact, ways in found.items():
            if fact in message.facts or (fact == "opened" and "clicked" in message.facts):
                ways.setdefault(f"{message.campaign}.{message.occasion}", set()).add(message.step)
    opened, clicked = ({way: frozenset(steps) for way, steps in ways.items()} for ways in found.values())
    return opened, clicked


def _unreachable(program: str, account: str, notice: "Notice", name: str, now: int) -> None:
    wiring.notifications().unreachable(program, account, notice, name, now)


def _tell(program: str, step: str, why: str) -> None:
    observability.count("MembersSetAside", now_ms=int(time.time() * _THOUSAND), program=program, step=step, reason=why)


def _point_cost(program: str) -> int:
    """What a point costs, in thousandths of the minor unit; 0 where nobody says."""
    return wiring.worth(program, _THOUSAND) or 0


def order(program: str, source: str, order_id: str) -> dict[str, Any]:
    """What a purchase tells a campaign beside its points: store, channel, and what was spent, in minor units."""
    found = OrderStore(wiring.table()).get(program, source, order_id)
    if found is None:
        raise Corrupt("a purchase has no order")
    return {"store": found.store or None, "channel": found.channel or None, "spent": found.amount}


def plain(counts: object) -> dict[str, Any]:
    """Counts as JSON data, for the log."""
    import msgspec

    found: dict[str, Any] = json.loads(msgspec.json.encode(counts))
    return found
