"""How an explanation looks from outside."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from loyalty.explanations.phrases import Language, number
from loyalty.ledger.views import Movement
from loyalty.rules.ruleset import Names
from loyalty.values import Rate

DECIMALS = 6


class Exact(Struct, frozen=True):
    """An exact number of points: as a fraction in lowest terms, and as a decimal rounded down to six places."""

    fraction: str
    decimal: str


class RuleSetRef(Struct, frozen=True, omit_defaults=True):
    """The version that decided. ``name`` is missing when that version can no longer be read."""

    version: int
    name: str | UnsetType = UNSET


class Input(Struct, frozen=True, omit_defaults=True):
    """A fact that rules in force spoke of. ``value`` as a person writes it; of a line, its number from 1. What would
    tell when somebody was born is not shown.
    """

    fact: str
    name: str
    value: str
    line: int | UnsetType = UNSET


class CapHit(Struct, frozen=True, omit_defaults=True):
    """A cap that left less than the rule would have given. ``per`` is order, or the period that a member's cap counts
    in.
    """

    per: Literal["order", "day", "week", "month", "quarter", "year", "total"]
    points: int | UnsetType = UNSET
    times: int | UnsetType = UNSET


class RuleView(Struct, frozen=True, omit_defaults=True):
    """What one rule gave, and how it came to that. ``exact`` is what its expression says, ``after_order_cap`` and
    ``after_caps`` what the caps left of it. ``verdict`` is given, capped (nothing left of a cap), beaten (``by`` was
    chosen instead), unpaid (the budget of campaign ``by`` was too small), nothing (rounded down to nothing), or failed
    (it could not be worked out for this event). ``before`` and ``after`` are the remainders carried.
    """

    rule: str
    verdict: Literal["given", "capped", "beaten", "unpaid", "nothing", "failed"]
    points: int
    text: str
    names: Names | UnsetType = UNSET
    condition: str | UnsetType = UNSET
    earning: str | UnsetType = UNSET
    exact: Exact | UnsetType = UNSET
    after_order_cap: Exact | UnsetType = UNSET
    after_caps: Exact | UnsetType = UNSET
    caps: list[CapHit] | UnsetType = UNSET
    by: str | UnsetType = UNSET
    rounding: str | UnsetType = UNSET
    before: Exact | UnsetType = UNSET
    after: Exact | UnsetType = UNSET


class ChangeView(Struct, frozen=True, omit_defaults=True):
    """A fact as it would have had to be. ``value`` as a rule set writes it; ``line`` from 1, and one behind the last
    line for a further one.
    """

    fact: str
    value: str
    line: int | UnsetType = UNSET


class NearestView(Struct, frozen=True, omit_defaults=True):
    """What would have earned ``points`` more. ``campaign``: as far as its budget goes."""

    rule: str
    names: Names
    points: int
    changes: list[ChangeView]
    text: str
    campaign: str | UnsetType = UNSET


class MovementView(Movement, frozen=True, omit_defaults=True, kw_only=True):
    """A change to one state of the account, and its reason in words."""

    text: str


class RemainderView(Struct, frozen=True):
    """What was left over by a rule before the entry and after it."""

    rule: str
    before: Exact
    after: Exact


class ExplanationView(Struct, frozen=True, omit_defaults=True):
    """Why an entry says what it says. ``text`` is all of it in sentences, in ``language``.

    ``recomputed``: worked out again, from the facts and the rules of that version, with the same result. False: that
    was not possible or came to something else, and what stands here is what the entry itself says.
    """

    id: str
    kind: str
    language: Language
    points: int
    text: list[str]
    movements: list[MovementView]
    recomputed: bool | UnsetType = UNSET
    rule_set: RuleSetRef | UnsetType = UNSET
    base: Exact | UnsetType = UNSET
    inputs: list[Input] | UnsetType = UNSET
    rules: list[RuleView] | UnsetType = UNSET
    nearest: list[NearestView] | UnsetType = UNSET
    remainders: list[RemainderView] | UnsetType = UNSET


def exact(rate: Rate) -> Exact:
    """A number of points for the API."""
    num, den = rate
    whole = number(num, den)
    if "/" in whole:
        sign, shift = ("-" if num < 0 else ""), abs(num) * 10**DECIMALS // den
        return Exact(whole, f"{sign}{shift // 10**DECIMALS}.{shift % 10**DECIMALS:0{DECIMALS}}")
    return Exact(f"{num}/{den}" if den > 1 else str(num), whole)
