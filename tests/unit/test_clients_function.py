"""The clients function as it runs: keys that are shown once, rotation without downtime, and rights that never grow."""

from typing import Any

import pytest

from loyalty.clients.credentials import hashed
from loyalty.clients.roles import ROLES
from tests.unit.running import PROGRAM, Response, Running

LIST, CREATE = "GET /v1/clients", "POST /v1/clients"
ROTATE, REVOKE = "POST /v1/clients/{id}/rotate", "DELETE /v1/clients/{id}"
READ = "GET /v1/program"


@pytest.fixture
def operator(running: Running) -> str:
    return running.key("operator")


def create(running: Running, token: str, role: str, **further: Any) -> Response:
    return running.call(token, CREATE, {"name": further.pop("name", role), "role": role, **further})


def rotate(running: Running, token: str, client: str, **body: Any) -> Response:
    return running.call(token, ROTATE, body, params={"id": client})


def revoke(running: Running, token: str, client: str) -> Response:
    return running.call(token, REVOKE, params={"id": client})


def id_of(key: str) -> str:
    return key.split(".")[1]


def refused(response: Response, status: int, code: str, field: str | None = None) -> None:
    assert (response.status, response.code) == (status, code)
    assert response.body.get("field") == field


@pytest.mark.parametrize("role", ROLES)
def test_a_client_is_made_and_its_key_works_at_once(running: Running, operator: str, role: str) -> None:
    done = create(running, operator, role, name="Till 4", store="319", limit=9)
    assert done.status == 201
    client, key = done.body["client"], done.body["key"]
    assert client == {
        "id": id_of(key),
        "name": "Till 4",
        "role": role,
        "scopes": sorted(ROLES[role]),
        "created_at": client["created_at"],
        "store": "319",
        "limit": 9,
    }
    assert running.asked(key)["context"]["role"] == role


def test_the_key_is_shown_once_and_only_its_hash_is_stored(running: Running, operator: str) -> None:
    key = create(running, operator, "till").body["key"]
    secret = key.split(".")[2]
    listed = running.call(operator, LIST)
    stored = running.everything()
    for text in (str(listed.body), stored):
        assert secret not in text
    assert hashed(secret) in stored
    assert hashed(secret) not in str(listed.body)


def test_no_two_clients_have_the_same_key(running: Running, operator: str) -> None:
    keys = [create(running, operator, "till").body["key"].split(".") for _ in range(20)]
    assert len({key[1] for key in keys}) == len({key[2] for key in keys}) == 20


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "till"}, "name"),
        ({"name": "", "role": "till"}, "name"),
        ({"name": "x" * 65, "role": "till"}, "name"),
        ({"name": "x", "role": "god"}, "role"),
        ({"name": "x", "role": "member"}, "role"),
        ({"name": "x", "role": "till", "scopes": []}, "scopes"),
        ({"name": "x", "role": "till", "scopes": ["clients:write"]}, "scopes[0]"),
        ({"name": "x", "role": "till", "scopes": ["everything"]}, "scopes[0]"),
        ({"name": "x", "role": "till", "store": "a#b"}, "store"),
        ({"name": "x", "role": "till", "limit": -1}, "limit"),
        ({"name": "x", "role": "till", "limit": 1.5}, "limit"),
        ({"name": "x", "role": "till", "program": "baker"}, "program"),
    ],
)
def test_a_wrong_client_names_its_field_and_writes_nothing(
    running: Running, operator: str, body: dict[str, Any], field: str
) -> None:
    before = running.engine.fingerprint()
    refused(running.call(operator, CREATE, body), 400, "REQUEST_INVALID", field)
    assert running.engine.fingerprint() == before


def test_a_rotation_leaves_no_moment_without_a_key(running: Running, operator: str) -> None:
    old = create(running, operator, "auditor").body["key"]
    done = rotate(running, operator, id_of(old))
    new = done.body["key"]
    assert done.status == 200
    assert id_of(new) == id_of(old)
    assert {"rotated_at", "old_key_until"} <= done.body["client"].keys()
    assert [running.call(key, READ).status for key in (old, new)] == [200, 200]


def test_without_overlap_the_old_key_ends_at_once(running: Running, operator: str) -> None:
    old = create(running, operator, "auditor").body["key"]
    done = rotate(running, operator, id_of(old), overlap=0)
    assert [running.call(key, READ).status for key in (old, done.body["key"])] == [403, 200]
    assert "old_key_until" not in done.body["client"]


def test_at_most_two_keys_work(running: Running, operator: str) -> None:
    keys = [create(running, operator, "auditor").body["key"]]
    keys += [rotate(running, operator, id_of(keys[0])).body["key"] for _ in range(3)]
    assert [running.call(key, READ).status for key in keys] == [403, 403, 200, 200]


def test_a_rotation_whose_answer_was_lost_is_repeated_without_downtime(running: Running, operator: str) -> None:
    old = create(running, operator, "auditor").body["key"]
    lost = rotate(running, operator, id_of(old)).body["key"]
    new = rotate(running, operator, id_of(old), replace_newest=True).body["key"]
    assert [running.call(key, READ).status for key in (old, lost, new)] == [200, 403, 200]


@pytest.mark.parametrize("body", [{"overlap": -1}, {"overlap": 604_801}, {"overlap": "1"}, {"overlap": 1.5}, {"x": 1}])
def test_a_wrong_rotation_is_refused(running: Running, operator: str, body: dict[str, Any]) -> None:
    refused(rotate(running, operator, id_of(operator), **body), 400, "REQUEST_INVALID", next(iter(body)))


