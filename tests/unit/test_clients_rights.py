"""Roles, keys and what a client may do, without any storage."""

import pytest
from msgspec.structs import replace

from loyalty.clients import credentials
from loyalty.clients.client import Client, new_id
from loyalty.clients.credentials import ClientKey
from loyalty.clients.roles import MEMBER_SCOPES, ROLES, WITHIN_ROUTES, narrowed
from loyalty.errors import Invalid
from loyalty.routes import ROUTES

NOW = 1_750_000_000
ID = "cli_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SECRETS = [credentials.secret_of(bytes([number]) * 32) for number in range(4)]


TILL = Client(
    id=ID,
    name="n",
    role="till",
    narrower=frozenset(),
    store="",
    limit=0,
    created=NOW,
    secret=credentials.hashed(SECRETS[0]),
)


def client(role: str = "till", **further: object) -> Client:
    return replace(TILL, role=role, **further)


def test_operators_may_do_all_that_any_route_asks() -> None:
    assert ROLES["operator"] == {route.scope for route in ROUTES if route.scope} | WITHIN_ROUTES


def test_auditors_change_nothing() -> None:
    assert {scope.split(":")[1] for scope in ROLES["auditor"]} == {"read", "list", "verify"}


def test_shops_may_do_what_tills_may_and_speak_for_members_and_know_them() -> None:
    assert ROLES["shop"] - ROLES["till"] == {
        "tokens:write",
        "identities:write",
        "contacts:read",
        "contacts:write",
        "inbox:read",
        "inbox:write",
    }
    assert ROLES["till"] < ROLES["shop"] < ROLES["operator"]


@pytest.mark.parametrize("role", ["till", "shop", "auditor"])
def test_only_operators_touch_clients_policies_and_balances_by_hand(role: str) -> None:
    kept = {
        "clients:write",
        "program:write",
        "clock:write",
        "adjustments:write",
        "transfers:write",
        "accounts:write",
        "standing:write",
    }
    assert not ROLES[role] & kept


def test_a_members_token_reads_redeems_and_says_how_to_be_told_and_nothing_else() -> None:
    reads = {"members:read", "balance:read", "quotes:read", "contacts:read", "inbox:read"}
    assert reads | {"redemptions:write", "contacts:write", "inbox:write"} == MEMBER_SCOPES


def test_scopes_can_be_narrowed_never_widened() -> None:
    assert narrowed("till", []) == ROLES["till"]
    assert narrowed("till", ["balance:read"]) == {"balance:read"}
    with pytest.raises(Invalid) as refused:
        narrowed("till", ["balance:read", "clients:write"])
    assert refused.value.field == "scopes[1]"


def test_a_stored_scope_that_the_role_has_lost_is_lost() -> None:
    assert client("auditor", narrower=frozenset({"balance:read", "clients:write"})).scopes == {"balance:read"}
    assert client("gone").scopes == frozenset()


def test_a_key_is_read_back_from_its_text() -> None:
    key = ClientKey("acme-1", ID, SECRETS[1])
    assert credentials.parse(str(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "acme",
        f"acme.{ID}",
        f"acme.{ID}.short",
        f"acme.{ID}.{SECRETS[0]}.",
        f"acme.{ID}.{SECRETS[0]}\n",
        f"Acme.{ID}.{SECRETS[0]}",
        f"a#b.{ID}.{SECRETS[0]}",
        f"acme.mem_01ARZ3NDEKTSV4RRFFQ69G5FAV.{SECRETS[0]}",
        f"acme.{ID}.{'é' * 43}",
        f" acme.{ID}.{SECRETS[0]}",
    ],
)
def test_what_is_no_key_is_known_by_its_shape(text: str) -> None:
    assert credentials.parse(text) is None


def test_a_secret_has_256_random_bits() -> None:
    assert len(SECRETS[0]) == 43
    with pytest.raises(ValueError, match="32 random bytes"):
        credentials.secret_of(b"1" * 16)


def test_only_the_hash_is_compared_and_an_empty_hash_matches_nothing() -> None:
    assert credentials.same(SECRETS[0], credentials.hashed(SECRETS[0]))
    assert credentials.same(SECRETS[0], "", credentials.hashed(SECRETS[0]))
    assert not credentials.same(SECRETS[0], SECRETS[0])
    assert not credentials.same(SECRETS[0], "", "")
    assert not credentials.same("", "")


def test_a_new_key_opens_at_once_and_the_old_one_until_its_time() -> None:
    after = client().rotated_to(SECRETS[1], 60, replace_newest=False, now=NOW)
    assert after.knows(SECRETS[1], NOW)
    assert after.knows(SECRETS[0], NOW + 59)
    assert not after.knows(SECRETS[0], NOW + 60)
    assert after.knows(SECRETS[1], NOW + 60)


def test_without_overlap_the_old_key_ends_at_once() -> None:
    after = client().rotated_to(SECRETS[1], 0, replace_newest=False, now=NOW)
    assert not after.knows(SECRETS[0], NOW)


def test_at_most_two_keys_work_at_once() -> None:
    twice = client().rotated_to(SECRETS[1], 60, False, NOW).rotated_to(SECRETS[2], 60, False, NOW)
    assert [twice.knows(secret, NOW) for secret in SECRETS[:3]] == [False, True, True]


def test_a_rotation_whose_answer_was_lost_can_be_repeated_without_ending_the_key_in_use() -> None:
    again = client().rotated_to(SECRETS[1], 60, False, NOW).rotated_to(SECRETS[2], 60, True, NOW + 5)
    assert [again.knows(secret, NOW + 6) for secret in SECRETS[:3]] == [True, False, True]
    assert not again.knows(SECRETS[0], NOW + 60)


def test_a_revoked_client_has_no_key_left() -> None:
    gone = client().rotated_to(SECRETS[1], 60, False, NOW).revoked_at(NOW)
    assert not any(gone.knows(secret, NOW) for secret in SECRETS)
    assert (gone.secret, gone.old_secret) == ("", "")


@pytest.mark.parametrize(
    ("one", "governs"),
    [
        (client("operator"), True),
        (client("operator", narrower=frozenset({"clients:write"})), False),
        (client("operator", store="319"), False),
        (client("operator").revoked_at(NOW), False),
        (client("auditor"), False),
    ],
)
def test_a_programme_is_governed_by_operators_with_all_their_rights(one: Client, governs: bool) -> None:
    assert one.governs is governs


def test_ids_are_made_of_time_and_randomness() -> None:
    assert credentials.parse(f"acme.{new_id(1_750_000_000_000, bytes(10))}.{SECRETS[0]}") is not None
