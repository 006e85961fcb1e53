"""Segments as they are written and asked: conditions over a member on a day, and the next day that changes them."""

import random
from pathlib import Path
from typing import Any

import pytest

from loyalty.errors import Corrupt
from loyalty.ledger.account import Figures, State, month_of
from loyalty.members.member import Member
from loyalty.rules.document import Written
from loyalty.segments import segment as stored
from loyalty.segments.audience import LOOK_AGAIN, Audience
from loyalty.segments.definition import check, run
from loyalty.segments.events import events_of
from loyalty.segments.facts import FACTS, Subject, month_starts, values
from loyalty.segments.profile import KEPT_CATEGORIES, KEPT_ORDERS, Moves, Profile, decode, encode
from loyalty.segments.segment import Segments
from loyalty.segments.spread import PLACES, WHOLE, moved, place_of, rank

ROOT = Path(__file__).parents[2]
HOME = Written("grocer", "EUR", "Europe/Berlin")
TODAY = 739_941
"""21 November 2026."""
MEMBER = Member(
    "mem_x",
    "member",
    (),
    {"city": "Bonn", "birthday": "1990-05-17", "pets": 2, "vegan": True},
    "de",
    0,
    0,
    segments=("vip",),
)


def written(*conditions: str, more: str = "") -> str:
    """A file whose segments are called a, b, …"""
    rows = [
        f'  {chr(97 + place)}: {{name: {{en: A, zh: 甲}}, when: "{condition}"}}'
        for place, condition in enumerate(conditions)
    ]
    return "\n".join(["program: grocer", more, "segments:", *rows])


def audience(*conditions: str, more: str = "") -> Audience:
    checked = check(written(*conditions, more=more), "segments", HOME)
    assert checked.segments is not None, checked.issues
    return Audience(checked.segments)


def subject(**further: Any) -> Subject:
    state = further.pop("state", None) or State(
        purchases=9,
        first=TODAY - 400,
        last=TODAY - 10,
        lots={(0, 0): 500},
        months={month_of(TODAY): Figures(10_000, 80, 2), month_of(TODAY) - 8: Figures(30_000, 200, 6)},
        total=Figures(90_000, 700, 9),
    )
    return Subject(state, further.pop("member", MEMBER), enrolled=TODAY - 500, **further)


def test_the_segments_that_are_given_to_start_from_pass_their_own_cases() -> None:
    checked = check((ROOT / "examples" / "segments.yaml").read_text(encoding="utf-8"), "segments", HOME)
    assert checked.issues == ()
    assert checked.segments is not None
    results = run(checked.segments, checked.cases)
    assert len(results) >= 8
    assert [one.case.name for one in results if not one.passed] == []
    assert {one.id for one in checked.segments.segments} == set().union(*(one.case.expected for one in results))


def test_a_case_that_comes_out_otherwise_is_told() -> None:
    text = written("member.points >= 5") + "\nexpect:\n  - {case: few, member: {points: 4}, in: [a]}"
    checked = check(text, "segments", HOME)
    assert checked.segments is not None
    (result,) = run(checked.segments, checked.cases)
    assert (result.passed, result.got, result.case.expected) == (False, frozenset(), frozenset("a"))


@pytest.mark.parametrize(
    ("condition", "there"),
    [
        ("member.city = 'Bonn' AND member.language = 'de'", True),
        ("member.birth_month = 5", True),
        ("'vip' IN member.segments", True),
        ("member.age_days = 500", True),
        ("member.days_since_purchase = 10 AND member.days_since_first_purchase = 400", True),
        ("member.purchases = 9 AND member.purchases_6_months = 2 AND member.purchases_12_months = 8", True),
        ("member.spend = 900 AND member.spend_6_months = 100 AND member.spend_12_months = 400", True),
        ("member.spend_6_months_before = 300", True),
        ("member.earned_12_months = 280 AND member.points = 500", True),
        ("member.points_rank < 10", False),
        ("member.points_rank IS NULL", True),
        ("member.alive IS NULL", True),
        ("member.favourite = 'tea' AND category.tea >= 0.6 AND category.wine = 0", True),
        ("member.pets * 2 = 4 AND member.vegan", True),
        ("member.shoe = 44", False),
    ],
)
def test_a_condition_is_true_of_whom_it_speaks_of(condition: str, there: bool) -> None:
    declared = "attributes: {pets: number, vegan: truth, shoe: number}\ncategories: [tea, wine]"
    asked = audience(condition, more=declared)
    assert asked.standing(subject(shares={"tea": 600, "rice": 300}), TODAY) == (
        frozenset("a") if there else frozenset()
    )


