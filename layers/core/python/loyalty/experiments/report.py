"""A campaign's report, and the looks before it, from the sums of its arms. Imports SciPy (by ``effect``), so it is
imported by what finishes campaigns, and nothing else.

**What may be wrong how often.** Four claims are made, each at the campaign's error rate: that the campaign as a whole
does something (all variants together against control; this alone is called effective), which of the variants do
something against control (the rate divided among them), which variant is the best (divided among all pairs), and
whether all of the programme's campaigns together do something (those held out of them against everybody else). Looks
before the end spend a part of each, see ``sequential``.

Members count in the arm they were assigned to, whether or not anything reached them: that alone leaves both groups
alike but for the campaign.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

from msgspec.structs import replace

from loyalty.experiments import sequential
from loyalty.experiments.effect import effect
from loyalty.experiments.findings import (
    CANCELLED,
    MARGIN_UNKNOWN,
    MISSING,
    TOO_FEW_MEMBERS,
    Arm,
    Distrust,
    Effect,
    Look,
    Measuring,
    Report,
    Return,
    Winner,
)
from loyalty.experiments.sums import FATES, SHARES, ArmSums, Metric, Sums, pooled

MISSED: Final = 100
"""One in so many members of a group may be missing; with more, nothing is said."""
HOLDOUT: Final = "holdout"
"""Those who get no campaign of the programme at all."""


def look(measuring: Measuring, arms: Mapping[str, ArmSums], number: int, day: int) -> Look:
    """What is seen before the end, on a ``day``; ``number`` counts from 1 and is at most ``measuring.looks``.
    ValueError beyond. A look is final: whoever looks again on the same day is shown the one that was stored.
    """
    if not 1 <= number <= measuring.looks:
        raise ValueError(f"look {number}: {measuring.looks} were planned")
    spent = sequential.at_look(measuring.error_rate, measuring.looks)
    return Look(number, day, spent, _whole(measuring, arms, spent))


def report(measuring: Measuring, arms: Mapping[str, ArmSums], looks: Sequence[Look] = (), final: bool = True) -> Report:
    """At the end; or, not ``final``, what the newest of ``looks`` saw, at the error rate of a look. An arm that nobody
    is in may be missing. The programme's holdout is shown beside, and compared with nothing here.
    """
    if final:
        spent = sequential.at_end(measuring.error_rate, measuring.looks)
    else:
        spent = sequential.at_look(measuring.error_rate, measuring.looks)
    whole = _whole(measuring, arms, spent)
    return Report(
        metric=measuring.metric,
        currency=measuring.currency,
        window_days=measuring.window_days,
        error_rate=measuring.error_rate,
        final=final,
        effect=whole,
        arms=tuple(_arms(measuring, arms, spent)),
        money=_money(measuring, arms, spent),
        looks=tuple(looks),
        planned_looks=measuring.looks,
        called=next((one for one in looks if one.effect.verdict in ("effective", "harmful")), None),
        winner=_winner(measuring, arms, spent) if len(measuring.variants) > 1 else None,
        together=_together(measuring, arms, spent),
    )


def cancelled(measuring: Measuring, arms: Mapping[str, ArmSums], looks: Sequence[Look], day: int) -> Report:
    """Of a campaign that was cancelled on a ``day``, ordinal: everything that can be counted, and no effect. Nobody had
    planned to look on that day, and who cancels may have seen something: whatever error rate were stated for it would
    not hold. What ``looks`` said before stands.
    """
    made = report(measuring, arms, looks)
    money = made.money
    return replace(
        made,
        effect=_unsaid(made.effect),
        arms=tuple(replace(arm, effect=None) for arm in made.arms),
        money=Return(
            money.points, money.points_cost, money.messages, money.messages_cost, money.cost, distrust=CANCELLED
        ),
        winner=None,
        together=None,
        cancelled=day,
    )


def _unsaid(found: Effect) -> Effect:
    """What the groups did, without what it would say."""
    return Effect(
        found.metric, found.treated_members, found.control_members, found.treated, found.control, found.difference,
        None, None, found.confidence, "cannot tell yet", distrust=CANCELLED,
    )  # fmt: skip


def programme(
    measuring: Measuring, holdout: ArmSums, others: ArmSums, looks: Sequence[Look] = (), final: bool = True
) -> Report:
    """All campaigns together: members of the programme's holdout, who get none, against all ``others``."""
    of_all = Measuring(
        metric=measuring.metric,
        currency=measuring.currency,
        window_days=measuring.window_days,
        variants=("others",),
        control=HOLDOUT,
        looks=measuring.looks,
        error_rate=measuring.error_rate,
        smallest=measuring.smallest,
        margin_permille=measuring.margin_permille,
        point_cost=measuring.point_cost,
        message_costs=measuring.message_costs,
    )
    return report(of_all, {HOLDOUT: holdout, "others": others}, looks, final)


def _whole(measuring: Measuring, arms: Mapping[str, ArmSums], spent: float) -> Effect:
    treated = pooled(_of(arms, variant) for variant in measuring.variants)
    return _effect(measuring, treated, _of(arms, measuring.control), spent)


def _together(measuring: Measuring, arms: Mapping[str, ArmSums], spent: float) -> Effect | None:
    held_out = _of(arms, HOLDOUT)
    if not held_out.members or measuring.control == HOLDOUT:
        return None
    return _effect(measuring, pooled(arms[name] for name in sorted(set(arms) - {HOLDOUT})), held_out, spent)


