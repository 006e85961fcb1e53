"""The API against its own document: whatever is sent, the answer is one that the document promises, and never a 5xx."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis import Case as AnyCase
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loyalty.notifications.message import Content, Message, name_of
from loyalty.notifications.store import MessageStore
from loyalty.routes import ROUTES
from tests.e2e.stack import ALPHA, Stack
from tests.e2e.test_access import CAMPAIGNS
from tests.patience import ANSWER_S
from tests.property import profile
from tests.tally import say, tried

profile.load()
Case = AnyCase[Any]
DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
HOOK: Final = {"url": "http://127.0.0.1:9/hook", "events": ["tier.*"]}
"""Nobody listens there."""
SCHEMA: Final = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS: Final[dict[str, Any]] = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok))
}
CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
RULES: Final = """
rule_set: drawn
program: {}
rules:
  - id: base
    name: {{en: One point a dollar, zh: 每美元一分}}
    earn: line.amount
"""
SEGMENTS: Final = """
program: {}
segments:
  rich: {{name: {{en: Rich, zh: 富}}, when: member.points >= 100}}
"""
EXAMPLES: Final = {"operator": 16, "till": 4, "auditor": 3, "member": 4, "foreign": 2, "none": 1}
"""How many requests each kind of token makes of each operation."""


class Fuzzed(NamedTuple):
    """A programme that is there to be asked anything, and tokens of every kind."""

    stack: Stack
    program: str
    tokens: dict[str, str]
    session: requests.Session
    answers: Counter[int]


@pytest.fixture(scope="module")
def fuzzed(stack: Stack) -> Iterator[Fuzzed]:
    program = stack.add({**ALPHA, "program": f"fuzzed-{secrets.token_hex(4)}"})
    tokens = {"foreign": stack.programmes["gamma"].tokens["operator"], "none": "", **program.tokens}
    with requests.Session() as session:
        session.trust_env = False
        made = Fuzzed(stack, program.name, tokens, session, Counter())
        yield made
    by_status = ", ".join(f"{count} times {status}" for status, count in sorted(made.answers.items()))
    say(f"requests drawn from the API's document: {made.answers.total()}, answered {by_status}")


@pytest.fixture
def real(fuzzed: Fuzzed) -> dict[str, Any]:
    """Names of what is there, newly made for each operation, by where they stand in a path or a body."""
    with fuzzed.stack.api(fuzzed.tokens["operator"]) as operator:
        card = f"card:{secrets.token_hex(6)}"
        member = operator.post("/v1/members", {"identities": [card]}).expect(201)["id"]
        operator.post(f"/v1/members/{member}/adjustments", {"points": 10**6, "reason": "to begin with"}).expect(201)
        order = secrets.token_hex(6)
        purchase = {
            "source": "pos",
            "order_id": order,
            "member": member,
            "occurred_at": "2026-03-01T12:30:00Z",
            "currency": "USD",
            "lines": [{"amount": 1000}],
        }
        operator.post("/v1/purchases", purchase)  # a policy put by another test may not take it; then it is not there
        hold = operator.post(f"/v1/members/{member}/holds", {"points": 10}).expect(201)["hold"]["id"]
        spent = operator.post(f"/v1/members/{member}/redemptions", {"points": 10}).expect(201)
        client = operator.post("/v1/clients", {"name": "Some till", "role": "till"}, key=None).expect(201)
        token = operator.post(f"/v1/members/{member}/tokens").expect(201)["token"]
        rules = operator.post("/v1/rule-sets", {"source": RULES.format(fuzzed.program)}, key=None)
        rule_set = rules.body["id"] if rules.status == 201 else f"rls_{'0' * 26}"  # as above
        tried_out = operator.post(f"/v1/rule-sets/{rule_set}/simulate", key=None)
        simulation = tried_out.body["id"] if tried_out.status == 202 else f"sim_{'0' * 26}"
        operator.post("/v1/segments", {"source": SEGMENTS.format(fuzzed.program)}, key=None)
        campaign = f"c-{secrets.token_hex(4)}"
        source = CAMPAIGNS.replace("program: alpha", f"program: {fuzzed.program}").replace("NAME", campaign)
        operator.post("/v1/campaigns", {"source": source}, key=None)  # as above
        hooks = operator.get("/v1/webhooks").expect(200)["webhooks"]
        hook = hooks[0]["id"] if hooks else operator.post("/v1/webhooks", HOOK, key=None).expect(201)["webhook"]["id"]
        message = lying(fuzzed, member)
    return {
        "members": member,
        "holds": hold,
        "redemptions": spent["redemption"],
        "entries": spent["id"],
        "clients": client["client"]["id"],
        "rule-sets": rule_set,
        "simulations": simulation,
        "segments": "rich",
        "campaigns": campaign,
        "webhooks": hook,
        "messages": message,
        "message": message,
        "source": "pos",
        "order_id": order,
        "member": member,
        "identity": card,
        "program": fuzzed.program,
        "wallet": "points",
        "currency": "USD",
        "occurred_at": "2026-03-01T12:30:00Z",
        "token": token,
    }


def lying(fuzzed: Fuzzed, member: str) -> str:
    """The id of a message in the member's inbox."""
    occasion, now = secrets.token_hex(4), int(time.time())
    made = Message(
        program=fuzzed.program,
        account=member,
        name=name_of("hello", occasion, "a"),
        channel="inbox",
        campaign="hello",
        occasion=occasion,
        step="a",
        at=now,
    )
    MessageStore(fuzzed.stack.table).put_new(made, Content("Hello", "Hello"), now)
    return made.id


def made_real(case: Case, real: dict[str, Any]) -> None:
    """Let a request speak of what is there, so that it gets further than to a 404."""
    kind = case.operation.path.split("/")[2]
    names = {name: real[kind if name == "id" else name] for name in case.path_parameters or {}}
    case.path_parameters = names or case.path_parameters
    body = case.body
    if isinstance(body, dict):
        for name in ("member", "identity", "program", "wallet", "currency", "occurred_at"):
            if isinstance(body.get(name), str):
                body[name] = real[name]
        if "member" in body:
            body.pop("identity", None)


def cases(operation: APIOperation[Any, Any, Any, Any]) -> "st.SearchStrategy[Case]":
    """Requests as the document allows them, and such as it does not."""
    return st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )


def test_the_document_has_every_route_that_needs_a_token() -> None:
    assert set(OPERATIONS) == {route.key for route in ROUTES if route.scope is not None}


@pytest.mark.parametrize("route", OPERATIONS)
def test_every_answer_is_one_that_the_document_promises(route: str, fuzzed: Fuzzed, real: dict[str, Any]) -> None:
    operation = OPERATIONS[route]
    tokens = {**fuzzed.tokens, "member": real["token"]}

    def ask(kind: str, case: Case, honest: bool) -> None:
        if honest:
            made_real(case, real)
        headers = {"Authorization": f"Bearer {tokens[kind]}"} if tokens[kind] else {}
        response = case.call(base_url=fuzzed.stack.url, session=fuzzed.session, headers=headers, timeout=ANSWER_S)
        tried("API calls")
        fuzzed.answers[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    for kind, examples in EXAMPLES.items():
        run(ask, kind, examples, st.tuples(cases(operation), st.sampled_from((True, True, False))), len(route))


def run(
    ask: Callable[[str, Case, bool], None],
    kind: str,
    examples: int,
    strategy: "st.SearchStrategy[tuple[Case, bool]]",
    seeded: int,
) -> None:
    """Ask so many times, the same each time."""

    @seed(seeded)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(drawn: tuple[Case, bool]) -> None:
        ask(kind, *drawn)

    each()
