"""From an account to its alert: how it bought, the day an alert is due, and what is said then. Pure.

The account knows how many purchases stand and the days of the first and the last one. The models speak of days with a
purchase, so of purchases on the same day more than one counts too many; there are never more repeats than days since
the first.
"""

import math
from typing import Final

from msgspec import Struct

from loyalty.churn.history import DAYS_IN_WEEK
from loyalty.churn.model import Buyer
from loyalty.churn.parameters import Parameters
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.programs.terms import Program

KIND: Final = "churn"
"""Of timers."""
ALERTED: Final = "alerted"
"""Kind of the entry that an alert is."""
FARTHEST: Final = 3_660
"""Days after the last purchase; an alert that would come later never comes."""


class Watch(Struct, frozen=True):
    """When to alert: ``by`` "alive", P(alive) falls to ``threshold``; by "return", the chance to buy again within
    ``horizon_days`` of the last purchase does. Members who bought on one day only have shown no rhythm, and in BG/NBD
    none of them has left: theirs comes ``onboarding_days`` after it. Expectations are for ``horizon_days``.
    """

    threshold: float
    by: str
    horizon_days: int
    onboarding_days: int


def watch_of(program: Program) -> Watch | None:
    """As the policy has it; None where nobody is watched."""
    terms = program.churn
    if terms is None:
        return None
    return Watch(float(terms["threshold"]), terms["by"], terms["horizon_days"], terms["onboarding_days"])


class Outlook(Struct, frozen=True):
    """A member on a day. ``purchases`` are those to expect in ``days`` days, ``value`` what they bring, in minor units;
    None where the programme has no parameters for it. ``each`` is what one of them is expected to bring.
    """

    days: int
    alive: float | None
    returns: float | None
    purchases: float | None
    each: float | None
    value: float | None


class Reason(Struct, frozen=True):
    """Why there is an alert, in words."""

    en: str
    zh: str


class Worth(Struct, frozen=True):
    """A member, the parameters in force, what to expect by them, and the day of the alert that is due next."""

    state: State
    parameters: Parameters | None
    seen: Outlook
    due: int | None
    why: Reason | None


def repeats(state: State) -> int:
    """Days with a purchase after the first, at most: purchases that stand, none of two on the day of another."""
    return max(0, min(state.purchases - 1, state.last - state.first))


def due(state: State, watch: Watch | None, parameters: Parameters | None) -> int | None:
    """Ordinal of the day on which an alert is due, not before the day after the last purchase; None: never. Members
    are alerted on once for each silence.
    """
    if watch is None or state.kind != "member" or state.status == "closed" or state.purchases < 1 or not state.last:
        return None
    if state.alerted == state.last:
        return None
    again = repeats(state)
    if not again:
        return state.last + max(1, watch.onboarding_days)
    if parameters is None:
        return None
    model = parameters.purchasing
    recency = (state.last - state.first) / DAYS_IN_WEEK
    if watch.by == "return":
        age = model.silence(again, recency, watch.horizon_days / DAYS_IN_WEEK, watch.threshold)
    else:
        age = model.crossing(again, recency, watch.threshold)
    silent = (age - recency) * DAYS_IN_WEEK
    return state.last + max(1, math.ceil(silent - 1e-9)) if silent <= FARTHEST else None


def alert(draft: Draft, watch: Watch, parameters: Parameters | None, day: int) -> None:
    """Write down that there is one. What is said of it in words follows from what is written down."""
    commands.begin(draft, ALERTED)
    seen = outlook(draft.state, parameters, day, watch.horizon_days)
    draft.move(ALERTED, "w", draft.state.last)
    draft.detail |= {
        "day": day,
        "by": watch.by,
        "threshold": watch.threshold,
        "days": watch.horizon_days,
        "onboarding": watch.onboarding_days,
    }
    if parameters is not None:
        draft.detail |= {"parameters": parameters.version, **_rounded(seen)}


def _rounded(seen: Outlook) -> dict[str, float]:
    """Chances and purchases to four decimals, values to whole minor units."""
    found = {
        name: round(value, 4)
        for name, value in (("alive", seen.alive), ("returns", seen.returns), ("purchases", seen.purchases))
        if value is not None
    }
    return found if seen.value is None else {**found, "value": round(seen.value)}


def outlook(state: State, parameters: Parameters | None, day: int, days: int) -> Outlook:
    """What to expect of a member in the ``days`` days after ``day``."""
    if parameters is None or not state.last or state.purchases < 1:
        return Outlook(days, None, None, None, None, None)
    buyer = buyer_of(state, day)
    ahead = days / DAYS_IN_WEEK
    purchases = parameters.purchasing.expected(buyer, ahead)
    each = None
    if parameters.spending is not None:
        visits, spend = state.total.visits, state.total.spend
        each = parameters.spending.expected(visits, spend / visits if visits else 0.0)
    return Outlook(
        days,
        parameters.purchasing.alive(buyer),
        parameters.purchasing.returns(buyer, ahead),
        purchases,
        each,
        None if each is None else purchases * each,
    )


def buyer_of(state: State, day: int) -> Buyer:
    """The account as the model sees it at the end of ``day``."""
    last = max(0, state.last - state.first)
    return Buyer(repeats(state), last / DAYS_IN_WEEK, max(last, day - state.first) / DAYS_IN_WEEK)


def reason(state: State, watch: Watch, seen: Outlook, day: int) -> Reason:
    """What an alert says to people."""
    silent = max(0, day - state.last)
    again = repeats(state)
    if not again:
        return Reason(
            f"Bought on one day, {_days(silent)} ago, and not since; new members are looked after "
            f"{_days(watch.onboarding_days)} after their first purchase.",
            f"仅在{silent}天前购买过一次，此后没有再来；新会员在首次购买{watch.onboarding_days}天后提醒。",
        )
    every = max(1, round((state.last - state.first) / again))
    bought = f"Bought every {_days(every)} in the mean, {again + 1} times, but not for {_days(silent)}"
    silence = f"平均每{every}天购买一次，共{again + 1}次，但已有{silent}天未购买"
    if watch.by == "return" and seen.returns is not None:
        left = max(0, watch.horizon_days - silent)
        chance = percent(seen.returns)
        return Reason(
            f"{bought}: the chance to come back in the next {_days(left)} is {chance}.",
            f"{silence}：今后{left}天内再次购买的概率为{chance.replace(' ', '')}。",
        )
    if seen.alive is None:
        return Reason(f"{bought}.", f"{silence}。")
    chance = percent(seen.alive)
    return Reason(
        f"{bought}: the chance to buy at all again is {chance}.",
        f"{silence}：仍会购买的概率为{chance.replace(' ', '')}。",
    )


def percent(chance: float) -> str:
    """In whole percent; never 0 or 100 of what is neither."""
    whole = round(chance * 100)
    if whole == 0 < chance:
        return "under 1 %"
    return f"{whole} %" if whole < 100 or chance >= 1 else "over 99 %"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
