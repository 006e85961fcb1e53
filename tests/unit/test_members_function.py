"""The members function as it runs: who may do what to whom, what is stored, and how its answers look."""

from typing import Any

import pytest

from loyalty.ledger.chain import Chain
from loyalty.programs.store import ProgramStore
from loyalty.runtime import wiring
from loyalty.table import keys
from tests.unit.running import PROGRAM, Response, Running

ENROL, FIND, GET, CHANGE = "POST /v1/members", "GET /v1/members", "GET /v1/members/{id}", "PATCH /v1/members/{id}"
TOKENS = "POST /v1/members/{id}/tokens"
NOBODY = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def till(running: Running) -> str:
    return running.key("till")


@pytest.fixture
def shop(running: Running) -> str:
    return running.key("shop")


@pytest.fixture
def operator(running: Running) -> str:
    return running.key("operator")


def enrol(running: Running, token: str, *identities: str, key: str = "", **further: Any) -> Response:
    headers = {"Idempotency-Key": key} if key else {}
    return running.call(token, ENROL, {"identities": list(identities), **further}, headers=headers)


def change(running: Running, token: str, member: str, tag: str | None = None, **body: Any) -> Response:
    headers = {"If-Match": tag} if tag else {}
    return running.call(token, CHANGE, body, params={"id": member}, headers=headers)


def status(running: Running, token: str, member: str, act: str, key: str = "k", **body: Any) -> Response:
    return running.call(
        token,
        f"POST /v1/members/{{id}}/{act}",
        {"reason": "asked for it", **body},
        params={"id": member},
        headers={"Idempotency-Key": key},
    )


def refused(response: Response, status: int, code: str, field: str | None = None) -> None:
    assert (response.status, response.code) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.body.get("field") == field


def test_a_member_is_enrolled_with_its_wallets_open(running: Running, till: str) -> None:
    done = enrol(
        running,
        till,
        "phone:+49 151 1234567",
        "card:1",
        language="de",
        attributes={"vip": True, "visits": 3, "tier": "x"},
    )
    assert done.status == 201
    member = done.body["id"]
    assert done.body == {
        "id": member,
        "kind": "member",
        "identities": ["phone", "card"],
        "attributes": {"vip": True, "visits": 3, "tier": "x"},
        "enrolled_at": done.body["enrolled_at"],
        "changed_at": done.body["enrolled_at"],
        "language": "de",
    }
    assert (done.headers["location"], done.headers["etag"]) == (f"/v1/members/{member}", '"1"')
    for wallet in ("points", "cash"):
        chain = Chain(PROGRAM, member, wallet)
        assert wiring.ledger().store.verify(chain) == (1, None)
        head = wiring.ledger().store.head(chain)
        assert head is not None
        assert (head.kind, head.state.kind, head.actor) == ("opened", "member", till.split(".")[1])


def test_nothing_stored_shows_an_identity(running: Running, till: str) -> None:
    enrol(running, till, "phone:+49 151 9876543", "email:anna.muster@example.com", "card:555000111", key="key-1")
    stored = running.everything()
    for part in ("9876543", "muster", "555000111", "key-1"):
        assert part not in stored


def test_nothing_logged_shows_an_identity(running: Running, till: str, capsys: pytest.CaptureFixture[str]) -> None:
    enrol(running, till, "phone:+49 151 9876543")
    enrol(running, till, "phone:+49 151 9876543")
    enrol(running, till, "phone:9876543 ext")
    running.call(till, FIND, query={"identity": "phone:+491519876543"})
    assert "9876543" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["household", "pool"])
def test_households_and_pools_need_no_identity(running: Running, operator: str, kind: str) -> None:
    done = enrol(running, operator, kind=kind)
    assert (done.status, done.body["identities"]) == (201, [])


@pytest.mark.parametrize("kind", ["member", "employee", "supplier"])
def test_all_others_need_one(running: Running, till: str, kind: str) -> None:
    refused(enrol(running, till, kind=kind), 400, "REQUEST_INVALID", "identities")
    assert enrol(running, till, "card:1", kind=kind).body["kind"] == kind


