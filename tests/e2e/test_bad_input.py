"""Bad input, and what it gets: one documented problem each, the field named, nothing changed, never a 5xx."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import pytest

from loyalty.errors import CODES
from tests.e2e.calls import FRESH, Api
from tests.e2e.stack import ALPHA, Stack

NOW: Final = "2026-03-01T12:30:00Z"
UNKNOWN: Final = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
DEEP: Final = b"[" * 100_000 + b"]" * 100_000


class Bad(NamedTuple):
    """One request and what it gets. ``{names}`` in it are filled in with what the ``Victim`` has."""

    method: str
    path: str
    body: Any
    status: int
    code: str
    field: str = ""
    headers: dict[str, str] | None = None
    key: str | None = FRESH
    role: str = "operator"


SPEND: Final = "/v1/members/{member}/redemptions"
ADJUST: Final = "/v1/members/{member}/adjustments"
RETURNS: Final = "/v1/purchases/pos/{order}/returns"
CAPTURE: Final = "/v1/holds/{hold}/capture"
ENROL: Final = "/v1/members"
JSON: Final = {"Content-Type": "application/json"}


def purchase(**different: Any) -> dict[str, Any]:
    """A purchase that would do, but for what is different; None leaves a field out."""
    whole: dict[str, Any] = {
        "source": "pos",
        "order_id": "new-1",
        "member": "{member}",
        "occurred_at": NOW,
        "currency": "USD",
        "lines": [{"amount": "5.00"}],
    } | different
    return {name: value for name, value in whole.items() if value is not None}


def post(path: str, body: Any, status: int, code: str, field: str = "", **further: Any) -> Bad:
    return Bad("POST", path, body, status, code, field, **further)


def get(path: str, status: int, code: str, field: str = "", **further: Any) -> Bad:
    return Bad("GET", path, None, status, code, field, key=None, **further)


def invalid(path: str, body: Any, field: str, **further: Any) -> Bad:
    return post(path, body, 400, "REQUEST_INVALID", field, **further)


def malformed(body: bytes, path: str = SPEND, **further: Any) -> Bad:
    return post(path, body, 400, "REQUEST_MALFORMED", **further)


def lines(*wrong: Any, field: str) -> Bad:
    return invalid("/v1/purchases", purchase(lines=list(wrong)), field)


BODIES: Final[dict[str, Bad]] = {
    "no body at all": malformed(b""),
    "not JSON": malformed(b"points=1"),
    "JSON cut short": malformed(b'{"points": 1'),
    "two documents": malformed(b'{"points": 1}{"points": 1}'),
    "a comment": malformed(b'{"points": 1} // one'),
    "single quotes": malformed(b"{'points': 1}"),
    "NaN": malformed(b'{"points": NaN}'),
    "Infinity": malformed(b'{"points": Infinity}'),
    "a byte order mark": malformed(b'\xef\xbb\xbf{"points": 1}'),
    "UTF-16": malformed('{"points": 1}'.encode("utf-16")),
    "bytes that are no UTF-8": malformed(
        b'{"points": 1, "reason": "\xff\xfe"}', ADJUST, headers={"Content-Type": "application/octet-stream"}
    ),
    "bytes that are no UTF-8, called JSON": invalid(SPEND, b'{"points": 1, "reason": "\xff\xfe"}', "reason"),
    "half a surrogate pair": malformed(b'{"points": 1, "reason": "\\ud800"}', ADJUST),
    "surrogates the wrong way round": malformed(b'{"points": 1, "reason": "\\udc00\\ud800"}', ADJUST),
    "half a surrogate pair as a name": malformed(b'{"\\ud800": 1}'),
    "a control character in a string": malformed(b'{"points": 1, "reason": "a\nb"}', ADJUST),
    "an array": invalid(SPEND, b"[]", "body"),
    "a string": invalid(SPEND, b'"points"', "body"),
    "a number": invalid(SPEND, b"1", "body"),
    "null": invalid(SPEND, b"null", "body"),
    "deep arrays": invalid(SPEND, DEEP, "body"),
    "deep arrays where a value belongs": post(
        ADJUST, b'{"points": 1, "reason": ' + DEEP + b"}", 400, "REQUEST_INVALID", "reason"
    ),
    "deep objects in attributes": post(
        ENROL, b'{"attributes": {"a": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}", 413, "REQUEST_TOO_LARGE"
    ),
    "deep objects under an unknown name": invalid(
        SPEND, b'{"points": 1, "x": ' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}", "x"
    ),
    "a body of 300 KB": post(SPEND, b'{"points": 1, "reason": "' + b"a" * 300_000 + b'"}', 413, "REQUEST_TOO_LARGE"),
    "a body of 3 MB": post(SPEND, b"[" + b"1," * 1_500_000 + b"1]", 413, "REQUEST_TOO_LARGE"),
    "a number of 100,000 digits": invalid(SPEND, b'{"points": ' + b"9" * 100_000 + b"}", "points"),
    "an exponent": invalid(SPEND, b'{"points": 1e400}', "points"),
    "a form": malformed(b"points=1", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    "XML": malformed(b"<points>1</points>", headers={"Content-Type": "application/xml"}),
    "multipart": malformed(
        b'--x\r\nContent-Disposition: form-data; name="points"\r\n\r\n1\r\n--x--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    ),
}

FIELDS: Final[dict[str, Bad]] = {
    "an unknown field": invalid(SPEND, {"points": 1, "ponits": 2}, "ponits"),
    "an unknown field in a line": lines({"amount": "1.00", "price": 1}, field="lines[0].price"),
    "a missing field": invalid(SPEND, {}, "points"),
    "points of zero": invalid(SPEND, {"points": 0}, "points"),
    "negative points": invalid(SPEND, {"points": -5}, "points"),
    "fractional points": invalid(SPEND, {"points": 1.5}, "points"),
    "whole points written as a fraction": invalid(SPEND, b'{"points": 1.0}', "points"),
    "points as text": invalid(SPEND, {"points": "1"}, "points"),
    "points as truth": invalid(SPEND, {"points": True}, "points"),
    "points null": invalid(SPEND, {"points": None}, "points"),
    "points beyond all bounds": invalid(SPEND, {"points": 10**12 + 1}, "points"),
    "points beyond 64 bits": invalid(SPEND, {"points": 2**64}, "points"),
    "a reason with a line break": invalid(SPEND, b'{"points": 1, "reason": "a\\n"}', "reason"),
    "a reason with NUL": invalid(SPEND, b'{"points": 1, "reason": "a\\u0000"}', "reason"),
    "an endless reason": invalid(SPEND, {"points": 1, "reason": "a" * 65}, "reason"),
    "a wallet that is no name": invalid(SPEND, {"points": 1, "wallet": "A#B"}, "wallet"),
    "a wallet of 17 letters": invalid(SPEND, {"points": 1, "wallet": "a" * 17}, "wallet"),
    "a wallet that is not there": post(SPEND, {"points": 1, "wallet": "miles"}, 404, "WALLET_NOT_FOUND"),
    "an adjustment of nothing": invalid(ADJUST, {"points": 0, "reason": "x"}, "points"),
    "an adjustment without reason": invalid(ADJUST, {"points": 1}, "reason"),
    "an adjustment with an empty reason": invalid(ADJUST, {"points": 1, "reason": ""}, "reason"),
    "an adjustment with a reason of 201 letters": invalid(ADJUST, {"points": 1, "reason": "a" * 201}, "reason"),
    "an adjustment with NUL in its reason": invalid(ADJUST, b'{"points": 1, "reason": "a\\u0000b"}', "reason"),
    "an adjustment that ends in the past": invalid(
        ADJUST, {"points": 1, "reason": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"
    ),
    "an adjustment that ends in the year 9999": invalid(
        ADJUST, {"points": 1, "reason": "x", "expires_at": "9999-12-31T23:59:59Z"}, "expires_at"
    ),
    "an end for points that are taken": invalid(
        ADJUST, {"points": -1, "reason": "x", "expires_at": "2027-01-01T00:00:00Z"}, "expires_at"
    ),
    "a transfer to no member": invalid(
        "/v1/members/{member}/transfers", {"to": "me", "points": 1, "reason": "x"}, "to"
    ),
    "an event of no name": invalid(
        "/v1/events", {"type": "Check In", "member": "{member}", "occurred_at": NOW}, "type"
    ),
    "a purchase for nobody": invalid("/v1/purchases", purchase(member=None), "member"),
    "a purchase for two": invalid("/v1/purchases", purchase(identity="card:1"), "member"),
    "a purchase by a kind of identity that is none": invalid(
        "/v1/purchases", purchase(member=None, identity="passport:1"), "identity"
    ),
    "a purchase by a phone number that is none": invalid(
        "/v1/purchases", purchase(member=None, identity="phone:12"), "identity"
    ),
    "a purchase without lines": invalid("/v1/purchases", purchase(lines=[]), "lines"),
    "a purchase of 501 lines": invalid("/v1/purchases", purchase(lines=[{"amount": 1}] * 501), "lines"),
    "an amount below zero": lines({"amount": -1}, field="lines[0].amount"),
    "an amount below zero as text": lines({"amount": "1.00"}, {"amount": "-1.00"}, field="lines[1].amount"),
    "an amount as a float": lines({"amount": 12.34}, field="lines[0].amount"),
    "an amount finer than cents": lines({"amount": "1.005"}, field="lines[0].amount"),
    "an amount with a comma": lines({"amount": "1,50"}, field="lines[0].amount"),
    "an amount with a currency": lines({"amount": "$1.50"}, field="lines[0].amount"),
    "an amount with an exponent": lines({"amount": "1e3"}, field="lines[0].amount"),
    "an amount in other digits": lines({"amount": "\u0661\u0662"}, field="lines[0].amount"),
    "an amount beyond all bounds": lines({"amount": 10**12 + 1}, field="lines[0].amount"),
    "an amount beyond all bounds as text": lines(
        {"amount": "9999999999.99"}, {"amount": "99999999999"}, field="lines[1].amount"
    ),
    "a quantity below zero": lines({"amount": 1, "quantity": -1}, field="lines[0].quantity"),
    "half a piece": lines({"amount": 1, "quantity": 0.5}, field="lines[0].quantity"),
    "a product with a line break": lines({"amount": 1, "product": "a\n"}, field="lines[0].product"),
    "a source with a slash": invalid("/v1/purchases", purchase(source="a/b"), "source"),
    "a source with a hash": invalid("/v1/purchases", purchase(source="a#b"), "source"),
    "an order without number": invalid("/v1/purchases", purchase(order_id=""), "order_id"),
    "an order number of 65 letters": invalid("/v1/purchases", purchase(order_id="a" * 65), "order_id"),
    "an order number with a line break": invalid("/v1/purchases", purchase(order_id="new-1\n"), "order_id"),
    "a store of 33 letters": invalid("/v1/purchases", purchase(store="a" * 33), "store"),
    "a channel that is none": invalid("/v1/purchases", purchase(channel="In Store"), "channel"),
    "a currency in small letters": invalid("/v1/purchases", purchase(currency="usd"), "currency"),
    "a currency that the programme has not": post(
        "/v1/purchases", purchase(currency="EUR"), 422, "PURCHASE_CURRENCY_UNSUPPORTED"
    ),
    "a date without time": invalid("/v1/purchases", purchase(occurred_at="2026-03-01"), "occurred_at"),
    "a time without offset": invalid("/v1/purchases", purchase(occurred_at="2026-03-01T12:30:00"), "occurred_at"),
    "a day that is none": invalid("/v1/purchases", purchase(occurred_at="2026-02-30T12:30:00Z"), "occurred_at"),
    "a time as a number": invalid("/v1/purchases", purchase(occurred_at=1772368200), "occurred_at"),
    "a purchase of the year 1": invalid(
        "/v1/purchases", purchase(occurred_at="0001-01-01T00:00:00+14:00"), "occurred_at"
    ),
    "a purchase of 1969": invalid("/v1/purchases", purchase(occurred_at="1969-12-31T23:59:59Z"), "occurred_at"),
    "a purchase before the programme": invalid(
        "/v1/purchases", purchase(occurred_at="2019-12-31T23:59:59Z"), "occurred_at"
    ),
    "a purchase of the year 9999": invalid(
        "/v1/purchases", purchase(occurred_at="9999-12-31T23:59:59-14:00"), "occurred_at"
    ),
    "a hold of no time": invalid("/v1/members/{member}/holds", {"points": 1, "minutes": 0}, "minutes"),
    "a hold for longer than the policy allows": invalid(
        "/v1/members/{member}/holds", {"points": 1, "minutes": 43_200}, "minutes"
    ),
    "an allowance to settle later than the policy allows": invalid(
        "/v1/holds", {"points": 1, "member": "{member}", "minutes": 10_080, "settle_minutes": 43_200}, "settle_minutes"
    ),
    "an allowance of 3,000 letters": invalid(CAPTURE, {"allowance": "a" * 3_000}, "allowance"),
    "a capture of nothing": invalid(CAPTURE, {"points": 0}, "points"),
    "something with a release": invalid("/v1/holds/{hold}/release", {"points": 1}, "points"),
    "a return by lines and amount": invalid(RETURNS, {"lines": [{"line": 1}], "amount": 1}, "amount"),
    "a return of a line by pieces and amount": invalid(
        RETURNS, {"lines": [{"line": 1, "quantity": 1, "amount": 1}]}, "lines[0].amount"
    ),
    "a return of a line that is not there": invalid(RETURNS, {"lines": [{"line": 1}, {"line": 2}]}, "lines[1].line"),
    "a return of line 0": invalid(RETURNS, {"lines": [{"line": 0}]}, "lines[0].line"),
    "a return of no lines": invalid(RETURNS, {"lines": []}, "lines"),
    "a return before the programme": invalid(RETURNS, {"occurred_at": "2001-01-01T00:00:00Z"}, "occurred_at"),
    "a member without identity": invalid(ENROL, {}, "identities"),
    "a member with an identity twice": invalid(
        ENROL, {"identities": ["card:new", "phone:+4915112345678", "phone:+49 (151) 12345678"]}, "identities[2]"
    ),
    "a member with 11 identities": invalid(ENROL, {"identities": [f"card:{n}" for n in range(11)]}, "identities"),
    "a member of no kind": invalid(ENROL, {"identities": ["card:new"], "kind": "robot"}, "kind"),
    "an e-mail address that is none": invalid(ENROL, {"identities": ["email:ann"]}, "identities[0]"),
    "a phone number without country": invalid(ENROL, {"identities": ["phone:015112345678"]}, "identities[0]"),
    "an identity of 129 letters": invalid(ENROL, {"identities": ["card:" + "1" * 129]}, "identities[0]"),
    "an attribute that is a list": invalid(ENROL, {"identities": ["card:new"], "attributes": {"a": []}}, "attributes"),
    "an attribute that is a float": invalid(
        ENROL, {"identities": ["card:new"], "attributes": {"a": 0.5}}, "attributes"
    ),
    "an attribute of no name": invalid(ENROL, {"identities": ["card:new"], "attributes": {"A b": 1}}, "attributes"),
    "21 attributes": invalid(
        ENROL, {"identities": ["card:new"], "attributes": {f"a{n}": n for n in range(21)}}, "attributes"
    ),
    "a language that is none": invalid(ENROL, {"identities": ["card:new"], "language": "German!"}, "language"),
    "an identity that is another's": post(
        ENROL, {"identities": ["card:new", "{card}"]}, 409, "MEMBER_IDENTITY_TAKEN", "identities[1]"
    ),
    "an identity to remove that it has not": Bad(
        "PATCH",
        "/v1/members/{member}",
        {"remove_identities": ["card:other"]},
        400,
        "REQUEST_INVALID",
        "remove_identities[0]",
        key=None,
    ),
    "the last identity to remove": Bad(
        "PATCH",
        "/v1/members/{member}",
        {"remove_identities": ["{card}"]},
        400,
        "REQUEST_INVALID",
        "remove_identities",
        key=None,
    ),
    "a version that nobody has seen": Bad(
        "PATCH",
        "/v1/members/{member}",
        {"language": "de"},
        412,
        "MEMBER_VERSION_CONFLICT",
        headers={"If-Match": '"99"'},
        key=None,
    ),
    "a version that is none": Bad(
        "PATCH",
        "/v1/members/{member}",
        {"language": "de"},
        412,
        "MEMBER_VERSION_CONFLICT",
        headers={"If-Match": "99"},
        key=None,
    ),
    "a token for a second": invalid("/v1/members/{member}/tokens", {"ttl": 1}, "ttl"),
    "a token for a year": invalid("/v1/members/{member}/tokens", {"ttl": 31_536_000}, "ttl"),
    "a client of no role": invalid("/v1/clients", {"name": "x", "role": "admin"}, "role"),
    "a client without name": invalid("/v1/clients", {"role": "till"}, "name"),
    "a till that may adjust": invalid(
        "/v1/clients", {"name": "x", "role": "till", "scopes": ["adjustments:write"]}, "scopes[0]"
    ),
    "a client of a scope that is none": invalid(
        "/v1/clients", {"name": "x", "role": "till", "scopes": ["everything"]}, "scopes[0]"
    ),
    "an overlap below zero": invalid("/v1/clients/{client}/rotate", {"overlap": -1}, "overlap"),
    "an empty batch": invalid("/v1/batches", {"items": []}, "items"),
    "a batch of 101": invalid("/v1/batches", {"items": [{"type": "purchase", **purchase()}] * 101}, "items"),
    "a batch with something else": invalid("/v1/batches", {"items": [{"type": "gift"}]}, "items[0].type"),
    "a batch with a wrong amount": invalid(
        "/v1/batches",
        {"items": [{"type": "purchase", **purchase()}, {"type": "purchase", **purchase(lines=[{"amount": "1.001"}])}]},
        "items[1].lines[0].amount",
    ),
    "a policy without If-Match": Bad(
        "PUT", "/v1/program", {**ALPHA, "program": "{program}"}, 428, "REQUEST_VERSION_MISSING", "If-Match", key=None
    ),
    "a policy over another version": Bad(
        "PUT",
        "/v1/program",
        {**ALPHA, "program": "{program}"},
        412,
        "PROGRAM_VERSION_CONFLICT",
        headers={"If-Match": '"99"'},
        key=None,
    ),
    "another programme's policy": Bad(
        "PUT", "/v1/program", ALPHA, 403, "AUTH_PROGRAM_FORBIDDEN", "program", headers={"If-Match": '"1"'}, key=None
    ),
    **{
        f"a policy with {name}": Bad(
            "PUT",
            "/v1/program",
            {**ALPHA, "program": "{program}", **wrong},
            400,
            "REQUEST_INVALID",
            field,
            headers={"If-Match": '"1"'},
            key=None,
        )
        for name, wrong, field in (
            ("a rate as a number", {"earn": {"rate": 1}}, "earn.rate"),
            ("a rate of nothing", {"earn": {"rate": "0/5"}}, "earn.rate"),
            ("a rate over nothing", {"earn": {"rate": "5/0"}}, "earn.rate"),
            ("a month that is none", {"expiry": {"kind": "fixed_dates", "dates": ["13-01"]}}, "expiry"),
            ("an expiry that is none", {"expiry": {"kind": "sometimes"}}, "expiry"),
            ("a time zone that is none", {"timezone": "Mars/Olympus"}, "timezone"),
            ("a time zone that is a file", {"timezone": "../../etc/passwd"}, "timezone"),
            ("a wallet twice", {"wallets": ["points", "points"]}, "wallets"),
            ("no wallet", {"wallets": []}, "wallets"),
            ("a first day that is none", {"purchases_since": "2020-02-30"}, "purchases_since"),
            ("a bonus of nothing", {"events": {"check_in": 0}}, "events"),
            ("holds beyond their bound", {"holds": {"default_minutes": 60, "max_minutes": 30}}, ""),
        )
    },
}

STATES: Final[dict[str, Bad]] = {
    "an unknown member": post("/v1/members/{unknown}/redemptions", {"points": 1}, 404, "MEMBER_NOT_FOUND"),
    "an unknown member's purchase": post("/v1/purchases", purchase(member="{unknown}"), 404, "MEMBER_NOT_FOUND"),
    "an unknown identity's purchase": post(
        "/v1/purchases", purchase(member=None, identity="card:nobody"), 404, "MEMBER_NOT_FOUND"
    ),
    "an unknown member to transfer to": post(
        "/v1/members/{member}/transfers", {"to": "{unknown}", "points": 1, "reason": "x"}, 404, "MEMBER_NOT_FOUND"
    ),
    "an unknown member to freeze": post("/v1/members/{unknown}/freeze", {"reason": "x"}, 404, "MEMBER_NOT_FOUND"),
    "a frozen account": post("/v1/members/{frozen}/redemptions", {"points": 1}, 409, "ACCOUNT_FROZEN"),
    "a closed account": post("/v1/members/{closed}/redemptions", {"points": 1}, 409, "ACCOUNT_CLOSED"),
    "a closed account's purchase": post("/v1/purchases", purchase(member="{closed}"), 409, "ACCOUNT_CLOSED"),
    "a closed account's event": post(
        "/v1/events", {"type": "check_in", "member": "{closed}", "occurred_at": NOW}, 409, "ACCOUNT_CLOSED"
    ),
    "a closed account to close": post("/v1/members/{closed}/close", {"reason": "x"}, 409, "ACCOUNT_CLOSED"),
    "more points than there are": post(SPEND, {"points": 10**9}, 422, "POINTS_INSUFFICIENT"),
    "more points held than there are": post(
        "/v1/members/{member}/holds", {"points": 10**9}, 422, "POINTS_INSUFFICIENT"
    ),
    "a hold that was released": post("/v1/holds/{released}/capture", {}, 409, "HOLD_NOT_ACTIVE"),
    "a hold that is not there yet": post("/v1/holds/{no_hold}/capture", {}, 404, "HOLD_NOT_FOUND"),
    "a hold that is something else": post("/v1/holds/{not_a_hold}/release", {}, 404, "HOLD_NOT_FOUND"),
    "a capture beyond the hold": post(CAPTURE, {"points": 11}, 422, "HOLD_EXCEEDED"),
    "a redemption that is something else": post(
        "/v1/redemptions/{not_a_redemption}/cancel", {}, 404, "REDEMPTION_NOT_FOUND"
    ),
    "a redemption that is cancelled": post(
        "/v1/redemptions/{cancelled}/cancel", {}, 409, "REDEMPTION_ALREADY_CANCELLED"
    ),
    "a return beyond the purchase": post(RETURNS, {"amount": "5.01"}, 422, "RETURN_EXCEEDS_PURCHASE"),
    "a return of more pieces than were bought": post(
        RETURNS, {"lines": [{"line": 1, "quantity": 2}]}, 422, "RETURN_EXCEEDS_PURCHASE"
    ),
    "an unknown purchase": post("/v1/purchases/pos/none/returns", {}, 404, "PURCHASE_NOT_FOUND"),
    "an order that is recorded otherwise": post(
        "/v1/purchases", purchase(order_id="{order}", lines=[{"amount": 1}]), 409, "PURCHASE_CONFLICT"
    ),
    "an event without bonus": post(
        "/v1/events", {"type": "dance", "member": "{member}", "occurred_at": NOW}, 422, "EVENT_TYPE_UNKNOWN"
    ),
    "a key used for another body": post(SPEND, {"points": 2}, 409, "IDEMPOTENCY_KEY_REUSED", key="used"),
    "a key used on another route": post(
        "/v1/members/{member}/holds", {"points": 1}, 409, "IDEMPOTENCY_KEY_REUSED", key="used"
    ),
    "no key": post(SPEND, {"points": 1}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key", key=None),
    "an empty key": post(SPEND, {"points": 1}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key", key=""),
    "a key of 129 letters": post(SPEND, {"points": 1}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key", key="k" * 129),
    "a key with a space": post(SPEND, {"points": 1}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key", key="a b"),
    "a key that is not ASCII": post(
        SPEND, {"points": 1}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key", key="\u00e9t\u00e9"
    ),
    "another store": post("/v1/purchases", purchase(store="320"), 403, "AUTH_STORE_FORBIDDEN", "store", role="bound"),
    "no store": post("/v1/purchases", purchase(), 403, "AUTH_STORE_FORBIDDEN", "store", role="bound"),
    "another store in a batch": post(
        "/v1/batches",
        {"items": [{"type": "purchase", **purchase(store="320")}]},
        403,
        "AUTH_STORE_FORBIDDEN",
        "items[0].store",
        role="bound",
    ),
    "a till that adjusts": post(ADJUST, {"points": 1, "reason": "x"}, 403, "AUTH_SCOPE_MISSING", role="till"),
    "a till that lists members": get("/v1/members", 403, "AUTH_SCOPE_MISSING", role="till"),
    "the last operator revoked": Bad("DELETE", "/v1/clients/{self}", None, 409, "CLIENT_LAST_OPERATOR", key=None),
    "an unknown client": Bad(
        "DELETE", "/v1/clients/cli_01ARZ3NDEKTSV4RRFFQ69G5FAV", None, 404, "CLIENT_NOT_FOUND", key=None
    ),
}

WEIRD: Final = (
    "x",
    "%00",
    "%20",
    "%0A",
    "%ff",
    "%C3%28",
    "%ED%A0%80",
    "%F0%9F%98%80",
    "..",
    "%2e%2e",
    "a%23b",
    "{member}%0A",
    "{member}%23points",
    "mem_01arz3ndektsv4rrffq69g5fav",
    "mem_81ARZ3NDEKTSV4RRFFQ69G5FAV",
    "*",
    "A" * 3000,
)
PATHS: Final[dict[str, Bad]] = {
    **{
        f"{kind} {one[:24]!r}": bad
        for one in WEIRD
        for kind, bad in {
            "balance of": get(f"/v1/members/{one}/balance", 404, "MEMBER_NOT_FOUND"),
            "member": get(f"/v1/members/{one}", 404, "MEMBER_NOT_FOUND"),
            "redemption of": post(f"/v1/members/{one}/redemptions", {"points": 1}, 404, "MEMBER_NOT_FOUND"),
            "capture of": post(f"/v1/holds/{one}/capture", {}, 404, "HOLD_NOT_FOUND"),
            "cancel": post(f"/v1/redemptions/{one}/cancel", {}, 404, "REDEMPTION_NOT_FOUND"),
            "entry": get(f"/v1/entries/{one}", 404, "ENTRY_NOT_FOUND"),
            "rotate": post(f"/v1/clients/{one}/rotate", {}, 404, "CLIENT_NOT_FOUND"),
            "revoke": Bad("DELETE", f"/v1/clients/{one}", None, 404, "CLIENT_NOT_FOUND", key=None),
            "return of order": post(f"/v1/purchases/pos/{one}/returns", {}, 404, "PURCHASE_NOT_FOUND"),
            "return of source": post(f"/v1/purchases/{one}/1/returns", {}, 404, "PURCHASE_NOT_FOUND"),
            "asset": get(f"/docs/{one}", 404, "ROUTE_NOT_FOUND"),
        }.items()
    },
    "entry 0": get("/v1/entries/ent_{ulid}-points-0", 404, "ENTRY_NOT_FOUND"),
    "entry 999999999999": get("/v1/entries/ent_{ulid}-points-999999999999", 404, "ENTRY_NOT_FOUND"),
    "entry with a sign": get("/v1/entries/ent_{ulid}-points--1", 404, "ENTRY_NOT_FOUND"),
    "entry in another wallet": get("/v1/entries/ent_{ulid}-miles-1", 404, "ENTRY_NOT_FOUND"),
    "a hold's id as an entry's": get("/v1/entries/{hold}", 404, "ENTRY_NOT_FOUND"),
}

QUERIES: Final[dict[str, Bad]] = {
    f"{path.split('/')[-1]}?{query[:40]}": get(f"{path}?{query}", 400, "REQUEST_INVALID", field)
    for path, query, field in (
        ("/v1/members/{member}/entries", "limit=0", "limit"),
        ("/v1/members/{member}/entries", "limit=101", "limit"),
        ("/v1/members/{member}/entries", "limit=-1", "limit"),
        ("/v1/members/{member}/entries", "limit=1.5", "limit"),
        ("/v1/members/{member}/entries", "limit=", "limit"),
        ("/v1/members/{member}/entries", "limit=ten", "limit"),
        ("/v1/members/{member}/entries", "limit=" + "9" * 400, "limit"),
        ("/v1/members/{member}/entries", "limit=1&limit=2", "limit"),
        ("/v1/members/{member}/entries", "limit=%D9%A1", "limit"),
        ("/v1/members/{member}/entries", "cursor=x", "cursor"),
        ("/v1/members/{member}/entries", "cursor=0", "cursor"),
        ("/v1/members/{member}/entries", "cursor=" + "9" * 13, "cursor"),
        ("/v1/members/{member}/entries", "wallet=A", "wallet"),
        ("/v1/members/{member}/entries", "wallet=points%23x", "wallet"),
        ("/v1/members/{member}/entries", "wallet=points%0A", "wallet"),
        ("/v1/members/{member}/balance", "wallet=%00", "wallet"),
        ("/v1/members/{member}/verification", "wallet=" + "a" * 4000, "wallet"),
        ("/v1/members", "limit=0", "limit"),
        ("/v1/members", "cursor=99", "cursor"),
        ("/v1/members", "cursor=%00", "cursor"),
        ("/v1/members", "identity=", "identity"),
        ("/v1/members", "identity=1", "identity"),
        ("/v1/members", "identity=card:", "identity"),
        ("/v1/members", "identity=card:%00", "identity"),
        ("/v1/members", "identity=card:%F0%9F%98%80", "identity"),
        ("/v1/members", "identity=passport:1", "identity"),
        ("/v1/clients", "limit=1000", "limit"),
        ("/v1/clients", "cursor=" + "c" * 65, "cursor"),
    )
}

CASES: Final = {**BODIES, **FIELDS, **STATES, **PATHS, **QUERIES}


class Victim(NamedTuple):
    """What the cases speak of, and everything the table held before the last of them."""

    stack: Stack
    callers: dict[str, Api]
    names: dict[str, str]
    items: dict[str, Any]


@pytest.fixture(scope="module")
def victim(stack: Stack) -> Iterator[Victim]:
    program = stack.add({**ALPHA, "program": f"victim-{secrets.token_hex(4)}"})
    with ExitStack() as connections:
        callers = {role: connections.enter_context(stack.api(token)) for role, token in program.tokens.items()}
        names = _with_everything(callers["operator"])
        names |= {"program": program.name, "self": program.tokens["operator"].split(".")[1]}
        stack.settle()
        yield Victim(stack, callers, names, {"now": stack.items(program.name)})


def _with_everything(operator: Api) -> dict[str, str]:
    """A member with all that bad input can speak of, by the names that the cases use."""

    def enrol(points: int, card: str) -> str:
        member = str(operator.post("/v1/members", {"identities": [card]}).expect(201)["id"])
        operator.post(f"/v1/members/{member}/adjustments", {"points": points, "reason": "to begin with"}).expect(201)
        return member

    member, frozen, closed = enrol(100, "card:victim"), enrol(10, "card:frozen"), enrol(10, "card:closed")
    operator.post(f"/v1/members/{frozen}/freeze", {"reason": "x"}).expect(201)
    operator.post(f"/v1/members/{closed}/close", {"reason": "x", "forfeit": True}).expect(201)
    operator.post("/v1/purchases", json.loads(fill(json.dumps(purchase(order_id="old-1")), {"member": member}))).expect(
        201
    )
    holds = [operator.post(f"/v1/members/{member}/holds", {"points": 10}).expect(201)["hold"]["id"] for _ in range(2)]
    operator.post(f"/v1/holds/{holds[1]}/release").expect(201)
    spent = operator.post(f"/v1/members/{member}/redemptions", {"points": 1}, key="used").expect(201)["redemption"]
    operator.post(f"/v1/redemptions/{spent}/cancel").expect(201)
    ulid = member.removeprefix("mem_")
    client = operator.post("/v1/clients", {"name": "Some till", "role": "till"}, key=None).expect(201)["client"]["id"]
    return {
        "member": member,
        "ulid": ulid,
        "card": "card:victim",
        "unknown": UNKNOWN,
        "frozen": frozen,
        "closed": closed,
        "order": "old-1",
        "hold": holds[0],
        "released": holds[1],
        "no_hold": f"hld_{ulid}-points-9999",
        "not_a_hold": f"hld_{ulid}-points-1",
        "not_a_redemption": f"red_{ulid}-points-1",
        "cancelled": spent,
        "client": client,
    }


def fill(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_its_problem_and_changes_nothing(case: str, victim: Victim) -> None:
    bad = CASES[case]
    body = (
        bad.body
        if bad.body is None or isinstance(bad.body, bytes)
        else json.loads(fill(json.dumps(bad.body), victim.names))
    )
    answer = victim.callers[bad.role].call(
        bad.method,
        fill(bad.path, victim.names),
        body,
        key=bad.key if bad.method == "POST" else None,
        headers=bad.headers,
    )
    program = victim.names["program"]
    before, after = victim.items["now"], victim.stack.items(program)
    if after != before:
        victim.stack.settle()
        victim.items["now"] = victim.stack.items(program)
    problem = answer.expect(bad.status, bad.code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:loyalty:problem:{bad.code}"
    assert (problem["status"], problem["title"]) == CODES[bad.code]
    assert problem["detail"]
    if bad.field:
        assert problem["field"] == bad.field or problem["field"].startswith((f"{bad.field}.", f"{bad.field}["))
    assert "Traceback" not in answer.raw.decode()
    assert set(after) == set(before)
    assert after == before


def test_figures_say_what_a_till_needs(victim: Victim) -> None:
    operator, names = victim.callers["operator"], victim.names
    asked = operator.post(f"/v1/members/{names['member']}/redemptions", {"points": 1000})
    problem = asked.expect(422, "POINTS_INSUFFICIENT")
    assert (problem["missing_points"], problem["available"]) == (1000 - problem["available"], problem["available"])
    beyond = operator.post(f"/v1/holds/{names['hold']}/capture", {"points": 12}).expect(422, "HOLD_EXCEEDED")
    assert beyond["missing_points"] == 2
    returned = operator.post(f"/v1/purchases/pos/{names['order']}/returns", {"amount": 501})
    assert returned.expect(422, "RETURN_EXCEEDS_PURCHASE")["returnable_amount"] == 500


def test_no_problem_repeats_what_was_sent(victim: Victim, enrol: Callable[..., str]) -> None:
    """What a caller mistypes may be somebody's telephone number."""
    mark = secrets.token_hex(8)
    operator = victim.callers["operator"]
    for answer in (
        operator.post("/v1/members", {"identities": [f"phone:{mark}"]}),
        operator.post("/v1/members", {"identities": [f"email:{mark}"]}),
        operator.get(f"/v1/members?identity=phone:{mark}"),
        operator.get(f"/v1/members?identity=card:{mark}"),
        operator.get(f"/v1/members/{mark}"),
    ):
        assert answer.status in {400, 404}
        assert mark.encode() not in answer.raw


def test_what_is_odd_but_right_is_taken(victim: Victim, till: Api, enrol: Callable[..., str]) -> None:
    member = enrol(points=100)
    path = f"/v1/members/{member}/redemptions"
    for body, headers in (
        (b' \n\t{"points" : 1} \n', {}),
        (b'{"points": 1, "points": 2}', {}),
        (b'{"\\u0070oints": 1}', {}),
        (b'{"points": 1}', {"Content-Type": "text/plain"}),
        (b'{"points": 1}', {"Content-Type": "application/octet-stream"}),
        (b'{"points": 1}', {"Content-Type": "application/json; charset=utf-8"}),
        (b'{"points": 1}', {"Accept": "text/html"}),
    ):
        till.call("POST", path, body, key=FRESH, headers=headers).expect(201)
    till.get(f"/v1/members/{member}/balance?unknown=1&wallet=points").expect(200)
