"""A backtest as the API shows it. Pure.

Amounts and costs are minor units of the programme's currency, days ISO dates in its zone.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from loyalty.backtests.backtest import SHARDS, Backtest, Finished, Progress, budgets, percent
from loyalty.backtests.figures import OTHERS, STEPS, Aside, Cell, Drawn, Figures, Member, within
from loyalty.ledger.views import iso
from loyalty.rules.ruleset import Names, RuleSet

SHOWN: Final = 50
"""So many stores, segments and tiers are shown, those that change most; the others are summed up."""


class Sums(Struct, frozen=True, kw_only=True):
    """Points of a day, a store, a tier or a segment, less what returns took back."""

    purchases: int
    amount: Annotated[int, Meta(description="What was paid less what was returned")]
    points_before: int
    points_after: int


class DaySums(Sums, frozen=True, kw_only=True):
    """One day that something happened on."""

    day: Annotated[str, Meta(examples=["2026-11-11"])]


class GroupSums(Sums, frozen=True, kw_only=True):
    """One store, tier or segment; "" is none, "*" all the others."""

    id: str


class RuleSums(Struct, frozen=True, kw_only=True):
    """One rule: how often it gave something, and its points less what returns took back."""

    rule: str
    names: Names | UnsetType = UNSET
    campaign: str = ""
    times_before: int
    times_after: int
    points_before: int
    points_after: int


class BudgetSums(Struct, frozen=True, kw_only=True):
    """What a campaign's budget would have been asked for and would have paid; ``dry_on`` is the first day on which it
    could not pay all.
    """

    campaign: str
    points: int
    asked: int
    paid: int
    dry_on: str | UnsetType = UNSET


class MemberChange(Struct, frozen=True, kw_only=True):
    """One member's points over the whole time. Who that is, those are told who may list members."""

    member: str | UnsetType = UNSET
    points_before: int
    points_after: int


class ChangeClass(Struct, frozen=True, kw_only=True):
    """How many members' points change by ``least`` to ``most``; a bound that is left out is none."""

    least: int | UnsetType = UNSET
    most: int | UnsetType = UNSET
    members: int


class SetAside(Struct, frozen=True, kw_only=True):
    """An account that could not be replayed; it counts nowhere else. ``member`` as in ``MemberChange``."""

    member: str | UnsetType = UNSET
    reason: str


class RuleFailures(Struct, frozen=True, kw_only=True):
    """A rule that could not be worked out for some purchases; for those it gave nothing."""

    rule: str
    times: int


class FiguresView(Struct, frozen=True, kw_only=True):
    """All that a finished backtest found. Budgets are taken into account in the whole, the days and the rules."""

    currency: str
    accounts: int
    members: Annotated[int, Meta(description="Members with anything in that time")]
    purchases: int
    returns: int
    events: int
    purchases_affected: int
    amount: int
    points_before: int
    points_after: int
    change_percent: Annotated[float | None, Meta(description="null when nothing was given before")]
    cost_before: int | None
    cost_after: Annotated[int | None, Meta(description="null when the rule set names no point_cost")]
    days: list[DaySums]
    rules: list[RuleSums]
    tiers: list[GroupSums]
    segments: list[GroupSums]
    stores: list[GroupSums]
    budgets: list[BudgetSums]
    members_gaining: int
    members_losing: int
    members_unchanged: int
    points_gained: int
    points_lost: int
    changes: list[ChangeClass]
    most_gained: list[MemberChange]
    most_lost: list[MemberChange]
    set_aside: int
    set_aside_first: list[SetAside]
    failures: list[RuleFailures]


class FailedShard(Struct, frozen=True):
    """A part that could not be worked off; its message lies on the dead-letter queue."""

    shard: int
    reason: str


class ProgressView(Struct, frozen=True, kw_only=True):
    """``accounts`` is an estimate until every shard has begun; 0 until one has."""

    accounts: int
    accounts_done: int
    shards: int
    shards_done: int
    percent: int


class SimulationView(Struct, frozen=True, kw_only=True):
    """A rule set tried on stored purchases. ``figures`` are there once it is done."""

    id: str
    rule_set: str
    name: str
    status: Literal["running", "done", "incomplete"]
    since: str
    until: str
    days: int
    started_at: str
    finished_at: str | UnsetType = UNSET
    progress: ProgressView
    incomplete: list[FailedShard] | UnsetType = UNSET
    figures: FiguresView | UnsetType = UNSET


def simulation_view(backtest: Backtest, at: Progress, figures: FiguresView | None) -> SimulationView:
    """A backtest as it stands."""
    status: Literal["running", "done", "incomplete"] = "running"
    if backtest.finished:
        status = "done"
    elif at.failed:
        status = "incomplete"
    return SimulationView(
        id=backtest.id,
        rule_set=backtest.rule_set,
        name=backtest.name,
        status=status,
        since=_iso(backtest.since),
        until=_iso(backtest.until),
        days=backtest.until - backtest.since + 1,
        started_at=iso(backtest.started),
        finished_at=iso(backtest.finished) if backtest.finished else UNSET,
        progress=ProgressView(
            accounts=max(at.known, at.accounts),
            accounts_done=at.accounts,
            shards=SHARDS,
            shards_done=at.shards_done,
            percent=100 if backtest.finished else _percent(at),
        ),
        incomplete=[FailedShard(shard.number, shard.reason) for shard in at.failed] if at.failed else UNSET,
        figures=UNSET if figures is None else figures,
    )


def finished_of(backtest: Backtest, figures: FiguresView, now: int) -> Finished:
    """A finished backtest in short."""
    return Finished(
        simulation=backtest.id,
        rule_set=backtest.rule_set,
        since=_iso(backtest.since),
        until=_iso(backtest.until),
        days=backtest.until - backtest.since + 1,
        started=backtest.started,
        finished=now,
        members=figures.members,
        purchases=figures.purchases,
        points_before=figures.points_before,
        points_after=figures.points_after,
        set_aside=figures.set_aside,
    )


