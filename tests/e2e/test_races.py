"""Sixteen processes on one account, through the deployed API: never below zero, each reference once, sums equal."""

import random
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from loyalty.ledger.chain import Chain
from tests.e2e.calls import Api
from tests.e2e.racers import Outcome, Step, race
from tests.e2e.stack import Stack
from tests.tally import say

PROCESSES: Final = 16
FEWER: Final = 8
"""Where it is not the number of writers that is in question: each costs the emulator a process of every function."""
NOW: Final = "2026-03-01T12:30:00Z"

Enrol = Callable[..., str]


@pytest.fixture(autouse=True)
def known(till: Api, operator: Api) -> None:
    """The gateway knows the racers' tokens, so that it is the account they meet at, not the authoriser."""
    till.get("/v1/members?identity=card:nobody").expect(404, "MEMBER_NOT_FOUND")
    operator.get("/v1/program").expect(200)


def history(stack: Stack, auditor: Api, member: str) -> list[dict[str, Any]]:
    """Every entry of the member's points, oldest first, held against all that must be true of a chain."""
    found: list[dict[str, Any]] = []
    query = "limit=100"
    while query:
        page = auditor.get(f"/v1/members/{member}/entries?{query}").expect(200)
        found += page["entries"]
        query = f"limit=100&cursor={page['next']}" if "next" in page else ""
    found.reverse()
    assert [entry["number"] for entry in found] == list(range(1, len(found) + 1)), "gapless"
    balance = {"available": 0, "pending": 0, "held": 0, "arrears": 0}
    for entry in found:
        for movement in entry["movements"]:
            if movement["state"] in balance:
                balance[movement["state"]] += movement["points"]
        assert balance == entry["balance"], "each entry's sums are the balance after it"
        assert min(balance.values()) >= 0, "never below zero"
    seen = auditor.get(f"/v1/members/{member}/balance").expect(200)["balance"]
    assert seen == balance
    pk = Chain("alpha", member, "points").pk
    references = [item["ref"]["S"] for (one, _), item in stack.items("alpha").items() if one == pk]
    assert len(references) == len(set(references)) == len(found), "each reference once"
    verified = auditor.get(f"/v1/members/{member}/verification").expect(200)
    assert (verified["ok"], verified["entries"]) == (True, len(found))
    return found


def by_key(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.key].append(outcome)
    return found


