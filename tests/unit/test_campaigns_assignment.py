"""Who takes part in which group: a member always in the same, and no campaign's draw says anything of another's."""

import pytest

from loyalty.campaigns.assignment import NOT, Arm, arm, refused, share
from loyalty.campaigns.campaign import WHOLE, Audience, Calendar, Variant
from loyalty.campaigns.met import values
from loyalty.rules import language
from tests.unit.campaigned import DAY, campaign, step, subject

PLAIN = campaign(step("hello", 0))
MEMBERS = [f"mem_{number:026d}" for number in range(20_000)]
AB = campaign(step("hello", 0), variants=(Variant("a", 2_500), Variant("b", 7_500)))


def shares(groups: list[Arm]) -> dict[str, float]:
    return {name: sum(one.name == name for one in groups) / len(groups) for name in {one.name for one in groups}}


def test_a_member_is_always_in_the_same_group() -> None:
    assert [arm(AB, one, 5) for one in MEMBERS[:500]] == [arm(AB, one, 5) for one in MEMBERS[:500]]


def test_groups_have_the_shares_that_were_asked_for() -> None:
    # 20,000 draws: four standard deviations are less than 0.015.
    found = shares([arm(AB, one, 5) for one in MEMBERS])
    assert found["holdout"] == pytest.approx(0.05, abs=0.01)
    assert found["control"] == pytest.approx(0.95 * 0.10, abs=0.01)
    assert found["a"] == pytest.approx(0.95 * 0.90 * 0.25, abs=0.015)
    assert found["b"] == pytest.approx(0.95 * 0.90 * 0.75, abs=0.015)


def test_the_same_members_are_in_the_holdout_of_every_campaign_and_others_in_its_control() -> None:
    second = campaign(step("hello", 0), id="second")
    first = [arm(PLAIN, one, 10).group for one in MEMBERS]
    other = [arm(second, one, 10).group for one in MEMBERS]
    assert [one == "holdout" for one in first] == [one == "holdout" for one in other]
    both = sum(one == other_one == "control" for one, other_one in zip(first, other, strict=True))
    # Kept out of both: a tenth of a tenth of nine tenths.
    assert both / len(MEMBERS) == pytest.approx(0.009, abs=0.004)


