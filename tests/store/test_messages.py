"""Messages on the engines: sent once whoever sends at the same time, and what each costs, counted."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.channels.channel import Outcome
from loyalty.notifications.feedback import Report
from loyalty.table import keys
from loyalty.table.client import Table
from tests.engines import DYNAMODB_LOCAL
from tests.tally import tried
from tests.unit.mailing import NOW, PROGRAM, Office, Provider, account, message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MESSAGES = 40


def office_on(client: "DynamoDBClient", name: str, *providers: Provider) -> Office:
    office = Office(*providers)
    real: Any = client
    office.connect_to(Table(real, name))
    return office


def test_a_message_lives_through_all_of_its_states(table: "tuple[DynamoDBClient, str]") -> None:
    provider = Provider(answers=[Outcome("later", code="busy")])
    office = office_on(*table, provider)
    one = message()
    office.put(one)
    assert office.run() == ["later"]
    office.now += 3_600
    assert office.run() == ["sent"]
    assert office.notifications.hear(Report(PROGRAM, one.account, one.name, "opened", NOW + 9), NOW + 9) == "opened"
    assert office.message(one).state == "opened"
    provider.answers = [Outcome("later", code="busy")] * 100
    office.put(message(2))
    for _ in range(60):
        office.run()
        office.now += 3_600
    ((dead,), _, _) = office.notifications.failed(PROGRAM, 10)
    assert office.notifications.redrive(PROGRAM, dead.message.account, dead.message.name, office.now) == "waiting"
    provider.answers = []
    office.now += 1
    assert office.run() == ["sent"]
    assert office.run() == []


@pytest.mark.parametrize("engine", [DYNAMODB_LOCAL], indirect=True)  # the other looks and then writes
def test_many_who_send_the_same_at_the_same_time_send_it_once(table: "tuple[DynamoDBClient, str]") -> None:
    provider = Provider()
    office = office_on(*table, provider)
    handed = [office.put(message(number)) for number in range(1, MESSAGES + 1)]
    at_once = [one for one in handed for _ in range(4)]
    with ThreadPoolExecutor(8) as copies:
        found = [*copies.map(lambda one: office.notifications.send(one, NOW, NOW), at_once)]
    assert Counter(found)["sent"] == MESSAGES
    assert set(provider.times.values()) == {1}
    tried("races", MESSAGES)


@pytest.mark.parametrize("engine", [DYNAMODB_LOCAL], indirect=True)
def test_what_a_message_costs_is_counted(table: "tuple[DynamoDBClient, str]") -> None:
    client, name = table
    calls: Counter[tuple[str, str]] = Counter()
    units: Counter[str] = Counter()

    def before(params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:
        if model.name not in {"Query", "GetItem", "PutItem", "DeleteItem"}:
            return None
        pk = (
            params["ExpressionAttributeValues"][":p"]["S"]
            if model.name == "Query"
            else (params.get("Item") or params["Key"])[keys.PK]["S"]
        )
        calls[model.name, pk.split("#")[1]] += 1
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def after(parsed: dict[str, Any], model: Any, **_: object) -> None:
        kind = "read" if model.name in {"Query", "GetItem"} else "write"
        units[kind] += parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0)

    office = office_on(client, name, Provider())
    events: Any = client.meta.events
    events.register("provide-client-params.dynamodb", before)
    events.register("after-call.dynamodb", after)
    try:
        _cost(office, calls, units)
    finally:  # the client is one for all tests
        events.unregister("provide-client-params.dynamodb", before)
        events.unregister("after-call.dynamodb", after)


def _cost(office: Office, calls: Counter[tuple[str, str]], units: Counter[str]) -> None:
    for number in range(1, MESSAGES + 1):
        office.put(message(number))
    assert office.run() == ["sent"] * MESSAGES
    assert calls["PutItem", "J"] == 2 * MESSAGES, "the claim and the record"
    marks = len({keys.outgoing_partition(PROGRAM, shard) for shard in range(16)})
    assert MESSAGES < calls["PutItem", "U"] <= MESSAGES + marks, "the waiting item, and a mark for each shard"
    assert calls["DeleteItem", "U"] == MESSAGES
    assert calls["GetItem", "U"] == MESSAGES + marks
    assert calls["Query", "U"] <= 2 * marks
    assert units["write"] == 4 * MESSAGES + calls["PutItem", "U"] - MESSAGES, "one unit a write: none is above 1 KB"
    calls.clear()
    heard = Report(PROGRAM, account(1), message().name, "delivered", NOW)
    for _ in range(2):
        office.notifications.hear(heard, NOW)
    assert calls == {("GetItem", "J"): 2, ("PutItem", "J"): 1}
