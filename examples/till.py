#!/usr/bin/env python3
"""A till: enrols by card, posts sales, redeems, holds, works without a network and settles afterwards.

Standard library only. docs/tutorial.md explains it part by part. Run against the local stack it plays one day:

    python examples/till.py

Another stack: ``LOYALTY_API_URL`` and ``LOYALTY_TOKEN``, a till's key.
"""

import base64
import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

Json = dict[str, Any]


class Offline(Exception):
    """Nobody answered. The request may or may not have been carried out; the same key makes it safe to send again."""


class Refused(Exception):
    """The API said no, and would say no again."""

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}")
        self.code = problem.get("code", "")
        self.problem = problem


class Loyalty:
    """The API, with the retries that a till needs. ``plugged`` False is a pulled cable."""

    def __init__(self, url: str, key: str, tries: int = 5) -> None:
        self.where = urlsplit(url)
        self.key = key
        self.tries = tries
        self.plugged = True
        self.replayed = False

    def call(self, method: str, path: str, body: Json | None = None, key: str = "") -> Json:
        """One operation, sent until it is answered. Every try of it has the same ``key`` and the same body."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        for left in reversed(range(self.tries)):
            try:
                status, said, answer = self._once(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise Offline(str(error)) from error
                time.sleep(0.2)
                continue
            if status < 400:
                self.replayed = said.get("idempotency-replayed") == "true"
                return answer
            passing = "retry-after" in said or status in (500, 502, 503, 504)
            if not passing:
                raise Refused(answer)
            if not left:
                raise Offline(f"{status} to the last")
            time.sleep(float(said.get("retry-after", 0.2)))
        raise AssertionError("the last try answers or raises")

    def _once(
        self, method: str, path: str, body: Json | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], Json]:
        if not self.plugged:
            raise ConnectionError("no network")
        secure = self.where.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self.where.hostname or "", self.where.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(text or "{}")
        except ValueError as error:
            raise http.client.HTTPException(f"not JSON: {error}") from error
        finally:
            connection.close()


class Journal:
    """What the till must not forget: written to a file before anything is done with it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.kept: Json = {"count": 0, "sales": [], "allowances": {}}
        if file.exists():
            self.kept = json.loads(file.read_text())

    def save(self) -> None:
        draft = self.file.with_suffix(".tmp")
        draft.write_text(json.dumps(self.kept, indent=1))
        draft.replace(self.file)