def test_which_variant_a_member_gets_says_nothing_of_who_is_kept_out() -> None:
    treated = [one for one in MEMBERS if arm(AB, one).group == "treated"]
    low = [one for one in treated if share("grocer", "control", "hello", one) < WHOLE // 2]
    assert shares([arm(AB, one) for one in low])["a"] == pytest.approx(0.25, abs=0.02)


def test_a_share_ends_where_the_next_begins() -> None:
    name = MEMBERS[0]
    control = share("grocer", "control", "hello", name)
    assert arm(campaign(step("hello", 0), control=control), name).group == "treated"
    assert arm(campaign(step("hello", 0), control=control + 1), name).group == "control"
    variant = share("grocer", "variant", "hello", name)
    for first, named in ((variant, "b"), (variant + 1, "a")):
        variants = (Variant("a", first), Variant("b", WHOLE - first))
        assert arm(campaign(step("hello", 0), control=0, variants=variants), name).variant == named
    held = next(one for one in MEMBERS if share("grocer", "holdout", one) == 700)
    assert arm(PLAIN, held, 7).group != "holdout"
    assert arm(PLAIN, held, 8).group == "holdout"


def test_salt_draws_anew() -> None:
    salted = campaign(step("hello", 0), salt="second-try")
    same = sum(arm(PLAIN, one) == arm(salted, one) for one in MEMBERS) / len(MEMBERS)
    assert same == pytest.approx(0.82, abs=0.02)


def test_what_is_owed_to_everybody_is_told_to_everybody() -> None:
    service = campaign(step("hello", 0), service=True, control=0)
    assert {arm(service, one, 50).group for one in MEMBERS[:1_000]} == {"treated"}


def test_without_control_nobody_is_kept_out() -> None:
    assert {arm(campaign(step("hello", 0), control=0), one).group for one in MEMBERS[:1_000]} == {"treated"}


def test_a_draw_is_the_same_in_every_release() -> None:
    # What sha256sum gives, too; another result would move members from group to group.
    assert [share("grocer", "control", "hello", f"mem_{name}") for name in "abc"] == [9174, 2950, 2268]


def condition(text: str) -> Audience:
    return Audience("member.enrolled", "", language.parse(text, PLAIN.layout, "order", 2, None).node, text)


@pytest.mark.parametrize(
    ("audience", "standing", "told", "why"),
    [
        (Audience("member.enrolled"), (), {}, ""),
        (Audience("", "dormant"), ("dormant",), {}, ""),
        (Audience("", "dormant"), ("new",), {}, "segment"),
        (Audience("churn.risk_detected", "vip"), ("vip",), {}, ""),
        (Audience("churn.risk_detected", "vip"), (), {}, "segment"),
        (Audience("segment.entered", "vip"), (), {"segment": "vip"}, ""),
        (Audience("segment.entered", "vip"), ("vip",), {"segment": "new"}, "segment"),
        (condition("member.points >= 100"), (), {}, ""),
        (condition("member.points > 100"), (), {}, "condition"),
        (condition("member.city = 'Bonn'"), (), {}, "condition"),
    ],
)
def test_who_comes_in(audience: Audience, standing: tuple[str, ...], told: dict[str, str], why: str) -> None:
    one = campaign(step("hello", 0), audience=audience)
    assert refused(one, subject(points=100), standing, DAY, told) == why


def test_conditions_of_an_audience_may_go_by_what_the_event_told() -> None:
    text = "entry.points >= 100 AND entry.date > '2026-03-01'"
    tree = language.parse(text, PLAIN.layout, "order", 2, None).node
    one = campaign(step("hello", 0), audience=Audience("points.expiring", "", tree, text))
    assert refused(one, subject(), (), DAY, {"points": 100, "date": DAY}) == ""
    assert refused(one, subject(), (), DAY, {"points": 99, "date": DAY}) == "condition"
    assert refused(one, subject(), (), DAY, {}) == "condition"


@pytest.mark.parametrize(("day", "why"), [(DAY - 1, "calendar"), (DAY, ""), (DAY + 5, ""), (DAY + 6, "calendar")])
def test_nobody_comes_in_outside_the_calendar(day: int, why: str) -> None:
    one = campaign(step("hello", 0), calendar=Calendar(DAY, DAY + 5))
    assert refused(one, subject(), (), day) == why


@pytest.mark.parametrize(("earlier", "why"), [((), ""), ((DAY - 30,), ""), ((DAY - 29,), "again"), ((DAY,), "")])
def test_a_member_comes_in_again_after_so_many_days(earlier: tuple[int, ...], why: str) -> None:
    one = campaign(step("hello", 0), repeat="after_days", repeat_days=30)
    assert refused(one, subject(), (), DAY, {}, earlier) == why


def test_a_closed_account_does_not_come_in() -> None:
    assert refused(PLAIN, subject(status="closed"), (), DAY) == "closed"


def test_every_reason_has_words() -> None:
    assert set(NOT) == {"closed", "calendar", "unknown_day", "segment", "condition", "again"}


def test_facts_stand_where_the_layout_says() -> None:
    one = campaign(step("hello", 0), attributes={"pets": "number"}, categories=("wine",))
    found = values(one, subject(points=7, attributes={"pets": 2}), DAY, None, {"tier": "gold"})
    named = {name: found[place.index] for name, place in one.layout.places.items()}
    assert len(found) == len(one.layout.places)
    assert (named["member.points"], named["member.pets"], named["category.wine"]) == (7, 2_000, 0)
    assert (named["journey.day"], named["journey.purchased"], named["journey.variant"]) == (0, False, None)
    assert (named["entry.tier"], named["entry.was"]) == ("gold", None)
