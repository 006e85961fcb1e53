"""Tiers through the functions as they run: reached by a purchase, told, set by hand, read by rules, tried otherwise."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.ledger.chain import Chain
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.rules.interpret import Interpreter
from loyalty.runtime import wiring
from loyalty.tiers.events import tier_events
from tests.unit.published import Shelf, checked, rule
from tests.unit.running import POLICY, PROGRAM, Response, Running, forget
from tests.unit.test_rules_earning import Shop, given

LOOK, ASSIGN, SIMULATE = "GET /v1/members/{id}/tier", "PUT /v1/members/{id}/tier", "POST /v1/tiers/simulate"
DAY = 86_400
START = int(datetime(2026, 5, 10, 12, tzinfo=UTC).timestamp())
TIERS: dict[str, Any] = {
    "levels": [
        {"id": "silver", "name": {"en": "Silver", "zh": "银卡"}, "spend": 10_000, "visits": 4, "multiplier": "1.25"},
        {
            "id": "gold",
            "name": {"en": "Gold", "zh": "金卡"},
            "spend": 50_000,
            "multiplier": "2",
            "benefits": ["Lounge"],
        },
    ],
    "window": {"kind": "rolling_months", "months": 12},
    "downgrade": "one_down",
    "grace_days": 0,
    "warn_days": 30,
}


class Clock:
    """What the functions take for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        monkeypatch.setattr(time, "time", lambda: float(self.now))

    def pass_days(self, days: int) -> None:
        self.now += days * DAY

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.now, UTC).isoformat()

    @property
    def today(self) -> date:
        return datetime.fromtimestamp(self.now, UTC).date()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def shop(running: Running, clock: Clock) -> Shop:
    found = Shop(running)
    body = {**POLICY, "tiers": TIERS}
    answer = running.call(found.operator, "PUT /v1/program", body, headers={"If-Match": "*"})
    assert answer.status == 200, answer.body
    forget()
    return found


def buy(shop: Shop, clock: Clock, order: str, amount: str) -> Response:
    answer = shop.buy(order, amount, occurred_at=clock.iso)
    assert answer.status == 201, answer.body
    return answer


def look(shop: Shop, **query: str) -> Any:
    answer = shop.running.call(shop.till, LOOK, params={"id": shop.member}, query=query)
    assert answer.status == 200, answer.body
    return answer.body


def assign(shop: Shop, body: Any, token: str = "", key: str = "a1") -> Response:
    return shop.running.call(
        token or shop.operator, ASSIGN, body, params={"id": shop.member}, headers={"Idempotency-Key": key}
    )


def events(shop: Shop) -> list[tuple[str, str | None, str | None]]:
    """(type, tier before, tier after) of all that has been said of the tier."""
    told = [event for entry in LedgerStore(shop.running.table).oldest(shop.chain) for event in tier_events(entry)]
    assert len({detail.id for _, detail in told}) == len(told)
    return [(type_, detail.was or None, detail.tier or None) for type_, detail in told]


def test_the_purchase_that_reaches_a_tier_says_so_in_its_answer(shop: Shop, clock: Clock) -> None:
    assert "tier" not in buy(shop, clock, "1", "60.00").body
    assert buy(shop, clock, "2", "40.00").body["tier"] == {"now": "silver"}
    assert "tier" not in buy(shop, clock, "3", "10.00").body
    assert buy(shop, clock, "4", "400.00").body["tier"] == {"was": "silver", "now": "gold"}
    assert [event[0] for event in events(shop)] == ["tier.upgraded", "tier.upgraded"]


def test_a_tier_that_is_brought_back_is_gone_in_the_answer_to_the_return(shop: Shop, clock: Clock) -> None:
    buy(shop, clock, "1", "120.00")
    buy(shop, clock, "2", "400.00")
    clock.pass_days(5)
    assert shop.back("2").body["tier"] == {"was": "gold", "now": "silver"}
    assert shop.back("1").body["tier"] == {"was": "silver"}
    assert "tier" not in look(shop)


