"""A programme on DynamoDB Local with the product's own handlers in front, as API Gateway would call them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from unittest.mock import patch

from bench.metering import Meter
from functions.earn import handler as earn
from functions.hold import handler as hold
from functions.redeem import handler as redeem
from loyalty.ledger.chain import Cause, Chain
from loyalty.programs.policy import check
from loyalty.programs.store import ProgramStore
from loyalty.routes import ROUTES
from loyalty.rules.store import RuleStore
from loyalty.runtime import http, wiring
from loyalty.runtime.rules import Loader
from loyalty.table.client import DynamoDB, Table, connect
from tests.engines import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROGRAM: Final = "bench"
TABLE: Final = "bench"
CLIENT: Final = "cli_01JZ0000000000000000000000"
MINUTE: Final = 60
DAY: Final = 86_400
OPENED: Final = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp())
NOW: Final = OPENED + 731 * DAY
"""When the bench's clock begins."""

POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "name": "Bench",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "wallets": ["points"],
    "expiry": {"kind": "rolling", "months": 24, "rounding": "month"},
    "events": {"check_in": 5},
}

Handler = Callable[[dict[str, Any], object], dict[str, Any]]


class Call(NamedTuple):
    """A request to a handler, ready to be sent."""

    handler: Handler
    event: dict[str, Any]

    def send(self) -> dict[str, Any]:
        """The answer's body; RuntimeError when it is not the one of a request that was carried out."""
        answer = self.handler(self.event, None)
        if answer["statusCode"] != 201:
            raise RuntimeError(f"{self.event['routeKey']}: {answer['statusCode']} {answer['body']}")
        body: dict[str, Any] = json.loads(answer["body"])
        return body


class Shop:
    """Handlers, table and meter. The clock stands still until ``later``."""

    def __init__(self, endpoint: str) -> None:
        with patch.dict("os.environ", {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}):
            self.client = cast("DynamoDBClient", connect())
        self.endpoint = endpoint
        self.meter = Meter(self.client)
        product = cast("DynamoDB", self.client)
        self.overlapping = Table(product, TABLE)
        self.table = Table(product, TABLE, self.meter.together)
        self.now = NOW
        self.sealing: tuple[bytes, ...] = ()
        """Keys of published rule sets, when there are any."""
        self._requests = 0
        create_table(self.client, TABLE)
        ProgramStore(self.overlapping).save(check(POLICY), 0)

    @contextmanager
    def open(self, *, overlapping: bool = False) -> "Iterator[Shop]":
        """The handlers use this table and this clock as long as the block lasts; ``overlapping`` reads as in
        production.
        """
        table = self.overlapping if overlapping else self.table
        clock = SimpleNamespace(time=lambda: float(self.now))
        built = (wiring.ledger, wiring.wallets, wiring.programs, wiring.earning, wiring.member_store, wiring.leases)
        for made in built:
            made.cache_clear()
        # Which rule set is in force is read here, and then twice a minute: it is no part of an operation.
        rules = Loader(RuleStore(table), lambda: self.sealing, clock=lambda: 0.0)
        rules.current(PROGRAM)
        with (
            patch.object(wiring, "table", return_value=table),
            patch.object(wiring, "rules_in_force", return_value=rules),
            patch.object(http, "time", clock),
        ):
            yield self

    def later(self, seconds: int = 10 * MINUTE) -> None:
        """Let time pass; by default so much that what was done before counts as long ago."""
        self.now += seconds

    def new_account(self, number: int, points: int = 10_000) -> Chain:
        """A wallet opened long ago, with points in it."""
        chain = Chain(PROGRAM, f"mem_{number:026d}", "points")
        wallets = wiring.wallets()
        wallets.open(chain, "member", Cause("open", "", CLIENT, OPENED), OPENED)
        wallets.adjust(chain, points, 0, "opening balance", Cause("first", "", CLIENT, OPENED), OPENED)
        return chain

    def redeem(self, chain: Chain) -> Call:
        return self._call(redeem.lambda_handler, "POST /v1/members/{id}/redemptions", chain.account, {"points": 3})

    def hold(self, chain: Chain) -> Call:
        return self._call(hold.lambda_handler, "POST /v1/members/{id}/holds", chain.account, {"points": 7})

    def capture(self, hold_id: str) -> Call:
        return self._call(hold.lambda_handler, "POST /v1/holds/{id}/capture", hold_id, {"points": 5})

    def release(self, hold_id: str) -> Call:
        return self._call(hold.lambda_handler, "POST /v1/holds/{id}/release", hold_id, {})

    def event(self, chain: Chain) -> Call:
        body = {"type": "check_in", "member": chain.account, "occurred_at": self._moment()}
        return self._call(earn.lambda_handler, "POST /v1/events", "", body)

    def purchase(self, chain: Chain) -> Call:
        """An order of five lines."""
        lines = [
            {"amount": 199 + 100 * line, "quantity": line, "product": f"40123450067{line}", "category": "GROCERY"}
            for line in range(1, 6)
        ]
        body = {
            "source": "till-0007",
            "order_id": f"2026-{self._requests:08d}",
            "occurred_at": self._moment(),
            "currency": "EUR",
            "lines": lines,
            "member": chain.account,
            "store": "store-0042",
            "channel": "store",
        }
        return self._call(earn.lambda_handler, "POST /v1/purchases", "", body)

    def _moment(self) -> str:
        return datetime.fromtimestamp(self.now - 5, UTC).isoformat()

    def _call(self, handler: Handler, route: str, path_id: str, body: dict[str, Any]) -> Call:
        self._requests += 1
        scopes = " ".join(sorted({known.scope for known in ROUTES if known.scope}))
        caller = {"program": PROGRAM, "client": CLIENT, "role": "till", "scopes": scopes, "store": "", "limit": "0"}
        event = {
            "version": "2.0",
            "routeKey": route,
            "headers": {"idempotency-key": f"a1b2c3d4-e5f6-4a7b-8c9d-{self._requests:012d}"},
            "pathParameters": {"id": path_id} if path_id else {},
            "requestContext": {"requestId": "JKJaXmPLvHcESHA=", "authorizer": {"lambda": caller}},
            "body": json.dumps(body),
            "isBase64Encoded": False,
        }
        return Call(handler, event)
