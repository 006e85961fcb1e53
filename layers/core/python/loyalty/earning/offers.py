"""What a campaign's multiplier makes of a purchase, and what offers are called. Pure.

What it gives is decided with each purchase, from the account alone: nothing more is read for it.
"""

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from loyalty.ledger.account import Multiplier, State

if TYPE_CHECKING:
    from loyalty.earning.purchase import Order
    from loyalty.rules.engine import Awarded
    from loyalty.rules.ruleset import Names

FINEST: Final = 10**6
"""As exact as the awards of rules are."""
_RULE: Final = "campaign:"
"""No rule of a rule set can be called so."""
_BASE: Final = "base"


def reference(campaign: str, occasion: str, step: str) -> str:
    """Under which an offer stands in the account's chain."""
    return f"c#{campaign}#{occasion}#{step}"


def budget_name(campaign: str) -> str:
    """What a campaign's budget is called beside those of the rule sets' own campaigns."""
    return f"campaign:{campaign}"


def rule_of(campaign: str) -> str:
    """Whose award it is what a campaign's multiplier gives."""
    return _RULE + campaign


def campaign_of(rule: str) -> str:
    """Inverse of ``rule_of``; empty for a rule of a rule set."""
    return rule.removeprefix(_RULE) if rule.startswith(_RULE) else ""


def names_of(multiplier: Multiplier) -> "Names":
    """What its award is called."""
    from loyalty.rules.ruleset import Names

    times, campaign = written(multiplier), multiplier.campaign
    return Names(f"{times} times the base points ({campaign})", f"{times}倍基础积分（{campaign}）")


def written(multiplier: Multiplier) -> str:
    """How many times: ``2``, ``1.5`` or ``4/3``."""
    whole, rest = divmod(multiplier.num * 1_000, multiplier.den)
    return f"{multiplier.num}/{multiplier.den}" if rest else f"{whole / 1_000:g}"


def multiplied(awards: "tuple[Awarded, ...]", state: State, day: int) -> "tuple[Awarded, ...]":
    """The awards of a purchase of ``day``, and what a multiplier gives beside them: under the terms of the base points,
    and taken back as they are.
    """
    best = state.multiplier(day)
    base = None if best is None else next((award for award in awards if award.rule == _BASE), None)
    if best is None or base is None:
        return awards
    num, den = base.num * (best.num - best.den), base.den * best.den
    if den > FINEST:
        num, den = num * FINEST // den, FINEST
    if num <= 0:
        return awards
    more = replace(base, rule=rule_of(best.campaign), num=num, den=den, carry=True, campaign="", counters=())
    return (*awards, more)


def by_rate(order: "Order", state: State, day: int) -> "tuple[Awarded, ...]":
    """The awards of an order by the policy's rate on a day on which a multiplier holds; none on any other."""
    if state.multiplier(day) is None or not order.amount:
        return ()
    from loyalty.rules.engine import Awarded

    terms = order.terms
    # Not in lowest terms: in units of 1/den every share of it that comes back is whole.
    base = Awarded(_BASE, terms.rate.num * order.amount, terms.rate.den, terms.expiry, terms.start)
    awards = multiplied((base,), state, day)
    return awards if len(awards) > 1 else ()
