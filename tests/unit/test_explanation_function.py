"""Explanations through the functions as they run: what was posted, under a rule set or without one, says why."""

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.errors import Corrupt
from loyalty.explanations.explain import Source, explain
from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Draft, Hold, State
from loyalty.ledger.chain import Cause, Chain, seal
from loyalty.rules.evaluation import Evaluation, Facts, Failure, Loaded
from loyalty.rules.ruleset import RuleSet
from loyalty.values import Rate
from tests.unit.published import Shelf, checked, give_budget, rule
from tests.unit.running import Response, Running
from tests.unit.test_rules_earning import Shop

EXPLAIN = "GET /v1/entries/{id}/explanation"
LUNCH = rule("lunch", "2 * base", "channel = 'store' AND local_time BETWEEN '11:00' AND '13:30'")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, running: Running) -> Shelf:
    assert isinstance(running, Running)
    return Shelf().deploy(monkeypatch)


@pytest.fixture
def shop(running: Running) -> Shop:
    return Shop(running, birthday="1990-03-17", vegan=True, city="Graz")


def explained(shop: Shop, entry: Response | str, lang: str = "en") -> Any:
    entry_id = entry if isinstance(entry, str) else entry.body["id"]
    found = shop.running.call(shop.till, EXPLAIN, params={"id": entry_id}, query={"lang": lang})
    assert found.status == 200, found.body
    return found.body


def by_rule(explanation: Any) -> dict[str, Any]:
    return {one["rule"]: one for one in explanation["rules"]}


def facts(explanation: Any) -> dict[str, str]:
    """Values of the order's facts by name."""
    return {one["fact"]: one["value"] for one in explanation["inputs"] if "line" not in one}


# ---- what a rule set decided


