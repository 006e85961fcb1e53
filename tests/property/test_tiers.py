"""The tier that an account comes to, whatever was done to it and whenever a night looked, is the one that a plain
recomputation from what was bought gives, day by day.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.ledger.account import Draft, State
from loyalty.programs.policy import check
from loyalty.programs.terms import Level, Program, Tiers
from loyalty.tiers import definition
from loyalty.tiers.standing import assign, due, follow, review

BEGINS = date(2026, 1, 1)
DAY = 86_400
PROGRAM = Program.of(check({"program": "grocer", "name": "Grocer", "currency": "EUR"}), 1)
LEVELS = (
    Level("bronze", {"en": "Bronze"}, spend=100),
    Level("silver", {"en": "Silver"}, spend=300, visits=6),
    Level("gold", {"en": "Gold"}, spend=700, points=900, all=True),
    Level("platinum", {"en": "Platinum"}, spend=1500),
)

Facts = tuple[dict[str, int], dict[str, int], int | None, str]
"""Sums of the window, of all there ever was, days since the first purchase, tier."""
CONDITIONS: dict[str, tuple[str, Callable[[Facts], bool]]] = {
    "silver": (
        "visits >= 4 AND spend >= 2 OR member.tier IN ('silver', 'gold') AND spend >= 1",
        lambda has: (
            (has[0]["visits"] >= 4 and has[0]["spend"] >= 200)
            or (has[3] in ("silver", "gold") and has[0]["spend"] >= 100)
        ),
    ),
    "gold": (
        "member.days_since_first_purchase >= 200 OR points > 1500",
        lambda has: (has[2] is not None and has[2] >= 200) or has[0]["points"] > 1500,
    ),
    "platinum": (
        "member.spend >= 6 AND spend BETWEEN 0.5 AND 3 AND member.purchases > 2",
        lambda has: has[1]["spend"] >= 600 and 50 <= has[0]["spend"] <= 300 and has[1]["visits"] > 2,
    ),
}
"""What each says, and what that means."""


def conditional() -> tuple[Level, ...]:
    """Levels with conditions, checked as a policy's are."""
    plain: list[dict[str, Any]] = [
        {"id": "bronze", "name": {"en": "Bronze"}, "spend": 100},
        {"id": "silver", "name": {"en": "Silver"}},
        {"id": "gold", "name": {"en": "Gold"}, "spend": 500, "all": True},
        {"id": "platinum", "name": {"en": "Platinum"}, "spend": 1500},
    ]
    for level in plain:
        if level["id"] in CONDITIONS:
            level |= {"when": CONDITIONS[level["id"]][0], "means": {"en": "much"}}
    document = {"program": "grocer", "name": "Grocer", "currency": "EUR", "tiers": {"levels": plain}}
    tiers = Program.of(definition.check(document), 1).tiers
    assert tiers is not None
    return tiers.levels


CONDITIONAL = conditional()
WINDOWS = ("rolling_months", "calendar_year", "anniversary", "lifetime")
DOWNGRADES = ("one_down", "to_eligible", "never")


def program(tiers: Tiers) -> Program:
    return replace(PROGRAM, tiers=tiers)