def once(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The entries that were made, by key: each was made once, and whoever asked with its key was told of it."""
    made: dict[str, Any] = {}
    for key, same in by_key(outcomes).items():
        done = [one for one in same if one.status == 201]
        if done:
            assert all(one.body == done[0].body for one in done), key
            assert sum(not one.replayed for one in done) == 1, key
            made[key] = done[0].body
    return made


def test_sixteen_processes_spend_and_retry_on_one_account(stack: Stack, auditor: Api, enrol: Enrol) -> None:
    member = enrol(points=2_000)
    path = f"/v1/members/{member}/redemptions"
    chance = random.Random(1)
    plans: list[list[Step]] = []
    for process in range(PROCESSES):
        plan = []
        for number in range(12):
            shared = number % 2 == 0  # every second key is used by four processes at once
            key = f"spend-{process // 4 if shared else f'own-{process}'}-{number}"
            points = random.Random(key).randint(1, 40)
            plan.append(Step(path, {"points": points}, key, chance.choice((1, 1, 2))))
        plans.append(plan)
    outcomes, calls, again = race(stack.url, stack.programmes["alpha"].tokens["till"], plans)
    made = once(outcomes)
    refused = {one.key for one in outcomes if one.status != 201}
    assert {one.code for one in outcomes if one.status != 201} <= {"POINTS_INSUFFICIENT"}
    assert not refused & set(made), "nothing is added meanwhile: what is refused once stays refused"
    entries = history(stack, auditor, member)
    spent = sum(entry["points"] for entry in made.values())
    assert len(entries) == 2 + len(made), "enrolment, the points to begin with, and one entry for each key"
    assert entries[-1]["balance"]["available"] == 2_000 - spent
    replays = sum(one.replayed for one in outcomes)
    say(
        f"race of {PROCESSES} processes on one account over HTTP: {calls} calls, {len(made)} keys spent {spent} of 2000"
        f" points, {replays} replays, {len(refused)} keys refused, {again} times told to come again;"
        f" {len(entries)} entries, gapless, verified"
    )


def test_eight_tills_report_the_same_orders_and_return_them(stack: Stack, auditor: Api, enrol: Enrol) -> None:
    member = enrol()
    mark = secrets.token_hex(4)
    orders = [f"{mark}-{number}" for number in range(6)]
    token = stack.programmes["alpha"].tokens["till"]

    def purchase(order: str) -> dict[str, Any]:
        return {
            "source": "pos",
            "order_id": order,
            "member": member,
            "occurred_at": NOW,
            "currency": "USD",
            "lines": [{"amount": "8.50", "quantity": 5}],
        }

    plans = []
    for process in range(FEWER):
        plan = [Step("/v1/purchases", purchase(order), f"{process}-{order}") for order in orders]
        random.Random(process).shuffle(plan)
        plans.append(plan)
    outcomes, calls, again = race(stack.url, token, plans)
    assert {one.status for one in outcomes} == {201}
    for order in orders:
        same = [one for one in outcomes if one.key.endswith(order)]
        assert sum(not one.replayed for one in same) == 1, order
        assert all(one.body == same[0].body for one in same), order
    entries = history(stack, auditor, member)
    assert len(entries) == 1 + len(orders)
    assert entries[-1]["balance"]["available"] == 51, "6 times 8.50"

    returns = [
        [Step(f"/v1/purchases/pos/{order}/returns", {"lines": [{"line": 1, "quantity": 1}]}, f"r-{process}-{order}")]
        for process in range(FEWER)
        for order in orders[:2]
    ]
    plans = [first + second for first, second in zip(returns[::2], returns[1::2], strict=True)]
    outcomes, more_calls, more_again = race(stack.url, token, plans)
    for order in orders[:2]:
        same = [one for one in outcomes if one.key.endswith(order)]
        assert sum(one.status == 201 for one in same) == 5, "five pieces were bought"
        assert {one.code for one in same if one.status != 201} == {"RETURN_EXCEEDS_PURCHASE"}
    entries = history(stack, auditor, member)
    assert len(entries) == 1 + len(orders) + 10
    assert entries[-1]["balance"]["available"] == 34, "4 times 8.50"
    say(
        f"race of {FEWER} tills over HTTP: {len(orders)} orders reported {FEWER} times each earned once,"
        f" 2 of them returned piece by piece to the last; {calls + more_calls} calls,"
        f" {again + more_again} times told to come again"
    )


def test_one_hold_and_one_redemption_are_settled_once_by_eight_processes(
    stack: Stack, auditor: Api, till: Api, enrol: Enrol
) -> None:
    member = enrol(points=300)
    hold = till.post(f"/v1/members/{member}/holds", {"points": 100}).expect(201)["hold"]["id"]
    other = till.post(f"/v1/members/{member}/holds", {"points": 100}).expect(201)["hold"]["id"]
    spent = till.post(f"/v1/members/{member}/redemptions", {"points": 50}).expect(201)["redemption"]
    plans = []
    for process in range(FEWER):
        either = "capture" if process % 2 else "release"
        plan = [
            Step(f"/v1/holds/{hold}/capture", {"points": 13, "final": False}, f"part-{process}", 2),
            Step(f"/v1/holds/{other}/{either}", {}, f"whole-{process}"),
            Step(f"/v1/redemptions/{spent}/cancel", {}, f"cancel-{process}"),
        ]
        plans.append(plan)
    outcomes, _, _ = race(stack.url, stack.programmes["alpha"].tokens["till"], plans)
    made = once(outcomes)
    parts = [key for key in made if key.startswith("part-")]
    assert len(parts) == 7, "7 times 13 of 100"
    settled = [made[key] for key in made if key.startswith("whole-")]
    assert len(settled) == 1
    assert len([key for key in made if key.startswith("cancel-")]) == 1
    refusals = {one.code for one in outcomes if one.status != 201}
    assert refusals <= {"HOLD_EXCEEDED", "HOLD_NOT_ACTIVE", "REDEMPTION_ALREADY_CANCELLED"}
    entries = history(stack, auditor, member)
    captured = 100 if settled[0]["kind"] == "captured" else 0
    assert entries[-1]["balance"] == {"available": 200 - captured, "pending": 0, "held": 9, "arrears": 0}


def test_points_passed_round_in_a_circle_stay_the_same_in_all(stack: Stack, auditor: Api, enrol: Enrol) -> None:
    members = [enrol(points=100) for _ in range(4)]
    plans = []
    for process in range(FEWER // 2):
        chance = random.Random(process)
        plan = []
        for number in range(8):
            giver, taker = chance.sample(members, 2)
            body = {"to": taker, "points": chance.randint(1, 60), "reason": "round"}
            plan.append(Step(f"/v1/members/{giver}/transfers", body, f"{process}-{number}", chance.choice((1, 2))))
        plans.append(plan)
    outcomes, _, _ = race(stack.url, stack.programmes["alpha"].tokens["operator"], plans)
    made = once(outcomes)
    assert {one.code for one in outcomes if one.status != 201} <= {"POINTS_INSUFFICIENT"}
    chains = [history(stack, auditor, member) for member in members]
    assert sum(chain[-1]["balance"]["available"] for chain in chains) == 400
    assert sum(len(chain) - 2 for chain in chains) == 2 * len(made), "two entries for each transfer"
