"""How a member's tier looks from outside. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import UNSET, Struct, UnsetType

from loyalty.ids import located
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.views import iso
from loyalty.programs.terms import Level
from loyalty.tiers.course import WARNED
from loyalty.tiers.progress import Goal, Language, keeps, rises, sentence
from loyalty.tiers.scheme import Scheme
from loyalty.values import Rate


class LevelView(Struct, frozen=True):
    """A tier: its name in the language of the answer, its multiplier as a decimal, and what it gives."""

    id: str
    name: str
    multiplier: str
    benefits: list[str]


class GoalView(Struct, frozen=True, omit_defaults=True):
    """What is missing: spend in minor units, points, purchases; any of them, or ``all`` of them. ``by`` is the last day
    for it. ``condition`` is what is to be true beside, in words, while it is not.
    """

    tier: str
    missing: dict[str, int]
    text: str
    all: bool = False
    condition: str | UnsetType = UNSET
    by: str | UnsetType = UNSET


class TierMoveView(Struct, frozen=True, omit_defaults=True):
    """One change of a tier: upgraded, downgraded, renewed, warned or assigned. ``tier`` is missing for none."""

    what: str
    at: str
    since: str
    entry: str
    tier: str | UnsetType = UNSET
    was: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    manual: bool = False
    reason: str | UnsetType = UNSET


class TierView(Struct, frozen=True, omit_defaults=True):
    """A member's tier as of now. ``until`` is its last day, where it is given by hand or its end was announced;
    ``keeps`` what prevents the next fall, ``rises`` what the next tier takes. ``history`` is newest first; ``next`` is
    the cursor to what is older.
    """

    member: str
    wallet: str
    as_of: str
    history: list[TierMoveView]
    tier: LevelView | UnsetType = UNSET
    since: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    manual: bool = False
    keeps: GoalView | UnsetType = UNSET
    rises: GoalView | UnsetType = UNSET
    next: str | UnsetType = UNSET


def tier_view(
    chain: Chain,
    scheme: Scheme | None,
    state: State,
    today: int,
    now: int,
    currency: str,
    language: Language,
    history: Sequence[TierMoveView],
    cursor: str | UnsetType,
) -> TierView:
    """``state`` with its tier as it is at ``now``."""
    rank = scheme.rank(state.tier) if scheme else -1
    keeping = keeps(scheme, state, today) if scheme else None
    rising = rises(scheme, state, today) if scheme else None
    return TierView(
        member=chain.account,
        wallet=chain.wallet,
        as_of=iso(now),
        history=list(history),
        tier=_level(scheme.levels[rank], language) if scheme and rank >= 0 else UNSET,
        since=day(state.tier_since) if rank >= 0 else UNSET,
        until=day(state.tier_until) if rank >= 0 else UNSET,
        manual=state.tier_manual,
        keeps=_goal(keeping, currency, language, keeping=True) if keeping else UNSET,
        rises=_goal(rising, currency, language, keeping=False) if rising else UNSET,
        next=cursor,
    )


def moves_of(entry: Entry) -> list[TierMoveView]:
    """What an entry did to the tier, the last first."""
    chain = entry.chain
    found = []
    was = entry.detail["tier"][0] if "tier" in entry.detail else ""
    for why, op, *rest in entry.moves:
        if op != "g":
            continue
        tier, since, until, manual = rest
        found.append(
            TierMoveView(
                what=why,
                at=iso(entry.recorded),
                since=date.fromordinal(since).isoformat(),
                entry=located("ent", chain.account, chain.wallet, entry.number),
                tier=tier or UNSET,
                was=was or UNSET if why != WARNED else UNSET,
                until=day(until),
                manual=bool(manual),
                reason=entry.detail.get("reason", UNSET) if manual else UNSET,
            )
        )
        was = tier
    return found[::-1]


def day(ordinal: int) -> str | UnsetType:
    """ISO 8601; unset for none."""
    return date.fromordinal(ordinal).isoformat() if ordinal else UNSET


def decimal(rate: Rate) -> str:
    """A multiplier as a decimal of at most three places: 3/2 is 1.5."""
    whole, rest = divmod(rate.num * 1000 // rate.den, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


def named(names: Mapping[str, str], language: Language, id_: str) -> str:
    return names.get(language) or names.get("en") or id_


def _level(level: Level, language: Language) -> LevelView:
    return LevelView(level.id, named(level.name, language, level.id), decimal(level.multiplier), list(level.benefits))


def _goal(goal: Goal, currency: str, language: Language, *, keeping: bool) -> GoalView:
    return GoalView(
        tier=goal.level.id,
        missing=dict(goal.missing),
        text=sentence(goal, currency, language, keeping=keeping),
        all=goal.level.all,
        condition=named(goal.level.means, language, goal.level.when) if goal.condition else UNSET,
        by=day(goal.by),
    )


class ChangeView(Struct, frozen=True):
    """A member whose tier would change; "" is no tier."""

    member: str
    wallet: str
    was: str
    becomes: str


class CountView(Struct, frozen=True):
    """How many wallets would go from one tier to another, or stay."""

    was: str
    becomes: str
    members: int


class SimulatedView(Struct, frozen=True, omit_defaults=True):
    """What other tiers would make of some wallets: how many rise, fall and stay, from where to where. ``changes`` says
    whose, to callers that may list members. ``next`` is the cursor to the next ones; without it these were the last.
    """

    looked: int
    rises: int
    falls: int
    counts: list[CountView]
    changes: list[ChangeView] = []
    next: str | UnsetType = UNSET

    @classmethod
    def of(
        cls, scheme: Scheme | None, counts: Mapping[tuple[str, str], int], changes: list[ChangeView], cursor: str
    ) -> "SimulatedView":
        def rank(tier: str) -> int:
            return scheme.rank(tier) if scheme else -1

        return cls(
            looked=sum(counts.values()),
            rises=sum(count for (was, becomes), count in counts.items() if rank(becomes) > rank(was)),
            falls=sum(
                count for (was, becomes), count in counts.items() if rank(becomes) < rank(was) or (was and not becomes)
            ),
            counts=[CountView(was, becomes, count) for (was, becomes), count in sorted(counts.items())],
            changes=changes,
            next=cursor or UNSET,
        )
