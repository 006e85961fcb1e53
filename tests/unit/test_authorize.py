"""Who the authoriser lets in, and with what context; everything else is refused alike."""

import json
from typing import Any

import pytest

from functions.authorize import callers
from functions.authorize import handler as authorize
from loyalty.clients.roles import MEMBER_SCOPES, ROLES
from loyalty.clients.service import EVERYTHING, Clients
from loyalty.clients.store import ClientStore
from loyalty.errors import Unavailable
from loyalty.members.tokens import Tokens, TokenSecrets
from loyalty.runtime import secrets
from tests.simulation.dynamodb import Client, Engine
from tests.unit.running import PROGRAM, SIGNING, Running, forget

ANNA = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
REFUSED = {"isAuthorized": False}


def clients(running: Running) -> Clients:
    return Clients(ClientStore(running.table))


def member_token(client: str, program: str = PROGRAM, *, ttl: int = 900, now: int = 2_000_000_000) -> str:
    signer = Tokens(lambda: SIGNING)
    return signer.issue_member_token(program=program, client=client, member=ANNA, ttl=ttl, now=now)


@pytest.mark.parametrize("role", ROLES)
def test_a_clients_key_gives_its_programme_role_and_scopes(running: Running, role: str) -> None:
    key = running.key(role)
    assert running.asked(key) == {
        "isAuthorized": True,
        "context": {
            "program": PROGRAM,
            "client": key.split(".")[1],
            "role": role,
            "scopes": " ".join(sorted(ROLES[role])),
        },
    }


def test_store_limit_and_narrower_scopes_come_along_where_they_are_set(running: Running) -> None:
    context = running.asked(running.key("till", store="319", limit=5, scopes=("balance:read",)))["context"]
    assert (context["store"], context["limit"], context["scopes"]) == ("319", 5, "balance:read")


def test_a_members_token_gives_its_member_and_the_client_it_was_issued_to(running: Running) -> None:
    shop = running.key("shop", limit=7).split(".")[1]
    context = running.asked(member_token(shop))["context"]
    assert context == {
        "program": PROGRAM,
        "client": shop,
        "role": "member",
        "scopes": " ".join(sorted(MEMBER_SCOPES)),
        "member": ANNA,
        "limit": 7,
    }


def test_a_members_token_ends_with_the_client_it_was_issued_to(running: Running) -> None:
    token = member_token(shop := running.key("shop").split(".")[1])
    assert running.asked(token)["isAuthorized"]
    clients(running).revoke(PROGRAM, shop, EVERYTHING, now=1)
    assert running.asked(token) == REFUSED


def test_a_members_token_of_a_client_that_may_not_issue_any_opens_nothing(running: Running) -> None:
    assert running.asked(member_token(running.key("till").split(".")[1])) == REFUSED
    assert running.asked(member_token("cli_01ARZ3NDEKTSV4RRFFQ69G5FAV")) == REFUSED
    shop = running.key("shop").split(".")[1]
    assert running.asked(member_token(shop, "baker")) == REFUSED


def test_an_expired_or_forged_members_token_opens_nothing(running: Running) -> None:
    shop = running.key("shop").split(".")[1]
    assert running.asked(member_token(shop, now=1_000_000_000)) == REFUSED
    forger = Tokens(lambda: TokenSecrets("f" * 64))
    forged = forger.issue_member_token(program=PROGRAM, client=shop, member=ANNA, ttl=900, now=2_000_000_000)
    assert running.asked(forged) == REFUSED


def test_an_offline_allowance_is_no_way_in(running: Running) -> None:
    token = Tokens(lambda: SIGNING).issue_allowance(
        program=PROGRAM,
        client=running.key("shop").split(".")[1],
        hold_id=ANNA,
        points=1,
        spend_until=3_000_000_000,
        settle_until=3_000_000_000,
        now=2_000_000_000,
    )
    assert running.asked(token) == REFUSED


def test_a_wrong_secret_a_foreign_programme_and_an_unknown_client_are_refused(running: Running) -> None:
    running.establish("baker")
    program, client, secret = running.key("till").split(".")
    other = running.key("till", "baker").split(".")
    for parts in (
        (program, client, other[2]),
        ("baker", client, secret),
        (program, other[1], secret),
        (program, client, secret[:-1] + ("A" if secret[-1] != "A" else "E")),
    ):
        assert running.asked(".".join(parts)) == REFUSED


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "Bearer a.b.c",
        "Bearer eyJ",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJ.eyJ.eyJ",
        "Bearer " + "e" * 5_000,
        "Bearer grocer.cli_1.secret",
        "Bearer grocer#C.cli_01ARZ3NDEKTSV4RRFFQ69G5FAV." + "a" * 43,
        "Bearer grocer.cli_01ARZ3NDEKTSV4RRFFQ69G5FAV." + "a" * 44,
        "Bearer \x00\ud800",
        "Bearer 卡.卡.é",
    ],
)
def test_what_cannot_be_a_key_or_a_token_is_refused_without_a_look_at_the_table(running: Running, header: str) -> None:
    calls = running.engine.calls
    assert authorize.lambda_handler({"headers": {"authorization": header}}, None) == REFUSED
    assert running.engine.calls == calls


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {}}, {"headers": {"authorization": None}}])
def test_a_request_without_the_header_is_refused(running: Running, event: dict[str, Any]) -> None:
    assert authorize.lambda_handler(event, None) == REFUSED


def test_the_scheme_may_be_written_in_any_case(running: Running) -> None:
    key = running.key("till")
    for header in (f"bearer {key}", f"BEARER  {key}", f" Bearer {key} "):
        assert authorize.lambda_handler({"headers": {"authorization": header}}, None)["isAuthorized"]


def test_one_read_decides(running: Running) -> None:
    key, shop = running.key("till"), running.key("shop").split(".")[1]
    token = member_token(shop)
    for asked in (key, token, key[:-1] + "A"):
        calls = running.engine.calls
        running.asked(asked)
        assert running.engine.calls == calls + 1


def test_neither_key_nor_token_is_ever_logged(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    key, shop = running.key("till"), running.key("shop").split(".")[1]
    for asked in (key, member_token(shop), key[:-1] + "A", "eyJx.y.z"):
        running.asked(asked)
        written = capsys.readouterr().out
        lines = [json.loads(line) for line in written.splitlines()]
        assert [line["operation"] for line in lines] == ["authorize"]
        assert not any(part in written for part in asked.split(".") if len(part) > 40)
        assert len(written) <= 450


def test_a_table_that_does_not_answer_is_an_error_and_no_refusal_to_be_kept(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down(Client):
        def get_item(self, **request: Any) -> dict[str, Any]:
            raise Unavailable("STORAGE_UNAVAILABLE", "down", retry_after=1)

    key = running.key("till")
    forget()
    monkeypatch.setattr(callers, "connect", lambda: Down(Engine()))
    with pytest.raises(Unavailable):
        running.asked(key)


def test_a_rotated_signing_secret_opens_the_tokens_of_both(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    token = member_token(running.key("shop").split(".")[1])
    monkeypatch.setattr(secrets, "signing_secrets", lambda: TokenSecrets("n" * 64, SIGNING.current))
    forget()
    assert running.asked(token)["isAuthorized"]
    monkeypatch.setattr(secrets, "signing_secrets", lambda: TokenSecrets("n" * 64, ""))
    monkeypatch.setattr(secrets, "newer_signing_secrets", lambda: TokenSecrets("n" * 64, ""))
    forget()
    assert running.asked(token) == REFUSED
