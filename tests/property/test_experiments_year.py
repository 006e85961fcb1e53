"""A year of campaigns on real purchases: those that do nothing are called effective no more often than is stated,
however often one looks; what a campaign does lies in its interval as often as is stated.
"""

from collections import Counter
from functools import cache
from typing import Final

import numpy as np
import pytest
from scipy.stats import binomtest

from loyalty.experiments.effect import effect, welch
from loyalty.experiments.findings import Effect, Measuring
from loyalty.experiments.report import look, report
from loyalty.experiments.sums import METRICS
from tests.property.simulated_campaigns import NOTHING, YEAR, Campaign, Crowd, Planted, Seen, arm, grocer, music, sums
from tests.tally import say, tried

pytestmark = pytest.mark.xdist_group("a year of campaigns")  # so that the year is lived through once

IDLE: Final = 1_200
"""Campaigns without any effect."""
PLANTED: Final = 600
STEADY: Final = 10
"""One in so many lets members in all year long, and is looked at weekly instead of daily."""
STATED: Final = 0.05
SURE: Final = 0.99
"""What is counted is held against what is stated by the exact binomial interval at this confidence. The seeds are
fixed, so the counts are the same in every run.
"""


@cache
def run(count: int, planted: Planted, seed: int) -> Counter[str]:
    """How many of so many campaigns were called what, and covered the truth."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(campaigns=count)
    for place in range(count):
        campaign = Campaign(music() if place % 2 else grocer(), rng, planted, steady=place % STEADY == 1)
        _follow(campaign, counts)
    tried("simulated campaigns", count)
    return counts


def _follow(campaign: Campaign, counts: Counter[str]) -> None:
    measuring, said, always, naive = campaign.measuring, set[str](), True, False
    for number, (day, seen) in enumerate(campaign.seen(), 1):
        if number < len(campaign.days):
            found = look(measuring, seen.arms, number, day).effect
        else:
            found = report(measuring, seen.arms).effect
            counts["trusted"] += not found.distrust
            counts["covered"] += not found.distrust and _covers(found, seen)
        said.add(found.verdict)
        always = always and (bool(found.distrust) or _covers(found, seen))
        naive = naive or _peeked(campaign, seen)
        counts["looks"] += 1
    for verdict in said:
        counts[verdict] += 1
    counts["called anything"] += not said.isdisjoint({"effective", "harmful"})
    counts["covered at every look"] += always
    counts["called by peeking"] += naive


def _covers(found: Effect, seen: Seen) -> bool:
    return found.low is not None and found.high is not None and found.low <= seen.truth <= found.high


def _peeked(campaign: Campaign, seen: Seen) -> bool:
    """What seems effective when every look is taken for the only one, and every interval is trusted."""
    one, other = (seen.arms[arm].of(campaign.metric) for arm in ("treated", "control"))
    found = effect(campaign.metric, one, other, STATED)
    return found.low is not None and found.low > 0


def at_most(count: int, of: int) -> float:
    """With ``SURE``, no larger share than this is behind what was counted."""
    return float(binomtest(count, of).proportion_ci(2 * SURE - 1, method="exact").high)


def test_of_campaigns_without_effect_no_more_are_called_effective_than_is_stated() -> None:
    counts = run(IDLE, NOTHING, 1)
    say(
        f"campaigns without effect: {counts['effective']} of {IDLE:,} called effective and {counts['harmful']} harmful "
        f"({STATED:.0%} of either stated) over {counts['looks']:,} looks; were every look the only one, "
        f"{counts['called by peeking']}"
    )
    assert counts["looks"] > 20 * IDLE
    assert at_most(counts["effective"], IDLE) <= STATED
    assert at_most(counts["harmful"], IDLE) <= STATED
    assert counts["called anything"] <= STATED * IDLE


def test_looking_without_accounting_for_it_would_have_been_found_out() -> None:
    counts = run(IDLE, NOTHING, 1)
    assert binomtest(counts["called by peeking"], IDLE).proportion_ci(SURE, method="exact").low > STATED


def test_the_interval_covers_what_was_planted_as_often_as_it_says() -> None:
    counts = run(PLANTED, Planted(more=0.06), 2)
    say(
        f"campaigns that sell to 6 in 100 more: {counts['covered']} of {counts['trusted']} intervals at the end cover "
        f"it (96% stated), {counts['covered at every look']} of {PLANTED} at every look (95% stated); "
        f"{counts['effective']} called effective, {counts['harmful']} harmful"
    )
    assert counts["trusted"] > PLANTED / 2
    missed, of = counts["trusted"] - counts["covered"], counts["trusted"]
    assert binomtest(missed, of, 0.04, alternative="greater").pvalue > 1 - SURE
    never_off = PLANTED - counts["covered at every look"]
    assert binomtest(never_off, PLANTED, STATED, alternative="greater").pvalue > 1 - SURE
    assert counts["effective"] > PLANTED / 5, "what is there is found"
    assert counts["harmful"] <= 2


def test_a_campaign_that_does_without_effect_is_covered_as_often_as_stated_too() -> None:
    counts = run(IDLE, NOTHING, 1)
    missed, of = counts["trusted"] - counts["covered"], counts["trusted"]
    assert of > IDLE / 2
    assert binomtest(missed, of, 0.04, alternative="greater").pvalue > 1 - SURE


def test_of_variants_that_are_alike_none_wins_more_often_than_is_stated() -> None:
    count, wins, claimed = 1_000, 0, 0
    rng = np.random.default_rng(4)
    tried("simulated campaigns", count)
    for place in range(count):
        crowd, metric = (music(), grocer())[place % 2], METRICS[place // 2 % 2]
        groups = rng.integers(4, size=int(rng.integers(1_000, 12_000)))  # three variants, and as many kept out
        drawn = rng.integers(crowd.customers, size=len(groups))
        begin = int(rng.integers(crowd.days - 30))
        spent = crowd.spent[drawn, begin + 30] - crowd.spent[drawn, begin]
        bought = crowd.bought[drawn, begin + 30] - crowd.bought[drawn, begin]
        names = ("a", "b", "c", "control")
        arms = {name: arm(spent[groups == of], bought[groups == of]) for of, name in enumerate(names)}
        made = report(Measuring(metric, "EUR", 30, variants=names[:3]), arms)
        wins += made.winner is not None and made.winner.variant != ""
        claimed += any(one.effect is not None and one.effect.verdict == "effective" for one in made.arms)
    say(
        f"three variants alike, {count:,} campaigns: a winner in {wins}, some variant called effective in {claimed} "
        f"({STATED:.0%} of either stated)"
    )
    assert at_most(wins, count) <= STATED
    assert at_most(claimed, count) <= STATED


def wrongly(crowd: Crowd, members: int, share: float, count: int) -> tuple[int, int, int]:
    """Of so many campaigns without effect that are looked at once: called effective; called so by Welch's interval
    alone; trusted.
    """
    rng = np.random.default_rng(members)
    kept_out = round(members * share)
    called = welchs = trusted = 0
    tried("simulated campaigns", count)
    for _ in range(count):
        begin = int(rng.integers(min(crowd.days - 30, YEAR)))
        drawn = rng.integers(crowd.customers, size=members)
        spent = crowd.spent[drawn, begin + 30] - crowd.spent[drawn, begin]
        treated, control = sums(spent[kept_out:]), sums(spent[:kept_out])
        found, alone = effect("spend", treated, control, STATED), welch(treated, control, STATED)
        called += found.verdict == "effective"
        trusted += not found.distrust
        welchs += alone.low > 0
    return called, welchs, trusted


def test_one_member_in_ten_kept_out_of_skewed_spend_is_more_than_welchs_interval_bears() -> None:
    stated, count = STATED / 2, 2_000  # one side of it
    told = []
    for crowd, members in ((music(), 1_000), (music(), 6_000), (grocer(), 1_000), (grocer(), 6_000)):
        called, welchs, trusted = wrongly(crowd, members, 0.1, count)
        shop = "music shop" if crowd is music() else "grocer"
        told.append(
            f"{shop}, {members:,}: {called / count:.1%} (Welch alone {welchs / count:.1%}; {trusted:,} trusted)"
        )
        assert binomtest(called, count, stated, alternative="greater").pvalue > 1 - SURE, told[-1]
    say("one look, one in ten kept out, called effective without effect, 2.5% stated: " + "; ".join(told))
    assert binomtest(wrongly(music(), 1_000, 0.1, 500)[1], 500, stated, alternative="greater").pvalue < 1e-6


def test_harm_is_seen_during_the_run() -> None:
    counts = run(100, Planted(less=0.5), 3)
    assert counts["harmful"] > 20
    assert counts["effective"] == 0