def test_a_purchase_names_its_rules_their_conditions_and_what_each_gave(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", LUNCH))
    found = explained(shop, shop.buy("1", "60.50", "12.00"))
    assert found["recomputed"] is True
    assert found["rule_set"] == {"version": 1, "name": "test"}
    assert found["base"] == {"fraction": "145/2", "decimal": "72.5"}
    lunch = by_rule(found)["lunch"]
    assert (lunch["verdict"], lunch["points"]) == ("given", 72)
    assert lunch["condition"] == "bought in store and between 11:00 and 13:30"
    assert lunch["earning"] == "2 times base points"
    assert lunch["exact"] == {"fraction": "145/2", "decimal": "72.5"}
    assert (lunch["before"]["fraction"], lunch["after"]["fraction"]) == ("0", "1/2")
    assert found["text"][0] == "144 points, by version 1 of the rule set “test”."
    again = explained(shop, shop.buy("2", "0.50"))
    assert by_rule(again)["lunch"]["text"].endswith("exactly 0.5 points; 0.5 carried from before; 1 point given")
    assert {one["rule"]: one["after"]["fraction"] for one in again["remainders"]} == {"base": "0", "lunch": "0"}


def test_the_same_in_chinese(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", LUNCH))
    found = explained(shop, shop.buy("1", "60.50"), "zh")
    assert found["language"] == "zh"
    assert by_rule(found)["lunch"]["condition"] == "在门店购买，且在11:00至13:30之间"
    assert found["text"][1] == "“基础”：精确值为60.5分；给予60分；结转0.5分。"


def test_the_facts_that_rules_in_force_spoke_of_are_told_as_a_person_writes_them(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            "calendar: {spring: {name: {en: Spring day, zh: 春日}, dates: [2026-03-02]}}",
            LUNCH,
            rule("spring", "5", "on_day('spring') AND weekday = 'monday' AND month = 3"),
            rule("organic", "3 * line.base", "line.category = 'DELI'", on="line"),
            rule("over", "5", "payment = 'card'", valid="{from: 2026-05-01, until: 2026-05-31}"),
        )
    )
    lines = [{"amount": "60.00", "category": "DELI"}, {"amount": "5.00"}]
    found = explained(shop, shop.buy("1", lines=lines))
    assert facts(found) == {
        "channel": "store",
        "local_time": "12:00",
        "weekday": "Monday",
        "month": "3",
        "days": "Spring day",
    }
    of_lines = [(one["line"], one["fact"], one["value"]) for one in found["inputs"] if "line" in one]
    assert (1, "line.category", "DELI") in of_lines
    assert (2, "line.category", "not known") in of_lines
    assert (2, "line.amount", "5.00 EUR") in of_lines


def test_nothing_tells_when_somebody_was_born_nor_what_no_rule_read(shelf: Shelf, shop: Shop) -> None:
    declared = "attributes: {member: {vegan: truth, shoe: number}}"
    birthday = rule("birthday", "2 * base", "member.birth_month = month")
    coming = rule("coming", "2 * base", "member.birth_day = day AND member.birth_month = month")
    shelf.publish(checked(declared, birthday, coming, rule("vegan", "5", "member.vegan")))
    found = explained(shop, shop.buy("1", "60.00", occurred_at="2026-03-16T12:00:00Z"))
    assert facts(found)["member.birth_month"] == "not shown"
    assert facts(found)["member.birth_day"] == "not shown"
    assert facts(found)["member.vegan"] == "yes"
    assert "member.city" not in facts(found)
    assert "Graz" not in str(found)
    assert "17" not in str(found).replace(found["id"], "")
    # Tomorrow is the birthday. Nobody is told.
    assert found["nearest"] == []


def test_caps_and_choices_and_budgets_are_told(shelf: Shelf, shop: Shop, running: Running) -> None:
    sections = """
        groups: {offers: {stacking: best}}
        campaigns: {autumn: {points: 10}}
    """
    give_budget(running.table, "autumn", 10)
    shelf.publish(
        checked(
            sections,
            rule("capped", "3 * base", group="offers", cap="{order: 50, member: {points: 70, per: month}}"),
            rule("less", "1.5 * base", group="offers"),
            rule("dear", "amount", budget="autumn", cap="{order: 40}"),
            rule("up", "0.01 * amount", rounding="up"),
            rule("never", "0.001 * amount", rounding="down"),
        )
    )
    first, second = explained(shop, shop.buy("1", "60.00")), explained(shop, shop.buy("2", "60.00"))
    capped = by_rule(first)["capped"]
    assert capped["caps"] == [{"per": "order", "points": 50}]
    assert (capped["exact"]["fraction"], capped["after_order_cap"]["fraction"]) == ("120", "50")
    assert (capped["after_caps"]["fraction"], capped["points"]) == ("50", 50)
    capped = by_rule(second)["capped"]
    assert capped["caps"] == [{"per": "order", "points": 50}, {"per": "month", "points": 70}]
    assert (capped["after_caps"]["fraction"], capped["verdict"], capped["by"]) == ("20", "beaten", "less")
    assert capped["text"].endswith(
        "exactly 120 points; one order gives at most 50, which leaves 50 points; at most 70 points for a member"
        " a month, which leaves 20 points; nothing given: “less” was chosen instead"
    )
    assert by_rule(first)["less"]["verdict"] == "beaten"
    assert by_rule(second)["less"]["points"] == 30
    assert (by_rule(first)["up"]["points"], by_rule(first)["up"]["exact"]["fraction"]) == (1, "3/5")
    assert by_rule(first)["never"]["verdict"] == "nothing"
    assert sum(one["points"] for one in first["rules"]) == first["points"]


def test_a_campaign_that_could_not_pay_is_told_and_not_promised_again(
    shelf: Shelf, shop: Shop, running: Running
) -> None:
    give_budget(running.table, "autumn", 10)
    shelf.publish(
        checked(
            "campaigns: {autumn: {points: 40}}",
            rule("dear", "40", "amount >= 10", budget="autumn"),
            rule("cheap", "5", "channel = 'app'", budget="autumn"),
        )
    )
    found = explained(shop, shop.buy("1", "60.00"))
    dear = by_rule(found)["dear"]
    assert (dear["verdict"], dear["by"], dear["points"]) == ("unpaid", "autumn", 0)
    assert found["recomputed"] is True
    assert found["nearest"] == []


def test_what_would_have_earned_more_is_told_the_most_first(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            "calendar: {spring: {name: {en: Spring day, zh: 春日}, dates: [2026-03-05]}}",
            rule("evening", "2 * base", "local_time >= '18:00'"),
            rule("big", "50", "amount >= 100"),
            rule("spring", "base + 30", "on_day('spring')"),
            rule("app", "base + 10", "channel = 'app'"),
            rule("gold", "9 * base", "member.tier = 'gold'"),
            rule("both", "9 * base", "channel = 'app' AND local_time >= '18:00'"),
            rule("past", "9 * base", valid="{from: 2026-01-01, until: 2026-02-01}"),
        )
    )
    found = explained(shop, shop.buy("1", "60.00"))
    assert [(one["rule"], one["points"], one["changes"]) for one in found["nearest"]] == [
        ("big", 90, [{"fact": "line.amount", "value": "40.00", "line": 2}]),
        ("evening", 60, [{"fact": "local_time", "value": "18:00"}]),
        ("spring", 30, [{"fact": "date", "value": "2026-03-05"}]),
    ]
    assert found["nearest"][0]["text"] == "90 points more by “big”, had it been for 40.00 EUR more"
    chinese = explained(shop, found["id"], "zh")["nearest"]
    assert chinese[2]["text"] == "若在2026-03-05当天，按“spring”可多得30分"