class Till:
    """One till. ``name`` makes its order numbers and keys different from every other till's."""

    def __init__(self, api: Loyalty, journal: Journal, name: str, clock: Callable[[], float] = time.time) -> None:
        self.api = api
        self.journal = journal
        self.name = name
        self.clock = clock

    def number(self) -> str:
        """A number that this till gives out once, even if it is switched off in between."""
        self.journal.kept["count"] += 1
        self.journal.save()
        return f"{self.name}-{self.journal.kept['count']}"

    def member(self, card: str) -> str:
        """The id of the member with this card; a card that nobody has is enrolled."""
        try:
            return str(self.api.call("GET", f"/v1/members?identity={quote(f'card:{card}')}")["members"][0]["id"])
        except Refused as refused:
            if refused.code != "MEMBER_NOT_FOUND":
                raise
        new = self.api.call("POST", "/v1/members", {"identities": [f"card:{card}"]}, key=f"enrol-{card}")
        return str(new["id"])

    def sell(self, card: str, *lines: Json) -> tuple[str, Json | None]:
        """Post a sale; its number, and the entry. None when it was written down for later instead."""
        order = self.number()
        sale = {
            "source": "pos",
            "order_id": order,
            "identity": f"card:{card}",
            "occurred_at": datetime.fromtimestamp(self.clock(), UTC).isoformat(),
            "currency": "USD",
            "lines": list(lines),
        }
        try:
            return order, self.api.call("POST", "/v1/purchases", sale, key=order)
        except Offline:
            self.journal.kept["sales"].append({"type": "purchase", **sale})
            self.journal.save()
            return order, None

    def take_back(self, order: str, **what: Any) -> Json | None:
        """Return a sale, whole or in part; the entry. None when it was written down for later instead."""
        number = self.number()
        try:
            return self.api.call("POST", f"/v1/purchases/pos/{order}/returns", what, key=number)
        except Offline:
            item = {"type": "return", "source": "pos", "order_id": order, "return_id": number, **what}
            self.journal.kept["sales"].append(item)
            self.journal.save()
            return None

    def redeem(self, member: str, points: int, what: str) -> Json:
        """Spend points at once."""
        body = {"points": points, "reason": what}
        return self.api.call("POST", f"/v1/members/{member}/redemptions", body, key=self.number())

    def hold(self, member: str, points: int) -> Json:
        """Set points aside while the customer pays."""
        return self.api.call("POST", f"/v1/members/{member}/holds", {"points": points}, key=self.number())

    def capture(self, hold: str, points: int) -> Json:
        """Spend from a hold; the rest goes back to the member."""
        return self.api.call("POST", f"/v1/holds/{hold}/capture", {"points": points}, key=self.number())

    def prepare(self, card: str, points: int, minutes: int) -> None:
        """Fetch an allowance: points of this card that the till may spend without a network."""
        body = {"identity": f"card:{card}", "points": points, "minutes": minutes}
        entry = self.api.call("POST", "/v1/holds", body, key=self.number())
        payload = entry["allowance"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.journal.kept["allowances"][card] = {
            "hold": entry["hold"]["id"],
            "allowance": entry["allowance"],
            "left": claims["points"],
            "spend_until": claims["spend_until"],
            "spent": [],
        }
        self.journal.save()

    def spend_offline(self, card: str, points: int) -> bool:
        """Spend from the card's allowance, without asking anybody; False when it does not reach."""
        allowance = self.journal.kept["allowances"].get(card)
        if allowance is None or points > allowance["left"] or self.clock() >= allowance["spend_until"]:
            return False
        allowance["left"] -= points
        allowance["spent"].append({"points": points, "key": self.number()})
        self.journal.save()
        return True

    def settle(self) -> tuple[int, int]:
        """Back online: hand in the sales, capture what was spent offline; (captures, sales)."""
        sales = self.journal.kept["sales"]
        for first in range(0, len(sales), 100):
            self.api.call("POST", "/v1/batches", {"items": sales[first : first + 100]})
        count = len(sales)
        self.journal.kept["sales"] = []
        self.journal.save()
        captures = 0
        for card, allowance in list(self.journal.kept["allowances"].items()):
            captures += self._settled(allowance)
            del self.journal.kept["allowances"][card]
            self.journal.save()
        return captures, count

    def _settled(self, allowance: Json) -> int:
        """Captures made on one allowance. A refusal, such as of a hold that lapsed, must not stop the others: somebody
        reads it, and it is the shop's loss.
        """
        hold, captures = f"/v1/holds/{allowance['hold']}", 0
        try:
            for spent in allowance["spent"]:
                body = {"points": spent["points"], "final": False, "allowance": allowance["allowance"]}
                self.api.call("POST", f"{hold}/capture", body, key=spent["key"])
                captures += 1
            if allowance["left"]:
                body = {"allowance": allowance["allowance"]}
                self.api.call("POST", f"{hold}/release", body, key=f"rest-{allowance['hold']}")
        except Refused as refusal:
            print(f"hold {allowance['hold']}: {refusal}", file=sys.stderr)
        return captures

    def balance(self, member: str) -> Json:
        return dict(self.api.call("GET", f"/v1/members/{member}/balance")["balance"])


def sure(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"not as it should be: {what}")


def day(till: Till, say: Callable[[str], None]) -> None:
    """One day at the till, from the first customer to the evening; ends the program when a point is missing."""
    card = f"day-{till.name}"
    member = till.member(card)
    sure(till.member(card) == member, "a card is enrolled once")
    say(f"card {card} is member {member}")

    order, entry = till.sell(card, {"product": "coffee", "amount": "4.60"}, {"product": "beans", "amount": "15.40"})
    sure(entry is not None, "the sale is answered")
    entry = entry or {}
    say(f"order {order}: {entry['points']} points, balance {entry['balance']['available']}")

    # An answer got lost: the till sends the same request with the same key, and gets the first answer.
    sale = {"points": 5, "reason": "cookie"}
    first = till.api.call("POST", f"/v1/members/{member}/redemptions", sale, key=f"{till.name}-lost")
    again = till.api.call("POST", f"/v1/members/{member}/redemptions", sale, key=f"{till.name}-lost")
    sure(again["id"] == first["id"] and till.api.replayed, "the second answer is the first one")
    say(
        f"5 points spent once, though it was sent twice: {again['redemption']}, balance {again['balance']['available']}"
    )

    try:
        till.redeem(member, 500, "bicycle")
    except Refused as refused:
        say(f"500 points refused: {refused.code}, {refused.problem['missing_points']} missing")

    held = till.hold(member, 10)
    captured = till.capture(held["hold"]["id"], 8)
    say(f"10 points held, 8 spent, {captured['hold']['released']} given back")

    till.prepare(card, 7, minutes=60)
    till.api.plugged = False
    say("the network is gone")
    sure(till.spend_offline(card, 4), "the allowance reaches")
    sure(not till.spend_offline(card, 4), "and no further")
    say("offline: 4 of 7 points spent, 4 more refused by the till itself")
    later, entry = till.sell(card, {"product": "tea", "amount": "12.00", "quantity": 2})
    sure(entry is None, "nobody answered")
    sure(till.take_back(later, lines=[{"line": 1, "quantity": 1}]) is None, "nobody answered")
    say(f"offline: order {later} and a return of half of it written down")

    till.api.plugged = True
    captures, sales = till.settle()
    say(f"the network is back: {captures} capture settled, {sales} items handed in")

    expected = 20 - 5 - 8 - 4 + 12 - 6
    deadline = time.monotonic() + 60
    while (found := till.balance(member)) != {"available": expected, "pending": 0, "held": 0, "arrears": 0}:
        sure(time.monotonic() < deadline, f"the balance is {found}")
        time.sleep(0.5)
    say(f"the batch is posted; balance {found['available']} = 20 - 5 - 8 - 4 + 12 - 6")


def main() -> None:
    url, key = os.environ.get("LOYALTY_API_URL"), os.environ.get("LOYALTY_TOKEN")
    if not url or not key:
        folder = Path(os.environ.get("LOYALTY_LOCAL", Path(__file__).resolve().parents[1] / ".local"))
        stack = json.loads((folder / "stack.json").read_text())
        url, key = stack["api_url"], stack["tokens"]["till"]
    name = f"till-{secrets.token_hex(3)}"
    journal = Path(os.environ.get("TMPDIR", "/tmp")) / f"{name}.json"  # noqa: S108 - a till has a disk of its own
    try:
        day(Till(Loyalty(url, key), Journal(journal), name), print)
    finally:
        journal.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