def test_who_has_never_bought_and_whose_document_is_gone_is_in_no_segment_that_asks_for_it() -> None:
    asked = audience(
        "member.days_since_purchase >= 0", "member.age_days >= 0", "member.city <> 'x'", "member.spend = 0"
    )
    assert asked.standing(Subject(State(), None), TODAY) == {"d"}


def test_the_tier_of_the_account_comes_before_the_documents() -> None:
    asked = audience("member.tier = 'gold'")
    assert asked.standing(subject(state=State(tier="gold")), TODAY) == {"a"}


def test_the_chance_to_be_alive_is_worked_out_only_where_somebody_asks() -> None:
    def never(day: int) -> float | None:
        raise AssertionError(day)

    assert audience("member.points > 5").standing(subject(alive=never), TODAY) == {"a"}
    asked = audience("member.alive < 0.5")
    falling = subject(alive=lambda day: 1 - (day - TODAY) / 10)
    assert asked.standing(falling, TODAY) == frozenset()
    assert asked.next_look(falling, TODAY) == TODAY + 6


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        (written("member.shoes > 1"), "RULE_FIELD_UNKNOWN", "member.shoes"),
        (written("member.pionts > 1"), "RULE_FIELD_UNKNOWN", "member.pionts"),
        (written("amount > 1"), "RULE_FIELD_UNKNOWN", "amount"),
        (written("member.points + 1"), "RULE_TYPE", "true or false"),
        (written("member.age_days < 30 AND member.age_days > 40"), "RULE_NEVER_TRUE", "nobody"),
        (written("member.points < 0"), "RULE_NEVER_TRUE", "nobody"),
        (written("member.points >"), "RULE_SYNTAX", ""),
        ("program: grocer", "RULE_KEY_MISSING", "segments"),
        ("program: other\nsegments: {}", "RULE_PROGRAM_OTHER", "grocer"),
        ("program: grocer\nsegments: {a: {when: member.points > 1}}", "RULE_KEY_MISSING", "name"),
        (written("member.points > 1", more="attributes: {points: number}"), "RULE_NAME_TAKEN", "member.points"),
        (written("member.points > 1") + "\nexpect: [{case: x, member: {}, in: [zz]}]", "RULE_VALUE_UNKNOWN", "zz"),
        (
            written("member.points > 1") + "\nexpect: [{case: x, member: {pints: 1}, in: []}]",
            "RULE_FIELD_UNKNOWN",
            "pints",
        ),
        ("- a", "RULE_VALUE_INVALID", ""),
        ("a: [", "RULE_YAML_INVALID", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, code: str, part: str) -> None:
    checked = check(text, "segments", HOME)
    assert checked.segments is None
    assert checked.cases == ()
    assert any(one.code == code and part in one.message and one.line > 0 for one in checked.issues), checked.issues


def test_stored_segments_are_read_back_with_every_field_in_its_place() -> None:
    checked = check(written("member.points > 1 AND member.pets = 2", more="attributes: {pets: number}"), "s", HOME)
    assert checked.segments is not None
    text = stored.encode(checked.segments)
    assert stored.decode(text) == checked.segments
    moved_on = text.replace('"index":', '"index":9')
    assert stored.decode(moved_on) == checked.segments
    for broken in ("", "{}", "[]", text.replace("member.points", "member.gone")):
        with pytest.raises(Corrupt):
            stored.decode(broken)


CONDITIONS = [
    "member.days_since_purchase >= 30",
    "member.days_since_purchase < 7 OR member.age_days > 365",
    "member.days_since_purchase BETWEEN 20 AND 25",
    "member.age_days IN (510, 520)",
    "NOT member.days_since_first_purchase <= 401",
    "member.spend_6_months > 0",
    "member.spend_6_months_before > member.spend_6_months",
    "member.purchases_12_months >= 6 AND member.days_since_purchase <= 90",
    "member.days_since_purchase > 12.5",
]


def test_the_next_day_that_changes_anything_is_the_first_one_that_does() -> None:
    luck = random.Random(7)
    for _ in range(60):
        asked = audience(*luck.sample(CONDITIONS, 3))
        state = State(
            first=TODAY - luck.randrange(300, 500),
            last=TODAY - luck.randrange(40),
            purchases=3,
            months={
                month_of(TODAY) - luck.randrange(14): Figures(luck.randrange(1, 90), 1, luck.randrange(9))
                for _ in "abc"
            },
        )
        one = subject(state=state)
        now = asked.standing(one, TODAY)
        days = (TODAY + ahead for ahead in range(1, 1_000))
        assert asked.next_look(one, TODAY) == next((day for day in days if asked.standing(one, day) != now), None)