def _effect(measuring: Measuring, treated: ArmSums, control: ArmSums, spent: float) -> Effect:
    one, other, scale, known = _summed(measuring, measuring.metric, treated, control)
    found = effect(measuring.metric, one, other, spent, measuring.smallest, scale)
    if known and (_gappy(treated) or _gappy(control)):
        return replace(found, verdict="cannot tell yet", distrust=MISSING)
    return found if known else _unknown(found)


def _gappy(arm: ArmSums) -> bool:
    """Whether so many members could not be read that those who could may be others than all."""
    return arm.missing * MISSED > arm.members + arm.missing


def _summed(measuring: Measuring, metric: Metric, one: ArmSums, other: ArmSums) -> tuple[Sums, Sums, float, bool]:
    """What a metric of two arms is worked out from, the factor from that to the metric, and whether it is known at all.

    Margins are taken as they are where every member's is known; otherwise they are a share of what was spent.
    """
    if metric != "margin" or (one.margin.n == one.members and other.margin.n == other.members and one.members):
        return one.of(metric), other.of(metric), 1.0, True
    if measuring.margin_permille is not None:
        return one.spend, other.spend, measuring.margin_permille / 1000, True
    return one.spend, other.spend, 1.0, False


def _unknown(found: Effect) -> Effect:
    """Nothing can be said of a margin that nobody knows."""
    return Effect(
        "margin", found.treated_members, found.control_members, 0.0, 0.0, 0.0, None, None, found.confidence,
        "cannot tell yet", distrust=MARGIN_UNKNOWN,
    )  # fmt: skip


def _arms(measuring: Measuring, arms: Mapping[str, ArmSums], spent: float) -> list[Arm]:
    control = _of(arms, measuring.control)
    each = sequential.shared(spent, len(measuring.variants))
    found = []
    for name in (*measuring.variants, measuring.control, *sorted(set(arms) - {*measuring.variants, measuring.control})):
        sums = _of(arms, name)
        compared = name in measuring.variants
        found.append(
            Arm(
                name=name,
                members=sums.members,
                reached=sums.reached,
                value=_value(measuring, sums),
                buyers=sums.purchases.nonzero,
                spend=sums.spend.total,
                redeemers=sums.redemptions.nonzero,
                points=sums.points,
                messages=dict(sorted(sums.messages.items())),
                blocked=dict(sorted(sums.blocked.items())),
                effect=_effect(measuring, sums, control, each) if compared else None,
                fates={fate: sums.fates[fate] for fate in FATES if fate in sums.fates},
                missing=sums.missing,
            )
        )
    return found


def _value(measuring: Measuring, arm: ArmSums) -> float:
    sums, _, scale, known = _summed(measuring, measuring.metric, arm, arm)
    if not sums.n or not known:
        return 0.0
    return sums.nonzero / sums.n if measuring.metric in SHARES else scale * sums.total / sums.n


def _winner(measuring: Measuring, arms: Mapping[str, ArmSums], spent: float) -> Winner:
    each = sequential.shared(spent, sequential.pairs(len(measuring.variants)))
    pairs = tuple(
        (one, other, _effect(measuring, _of(arms, one), _of(arms, other), each))
        for one, other in combinations(measuring.variants, 2)
    )
    beaten: dict[str, set[str]] = {variant: set() for variant in measuring.variants}
    for one, other, found in pairs:
        if found.verdict == "effective":
            beaten[one].add(other)
        elif found.verdict == "harmful":
            beaten[other].add(one)
    best = next((one for one, others in beaten.items() if len(others) == len(measuring.variants) - 1), "")
    return Winner(measuring.metric, best, spent, pairs)


def _money(measuring: Measuring, arms: Mapping[str, ArmSums], spent: float) -> Return:
    treated = pooled(_of(arms, variant) for variant in measuring.variants)
    control = _of(arms, measuring.control)
    points_cost = _whole_units(treated.points * measuring.point_cost)
    messages_cost = _whole_units(
        sum(count * measuring.message_costs.get(channel, 0) for channel, count in treated.messages.items())
    )
    cost, sent = points_cost + messages_cost, sum(treated.messages.values())
    one, other, scale, known = _summed(measuring, "margin", treated, control)
    if not known or not one.n or not other.n:
        why: Distrust = TOO_FEW_MEMBERS if known else MARGIN_UNKNOWN
        return Return(treated.points, points_cost, sent, messages_cost, cost, distrust=why)
    found = effect("margin", one, other, spent, scale=scale)
    if _gappy(treated) or _gappy(control):
        found = replace(found, distrust=MISSING)
    ends = (found.difference, found.low, found.high)
    brought, low, high = (None if end is None else end * treated.members for end in ends)
    priced = cost and (points_cost or not treated.points)
    ratio, least, most = (None if end is None or not priced else (end - cost) / cost for end in (brought, low, high))
    return Return(
        points=treated.points,
        points_cost=points_cost,
        messages=sent,
        messages_cost=messages_cost,
        cost=cost,
        brought=brought,
        low=low,
        high=high,
        ratio=ratio,
        ratio_low=least,
        ratio_high=most,
        confidence=found.confidence,
        distrust=found.distrust,
    )


def _whole_units(thousandths: int) -> int:
    """Rounded half up."""
    return (thousandths + 500) // 1000


def _of(arms: Mapping[str, ArmSums], name: str) -> ArmSums:
    return arms.get(name) or ArmSums()