def test_a_member_is_told_what_keeps_the_tier_and_what_the_next_takes(shop: Shop, clock: Clock) -> None:
    buy(shop, clock, "1", "120.50")
    clock.pass_days(31)
    buy(shop, clock, "2", "30.00")
    found = look(shop)
    assert found["tier"] == {"id": "silver", "name": "Silver", "multiplier": "1.25", "benefits": []}
    assert found["since"] == "2026-05-10"
    assert found["keeps"] == {
        "tier": "silver",
        "missing": {"spend": 7000, "visits": 3},
        "by": "2027-05-31",
        "text": "70 EUR or 3 purchases more by 31 May 2027 keeps Silver",
    }
    assert found["rises"]["text"] == "349.50 EUR more by 31 May 2027 makes Gold"
    zh = look(shop, lang="zh")
    assert zh["tier"]["name"] == "银卡"
    assert zh["keeps"]["text"] == "在2027年5月31日前再消费 70 EUR，或再购物 3 次，即可保留银卡"
    assert zh["rises"]["text"] == "在2027年5月31日前再消费 349.50 EUR，即可升级为金卡"
    assert [(move["what"], move["tier"]) for move in found["history"]] == [("upgraded", "silver")]


def test_a_tier_is_as_it_is_by_now_whether_or_not_a_night_has_written_it_down(shop: Shop, clock: Clock) -> None:
    buy(shop, clock, "1", "600.00")
    clock.pass_days(380)
    assert look(shop)["tier"]["id"] == "gold"  # to the end of May of the next year
    clock.pass_days(10)
    assert clock.today == date(2027, 6, 4)
    assert look(shop)["tier"]["id"] == "silver"
    clock.pass_days(30)
    assert "tier" not in look(shop)
    buy(shop, clock, "2", "1.00")
    assert events(shop) == [
        ("tier.upgraded", None, "gold"),
        ("tier.downgraded", "gold", "silver"),
        ("tier.downgraded", "silver", None),
    ]
    assert [(move["what"], move["since"]) for move in look(shop)["history"]] == [
        ("downgraded", "2027-07-01"),
        ("downgraded", "2027-06-01"),
        ("upgraded", "2026-05-10"),
    ]


def test_an_operator_sets_a_tier_with_an_end_and_a_reason(shop: Shop, clock: Clock) -> None:
    until = (clock.today + timedelta(days=20)).isoformat()
    answer = assign(shop, {"tier": "gold", "until": until, "reason": "jury of the year"})
    assert (answer.status, answer.body["tier"], answer.body["reason"]) == (201, {"now": "gold"}, "jury of the year")
    assert assign(shop, {"tier": "gold", "until": until, "reason": "jury of the year"}).headers["idempotency-replayed"]
    found = look(shop)
    assert (found["tier"]["id"], found["until"], found["manual"]) == ("gold", until, True)
    assert "keeps" not in found
    clock.pass_days(20)
    assert look(shop)["tier"]["id"] == "gold"
    clock.pass_days(1)
    assert "tier" not in look(shop)


def test_what_is_set_by_hand_can_be_given_back_to_the_figures(shop: Shop, clock: Clock) -> None:
    buy(shop, clock, "1", "100.00")
    assign(shop, {"tier": "gold", "reason": "a favour"}, key="a1")
    assert assign(shop, {"tier": None, "reason": "no favour"}, key="a2").body["tier"] == {
        "was": "gold",
        "now": "silver",
    }


def test_what_the_figures_reach_already_is_not_asked_for(shop: Shop, clock: Clock) -> None:
    buy(shop, clock, "1", "300.00")
    cheaper = [TIERS["levels"][0], {**TIERS["levels"][1], "spend": 20_000}]
    body = {**POLICY, "tiers": {**TIERS, "levels": cheaper}}
    assert shop.running.call(shop.operator, "PUT /v1/program", body, headers={"If-Match": "*"}).status == 200
    forget()
    assert "rises" not in look(shop), "gold comes with the night"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"tier": "platinum", "reason": "x"}, "TIER_UNKNOWN"),
        ({"tier": "gold", "until": "2020-01-01", "reason": "x"}, "REQUEST_INVALID"),
        ({"tier": "gold", "until": "9999-12-31", "reason": "x"}, "REQUEST_INVALID"),
        ({"tier": "gold"}, "REQUEST_INVALID"),
    ],
)
def test_a_tier_that_is_none_or_over_is_refused(shop: Shop, body: Any, code: str) -> None:
    assert assign(shop, body).code == code


def test_only_operators_set_tiers(shop: Shop) -> None:
    assert assign(shop, {"tier": "gold", "reason": "x"}, token=shop.till).code == "AUTH_SCOPE_MISSING"


def test_a_programme_without_tiers_tells_none(running: Running, clock: Clock) -> None:
    shop = Shop(running)
    buy(shop, clock, "1", "600.00")
    assert set(look(shop)) == {"member", "wallet", "as_of", "history"}
    assert assign(shop, {"tier": "gold", "reason": "x"}).code == "TIER_UNKNOWN"