def test_what_cannot_be_told_beforehand_is_looked_at_again_within_a_month() -> None:
    asked = audience("member.days_since_purchase * 2 > member.age_days - 300", "member.points_rank < 10")
    one = subject(rank=50_000)
    assert asked.next_look(one, TODAY) == TODAY + LOOK_AGAIN
    doubled = audience("member.days_since_purchase * 2 > 26")
    assert doubled.next_look(one, TODAY) == TODAY + 4


def test_where_time_changes_nothing_nobody_is_looked_at_again() -> None:
    asked = audience("member.city = 'Bonn'", "member.points > 3", "member.days_since_purchase IS NULL")
    assert asked.next_look(subject(), TODAY) is None
    assert audience("member.days_since_purchase >= 5").next_look(subject(), TODAY) is None


def test_facts_stand_where_the_layout_says() -> None:
    at = Segments("grocer", "EUR", (), {"pets": "number"}, ("tea",)).layout
    found = values(at, subject(shares={"tea": 250}), TODAY)
    assert len(found) == at.order == len(FACTS) + 2
    assert (found[at.places["member.pets"].index], found[at.places["category.tea"].index]) == (2_000, 250)


def test_months_begin_on_their_first_day() -> None:
    assert [day - TODAY for day in month_starts(TODAY, 3)] == [10, 41, 72]


# Tastes


def test_an_order_is_counted_once_and_the_smallest_categories_are_added_up() -> None:
    profile = Profile()
    for number in range(KEPT_CATEGORIES + 3):
        profile = profile.bought(f"o{number}", [(f"c{number}", 100 + number)], ["c0"])
        assert profile.bought(f"o{number}", [(f"c{number}", 100 + number)], ["c0"]) == profile
    assert len(profile.spent) == KEPT_CATEGORIES + 2, "those, the named one, and the sum of the others"
    assert profile.spent["c0"] == 100
    assert sum(profile.spent.values()) == sum(100 + number for number in range(KEPT_CATEGORIES + 3))
    assert "" not in profile.shares
    assert decode(encode(profile), 0) == profile


def test_no_more_orders_are_remembered_than_are_kept() -> None:
    profile = Profile()
    for number in range(KEPT_ORDERS + 5):
        profile = profile.bought(f"o{number}", [("tea", 0)], [])
    assert len(profile.orders) == KEPT_ORDERS
    assert profile.shares == {}


# Moves and their events


def test_what_was_entered_and_left_is_told_each_once_under_an_id_of_its_own() -> None:
    before = Profile(3).stands(["old", "same"], 100)
    after = before.stands(["new", "same"], 200)
    assert after.standing == {"new": 200, "same": 100}
    moves = Moves.between(before, after, 200)
    assert moves == Moves(("new",), ("old",), 200)
    assert Moves.between(after, after, 300) is None
    assert moves is not None
    told = events_of("grocer", "mem_x", 4, moves)
    assert [(kind, one.segment, one.occurred_at) for kind, one in told] == [
        ("segment.left", "old", "1970-01-01T00:03:20Z"),
        ("segment.entered", "new", "1970-01-01T00:03:20Z"),
    ]
    assert len({one.id for _, one in told + events_of("grocer", "mem_x", 5, moves)}) == 4


# Who has more points


def test_places_are_within_five_percent_and_exact_below_twenty() -> None:
    assert list(PLACES[:21]) == list(range(21))
    for points in [0, 1, 19, 20, 21, 999, 12_345, 10**12]:
        at = place_of(points)
        assert PLACES[at] <= points
        assert points <= 20 or points <= PLACES[at] * 21 // 20
    assert place_of(-5) == 0


def test_a_rank_is_the_share_of_those_who_have_more() -> None:
    luck = random.Random(11)
    points = [luck.randrange(20_000) for _ in range(2_000)]
    counts: dict[int, int] = {}
    for one in points:
        counts = moved(counts, -1, place_of(one))
    for one in points[:200]:
        found = rank(counts, place_of(one))
        assert found is not None
        exact = WHOLE * sum(other > one for other in points) / len(points)
        assert abs(found - exact) <= WHOLE * counts[place_of(one)] / len(points) / 2 + 1
    assert rank({}, 3) is None
    assert moved({5: 1}, 5, -1) == {}
