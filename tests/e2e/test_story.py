"""What tills, shops, operators and members do in a day, over HTTP, one after the other."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest

from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.members.tokens import Tokens
from loyalty.runtime.secrets import token_secrets
from tests.e2e.calls import FRESH, Api
from tests.e2e.stack import STORE, Stack

NOW = "2026-03-01T12:30:00Z"
"""When the purchases of these tests happened."""

Enrol = Callable[..., str]


def order(member: str, *amounts: int | str, **further: Any) -> dict[str, Any]:
    """A purchase of these lines."""
    return {
        "source": "pos",
        "order_id": secrets.token_hex(8),
        "member": member,
        "store": STORE,
        "occurred_at": NOW,
        "currency": "USD",
        "lines": [{"amount": amount, "quantity": 2} for amount in amounts],
        **further,
    }


def buy(till: Api, member: str, *amounts: int | str, **further: Any) -> dict[str, Any]:
    """The purchase that was posted."""
    purchase = order(member, *amounts, **further)
    till.post("/v1/purchases", purchase).expect(201)
    return purchase


def returns_of(purchase: dict[str, Any]) -> str:
    return f"/v1/purchases/{purchase['source']}/{purchase['order_id']}/returns"


def balance(api: Api, member: str, wallet: str = "points") -> dict[str, int]:
    found: dict[str, int] = api.get(f"/v1/members/{member}/balance?wallet={wallet}").expect(200)["balance"]
    return found


def available(api: Api, member: str, wallet: str = "points") -> int:
    return balance(api, member, wallet)["available"]


def entries(api: Api, member: str, query: str = "limit=100") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v1/members/{member}/entries?{query}").expect(200)["entries"]
    return found


def earlier(stack: Stack) -> Wallets:
    """The product's own use cases on the deployed table, for what can only have been done before today."""
    return Wallets(Ledger(LedgerStore(stack.table)))


def cause(at: int) -> Cause:
    return Cause(f"k#earlier#{secrets.token_hex(8)}", "earlier", "earlier", at)