def moment(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY + DAY // 2


# ---- what was done


@dataclass(frozen=True)
class Bought:
    """A purchase of a day, known from the day it was reported on."""

    on: date
    spend: int
    points: int


Act = tuple[str, Any]
Story = dict[date, list[Act]]


def told(random: Random, days: int) -> Story:
    """A story: on some days something is bought, reported late, returned, set by hand."""
    story: Story = {}
    bought: list[Bought] = []
    on = BEGINS
    while on < BEGINS + timedelta(days=days):
        acts: list[Act] = []
        for _ in range(random.choice((1, 1, 2))):
            kind = random.random()
            if kind < 0.7 or not bought:
                late = timedelta(days=random.choice((0, 0, 0, 5, 40)))
                one = Bought(max(on - late, BEGINS), random.choice((10, 60, 150, 400, 800)), random.randrange(1000))
                bought.append(one)
                acts.append(("buy", one))
            elif kind < 0.93:
                recent = [one for one in bought if (on - one.on).days < 300]
                if recent:
                    one = random.choice(recent)
                    bought.remove(one)
                    acts.append(("return", one))
            else:
                tier = random.choice((None, "bronze", "gold", "platinum"))
                until = on + timedelta(days=random.choice((0, 20, 200))) if random.random() < 0.7 else None
                acts.append(("assign", (tier, until)))
        story[on] = acts
        on += timedelta(days=random.choice((1, 3, 10, 30, 90, 250)))
    return story


# ---- the plain recomputation


@dataclass
class Plain:
    """A member's tier, from what it has bought and not brought back; every night takes place."""

    tiers: Tiers
    bought: list[Bought] = field(default_factory=list)
    first: date | None = None
    rank: int = -1
    since: date = BEGINS
    manual: bool = False
    until: date | None = None

    def reaches(self, on: date, bought: list[Bought], known_from: date | None = None) -> int:
        """Rank that these purchases give on a day; only those since ``known_from`` count."""
        total = sums(bought)
        if self.tiers.window == "lifetime":
            return self._rank(on, total, total)
        bought = [one for one in bought if known_from is None or one.on >= known_from]
        if self.tiers.window == "calendar_year":
            years = [[one for one in bought if one.on.year == year] for year in (on.year, on.year - 1)]
            return max(self._rank(on, sums(year), total) for year in years)
        months = self.tiers.months if self.tiers.window == "rolling_months" else 12
        return self._rank(on, sums([one for one in bought if 0 <= months_between(one.on, on) <= months]), total)

    def _rank(self, on: date, has: dict[str, int], total: dict[str, int]) -> int:
        found = -1
        age = None if self.first is None else max((on - self.first).days, 0)
        tier = self.tiers.levels[self.rank].id if self.rank >= 0 else ""
        for rank, level in enumerate(self.tiers.levels):
            met = [has[name] >= getattr(level, name) for name in has if getattr(level, name) is not None]
            if level.when:
                met.append(CONDITIONS[level.id][1]((has, total, age, tier)))
            if (all if level.all else any)(met):
                found = rank
        return found

    def is_review(self, on: date) -> bool:
        if self.tiers.window == "lifetime" or on <= self.since or on.day != 1:
            return False
        if self.tiers.window == "calendar_year":
            return on.month == 1
        months = months_between(self.since, on)
        return self.tiers.window == "rolling_months" or (months > 12 and months % 12 == 1)

    def night(self, on: date) -> None:
        if self.manual:
            if self.until is not None and on > self.until:
                reaches = self.reaches(on, self.bought)
                if reaches >= self.rank or (on - self.until).days > self.tiers.grace_days:
                    self.rank, self.since, self.manual, self.until = reaches, on, False, None
            return
        if (risen := self.reaches(on, self.bought)) > self.rank:
            self.rank, self.since = risen, on
            return
        reviewed = on - timedelta(days=self.tiers.grace_days)
        if self.rank < 0 or self.tiers.downgrade == "never" or not self.is_review(reviewed):
            return
        reaches = self.reaches(on, self.bought)
        if max(reaches, self.reaches(reviewed, self.bought)) < self.rank:
            one_down = self.tiers.downgrade == "one_down"
            self.rank, self.since = (max(reaches, self.rank - 1) if one_down else reaches), on

    def act(self, on: date, kind: str, what: Any) -> None:
        if kind == "assign":
            tier, until = what
            ids = [level.id for level in self.tiers.levels]
            self.rank = self.reaches(on, self.bought) if tier is None else ids.index(tier)
            self.since, self.manual, self.until = on, tier is not None, until if tier is not None else None
            return
        before = list(self.bought)
        if kind == "buy":
            self.first = min(self.first or what.on, what.on)
            self.bought.append(what)
        else:
            self.bought.remove(what)
        was, reaches = self.reaches(on, before), self.reaches(on, self.bought)
        if reaches > self.rank and (not self.manual or reaches > was):
            self.rank, self.since, self.manual, self.until = reaches, on, False, None
        elif kind == "return" and not self.manual and reaches < self.rank:
            self._lost(on, before, reaches)

    def _lost(self, on: date, before: list[Bought], reaches: int) -> None:
        """What came back may be what the tier was reached by, or what the last review found."""
        known = (on.replace(day=1) - timedelta(days=23 * 31)).replace(day=1)
        while months_between(known, on) > 23:
            known += timedelta(days=32)
            known = known.replace(day=1)
        left = self.reaches(self.since, self.bought, known)
        if self.reaches(self.since, before, known) >= self.rank > left:
            self.rank, self.since = max(reaches, left), on
            return
        reviewed = on
        while reviewed > self.since and not self.is_review(reviewed):
            reviewed -= timedelta(days=1)
        passed = reviewed > self.since and reviewed + timedelta(days=self.tiers.grace_days) <= on
        if self.tiers.downgrade == "never" or not passed:
            return
        if self.reaches(reviewed, before, known) >= self.rank > self.reaches(reviewed, self.bought, known):
            one_down = self.tiers.downgrade == "one_down"
            self.rank, self.since = (max(reaches, self.rank - 1) if one_down else reaches), on


def sums(bought: list[Bought]) -> dict[str, int]:
    return {
        "spend": sum(one.spend for one in bought),
        "points": sum(one.points for one in bought),
        "visits": len(bought),
    }


def months_between(early: date, late: date) -> int:
    return 12 * (late.year - early.year) + late.month - early.month


def plainly(tiers: Tiers, story: Story, until: date) -> list[tuple[str, date | None, bool]]:
    """(tier, since, by hand) at the end of each day."""
    plain, found = Plain(tiers), []
    on = BEGINS
    while on <= until:
        plain.night(on)
        for kind, what in story.get(on, ()):
            plain.act(on, kind, what)
        tier = tiers.levels[plain.rank].id if plain.rank >= 0 else ""
        found.append((tier, plain.since if tier else None, plain.manual and bool(tier)))
        on += timedelta(days=1)
    return found


# ---- the account


def opened() -> State:
    draft = Draft(State(), moment(BEGINS) - DAY // 2)
    draft.move("opened", "s", "open")
    return after(draft)


def after(draft: Draft) -> State:
    state = draft.state
    state.number = draft.number
    state.recent = (("x" * 8, state.at),)
    assert State.decode(state.number, state.encode()) == state
    return state


def entered(policy: Program, state: State, on: date, act: Act) -> State:
    kind, what = act
    draft = Draft(state, moment(on))
    if kind == "assign":
        tier, until = what
        assign(draft, policy, tier, until.toordinal() if until else 0, "asked")
    else:
        sign = 1 if kind == "buy" else -1
        draft.move("earned", "y", what.on.toordinal(), sign * what.spend, sign * what.points, sign)
    follow(policy, state, draft)
    return after(draft)


def looked_at(policy: Program, state: State, on: date) -> State:
    """A night: what it writes is one entry, or none."""
    draft = Draft(state, moment(on) - DAY // 2)
    review(draft, policy, on.toordinal())
    if not draft.moves:
        return state
    follow(policy, state, draft)
    return after(draft)


def standing(state: State) -> tuple[str, date | None, bool]:
    return state.tier, date.fromordinal(state.tier_since) if state.tier else None, state.tier_manual


def schemes() -> list[Tiers]:
    return [
        Tiers(levels, window, months, downgrade, grace, warn)
        for levels, graces in ((LEVELS, ((0, 0), (45, 30), (180, 14))), (CONDITIONAL, ((45, 30),)))
        for window in WINDOWS
        for months in ((3, 12, 18) if window == "rolling_months" else (0,))
        for downgrade in DOWNGRADES
        for grace, warn in graces
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whenever_nights_are_the_tier_is_what_a_recomputation_gives(seed: int) -> None:
    random = Random(seed)
    for tiers in schemes():
        policy = program(tiers)
        story = told(random, 900)
        until = BEGINS + timedelta(days=1400)
        expected = plainly(tiers, story, until)
        state = opened()
        nightly = random.choice((1.0, 0.3, 0.02, 0.0))
        on = BEGINS
        while on <= until:
            acts = story.get(on, [])
            early = random.random() < 0.5
            if early and random.random() < nightly:
                state = looked_at(policy, state, on)
            for act in acts:
                state = entered(policy, state, on, act)
                if random.random() < nightly:
                    state = looked_at(policy, state, on)
            if acts or random.random() < nightly or on == until:
                state = looked_at(policy, state, on)
                assert standing(state) == expected[(on - BEGINS).days], (tiers, on)
            on += timedelta(days=1)


@pytest.mark.parametrize("seed", range(3))
def test_nights_on_the_days_that_are_due_are_enough(seed: int) -> None:
    random = Random(1000 + seed)
    changes = 0
    for tiers in schemes():
        policy = program(tiers)
        story = told(random, 700)
        until = BEGINS + timedelta(days=1400)
        expected = plainly(tiers, story, until)
        state = opened()
        on = BEGINS
        while on <= until:
            day = due(state, policy)
            if day is not None and day <= on.toordinal():
                state = looked_at(policy, state, on)
                later = due(state, policy)
                assert later is None or later > on.toordinal(), tiers
            for act in story.get(on, ()):
                before = state
                state = entered(policy, state, on, act)
                changes += state.tier != before.tier
            assert standing(state) == expected[(on - BEGINS).days], (tiers, on)
            on += timedelta(days=1)
    assert changes > 100


def test_an_account_that_nothing_is_due_for_is_left_alone() -> None:
    policy = program(Tiers(LEVELS, "rolling_months", 12, "one_down", 0, 30))
    state = entered(policy, opened(), BEGINS, ("buy", Bought(BEGINS, 400, 0)))
    assert state.tier == "silver"
    draft = Draft(state, moment(BEGINS + timedelta(days=200)))
    review(draft, policy, 0)
    assert draft.moves == []
    assert draft.detail == {}


def test_a_tier_that_is_bought_and_brought_back_is_gone_at_once() -> None:
    for tiers in schemes():
        policy = program(tiers)
        one = Bought(BEGINS, 2000, 2000)
        bought = entered(policy, opened(), BEGINS, ("buy", one))
        assert bought.tier == "platinum"
        returned = entered(policy, bought, BEGINS + timedelta(days=3), ("return", one))
        assert returned.tier == "", tiers