def test_a_condition_that_begins_with_its_value_or_rules_one_out_is_met_too(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("spend", "20", "50 <= amount OR 1 = 2"), rule("away", "5", "channel <> 'store'")))
    found = explained(shop, shop.buy("1", "45.00"))["nearest"]
    assert [(one["rule"], one["points"], one["changes"]) for one in found] == [
        ("spend", 25, [{"fact": "line.amount", "value": "5.00", "line": 2}]),
        ("away", 5, [{"fact": "channel", "value": "online"}]),
    ]


def test_the_next_step_of_what_a_rule_earns_is_told(shelf: Shelf, shop: Shop) -> None:
    spend = "CASE WHEN amount >= 100 THEN 50 WHEN amount >= 50 THEN 20 WHEN amount >= 20 THEN 5 END"
    shelf.publish(
        checked(
            "",
            rule("spend", spend),
            rule("shop", "CASE WHEN quantity >= 9 THEN 3 END", "channel = 'store'"),
            rule("born", "CASE WHEN member.birth_month = 5 THEN 99 WHEN amount >= 999 THEN 1 END"),
        )
    )

    def more(order: str, *amounts: str, **further: Any) -> list[tuple[str, list[str]]]:
        found = explained(shop, shop.buy(order, *amounts, **further))["nearest"]
        return [(one["rule"], [f"{change['fact']} {change['value']}" for change in one["changes"]]) for one in found]

    assert more("1", "15.00", channel="app") == [("spend", ["line.amount 5.00"])]
    assert more("2", "45.00", channel="app") == [("spend", ["line.amount 5.00"])]
    assert more("3", "60.00", channel="app") == [("spend", ["line.amount 40.00"])]
    assert more("4", "120.00") == [("shop", ["line.quantity 9", "line.amount 1080.00"])]


def test_a_bound_that_must_be_passed_is_passed_by_the_least_there_is(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("over", "50", "amount > 99.99"), rule("late", "9", "local_time > '18:00'")))
    found = {one["rule"]: one["changes"] for one in explained(shop, shop.buy("1", "60.00"))["nearest"]}
    assert found["over"] == [{"fact": "line.amount", "value": "40.00", "line": 2}]
    assert found["late"] == [{"fact": "local_time", "value": "18:01"}]


def test_another_days_streak_is_that_days(shelf: Shelf, shop: Shop) -> None:
    checking_in = rule("check_in", "event.streak", "event.type = 'check_in'", on="event")
    monday = rule("monday", "50", "weekday = 'monday'", on="event")
    shelf.publish(checked("events: {check_in: {streak: true}}", checking_in, monday))
    shop.happens("check_in", occurred_at="2026-03-01T12:00:00Z")
    found = explained(shop, shop.happens("check_in", occurred_at="2026-03-03T12:00:00Z"))
    assert found["points"] == 1, "Monday was left out"
    assert [(one["rule"], one["points"]) for one in found["nearest"]] == [("monday", 51)]