class TestEarning:
    def test_a_purchase_earns_and_its_cents_are_carried_to_the_next(self, till: Api, enrol: Enrol) -> None:
        member = enrol()
        first = till.post("/v1/purchases", order(member, "30.60")).expect(201)
        assert (first["kind"], first["points"], first["purchase"]["amount"]) == ("earned", 30, 3060)
        assert first["balance"] == {"available": 30, "pending": 0, "held": 0, "arrears": 0}
        second = till.post("/v1/purchases", order(member, 1940, "0.50")).expect(201)
        assert second["points"] == 20
        third = till.post("/v1/purchases", order(member, "0.50")).expect(201)
        assert third["points"] == 1, "60 + 40 + 50 + 50 cents are two points, and the first came with the second order"
        assert available(till, member) == 51
        assert entries(till, member)[0] == third

    def test_the_same_key_and_body_give_the_first_answer_again(self, till: Api, enrol: Enrol) -> None:
        purchase = order(enrol(), "12.34")
        first = till.post("/v1/purchases", purchase, key="replay-1")
        assert not first.replayed
        again = till.post("/v1/purchases", purchase, key="replay-1")
        assert again.replayed
        assert again.expect(201) == first.expect(201)
        # the same numbers, written differently, are the same request
        reordered = till.call(
            "POST", "/v1/purchases", json.dumps(dict(reversed(purchase.items())), indent=4).encode(), key="replay-1"
        )
        assert reordered.replayed

    def test_the_same_key_with_another_body_is_a_conflict_and_changes_nothing(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        spend = f"/v1/members/{member}/redemptions"
        till.post(spend, {"points": 10}, key="reused").expect(201)
        till.post(spend, {"points": 11}, key="reused").expect(409, "IDEMPOTENCY_KEY_REUSED")
        till.post("/v1/purchases", order(member, "5.00"), key="reused").expect(409, "IDEMPOTENCY_KEY_REUSED")
        assert available(till, member) == 90

    def test_two_clients_may_use_the_same_key(self, till: Api, shop: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        for client in (till, shop):
            assert not client.post(f"/v1/members/{member}/redemptions", {"points": 10}, key="mine").replayed
        assert available(till, member) == 80

    def test_an_order_earns_once_whoever_reports_it(self, till: Api, shop: Api, enrol: Enrol) -> None:
        member = enrol()
        purchase = order(member, "50.00")
        first = till.post("/v1/purchases", purchase)
        other_channel = shop.post("/v1/purchases", {**purchase, "channel": "online"})
        assert other_channel.replayed
        assert other_channel.expect(201) == first.expect(201)
        other_content = {**purchase, "lines": [{"amount": "51.00", "quantity": 2}]}
        shop.post("/v1/purchases", other_content).expect(409, "PURCHASE_CONFLICT")
        shop.post("/v1/purchases", {**purchase, "member": enrol()}).expect(409, "PURCHASE_CONFLICT")
        assert available(till, member) == 50

    def test_a_purchase_finds_its_member_by_identity(self, till: Api, enrol: Enrol) -> None:
        card = f"card:{secrets.token_hex(6)}"
        member = enrol(identities=[card])
        purchase = {name: value for name, value in order(member, "7.00").items() if name != "member"}
        entry = till.post("/v1/purchases", {**purchase, "identity": card}).expect(201)
        assert (entry["member"], entry["points"]) == (member, 7)

    def test_an_event_gives_the_bonus_that_the_policy_sets(self, till: Api, enrol: Enrol) -> None:
        member = enrol()
        event = {"type": "review", "member": member, "occurred_at": NOW}
        entry = till.post("/v1/events", event).expect(201)
        assert (entry["event"], entry["points"], available(till, member)) == ("review", 20, 20)
        till.post("/v1/events", {**event, "type": "share"}).expect(422, "EVENT_TYPE_UNKNOWN")

    def test_points_of_a_policy_with_delay_are_pending_first(self, stack: Stack) -> None:
        with stack.api(stack.programmes["beta"].tokens["operator"]) as beta:
            member = beta.post("/v1/members", {"identities": [f"card:{secrets.token_hex(6)}"]}).expect(201)["id"]
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            entry = beta.post("/v1/purchases", order(member, 2550, currency="JPY", occurred_at=moment)).expect(201)
            assert entry["points"] == 25, "yen have no minor unit: 2,550 yen at a point for each hundred"
            assert entry["balance"] == {"available": 0, "pending": 25, "held": 0, "arrears": 0}
            lot = beta.get(f"/v1/members/{member}/balance").expect(200)["lots"][0]
            assert moment < lot["starts_at"] < lot["expires_at"]


class TestReturns:
    def test_returns_by_line_and_amount_add_up_to_the_whole(self, till: Api, enrol: Enrol) -> None:
        member = enrol()
        purchase = buy(till, member, "10.01", "20.50", "30.49")
        back = returns_of(purchase)
        one_piece = till.post(back, {"lines": [{"line": 1, "quantity": 1}]}).expect(201)
        assert one_piece["purchase"]["amount"] == 500
        part = till.post(back, {"lines": [{"line": 2, "amount": "0.50"}]}).expect(201)
        assert part["purchase"]["returned"] == 550
        lump = till.post(back, {"amount": 1050}).expect(201)
        assert lump["purchase"]["returned"] == 1600
        rest = till.post(back).expect(201)
        assert (rest["purchase"]["amount"], rest["purchase"]["returned"]) == (4500, 6100)
        assert available(till, member) == 0
        till.post(back).expect(422, "RETURN_EXCEEDS_PURCHASE")
        refused = till.post(back, {"lines": [{"line": 1, "amount": 1}]})
        assert refused.expect(422, "RETURN_EXCEEDS_PURCHASE")["returnable_amount"] == 0

    def test_a_purchase_wholly_returned_leaves_the_account_as_it_was(self, till: Api, enrol: Enrol) -> None:
        member = enrol()
        buy(till, member, "0.60")
        assert available(till, member) == 0
        purchase = buy(till, member, "0.60", "0.75")
        assert available(till, member) == 1
        for line in (1, 2):
            till.post(returns_of(purchase), {"lines": [{"line": line}]}).expect(201)
        assert balance(till, member) == {"available": 0, "pending": 0, "held": 0, "arrears": 0}
        till.post("/v1/purchases", order(member, "0.40")).expect(201)
        assert available(till, member) == 1, "the 60 cents from before were kept through the return"

    def test_returned_points_that_are_spent_are_owed_and_repaid_first(self, till: Api, enrol: Enrol) -> None:
        member = enrol()
        purchase = buy(till, member, "40.00")
        till.post(f"/v1/members/{member}/redemptions", {"points": 30}).expect(201)
        till.post(returns_of(purchase)).expect(201)
        assert balance(till, member) == {"available": 0, "pending": 0, "held": 0, "arrears": 30}
        repaid = till.post("/v1/purchases", order(member, "50.00")).expect(201)
        assert repaid["balance"] == {"available": 20, "pending": 0, "held": 0, "arrears": 0}
        assert {"why": "repaid", "state": "arrears", "points": -30} in repaid["movements"]

    def test_a_return_is_replayed_like_anything_else(self, till: Api, enrol: Enrol) -> None:
        purchase = buy(till, enrol(), "40.00")
        first = till.post(returns_of(purchase), {"amount": 1000}, key="back-1").expect(201)
        again = till.post(returns_of(purchase), {"amount": 1000}, key="back-1")
        assert again.replayed
        assert again.expect(201) == first


class TestSpending:
    def test_a_redemption_and_its_cancellation(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        spent = till.post(f"/v1/members/{member}/redemptions", {"points": 60, "reason": "coffee"}).expect(201)
        assert (spent["kind"], spent["points"], spent["reason"]) == ("redeemed", 60, "coffee")
        refused = till.post(f"/v1/members/{member}/redemptions", {"points": 41})
        problem = refused.expect(422, "POINTS_INSUFFICIENT")
        assert (problem["available"], problem["missing_points"]) == (40, 1)
        cancel = f"/v1/redemptions/{spent['redemption']}/cancel"
        restored = till.post(cancel, key="cancel-1").expect(201)
        assert (restored["kind"], restored["balance"]["available"]) == ("restored", 100)
        assert till.post(cancel, key="cancel-1").replayed
        till.post(cancel).expect(409, "REDEMPTION_ALREADY_CANCELLED")
        assert available(till, member) == 100

    def test_a_hold_is_captured_in_part_and_released(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        held = till.post(f"/v1/members/{member}/holds", {"points": 80, "minutes": 10}).expect(201)
        hold = held["hold"]["id"]
        assert held["balance"] == {"available": 20, "pending": 0, "held": 80, "arrears": 0}
        till.post(f"/v1/members/{member}/redemptions", {"points": 21}).expect(422, "POINTS_INSUFFICIENT")
        till.post(f"/v1/holds/{hold}/capture", {"points": 81}).expect(422, "HOLD_EXCEEDED")
        first = till.post(f"/v1/holds/{hold}/capture", {"points": 30, "final": False}).expect(201)
        assert first["hold"] == {"id": hold, "released": 0, "left": 50}
        seen = till.get(f"/v1/members/{member}/balance").expect(200)["holds"]
        assert [(one["id"], one["points"], one["offline"]) for one in seen] == [(hold, 50, False)]
        last = till.post(f"/v1/holds/{hold}/capture", {"points": 10}).expect(201)
        assert (last["hold"]["released"], last["balance"]["available"], last["balance"]["held"]) == (40, 60, 0)
        till.post(f"/v1/holds/{hold}/capture").expect(409, "HOLD_NOT_ACTIVE")
        till.post(f"/v1/holds/{hold}/release").expect(409, "HOLD_NOT_ACTIVE")
        other = till.post(f"/v1/members/{member}/holds", {"points": 60}).expect(201)["hold"]["id"]
        released = till.post(f"/v1/holds/{other}/release", key="release-1").expect(201)
        assert (released["points"], released["balance"]["available"]) == (60, 60)
        assert till.post(f"/v1/holds/{other}/release", key="release-1").replayed
        till.post(f"/v1/redemptions/{last['redemption']}/cancel").expect(201)
        assert available(till, member) == 70

    def test_a_hold_lapses_by_itself(self, stack: Stack, till: Api, enrol: Enrol) -> None:
        member = enrol()
        chain = Chain("alpha", member, "points")
        began = int(time.time()) + 1
        wallets = earlier(stack)
        wallets.adjust(chain, 50, 0, "to begin with", cause(began), began)
        held = wallets.hold(chain, 50, began + 1, offline=False, cause=cause(began), now=began).entry.number
        while time.time() < began + 1:
            time.sleep(0.1)
        assert balance(till, member) == {"available": 50, "pending": 0, "held": 0, "arrears": 0}
        hold = f"hld_{member.removeprefix('mem_')}-points-{held}"
        till.post(f"/v1/holds/{hold}/capture").expect(409, "HOLD_NOT_ACTIVE")
        spent = till.post(f"/v1/members/{member}/redemptions", {"points": 50}).expect(201)
        assert [move["why"] for move in spent["movements"]] == ["lapsed", "lapsed", "spent"]

    def test_an_account_has_so_many_holds_and_no_more(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        for _ in range(20):
            till.post(f"/v1/members/{member}/holds", {"points": 1}).expect(201)
        till.post(f"/v1/members/{member}/holds", {"points": 1}).expect(422, "HOLD_LIMIT_REACHED")


class TestOfflineAllowance:
    def allow(self, till: Api, member: str, points: int = 40, **further: Any) -> tuple[str, str]:
        """(path of the capture, signed allowance)."""
        granted = till.post("/v1/holds", {"member": member, "points": points, **further}).expect(201)
        assert granted["hold"]["offline"] is True
        return f"/v1/holds/{granted['hold']['id']}/capture", granted["allowance"]

    def test_a_till_spends_offline_and_settles_within_its_allowance(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        capture, allowance = self.allow(till, member)
        claims = json.loads(base64.urlsafe_b64decode(allowance.split(".")[1] + "=="))
        assert (claims["points"], claims["prg"], claims["sub"] in capture) == (40, "alpha", True)
        assert claims["spend_until"] < claims["exp"]
        assert balance(till, member)["held"] == 40
        till.post(capture, {"points": 41, "allowance": allowance}).expect(422, "HOLD_EXCEEDED")
        till.post(capture, {"points": 15, "final": False, "allowance": allowance}, key="settle-1").expect(201)
        assert till.post(capture, {"points": 15, "final": False, "allowance": allowance}, key="settle-1").replayed
        till.post(capture, {"points": 26, "allowance": allowance}).expect(422, "HOLD_EXCEEDED")
        till.post(capture, {"points": 20, "allowance": allowance}).expect(201)
        assert balance(till, member) == {"available": 65, "pending": 0, "held": 0, "arrears": 0}
        till.post(capture, {"points": 1, "allowance": allowance}).expect(409, "HOLD_NOT_ACTIVE")

    def test_it_comes_again_with_the_answer_that_is_repeated(self, till: Api, enrol: Enrol) -> None:
        body = {"member": enrol(points=10), "points": 10}
        first = till.post("/v1/holds", body, key="allow-1").expect(201)
        assert till.post("/v1/holds", body, key="allow-1").expect(201) == first

    def test_without_it_or_with_a_wrong_one_nothing_is_settled(self, stack: Stack, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        capture, allowance = self.allow(till, member)
        _, of_other_hold = self.allow(till, member)
        head, claims, _ = allowance.split(".")
        more = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"points": 10_000}
        forged = base64.urlsafe_b64encode(json.dumps(more).encode()).rstrip(b"=").decode()
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        with stack.api(stack.programmes["alpha"].tokens["shop"]) as shop:
            member_token = shop.post(f"/v1/members/{member}/tokens").expect(201)["token"]
        wrong = [
            None,
            "",
            "x",
            of_other_hold,
            f"{head}.{forged}.{allowance.split('.')[2]}",
            f"{unsigned}.{claims}.",
            allowance[:-4] + ("AAAA" if allowance[-4:] != "AAAA" else "BBBB"),
            member_token,
        ]
        for one in wrong:
            body = {"points": 1} if one is None else {"points": 1, "allowance": one}
            till.post(capture, body).expect(403, "HOLD_ALLOWANCE_INVALID")
        assert balance(till, member) == {"available": 20, "pending": 0, "held": 80, "arrears": 0}
        assert len(entries(till, member)) == 4

    def test_after_its_deadline_it_settles_nothing_and_the_points_are_back(
        self, stack: Stack, till: Api, enrol: Enrol
    ) -> None:
        member = enrol()
        chain = Chain("alpha", member, "points")
        began = int(time.time()) + 1
        wallets = earlier(stack)
        wallets.adjust(chain, 50, 0, "to begin with", cause(began), began)
        held = wallets.hold(chain, 50, began + 1, offline=True, cause=cause(began), now=began).entry.number
        hold = f"hld_{member.removeprefix('mem_')}-points-{held}"
        secret = token_secrets(stack.secret("SigningSecretId"))
        allowance = Tokens(lambda: secret).issue_allowance(
            program="alpha",
            client="earlier",
            hold_id=hold,
            points=50,
            spend_until=began,
            settle_until=began + 1,
            now=began,
        )
        while time.time() < began + 1:
            time.sleep(0.1)
        late = till.post(f"/v1/holds/{hold}/capture", {"allowance": allowance})
        assert late.code in {"HOLD_NOT_ACTIVE", "HOLD_ALLOWANCE_INVALID"}
        assert available(till, member) == 50

    def test_the_hold_behind_it_is_released_by_who_shows_it(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=40)
        capture, allowance = self.allow(till, member, minutes=60, settle_minutes=60)
        release = capture.replace("/capture", "/release")
        till.post(release).expect(403, "HOLD_ALLOWANCE_INVALID")
        till.post(release, {"allowance": allowance}).expect(201)
        till.post(capture, {"allowance": allowance}).expect(409, "HOLD_NOT_ACTIVE")
        assert available(till, member) == 40


class TestOperators:
    def test_an_adjustment_names_its_reason_and_who_made_it(self, stack: Stack, operator: Api, enrol: Enrol) -> None:
        member = enrol()
        up = operator.post(f"/v1/members/{member}/adjustments", {"points": 30, "reason": "sorry"}).expect(201)
        assert (up["reason"], up["by"]) == ("sorry", stack.programmes["alpha"].tokens["operator"].split(".")[1])
        path = f"/v1/members/{member}/adjustments"
        operator.post(path, {"points": -31, "reason": "x"}).expect(422, "POINTS_INSUFFICIENT")
        down = operator.post(path, {"points": -10, "reason": "typed twice"}).expect(201)
        assert (down["points"], down["balance"]["available"]) == (-10, 20)
        full = operator.post(path, {"points": 10**12, "reason": "too much"})
        full.expect(422, "ACCOUNT_FULL")
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
        operator.post(path, {"points": 5, "reason": "for today", "expires_at": ends}).expect(201)
        seen = operator.get(f"/v1/members/{member}/balance").expect(200)
        assert seen["expires_next"] == {"points": 5, "expires_at": ends}

    def test_points_move_between_accounts_and_wallets(self, operator: Api, enrol: Enrol) -> None:
        giver, taker = enrol(points=100), enrol()
        path = f"/v1/members/{giver}/transfers"
        body = {"to": taker, "points": 60, "reason": "gift"}
        out = operator.post(path, body, key="gift-1").expect(201)
        assert (out["kind"], out["to"], out["balance"]["available"]) == ("transferred_out", f"{taker}/points", 40)
        assert operator.post(path, body, key="gift-1").replayed
        operator.post(path, {"to": taker, "points": 41, "reason": "x"}).expect(422, "POINTS_INSUFFICIENT")
        operator.post(path, {"to": giver, "points": 1, "reason": "x"}).expect(422, "TRANSFER_SAME_ACCOUNT")
        operator.post(path, {"to": giver, "to_wallet": "cash", "points": 15, "reason": "cash"}).expect(201)
        assert available(operator, giver) + available(operator, taker) + available(operator, giver, "cash") == 100
        assert available(operator, giver, "cash") == 15
        arrived = entries(operator, taker)[0]
        assert (arrived["kind"], arrived["source"], arrived["points"]) == ("transferred_in", f"{giver}/points", 60)

    def test_expired_points_cannot_be_spent_and_the_sweep_writes_that_down(
        self, stack: Stack, till: Api, operator: Api, enrol: Enrol
    ) -> None:
        member = enrol()
        began = int(time.time()) + 1
        chain = Chain("alpha", member, "points")
        earlier(stack).adjust(chain, 50, began + 1, "for a second", cause(began), began)
        while time.time() < began + 1:
            time.sleep(0.1)
        assert available(till, member) == 0, "nothing has swept, and nothing can be spent"
        till.post(f"/v1/members/{member}/redemptions", {"points": 1}).expect(422, "POINTS_INSUFFICIENT")
        before = len(entries(till, member))
        swept = operator.post(f"/v1/members/{member}/expirations").expect(201)
        assert (swept["kind"], [move["why"] for move in swept["movements"]]) == ("expired", ["expired"])
        again = operator.post(f"/v1/members/{member}/expirations").expect(201)
        assert again == swept, "there is nothing more to write down"
        assert len(entries(till, member)) == before + 1

    def test_a_frozen_account_earns_and_lets_nothing_go_until_it_is_unfrozen(
        self, till: Api, operator: Api, enrol: Enrol
    ) -> None:
        member = enrol(points=100)
        operator.post(f"/v1/members/{member}/unfreeze", {"reason": "x"}).expect(409, "ACCOUNT_STATUS_UNCHANGED")
        operator.post(f"/v1/members/{member}/freeze", {"reason": "lost card"}).expect(201)
        operator.post(f"/v1/members/{member}/freeze", {"reason": "again"}).expect(409, "ACCOUNT_STATUS_UNCHANGED")
        till.post("/v1/purchases", order(member, "10.00")).expect(201)
        till.post(f"/v1/members/{member}/redemptions", {"points": 1}).expect(409, "ACCOUNT_FROZEN")
        till.post(f"/v1/members/{member}/holds", {"points": 1}).expect(409, "ACCOUNT_FROZEN")
        transfer = {"to": enrol(), "points": 1, "reason": "x"}
        operator.post(f"/v1/members/{member}/transfers", transfer).expect(409, "ACCOUNT_FROZEN")
        assert till.get(f"/v1/members/{member}/balance").expect(200)["status"] == "frozen"
        operator.post(f"/v1/members/{member}/unfreeze", {"reason": "found"}).expect(201)
        till.post(f"/v1/members/{member}/redemptions", {"points": 110}).expect(201)

    def test_a_closed_account_can_be_read_and_takes_nothing_more(self, till: Api, operator: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        close = f"/v1/members/{member}/close"
        hold = till.post(f"/v1/members/{member}/holds", {"points": 10}).expect(201)["hold"]["id"]
        problem = operator.post(close, {"reason": "moved", "forfeit": True}).expect(409, "ACCOUNT_NOT_EMPTY")
        assert (problem["held"], problem["available"]) == (10, 90)
        till.post(f"/v1/holds/{hold}/release").expect(201)
        operator.post(close, {"reason": "moved"}).expect(409, "ACCOUNT_NOT_EMPTY")
        closed = operator.post(close, {"reason": "moved", "forfeit": True}, key="close-1").expect(201)
        assert closed["balance"] == {"available": 0, "pending": 0, "held": 0, "arrears": 0}
        assert operator.post(close, {"reason": "moved", "forfeit": True}, key="close-1").replayed
        till.post("/v1/purchases", order(member, "10.00")).expect(409, "ACCOUNT_CLOSED")
        till.post(f"/v1/members/{member}/redemptions", {"points": 1}).expect(409, "ACCOUNT_CLOSED")
        till.post(f"/v1/members/{member}/holds", {"points": 1}).expect(409, "ACCOUNT_CLOSED")
        operator.post(f"/v1/members/{member}/adjustments", {"points": 1, "reason": "x"}).expect(409, "ACCOUNT_CLOSED")
        giver = enrol(points=1)
        transfer = {"to": member, "points": 1, "reason": "x"}
        operator.post(f"/v1/members/{giver}/transfers", transfer).expect(409, "ACCOUNT_CLOSED")
        assert till.get(f"/v1/members/{member}/balance").expect(200)["status"] == "closed"
        assert available(operator, giver) == 1


class TestReading:
    def test_entries_come_newest_first_and_the_cursor_goes_on(self, till: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        for _ in range(8):
            till.post(f"/v1/members/{member}/redemptions", {"points": 1}).expect(201)
        numbers: list[int] = []
        query = "limit=3"
        pages = 0
        while query:
            page = till.get(f"/v1/members/{member}/entries?{query}").expect(200)
            numbers += [entry["number"] for entry in page["entries"]]
            pages += 1
            query = f"limit=3&cursor={page['next']}" if "next" in page else ""
        assert numbers == list(range(10, 0, -1))
        assert pages in {4, 5}
        newest = entries(till, member, "limit=1")[0]
        assert till.get(f"/v1/entries/{newest['id']}").expect(200) == newest

    def test_a_wallet_that_was_never_used_is_empty_and_one_that_is_not_there_is_not_found(
        self, till: Api, operator: Api, enrol: Enrol
    ) -> None:
        member = enrol()
        assert available(till, member, "cash") == 0
        for path in ("balance", "entries", "verification"):
            operator.get(f"/v1/members/{member}/{path}?wallet=miles").expect(404, "WALLET_NOT_FOUND")
        spend = {"points": 1, "wallet": "miles"}
        till.post(f"/v1/members/{member}/redemptions", spend).expect(404, "WALLET_NOT_FOUND")

    def test_every_chain_verifies(self, till: Api, auditor: Api, enrol: Enrol) -> None:
        member = enrol(points=100)
        buy(till, member, "12.34")
        till.post(f"/v1/members/{member}/redemptions", {"points": 50}).expect(201)
        found = auditor.get(f"/v1/members/{member}/verification").expect(200)
        assert found == {"member": member, "wallet": "points", "entries": 4, "ok": True}

    def test_answers_carry_an_id_and_are_not_kept_by_caches(self, till: Api, enrol: Enrol) -> None:
        answer = till.get(f"/v1/members/{enrol()}/balance")
        assert answer.headers["x-request-id"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"


class TestMembers:
    def test_a_member_is_found_by_every_identity_and_none_is_ever_shown(self, till: Api, enrol: Enrol) -> None:
        mark = secrets.randbelow(10**8)
        known = [f"phone:+49 151 {mark:08d}", f"card:C{mark}", f"email:Ann{mark}@Example.com", f"openid:o{mark}"]
        member = enrol(identities=known)
        for query in (
            f"phone:%2B49151{mark:08d}",
            f"phone:+49151{mark:08d}",
            f"phone:0049151{mark:08d}",
            f"card:C{mark}",
            f"email:ann{mark}@example.com",
            f"openid:o{mark}",
        ):
            answer = till.get(f"/v1/members?identity={query}")
            assert [one["id"] for one in answer.expect(200)["members"]] == [member]
            assert str(mark).encode() not in answer.raw
        till.get("/v1/members?identity=card:nobody").expect(404, "MEMBER_NOT_FOUND")

    def test_enrolling_twice_gives_one_member(self, till: Api) -> None:
        body = {"identities": [f"card:{secrets.token_hex(6)}"], "attributes": {"newsletter": True}}
        key = secrets.token_hex(8)
        first = till.post("/v1/members", body, key=key)
        again = till.post("/v1/members", body, key=key)
        assert again.replayed
        assert again.expect(201) == first.expect(201)
        till.post("/v1/members", body).expect(409, "MEMBER_IDENTITY_TAKEN")
        other = {"identities": [f"card:{secrets.token_hex(6)}"]}
        till.post("/v1/members", other, key=key).expect(409, "IDEMPOTENCY_KEY_REUSED")

    def test_a_change_goes_by_the_version_it_has_seen(self, till: Api, shop: Api, enrol: Enrol) -> None:
        old, new = f"card:{secrets.token_hex(6)}", f"card:{secrets.token_hex(6)}"
        member = enrol(identities=[old], attributes={"tier_wish": "gold", "newsletter": True})
        path = f"/v1/members/{member}"
        seen = till.get(path).headers["etag"]
        body = {"add_identities": [new], "remove_identities": [old], "attributes": {"newsletter": None}}
        till.call("PATCH", path, body, headers={"If-Match": seen}).expect(403, "AUTH_SCOPE_MISSING")
        changed = shop.call("PATCH", path, body, headers={"If-Match": seen})
        assert changed.expect(200)["attributes"] == {"tier_wish": "gold"}
        assert changed.headers["etag"] != seen
        till.call("PATCH", path, {"language": "de"}, headers={"If-Match": seen}).expect(412, "MEMBER_VERSION_CONFLICT")
        assert till.get(f"/v1/members?identity={new}").expect(200)["members"][0]["id"] == member
        till.get(f"/v1/members?identity={old}").expect(404, "MEMBER_NOT_FOUND")
        assert enrol(identities=[old]) != member, "an identity that was given up is free"

    def test_all_kinds_of_accounts_are_enrolled_and_listed(self, operator: Api, auditor: Api) -> None:
        made = {
            operator.post("/v1/members", {"kind": kind, "identities": [f"card:{secrets.token_hex(6)}"]}).expect(201)[
                "id"
            ]
            for kind in ("member", "employee", "supplier", "household", "pool")
        }
        listed: list[str] = []
        query = "limit=40"
        while query:
            page = auditor.get(f"/v1/members?{query}").expect(200)
            listed += [one["id"] for one in page["members"]]
            query = f"limit=40&cursor={page['next']}" if "next" in page else ""
        assert made <= set(listed)
        assert len(listed) == len(set(listed))


class TestMemberTokens:
    @pytest.fixture
    def issued(self, stack: Stack, shop: Api, enrol: Enrol) -> tuple[str, str]:
        """(member, its token)."""
        member = enrol(points=100)
        said = shop.post(f"/v1/members/{member}/tokens", {"ttl": 600}).expect(201)
        assert said["member"] == member
        return member, said["token"]

    def test_it_reads_its_member_and_redeems_in_its_name(self, stack: Stack, issued: tuple[str, str]) -> None:
        member, token = issued
        with stack.api(token) as phone:
            assert phone.get(f"/v1/members/{member}").expect(200)["id"] == member
            assert available(phone, member) == 100
            spent = phone.post(f"/v1/members/{member}/redemptions", {"points": 30}, key="by-myself").expect(201)
            assert phone.post(f"/v1/members/{member}/redemptions", {"points": 30}, key="by-myself").replayed
            assert phone.get(f"/v1/entries/{spent['id']}").expect(200) == spent
            assert entries(phone, member)[0] == spent

    def test_it_reaches_no_other_member(self, stack: Stack, issued: tuple[str, str], enrol: Enrol, till: Api) -> None:
        _, token = issued
        card = f"card:{secrets.token_hex(6)}"
        other = enrol(points=50, identities=[card])
        entry = entries(till, other)[0]["id"]
        with stack.api(token) as phone:
            for path in (f"/v1/members/{other}", f"/v1/members/{other}/balance", f"/v1/members/{other}/entries"):
                phone.get(path).expect(403, "AUTH_MEMBER_FORBIDDEN")
            phone.get(f"/v1/entries/{entry}").expect(403, "AUTH_MEMBER_FORBIDDEN")
            phone.get(f"/v1/members?identity={card}").expect(403, "AUTH_MEMBER_FORBIDDEN")
            phone.get("/v1/members").expect(403, "AUTH_MEMBER_FORBIDDEN")
            spend = f"/v1/members/{other}/redemptions"
            phone.post(spend, {"points": 1}).expect(403, "AUTH_MEMBER_FORBIDDEN")
        assert available(till, other) == 50

    def test_it_does_nothing_else_even_for_its_own_member(self, stack: Stack, issued: tuple[str, str]) -> None:
        member, token = issued
        with stack.api(token) as phone:
            spent = phone.post(f"/v1/members/{member}/redemptions", {"points": 30}).expect(201)["redemption"]
            for path, body in (
                ("/v1/purchases", order(member, "1.00")),
                ("/v1/events", {"type": "check_in", "member": member, "occurred_at": NOW}),
                (f"/v1/redemptions/{spent}/cancel", {}),
                (f"/v1/members/{member}/holds", {"points": 1}),
                (f"/v1/members/{member}/adjustments", {"points": 1, "reason": "x"}),
                (f"/v1/members/{member}/tokens", {}),
                (f"/v1/members/{member}/unfreeze", {"reason": "x"}),
            ):
                phone.post(path, body).expect(403, "AUTH_SCOPE_MISSING")
            phone.call("PATCH", f"/v1/members/{member}", {"language": "de"}).expect(403, "AUTH_SCOPE_MISSING")

    def test_an_expired_or_forged_one_opens_nothing(self, stack: Stack, till: Api, issued: tuple[str, str]) -> None:
        member, token = issued
        secret = token_secrets(stack.secret("SigningSecretId"))
        issuer = stack.programmes["alpha"].tokens["shop"].split(".")[1]
        now = int(time.time())

        def made(by: Tokens, **different: Any) -> str:
            said: dict[str, Any] = {
                "program": "alpha",
                "client": issuer,
                "member": member,
                "ttl": 600,
                "now": now,
            } | different
            return by.issue_member_token(**said)

        ours = Tokens(lambda: secret)
        others = Tokens(lambda: token_secrets(json.dumps({"current": "x" * 64})))
        head, claims, signature = token.split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        with stack.api(made(ours)) as phone:
            assert available(phone, member) == 100, "what is made like this is good, so what follows is not for nothing"
        for wrong in (
            made(ours, now=now - 1000),
            made(others),
            made(ours, program="beta"),
            made(ours, client=stack.programmes["alpha"].tokens["till"].split(".")[1]),
            made(ours, client="cli_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            f"{none}.{claims}.",
            f"{head}.{claims}.{signature[:-6]}AAAAAA",
            f"{head}.{claims}",
            till.post("/v1/holds", {"member": member, "points": 1}).expect(201)["allowance"],
        ):
            with stack.api(wrong) as phone:
                assert phone.get(f"/v1/members/{member}/balance").status == 403


class TestClients:
    def test_a_key_is_rotated_without_downtime(self, stack: Stack, operator: Api, enrol: Enrol) -> None:
        member = enrol(points=10)
        made = operator.post("/v1/clients", {"name": "Till 7", "role": "till"}, key=None).expect(201)
        path = f"/v1/clients/{made['client']['id']}/rotate"
        assert made["key"].startswith(f"alpha.{made['client']['id']}.")
        rotated = operator.post(path, {"overlap": 600}, key=None).expect(200)
        assert rotated["key"] != made["key"]
        for key in (made["key"], rotated["key"]):
            with stack.api(key) as both:
                assert available(both, member) == 10
        at_once = operator.post(path, {"overlap": 0}, key=None).expect(200)
        with stack.api(at_once["key"]) as new:
            assert available(new, member) == 10
        listed = operator.get("/v1/clients?limit=100")
        assert made["key"].rsplit(".", 1)[1].encode() not in listed.raw

    def test_a_replaced_key_without_overlap_opens_nothing(self, stack: Stack, operator: Api) -> None:
        made = operator.post("/v1/clients", {"name": "Till 8", "role": "till"}, key=None).expect(201)
        operator.post(f"/v1/clients/{made['client']['id']}/rotate", {"overlap": 0}, key=None).expect(200)
        with stack.api(made["key"]) as old:
            assert old.get("/v1/members?identity=card:1").status == 403

    def test_a_revoked_client_is_out_and_stays_listed(self, stack: Stack, operator: Api) -> None:
        made = operator.post("/v1/clients", {"name": "Till 9", "role": "till"}, key=None).expect(201)
        client = made["client"]["id"]
        operator.call("DELETE", f"/v1/clients/{client}").expect(204)
        operator.call("DELETE", f"/v1/clients/{client}").expect(204)
        with stack.api(made["key"]) as out:
            assert out.get("/v1/members?identity=card:1").status == 403
        operator.post(f"/v1/clients/{client}/rotate", key=None).expect(409, "CLIENT_REVOKED")
        listed = {one["id"]: one for one in operator.get("/v1/clients?limit=100").expect(200)["clients"]}
        assert "revoked_at" in listed[client]

    def test_member_tokens_end_with_the_client_that_issued_them(
        self, stack: Stack, operator: Api, enrol: Enrol
    ) -> None:
        made = operator.post("/v1/clients", {"name": "Shop 2", "role": "shop"}, key=None).expect(201)
        member = enrol()
        with stack.api(made["key"]) as shop:
            token = shop.post(f"/v1/members/{member}/tokens").expect(201)["token"]
        operator.call("DELETE", f"/v1/clients/{made['client']['id']}").expect(204)
        with stack.api(token) as phone:
            assert phone.get(f"/v1/members/{member}").status == 403

    def test_the_last_operator_stays(self, stack: Stack) -> None:
        operator = stack.programmes["beta"].tokens["operator"]
        with stack.api(operator) as beta:
            path = f"/v1/clients/{operator.split('.')[1]}"
            beta.call("DELETE", path).expect(409, "CLIENT_LAST_OPERATOR")

    def test_a_narrowed_client_does_only_what_it_was_given(self, stack: Stack, operator: Api, enrol: Enrol) -> None:
        body = {"name": "Display", "role": "till", "scopes": ["balance:read"]}
        key = operator.post("/v1/clients", body, key=None).expect(201)["key"]
        member = enrol(points=10)
        with stack.api(key) as display:
            assert available(display, member) == 10
            spend = f"/v1/members/{member}/redemptions"
            display.post(spend, {"points": 1}).expect(403, "AUTH_SCOPE_MISSING")

    def test_a_client_over_its_limit_is_told_when_to_come_again(
        self, stack: Stack, operator: Api, enrol: Enrol
    ) -> None:
        body = {"name": "Slow", "role": "till", "limit": 1}
        key = operator.post("/v1/clients", body, key=None).expect(201)["key"]
        member = enrol()
        with stack.api(key) as slow:
            answers = [slow.get(f"/v1/members/{member}/balance") for _ in range(20)]
        over = [answer for answer in answers if answer.status == 429]
        assert over
        assert {answer.code for answer in over} == {"REQUEST_RATE_LIMITED"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in over)
        assert {answer.status for answer in answers} == {200, 429}


class TestPolicy:
    def test_a_policy_is_replaced_by_whoever_has_seen_it(self, stack: Stack) -> None:
        with stack.api(stack.programmes["beta"].tokens["operator"]) as beta:
            seen = beta.get("/v1/program")
            policy = seen.expect(200)
            tag = seen.headers["etag"]
            wanted = {**_sent(policy), "name": "Beta II"}
            put = beta.call("PUT", "/v1/program", wanted, headers={"If-Match": tag})
            assert put.expect(200)["name"] == "Beta II"
            assert put.headers["etag"] != tag
            beta.call("PUT", "/v1/program", wanted, headers={"If-Match": tag}).expect(412, "PROGRAM_VERSION_CONFLICT")
            beta.call("PUT", "/v1/program", wanted).expect(428, "REQUEST_VERSION_MISSING")
            for wrong, field in (
                ({"earn": {"rate": 1.5}}, "earn.rate"),
                ({"earn": {"rate": "0"}}, "earn.rate"),
                ({"expiry": {"kind": "rolling", "months": 0}}, "expiry"),
                ({"timezone": "Mars/Olympus"}, "timezone"),
                ({"colour": "blue"}, "colour"),
            ):
                refused = beta.call(
                    "PUT", "/v1/program", {**wanted, **wrong}, headers={"If-Match": put.headers["etag"]}
                )
                assert refused.expect(400, "REQUEST_INVALID")["field"].startswith(field)
            other = {**wanted, "program": "alpha"}
            tags = {"If-Match": put.headers["etag"]}
            beta.call("PUT", "/v1/program", other, headers=tags).expect(403, "AUTH_PROGRAM_FORBIDDEN")
            assert beta.get("/v1/program").expect(200)["name"] == "Beta II"


def _sent(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy as it is sent: what was derived from it is left out."""
    return {name: value for name, value in policy.items() if name != "version"}


class TestStores:
    def test_a_till_of_one_store_does_nothing_in_another(self, bound: Api, enrol: Enrol) -> None:
        member = enrol()
        bound.post("/v1/purchases", order(member, "5.00")).expect(201)
        for store in ("320", ""):
            elsewhere = bound.post("/v1/purchases", order(member, "5.00", store=store))
            assert elsewhere.expect(403, "AUTH_STORE_FORBIDDEN")["field"] == "store"
            event = {"type": "check_in", "member": member, "occurred_at": NOW, "store": store}
            bound.post("/v1/events", event).expect(403, "AUTH_STORE_FORBIDDEN")
        purchase = buy(bound, member, "6.00")
        bound.post(returns_of(purchase), {"store": "320"}).expect(403, "AUTH_STORE_FORBIDDEN")
        bound.post(returns_of(purchase), {"store": STORE}).expect(201)
        assert available(bound, member) == 5


def test_a_moving_request_without_a_key_is_refused(till: Api, enrol: Enrol) -> None:
    member = enrol(points=10)
    path = f"/v1/members/{member}/redemptions"
    problem = till.post(path, {"points": 1}, key=None).expect(400, "REQUEST_KEY_MISSING")
    assert problem["field"] == "Idempotency-Key"
    assert available(till, member) == 10
    till.post(path, {"points": 1}, key=FRESH).expect(201)