def test_an_identity_that_is_taken_is_named_and_nothing_is_written(running: Running, till: str) -> None:
    enrol(running, till, "card:1", "phone:+4915112345678")
    before = running.engine.fingerprint()
    refused(enrol(running, till, "card:2", "phone:0049 151 12345678"), 409, "MEMBER_IDENTITY_TAKEN", "identities[1]")
    assert running.engine.fingerprint() == before


def test_the_same_identity_in_another_programme_is_another_members(running: Running, till: str) -> None:
    running.establish("baker")
    assert enrol(running, till, "card:1").status == 201
    assert enrol(running, running.key("till", "baker"), "card:1").status == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"identities": ["card:1", "card:1"]}, "identities[1]"),
        ({"identities": ["phone:+491511234567", "phone:+49 151 1234567"]}, "identities[1]"),
        ({"identities": ["passport:1"]}, "identities[0]"),
        ({"identities": ["phone:12345"]}, "identities[0]"),
        ({"identities": [f"card:{number}" for number in range(11)]}, "identities"),
        ({"identities": "card:1"}, "identities"),
        ({"identities": ["card:1"], "kind": "ghost"}, "kind"),
        ({"identities": ["card:1"], "colour": "red"}, "colour"),
        ({"identities": ["card:1"], "language": "Deutsch, bitte"}, "language"),
        ({"identities": ["card:1"], "attributes": {"UPPER": 1}}, "attributes"),
        ({"identities": ["card:1"], "attributes": {"score": 1.5}}, "attributes[...]"),
        ({"identities": ["card:1"], "attributes": {"score": None}}, "attributes[...]"),
        ({"identities": ["card:1"], "attributes": {"nested": {"a": 1}}}, "attributes[...]"),
        ({"identities": ["card:1"], "attributes": {"long": "x" * 201}}, "attributes[...]"),
        ({"identities": ["card:1"], "attributes": {"big": 10**15 + 1}}, "attributes[...]"),
        ({"identities": ["card:1"], "attributes": {f"a{number}": 1 for number in range(21)}}, "attributes"),
    ],
)
def test_a_wrong_enrolment_names_its_field_and_writes_nothing(
    running: Running, till: str, body: dict[str, Any], field: str
) -> None:
    before = running.engine.fingerprint()
    refused(running.call(till, ENROL, body), 400, "REQUEST_INVALID", field)
    assert running.engine.fingerprint() == before


def test_an_enrolment_under_a_key_happens_once(running: Running, till: str) -> None:
    first = enrol(running, till, "card:1", key="k1")
    before = running.engine.fingerprint()
    again = enrol(running, till, "card:1", key="k1")
    assert (again.status, again.body) == (201, first.body)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert running.engine.fingerprint() == before


def test_a_household_is_enrolled_once_under_a_key_and_each_time_without(running: Running, operator: str) -> None:
    ids = [enrol(running, operator, kind="household", key=key).body["id"] for key in ("k", "k", "", "")]
    assert len(set(ids)) == 3
    assert ids[0] == ids[1]


def test_a_key_with_another_enrolment_is_a_conflict(running: Running, till: str) -> None:
    enrol(running, till, "card:1", key="k1")
    before = running.engine.fingerprint()
    refused(enrol(running, till, "card:2", key="k1"), 409, "IDEMPOTENCY_KEY_REUSED")
    refused(enrol(running, till, "card:1", key="k1", language="en"), 409, "IDEMPOTENCY_KEY_REUSED")
    assert running.engine.fingerprint() == before


def test_a_key_is_the_clients_own(running: Running, till: str) -> None:
    enrol(running, till, "card:1", key="k1")
    assert enrol(running, running.key("shop"), "card:2", key="k1").status == 201


def test_a_malformed_key_is_refused(running: Running, till: str) -> None:
    refused(enrol(running, till, "card:1", key="with space"), 400, "REQUEST_KEY_MISSING", "Idempotency-Key")


def test_a_member_is_found_by_each_of_its_identities(running: Running, till: str) -> None:
    member = enrol(running, till, "phone:+4915112345678", "email:A@example.com").body["id"]
    for text in ("phone:+49 151 12345678", "phone: 4915112345678", "phone:004915112345678", "email:a@EXAMPLE.com"):
        found = running.call(till, FIND, query={"identity": text})
        assert [one["id"] for one in found.body["members"]] == [member]
    refused(running.call(till, FIND, query={"identity": "card:1"}), 404, "MEMBER_NOT_FOUND")
    refused(running.call(till, FIND, query={"identity": "nonsense"}), 400, "REQUEST_INVALID", "identity")