def test_a_birthday_of_29_february_is_explained_as_it_was_given(shelf: Shelf, running: Running) -> None:
    born = Shop(running, birthday="02-29")
    shelf.publish(checked("", rule("wish", "2 * base", "member.birth_month = month AND member.birth_day = day")))
    found = explained(born, born.buy("1", "60.00", occurred_at="2026-02-28T12:00:00Z"))
    assert found["recomputed"] is True
    assert (by_rule(found)["wish"]["verdict"], by_rule(found)["wish"]["points"]) == ("given", 60)
    assert facts(found)["member.birth_day"] == "not shown"
    nothing = explained(born, born.buy("2", "60.00", occurred_at="2026-02-27T12:00:00Z"))
    assert nothing["nearest"] == [], "the day before tells nobody's birthday"


def test_a_rule_of_next_week_does_not_tell_a_birthday_either(shelf: Shelf, shop: Shop) -> None:
    soon = "{from: 2026-03-05, until: 2026-03-09}"
    shelf.publish(checked("", rule("birthday", "2 * base", "member.birth_month = 3", valid=soon)))
    assert explained(shop, shop.buy("1", "60.00"))["nearest"] == []


def test_where_nothing_lacks_one_thing_alone_two_are_told(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("both", "2 * base", "channel = 'app' AND local_time >= '18:00'")))
    (found,) = explained(shop, shop.buy("1", "60.00"))["nearest"]
    assert found["text"] == "60 points more by “both”, had it been bought in the app and at 18:00"


def test_a_condition_that_is_turned_round_is_met_by_its_opposite(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("big", "50", "NOT (amount < 100 OR local_time < '18:00')")))
    (found,) = explained(shop, shop.buy("1", "60.00"))["nearest"]
    assert found["changes"] == [
        {"fact": "line.amount", "value": "40.00", "line": 2},
        {"fact": "local_time", "value": "18:00"},
    ]
    assert found["points"] == 90


def test_a_rule_about_goods_names_the_line(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            "",
            rule("wine", "3 * line.base", "line.category = 'wine' AND line.brand IN ('a', 'b')", on="line"),
            rule("cellar", "100", "SUM(line.amount) FILTER (WHERE line.category = 'wine') >= 30"),
        )
    )
    lines = [{"amount": "60.00"}, {"amount": "12.00", "category": "wine"}]
    found = {one["rule"]: one for one in explained(shop, shop.buy("1", lines=lines))["nearest"]}
    assert found["wine"]["changes"] == [{"fact": "line.brand", "value": "a", "line": 2}] or found["wine"][
        "changes"
    ] == [
        {"fact": "line.category", "value": "wine", "line": 1},
        {"fact": "line.brand", "value": "a", "line": 1},
    ]
    assert found["cellar"]["changes"] == [
        {"fact": "line.amount", "value": "18.00", "line": 3},
        {"fact": "line.category", "value": "wine", "line": 3},
    ]
    assert found["cellar"]["points"] == 118


def test_an_event_is_explained_by_what_its_entry_keeps(shelf: Shelf, shop: Shop) -> None:
    sections = """
        events:
          check_in: {streak: true}
          review: {fields: {photo: truth, words: number, product: text}, required: [product]}
    """
    shelf.publish(
        checked(
            sections,
            rule("check_in", "5 + event.streak", "event.type = 'check_in'", on="event"),
            rule("review", "10", "event.type = 'review'", on="event"),
            rule("photo", "20", "event.type = 'review' AND event.photo", on="event"),
            rule("long", "7", "event.type = 'review' AND event.words >= 50", on="event"),
        )
    )
    shop.happens("check_in", occurred_at="2026-03-01T12:00:00Z")
    found = explained(shop, shop.happens("check_in"))
    assert (found["points"], found["recomputed"]) == (7, True)
    assert facts(found)["event.streak"] == "2"
    review = explained(shop, shop.happens("review", fields={"product": "tea", "words": 12}))
    assert (review["points"], review["recomputed"]) == (10, True)
    assert facts(review)["event.words"] == "12"
    assert [(one["rule"], one["points"], one["changes"]) for one in review["nearest"]] == [
        ("photo", 20, [{"fact": "event.photo", "value": "true"}]),
        ("long", 7, [{"fact": "event.words", "value": "50"}]),
    ]
    assert review["nearest"][0]["text"] == "20 points more by “photo”, had it been with “yes” as photo"