def test_a_revoked_client_is_out_and_stays_in_the_list(running: Running, operator: str) -> None:
    key = create(running, operator, "auditor").body["key"]
    assert revoke(running, operator, id_of(key)).status == 204
    assert running.asked(key) == {"isAuthorized": False}
    assert revoke(running, operator, id_of(key)).status == 204
    refused(rotate(running, operator, id_of(key)), 409, "CLIENT_REVOKED")
    listed = {one["id"]: one for one in running.call(operator, LIST).body["clients"]}
    assert "revoked_at" in listed[id_of(key)]
    assert "revoked_at" not in listed[id_of(operator)]


def test_the_last_operator_cannot_be_revoked(running: Running, operator: str) -> None:
    refused(revoke(running, operator, id_of(operator)), 409, "CLIENT_LAST_OPERATOR")
    create(running, operator, "operator", scopes=["clients:write", "clients:read"])
    create(running, operator, "operator", store="319")
    refused(revoke(running, operator, id_of(operator)), 409, "CLIENT_LAST_OPERATOR")
    second = create(running, operator, "operator").body["key"]
    assert revoke(running, operator, id_of(operator)).status == 204
    refused(revoke(running, second, id_of(second)), 409, "CLIENT_LAST_OPERATOR")


def test_nobody_hands_out_rights_that_it_has_not(running: Running, operator: str) -> None:
    scopes = ["clients:read", "clients:write", "balance:read"]
    narrow = create(running, operator, "operator", scopes=scopes).body["key"]
    refused(create(running, narrow, "operator"), 403, "CLIENT_RIGHTS_EXCEEDED")
    refused(create(running, narrow, "till"), 403, "CLIENT_RIGHTS_EXCEEDED")
    assert create(running, narrow, "till", scopes=["balance:read"]).status == 201


def test_nobody_gets_the_key_of_a_client_that_may_do_more(running: Running, operator: str) -> None:
    narrow = create(running, operator, "operator", scopes=["clients:write"]).body["key"]
    refused(rotate(running, narrow, id_of(operator)), 403, "CLIENT_RIGHTS_EXCEEDED")
    refused(revoke(running, narrow, id_of(operator)), 403, "CLIENT_RIGHTS_EXCEEDED")
    assert running.call(operator, READ).status == 200


def test_a_client_of_a_store_deals_in_clients_of_that_store(running: Running, operator: str) -> None:
    local = create(running, operator, "operator", store="319").body["key"]
    refused(create(running, local, "till"), 403, "AUTH_STORE_FORBIDDEN", "store")
    refused(create(running, local, "till", store="320"), 403, "AUTH_STORE_FORBIDDEN", "store")
    assert create(running, local, "till", store="319").status == 201
    refused(rotate(running, local, id_of(operator)), 403, "AUTH_STORE_FORBIDDEN", "store")


@pytest.mark.parametrize("role", ["till", "shop", "auditor"])
def test_only_operators_make_rotate_and_revoke(running: Running, operator: str, role: str) -> None:
    token = running.key(role)
    refused(create(running, token, "till"), 403, "AUTH_SCOPE_MISSING")
    refused(rotate(running, token, id_of(token)), 403, "AUTH_SCOPE_MISSING")
    refused(revoke(running, token, id_of(operator)), 403, "AUTH_SCOPE_MISSING")
    listed = running.call(token, LIST)
    assert listed.status == (200 if role == "auditor" else 403)


def test_clients_of_another_programme_are_not_there(running: Running, operator: str) -> None:
    running.establish("baker")
    foreign = running.key("till", "baker")
    refused(rotate(running, operator, id_of(foreign)), 404, "CLIENT_NOT_FOUND")
    refused(revoke(running, operator, id_of(foreign)), 404, "CLIENT_NOT_FOUND")
    for nonsense in ("x", "#", "c" * 3_000):
        refused(rotate(running, operator, nonsense), 404, "CLIENT_NOT_FOUND")
        refused(revoke(running, operator, nonsense), 404, "CLIENT_NOT_FOUND")
    assert [one["id"] for one in running.call(operator, LIST).body["clients"]] == [id_of(operator)]
    assert running.asked(foreign)["isAuthorized"]
    made = create(running, operator, "operator").body["key"]
    assert made.startswith(f"{PROGRAM}.")


@pytest.mark.parametrize("limit", ["1", "3", "100"])
def test_a_list_shows_every_client_once_in_pages(running: Running, operator: str, limit: str) -> None:
    made = {create(running, operator, "till").body["client"]["id"] for _ in range(7)} | {id_of(operator)}
    seen: list[str] = []
    query = {"limit": limit}
    while True:
        page = running.call(operator, LIST, query=query).body
        seen += [one["id"] for one in page["clients"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"cursor": "x" * 65}, {"cursor": "cli_"}, {"cursor": "\n"}])
def test_a_wrong_page_is_refused(running: Running, operator: str, query: dict[str, str]) -> None:
    refused(running.call(operator, LIST, query=query), 400, "REQUEST_INVALID", next(iter(query)))


def test_bootstrapping_again_keeps_a_key_that_works_and_replaces_one_that_does_not(running: Running) -> None:
    from loyalty.clients.bootstrap import ensure_client, ensure_program
    from loyalty.clients.service import NewClient
    from tests.unit.running import POLICY

    key = running.key("till")
    assert ensure_client(running.table, PROGRAM, NewClient("till", "till"), key) == key
    for lost in ("", "nonsense", key[:-1] + ("A" if key[-1] != "A" else "E"), "baker" + key[len(PROGRAM) :]):
        known = ensure_client(running.table, PROGRAM, NewClient("till", "till"), lost)
        assert id_of(known) == id_of(key)
        assert running.asked(known)["isAuthorized"]
    assert not running.asked(key)["isAuthorized"]
    assert ensure_program(running.table, POLICY) == 1