def test_a_member_is_read_under_its_id(running: Running, till: str) -> None:
    done = enrol(running, till, "card:1")
    got = running.call(till, GET, params={"id": done.body["id"]})
    assert (got.status, got.body, got.headers["etag"]) == (200, done.body, '"1"')
    refused(running.call(till, GET, params={"id": NOBODY}), 404, "MEMBER_NOT_FOUND")
    refused(running.call(till, GET, params={"id": "x"}), 404, "MEMBER_NOT_FOUND")


def test_a_member_of_another_programme_is_not_there(running: Running, till: str, operator: str) -> None:
    running.establish("baker")
    foreign = enrol(running, running.key("till", "baker"), "card:1").body["id"]
    refused(running.call(operator, GET, params={"id": foreign}), 404, "MEMBER_NOT_FOUND")
    refused(change(running, operator, foreign, language="en"), 404, "MEMBER_NOT_FOUND")
    refused(running.call(operator, TOKENS, {}, params={"id": foreign}), 404, "MEMBER_NOT_FOUND")
    refused(status(running, operator, foreign, "freeze"), 404, "MEMBER_NOT_FOUND")
    refused(running.call(operator, FIND, query={"identity": "card:1"}), 404, "MEMBER_NOT_FOUND")
    assert running.call(operator, FIND).body == {"members": []}


@pytest.mark.parametrize("limit", ["1", "7", "100"])
def test_a_list_shows_every_member_once_in_pages(running: Running, till: str, limit: str) -> None:
    ids = {enrol(running, till, f"card:{number}").body["id"] for number in range(40)}
    seen: list[str] = []
    query = {"limit": limit}
    while True:
        page = running.call(running.key("auditor"), FIND, query=query).body
        assert len(page["members"]) <= int(limit)
        seen += [one["id"] for one in page["members"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert len(seen) == 40
    assert set(seen) == ids


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"cursor": "16"}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "0.x"}, "cursor"),
        ({"cursor": "0.mem_#"}, "cursor"),
    ],
)
def test_a_wrong_page_is_refused(running: Running, operator: str, query: dict[str, str], field: str) -> None:
    refused(running.call(operator, FIND, query=query), 400, "REQUEST_INVALID", field)


@pytest.mark.parametrize("role", ["till", "shop"])
def test_tills_and_shops_see_whom_they_name_and_no_list(running: Running, role: str) -> None:
    refused(running.call(running.key(role), FIND), 403, "AUTH_SCOPE_MISSING")


def test_a_change_adds_and_removes_identities_and_attributes_at_once(running: Running, shop: str) -> None:
    member = enrol(running, shop, "card:1", "phone:+4915112345678", attributes={"a": 1, "b": "x"}).body["id"]
    done = change(
        running,
        shop,
        member,
        '"1"',
        add_identities=["card:2"],
        remove_identities=["card:1"],
        attributes={"a": None, "c": False},
        language="fr",
    )
    assert (done.status, done.headers["etag"]) == (200, '"2"')
    assert done.body["identities"] == ["phone", "card"]
    assert (done.body["attributes"], done.body["language"]) == ({"b": "x", "c": False}, "fr")
    assert running.call(shop, FIND, query={"identity": "card:2"}).status == 200
    assert running.call(shop, FIND, query={"identity": "card:1"}).status == 404
    assert enrol(running, shop, "card:1").status == 201


@pytest.mark.parametrize("which", ["add_identities", "remove_identities"])
def test_a_till_enrols_but_does_not_change_who_is_who(running: Running, till: str, which: str) -> None:
    member = enrol(running, till, "card:1", "card:2").body["id"]
    sent: dict[str, Any] = {which: ["card:2"]}
    refused(change(running, till, member, **sent), 403, "AUTH_SCOPE_MISSING", which)
    assert change(running, till, member, attributes={"a": 1}).status == 200