def test_what_cannot_be_worked_out_again_is_told_as_the_entry_says_it(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.publish(checked("", LUNCH))
    entry = shop.buy("1", "60.00")

    def gone(program: str, version: int) -> Loaded:
        raise Corrupt("gone")

    monkeypatch.setattr(shelf, "of_version", gone)
    found = explained(shop, entry)
    assert (found["recomputed"], found["points"], found["rule_set"]) == (False, 120, {"version": 1})
    assert [(one["rule"], one["points"]) for one in found["rules"]] == [("base", 60), ("lunch", 60)]
    assert "inputs" not in found
    monkeypatch.setattr(shelf, "of_version", lambda program, version: Loaded(1, _interpreted(checked(""))))
    found = explained(shop, entry)
    assert (found["recomputed"], [one["points"] for one in found["rules"]]) == (False, [60, 60])


def _interpreted(rules: RuleSet) -> Any:
    from loyalty.rules.interpret import Interpreter

    return Interpreter(rules)


def test_an_event_that_was_decided_by_what_its_entry_does_not_keep_is_told_as_the_entry_says_it(
    shelf: Shelf, shop: Shop
) -> None:
    here = rule("here", "10", "event.type = 'hello' AND member.city = 'Graz'", on="event")
    shelf.publish(checked("events: {hello: {}}", here))
    found = explained(shop, shop.happens("hello"))
    assert (found["recomputed"], found["points"]) == (False, 10)
    assert [(one["rule"], one["points"]) for one in found["rules"]] == [("here", 10)]
    assert "Graz" not in str(found)


def test_a_rule_that_could_not_be_worked_out_says_so(shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish(checked("", LUNCH, rule("odd", "50", "payment = 'card'")))
    entry = shop.buy("1", "60.00", payment="cash")
    evaluator = shelf.of_version("grocer", 1).evaluator

    class Odd:
        rules = evaluator.rules

        def evaluate(self, facts: Facts) -> Evaluation:
            place = next(place for place, one in enumerate(self.rules.rules) if one.id == "odd")
            return Evaluation(evaluator.evaluate(facts).hits, [Failure(place, "TypeError")])

    monkeypatch.setattr(shelf, "of_version", lambda program, version: Loaded(1, Odd()))
    found = explained(shop, entry)
    assert (found["recomputed"], found["points"], found["nearest"]) == (True, 120, [])
    assert by_rule(found)["odd"]["verdict"] == "failed"
    assert by_rule(found)["odd"]["text"] == "“odd” (means of payment is “card”): could not be worked out for this event"


def test_an_entry_is_explained_by_its_own_version(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", LUNCH))
    entry = shop.buy("1", "60.00")
    shelf.publish(checked("", rule("lunch", "9 * base")))
    found = explained(shop, entry)
    assert (found["rule_set"]["version"], by_rule(found)["lunch"]["points"]) == (1, 60)


def test_a_return_names_the_shares_that_were_taken_back_and_from_where(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", LUNCH))
    shop.buy("1", "60.00")
    found = explained(shop, shop.back("1", amount="15.00"))
    assert found["text"] == [
        "15.00 EUR of the purchase pos/1 came back; what it had earned is taken back: 30 points.",
        "15.00 EUR of it have come back in all.",
        "“Base”: 15 points.",
        "“lunch”: 15 points.",
    ]
    assert [(one["why"], one["state"], one["points"], one["text"]) for one in found["movements"]] == [
        ("reversed", "available", -30, "taken back")
    ]
    assert explained(shop, found["id"], "zh")["text"][2] == "“基础”：15分。"


# ---- entries that no rule set made


def test_the_policys_rate_is_told_with_what_was_carried(shop: Shop, shelf: Shelf) -> None:
    assert shelf.in_force == 0
    shop.buy("1", "0.60")
    found = explained(shop, shop.buy("2", "59.50"))
    assert found["text"] == [
        "59.50 EUR at 1 point per EUR: exactly 59.5 points; 0.6 carried from before; 60 points given; 0.1 carried on."
    ]
    assert found["recomputed"] is True
    assert "rules" not in found
    assert explained(shop, found["id"], "zh")["text"] == [
        "59.50 EUR，每EUR1分：精确值为59.5分；加上此前结转的0.6分；给予60分；结转0.1分。"
    ]


def test_every_other_kind_of_entry_has_its_sentence(shop: Shop, shelf: Shelf) -> None:
    assert shelf.in_force == 0
    member = {"id": shop.member}

    def does(route: str, body: dict[str, Any], token: str = shop.till, **params: str) -> Response:
        shop.sent += 1
        answer = shop.running.call(
            token, route, body, params={**member, **params}, headers={"Idempotency-Key": f"x{shop.sent}"}
        )
        assert answer.status == 201, answer.body
        return answer

    entries = [shop.happens("check_in")]
    given = shop.buy("1", "100.00")
    redeemed = does("POST /v1/members/{id}/redemptions", {"points": 30})
    held = does("POST /v1/members/{id}/holds", {"points": 20})
    hold = held.body["hold"]["id"]
    entries += [
        given,
        redeemed,
        does("POST /v1/redemptions/{id}/cancel", {}, shop.operator, id=redeemed.body["redemption"]),
        held,
        does("POST /v1/holds/{id}/capture", {"points": 5}, id=hold),
        does("POST /v1/members/{id}/adjustments", {"points": -7, "reason": "counted twice"}, shop.operator),
        does("POST /v1/members/{id}/freeze", {"reason": "stolen card"}, shop.operator),
        does("POST /v1/members/{id}/unfreeze", {"reason": "found"}, shop.operator),
        shop.back("1"),
    ]
    opened = given.body["id"].rsplit("-", 1)[0] + "-1"
    texts = {kind["kind"]: kind["text"] for kind in (explained(shop, one) for one in [opened, *entries])}
    assert texts["opened"] == ["The account was opened."]
    assert texts["redeemed"] == ["30 points spent, those that expire first."]
    assert texts["captured"] == ["5 points of a hold spent, 15 released, 0 held on."]
    assert texts["adjusted"] == ["An operator corrected the balance by -7 points: counted twice."]
    assert texts["frozen"] == ["The account was frozen: stolen card."]
    assert texts["reversed"][0].startswith("100.00 EUR of the purchase pos/1 came back")
    assert set(texts) == {
        "opened", "earned", "redeemed", "restored", "held", "captured", "adjusted", "frozen", "unfrozen", "reversed",
    }  # fmt: skip


def by_command(act: Callable[[Draft], object], before: State | None = None) -> list[str]:
    """The sentences of the entry that a command writes."""
    before = before or State(number=2, kind="member", status="open", at=1_000, lots={(0, 0): 100})
    draft = Draft(before, 2_000)
    act(draft)
    entry = seal(Chain("grocer", f"mem_{'0' * 26}", "points"), None, draft, Cause("k#till#1", "f", "till", 2_000))
    assert explain(entry, before, Source(), "zh").text
    return explain(entry, before, Source(), "en").text


def test_the_kinds_that_are_seldom_written_have_their_sentences_too() -> None:
    held = State(number=3, kind="member", status="open", at=1_000, holds={3: Hold(9_000, False, {0: 20})})
    waiting = State(number=4, kind="member", status="open", at=1_000, lots={(0, WAITING): 10})
    assert by_command(lambda draft: commands.release(draft, 3), held) == ["A hold was released: 20 points."]
    assert by_command(commands.expire) == ["What time had changed was written down."]
    assert by_command(lambda draft: commands.transfer_out(draft, 30, "mem_x")) == [
        "30 points left for another account."
    ]
    assert by_command(lambda draft: commands.transfer_in(draft, [(0, 1)], "mem_x")) == [
        "1 point came from another account."
    ]
    assert by_command(lambda draft: commands.close(draft, "moved", forfeit=True)) == ["The account was closed: moved."]
    assert by_command(lambda draft: commands.cancel(draft, 4, [(0, 10)]), waiting) == [
        "The points of entry 4 waited in vain: 10 points are taken back."
    ]


def test_a_purchase_whose_order_is_gone_is_told_as_its_entry_says_it() -> None:
    def earn(draft: Draft) -> None:
        commands.earn_amount(draft, "base", Rate(1, 100), 6000, 0, 0)
        draft.detail |= {"source": "pos", "order": "1", "amount": 6000}

    assert by_command(earn) == ["60 points given."]


def test_points_that_waited_are_explained_when_they_are_decided_on(shop: Shop, shelf: Shelf) -> None:
    sections = """
        events:
          trade_in: {fields: {pieces: number}}
          accepted: {activates: trade_in}
    """
    given = rule("trade_in", "10", "event.type = 'trade_in'", on="event", pending="{kind: on_event}")
    shelf.publish(checked(sections, given))
    waiting = shop.happens("trade_in")
    decided = shop.happens("accepted", of=waiting.body["id"])
    assert decided.status == 201, decided.body
    found = explained(shop, decided)
    assert found["kind"] == "activated"
    assert found["text"] == ["The event that the points of entry 2 waited for has come: 10 points can be spent."]


# ---- who may ask, and how


def test_there_is_no_explanation_of_an_entry_that_is_not_there(shop: Shop, shelf: Shelf) -> None:
    assert shelf.in_force == 0
    entry = shop.buy("1", "1.00").body["id"]
    for wrong in (entry[:-1] + "9", "ent_nobody", entry.replace("points", "other")):
        answer = shop.running.call(shop.till, EXPLAIN, params={"id": wrong})
        assert (answer.status, answer.code) == (404, "ENTRY_NOT_FOUND")
    shop.running.establish("other")
    stranger = shop.running.key("till", "other")
    answer = shop.running.call(stranger, EXPLAIN, params={"id": entry})
    assert (answer.status, answer.code) == (404, "ENTRY_NOT_FOUND")


def test_a_members_own_token_explains_its_own_entries_alone(shop: Shop, shelf: Shelf) -> None:
    assert shelf.in_force == 0
    entry = shop.buy("1", "1.00").body["id"]
    token = shop.running.call(shop.till, "POST /v1/members/{id}/tokens", {}, params={"id": shop.member}).body["token"]
    assert shop.running.call(token, EXPLAIN, params={"id": entry}).status == 200
    other = f"ent_{'0' * 26}-points-1"
    answer = shop.running.call(token, EXPLAIN, params={"id": other})
    assert (answer.status, answer.code) == (403, "AUTH_MEMBER_FORBIDDEN")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.2, zh;q=0.9", "zh"),
        ("de, en-GB;q=0.7, zh;q=0.1", "en"),
        ("zh;q=0, en;q=0.5", "en"),
        ("fr", "en"),
        (";;,=,q=x;q=y", "en"),
    ],
)
def test_the_language_is_the_most_wanted_that_there_is(shop: Shop, shelf: Shelf, accepted: str, language: str) -> None:
    assert shelf.in_force == 0
    entry = shop.buy("1", "1.00").body["id"]
    answer = shop.running.call(shop.till, EXPLAIN, params={"id": entry}, headers={"Accept-Language": accepted})
    assert (answer.body["language"], answer.headers["content-language"]) == (language, language)


def test_a_language_that_there_is_not_is_refused_when_it_is_asked_for(shop: Shop, shelf: Shelf) -> None:
    assert shelf.in_force == 0
    entry = shop.buy("1", "1.00").body["id"]
    answer = shop.running.call(shop.till, EXPLAIN, params={"id": entry}, query={"lang": "de"})
    assert (answer.status, answer.code, answer.body["field"]) == (400, "REQUEST_INVALID", "lang")


def test_explaining_writes_nothing(shop: Shop, shelf: Shelf) -> None:
    shelf.publish(checked("", LUNCH))
    entry = shop.buy("1", "60.00")
    before = shop.running.everything()
    explained(shop, entry)
    assert shop.running.everything() == before