def figures_view(figures: Figures, rules: RuleSet) -> FiguresView:
    """The sums of all shards, with the budgets of ``rules`` taken into account. Changes ``figures``."""
    points, paid = budgets(rules)
    drawn = within(figures, points, paid)
    total = figures.total
    return FiguresView(
        currency=rules.currency,
        accounts=figures.accounts,
        members=figures.members,
        purchases=figures.purchases,
        returns=figures.returns,
        events=figures.events,
        purchases_affected=figures.affected,
        amount=total.amount,
        points_before=total.before,
        points_after=total.after,
        change_percent=percent(total.before, total.after),
        cost_before=_cost(total.before, rules.point_cost),
        cost_after=_cost(total.after, rules.point_cost),
        days=[DaySums(day=_iso(day), **_sums(cell)) for day, cell in sorted(figures.days.items())],
        rules=_rules(figures, rules),
        tiers=_groups(figures.tiers),
        segments=_groups(figures.segments),
        stores=_groups(figures.stores),
        budgets=[_budget(campaign, points.get(campaign, 0), sums) for campaign, sums in drawn.items()],
        members_gaining=sum(count for size, count in figures.changes.items() if size > 0),
        members_losing=sum(count for size, count in figures.changes.items() if size < 0),
        members_unchanged=figures.changes.get(0, 0),
        points_gained=figures.gained,
        points_lost=figures.lost,
        changes=[_class(size, figures.changes.get(size, 0)) for size in range(-len(STEPS), len(STEPS) + 1)],
        most_gained=[_member(one) for one in figures.winners],
        most_lost=[_member(one) for one in figures.losers],
        set_aside=figures.aside,
        set_aside_first=[_aside(one) for one in figures.reasons],
        failures=[RuleFailures(rule=rule, times=times) for rule, times in sorted(figures.failures.items())],
    )


def unnamed(figures: FiguresView) -> FiguresView:
    """The same without telling whose the figures of single members are."""
    return replace(
        figures,
        most_gained=[replace(one, member=UNSET) for one in figures.most_gained],
        most_lost=[replace(one, member=UNSET) for one in figures.most_lost],
        # The kind of the error alone: what it says may name the account.
        set_aside_first=[SetAside(reason=one.reason.split(":", 1)[0]) for one in figures.set_aside_first],
    )


def _percent(at: Progress) -> int:
    """Never 100 before the end; shards that have not begun are taken to be as long as the others."""
    by_shards = at.shards_done * 100 // SHARDS
    by_accounts = at.accounts * 100 // at.known if at.known else 0
    return min(99, max(by_shards, by_accounts))


def _rules(figures: Figures, rules: RuleSet) -> list[RuleSums]:
    """Those of the rule set, then what was given by others, such as rules it does not have any more."""
    known = {rule.id: rule for rule in rules.rules}
    found = []
    for name in [*known, *sorted(set(figures.rules) - set(known))]:
        sums = figures.rules.get(name)
        rule = known.get(name)
        if sums is None and len(known) > SHOWN:
            continue
        found.append(
            RuleSums(
                rule=name,
                names=rule.names if rule else UNSET,
                campaign=rule.campaign if rule else "",
                times_before=sums.times_before if sums else 0,
                times_after=sums.times_after if sums else 0,
                points_before=sums.before if sums else 0,
                points_after=sums.after if sums else 0,
            )
        )
    return found


def _groups(cells: Mapping[str, Cell]) -> list[GroupSums]:
    """Those that change most first, ties by points and by id; what is not shown is summed up at the end."""
    named = [(name, cell) for name, cell in cells.items() if name != OTHERS]
    named.sort(key=lambda item: (-abs(item[1].after - item[1].before), -item[1].before, item[0]))
    rest = Cell()
    for _, cell in named[SHOWN:]:
        rest.add(cell)
    if OTHERS in cells:
        rest.add(cells[OTHERS])
    shown = [GroupSums(id=name, **_sums(cell)) for name, cell in named[:SHOWN]]
    if len(named) > SHOWN or OTHERS in cells:
        shown.append(GroupSums(id=OTHERS, **_sums(rest)))
    return shown


def _sums(cell: Cell) -> dict[str, int]:
    return {
        "purchases": cell.purchases,
        "amount": cell.amount,
        "points_before": cell.before,
        "points_after": cell.after,
    }


def _budget(campaign: str, points: int, drawn: Drawn) -> BudgetSums:
    return BudgetSums(
        campaign=campaign,
        points=points,
        asked=drawn.asked,
        paid=drawn.paid,
        dry_on=UNSET if drawn.day is None else _iso(drawn.day),
    )


def _class(size: int, members: int) -> ChangeClass:
    if size == 0:
        return ChangeClass(least=0, most=0, members=members)
    low = STEPS[abs(size) - 1]
    high = STEPS[abs(size)] - 1 if abs(size) < len(STEPS) else None
    if size > 0:
        return ChangeClass(least=low, most=UNSET if high is None else high, members=members)
    return ChangeClass(least=UNSET if high is None else -high, most=-low, members=members)


def _member(one: Member) -> MemberChange:
    return MemberChange(member=one.account, points_before=one.before, points_after=one.after)


def _aside(one: Aside) -> SetAside:
    return SetAside(member=one.account, reason=one.reason)


def _cost(points: int, point_cost: tuple[int, int]) -> int | None:
    """Minor units, rounded half up; None where a point is said to cost nothing."""
    num, den = point_cost
    return (2 * points * num + den) // (2 * den) if num else None


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