def test_operators_set_a_members_standing_and_nobody_else_does(running: Running, shop: str, operator: str) -> None:
    member = enrol(running, shop, "card:1").body
    assert not {"tier", "segments"} & set(member)
    refused(change(running, shop, member["id"], tier="gold"), 403, "AUTH_SCOPE_MISSING", "tier")
    refused(change(running, shop, member["id"], segments=["vip"]), 403, "AUTH_SCOPE_MISSING", "segments")
    done = change(running, operator, member["id"], tier="gold", segments=["vip", "early", "vip"])
    assert (done.body["tier"], done.body["segments"]) == ("gold", ["early", "vip"])
    assert change(running, shop, member["id"], language="fr").body["tier"] == "gold"
    gone = change(running, operator, member["id"], tier="", segments=[])
    assert not {"tier", "segments"} & set(gone.body)
    refused(change(running, operator, member["id"], tier="gold card"), 400, "REQUEST_INVALID", "tier")
    refused(change(running, operator, member["id"], segments=["a#b"]), 400, "REQUEST_INVALID", "segments[0]")


def test_a_stale_change_is_refused(running: Running, till: str) -> None:
    member = enrol(running, till, "card:1").body["id"]
    assert change(running, till, member, '"1"', language="fr").status == 200
    for tag in ('"1"', '"3"', '"x"', "2", "nonsense"):
        refused(change(running, till, member, tag, language="en"), 412, "MEMBER_VERSION_CONFLICT")
    for seen, right in enumerate(('"2"', 'W/"3"', "*", None)):
        assert change(running, till, member, right, attributes={"seen": seen}).status == 200


def test_a_change_of_nothing_changes_nothing(running: Running, shop: str) -> None:
    member = enrol(running, shop, "card:1", attributes={"a": 1}).body["id"]
    before = running.engine.fingerprint()
    done = change(running, shop, member, add_identities=["card:1"], attributes={"a": 1, "b": None})
    assert (done.status, done.headers["etag"]) == (200, '"1"')
    assert running.engine.fingerprint() == before


def test_an_identity_of_another_member_is_not_taken_over(running: Running, shop: str) -> None:
    member = enrol(running, shop, "card:1").body["id"]
    enrol(running, shop, "card:2")
    before = running.engine.fingerprint()
    done = change(running, shop, member, add_identities=["card:1", "card:3", "card:2"])
    refused(done, 409, "MEMBER_IDENTITY_TAKEN", "add_identities[2]")
    assert running.engine.fingerprint() == before
    refused(change(running, shop, member, remove_identities=["card:2"]), 400, "REQUEST_INVALID", "remove_identities[0]")


def test_the_last_identity_stays(running: Running, shop: str) -> None:
    member = enrol(running, shop, "card:1").body["id"]
    refused(change(running, shop, member, remove_identities=["card:1"]), 400, "REQUEST_INVALID", "remove_identities")
    assert change(running, shop, member, remove_identities=["card:1"], add_identities=["card:2"]).status == 200


def test_a_member_keeps_within_its_bounds(running: Running, shop: str) -> None:
    member = enrol(running, shop, "card:1", attributes={f"a{number}": 1 for number in range(20)}).body["id"]
    refused(change(running, shop, member, attributes={"b": 1}), 400, "REQUEST_INVALID", "attributes")
    assert change(running, shop, member, attributes={"b": 1, "a1": None}).status == 200
    more = [f"card:{number}" for number in range(2, 12)]
    refused(change(running, shop, member, add_identities=more), 400, "REQUEST_INVALID", "add_identities")


def test_a_members_token_opens_that_member_alone(running: Running, till: str) -> None:
    anna, bert = (enrol(running, till, f"card:{number}").body["id"] for number in (1, 2))
    issued = running.call(running.key("shop"), TOKENS, {"ttl": 60}, params={"id": anna})
    assert (issued.status, issued.body["member"]) == (201, anna)
    token = issued.body["token"]
    assert running.call(token, GET, params={"id": anna}).body["id"] == anna
    refused(running.call(token, GET, params={"id": bert}), 403, "AUTH_MEMBER_FORBIDDEN")
    for query in ({}, {"identity": "card:1"}, {"identity": "card:2"}):
        refused(running.call(token, FIND, query=query), 403, "AUTH_MEMBER_FORBIDDEN")
    for member in (anna, bert):
        refused(running.call(token, TOKENS, {}, params={"id": member}), 403, "AUTH_SCOPE_MISSING")
        refused(change(running, token, member, language="en"), 403, "AUTH_SCOPE_MISSING")
        refused(status(running, token, member, "freeze"), 403, "AUTH_SCOPE_MISSING")
    refused(enrol(running, token, "card:3"), 403, "AUTH_SCOPE_MISSING")