def test_rules_read_the_tier_of_the_account_and_its_multiplier(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(Interpreter).deploy(monkeypatch)
    shelf.publish(checked("", rule("tier", "member.multiplier * base", "member.multiplier > 1")))
    assert given(buy(shop, clock, "1", "600.00")) == {"base": 600}
    assert given(buy(shop, clock, "2", "100.00")) == {"base": 100, "tier": 100}
    clock.pass_days(390)  # gold is over, and no night has said so
    assert given(buy(shop, clock, "3", "100.00")) == {"base": 100, "tier": 25}


def test_a_tier_that_nobody_would_read_is_refused(shop: Shop, clock: Clock) -> None:
    answer = shop.running.call(
        shop.operator, "PATCH /v1/members/{id}", {"tier": "gold", "language": "en"}, params={"id": shop.member}
    )
    assert (answer.status, answer.code, answer.body["field"]) == (409, "TIER_NOT_HERE", "tier")
    found = shop.running.call(shop.operator, "GET /v1/members/{id}", params={"id": shop.member}).body
    assert "language" not in found or found["language"] != "en"


CONDITIONAL: dict[str, Any] = {
    **TIERS,
    "levels": [
        TIERS["levels"][0],
        {
            "id": "gold",
            "name": {"en": "Gold", "zh": "金卡"},
            "spend": 50_000,
            "when": "spend >= 200 AND visits >= 3\n OR member.tier = 'gold' AND spend >= 150",
            "means": {"en": "200 EUR in three purchases", "zh": "三次购物满 200 EUR"},
        },
    ],
}


def put_tiers(shop: Shop, tiers: Any) -> Response:
    policy = shop.running.call(shop.operator, "GET /v1/program").body
    answer = shop.running.call(shop.operator, "PUT /v1/program", {**policy, "tiers": tiers}, headers={"If-Match": "*"})
    forget()
    return answer


def test_a_condition_reaches_a_tier_in_the_very_entry_and_is_told_in_words(shop: Shop, clock: Clock) -> None:
    written = put_tiers(shop, CONDITIONAL)
    assert written.body["tiers"]["levels"][1]["when"] == CONDITIONAL["levels"][1]["when"]
    assert "conditions" not in written.body
    buy(shop, clock, "1", "150.00")
    buy(shop, clock, "2", "20.00")
    rises = look(shop)["rises"]
    assert rises["text"] == "330 EUR more or 200 EUR in three purchases by 31 May 2027 makes Gold"
    assert (rises["missing"], rises["condition"]) == ({"spend": 33_000}, "200 EUR in three purchases")
    assert look(shop, lang="zh")["rises"]["text"] == (
        "在2027年5月31日前再消费 330 EUR，或三次购物满 200 EUR，即可升级为金卡"
    )
    assert buy(shop, clock, "3", "30.00").body["tier"] == {"was": "silver", "now": "gold"}
    assert shop.back("2").status == 201
    assert look(shop)["tier"]["id"] == "gold"  # of whoever has it the condition asks for less
    assert shop.back("1").body["tier"] == {"was": "gold"}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("spend >= 200 AND visit >= 3", "line 1, column 18: There is no field visit; did you mean visits?"),
        ("spend >= 1\n  AND visit > 2", "line 2, column 7: There is no field visit"),
        ("spend >= 200 AND member.points > 3", "There is no field member.points"),
        ("member.tier = 'platinum'", "member.tier is never 'platinum'; it is one of silver, gold"),
        ("spend + 1", "A condition is true or false"),
        ("1 = 1", "speaks of what was bought"),
        ("member.days_since_first_purchase + 1 > visits", "compared with a number"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_with_its_place(shop: Shop, when: str, said: str) -> None:
    level = {**CONDITIONAL["levels"][1], "when": when}
    answer = put_tiers(shop, {**CONDITIONAL, "levels": [TIERS["levels"][0], level]})
    assert (answer.status, answer.code, answer.body["field"]) == (400, "REQUEST_INVALID", "tiers.levels[1].when")
    assert said in answer.body["detail"]


def test_a_condition_and_what_it_means_go_together(shop: Shop) -> None:
    level = {name: part for name, part in CONDITIONAL["levels"][1].items() if name != "means"}
    answer = put_tiers(shop, {**CONDITIONAL, "levels": [TIERS["levels"][0], level]})
    assert (answer.code, answer.body["field"]) == ("REQUEST_INVALID", "tiers.levels[1]")


def test_conditions_are_tried_like_thresholds(shop: Shop, clock: Clock) -> None:
    for order, amount in enumerate(("150.00", "20.00", "40.00")):
        buy(shop, clock, str(order), amount)
    head = LedgerStore(shop.running.table).head(shop.chain)
    assert head is not None
    HeadStore(shop.running.table).publish(head)
    found = tried_page(shop.running, shop.operator, CONDITIONAL)
    assert found["changes"] == [{"member": shop.member, "wallet": "points", "was": "silver", "becomes": "gold"}]
    wrong = {**CONDITIONAL, "levels": [{**CONDITIONAL["levels"][1], "when": "spend"}]}
    answer = shop.running.call(shop.operator, SIMULATE, {"tiers": wrong})
    assert (answer.code, answer.body["field"]) == ("REQUEST_INVALID", "tiers.levels[0].when")


def test_a_tier_reached_by_the_time_a_member_is_one_comes_on_its_day(shop: Shop, clock: Clock) -> None:
    old = {"id": "gold", "name": {"en": "Gold"}, "means": {"en": "100 days with us"}}
    when = "member.days_since_first_purchase >= 100"
    assert put_tiers(shop, {**TIERS, "levels": [TIERS["levels"][0], {**old, "when": when}]}).status == 200
    buy(shop, clock, "1", "1.00")
    clock.pass_days(99)
    assert "tier" not in look(shop)
    clock.pass_days(1)
    assert look(shop)["tier"]["id"] == "gold"


def test_a_policy_with_conditions_is_used_without_the_parser_of_the_language(shop: Shop) -> None:
    assert put_tiers(shop, CONDITIONAL).status == 200
    document, version = wiring.programs().document(PROGRAM)
    script = (
        "import json, sys\n"
        "from loyalty.ledger.account import Draft, State\n"
        "from loyalty.programs.terms import Program\n"
        "from loyalty.tiers.standing import follow\n"
        f"program = Program.of(json.loads({json.dumps(document)!r}), {version})\n"
        "draft = Draft(State(), 1_780_000_000)\n"
        "for _ in range(3):\n"
        "    draft.move('earned', 'y', program.day(draft.now), 10_000, 0, 1)\n"
        "follow(program, State(), draft)\n"
        "assert draft.state.tier == 'gold', draft.state.tier\n"
        "assert not {'sqlglot', 'pydantic', 'yaml'} & set(sys.modules)\n"
    )
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=env)
    assert ran.returncode == 0, ran.stderr


def test_a_marketer_sees_how_many_would_rise_and_fall_and_an_operator_who(shop: Shop, clock: Clock) -> None:
    running = shop.running
    shops = [shop]
    buy(shop, clock, "0", "600.00")
    for number, amount in enumerate(("120.00", "60.00"), 1):
        body = {"identities": [f"card:x{number}"]}
        other = Shop.__new__(Shop)
        other.__dict__ |= {**shop.__dict__, "sent": 100 * number}
        other.member = running.call(shop.till, "POST /v1/members", body).body["id"]
        buy(other, clock, str(number), amount)
        shops.append(other)
    for each in shops:
        head = LedgerStore(running.table).head(Chain(PROGRAM, each.member, "points"))
        assert head is not None
        HeadStore(running.table).publish(head)
    tried = {**TIERS, "levels": [{**TIERS["levels"][0], "spend": 5_000}, {**TIERS["levels"][1], "spend": 70_000}]}
    found = tried_page(running, shop.operator, tried)
    assert (found["looked"], found["rises"], found["falls"]) == (3, 1, 1)
    assert {(one["was"], one["becomes"], one["members"]) for one in found["counts"]} == {
        ("", "silver", 1),
        ("silver", "silver", 1),
        ("gold", "silver", 1),
    }
    assert {one["member"] for one in found["changes"]} == {shops[0].member, shops[2].member}
    assert "changes" not in tried_page(running, running.key("marketer"), tried)
    paged = [tried_page(running, shop.operator, tried, limit=1)]
    while "next" in paged[-1]:
        paged.append(tried_page(running, shop.operator, tried, limit=1, cursor=paged[-1]["next"]))
    assert sum(page["looked"] for page in paged) == 3
    assert look(shop)["tier"]["id"] == "gold", "trying has changed something"


def test_tiers_that_cannot_be_are_refused_by_name(shop: Shop) -> None:
    wrong = {**TIERS, "levels": [{**TIERS["levels"][0], "multiplier": "much"}]}
    answer = shop.running.call(shop.operator, SIMULATE, {"tiers": wrong})
    assert (answer.code, answer.body["field"]) == ("REQUEST_INVALID", "tiers.levels[0].multiplier")


def tried_page(running: Running, token: str, tiers: Any, **further: Any) -> Any:
    answer = running.call(token, SIMULATE, {"tiers": tiers, **further})
    assert answer.status == 200, answer.body
    return answer.body