@pytest.mark.parametrize("ttl", [59, 3601, 0, -1, "60", 60.5, True, None])
def test_a_token_lasts_one_minute_to_one_hour(running: Running, ttl: object) -> None:
    shop = running.key("shop")
    member = enrol(running, shop, "card:1").body["id"]
    refused(running.call(shop, TOKENS, {"ttl": ttl}, params={"id": member}), 400, "REQUEST_INVALID", "ttl")


def test_tills_issue_no_tokens_and_nobody_is_issued_one_for_no_member(running: Running, till: str) -> None:
    member = enrol(running, till, "card:1").body["id"]
    refused(running.call(till, TOKENS, {}, params={"id": member}), 403, "AUTH_SCOPE_MISSING")
    refused(running.call(running.key("shop"), TOKENS, {}, params={"id": NOBODY}), 404, "MEMBER_NOT_FOUND")


def test_a_wallet_is_frozen_unfrozen_and_closed(running: Running, operator: str) -> None:
    member = enrol(running, operator, "card:1").body["id"]
    frozen = status(running, operator, member, "freeze", "k1")
    assert (frozen.status, frozen.body["kind"], frozen.body["wallet"]) == (201, "frozen", "points")
    again = status(running, operator, member, "freeze", "k1")
    assert (again.body, again.headers["idempotency-replayed"]) == (frozen.body, "true")
    refused(status(running, operator, member, "freeze", "k2"), 409, "ACCOUNT_STATUS_UNCHANGED")
    assert status(running, operator, member, "freeze", "k3", wallet="cash").body["wallet"] == "cash"
    assert status(running, operator, member, "unfreeze", "k4").body["kind"] == "unfrozen"
    assert status(running, operator, member, "close", "k5", forfeit=True).body["kind"] == "closed"
    refused(status(running, operator, member, "freeze", "k6"), 409, "ACCOUNT_CLOSED")
    refused(status(running, operator, member, "freeze", "k7", wallet="miles"), 404, "WALLET_NOT_FOUND")


@pytest.mark.parametrize("act", ["freeze", "unfreeze", "close"])
def test_only_operators_freeze_and_close_and_only_under_a_key(running: Running, operator: str, act: str) -> None:
    member = enrol(running, operator, "card:1").body["id"]
    refused(status(running, operator, member, act, ""), 400, "REQUEST_KEY_MISSING", "Idempotency-Key")
    for role in ("till", "shop", "auditor"):
        refused(status(running, running.key(role), member, act), 403, "AUTH_SCOPE_MISSING")


def test_a_wallet_that_the_policy_gains_comes_to_life_when_it_is_used(running: Running, operator: str) -> None:
    member = enrol(running, operator, "card:1").body["id"]
    programs = ProgramStore(running.table)
    document, version = programs.document(PROGRAM)
    programs.save({**document, "wallets": ["points", "cash", "miles"]}, version)
    forget_policy()
    chain = Chain(PROGRAM, member, "miles")
    balance = "GET /v1/members/{id}/balance"
    empty = running.call(operator, balance, params={"id": member}, query={"wallet": "miles"})
    assert (empty.status, empty.body["status"], empty.body["balance"]["available"]) == (200, "open", 0)
    assert wiring.ledger().store.head(chain) is None
    assert status(running, operator, member, "freeze", wallet="miles").body["number"] == 2
    assert wiring.ledger().store.verify(chain) == (2, None)
    other = running.call(operator, balance, params={"id": member}, query={"wallet": "stars"})
    refused(other, 404, "WALLET_NOT_FOUND")


def test_using_a_wallet_that_stands_never_asks_for_the_member(running: Running, operator: str) -> None:
    member = enrol(running, operator, "card:1").body["id"]
    pk, sk = keys.member(PROGRAM, member)
    running.table.delete((pk, sk))
    assert status(running, operator, member, "freeze").status == 201


def forget_policy() -> None:
    wiring._policies.clear()  # noqa: SLF001 - what a minute does in a running copy
